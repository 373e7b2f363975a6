//! `promptsrc eval`: an adapter, or zero-shot CLIP, on labelled images.

use promptsrc::{Classifier, Evaluation, evaluate};
use promptsrc_clip::templates;
use promptsrc_datasets::Item;

use crate::args::{Common, EvalArgs, TemplatesArg};
use crate::failure::Failure;
use crate::output::Printer;
use crate::{labelled_images, resolve};

pub fn run(args: &EvalArgs, common: &Common, printer: &Printer) -> Result<(), Failure> {
    let evaluation = evaluation(args, common, printer)?;
    // Nobody reads a table of a thousand classes.
    const TABLE: usize = 50;
    printer.answer(&evaluation, || match evaluation.per_class.len() {
        0..=TABLE => format!("{evaluation:#}"),
        _ => format!("{evaluation}"),
    })
}

/// The evaluation that `args` ask for.
pub fn evaluation(
    args: &EvalArgs,
    common: &Common,
    printer: &Printer,
) -> Result<Evaluation, Failure> {
    let (dataset, _) = labelled_images::read(&args.data, printer)?;
    let chosen = labelled_images::part(
        &dataset,
        args.part,
        args.classes,
        args.data.more.allow_missing,
        printer,
    )?;
    let (names, items) = (chosen.class_names, chosen.items);
    match &args.run {
        Some(run) => {
            let loaded = resolve::run(run, args.clip.as_deref(), common, printer)?;
            let classifier = Classifier::prompted(&loaded.clip.clip, &loaded.adapter, &names)?;
            measure(&loaded.clip, &classifier, &items, printer)
        }
        None => {
            let templates = zero_shot_templates(args, &dataset.name)?;
            let loaded = resolve::clip(args.clip.as_deref().unwrap_or_default(), common, printer)?;
            let classifier = Classifier::zero_shot(&loaded.clip, &names, &templates)?;
            measure(&loaded, &classifier, &items, printer)
        }
    }
}

fn measure(
    loaded: &resolve::LoadedClip,
    classifier: &Classifier,
    items: &[Item],
    printer: &Printer,
) -> Result<Evaluation, Failure> {
    let bar = printer.bar(items.len() as u64, "images");
    let threads = resolve::decoding_threads();
    let evaluation = evaluate(&loaded.clip, classifier, items, threads, &mut |done| {
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    Ok(evaluation)
}

fn zero_shot_templates(args: &EvalArgs, data_set: &str) -> Result<Vec<String>, Failure> {
    if !args.template.is_empty() {
        return match args.template.iter().find(|t| !t.contains("{}")) {
            Some(t) => Err(Failure::usage(format!(
                "--template {t:?} has no {{}} for the class name"
            ))),
            None => Ok(args.template.clone()),
        };
    }
    let own = templates::data_set_template(data_set);
    let templates: Vec<&str> = match args.templates.unwrap_or(TemplatesArg::Single) {
        TemplatesArg::Single => vec![templates::PHOTO],
        TemplatesArg::DataSet => match own {
            Some(own) => vec![own],
            None => {
                return Err(Failure::usage(format!(
                    "no template is known for the data set {data_set:?}: give one with --template"
                )));
            }
        },
        // The reference adds the data set's own to the seven, except for ImageNet itself.
        TemplatesArg::Ensemble => {
            let own = own.filter(|_| !data_set.eq_ignore_ascii_case("imagenet"));
            templates::SELECT.into_iter().chain(own).collect()
        }
    };
    Ok(templates.into_iter().map(str::to_string).collect())
}
