//! How much longer a `tokenizer.json` makes a text at most: a few steps that each double it make gigabytes of a
//! sentence.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// More than any tokenizer of a CLIP needs: the longest replacement of SentencePiece's tables has 33 bytes.
const MOST: u64 = 1024;

/// The steps before and after the model.
const STEPS: [&str; 3] = ["normalizer", "pre_tokenizer", "post_processor"];

/// Refuses a tokenizer that makes texts too long, or whose tables are not whole.
pub(super) fn check(tokenizer: &Value) -> Result<(), String> {
    for name in STEPS {
        let step = &tokenizer[name];
        let growth = match step {
            Value::Null => 1,
            step => growth(step).map_err(|problem| format!("its {name} {problem}"))?,
        };
        if growth > MOST {
            return Err(format!(
                "its {name} can make a text {growth} times as long; at most {MOST} times is expected"
            ));
        }
    }
    Ok(())
}

/// By how much a step, or a sequence of them, multiplies the bytes or tokens of a text at most.
fn growth(step: &Value) -> Result<u64, String> {
    let Some(kind) = step["type"].as_str() else {
        return Err("has a step without a type".to_string());
    };
    let bytes = |value: &Value| value.as_str().map_or(0, |text| text.len() as u64);
    Ok(match kind {
        "Sequence" => {
            let mut product = 1u64;
            for key in ["normalizers", "pretokenizers", "processors"] {
                for inner in step[key].as_array().into_iter().flatten() {
                    product = product.saturating_mul(growth(inner)?);
                }
            }
            product
        }
        "Replace" => match bytes(&step["pattern"]["String"]) {
            // An expression may match one byte, or the empty text between any two.
            0 => 1 + bytes(&step["content"]),
            pattern => bytes(&step["content"]).div_ceil(pattern).max(1),
        },
        "Prepend" => 1 + bytes(&step["prepend"]),
        "Precompiled" => longest_entry(bytes_of(step)?.as_slice())?.max(1),
        // A byte becomes a character of up to two.
        "ByteLevel" => 2,
        // A blank on each side of a character of three.
        "BertNormalizer" => 2,
        // A blank becomes a character.
        "Metaspace" => bytes(&step["replacement"]).max(1),
        "TemplateProcessing" => {
            let pieces = step["single"].as_array().into_iter().flatten();
            let texts = pieces.filter(|piece| !piece["Sequence"].is_null());
            (texts.count() as u64).max(1)
        }
        _ => 1,
    })
}

/// SentencePiece's table of a step.
fn bytes_of(step: &Value) -> Result<Vec<u8>, String> {
    let text = step["precompiled_charsmap"].as_str().unwrap_or_default();
    let decoded = STANDARD.decode(text);
    decoded.map_err(|e| format!("has a table of characters that is not base64: {e}"))
}

/// Bytes of the longest replacement in SentencePiece's table: the length of a trie in bytes, the trie, and
/// replacements that end with a zero.
fn longest_entry(table: &[u8]) -> Result<u64, String> {
    let entries = table.split_first_chunk::<4>().and_then(|(length, rest)| {
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        rest.get(length / 4 * 4..)
    });
    let entries = entries.ok_or("has a table of characters that is cut off")?;
    let longest = entries.split(|byte| *byte == 0).map(<[u8]>::len).max();
    Ok(longest.unwrap_or(0) as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn normalizers(steps: &[Value]) -> Result<(), String> {
        check(&json!({"normalizer": {"type": "Sequence", "normalizers": steps}}))
    }

    fn precompiled(length: u32, rest: &[u8]) -> Value {
        let table = [&length.to_le_bytes(), rest].concat();
        json!({"type": "Precompiled", "precompiled_charsmap": STANDARD.encode(table)})
    }

    #[test]
    fn what_tokenizers_do_is_allowed() {
        let spaces =
            json!({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u{2581}"});
        let table = precompiled(8, &[&[0; 8][..], &[b'a'; 33], b"\0b\0"].concat());
        assert_eq!(
            normalizers(&[json!({"type": "NFKC"}), table, spaces]),
            Ok(())
        );
        assert_eq!(check(&json!({"normalizer": null, "model": {}})), Ok(()));
        let template = json!([{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}]);
        let processor = json!({"type": "TemplateProcessing", "single": template});
        assert_eq!(check(&json!({"post_processor": processor})), Ok(()));
    }

    #[test]
    fn steps_that_multiply_each_other_are_refused() {
        let double = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
        assert_eq!(normalizers(&vec![double.clone(); 10]), Ok(()));
        let error = normalizers(&vec![double; 11]).unwrap_err();
        assert!(
            error.contains("normalizer can make a text 2048 times"),
            "{error}"
        );
        let nothing =
            json!({"type": "Replace", "pattern": {"Regex": ""}, "content": "a".repeat(1024)});
        assert!(normalizers(&[nothing]).is_err());
        let inner =
            json!({"type": "Sequence", "pretokenizers": vec![json!({"type": "ByteLevel"}); 11]});
        assert!(check(&json!({"pre_tokenizer": inner})).is_err());
        let template = json!({"type": "TemplateProcessing", "single": vec![json!({"Sequence": {"id": "A"}}); 2]});
        let processors = json!({"type": "Sequence", "processors": vec![template; 70]});
        assert!(check(&json!({"post_processor": processors})).is_err());
        assert!(normalizers(&[json!({"pattern": {"String": "a"}, "content": "b"})]).is_err());
    }

    #[test]
    fn a_table_that_is_not_whole_is_refused() {
        assert_eq!(normalizers(&[precompiled(0, b"")]), Ok(()));
        let error = normalizers(&[precompiled(u32::MAX, &[0; 8])]).unwrap_err();
        assert!(error.contains("cut off"), "{error}");
        let short = json!({"type": "Precompiled", "precompiled_charsmap": "AAA="});
        assert!(normalizers(&[short]).is_err());
        let long = precompiled(4, &[&[0; 4][..], &[b'a'; 2000]].concat());
        assert!(normalizers(&[long]).is_err());
    }
}
