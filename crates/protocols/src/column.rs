//! The columns of a table of results.

/// What a column shows, in per cent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// Accuracy on the base classes, which were learned; the candidates are the base classes.
    Base,
    /// Accuracy on the novel classes; the candidates are the novel classes.
    Novel,
    /// Harmonic mean of the mean base and the mean novel accuracy.
    HarmonicMean,
    /// Accuracy on all classes.
    Accuracy,
    /// Accuracy on all classes after training on this many images per class.
    Shots(usize),
}

impl Column {
    /// Its name in files.
    pub fn key(self) -> String {
        match self {
            Self::Base => "base".into(),
            Self::Novel => "novel".into(),
            Self::HarmonicMean => "hm".into(),
            Self::Accuracy => "accuracy".into(),
            Self::Shots(shots) => shots.to_string(),
        }
    }

    /// Its heading in a table.
    pub fn title(self) -> String {
        match self {
            Self::Base => "base".into(),
            Self::Novel => "novel".into(),
            Self::HarmonicMean => "harmonic mean".into(),
            Self::Accuracy => "accuracy".into(),
            Self::Shots(1) => "1 shot".into(),
            Self::Shots(shots) => format!("{shots} shots"),
        }
    }
}
