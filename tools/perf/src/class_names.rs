//! Class names of a given number of tokens.

use std::collections::HashMap;

use promptsrc_clip::Tokenizer;

use crate::failure::Failure;

/// So many different names of so many tokens each.
pub fn class_names(classes: usize, tokens: usize) -> Result<Vec<String>, Failure> {
    let tokenizer = Tokenizer::clip();
    let mut words = Vec::new();
    let mut first = HashMap::new();
    let letters = 'a'..='z';
    for (a, b, c) in letters.clone().flat_map(|a| {
        let letters = letters.clone();
        letters
            .clone()
            .flat_map(move |b| letters.clone().map(move |c| (a, b, c)))
    }) {
        let word = format!("{a}{b}{c}");
        let ids = tokenizer.tokenize(&word, 77, false)?;
        if ids.len() == 3 && first.insert(ids[1], ()).is_none() {
            words.push(word);
        }
    }
    if words.is_empty()
        || classes > words.len() * words.len()
        || classes > words.len() && tokens < 2
    {
        return Err(format!("{classes} different names of {tokens} tokens cannot be made; give fewer --classes or more --name-tokens").into());
    }
    Ok((0..classes)
        .map(|i| {
            let at = |k: usize| match k {
                0 => i % words.len(),
                1 => (i / words.len() + i) % words.len(),
                _ => (i * 7 + k * 131) % words.len(),
            };
            let parts: Vec<&str> = (0..tokens).map(|k| words[at(k)].as_str()).collect();
            parts.join(" ")
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_as_many_tokens_as_asked() {
        for (classes, tokens) in [(5, 1), (1500, 3)] {
            let names = class_names(classes, tokens).expect("names");
            let different: std::collections::HashSet<_> = names.iter().collect();
            assert_eq!(different.len(), classes);
            for name in &names {
                let ids = Tokenizer::clip().tokenize(name, 77, false).expect("short");
                assert_eq!(ids.len(), tokens + 2, "{name}");
            }
        }
    }
}
