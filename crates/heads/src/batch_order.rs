//! Which rows each step of an epoch takes.

use promptsrc_learning::random::Stream;

use crate::error::HeadError;

/// The batches of each epoch.
pub trait BatchOrder {
    /// The rows of each batch of an epoch; epochs and rows count from 0.
    fn batches(&self, epoch: usize) -> Vec<Vec<usize>>;
}

/// A fresh shuffle of all rows in each epoch, from (seed, epoch) alone.
#[derive(Clone, Debug)]
pub struct Shuffled {
    seed: u64,
    rows: usize,
    batch_size: usize,
    batches: usize,
}

impl Shuffled {
    /// All rows; an incomplete last batch is kept, as Tip-Adapter's loader does.
    pub fn all_rows(seed: u64, rows: usize, batch_size: usize) -> Self {
        let batch_size = batch_size.max(1);
        Self {
            seed,
            rows,
            batch_size,
            batches: rows.div_ceil(batch_size),
        }
    }

    /// Whole batches only, as Dassl's training loader: an incomplete last batch is dropped unless it is the
    /// only one.
    pub fn whole_batches(seed: u64, rows: usize, batch_size: usize) -> Self {
        let batch_size = batch_size.max(1);
        Self {
            batches: (rows / batch_size).max(1),
            ..Self::all_rows(seed, rows, batch_size)
        }
    }

    /// As many batches as `images` fill ([`Shuffled::whole_batches`]), drawn from `passes` times as many
    /// rows: an epoch of ZS-LP and CLAP. Row `pass * images + image`.
    pub fn from_all_passes(seed: u64, images: usize, passes: usize, batch_size: usize) -> Self {
        Self {
            rows: images * passes,
            ..Self::whole_batches(seed, images, batch_size)
        }
    }
}

impl BatchOrder for Shuffled {
    fn batches(&self, epoch: usize) -> Vec<Vec<usize>> {
        let order =
            Stream::new(self.seed, &format!("batch order of epoch {epoch}")).order(self.rows);
        let batches = order.chunks(self.batch_size).take(self.batches);
        batches.map(<[usize]>::to_vec).collect()
    }
}

/// A given order: `[epoch][batch][row]`.
#[derive(Clone, Debug)]
pub struct Recorded(pub Vec<Vec<Vec<usize>>>);

impl BatchOrder for Recorded {
    fn batches(&self, epoch: usize) -> Vec<Vec<usize>> {
        self.0.get(epoch).cloned().unwrap_or_default()
    }
}

/// The batches of an epoch, none of them empty and all of rows that are there.
pub(crate) fn checked(
    order: &dyn BatchOrder,
    epoch: usize,
    rows: usize,
) -> Result<Vec<Vec<usize>>, HeadError> {
    let problem = |problem: String| Err(HeadError::Order { epoch, problem });
    let batches = order.batches(epoch);
    if batches.is_empty() || batches.iter().any(Vec::is_empty) {
        return problem("has no batch, or one without rows".to_string());
    }
    match batches.iter().flatten().find(|row| **row >= rows) {
        Some(row) => problem(format!("names row {row}; there are {rows}")),
        None => Ok(batches),
    }
}

/// The rows of `values [rows, dim]` that a batch names.
pub(crate) fn gather(values: &[f32], dim: usize, batch: &[usize]) -> Vec<f32> {
    batch
        .iter()
        .flat_map(|row| &values[row * dim..(row + 1) * dim])
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_the_batches_of_its_loader() {
        let sizes = |order: Shuffled| {
            let batches = order.batches(0);
            batches.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(Shuffled::all_rows(1, 10, 4)), [4, 4, 2]);
        assert_eq!(sizes(Shuffled::whole_batches(1, 10, 4)), [4, 4]);
        assert_eq!(sizes(Shuffled::whole_batches(1, 3, 4)), [3]);
        assert_eq!(sizes(Shuffled::from_all_passes(1, 10, 20, 4)), [4, 4]);
        assert_eq!(sizes(Shuffled::from_all_passes(1, 3, 20, 4)), [4]);
        assert_eq!(sizes(Shuffled::from_all_passes(1, 3, 1, 4)), [3]);
    }

    #[test]
    fn an_order_is_a_permutation_that_seed_and_epoch_determine() {
        let order = |seed, epoch| Shuffled::all_rows(seed, 100, 100).batches(epoch).remove(0);
        assert_eq!(order(1, 0), order(1, 0));
        assert_ne!(order(1, 0), order(1, 1));
        assert_ne!(order(1, 0), order(2, 0));
        let mut sorted = order(1, 0);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }
}
