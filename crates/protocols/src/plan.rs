//! The runs of a benchmark, their estimated cost, and their division into parts.

use crate::collection::{DatasetEntry, DatasetSize, TransferRole};
use crate::contender::Contender;
use crate::fixed_classes::{ClassNames, split_targets};
use crate::protocol::{Protocol, Target};
use crate::results::RunId;
use promptsrc::config::Guidance;
use promptsrc::methods::{Family, Request, answers_other_names, prompt_model};
use promptsrc::{ConfigError, MethodConfig, Overrides, Preset, TrainConfig};

/// What to run.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The protocol.
    pub protocol: Protocol,
    /// Names of the data sets; `None`: those that the protocol measures by default.
    pub data_sets: Option<Vec<String>>,
    /// The methods, and steps between them.
    pub methods: Vec<Contender>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Training images per class.
    pub shots: Vec<usize>,
    /// The preset; `None`: the protocol's.
    pub preset: Option<Preset>,
    /// Whether the CLIP is the built-in one; see [`Request::is_mini`].
    pub is_mini: bool,
    /// Settings that replace those of the preset, for all methods that learn.
    pub overrides: Overrides,
}

/// The runs of a [`Choice`], in the order in which they are made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The runs.
    pub runs: Vec<PlannedRun>,
}

/// One run: a training, if the method has any, and its measurements.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    /// What identifies it.
    pub id: RunId,
    /// Its method, or the step that it is.
    pub contender: Contender,
    /// Its configuration; `None` where the method learns nothing.
    pub config: Option<MethodConfig>,
    /// What it is measured on.
    pub targets: Vec<Target>,
    /// Targets of the protocol that it cannot be measured on, because what it learns belongs to its own
    /// classes.
    pub left_out: Vec<Target>,
    /// Estimated cost, in forward passes of one image through the image tower.
    pub cost: f64,
    /// The part of the cost that is training.
    pub training_cost: f64,
}

