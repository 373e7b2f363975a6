//! Accuracy, macro-F1, calibration and confusion matrix of a classifier, from its logits.

use std::fmt;

use promptsrc_calibration::CalibrationBins;
pub use promptsrc_calibration::{BINS, ReliabilityBin};
use serde::{Deserialize, Serialize};

/// Number of classes that count for [`Evaluation::top5_accuracy`].
const GUESSES: usize = 5;

/// An evaluation that is not possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// A label that is not a class.
    #[error("label {label} of image {item}, but there are {classes} classes, counted from 0")]
    Label {
        /// Which image, from 1.
        item: u64,
        /// Its label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A row without exactly one logit per class.
    #[error("{found} logits for image {item}, expected {expected}: one per class")]
    Length {
        /// Which image, from 1.
        item: u64,
        /// Logits of its row.
        found: usize,
        /// Number of classes.
        expected: usize,
    },
    /// A logit that is infinite or not a number.
    #[error(
        "the logit of class {class:?} for image {item} is {value}; the weights or the prompts \
         are damaged, or training has diverged"
    )]
    NotFinite {
        /// Which image, from 1.
        item: u64,
        /// Name of the class.
        class: String,
        /// The logit, as text.
        value: String,
    },
    /// There are no images.
    #[error("no image was evaluated; is the split empty?")]
    Empty,
}

/// Metrics of one classifier on one set of images. Ratios are between 0 and 1.
///
/// `{}` shows the summary, `{:#}` adds a table of the classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Fraction of images whose class has the largest logit: the paper's metric on every data set.
    /// Of equal logits, the first class counts.
    pub accuracy: f64,
    /// Number of images that are classified correctly.
    pub correct: u64,
    /// Number of images.
    pub total: u64,
    /// Fraction of images whose class is among the five largest logits (of all, if fewer).
    pub top5_accuracy: f64,
    /// Mean over the classes that occur of their F1, the harmonic mean of precision and recall
    /// (scikit-learn's `f1_score(average="macro", labels=unique(y_true))`, as in Dassl's evaluator).
    pub macro_f1: f64,
    /// Expected calibration error: the mean distance of confidence (the greatest probability) and
    /// accuracy over 15 bins of equal width in confidence, weighted by their images.
    pub calibration_error: f64,
    /// Each class, in the order of the labels.
    pub per_class: Vec<ClassAccuracy>,
    /// Images by true class (row) and predicted class (column).
    pub confusion_matrix: Vec<Vec<u64>>,
}

/// Accuracy within one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassAccuracy {
    /// Name of the class.
    pub name: String,
    /// Fraction of its images that are classified correctly; `None` if it has no images.
    pub accuracy: Option<f64>,
    /// Number of its images that are classified correctly.
    pub correct: u64,
    /// Number of its images.
    pub total: u64,
}

/// Collects an [`Evaluation`] image by image.
///
/// ```
/// use promptsrc::metrics::EvaluationBuilder;
///
/// let mut evaluation = EvaluationBuilder::new(["cat", "dog"]);
/// evaluation.add(0, &[2.0, 1.0])?;
/// evaluation.add(1, &[2.0, 1.0])?;
/// assert_eq!(evaluation.finish()?.accuracy, 0.5);
/// # Ok::<(), promptsrc::metrics::MetricsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct EvaluationBuilder {
    class_names: Vec<String>,
    confusion_matrix: Vec<Vec<u64>>,
    among_first: u64,
    total: u64,
    bins: CalibrationBins,
}

impl EvaluationBuilder {
    /// An evaluation without images, of these classes in label order.
    pub fn new<N: Into<String>>(class_names: impl IntoIterator<Item = N>) -> Self {
        let class_names: Vec<String> = class_names.into_iter().map(Into::into).collect();
        let classes = class_names.len();
        Self {
            class_names,
            confusion_matrix: vec![vec![0; classes]; classes],
            among_first: 0,
            total: 0,
            bins: Default::default(),
        }
    }

