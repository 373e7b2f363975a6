//! The option for the methods that are compared.

use clap::Args;
use promptsrc_protocols::{Contender, methods_in_words};

#[derive(Args, Debug)]
pub struct MethodArgs {
    #[arg(
        long,
        value_name = "A,B",
        value_delimiter = ',',
        value_parser = selected,
        default_value = "zero-shot,ivlp,promptsrc",
        help = help()
    )]
    methods: Vec<Selected>,
}

impl MethodArgs {
    /// The chosen ones without duplicates, and with the `ablation` all of its steps.
    pub fn contenders(&self, ablation: bool) -> Vec<Contender> {
        let chosen = self.methods.iter().flat_map(|word| word.0.iter().copied());
        Contender::distinct(chosen, ablation)
    }
}

/// What a word selects.
#[derive(Clone, Debug)]
struct Selected(Vec<Contender>);

/// The name of a method or of a step of the ablation, or a word for several.
fn selected(word: &str) -> Result<Selected, String> {
    Contender::select(word)
        .map(Selected)
        .map_err(|e| e.to_string())
}

/// The help text, with what the registry has.
fn help() -> String {
    format!(
        "Methods, separated by commas: {}. A method that learns nothing is evaluated only once, for \
         all shots and seeds",
        methods_in_words()
    )
}
