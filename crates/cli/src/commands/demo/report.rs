//! The results of the demo, as a table with a summary, and as JSON.

use std::fmt;

use promptsrc::metrics::harmonic_mean;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Accuracies in per cent.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Scores {
    base: f64,
    novel: f64,
    /// Harmonic mean of base and novel accuracy.
    hm: f64,
    /// Standard deviations of these over the seeds.
    base_std: f64,
    novel_std: f64,
    hm_std: f64,
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
}

impl Scores {
    /// Means of base and novel accuracy over the seeds, the harmonic mean of the means (as in the
    /// paper's tables), and the population standard deviations (as in the reference's log parser).
    pub fn over_seeds(seeds: &[[f64; 2]]) -> Self {
        let column = |value: &dyn Fn(&[f64; 2]) -> f64| {
            let average = mean(seeds.iter().map(value));
            let variance = mean(seeds.iter().map(|s| (value(s) - average).powi(2)));
            (average, variance.sqrt())
        };
        let (base, base_std) = column(&|s| s[0]);
        let (novel, novel_std) = column(&|s| s[1]);
        let (_, hm_std) = column(&|s| harmonic_mean(s[0], s[1]));
        Scores {
            base,
            novel,
            hm: harmonic_mean(base, novel),
            base_std,
            novel_std,
            hm_std,
        }
    }
}

/// Means of base and of novel accuracies.
pub fn average(results: &[[f64; 2]]) -> [f64; 2] {
    [0, 1].map(|i| mean(results.iter().map(|r| r[i])))
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

    fn of(&self, contender: &str) -> Scores {
        let found = self.average.iter().find(|(name, _)| *name == contender);
        found.map(|(_, scores)| *scores).unwrap_or_default()
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
        let cell = |value: f64, std: f64| match self.seeds.len() {
            0 | 1 => format!("{value:.1}"),
            _ => format!("{value:.1} ± {std:.1}"),
        };
        let sets = self.sets.iter().map(|(name, rows)| (*name, rows));
        for (set, rows) in sets.chain([("average", &self.average)]) {
            for (i, (name, s)) in rows.iter().enumerate() {
                writeln!(
                    f,
                    "{:14}{name:width$}   {:>13}{:>15}{:>15}",
                    if i == 0 { set } else { "" },
                    cell(s.base, s.base_std),
                    cell(s.novel, s.novel_std),
                    cell(s.hm, s.hm_std)
                )?;
            }
            writeln!(f)?;
        }
        let [zero_shot, ivlp, promptsrc] = ["zero-shot", "ivlp", "promptsrc"].map(|c| self.of(c));
        f.write_str(&sentence(zero_shot, ivlp, promptsrc))
    }
}

/// A summary of the results.
fn sentence(zero_shot: Scores, ivlp: Scores, promptsrc: Scores) -> String {
    let change = |value: f64| format!("{value:+.1}");
    let [ivlp_base, ivlp_novel] = [ivlp.base - zero_shot.base, ivlp.novel - zero_shot.novel];
    let [base, novel] = [
        promptsrc.base - zero_shot.base,
        promptsrc.novel - zero_shot.novel,
    ];
    let forgot = if ivlp_novel < -0.5 {
        "but forgets classes that it was not shown"
    } else {
        "without forgetting classes that it was not shown"
    };
    let kept = if novel >= -1.0 {
        "forgets nothing"
    } else {
        "also forgets some of the others"
    };
    format!(
        "Compared with zero-shot CLIP, cross-entropy alone (ivlp) learns the base classes\n\
         ({} points) {forgot} ({}). With its three\n\
         self-regulations promptsrc learns them ({}) and {kept} ({}).\n",
        change(ivlp_base),
        change(ivlp_novel),
        change(base),
        change(novel)
    )
}