/// Why there is no plan for a choice.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A data set that is not in the collection.
    #[error("the collection has no data set {name:?}; it has: {}", known.join(", "))]
    UnknownSet {
        /// The name.
        name: String,
        /// The data sets of the collection.
        known: Vec<String>,
    },
    /// A transfer protocol has no data set to train on.
    #[error("the protocol {protocol} trains on a source data set, and this collection has none")]
    NoSource {
        /// The protocol.
        protocol: Protocol,
    },
    /// There is nothing to run.
    #[error("nothing to run: there are no {what}")]
    Nothing {
        /// What is missing.
        what: &'static str,
    },
    /// A configuration that cannot be trained.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Plan {
    /// Lists the runs: by data set, then method, then shots, then seed. `names` reads the class names
    /// of a data set; it is only asked in a transfer, for a method whose parameters belong to single
    /// classes.
    ///
    /// # Errors
    /// [`PlanError`]; a setting that one of the methods does not have is a [`PlanError::Config`].
    pub fn new(
        choice: &Choice,
        sets: &[DatasetEntry],
        names: &ClassNames,
    ) -> Result<Self, PlanError> {
        let protocol = choice.protocol;
        let chosen = chosen_sets(choice, sets)?;
        let others: Vec<String> = chosen.iter().map(|set| set.name.clone()).collect();
        let learned_on: Vec<&DatasetEntry> = match protocol.is_transfer() {
            true => match sets.iter().find(|set| set.role == TransferRole::Source) {
                Some(source) => vec![source],
                None => return Err(PlanError::NoSource { protocol }),
            },
            false => chosen,
        };
        let sorted = |mut values: Vec<u64>| {
            values.sort_unstable();
            values.dedup();
            values
        };
        let seeds = sorted(choice.seeds.clone());
        let shots = sorted(choice.shots.iter().map(|k| *k as u64).collect());
        let entry = |name: &str| sets.iter().find(|set| set.name == name);
        let size = |name: &str| entry(name).map(|set| set.size).unwrap_or_default();
        let role = |name: &str| entry(name).map_or(TransferRole::None, |set| set.role);
        let measuring = |targets: &[Target]| -> f64 {
            let tests = targets.iter().map(|target| size(&target.data_set).test);
            tests.map(|test| share(protocol) * test as f64).sum()
        };

        let methods = Contender::distinct(choice.methods.iter().copied(), false);
        refuse_unread_settings(choice, &methods)?;
        let mut runs = Vec::new();
        for set in learned_on {
            let targets = protocol.targets(&set.name, &others);
            for contender in &methods {
                let method = contender.method();
                let id = |shots, seed| RunId {
                    protocol,
                    method: contender.name().to_string(),
                    data_set: set.name.clone(),
                    shots,
                    seed,
                };
                if let Family::Frozen = method.family() {
                    runs.push(PlannedRun {
                        id: id(None, None),
                        contender: *contender,
                        config: None,
                        targets: targets.clone(),
                        left_out: Vec::new(),
                        cost: measuring(&targets),
                        training_cost: 0.0,
                    });
                    continue;
                }
                for shots in &shots {
                    for seed in &seeds {
                        let request = Request {
                            method: method.name(),
                            preset: choice.preset,
                            default_preset: protocol.preset(),
                            is_mini: choice.is_mini,
                            data_set: &set.name,
                            shots: Some(*shots as usize),
                            seed: *seed,
                            overrides: &contender.overrides(&choice.overrides),
                        };
                        let config = request.resolve()?;
                        let (targets, left_out) = match answers_other_names(&config)? {
                            true => (targets.clone(), Vec::new()),
                            false => {
                                split_targets(protocol, &set.name, targets.clone(), names, &role)
                            }
                        };
                        let learning = training_cost(protocol, &config, set.size, *shots as usize);
                        runs.push(PlannedRun {
                            id: id(Some(*shots as usize), Some(*seed)),
                            contender: *contender,
                            config: Some(config),
                            cost: learning + measuring(&targets),
                            targets,
                            left_out,
                            training_cost: learning,
                        });
                    }
                }
            }
        }
        match runs.is_empty() {
            true => Err(PlanError::Nothing {
                what: if methods.is_empty() {
                    "methods"
                } else if seeds.is_empty() {
                    "seeds"
                } else {
                    "shots"
                },
            }),
            false => Ok(Self { runs }),
        }
    }

    /// Estimated cost of all runs, in forward passes of one image.
    pub fn cost(&self) -> f64 {
        self.runs.iter().map(|run| run.cost).sum()
    }

    /// The part, counted from 0, of each run when the plan is divided into `parts`: the most costly
    /// run comes first, and each goes to the part with the least cost so far. It depends only on
    /// the plan.
    pub fn parts(&self, parts: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.runs.len()).collect();
        // Stable: equal costs stay in the order of the plan.
        order.sort_by(|a, b| self.runs[*b].cost.total_cmp(&self.runs[*a].cost));
        let mut load = vec![0f64; parts.max(1)];
        let mut part_of = vec![0; self.runs.len()];
        for run in order {
            let least = (0..load.len())
                .min_by(|a, b| load[*a].total_cmp(&load[*b]))
                .unwrap_or(0);
            load[least] += self.runs[run].cost;
            part_of[run] = least;
        }
        part_of
    }

    /// The runs of one of `parts` parts, counted from 0.
    pub fn part(&self, part: usize, parts: usize) -> Self {
        let part_of = self.parts(parts);
        let runs = self.runs.iter().zip(part_of);
        Self {
            runs: runs
                .filter(|(_, of)| *of == part)
                .map(|(run, _)| run.clone())
                .collect(),
        }
    }
}

impl PlannedRun {
    /// Whether what it learns applies to other classes than the trained ones; also where it learns
    /// nothing.
    pub fn answers_other_names(&self) -> bool {
        let config = self.config.as_ref();
        config.is_none_or(|config| answers_other_names(config) != Ok(false))
    }
}

