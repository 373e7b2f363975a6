//! The precision in which an adapter is evaluated: that of its training.

use promptsrc_clip::Precision;

use crate::clip::{ClipOptions, PrecisionChoice};

/// Options of a CLIP for an adapter, from [`ClipOptions::trained_in`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainedPrecision {
    /// The options to open the CLIP with.
    pub options: ClipOptions,
    /// What a user should know: that it is evaluated in another precision than that of its
    /// training, and why.
    pub difference: Option<String>,
}

impl ClipOptions {
    /// The options for an adapter that was trained in `precision`
    /// ([`AdapterMeta::precision`](crate::adapter::AdapterMeta::precision)). [`PrecisionChoice::Auto`] becomes that
    /// precision, or f32 where it cannot be computed in; a precision that is given stays.
    ///
    /// An open [`Clip`](crate::Clip) keeps its precision, whatever adapter is used with it.
    pub fn trained_in(&self, precision: &str) -> TrainedPrecision {
        self.trained_in_as(precision, |options| options.resolve().is_ok())
    }

    fn trained_in_as(
        &self,
        precision: &str,
        is_supported: impl Fn(&ClipOptions) -> bool,
    ) -> TrainedPrecision {
        let with = |precision| Self {
            precision: PrecisionChoice::Given(precision),
            ..self.clone()
        };
        let trained: Option<Precision> = precision.parse().ok();
        let (options, reason) = match (self.precision, trained) {
            (PrecisionChoice::Given(given), _) if Some(given) == trained => (self.clone(), None),
            (PrecisionChoice::Given(_), _) => (self.clone(), Some("as asked for")),
            (PrecisionChoice::Auto, Some(trained)) if is_supported(&with(trained)) => {
                (with(trained), None)
            }
            (PrecisionChoice::Auto, Some(_)) => (
                with(Precision::F32),
                Some("because it cannot be computed in here"),
            ),
            // f32 holds every value of f16 exactly.
            (PrecisionChoice::Auto, None) => (
                with(Precision::F32),
                Some("because there is no arithmetic in it here"),
            ),
        };
        let difference = reason.map(|reason| {
            format!(
                "trained in {precision}, evaluated in {}, {reason}: results may differ slightly",
                options.precision
            )
        });
        TrainedPrecision {
            options,
            difference,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN_F32: PrecisionChoice = PrecisionChoice::Given(Precision::F32);
    const GIVEN_BF16: PrecisionChoice = PrecisionChoice::Given(Precision::Bf16);

    fn chosen(asked: PrecisionChoice, trained: &str, bf16: bool) -> TrainedPrecision {
        let options = ClipOptions {
            precision: asked,
            ..ClipOptions::default()
        };
        options.trained_in_as(trained, |o| bf16 || o.precision != GIVEN_BF16)
    }

    #[test]
    fn auto_is_the_precision_of_the_training() {
        for (trained, expected) in [("f32", GIVEN_F32), ("bf16", GIVEN_BF16)] {
            let found = chosen(PrecisionChoice::Auto, trained, true);
            assert_eq!(found.options.precision, expected);
            assert_eq!(found.difference, None);
        }
    }

    #[test]
    fn another_precision_than_that_of_the_training_is_said() {
        let cases = [
            (
                PrecisionChoice::Auto,
                "bf16",
                false,
                "cannot be computed in",
            ),
            (PrecisionChoice::Auto, "f16", true, "no arithmetic"),
            (GIVEN_F32, "bf16", true, "as asked for"),
        ];
        for (asked, trained, bf16, words) in cases {
            let found = chosen(asked, trained, bf16);
            assert_eq!(found.options.precision, GIVEN_F32);
            let said = found.difference.expect("the difference");
            assert!(said.contains(words) && said.contains(trained), "{said}");
        }
    }
}
