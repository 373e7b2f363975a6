//! The results of the demo, as a table with a summary, and as JSON.

use std::fmt;

use promptsrc::metrics::harmonic_mean;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Accuracies of a run in per cent.
#[derive(Clone, Copy, Debug)]
pub struct Accuracies {
    pub base: f64,
    /// `None` where what was learned belongs to the base classes.
    pub novel: Option<f64>,
}

/// Means of accuracies in per cent. Without novel accuracies, there are no harmonic means either.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Scores {
    base: f64,
    novel: Option<f64>,
    /// Harmonic mean of base and novel accuracy.
    hm: Option<f64>,
    /// Standard deviations of these over the seeds.
    base_std: f64,
    novel_std: Option<f64>,
    hm_std: Option<f64>,
}

/// Scores per contender, in the order of the table.
pub type Rows = Vec<(&'static str, Scores)>;

/// All results.
pub struct Report {
    /// Per data set.
    pub sets: Vec<(&'static str, Rows)>,
    /// Means over the data sets.
    pub average: Rows,
    pub seeds: Vec<u64>,
    /// Shots per class.
    pub shots: usize,
    /// Whether the best number of each column is bold, which takes control characters.
    pub bold: bool,
}

impl Scores {
    /// Base, novel and harmonic mean with their standard deviations.
    fn cells(&self) -> [(Option<f64>, Option<f64>); 3] {
        [
            (Some(self.base), Some(self.base_std)),
            (self.novel, self.novel_std),
            (self.hm, self.hm_std),
        ]
    }

    /// Means of base and novel accuracy over the seeds, the harmonic mean of the means (as in the
    /// paper's tables), and the population standard deviations (as in the reference's log parser).
    pub fn over_seeds(seeds: &[Accuracies]) -> Self {
        let column = |values: Vec<f64>| {
            let average = mean(values.iter().copied());
            let variance = mean(values.iter().map(|value| (value - average).powi(2)));
            (average, variance.sqrt())
        };
        let (base, base_std) = column(seeds.iter().map(|seed| seed.base).collect());
        let novel: Option<Vec<f64>> = seeds.iter().map(|seed| seed.novel).collect();
        let (novel, novel_std) = novel.map(column).unzip();
        let by_seed = seeds
            .iter()
            .map(|seed| Some(harmonic_mean(seed.base, seed.novel?)));
        let (_, hm_std) = by_seed.collect::<Option<Vec<f64>>>().map(column).unzip();
        Scores {
            base,
            novel,
            hm: novel.map(|novel| harmonic_mean(base, novel)),
            base_std,
            novel_std,
            hm_std,
        }
    }
}

/// Means of base and of novel accuracies; without one of the novel ones there is no mean of them.
pub fn average(results: &[Accuracies]) -> Accuracies {
    let novel: Option<Vec<f64>> = results.iter().map(|result| result.novel).collect();
    Accuracies {
        base: mean(results.iter().map(|result| result.base)),
        novel: novel.map(|novel| mean(novel.into_iter())),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
    sum / f64::from(n.max(1))
}

impl Report {
    /// As JSON, with the predictions for the images that were shown.
    pub fn json(&self, predictions: &impl Serialize, seconds: f64) -> Value {
        let table = |rows: &Rows| {
            let rows = rows
                .iter()
                .map(|(name, scores)| (name.to_string(), json!(scores)));
            Value::Object(rows.collect())
        };
        let sets: Map<String, Value> = self
            .sets
            .iter()
            .map(|(name, rows)| (name.to_string(), table(rows)))
            .collect();
        json!({
            "average": table(&self.average),
            "sets": sets,
            "seeds": self.seeds,
            "shots": self.shots,
            "seconds": seconds,
            "predictions": predictions,
        })
    }

    /// The mean base and novel accuracy of a method that is in the table and has both.
    fn of(&self, contender: &str) -> Option<[f64; 2]> {
        let found = self.average.iter().find(|(name, _)| *name == contender);
        let (_, scores) = found?;
        Some([scores.base, scores.novel?])
    }

    /// The text of a number, aligned to the right.
    fn cell(&self, (value, std): (Option<f64>, Option<f64>), best: bool, width: usize) -> String {
        let text = match (shown(value), std) {
            (Some(value), Some(std)) if self.seeds.len() > 1 => format!("{value} ± {std:.1}"),
            (Some(value), _) => value,
            (None, _) => "-".to_string(),
        };
        // Codes have no width on the screen.
        let spaces = width.saturating_sub(text.chars().count());
        match best {
            true => format!("{:spaces$}\x1b[1m{text}\x1b[0m", ""),
            false => format!("{:spaces$}{text}", ""),
        }
    }

    /// A note on the rows that have no novel accuracy.
    fn note(&self) -> String {
        let without = self
            .average
            .iter()
            .filter(|(_, scores)| scores.novel.is_none());
        let names: Vec<&str> = without.map(|(name, _)| *name).collect();
        match names.is_empty() {
            true => String::new(),
            false => format!(
                "-: what {} learned belongs to the base classes and says nothing about others.\n",
                names.join(", ")
            ),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.average.iter().map(|(name, _)| name.len());
        let width = names.max().unwrap_or(0);
        writeln!(
            f,
            "{:14}{:width$}   {:>13}{:>15}{:>15}",
            "data set", "", "base", "novel", "harmonic mean"
        )?;
        let sets = self.sets.iter().map(|(name, rows)| (*name, rows));
        for (set, rows) in sets.chain([("average", &self.average)]) {
            for (i, (name, scores)) in rows.iter().enumerate() {
                let cells = scores.cells().into_iter().enumerate();
                let cells = cells.map(|(column, cell)| {
                    let best = self.bold && is_best(rows, column, shown(cell.0));
                    self.cell(cell, best, if column == 0 { 13 } else { 15 })
                });
                writeln!(
                    f,
                    "{:14}{name:width$}   {}",
                    if i == 0 { set } else { "" },
                    cells.collect::<String>()
                )?;
            }
            writeln!(f)?;
        }
        f.write_str(&self.note())?;
        match ["zero-shot", "ivlp", "promptsrc"].map(|name| self.of(name)) {
            [Some(zero_shot), Some(ivlp), Some(promptsrc)] => {
                f.write_str(&sentence(zero_shot, ivlp, promptsrc))
            }
            // Without these three there is nothing to sum up.
            _ => Ok(()),
        }
    }
}

/// A number as the table shows it.
fn shown(value: Option<f64>) -> Option<String> {
    value.map(|value| format!("{value:.1}"))
}

/// Whether a number, as shown, is the best of its column. Nothing is best of one.
fn is_best(rows: &Rows, column: usize, own: Option<String>) -> bool {
    let values = rows.iter().filter_map(|(_, scores)| {
        let (value, _) = scores.cells().get(column).copied()?;
        value
    });
    let values: Vec<f64> = values.collect();
    let most = values.iter().copied().reduce(f64::max);
    own.is_some() && values.len() > 1 && own == shown(most)
}

/// A summary of the results, each base and novel accuracy.
fn sentence(zero_shot: [f64; 2], ivlp: [f64; 2], promptsrc: [f64; 2]) -> String {
    let change = |value: f64| format!("{value:+.1}");
    let less_zero_shot = |[base, novel]: [f64; 2]| [base - zero_shot[0], novel - zero_shot[1]];
    let [ivlp_base, ivlp_novel] = less_zero_shot(ivlp);
    let [base, novel] = less_zero_shot(promptsrc);
    /// Fewer points are nothing that was learned.
    const LEARNED: f64 = 0.5;
    let (ivlp_learns, ivlp_base_text) = match ivlp_base > LEARNED {
        true => (true, "learns the base classes"),
        false => (false, "gains nothing on the base classes"),
    };
    let forgot = match (ivlp_novel < -0.5, ivlp_learns) {
        (true, true) => "but forgets classes that it was not shown",
        (true, false) => "and forgets classes that it was not shown",
        (false, _) => "without forgetting classes that it was not shown",
    };
    let learned = match base > LEARNED {
        true => "learns them",
        false => "gains nothing on them",
    };
    let kept = match (novel >= -1.0, ivlp_novel < -0.5) {
        (true, _) => "forgets nothing",
        (false, true) => "also forgets some of the others",
        (false, false) => "forgets some of the others",
    };
    format!(
        "Compared with zero-shot CLIP, cross-entropy alone (ivlp) {ivlp_base_text}\n\
         ({} points) {forgot} ({}). With its three\n\
         self-regulations promptsrc {learned} ({}) and {kept} ({}).\n",
        change(ivlp_base),
        change(ivlp_novel),
        change(base),
        change(novel)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(novel: Option<f64>) -> Rows {
        let scores = |base, novel| {
            let one = Accuracies { base, novel };
            Scores::over_seeds(&[average(&[one, one])])
        };
        vec![
            ("zero-shot", scores(50.0, Some(40.0))),
            ("ivlp", scores(80.0, novel)),
            ("promptsrc", scores(80.0, Some(45.0))),
        ]
    }

    fn report(rows: Rows) -> Report {
        Report {
            sets: vec![("a", rows.clone())],
            average: rows,
            seeds: vec![1],
            shots: 1,
            bold: false,
        }
    }

    #[test]
    fn a_method_without_novel_classes_has_a_dash_and_no_summary() {
        let text = report(rows(None)).to_string();
        let line = text
            .lines()
            .find(|line| line.contains("ivlp"))
            .expect("a line");
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(cells, ["ivlp", "80.0", "-", "-"]);
        assert!(text.contains("-: what ivlp learned"), "{text}");
        assert!(!text.contains("Compared with"), "{text}");
        let json = report(rows(None)).json(&Value::Null, 0.0);
        assert_eq!(json["average"]["ivlp"]["novel"], Value::Null);
        assert_eq!(json["average"]["ivlp"]["hm"], Value::Null);
        assert_eq!(json["average"]["ivlp"]["base"], 80.0);
    }

    #[test]
    fn the_best_is_bold_and_columns_stay_aligned() {
        let mut report = report(rows(None));
        let plain = report.to_string();
        report.bold = true;
        let bold = report.to_string();
        // Two share the base column, in the data set and in the average.
        assert_eq!(bold.matches("\x1b[1m80.0\x1b[0m").count(), 4, "{bold}");
        assert_eq!(bold.matches("\x1b[1m45.0\x1b[0m").count(), 2, "{bold}");
        assert_eq!(bold.matches("\x1b[1m").count(), 8, "{bold}");
        assert_eq!(bold.replace("\x1b[1m", "").replace("\x1b[0m", ""), plain);
    }

    #[test]
    fn the_summary_needs_its_three_methods() {
        let text = report(rows(Some(30.0))).to_string();
        assert!(text.contains("(+30.0 points) but forgets"), "{text}");
        assert!(!text.contains("-:"), "{text}");
        // It says of no number what it does not show.
        let text = sentence([50.0, 40.0], [49.0, 30.0], [50.0, 35.0]);
        for words in [
            "gains nothing on the base classes\n(-1.0 points) and forgets",
            "gains nothing on them (+0.0) and also forgets some",
        ] {
            assert!(text.contains(words), "no {words:?} in {text}");
        }
        let two = rows(Some(30.0)).split_off(1);
        assert!(!report(two).to_string().contains("Compared with"));
    }
}
