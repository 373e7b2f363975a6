//! The linear probe beside CoOp: logistic regression on the features as CLIP gives them, C found on validation features.
//!
//! The program (`lpclip/linear_probe.py`) uses scikit-learn's L-BFGS. **Defect that the published numbers have, and this has
//! too**: it stops where no gradient is above 1e-4, for large C after a few iterations and far from the minimum,
//! so that accuracies there are those of the solver. This follows SciPy's L-BFGS-B as scikit-learn 1.9.1 calls it, in
//! f64, to which scikit-learn widens the f16 features that the program stores; the weights found are rounded to f32.
//! A fit that ends because the function no longer falls ends where rounding says, so that the number of iterations
//! may differ by a few, as it does between two machines that run the program.

use serde::{Deserialize, Serialize};

use crate::accuracy::{percent, right_rows};
use crate::error::HeadError;
use crate::features::{Features, TrainFeatures};
use crate::fitted::{Fitted, Observer, Progress};
use crate::head::{Head, check_subset};
use crate::lbfgs::Limits;
use crate::logistic::Objective;
use crate::product::rows_by_rows;
use crate::sgd::at_least_one;
use crate::tensors::{NamedTensor, Reader, tensor};

/// Settings of the linear probe; the default is as published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinearProbeSettings {
    /// The inverse of the penalty; searched where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub c: Option<f64>,
    /// The first values of the search; the first best is its centre.
    pub c_grid: Vec<f64>,
    /// Rounds of the search between a tenth and ten times the centre.
    pub search_steps: usize,
    /// Iterations of the solver at most.
    pub max_iter: usize,
    /// The solver stops where no gradient is larger.
    pub tol: f64,
}

impl Default for LinearProbeSettings {
    fn default() -> Self {
        Self {
            c: None,
            c_grid: vec![1e6, 1e4, 1e2, 1.0, 1e-2, 1e-4, 1e-6],
            search_steps: 8,
            max_iter: 1000,
            tol: 1e-4,
        }
    }
}

impl LinearProbeSettings {
    fn check(&self) -> Result<(), HeadError> {
        at_least_one("max_iter", self.max_iter)?;
        let positive = |name, found: f64| {
            if found.is_finite() && found > 0.0 {
                return Ok(());
            }
            Err(HeadError::Setting {
                name,
                found: found.to_string(),
                expected: "a finite number above 0",
            })
        };
        positive("tol", self.tol)?;
        for c in self.c.iter().chain(&self.c_grid) {
            positive("c", *c)?;
        }
        if self.c.is_none() {
            at_least_one("number of values in c_grid", self.c_grid.len())?;
        }
        Ok(())
    }
}

/// The head of the linear probe.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearProbe {
    dim: usize,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// Names of the head's tensors.
const NAMES: &[&str] = &["weight", "bias"];

/// A value of C that the search visited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Visit {
    /// The value.
    pub c: f64,
    /// Percentage of right validation rows.
    pub accuracy: f64,
    /// Iterations of the solver.
    pub iterations: usize,
}

/// A fit with one value of C.
#[derive(Clone, Debug)]
pub struct Solved {
    /// The head.
    pub head: LinearProbe,
    /// Iterations of the solver.
    pub iterations: usize,
    /// Loss with the penalty.
    pub objective: f64,
}

impl LinearProbe {
    /// Weights `[classes, dim]`; those of the first of two classes are zero.
    pub fn weight(&self) -> &[f32] {
        &self.weight
    }

    /// Intercept of each class.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// Fits the probe. Nothing is random. Only the first pass of the training features is used, which for the
    /// published numbers is one without random crops.
    ///
    /// C is searched on the validation features: the first best of the grid, then rounds between a tenth and ten times
    /// it, of which the right end wins if strictly better, and the next has the winner at one end and the middle, on a log
    /// scale, at the other. The winner of the last round is the result. Figures: `c`, and for a search
    /// `validation_accuracy` (percent). Progress counts fits, the loss is that at the end of each.
    ///
    /// # Errors
    /// For bad input, fewer than two classes, a class without a training row, a search without validation features, and
    /// where it is stopped.
    pub fn fit(
        settings: &LinearProbeSettings,
        classes: usize,
        train: &TrainFeatures,
        validation: Option<&Features>,
        observer: &mut dyn Observer,
    ) -> Result<Fitted<Self>, HeadError> {
        Ok(Self::fit_visiting(settings, classes, train, validation, observer)?.0)
    }

