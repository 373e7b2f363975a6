//! The rows of the text tower that the class prompts of a method need.

use promptsrc::TrainConfig;
use promptsrc::config::ClassPosition;
use promptsrc::methods::prompt_model;
use promptsrc_clip::Tokenizer;

use crate::failure::Failure;

/// Rows beside start-of-text, which is constant in every layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextRows {
    /// Context rows that all classes share, after start-of-text.
    pub context: usize,
    /// Frozen rows that all classes share after these: words of the prompt that are not learned.
    pub kept: usize,
    /// Each class's own rows, up to end-of-text: whether a row is of the context.
    pub own: Vec<Vec<bool>>,
    /// Whether the context depends on the image, so that each image has all of these rows.
    pub per_image: bool,
}

impl TextRows {
    /// Those of a configuration for class names, on a text tower of so many positions.
    ///
    /// # Errors
    /// A name that is too long, or an unknown method.
    pub fn of(
        config: &TrainConfig,
        names: &[String],
        context_length: usize,
    ) -> Result<Self, Failure> {
        let model = prompt_model(config)?;
        let (placement, n_ctx) = (model.placement(), model.n_ctx_text());
        let prefix = model.prompt_prefix();
        let tokenizer = Tokenizer::clip();
        let before = placement.class_position.tokens_before(n_ctx);
        let mut texts = Vec::with_capacity(names.len());
        let mut own = Vec::with_capacity(names.len());
        for name in names {
            let text = tokenizer.tokenize(&format!("{prefix} {name}."), context_length, false)?;
            let name_tokens = tokenizer.encode(name)?.len();
            let mut learned = vec![true; before];
            learned.resize(before + name_tokens, false);
            learned.resize(n_ctx + name_tokens, true);
            learned.resize(text.len() - 1, false);
            texts.push(text);
            own.push(learned);
        }
        let shared = match (placement.class_position, placement.class_specific) {
            (ClassPosition::End, false) => shared_tokens(&texts).max(n_ctx),
            // A single class shares its context with no other.
            (_, true) if names.len() > 1 => 0,
            _ => before,
        };
        let own = own.into_iter().map(|rows| rows[shared..].to_vec());
        Ok(Self {
            context: shared.min(before),
            kept: shared.saturating_sub(before),
            own: own.collect(),
            per_image: model.is_conditioned(),
        })
    }
}

/// Tokens after start-of-text with which all texts begin; each keeps its end-of-text.
fn shared_tokens(texts: &[Vec<u32>]) -> usize {
    let shortest = texts.iter().map(Vec::len).min().unwrap_or(2);
    (1..shortest - 1)
        .take_while(|i| texts.iter().all(|text| text[*i] == texts[0][*i]))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured_method::published;

    fn of(config: &TrainConfig) -> TextRows {
        let names = ["cat", "polar bear"].map(String::from);
        TextRows::of(config, &names, 77).expect("short names")
    }

    /// Counted by hand: "polar bear" has two tokens, and a full stop and end-of-text follow.
    #[test]
    fn rows_are_shared_as_far_as_all_classes_have_them() {
        let shared = of(&published("coop").expect("coop"));
        assert_eq!((shared.context, shared.kept), (4, 0));
        assert_eq!(shared.own, [vec![false; 3], vec![false; 4]]);

        // Two of the four words "a photo of a" are learned.
        let maple = of(&published("maple").expect("maple"));
        assert_eq!((maple.context, maple.kept), (2, 2));
        assert_eq!(maple.own, shared.own);
        assert!(!maple.per_image);

        assert!(of(&published("cocoop").expect("cocoop")).per_image);
    }

    #[test]
    fn a_context_that_classes_do_not_share_is_among_their_own_rows() {
        let mut config = published("coop").expect("coop");
        config.prompts.n_ctx_text = 2;
        config.prompts.ctx_init.clear();

        config.prompts.class_position = ClassPosition::Middle;
        let middle = of(&config);
        assert_eq!((middle.context, middle.kept), (1, 0));
        let (cat, bear) = (
            vec![false, true, false, false],
            vec![false, false, true, false, false],
        );
        assert_eq!(middle.own, [cat, bear]);

        config.prompts.class_position = ClassPosition::Front;
        let front = of(&config);
        assert_eq!((front.context, front.kept), (0, 0));
        assert_eq!(front.own[0], [false, true, true, false, false]);

        config.prompts.class_position = ClassPosition::End;
        config.prompts.class_specific = true;
        let specific = of(&config);
        assert_eq!((specific.context, specific.kept), (0, 0));
        assert_eq!(specific.own[0], [true, true, false, false, false]);
    }
}
