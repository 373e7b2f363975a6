//! The log of a training as curves and a table.

use promptsrc::{Event, LossTerm, MethodConfig, loss_terms};

use crate::colour::Colour;
use crate::data_table::DataTable;
use crate::figure::{Figure, Shape, Size};
use crate::limits::{CURVE_POINTS, FAINT_POINTS};
use crate::line_plot::{Series, lines};
use crate::number::loss;

/// What a log says of its training.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    /// Losses by name, over steps; of a head over the epochs of its fit.
    losses: Vec<(String, Vec<(f64, f64)>)>,
    /// Each epoch: its number, its last step, its learning rate, its mean losses and seconds.
    epochs: Vec<EpochLine>,
    /// Steps of an epoch; 0: it is the fit of a head.
    steps: usize,
    /// What is to be said of it.
    notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
struct EpochLine {
    epoch: usize,
    lr: f64,
    losses: Vec<f64>,
    seconds: f64,
}

/// What the events of a log say of its training. `unreadable`: lines of it that are no events.
pub fn training_log(events: &[Event], unreadable: usize, config: &MethodConfig) -> Log {
    let terms: Vec<LossTerm> = config.prompts().map(loss_terms).unwrap_or_default();
    let mut log = Log {
        losses: terms
            .iter()
            .map(|t| (t.name.to_string(), Vec::new()))
            .collect(),
        ..Log::default()
    };
    let mut known = events.iter().filter_map(|event| match event {
        Event::Start { steps, .. } => Some(*steps),
        _ => None,
    });
    let seen = events.iter().filter_map(|event| match event {
        Event::Step { step, .. } => Some(*step),
        _ => None,
    });
    log.steps = known.next_back().unwrap_or(0).max(seen.max().unwrap_or(0));
    let (mut damaged, mut fit) = (unreadable, Vec::new());
    for event in events {
        match event {
            Event::Step {
                epoch,
                step,
                losses,
            } => {
                let values: Vec<f64> = terms.iter().map(|t| f64::from((t.value)(losses))).collect();
                let x = (*epoch as f64 - 1.0) * log.steps as f64 + *step as f64;
                let after = log.losses.first().and_then(|(_, points)| points.last());
                let follows = after.is_none_or(|(last, _)| *last < x);
                if *epoch == 0 || *step == 0 || !follows || values.iter().any(|v| !v.is_finite()) {
                    damaged += 1;
                    continue;
                }
                for ((_, points), value) in log.losses.iter_mut().zip(values) {
                    points.push((x, value));
                }
            }
            Event::Epoch {
                epoch,
                lr,
                losses,
                seconds,
            } => {
                let losses: Vec<f64> = terms.iter().map(|t| f64::from((t.value)(losses))).collect();
                let follows = log.epochs.last().is_none_or(|last| last.epoch < *epoch);
                let finite = lr.is_finite() && seconds.is_finite();
                if *epoch == 0 || !follows || !finite || losses.iter().any(|v| !v.is_finite()) {
                    damaged += 1;
                    continue;
                }
                log.epochs.push(EpochLine {
                    epoch: *epoch,
                    lr: *lr,
                    losses,
                    seconds: *seconds,
                });
            }
            Event::Fit { epoch, loss, .. } => match loss.is_finite() {
                true => fit.push((*epoch as f64, *loss)),
                false => damaged += 1,
            },
            _ => {}
        }
    }
    if !fit.is_empty() {
        log.losses.push(("loss".to_string(), fit));
    }
    log.losses.retain(|(_, points)| !points.is_empty());
    if damaged > 0 {
        let lines = if damaged == 1 { "line" } else { "lines" };
        log.notes.push(format!(
            "{damaged} {lines} of the log cannot be used and are left out."
        ));
    }
    if log.losses.is_empty() {
        log.notes.push(match (events.is_empty(), config) {
            (true, _) => "There is no log of the training.".to_string(),
            (false, MethodConfig::Features(config)) => {
                format!(
                    "{} has no losses: it learns nothing step by step.",
                    config.method
                )
            }
            (false, _) => "The log has no losses.".to_string(),
        });
    }
    if log.epochs.is_empty() && !log.losses.is_empty() {
        log.notes.push(match config {
            MethodConfig::Features(_) => "The fit of a head logs no learning rate.".to_string(),
            MethodConfig::Prompts(_) => {
                "The log has no finished epoch, so the learning rate is not known.".to_string()
            }
        });
    }
    log
}