    /// [`LinearProbe::fit`], and all that the search visited in its order.
    ///
    /// # Errors
    /// As [`LinearProbe::fit`].
    pub fn fit_visiting(
        settings: &LinearProbeSettings,
        classes: usize,
        train: &TrainFeatures,
        validation: Option<&Features>,
        observer: &mut dyn Observer,
    ) -> Result<(Fitted<Self>, Vec<Visit>), HeadError> {
        settings.check()?;
        if let Some(c) = settings.c {
            let solved = Self::solve_watched(settings, classes, train, c, observer)?;
            observer.progress(Progress {
                epoch: 1,
                epochs: 1,
                loss: solved.objective,
            });
            let figures = vec![("c", c)];
            let head = solved.head;
            return Ok((Fitted { head, figures }, Vec::new()));
        }
        let validation = validation.ok_or(HeadError::NoValidation)?;
        validation.check("validation features", train.dim, classes)?;
        let mut search = Search {
            settings,
            classes,
            train,
            validation,
            observer,
            visits: Vec::new(),
            known: Vec::new(),
        };
        let (c, head) = search.run()?;
        let accuracy = search
            .visits
            .iter()
            .rev()
            .find(|v| v.c == c)
            .map(|v| v.accuracy);
        let mut figures = vec![("c", c)];
        figures.extend(accuracy.map(|accuracy| ("validation_accuracy", accuracy)));
        Ok((Fitted { head, figures }, search.visits))
    }

    /// The probe with one value of C.
    ///
    /// # Errors
    /// For bad input, fewer than two classes, and a class without a training row.
    pub fn solve(
        settings: &LinearProbeSettings,
        classes: usize,
        train: &TrainFeatures,
        c: f64,
    ) -> Result<Solved, HeadError> {
        Self::solve_watched(settings, classes, train, c, &|_: Progress| ())
    }

    fn solve_watched(
        settings: &LinearProbeSettings,
        classes: usize,
        train: &TrainFeatures,
        c: f64,
        observer: &dyn Observer,
    ) -> Result<Solved, HeadError> {
        let settings = LinearProbeSettings {
            c: Some(c),
            ..settings.clone()
        };
        settings.check()?;
        if classes < 2 {
            return Err(HeadError::FewClasses { found: classes });
        }
        train.check(train.dim, classes)?;
        train.every_class(classes, "the linear probe")?;
        let features: Vec<f64> = train.view(0).iter().map(|v| f64::from(*v)).collect();
        let objective = Objective::new(&features, &train.labels, classes, c);
        let limits = Limits {
            gradient: settings.tol,
            decrease: 64.0 * f64::EPSILON,
            iterations: settings.max_iter,
            line_search: 50,
            evaluations: 15_000,
        };
        let minimum = objective.minimum(limits, observer)?;
        let (weight, bias) = objective.split(&minimum.x);
        let narrow = |values: Vec<f64>| values.iter().map(|v| *v as f32).collect::<Vec<_>>();
        let (mut weight, mut bias) = (narrow(weight), narrow(bias));
        if classes == 2 {
            weight.splice(0..0, vec![0.0; train.dim]);
            bias.insert(0, 0.0);
        }
        if !minimum.value.is_finite() || weight.iter().chain(&bias).any(|v| !v.is_finite()) {
            return Err(HeadError::Diverged { epoch: 1 });
        }
        Ok(Solved {
            head: Self {
                dim: train.dim,
                weight,
                bias,
            },
            iterations: minimum.iterations,
            objective: minimum.value,
        })
    }
}

