//! What a method needs beyond the labelled images of each class.

/// Something that a method needs beyond the labelled shots, or that its published results used. Tables
/// say it beside the method's row, because a method that has it is not on the same terms as the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Labelled validation images, on which settings are chosen.
    ValidationImages,
    /// The published results were chosen on the test set. This program never does so: it chooses on
    /// validation images.
    PublishedSelectionOnTest,
    /// Texts that a language model wrote about the classes.
    LanguageModelTexts,
    /// A larger CLIP as a teacher.
    LargerTeacher,
    /// Unlabelled images of the data set.
    UnlabelledImages,
}

impl Need {
    /// As a note in a table.
    pub fn text(self) -> &'static str {
        match self {
            Self::ValidationImages => "settings chosen on validation images",
            Self::PublishedSelectionOnTest => {
                "its published results were chosen on the test set; ours on validation images"
            }
            Self::LanguageModelTexts => "texts by a language model",
            Self::LargerTeacher => "a larger teacher",
            Self::UnlabelledImages => "unlabelled images",
        }
    }
}