impl Log {
    /// A log of which something is to be said instead.
    pub fn missing(note: String) -> Self {
        Self {
            notes: vec![note],
            ..Self::default()
        }
    }

    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The plots of losses and learning rate; none of what the log does not have.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        [self.loss_figure(), self.rate_figure()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn loss_figure(&self) -> Option<Figure> {
        let points = self.losses.iter().map(|(_, points)| points.len()).max()?;
        let unit = if self.steps == 0 { "epoch" } else { "step" };
        let together = points.div_ceil(CURVE_POINTS);
        let means = self
            .losses
            .iter()
            .enumerate()
            .map(|(at, (_, points))| Series {
                colour: Colour::Series(at),
                points: thinned(points, together),
                spread: Vec::new(),
                dots: points.len() == 1,
                faint: false,
            });
        let mut series: Vec<Series> = means.collect();
        let note = match together {
            1 => format!("The loss of each {unit}."),
            n => {
                // The first loss as it is, as far as it can be drawn.
                let (_, points) = self.losses.first()?;
                series.push(Series {
                    colour: Colour::Series(0),
                    points: thinned(points, points.len().div_ceil(FAINT_POINTS)),
                    spread: Vec::new(),
                    dots: false,
                    faint: true,
                });
                format!("Means of {n} {unit}s; behind them, the sum as it went.")
            }
        };
        let key = self.losses.iter().enumerate();
        Some(Figure {
            title: "Losses".to_string(),
            note,
            key: key
                .map(|(at, (name, _))| (Colour::Series(at), Shape::Line, name.clone()))
                .collect(),
            chart: lines(&series, (unit, "loss"), true, None),
            table: self.loss_table(unit),
            size: Size::Column,
        })
    }

    /// The means of the epochs; without any, the losses of steps.
    fn loss_table(&self, unit: &str) -> DataTable {
        let mut table = DataTable::default();
        let names = self.losses.iter().map(|(name, _)| (name.clone(), true));
        if self.epochs.is_empty() {
            table.columns = vec![(unit.to_string(), true)];
            table.columns.extend(names);
            let rows = self
                .losses
                .iter()
                .map(|(_, points)| points.len())
                .max()
                .unwrap_or(0);
            for at in 0..rows {
                let x = self.losses.iter().find_map(|(_, points)| points.get(at));
                let mut row = vec![x.map(|(x, _)| x.to_string()).unwrap_or_default()];
                row.extend(
                    self.losses.iter().map(|(_, points)| {
                        points.get(at).map(|(_, y)| loss(*y)).unwrap_or_default()
                    }),
                );
                table.row(row);
            }
            return table;
        }
        table.columns = vec![("epoch".to_string(), true), ("last step".to_string(), true)];
        table
            .columns
            .extend(names.map(|(name, n)| (format!("{name}, mean"), n)));
        table.columns.push(("seconds".to_string(), true));
        for line in &self.epochs {
            let mut row = vec![
                line.epoch.to_string(),
                line.epoch.saturating_mul(self.steps).to_string(),
            ];
            row.extend(line.losses.iter().map(|value| loss(*value)));
            row.push(format!("{:.1}", line.seconds));
            table.row(row);
        }
        table
    }

    fn rate_figure(&self) -> Option<Figure> {
        let (first, steps) = (self.epochs.first()?, self.steps.max(1) as f64);
        let mut points = Vec::new();
        let mut table = DataTable::new(&["#epoch", "#first step", "#last step", "#learning rate"]);
        for line in &self.epochs {
            // The rate changes between two epochs.
            let (from, to) = ((line.epoch as f64 - 1.0) * steps, line.epoch as f64 * steps);
            points.extend([(from, line.lr), (to, line.lr)]);
            table.row(vec![
                line.epoch.to_string(),
                (from + 1.0).to_string(),
                to.to_string(),
                format!("{:.3e}", line.lr),
            ]);
        }
        let series = Series {
            colour: Colour::Series(0),
            points,
            spread: Vec::new(),
            dots: false,
            faint: false,
        };
        Some(Figure {
            title: "Learning rate".to_string(),
            note: match self.epochs.len() {
                1 => format!("One epoch, at {:.3e}.", first.lr),
                n => format!("It changes from epoch to epoch, of which there are {n}."),
            },
            key: Vec::new(),
            chart: lines(&[series], ("step", ""), true, None),
            table,
            size: Size::Column,
        })
    }
}

/// Means of so many points together.
fn thinned(points: &[(f64, f64)], together: usize) -> Vec<(f64, f64)> {
    let mean = |points: &[(f64, f64)]| {
        let n = points.len() as f64;
        let (x, y) = points
            .iter()
            .fold((0.0, 0.0), |(x, y), p| (x + p.0, y + p.1));
        (x / n, y / n)
    };
    points.chunks(together.max(1)).map(mean).collect()
}
