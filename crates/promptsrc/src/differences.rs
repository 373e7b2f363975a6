//! The values in which two JSON documents differ, as text for a message.

/// The values in which two JSON documents differ, at most three of them, as text for a message in
/// which each document has a name.
pub fn differences(documents: [&serde_json::Value; 2], names: [&str; 2]) -> Option<String> {
    let [first, second] = documents.map(|document| {
        let mut leaves = Vec::new();
        flatten("", document, &mut leaves);
        leaves
    });
    let only_first = first
        .iter()
        .filter(|(key, _)| !second.iter().any(|(k, _)| k == key));
    let mut differences: Vec<String> = second
        .iter()
        .chain(only_first)
        .filter_map(|(key, _)| {
            let [one, other] = [leaf(&first, key), leaf(&second, key)];
            (one != other).then(|| format!("{key}: {one} {}, {other} {}", names[0], names[1]))
        })
        .collect();
    (!differences.is_empty()).then(|| {
        let rest = differences.len().saturating_sub(3);
        differences.truncate(3);
        let more = if rest > 0 {
            format!(" and {rest} more")
        } else {
            String::new()
        };
        differences.join("; ") + &more
    })
}

/// The value of a key; `none`, which is no JSON, if there is none.
fn leaf<'a>(leaves: &'a [(String, String)], key: &str) -> &'a str {
    let found = leaves.iter().find(|(k, _)| k == key);
    found.map_or("none", |(_, value)| value)
}

fn flatten(prefix: &str, value: &serde_json::Value, leaves: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                let key = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                flatten(&key, value, leaves);
            }
        }
        serde_json::Value::Null => {}
        other => leaves.push((prefix.to_string(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_name_both_values_also_where_one_is_missing() {
        let first = json!({"a": 1, "b": {"c": "x", "d": null}, "gone": true});
        let second = json!({"a": 2, "b": {"c": "x", "d": "none"}});
        assert_eq!(
            differences([&first, &second], ["here", "there"]).as_deref(),
            Some("a: 1 here, 2 there; b.d: none here, \"none\" there; gone: true here, none there")
        );
        assert_eq!(differences([&first, &first], ["here", "there"]), None);
        let many = json!({"a": 2, "b": 3, "c": 4, "d": 5, "e": 6});
        let found = differences([&json!({}), &many], ["here", "there"]).unwrap();
        assert!(
            found.ends_with("c: none here, 4 there and 2 more"),
            "{found}"
        );
    }
}
