//! What a run was made of, as the page lists it.

use promptsrc::provenance::program;
use promptsrc::run_folder::RunConfig;
use promptsrc::{Adapter, Clip, Machine, MethodConfig, machines_in_words};
use promptsrc_report::Fact;
use serde_json::Value;

/// Characters of a value that are shown.
const SHOWN: usize = 240;

fn fact(what: &str, value: impl ToString) -> Fact {
    Fact {
        what: what.to_string(),
        value: value.to_string(),
    }
}

/// What the run records. `machines`: those that its log says it was trained on.
pub fn recorded(
    config: &RunConfig,
    adapter: Option<&Adapter>,
    machines: &[Option<Machine>],
) -> Vec<Fact> {
    let mut facts = vec![fact("method", config.train.method())];
    let digits = |fingerprint: &str| fingerprint.chars().take(12).collect::<String>();
    if let Some(adapter) = adapter {
        let meta = &adapter.meta;
        facts.push(fact("data set", &meta.data.name));
        facts.push(fact(
            "classes",
            format!("{} ({})", meta.class_names.len(), meta.data.classes),
        ));
        facts.push(fact("training images", meta.data.images));
        if meta.data.unreadable > 0 {
            facts.push(fact("images left out (unreadable)", meta.data.unreadable));
        }
        if let Some(split) = &meta.data.split {
            facts.push(fact("split file", split));
        }
        if let Some(file) = &meta.data.class_names_file {
            facts.push(fact("file of class names", file));
        }
    } else {
        facts.push(fact("classes", &config.data.classes));
    }
    let shots = config.data.shots;
    facts.push(fact(
        "shots per class",
        shots.map_or("all".to_string(), |shots| shots.to_string()),
    ));
    facts.push(fact("seed", config.train.seed()));
    if config.data.few_shot_cache.is_some() {
        facts.push(fact("few-shot images", "those that the reference saved"));
    }
    if config.data.exif {
        facts.push(fact("EXIF orientation", "applied"));
    }
    if let Some(adapter) = adapter {
        let clip = &adapter.meta.clip;
        facts.push(fact("CLIP", &clip.name));
        facts.push(fact(
            "towers",
            format!(
                "image {} wide, {} layers; text {} wide, {} layers; features of {}",
                clip.vision[0], clip.vision[1], clip.text[0], clip.text[1], clip.embed_dim
            ),
        ));
    }
    facts.push(fact("CLIP's fingerprint", digits(&config.clip.fingerprint)));
    facts.push(fact("precision", &config.clip.precision));
    facts.push(fact("trained by", format!("promptsrc {}", config.version)));
    facts.push(fact("trained on", shortened(&machines_in_words(machines))));
    if let Some(adapter) = adapter {
        for (name, value) in &adapter.meta.metrics {
            // What the settings say already.
            if name != "epochs" {
                facts.push(fact(&name.replace('_', " "), value));
            }
        }
    }
    facts.extend(settings(&config.train));
    facts
}

/// What the evaluation was made of.
pub fn of_evaluation(clip: &Clip) -> Vec<Fact> {
    vec![
        fact("evaluated by", program()),
        fact("evaluated in", clip.precision()),
        fact("evaluated on", Machine::of(clip)),
    ]
}

/// Every setting of the training, by its name in config.toml.
fn settings(config: &MethodConfig) -> Vec<Fact> {
    // As text first: numbers of single precision keep their digits.
    let text = serde_json::to_string(config).unwrap_or_default();
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str(&text) {
        flatten("", &value, &mut found);
    }
    found.retain(|fact| fact.what != "method" && fact.what != "seed");
    found
}

fn flatten(name: &str, value: &Value, found: &mut Vec<Fact>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = match name {
                    "" => field.clone(),
                    name => format!("{name}.{field}"),
                };
                flatten(&name, value, found);
            }
        }
        Value::Null => found.push(fact(name, "none")),
        Value::Array(list) => {
            let all: Vec<String> = list
                .iter()
                .map(|item| item.as_str().map_or(item.to_string(), str::to_string))
                .collect();
            let text = shortened(&all.join("; "));
            found.push(fact(name, format!("{} of them: {text}", list.len())));
        }
        Value::String(text) => found.push(fact(name, shortened(text))),
        other => found.push(fact(name, other)),
    }
}

pub fn shortened(text: &str) -> String {
    match text.chars().count() > SHOWN {
        true => format!("{} …", text.chars().take(SHOWN).collect::<String>()),
        false => text.to_string(),
    }
}
