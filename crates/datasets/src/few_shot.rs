//! Few-shot sampling: which images of a split the reference trains on.

use crate::{MersenneTwister, group};

/// A few-shot validation list has at most this many images per class, whatever the shots.
const MAX_VAL_SHOTS: usize = 4;

/// A few-shot subset: indices into a split's train and validation lists, in the reference's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FewShotPicks {
    /// Indices into the train list.
    pub train: Vec<usize>,
    /// Indices into the validation list.
    pub val: Vec<usize>,
    /// Classes of the train list with fewer images than shots: label and number of images.
    pub short: Vec<(usize, usize)>,
}

/// Picks `shots` images per class, given the labels of the train and validation lists.
///
/// The reference (Dassl's `generate_fewshot_dataset`, called by each of its data sets) seeds
/// Python's generator and samples the train list, then the validation list with at most 4 shots,
/// in one stream of random numbers. Classes come in the order of their first appearance in the
/// list. A class with fewer images than shots is taken whole, in the list's order, and draws no
/// random numbers; one with exactly as many is sampled nevertheless, which permutes it. The lists
/// must be the split's full ones, whether or not the files exist; classes are chosen afterwards.
///
/// With 0 shots, both lists are taken whole, as in the reference.
pub fn few_shot(train: &[usize], val: &[usize], shots: usize, seed: u64) -> FewShotPicks {
    if shots == 0 {
        return FewShotPicks {
            train: (0..train.len()).collect(),
            val: (0..val.len()).collect(),
            short: Vec::new(),
        };
    }
    let mut random = MersenneTwister::new(seed);
    few_shot_with(&mut random, train, val, shots)
}

fn few_shot_with(
    random: &mut MersenneTwister,
    train: &[usize],
    val: &[usize],
    shots: usize,
) -> FewShotPicks {
    let mut short = Vec::new();
    let train = pick(random, train, shots, |label, count| {
        short.push((label, count))
    });
    let val = pick(random, val, shots.min(MAX_VAL_SHOTS), |_, _| {});
    short.sort_unstable();
    FewShotPicks { train, val, short }
}

fn pick(
    random: &mut MersenneTwister,
    labels: &[usize],
    shots: usize,
    mut too_few: impl FnMut(usize, usize),
) -> Vec<usize> {
    let classes = labels.iter().enumerate();
    let classes = group::by_label(classes.map(|(index, label)| (*label, index)));
    let mut picked = Vec::new();
    for (label, class) in classes {
        if class.len() >= shots {
            let sample = random.sample(class.len(), shots);
            picked.extend(sample.into_iter().filter_map(|i| class.get(i)));
        } else {
            too_few(label, class.len());
            picked.extend(class);
        }
    }
    picked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_class_is_taken_whole_and_draws_no_random_numbers() {
        let random = MersenneTwister::new(3);
        let (mut with, mut without) = (random.clone(), random);
        let picks = few_shot_with(&mut with, &[5, 9, 9, 9, 5], &[], 3);
        few_shot_with(&mut without, &[9, 9, 9], &[], 3);
        assert_eq!(picks.train[..2], [0, 4]);
        assert_eq!(picks.short, [(5, 2)]);
        assert_eq!(with.next_u32(), without.next_u32());
    }

    #[test]
    fn zero_shots_take_everything_in_order() {
        let picks = few_shot(&[1, 0, 1], &[0], 0, 1);
        assert_eq!((picks.train, picks.val), (vec![0, 1, 2], vec![0]));
    }

    #[test]
    fn an_absurd_number_of_shots_takes_every_image() {
        let picks = few_shot(&[1, 0, 1], &[0], usize::MAX, 1);
        assert_eq!(picks.train, [0, 2, 1]);
    }
}
