//! How often sets hold the true class, and how large they are.

/// Counts of the sets of labelled images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetCounts {
    /// Sets.
    pub total: u64,
    /// Sets that hold the true class.
    pub covered: u64,
    /// Sets without a class.
    pub empty: u64,
    /// Classes of all sets together.
    pub classes: u64,
}

impl SetCounts {
    /// Counts the set of an image.
    pub fn add(&mut self, label: usize, set: &[usize]) {
        self.total += 1;
        self.covered += u64::from(set.contains(&label));
        self.empty += u64::from(set.is_empty());
        self.classes += set.len() as u64;
    }

    /// The fraction of sets that hold the true class; `None` without sets.
    pub fn coverage(&self) -> Option<f64> {
        (self.total > 0).then(|| self.covered as f64 / self.total as f64)
    }

    /// The mean number of classes in a set; `None` without sets.
    pub fn mean_size(&self) -> Option<f64> {
        (self.total > 0).then(|| self.classes as f64 / self.total as f64)
    }
}
