//! Cleaning of a text before byte-pair encoding, as CLIP's own tokenizer does it.

mod ftfy;
mod html;
mod mojibake;

/// How a text is cleaned before it is tokenised; named as OpenCLIP's `clean`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cleaning {
    /// Mojibake and HTML entities decoded, white space collapsed, lower case: CLIP's own.
    #[default]
    Lower,
    /// The same without lower case.
    Whitespace,
    /// As `Lower`, with underscores as blanks and without ASCII punctuation.
    Canonicalize,
}

impl Cleaning {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Lower, Self::Whitespace, Self::Canonicalize];

    /// OpenCLIP's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Whitespace => "whitespace",
            Self::Canonicalize => "canonicalize",
        }
    }
}

/// Repairs mojibake and odd characters, decodes HTML entities twice, and collapses white space to
/// single spaces; the rest is as the cleaning says.
///
/// With `Lower` this is `whitespace_clean(basic_clean(text)).lower()` of CLIP's
/// `simple_tokenizer.py`.
pub(crate) fn clean(text: &str, cleaning: Cleaning) -> String {
    let text = match is_plain(text) {
        true => collapse_white_space(text),
        false => {
            let text = ftfy::fix_text(text);
            collapse_white_space(&html::unescape(&html::unescape(&text)))
        }
    };
    // On a whole string, not character by character: a final sigma has its own lower-case form.
    match cleaning {
        Cleaning::Lower => text.to_lowercase(),
        Cleaning::Whitespace => text,
        Cleaning::Canonicalize => {
            let text = text.replace('_', " ");
            let words: String = text.chars().filter(|c| !c.is_ascii_punctuation()).collect();
            collapse_white_space(&words.to_lowercase())
        }
    }
}

/// Whether only white space and case can change: nearly every class name, at a fraction of the
/// cost.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'&')
}

fn collapse_white_space(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(text: &str) -> String {
        super::clean(text, Cleaning::Lower)
    }

    #[test]
    fn white_space_is_collapsed_because_the_reference_splits_on_single_spaces() {
        assert_eq!(
            clean("  Great \t white\r\n\n shark\u{a0}\u{2003}! "),
            "great white shark !"
        );
        assert_eq!(clean(""), "");
        assert_eq!(clean(" \u{3000} "), "");
    }

    #[test]
    fn entities_are_decoded_even_when_escaped_twice() {
        assert_eq!(clean("Q&amp;amp;A"), "q&a");
        // ftfy leaves entities alone where a `<` says that the text is HTML; html.unescape does not.
        assert_eq!(clean("<b>&amp;eacute;</b>"), "<b>é</b>");
    }

    #[test]
    fn final_sigma_is_lowered_as_python_does() {
        assert_eq!(clean("ΑΘΗΝΑΣ"), "αθηνας");
    }

    #[test]
    fn plain_text_is_cleaned_like_any_other() {
        for text in [
            "a photo of a Golden_Retriever.",
            "  x  ",
            "~!@#$%^*()",
            "<b>",
        ] {
            assert!(is_plain(text));
            let fixed = ftfy::fix_text(text);
            let slow = html::unescape(&html::unescape(&fixed)).into_owned();
            assert_eq!(clean(text), collapse_white_space(&slow).to_lowercase());
        }
    }
}
