//! `promptsrc sample`: prints which images a few-shot subset contains.

use promptsrc::Part;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Printer;
use crate::settings::SampleSettings;

#[derive(Serialize)]
struct Picks {
    /// Positions in the training list, in the order in which the reference samples them.
    train: Vec<usize>,
    /// Positions in the validation list.
    val: Vec<usize>,
}

pub fn run(settings: &SampleSettings, printer: &Printer) -> Result<(), Failure> {
    let (dataset, _) = settings.data.read(printer)?;
    if dataset.train.is_empty() {
        return Err(Failure::failed(format!(
            "{} has no training images, so there is nothing to sample: it has {} test images only, \
             and is measured with prompts that were learned on another data set",
            dataset.name,
            dataset.test.len()
        )));
    }
    let subset = match settings.ignore_few_shot_cache {
        true => dataset.few_shot(settings.shots, settings.seed),
        false => dataset.sampled_as_saved(Some(settings.shots), settings.seed)?,
    };
    if let Some(cache) = &subset.few_shot_cache {
        printer.warning(&format!(
            "the few-shot images are those that the reference saved in {}; with \
             --ignore-few-shot-cache they are drawn",
            cache.file.display()
        ));
    }
    let subset = subset.select(settings.classes)?;
    let positions = |part| subset.samples(part).iter().map(|s| s.index).collect();
    let picks = Picks {
        train: positions(Part::Train),
        val: positions(Part::Val),
    };
    printer.answer(&picks, || {
        let mut text = String::new();
        for part in [Part::Train, Part::Val] {
            for sample in subset.samples(part) {
                let name = subset.class_names.get(sample.item.label);
                text += &format!(
                    "{part}\t{}\t{}\t{}\n",
                    sample.index,
                    name.map_or("", String::as_str),
                    sample.item.path.display()
                );
            }
        }
        text
    })
}