impl Head for LinearProbe {
    fn classes(&self) -> usize {
        self.bias.len()
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn logits_of_checked(&self, features: &[f32]) -> Vec<f32> {
        let mut logits = rows_by_rows(features, &self.weight, self.dim);
        for row in logits.chunks_exact_mut(self.bias.len()) {
            row.iter_mut().zip(&self.bias).for_each(|(l, b)| *l += b);
        }
        logits
    }

    fn tensors(&self) -> Vec<NamedTensor<'static>> {
        let classes = self.classes();
        vec![
            tensor("weight", &[classes, self.dim], &self.weight),
            tensor("bias", &[classes], &self.bias),
        ]
    }

    fn from_tensors(tensors: &[NamedTensor<'_>]) -> Result<Self, HeadError> {
        let tensors = Reader::new(tensors, NAMES)?;
        let (classes, dim, weight) = tensors.matrix("weight")?;
        Ok(Self {
            dim,
            weight,
            bias: tensors.shaped("bias", &[classes])?,
        })
    }

    fn subset(&self, classes: &[usize]) -> Result<Self, HeadError> {
        check_subset(classes, self.classes())?;
        Ok(Self {
            dim: self.dim,
            weight: crate::batch_order::gather(&self.weight, self.dim, classes),
            bias: crate::batch_order::gather(&self.bias, 1, classes),
        })
    }
}

/// The search of C.
struct Search<'a> {
    settings: &'a LinearProbeSettings,
    classes: usize,
    train: &'a TrainFeatures,
    validation: &'a Features,
    observer: &'a mut dyn Observer,
    visits: Vec<Visit>,
    /// Right rows of each C already fitted: a round's winner is an end of the next.
    known: Vec<(f64, usize, Solved)>,
}

impl Search<'_> {
    fn run(&mut self) -> Result<(f64, LinearProbe), HeadError> {
        let mut best: Option<(usize, f64)> = None;
        for c in &self.settings.c_grid {
            let right = self.visit(*c)?;
            if best.is_none_or(|(most, _)| right > most) {
                best = Some((right, *c));
            }
        }
        let (_, mut winner) = best.ok_or(HeadError::NoValidation)?;
        let (mut left, mut right) = (0.1 * winner, 10.0 * winner);
        for _ in 0..self.settings.search_steps {
            let rights = (self.visit(left)?, self.visit(right)?);
            let (low, high) = (left.log10(), right.log10());
            let middle = 10.0_f64.powf(0.5 * (high + low));
            // The ends are taken through the logarithm too, as the program does.
            if rights.0 < rights.1 {
                winner = right;
                (left, right) = (middle, 10.0_f64.powf(high));
            } else {
                winner = left;
                (left, right) = (10.0_f64.powf(low), middle);
            }
        }
        let known = self.known.iter().find(|(c, ..)| *c == winner);
        let (c, _, solved) = known.expect("the winner was visited");
        Ok((*c, solved.head.clone()))
    }

    /// Right validation rows with this C.
    fn visit(&mut self, c: f64) -> Result<usize, HeadError> {
        let known = self.known.iter().position(|(other, ..)| *other == c);
        let at = match known {
            Some(at) => at,
            None => {
                let solved = LinearProbe::solve_watched(
                    self.settings,
                    self.classes,
                    self.train,
                    c,
                    self.observer,
                )?;
                let logits = solved.head.logits_of_checked(&self.validation.values);
                let right = right_rows(&logits, &self.validation.labels, self.classes);
                self.known.push((c, right, solved));
                self.known.len() - 1
            }
        };
        let (_, right, solved) = &self.known[at];
        self.visits.push(Visit {
            c,
            accuracy: percent(*right, self.validation.rows()),
            iterations: solved.iterations,
        });
        self.observer.progress(Progress {
            epoch: self.visits.len(),
            epochs: self.settings.c_grid.len() + 2 * self.settings.search_steps,
            loss: solved.objective,
        });
        Ok(*right)
    }
}
