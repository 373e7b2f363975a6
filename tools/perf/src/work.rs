//! A table of the arithmetic of a training step of each prompt method, counted and not measured.

use std::num::NonZeroUsize;

use serde::Serialize;

use crate::class_names::class_names;
use crate::failure::Failure;
use crate::measured_method::{published, published_for_each_class};
use crate::random_clip::vit_b_16;
use crate::text_rows::TextRows;
use crate::{needed_work, published_work};

/// In the order in which results are shown, and whether each class has a context of its own.
const METHODS: [(&str, bool); 8] = [
    ("coop", false),
    ("coop", true),
    ("cocoop", false),
    ("kgcoop", false),
    ("prograd", false),
    ("maple", false),
    ("ivlp", false),
    ("promptsrc", false),
];

/// What is counted.
#[derive(clap::Args)]
pub struct Options {
    /// Classes.
    #[arg(long, value_name = "N", default_value = "100")]
    classes: NonZeroUsize,
    /// Tokens of each class name.
    #[arg(long, value_name = "T", default_value = "3")]
    name_tokens: NonZeroUsize,
    /// Prints one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Count {
    method: &'static str,
    class_specific: bool,
    batch: usize,
    /// As the published program computes a step.
    published_gflop: f64,
    /// What a step needs.
    needed_gflop: f64,
}

/// Counts and prints.
pub fn run(options: &Options) -> Result<(), Failure> {
    let names = class_names(options.classes.get(), options.name_tokens.get())?;
    let counts = METHODS
        .iter()
        .map(|(method, class_specific)| count(method, *class_specific, &names))
        .collect::<Result<Vec<_>, _>>()?;
    if options.json {
        println!("{}", serde_json::to_string(&counts)?);
        return Ok(());
    }
    println!("| method | images | published program | needed | ratio |");
    println!("|---|--:|--:|--:|--:|");
    for c in counts {
        println!(
            "| {}{} | {} | {:.0} | {:.0} | {:.1} |",
            c.method,
            if c.class_specific {
                " --class-specific"
            } else {
                ""
            },
            c.batch,
            c.published_gflop,
            c.needed_gflop,
            c.published_gflop / c.needed_gflop,
        );
    }
    Ok(())
}

fn count(method: &'static str, class_specific: bool, names: &[String]) -> Result<Count, Failure> {
    let clip = vit_b_16();
    let config = match class_specific {
        true => published_for_each_class(method)?,
        false => published(method)?,
    };
    let texts = TextRows::of(&config, names, clip.text.context_length)?;
    Ok(Count {
        method,
        class_specific,
        batch: config.batch_size,
        published_gflop: published_work::step_gflop(&clip, &config, names.len(), texts.per_image),
        needed_gflop: needed_work::step_gflop(&clip, &config, &texts),
    })
}