/// Fails where there are settings of a training and no method that learns.
fn refuse_unread_settings(choice: &Choice, methods: &[Contender]) -> Result<(), ConfigError> {
    let frozen = |one: &Contender| matches!(one.method().family(), Family::Frozen);
    let preset = choice.preset.map(|_| "preset");
    let given = preset.into_iter().chain(choice.overrides.given()).next();
    match (given, methods.first()) {
        (Some(option), Some(method)) if methods.iter().all(frozen) => {
            Err(ConfigError::NoSuchSetting {
                option,
                method: method.name().to_string(),
            })
        }
        _ => Ok(()),
    }
}

fn chosen_sets<'a>(
    choice: &Choice,
    sets: &'a [DatasetEntry],
) -> Result<Vec<&'a DatasetEntry>, PlanError> {
    let chosen: Vec<&DatasetEntry> = match &choice.data_sets {
        None => sets
            .iter()
            .filter(|s| choice.protocol.measures(s))
            .collect(),
        Some(names) => {
            for name in names {
                if !sets.iter().any(|set| set.matches_name(name)) {
                    return Err(PlanError::UnknownSet {
                        name: name.clone(),
                        known: sets.iter().map(|set| set.name.clone()).collect(),
                    });
                }
            }
            let named = |set: &&DatasetEntry| names.iter().any(|name| set.matches_name(name));
            sets.iter().filter(named).collect()
        }
    };
    match chosen.is_empty() {
        true => Err(PlanError::Nothing { what: "data sets" }),
        false => Ok(chosen),
    }
}

/// The fraction of a data set's test images that a target has.
fn share(protocol: Protocol) -> f64 {
    match protocol {
        Protocol::BaseToNovel => 0.5,
        _ => 1.0,
    }
}

/// Estimated cost of a training, in forward passes of one image, from the operations of ViT-B/16. It only
/// serves to compare runs.
fn training_cost(
    protocol: Protocol,
    config: &MethodConfig,
    size: DatasetSize,
    shots: usize,
) -> f64 {
    let classes = match protocol {
        Protocol::BaseToNovel => size.classes.div_ceil(2),
        _ => size.classes,
    } as f64;
    let images = classes * shots as f64;
    match config {
        MethodConfig::Prompts(config) => cost_of_prompts(config, classes, images),
        // Every pass over the training images is a forward pass; the fit is small beside it. At most
        // four validation images of each class.
        MethodConfig::Features(config) => {
            let passes = config.crops.as_ref().map_or(1, |crops| crops.passes) as f64;
            let validation = match config.needs_validation() {
                true => classes * shots.min(4) as f64,
                false => 0.0,
            };
            passes * images + validation
        }
    }
}

