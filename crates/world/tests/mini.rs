//! The mini CLIP: an ordinary CLIP.

use std::collections::BTreeMap;

use promptsrc_world::{Purpose, mini_clip, mini_file, sets};
use serde_json::Value;

fn fixture() -> BTreeMap<String, Value> {
    let text = include_str!("fixtures/zero_shot.json");
    serde_json::from_str(text).expect("a JSON document")
}

#[test]
fn it_is_a_small_clip_in_openais_naming_with_the_standard_vocabulary() {
    let file = mini_file().expect("a file");
    assert!(file.len() < 8 << 20, "{} bytes", file.len());
    let weights = mini_clip().expect("a CLIP");
    assert_eq!(weights.notes(), Vec::<String>::new());
    let config = weights.config();
    assert_eq!(config.text.vocab_size, 49_408);
    assert_eq!(config.text.context_length, 77);
    assert_eq!(config.vision.heads * 64, config.vision.width);
    assert_eq!(config.text.heads * 64, config.text.width);
    // Rows of tokens that no text of the world uses are zero, those of its words are not.
    let table = weights.f32("token_embedding.weight").expect("a table");
    let rows = table.chunks_exact(config.text.width);
    let used = rows.filter(|row| row.iter().any(|v| *v != 0.0)).count();
    assert!((200..1000).contains(&used), "{used} rows");
}

#[test]
fn zero_shot_accuracy_is_neither_chance_nor_perfect() {
    let found = fixture();
    for set in sets() {
        let name = set.name();
        let expected = &found[name];
        if set.purpose() == Purpose::BaseToNovel {
            let right = expected["all"].as_f64().expect("a count");
            let accuracy = 100.0 * right / expected["total"].as_f64().expect("a count");
            println!("{name}: {accuracy:.1} %");
            assert!((35.0..=85.0).contains(&accuracy), "{name}: {accuracy}");
        }
    }
}
