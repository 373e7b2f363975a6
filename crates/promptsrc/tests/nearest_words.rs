//! The words nearest to a context: those that it is made of, and those that a search by hand finds.

use promptsrc::{Adapter, Clip, Dataset, MethodConfig, NoWords, nearest_words};
use promptsrc_clip::values;

fn trained(clip: &Clip, method: &str) -> Adapter {
    let images = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/images");
    let data = Dataset::open(images).expect("images").few_shot(1, 1);
    let config = MethodConfig::of(method, clip, &data).expect("a configuration");
    let config = match config {
        MethodConfig::Prompts(config) => promptsrc::TrainConfig {
            epochs: 1,
            ..config
        }
        .into(),
        other => other,
    };
    config.train(clip, &data, |_| {}).expect("an adapter")
}

#[test]
fn a_context_of_words_is_nearest_to_these_words() {
    let clip = Clip::open("mini").expect("a CLIP");
    let mut adapter = trained(&clip, "coop");
    let ids = clip.tokenizer().encode("a red photo of").expect("ids");
    let words = values(clip.text().embed(&ids));
    let width = clip.text().width();
    let context = adapter.parameters.iter_mut().next().expect("a context");
    assert_eq!(context.values.len(), words.len());
    context.values.clone_from(&words);
    // Between two words: a third of the way from the second to the third.
    for at in 0..width {
        context.values[width + at] += (words[2 * width + at] - words[width + at]) / 3.0;
    }
    let moved = context.values[width..2 * width].to_vec();

    let found = nearest_words(&adapter, &clip, 5).expect("words");
    assert_eq!((found.vectors.len(), found.left_out), (4, 0));
    for (at, word) in [(0, "a"), (2, "photo"), (3, "of")] {
        let vector = &found.vectors[at];
        assert_eq!(vector.nearest[0], (word.to_string(), 0.0), "{vector:?}");
        assert_eq!((vector.place, vector.nearest.len()), (at + 1, 5));
    }
    // All tokens, each by itself.
    let all = clip.config().text.vocab_size as u32;
    let mut distances: Vec<(f64, u32)> = (0..all)
        .map(|id| {
            let token = values(clip.text().embed(&[id]));
            let squares = token.iter().zip(&moved);
            let sum: f64 = squares.map(|(a, b)| f64::from(a - b).powi(2)).sum();
            (sum.sqrt(), id)
        })
        .collect();
    distances.sort_by(|a, b| a.0.total_cmp(&b.0));
    for ((word, distance), (expected, id)) in found.vectors[1].nearest.iter().zip(&distances) {
        assert!((distance - expected).abs() < 1e-6, "{distance} {expected}");
        assert_eq!(Some(word), clip.tokenizer().spelling(*id).as_ref());
    }
}

#[test]
fn a_head_says_that_it_has_no_prompt() {
    let clip = Clip::open("mini").expect("a CLIP");
    let adapter = trained(&clip, "tip-adapter");
    let found = nearest_words(&adapter, &clip, 5);
    assert!(matches!(found, Err(NoWords::Head { .. })), "{found:?}");
}