    /// Counts one image: its true label and its logits `[classes]`, from which probabilities are
    /// taken by softmax. (Logarithms of probabilities are logits, too.) Returns the class with the
    /// largest logit; of equal logits, the first.
    ///
    /// # Errors
    /// If the label is not a class, or the row does not have one finite logit per class. The image is
    /// then not counted.
    pub fn add(&mut self, label: usize, logits: &[f32]) -> Result<usize, MetricsError> {
        let classes = self.class_names.len();
        let item = self.total + 1;
        let not_finite = logits
            .iter()
            .zip(&self.class_names)
            .find(|(l, _)| !l.is_finite());
        if let Some((value, class)) = not_finite {
            let (class, value) = (class.clone(), value.to_string());
            return Err(MetricsError::NotFinite { item, class, value });
        }
        if logits.len() != classes {
            return Err(MetricsError::Length {
                item,
                found: logits.len(),
                expected: classes,
            });
        }
        let Some(true_logit) = logits.get(label) else {
            return Err(MetricsError::Label {
                item,
                label,
                classes,
            });
        };

        // A class is ranked after those with larger logits, and after earlier ones with equal logits.
        let before = |class: usize, logit: f32| {
            let (earlier, later) = logits.split_at(class);
            earlier.iter().filter(|l| **l >= logit).count()
                + later.iter().filter(|l| **l > logit).count()
        };
        let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let predicted = logits.iter().position(|l| *l == greatest).unwrap_or(0);
        let sum: f64 = logits
            .iter()
            .map(|l| (f64::from(*l) - f64::from(greatest)).exp())
            .sum();
        let confidence = 1.0 / sum;

        if let Some(count) = self
            .confusion_matrix
            .get_mut(label)
            .and_then(|r| r.get_mut(predicted))
        {
            *count += 1;
        }
        self.among_first += u64::from(before(label, *true_logit) < GUESSES);
        self.bins.add(confidence, predicted == label);
        self.total += 1;
        Ok(predicted)
    }

    /// The bins of the calibration error, from the least confidence to the greatest.
    pub fn reliability(&self) -> [ReliabilityBin; BINS] {
        *self.bins.bins()
    }

    /// The metrics over all images.
    ///
    /// # Errors
    /// If there are no images.
    pub fn finish(self) -> Result<Evaluation, MetricsError> {
        let Self {
            class_names,
            confusion_matrix,
            among_first,
            total,
            bins,
        } = self;
        if total == 0 {
            return Err(MetricsError::Empty);
        }
        let correct_of = |class: usize| {
            confusion_matrix
                .get(class)
                .and_then(|row| row.get(class))
                .copied()
                .unwrap_or(0)
        };
        let per_class: Vec<ClassAccuracy> = class_names
            .into_iter()
            .zip(&confusion_matrix)
            .enumerate()
            .map(|(class, (name, row))| {
                let (correct, total) = (correct_of(class), row.iter().sum());
                let accuracy = (total > 0).then(|| ratio(correct, total));
                ClassAccuracy {
                    name,
                    accuracy,
                    correct,
                    total,
                }
            })
            .collect();
        let correct = per_class.iter().map(|class| class.correct).sum();
        let predicted_as = |class: usize| -> u64 {
            confusion_matrix
                .iter()
                .filter_map(|row| row.get(class))
                .sum()
        };
        let f1: Vec<f64> = per_class
            .iter()
            .enumerate()
            .filter(|(_, class)| class.total > 0)
            .map(|(at, class)| ratio(2 * class.correct, class.total + predicted_as(at)))
            .collect();
        Ok(Evaluation {
            accuracy: ratio(correct, total),
            correct,
            total,
            top5_accuracy: ratio(among_first, total),
            macro_f1: f1.iter().sum::<f64>() / f1.len() as f64,
            calibration_error: bins.error().unwrap_or_default(),
            per_class,
            confusion_matrix,
        })
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = format!("  ({} of {})", self.correct, self.total);
        let top5 = (self.per_class.len() > GUESSES).then_some(self.top5_accuracy);
        let lines = [
            ("accuracy", Some(self.accuracy), counts.as_str()),
            ("top-5 accuracy", top5, ""),
            ("macro F1", Some(self.macro_f1), ""),
            ("calibration error", Some(self.calibration_error), ""),
        ];
        let lines: Vec<String> = lines
            .iter()
            .filter_map(|(name, value, note)| {
                let percent = 100.0 * (*value)?;
                Some(format!("{name:<17}  {percent:>6.2} %{note}"))
            })
            .collect();
        f.write_str(&lines.join("\n"))?;
        if f.alternate() {
            self.table(f)?;
        }
        Ok(())
    }
}

