//! Token ids and templates against the reference's.

use std::io::Read;

use promptsrc_clip::Tokenizer;
use promptsrc_clip::templates::{SELECT, TEACHER, data_set_template, fill};
use promptsrc_clip::tokenizer::{END_OF_TEXT, EndOfText, START_OF_TEXT, TokenizeError};
use promptsrc_goldens::{self as goldens, Group, Tensors};
use serde_json::Value;

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key]
        .as_array()
        .unwrap_or_else(|| panic!("no array {key:?}"))
}

fn ids(value: &Value) -> Vec<u32> {
    goldens::numbers(value)
        .iter()
        .map(|id| *id as u32)
        .collect()
}

/// Rows of a golden tensor `[texts, context]`, padding included.
fn rows(tensors: &Tensors, name: &str) -> Vec<Vec<u32>> {
    let tensor = tensors.get(name);
    let ids: Vec<u32> = tensor.i64().iter().map(|id| *id as u32).collect();
    ids.chunks(tensor.shape[1]).map(<[u32]>::to_vec).collect()
}

/// A text as the reference pads it: with zeros up to the context length.
fn padded(text: &str, context: usize) -> Vec<u32> {
    let mut tokens = Tokenizer::clip()
        .tokenize(text, context, false)
        .expect("a short text");
    tokens.resize(context, 0);
    tokens
}

#[test]
fn parity_token_ids() {
    if !goldens::has("tokenizer") {
        return;
    }
    let golden = goldens::json("tokenizer/tokens.json");
    let context = goldens::number(&golden["context"]) as usize;
    let mut group = Group::new("token ids");
    group.equal(
        "start",
        &f64::from(START_OF_TEXT),
        &goldens::number(&golden["sot"]),
    );
    group.equal(
        "end",
        &f64::from(END_OF_TEXT),
        &goldens::number(&golden["eot"]),
    );
    let rows = array(&golden, "rows");
    for row in rows {
        let text = row["text"].as_str().expect("a text");
        let length = goldens::number(&row["length"]) as usize;
        let eot_index = goldens::number(&row["eot_index"]) as usize;
        group.equal(
            text,
            &Tokenizer::clip().encode(text).expect("ids"),
            &ids(&row["ids"]),
        );
        let tokens = Tokenizer::clip().tokenize(text, context, false);
        if row["error"].is_null() {
            let tokens = tokens.unwrap_or_else(|e| panic!("{text:?}: {e}"));
            group.equal(&format!("length of {text:?}"), &tokens.len(), &length);
            group.equal(
                &format!("end of {text:?}"),
                &EndOfText::Greatest.position(&tokens),
                &eot_index,
            );
        } else {
            let Err(TokenizeError::TooLong { tokens, .. }) = tokens else {
                panic!("{text:?} is longer than {context} tokens");
            };
            group.equal(&format!("length of {text:?}"), &tokens, &length);
            let cut = Tokenizer::clip()
                .tokenize(text, context, true)
                .expect("truncated");
            group.equal(
                &format!("end of truncated {text:?}"),
                &EndOfText::Greatest.position(&cut),
                &eot_index,
            );
            if let Some(expected) = row.get(format!("truncated_{context}")) {
                group.equal(&format!("truncated {text:?}"), &cut, &ids(expected));
            }
        }
    }
    group.finish(2 * rows.len());
}

/// The built-in merges are those of the goldens, where these include a copy.
#[test]
fn parity_merges() {
    if !goldens::has("tokenizer") {
        return;
    }
    let unpack = |bytes: &[u8]| {
        let mut text = String::new();
        flate2::read::GzDecoder::new(bytes)
            .read_to_string(&mut text)
            .expect("gzipped text");
        text
    };
    let built_in = unpack(include_bytes!("../assets/bpe_simple_vocab_16e6.txt.gz"));
    let mut group = Group::new("merges");
    for name in goldens::list("tokenizer") {
        if name.ends_with(".gz") {
            let file = std::fs::read(goldens::path("tokenizer").join(&name)).expect("a file");
            group.equal(&name, &(unpack(&file) == built_in), &true);
        }
    }
    group.finish(0);
}

#[test]
fn parity_tokens_of_class_prompts() {
    let mut group = Group::new("tokens of class prompts");
    let mut compare = |case: &str, texts: Vec<String>, expected: Vec<Vec<u32>>| {
        assert_eq!(texts.len(), expected.len(), "{case}: number of texts");
        for (text, expected) in texts.iter().zip(&expected) {
            group.equal(
                &format!("{case}: {text}"),
                &padded(text, expected.len()),
                expected,
            );
        }
    };

    for case in goldens::cases("forward") {
        let forward = goldens::json(format!("forward/{case}.json"));
        let template = goldens::strings(&forward["templates"]["single"]).remove(0);
        let names = goldens::strings(&forward["classnames"]);
        let texts = names.iter().map(|name| fill(&template, name)).collect();
        let tensors = Tensors::read(format!("forward/{case}.safetensors"));
        compare(&case, texts, rows(&tensors, "tokens_single"));
    }

    for name in goldens::cases("train") {
        let case = goldens::json(format!("train/{name}.json"));
        let lead = case["prompt_lead"].as_str().expect("a lead");
        let texts = goldens::strings(&case["classnames"])
            .iter()
            .map(|name| fill(&format!("{lead} {{}}."), name))
            .collect();
        let tensors = Tensors::read(format!("train/{name}.safetensors"));
        compare(&name, texts, rows(&tensors, "tokens"));
    }
    group.finish(1);
}

#[test]
fn parity_templates() {
    if !goldens::has("templates.json") {
        return;
    }
    let golden = goldens::json("templates.json");
    let mut group = Group::new("templates");
    group.equal(
        "teacher",
        &TEACHER.map(String::from).to_vec(),
        &goldens::strings(&golden["teacher"]),
    );
    group.equal(
        "select",
        &SELECT.map(String::from).to_vec(),
        &goldens::strings(&golden["select"]),
    );
    for (name, template) in golden["custom"].as_object().expect("templates by data set") {
        group.equal(name, &data_set_template(name), &template.as_str());
    }
    group.finish(3);
}

/// Kinds of strings that the goldens lack: all encodings that mojibake comes from, twice over and in
/// part, entities, control characters. `fixtures/tokenizer_extra.py` made them with ftfy itself.
#[test]
fn ids_equal_those_made_with_ftfy_on_odd_strings() {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/tokenizer_extra.json"))
        .expect("the fixture is JSON");
    let mut group = Group::new("ids of odd strings");
    for row in array(&fixture, "rows") {
        let text = row[0].as_str().expect("a text");
        group.equal(
            text,
            &Tokenizer::clip().encode(text).expect("ids"),
            &ids(&row[1]),
        );
    }
    group.finish(1000);
}
