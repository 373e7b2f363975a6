//! Comparing the values of one group of goldens with those found.

use crate::folder::dir;

/// Compares one group of goldens, keeps the largest error, and says how many cases it saw.
///
/// ```
/// let mut group = promptsrc_goldens::Group::new("example");
/// group.absolute("half", &[0.5], &[0.5 + 1e-9], 1e-6);
/// group.finish(1);
/// ```
#[derive(Debug)]
pub struct Group {
    name: String,
    cases: usize,
    largest: f64,
    largest_case: String,
    failures: Vec<String>,
}

impl Group {
    /// An empty group.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_string(),
            cases: 0,
            largest: 0.0,
            largest_case: String::new(),
            failures: Vec::new(),
        }
    }

    /// Largest absolute difference of any element must stay within `tolerance`.
    pub fn absolute(&mut self, case: &str, found: &[f64], expected: &[f64], tolerance: f64) {
        self.same_length(case, found.len(), expected.len());
        let error = found
            .iter()
            .zip(expected)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, nan_max);
        self.record(case, error, tolerance);
    }

    /// Norm of the difference over the norm of the expected values (relative Frobenius error).
    /// Where the expected values are all zero the found ones must be within `tolerance` of it.
    pub fn relative(&mut self, case: &str, found: &[f64], expected: &[f64], tolerance: f64) {
        self.same_length(case, found.len(), expected.len());
        let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
        let gap = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
        let size = norm(&mut expected.iter().copied());
        self.record(case, if size == 0.0 { gap } else { gap / size }, tolerance);
    }

    /// Found and expected must be equal.
    pub fn equal<T: PartialEq + std::fmt::Debug>(&mut self, case: &str, found: &T, expected: &T) {
        self.cases += 1;
        if found != expected {
            self.failures
                .push(format!("{case}: found {found:?}, expected {expected:?}"));
        }
    }

    fn same_length(&mut self, case: &str, found: usize, expected: usize) {
        assert_eq!(found, expected, "{}: {case}: number of values", self.name);
    }

    fn record(&mut self, case: &str, error: f64, tolerance: f64) {
        self.cases += 1;
        if error.is_nan() || error > tolerance {
            self.failures.push(format!(
                "{case}: error {error:.3e}, tolerance {tolerance:.3e}"
            ));
        }
        if error.is_nan() || error > self.largest {
            self.largest = error;
            self.largest_case = case.to_string();
        }
    }

    /// Prints the count and the largest error; panics where a case failed or where fewer than
    /// `at_least` cases were compared.
    pub fn finish(self, at_least: usize) {
        println!(
            "parity {}: {} cases compared, largest error {:.3e} ({})",
            self.name, self.cases, self.largest, self.largest_case
        );
        assert!(
            self.failures.is_empty(),
            "{}: {} of {} cases differ:\n{}",
            self.name,
            self.failures.len(),
            self.cases,
            self.failures
                .iter()
                .take(20)
                .cloned()
                .collect::<Vec<_>>()
                .join("\n")
        );
        assert!(
            self.cases >= at_least,
            "{}: only {} cases were compared, at least {at_least} were expected in {}",
            self.name,
            self.cases,
            dir().display()
        );
    }
}

fn nan_max(a: f64, b: f64) -> f64 {
    if b.is_nan() || b > a { b } else { a }
}