impl Evaluation {
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self
            .per_class
            .iter()
            .map(|class| class.name.chars().count());
        let width = names.chain(["class".len()]).max().unwrap_or(0);
        write!(f, "\n\n{:<width$}  accuracy  correct  total", "class")?;
        for class in &self.per_class {
            let ClassAccuracy {
                name,
                accuracy,
                correct,
                total,
            } = class;
            let accuracy = match accuracy {
                Some(accuracy) => format!("{:.2} %", 100.0 * accuracy),
                None => "-".to_string(),
            };
            write!(
                f,
                "\n{name:<width$}  {accuracy:>8}  {correct:>7}  {total:>5}"
            )?;
        }
        Ok(())
    }
}

/// Harmonic mean of the accuracies on base and novel classes, the headline of base-to-novel
/// generalisation; 0 where both are.
pub fn harmonic_mean(base: f64, novel: f64) -> f64 {
    if base + novel > 0.0 {
        2.0 * base * novel / (base + novel)
    } else {
        0.0
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-12
    }

    /// 24 images of six classes, the fifth of which has none.
    const LABELS: [usize; 24] = [
        5, 1, 3, 3, 5, 1, 0, 1, 2, 2, 0, 5, 0, 5, 0, 3, 2, 3, 5, 5, 0, 0, 0, 3,
    ];
    const LOGITS: [[f32; 6]; 24] = [
        [0.97, -0.68, 0.73, -0.82, -0.12, 2.06],
        [-2.34, -0.89, 3.59, -0.55, -0.21, 0.63],
        [-0.62, -2.57, -2.82, 1.70, 0.62, -0.32],
        [-2.90, -2.38, -1.94, -0.53, 3.55, 0.11],
        [-1.87, 1.22, 2.55, -1.45, 2.18, 0.53],
        [1.69, 2.32, 0.93, -0.02, 0.63, -1.46],
        [2.60, 0.25, -0.25, -1.70, 1.90, 1.87],
        [0.18, 2.85, -0.63, 1.94, 0.03, 3.01],
        [1.99, -0.72, 2.65, 0.09, -1.47, -0.15],
        [-0.01, 2.15, 1.44, -0.35, -1.34, -1.18],
        [-1.07, -2.31, -0.97, -0.80, 1.67, -0.50],
        [0.89, 1.80, -5.06, -0.75, 1.03, 0.94],
        [1.13, 2.44, -0.59, -1.77, -0.57, 1.86],
        [-1.89, 0.52, 0.50, 1.92, 2.09, 0.63],
        [-2.42, 1.86, -2.28, -0.10, 1.82, 4.06],
        [-2.59, -0.14, 0.52, 1.03, 2.20, 2.10],
        [-1.77, 0.45, 1.87, -0.21, 1.94, -1.48],
        [-3.41, -1.12, 1.98, 1.17, 1.41, 0.54],
        [-3.07, 0.32, 0.22, -1.34, 0.07, 1.62],
        [-0.31, -0.84, -0.63, -0.41, -1.01, 2.82],
        [0.57, 1.55, -3.10, 2.89, -1.51, 1.02],
        [2.74, -1.28, 0.85, -1.38, -2.12, 0.19],
        [1.21, 3.28, 1.03, 2.66, -0.81, 2.06],
        [-0.18, -2.18, -0.57, 1.44, -0.79, 0.98],
    ];

    fn example() -> Evaluation {
        let names = [
            "cat",
            "dog",
            "crème brûlée",
            "sea_horse",
            "never",
            "yin_yang",
        ];
        let mut builder = EvaluationBuilder::new(names);
        for (label, logits) in LABELS.iter().zip(&LOGITS) {
            builder.add(*label, logits).unwrap();
        }
        builder.finish().unwrap()
    }

    #[test]
    fn metrics_equal_those_of_scikit_learn() {
        // p = scipy.special.softmax(LOGITS, 1); guess = LOGITS.argmax(1)
        // accuracy_score(LABELS, guess); top_k_accuracy_score(LABELS, p, k=5, labels=range(6))
        // f1_score(LABELS, guess, average="macro", labels=np.unique(LABELS))
        // confusion_matrix(LABELS, guess, labels=range(6)); the calibration error by numpy.
        let evaluation = example();
        assert_eq!((evaluation.correct, evaluation.total), (9, 24));
        assert!(close(evaluation.accuracy, 0.375));
        assert!(close(evaluation.top5_accuracy, 0.9583333333333334));
        // A mean over all six classes would be 0.3376.
        assert!(close(evaluation.macro_f1, 0.4051226551226551));
        assert!(close(evaluation.calibration_error, 0.26964378256026955));
        let expected = [
            [2, 2, 0, 1, 1, 1],
            [0, 1, 1, 0, 0, 1],
            [0, 1, 1, 0, 1, 0],
            [0, 0, 1, 2, 2, 0],
            [0, 0, 0, 0, 0, 0],
            [0, 1, 1, 0, 1, 3],
        ];
        assert_eq!(evaluation.confusion_matrix, expected);
        assert_eq!(evaluation.per_class[0].accuracy, Some(2.0 / 7.0));
        assert_eq!(evaluation.per_class[4].accuracy, None);
    }

    #[test]
    fn the_first_of_equal_logits_wins_as_in_torch_argmax() {
        let mut builder = EvaluationBuilder::new((0..7).map(|class| class.to_string()));
        builder.add(0, &[1.0; 7]).unwrap();
        builder.add(1, &[1.0; 7]).unwrap();
        builder.add(4, &[1.0; 7]).unwrap();
        builder.add(5, &[1.0; 7]).unwrap();
        let evaluation = builder.finish().unwrap();
        assert_eq!(
            (evaluation.accuracy, evaluation.top5_accuracy),
            (0.25, 0.75)
        );
    }

    #[test]
    fn fewer_than_five_classes_are_all_among_the_first_five() {
        let mut builder = EvaluationBuilder::new(["a", "b"]);
        builder.add(1, &[3.0, -3.0]).unwrap();
        assert_eq!(builder.finish().unwrap().top5_accuracy, 1.0);
    }

    #[test]
    fn great_logits_do_not_overflow_the_softmax() {
        let mut builder = EvaluationBuilder::new(["a", "b"]);
        builder.add(0, &[f32::MAX, f32::MIN]).unwrap();
        assert_eq!(builder.finish().unwrap().calibration_error, 0.0);
    }

    #[test]
    fn a_image_that_cannot_be_counted_is_named_and_left_out() {
        let mut builder = EvaluationBuilder::new(["a", "b"]);
        builder.add(0, &[1.0, 0.0]).unwrap();
        for (label, logits, message) in [
            (
                2,
                [0.0, 0.0].as_slice(),
                "label 2 of image 2, but there are 2 classes",
            ),
            (0, &[0.0], "1 logits for image 2, expected 2"),
            (0, &[0.0; 3], "3 logits for image 2, expected 2"),
            (
                0,
                &[0.0, f32::NAN],
                "the logit of class \"b\" for image 2 is NaN",
            ),
        ] {
            let error = builder.add(label, logits).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        assert_eq!(builder.finish().unwrap().total, 1);
    }

    #[test]
    fn no_image_at_all_is_an_error_not_a_nan() {
        let builder = EvaluationBuilder::new(["a"]);
        assert_eq!(builder.finish(), Err(MetricsError::Empty));
        let mut builder = EvaluationBuilder::new([""; 0]);
        assert!(builder.add(0, &[]).is_err());
        assert_eq!(builder.finish(), Err(MetricsError::Empty));
    }

    #[test]
    fn json_has_the_documented_keys_and_comes_back() {
        let evaluation = example();
        let json = serde_json::to_value(&evaluation).unwrap();
        for key in [
            "accuracy",
            "correct",
            "total",
            "top5_accuracy",
            "macro_f1",
            "calibration_error",
            "per_class",
            "confusion_matrix",
        ] {
            assert!(json.get(key).is_some(), "{key}");
        }
        assert_eq!(json["per_class"][4]["accuracy"], serde_json::Value::Null);
        assert_eq!(
            serde_json::from_value::<Evaluation>(json).unwrap(),
            evaluation
        );
    }

    #[test]
    fn the_table_is_aligned() {
        let expected = "\
accuracy            37.50 %  (9 of 24)
top-5 accuracy      95.83 %
macro F1            40.51 %
calibration error   26.96 %

class         accuracy  correct  total
cat            28.57 %        2      7
dog            33.33 %        1      3
crème brûlée   33.33 %        1      3
sea_horse      40.00 %        2      5
never                -        0      0
yin_yang       50.00 %        3      6";
        assert_eq!(format!("{:#}", example()), expected);
        assert_eq!(
            example().to_string(),
            expected.split("\n\n").next().unwrap()
        );
    }

    #[test]
    fn harmonic_mean_is_that_of_the_paper() {
        // Average of eleven data sets, table 3 of the paper: 84.26 and 76.10 make 79.97.
        assert!((harmonic_mean(84.26, 76.10) - 79.97).abs() < 0.005);
        assert_eq!(harmonic_mean(0.0, 0.0), 0.0);
    }
}
