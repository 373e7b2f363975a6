//! What a comparison has a row for: a method of the registry, or a step of the ablation between two of
//! them.

use promptsrc::methods::{self, Method};
use promptsrc::{ConfigError, Overrides};
use promptsrc_clip::templates;

/// The words that select several methods, with what each selects.
const WORDS: [(&str, &str); 2] = [
    ("paper", "the methods of the paper's comparison"),
    ("all", "every method"),
];

/// The methods that the paper compares, by their names here.
const PAPER: [&str; 6] = ["zero-shot", "coop", "cocoop", "maple", "ivlp", "promptsrc"];

/// The methods between which the ablation adds one part of PromptSRC after the other.
const FIRST: &str = "ivlp";
const LAST: &str = "promptsrc";

/// A row of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    method: &'static dyn Method,
    step: Option<Step>,
}

/// A step of the paper's ablation (table 2): PromptSRC without some of its parts. IVLP is the row
/// before the first of them, PromptSRC as published the row after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// IVLP with the mutual agreement, by one template.
    Agreement,
    /// The same with the Gaussian prompt aggregation.
    Aggregation,
}

impl Step {
    const ALL: [Self; 2] = [Self::Agreement, Self::Aggregation];
}

impl Contender {
    /// The one with this name.
    ///
    /// # Errors
    /// [`ConfigError::UnknownMethod`] if there is none.
    pub fn find(name: &str) -> Result<Self, ConfigError> {
        in_order()
            .find(|contender| contender.name() == name)
            .ok_or_else(|| ConfigError::UnknownMethod {
                name: name.to_string(),
                known: selectable().join(", "),
            })
    }

    /// Those of a name, or of a word: `paper` selects the methods of the paper's comparison that the
    /// registry has, `all` every method. Steps of the ablation have only their names.
    ///
    /// # Errors
    /// [`ConfigError::UnknownMethod`], whose list has the words too.
    pub fn select(word: &str) -> Result<Vec<Self>, ConfigError> {
        let methods = in_order().filter(|contender| contender.step.is_none());
        match word {
            "paper" => Ok(methods.filter(|c| PAPER.contains(&c.name())).collect()),
            "all" => Ok(methods.collect()),
            name => Self::find(name).map(|one| vec![one]),
        }
    }

    /// Without those that occur twice; with the `ablation`, followed by those of its rows that are not
    /// among them.
    pub fn distinct(chosen: impl IntoIterator<Item = Self>, ablation: bool) -> Vec<Self> {
        let of_ablation = |c: &Self| c.step.is_some() || [FIRST, LAST].contains(&c.name());
        let added = in_order().filter(|c| ablation && of_ablation(c));
        let mut distinct: Vec<Self> = Vec::new();
        for contender in chosen.into_iter().chain(added) {
            if !distinct
                .iter()
                .any(|other| other.name() == contender.name())
            {
                distinct.push(contender);
            }
        }
        distinct
    }

    /// Its name in tables, results and the paths of runs.
    pub fn name(&self) -> &'static str {
        match self.step {
            None => self.method.name(),
            Some(Step::Agreement) => "ivlp+agreement",
            Some(Step::Aggregation) => "ivlp+agreement+gpa",
        }
    }

    /// Its name in the paper.
    pub fn paper_name(&self) -> &'static str {
        match self.step {
            None => self.method.paper_name(),
            Some(Step::Agreement) => "+ mutual agreement (SCL)",
            Some(Step::Aggregation) => "+ Gaussian prompt aggregation",
        }
    }

    /// The method that it is, or that a step leaves parts out of.
    pub fn method(&self) -> &'static dyn Method {
        self.method
    }

    /// Whether it is a step of the ablation.
    pub fn is_step(&self) -> bool {
        self.step.is_some()
    }

    /// The settings of a run: those that are given, and what a step replaces.
    pub fn overrides(&self, given: &Overrides) -> Overrides {
        let mut overrides = given.clone();
        if let Some(step) = self.step {
            overrides.no_gpa |= step == Step::Agreement;
            overrides.templates = Some(vec![templates::PHOTO.to_string()]);
        }
        overrides
    }
}