/// A step of PromptSRC of 4 images and C classes is 390 + 0.75 C GFLOP, the forward pass of an image 35, and
/// a text through the frozen tower 0.8. Without self-regulation there is no frozen pass, without visual
/// prompts only a forward pass; text prompts that depend on the image are computed for each.
fn cost_of_prompts(config: &TrainConfig, classes: f64, images: f64) -> f64 {
    const FORWARD: f64 = 35.0;
    let per_image = match (config.prompts.depth_vision > 0, &config.regularisation) {
        (true, Some(_)) => 390.0 / 4.0,
        (true, None) => 390.0 / 4.0 - FORWARD,
        (false, _) => FORWARD,
    };
    let batch = config.batch_size as f64;
    let model = prompt_model(config);
    let texts = match model.is_ok_and(|model| model.is_conditioned()) {
        true => batch.min(images) * classes,
        false => classes,
    };
    let passes = match config.guidance {
        Some(Guidance::GradientProjection { .. }) => 2.0,
        _ => 1.0,
    };
    // An incomplete batch is dropped.
    let steps = config.epochs as f64 * (images / batch).floor().max(1.0);
    let step = batch.min(images) * per_image + passes * texts * 0.75;
    let teacher = match config.has_teacher_text() {
        true => classes * config.templates.len() as f64 * 0.8,
        false => 0.0,
    };
    (steps * step + teacher) / FORWARD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets() -> Vec<DatasetEntry> {
        let set = |name: &str, role, measured_by_default, classes, test| DatasetEntry {
            name: name.into(),
            aliases: vec![format!("{name}-folder")],
            role,
            measured_by_default,
            size: DatasetSize { classes, test },
        };
        vec![
            set("Big", TransferRole::Source, true, 1000, 50_000),
            set("One", TransferRole::Target, true, 100, 2000),
            set("Two", TransferRole::Target, true, 10, 8000),
            set("Shift", TransferRole::Shifted, false, 1000, 10_000),
        ]
    }

    fn choice(protocol: Protocol) -> Choice {
        Choice {
            protocol,
            data_sets: None,
            methods: ["zero-shot", "ivlp", "promptsrc"]
                .map(|name| Contender::find(name).expect("a method"))
                .to_vec(),
            seeds: Protocol::SEEDS.to_vec(),
            shots: protocol.shots().to_vec(),
            preset: None,
            is_mini: false,
            overrides: Overrides::default(),
        }
    }

    fn plan(choice: &Choice) -> Result<Plan, PlanError> {
        Plan::new(choice, &sets(), &|_| None)
    }

    #[test]
    fn every_combination_is_one_run() {
        let counts = Protocol::ALL.map(|p| plan(&choice(p)).map_or(0, |p| p.runs.len()));
        // Two methods that learn, three seeds; zero-shot once per data set.
        assert_eq!(counts, [3 * 7, 3 * (2 * 3 * 5 + 1), 7, 7]);

        let cross = plan(&choice(Protocol::CrossDataset)).expect("a plan");
        let run = cross.runs.last().expect("a run");
        assert_eq!(
            run.id.path().to_string_lossy(),
            "cross-dataset/promptsrc/Big/shots_16/seed_3"
        );
        assert_eq!(run.config.as_ref().map(|c| c.seed()), Some(3));
        let measured: Vec<&str> = run.targets.iter().map(|t| t.data_set.as_str()).collect();
        assert_eq!(measured, ["Big", "One", "Two"]);
        assert_eq!(
            cross.runs[0].id.path().to_string_lossy(),
            "cross-dataset/zero-shot/Big"
        );
    }

    #[test]
    fn the_ablation_has_runs_of_its_own() {
        let mut ablation = choice(Protocol::BaseToNovel);
        ablation.methods = Contender::distinct(ablation.methods, true);
        ablation.data_sets = Some(vec!["One".into()]);
        ablation.seeds = vec![1];
        let runs = plan(&ablation).expect("a plan").runs;
        let of = |name: &str| {
            let run = runs.iter().find(|run| run.id.method == name);
            let config = run.and_then(|run| run.config.as_ref()?.prompts());
            config.cloned().expect("a training")
        };
        let (first, second) = (of("ivlp+agreement"), of("ivlp+agreement+gpa"));
        assert!(first.regularisation.is_some() && first.aggregation.is_none());
        assert_eq!(first.templates, ["a photo of a {}."]);
        assert!(second.aggregation.is_some() && second.templates.len() == 1);
        assert_eq!(first.method, "promptsrc");
        let path = |run: &PlannedRun| run.id.path().to_string_lossy().into_owned();
        let paths: Vec<String> = runs.iter().map(path).collect();
        assert!(
            paths.contains(&"base-to-novel/ivlp+agreement/One/shots_16/seed_1".to_string()),
            "{paths:?}"
        );
    }

    #[test]
    fn data_sets_are_chosen_by_any_of_their_names() {
        let mut by_name = choice(Protocol::BaseToNovel);
        by_name.data_sets = Some(vec!["two".into(), "ONE_folder".into(), "One".into()]);
        let runs = plan(&by_name).expect("a plan").runs;
        assert_eq!(runs.len(), 14);
        assert_eq!(runs[0].id.data_set, "One");
        by_name.data_sets = Some(vec!["Three".into()]);
        let message = plan(&by_name).unwrap_err().to_string();
        assert!(message.contains("Three") && message.contains("One, Two"));
    }

    #[test]
    fn nothing_to_do_is_an_error() {
        let mut none = choice(Protocol::FewShot);
        none.seeds.clear();
        none.methods.remove(0);
        assert_eq!(
            plan(&none).unwrap_err(),
            PlanError::Nothing { what: "seeds" }
        );
        let source_only = &sets()[1..];
        let transfer = choice(Protocol::CrossDataset);
        let error = Plan::new(&transfer, source_only, &|_| None).unwrap_err();
        assert!(matches!(error, PlanError::NoSource { .. }), "{error}");
    }

    #[test]
    fn a_setting_that_nothing_reads_is_refused() {
        let mut zero_shot = choice(Protocol::BaseToNovel);
        zero_shot.overrides.epochs = Some(3);
        assert!(plan(&zero_shot).is_ok());
        zero_shot.methods.truncate(1);
        let message = plan(&zero_shot).unwrap_err().to_string();
        assert!(
            message.contains("epochs") && message.contains("zero-shot"),
            "{message}"
        );

        // IVLP has no aggregation, whatever the other methods have.
        let mut gpa = choice(Protocol::BaseToNovel);
        gpa.overrides.gpa_mean = Some(3.0);
        let message = plan(&gpa).unwrap_err().to_string();
        assert!(
            message.contains("gpa-mean") && message.contains("ivlp"),
            "{message}"
        );
    }

    #[test]
    fn parts_are_disjoint_complete_and_balanced() {
        let mut choice = choice(Protocol::FewShot);
        choice.data_sets = Some(vec!["One".into(), "Two".into()]);
        let plan = plan(&choice).expect("a plan");
        for parts in [1, 2, 3, 7, 1000] {
            let mut seen: Vec<RunId> = Vec::new();
            let mut costs = Vec::new();
            for part in 0..parts {
                let part = plan.part(part, parts);
                costs.push(part.cost());
                seen.extend(part.runs.into_iter().map(|run| run.id));
            }
            assert_eq!(seen.len(), plan.runs.len());
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), plan.runs.len());
            if parts <= 3 {
                let (least, most) = costs
                    .iter()
                    .fold((f64::MAX, 0f64), |(l, m), c| (l.min(*c), m.max(*c)));
                assert!(most < 1.05 * least, "{parts} parts: {least} to {most}");
            }
        }
    }

    #[test]
    fn costs_are_in_the_proportion_of_the_work() {
        let cost = |protocol, shots, classes| {
            let config = TrainConfig::preset(Protocol::preset(protocol)).into();
            training_cost(protocol, &config, DatasetSize { classes, test: 0 }, shots)
        };
        // ViT-B/16, 4 shots of 100 classes, 50 epochs: 5,000 steps of 465 GFLOP and the teacher's
        // 4,800, over 35 per image.
        let by_hand = (5000.0 * 465.0 + 4800.0) / 35.0;
        let found = cost(Protocol::FewShot, 4, 100);
        assert!(
            (found - by_hand).abs() < 1e-6 * by_hand,
            "{found} {by_hand}"
        );
        assert!(cost(Protocol::BaseToNovel, 16, 100) < cost(Protocol::CrossDataset, 16, 100));
        // 16 shots of 50 base classes. CoCoOp: 10 epochs of 800 steps of an image and 50 texts. CoOp: 200
        // epochs of 25 steps of 32 images and 50 texts.
        let of = |method: &str| {
            let config = Request::of(method, &Overrides::default()).resolve();
            let config = config.expect("a configuration");
            let size = DatasetSize {
                classes: 100,
                test: 0,
            };
            35.0 * training_cost(Protocol::BaseToNovel, &config, size, 16)
        };
        for (method, by_hand) in [
            ("cocoop", 8000.0 * (35.0 + 50.0 * 0.75)),
            ("coop", 5000.0 * (32.0 * 35.0 + 50.0 * 0.75)),
            ("linear-probe", 35.0 * (800.0 + 200.0)),
        ] {
            let found = of(method);
            assert!(
                (found - by_hand).abs() < 1e-6 * by_hand,
                "{method}: {found} {by_hand}"
            );
        }
    }
}