/// All of them, in the order in which tables show them: the registry's, with the steps after the method
/// that they start from.
pub(crate) fn in_order() -> impl Iterator<Item = Contender> {
    let last = methods::find(LAST).ok();
    methods::all().flat_map(move |method| {
        let steps = last.filter(|_| method.name() == FIRST).into_iter();
        let steps = steps.flat_map(|last| {
            Step::ALL.map(|step| Contender {
                method: last,
                step: Some(step),
            })
        });
        std::iter::once(Contender { method, step: None }).chain(steps)
    })
}

/// Everything that selects some: the names of the methods, then the words.
fn selectable() -> Vec<&'static str> {
    let names = methods::all().map(|method| method.name());
    names.chain(WORDS.map(|(word, _)| word)).collect()
}

/// Names and words for a help text: `zero-shot, ..., promptsrc, or paper (...), all (...)`.
pub fn methods_in_words() -> String {
    let names: Vec<&str> = methods::all().map(|method| method.name()).collect();
    let words = WORDS.map(|(word, meaning)| match word {
        "paper" => {
            let of_paper = names.iter().copied().filter(|name| PAPER.contains(name));
            let of_paper: Vec<&str> = of_paper.collect();
            format!("{word} ({meaning}: {})", of_paper.join(", "))
        }
        _ => format!("{word} ({meaning})"),
    });
    format!("{}; or {}", names.join(", "), words.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(contenders: &[Contender]) -> Vec<&'static str> {
        contenders.iter().map(Contender::name).collect()
    }

    fn select(words: &[&str], ablation: bool) -> Vec<&'static str> {
        let chosen = words.iter().flat_map(|word| {
            let found = Contender::select(word);
            found.unwrap_or_else(|error| panic!("{error}"))
        });
        names(&Contender::distinct(chosen, ablation))
    }

    #[test]
    fn words_select_what_the_registry_has_in_its_order() {
        let registry: Vec<&str> = methods::all().map(|method| method.name()).collect();
        assert_eq!(select(&["all"], false), registry);
        let paper: Vec<&str> = registry
            .iter()
            .copied()
            .filter(|name| PAPER.contains(name))
            .collect();
        assert_eq!(select(&["paper"], false), paper);
        for name in ["zero-shot", "coop", "ivlp", "promptsrc"] {
            assert!(paper.contains(&name), "no {name} in {paper:?}");
        }
    }

    #[test]
    fn names_and_words_are_mixed_without_duplicates() {
        let mixed = select(&["promptsrc", "paper", "all", "promptsrc"], false);
        assert_eq!(mixed[0], "promptsrc");
        let mut sorted = mixed.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), mixed.len());
        assert_eq!(mixed.len(), methods::all().count());
    }

    #[test]
    fn an_unknown_name_is_answered_with_names_and_words() {
        let message = Contender::select("papers").unwrap_err().to_string();
        for name in ["papers", "zero-shot", "promptsrc", "paper, all"] {
            assert!(message.contains(name), "no {name} in {message}");
        }
        let help = methods_in_words();
        for method in methods::all() {
            assert!(help.contains(method.name()), "{help}");
        }
        assert!(help.contains("paper (") && help.contains("all ("), "{help}");
    }

    #[test]
    fn the_ablation_leads_from_ivlp_to_promptsrc_in_any_choice() {
        let rows = ["ivlp", "ivlp+agreement", "ivlp+agreement+gpa", "promptsrc"];
        assert_eq!(select(&[], true), rows);
        let with = select(&["promptsrc", "zero-shot"], true);
        assert_eq!(with, ["promptsrc", "zero-shot", "ivlp", rows[1], rows[2]]);
        let order: Vec<&str> = in_order().map(|c| c.name()).collect();
        let place = |name| order.iter().position(|other| *other == name);
        assert!(rows.windows(2).all(|two| place(two[0]) < place(two[1])));

        let overrides = |name: &str| {
            let contender = Contender::find(name).unwrap_or_else(|error| panic!("{error}"));
            let overrides = contender.overrides(&Overrides::default());
            (overrides.no_gpa, overrides.templates.map(|t| t.len()))
        };
        assert_eq!(overrides(rows[0]), (false, None));
        assert_eq!(overrides(rows[1]), (true, Some(1)));
        assert_eq!(overrides(rows[2]), (false, Some(1)));
        assert_eq!(overrides(rows[3]), (false, None));
    }
}
