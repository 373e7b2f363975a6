//! What holds for every head: gradients, files, subsets, threads, seeds and bad input.

use std::cell::Cell;

use promptsrc_goldens::{noise, relative_distance};
use promptsrc_heads::{
    ClapSettings, ClapTraining, ClipAdapter, ClipAdapterSettings, ClipAdapterTraining, Constraint,
    Features, FewShot, Fitted, Head, HeadError, LinearProbe, LinearProbeSettings, Lpp, LppSettings,
    LppTraining, NamedTensor, Observer, Progress, Prototypes, Recorded, TipAdapter,
    TipAdapterFSettings, TipAdapterSettings, TipAdapterTraining, TrainFeatures,
};

const DIM: usize = 24;
const CLASSES: usize = 6;
const SHOTS: usize = 9;

/// Rows around the centre of their class, and their labels.
fn rows(seed: u64, shots: usize) -> (Vec<f32>, Vec<usize>) {
    let centres = noise(1000, CLASSES * DIM, 2.0);
    let labels: Vec<usize> = (0..shots * CLASSES).map(|row| row % CLASSES).collect();
    let mut values = noise(seed, labels.len() * DIM, 3.0);
    for (row, label) in values.chunks_exact_mut(DIM).zip(&labels) {
        let centre = &centres[label * DIM..(label + 1) * DIM];
        row.iter_mut().zip(centre).for_each(|(v, c)| *v += c);
    }
    (values, labels)
}

struct Data {
    text: Vec<f32>,
    raw_text: Vec<f32>,
    train: TrainFeatures,
    validation: Features,
    test: Vec<f32>,
}

impl Data {
    fn new() -> Self {
        let (values, labels) = rows(1, SHOTS);
        let centres = noise(1000, CLASSES * DIM, 2.0);
        let blur = noise(7, CLASSES * DIM, 2.0);
        let raw_text: Vec<f32> = centres.iter().zip(&blur).map(|(a, b)| a + b).collect();
        let (validation, validation_labels) = rows(3, 5);
        Self {
            text: unit(&raw_text),
            raw_text,
            train: TrainFeatures {
                dim: DIM,
                views: vec![values, rows(2, SHOTS).0],
                labels,
            },
            validation: Features {
                dim: DIM,
                values: validation,
                labels: validation_labels,
            },
            test: rows(4, 12).0,
        }
    }

    fn unit(&self) -> FewShot<'_> {
        FewShot {
            text_features: &self.text,
            train: &self.train,
            validation: Some(&self.validation),
            logit_scale: 20.0,
        }
    }

    fn raw(&self) -> FewShot<'_> {
        FewShot {
            text_features: &self.raw_text,
            ..self.unit()
        }
    }
}

fn unit(values: &[f32]) -> Vec<f32> {
    let rows = values.chunks_exact(DIM);
    rows.flat_map(|row| {
        let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        row.iter().map(move |v| v / norm)
    })
    .collect()
}

fn silent(_: Progress) {}

fn clap_settings(constraint: Constraint) -> ClapSettings {
    let mut settings = ClapSettings::clap();
    settings.constraint = constraint;
    settings.sgd.epochs = 6;
    settings.sgd.batch_size = 16;
    settings
}

fn adapter_settings() -> ClipAdapterSettings {
    let mut settings = ClipAdapterSettings::default();
    settings.sgd.epochs = 6;
    settings
}

fn tip_settings() -> TipAdapterFSettings {
    let mut settings = TipAdapterFSettings::published("EuroSAT");
    settings.epochs = 4;
    settings.batch_size = 20;
    settings.tip_adapter.search_steps_beta = 10;
    settings
}

fn lpp_settings() -> LppSettings {
    LppSettings {
        epochs: 25,
        ..LppSettings::default()
    }
}

/// Every head with a fixed list of classes, as its tensors and its logits of the test rows.
fn all_heads(data: &Data, seed: u64) -> Vec<(&'static str, Vec<NamedTensor<'static>>, Vec<f32>)> {
    fn entry<H: Head>(
        name: &'static str,
        head: &H,
        data: &Data,
    ) -> (&'static str, Vec<NamedTensor<'static>>, Vec<f32>) {
        (name, head.tensors(), head.logits(&data.test).unwrap())
    }
    let adapter = ClipAdapter::fit(&adapter_settings(), &data.raw(), seed, &mut silent).unwrap();
    vec![
        entry("probe", &probe(data).head, data),
        entry("zs_lp", &clap(data, Constraint::None, seed).head, data),
        entry("clap", &clap(data, Constraint::L2, seed).head, data),
        entry("lpp", &lpp(data, seed).head, data),
        entry("tip", &tip(data).head, data),
        entry("tip_f", &tip_f(data, seed).head, data),
        (
            "clip_adapter",
            adapter.head.tensors(),
            adapter.head.logits(&data.test, &data.text).unwrap(),
        ),
    ]
}

fn probe(data: &Data) -> Fitted<LinearProbe> {
    let settings = LinearProbeSettings::default();
    let validation = Some(&data.validation);
    LinearProbe::fit(&settings, CLASSES, &data.train, validation, &mut silent).unwrap()
}

fn clap(data: &Data, constraint: Constraint, seed: u64) -> Fitted<Prototypes> {
    Prototypes::fit(&clap_settings(constraint), &data.raw(), seed, &mut silent).unwrap()
}

fn lpp(data: &Data, seed: u64) -> Fitted<Lpp> {
    Lpp::fit(&lpp_settings(), &data.unit(), seed, &mut silent).unwrap()
}

fn tip(data: &Data) -> Fitted<TipAdapter> {
    TipAdapter::fit(&tip_settings().tip_adapter, &data.unit(), &silent).unwrap()
}

fn tip_f(data: &Data, seed: u64) -> Fitted<TipAdapter> {
    TipAdapter::fit_keys(&tip_settings(), &data.unit(), seed, &mut silent).unwrap()
}

/// Compares a gradient with differences of the loss along some directions.
fn check_gradient(name: &str, gradient: &[f32], loss_at: impl Fn(&[f32]) -> f64) {
    for seed in 0..4 {
        let direction = noise(50 + seed, gradient.len(), 1.0);
        // Small enough for few units of the adapter to cross zero on the way.
        let step = 5e-4;
        let along = |sign: f32| {
            let moved: Vec<f32> = direction.iter().map(|d| sign * step * d).collect();
            loss_at(&moved)
        };
        let found: f64 = gradient
            .iter()
            .zip(&direction)
            .map(|(g, d)| f64::from(g * d))
            .sum();
        let expected = (along(1.0) - along(-1.0)) / f64::from(2.0 * step);
        let scale = gradient
            .iter()
            .map(|g| f64::from(g * g))
            .sum::<f64>()
            .sqrt();
        assert!(
            (found - expected).abs() < 1e-2 * scale,
            "{name}: {found} {expected}, gradient of norm {scale}"
        );
    }
}

fn plus(values: &[f32], moved: &[f32]) -> Vec<f32> {
    values.iter().zip(moved).map(|(a, b)| a + b).collect()
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    let data = Data::new();
    let (values, labels) = (&data.train.views[0], &data.train.labels);

    // Away from the start, where the penalty has no slope.
    let settings = clap_settings(Constraint::L2);
    let start = Prototypes::new(&data.raw_text, DIM, 20.0).unwrap();
    let mut training = ClapTraining::new(&settings, start, &data.train).unwrap();
    training.step(0.1, values, labels).unwrap();
    let gradient = training.gradient(values, labels).unwrap().gradient;
    check_gradient("prototypes", &gradient, |moved| {
        let mut other = training.clone();
        let prototypes = plus(training.head.prototypes(), moved);
        other.head = Prototypes::new(&prototypes, DIM, 20.0).unwrap();
        other.gradient(values, labels).unwrap().loss
    });

    let settings = adapter_settings();
    let adapter = ClipAdapter::initial(&settings, DIM, 20.0, 5).unwrap();
    let training = ClipAdapterTraining::new(&settings, adapter.clone(), &data.text).unwrap();
    let gradient = training.gradient(values, labels).unwrap();
    let tensors = adapter.tensors();
    let (down, up) = (tensors[0].2.to_vec(), tensors[1].2.to_vec());
    let (down, up) = (&down, &up);
    let loss = |down: Vec<f32>, up: Vec<f32>| {
        let adapter = ClipAdapter::new(&settings, DIM, 20.0, down, up).unwrap();
        let training = ClipAdapterTraining::new(&settings, adapter, &data.text).unwrap();
        training.gradient(values, labels).unwrap().loss
    };
    check_gradient("down", &gradient.down, |moved| {
        loss(plus(down, moved), up.clone())
    });
    check_gradient("up", &gradient.up, |moved| {
        loss(down.clone(), plus(up, moved))
    });

    let settings = tip_settings();
    let cache = TipAdapter::cache(&settings.tip_adapter, &data.unit()).unwrap();
    let gradient = TipAdapterTraining::new(&settings, cache.clone(), 10).unwrap();
    let gradient = gradient.gradient(values, labels).unwrap().keys;
    check_gradient("keys", &gradient, |moved| {
        let mut tensors = cache.tensors();
        tensors[0].2 = plus(cache.keys(), moved).into();
        let head = TipAdapter::from_tensors(&tensors).unwrap();
        let training = TipAdapterTraining::new(&settings, head, 10).unwrap();
        training.gradient(values, labels).unwrap().loss
    });

    let bias = Lpp::initial_bias(1, CLASSES, DIM);
    let training = LppTraining::new(&lpp_settings(), &data.unit(), &bias).unwrap();
    let gradient = training.gradient();
    for (tensor, name, gradient) in [
        (0, "weight", &gradient.weight),
        (1, "bias", &gradient.bias),
        (2, "alpha", &gradient.alpha),
    ] {
        check_gradient(name, gradient, |moved| {
            let mut other = training.clone();
            let mut tensors = training.head.tensors();
            tensors[tensor].2 = plus(&tensors[tensor].2, moved).into();
            other.head = Lpp::from_tensors(&tensors).unwrap();
            other.gradient().loss
        });
    }
}

fn round_trip<H: Head + PartialEq + std::fmt::Debug>(head: &H) {
    round_trip_of_values(head);
    let tensors = head.tensors();
    let text = |error: HeadError| error.to_string();
    for (i, (name, shape, values)) in tensors.iter().enumerate() {
        let with = |tensor: Option<NamedTensor<'static>>| {
            let mut tensors = tensors.clone();
            tensors.remove(i);
            tensors.extend(tensor);
            text(H::from_tensors(&tensors).unwrap_err())
        };
        let longer: Vec<f32> = values.iter().chain(values.iter()).copied().collect();
        let mut nan = values.to_vec();
        nan[0] = f32::NAN;
        for said in [
            with(None),
            with(Some((name.clone(), vec![values.len() + 1], values.clone()))),
            with(Some((
                name.clone(),
                [&[1], shape.as_slice()].concat(),
                values.clone(),
            ))),
            with(Some((name.clone(), shape.clone(), nan.into()))),
            with(Some((name.clone(), shape.clone(), longer.into()))),
        ] {
            assert!(said.contains(name.as_str()), "{name}: {said}");
        }
    }
    let mut more = tensors.clone();
    more.push(("extra".to_string(), vec![1], vec![0.0].into()));
    assert!(text(H::from_tensors(&more).unwrap_err()).contains("extra"));
}

#[test]
fn heads_come_back_from_their_tensors_and_errors_name_the_tensor() {
    let data = Data::new();
    round_trip(&probe(&data).head);
    round_trip(&clap(&data, Constraint::L2, 1).head);
    round_trip(&lpp(&data, 1).head);
    round_trip(&tip_f(&data, 1).head);
    let adapter = ClipAdapter::initial(&adapter_settings(), DIM, 20.0, 1).unwrap();
    assert_eq!(
        ClipAdapter::from_tensors(&adapter.tensors()).unwrap(),
        adapter
    );
    let mut tensors = adapter.tensors();
    tensors[1].1.reverse();
    let said = ClipAdapter::from_tensors(&tensors).unwrap_err().to_string();
    assert!(said.contains("adapter.fc.2.weight"), "{said}");
}

fn restricted<H: Head>(head: &H, data: &Data) {
    let subset = [4, 0, 3];
    let part = head.subset(&subset).unwrap();
    assert_eq!((part.classes(), part.dim()), (3, DIM));
    let whole = head.logits(&data.test).unwrap();
    let columns: Vec<f32> = whole
        .chunks_exact(CLASSES)
        .flat_map(|row| subset.map(|class| row[class]))
        .collect();
    let found = part.logits(&data.test).unwrap();
    assert!(relative_distance(&found, &columns) < 1e-6);
    assert!(matches!(
        head.subset(&[0, 6]),
        Err(HeadError::Subset { class: 6, .. })
    ));
    assert!(matches!(
        head.subset(&[2, 2]),
        Err(HeadError::Subset { class: 2, .. })
    ));
    assert!(matches!(head.subset(&[]), Err(HeadError::NoRows { .. })));
}

#[test]
fn a_subset_has_those_columns_of_the_logits() {
    let data = Data::new();
    restricted(&probe(&data).head, &data);
    restricted(&clap(&data, Constraint::None, 1).head, &data);
    restricted(&lpp(&data, 1).head, &data);
    restricted(&tip(&data).head, &data);
}

#[test]
fn a_cache_without_rows_leaves_the_texts_alone() {
    let mut data = Data::new();
    data.train.labels.iter_mut().for_each(|l| *l %= CLASSES - 1);
    let head = tip(&data).head.subset(&[CLASSES - 1]).unwrap();
    assert!(head.labels().is_empty());
    let texts = Prototypes::new(&data.text[(CLASSES - 1) * DIM..], DIM, 20.0).unwrap();
    let (found, expected) = (head.logits(&data.test), texts.logits(&data.test));
    assert!(relative_distance(&found.unwrap(), &expected.unwrap()) < 1e-6);
    round_trip_of_values(&head);
}

fn round_trip_of_values<H: Head + PartialEq + std::fmt::Debug>(head: &H) {
    assert_eq!(&H::from_tensors(&head.tensors()).unwrap(), head);
}

#[test]
fn an_adapter_takes_the_texts_of_other_classes() {
    let data = Data::new();
    let fitted = ClipAdapter::fit(&adapter_settings(), &data.raw(), 1, &mut silent).unwrap();
    let all = fitted.head.logits(&data.test, &data.text).unwrap();
    let two = fitted
        .head
        .logits(&data.test, &data.text[DIM..3 * DIM])
        .unwrap();
    let columns: Vec<f32> = all
        .chunks_exact(CLASSES)
        .flat_map(|row| [row[1], row[2]])
        .collect();
    assert!(relative_distance(&two, &columns) < 1e-6);
}

#[test]
fn no_byte_depends_on_the_number_of_threads() {
    let data = Data::new();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| all_heads(&data, 1))
    };
    let (one, four) = (with(1), with(4));
    for (one, four) in one.iter().zip(&four) {
        assert!(one == four, "{}", one.0);
    }
}

#[test]
fn the_same_seed_gives_the_same_head_and_another_seed_another() {
    let data = Data::new();
    let (first, again, other) = (
        all_heads(&data, 1),
        all_heads(&data, 1),
        all_heads(&data, 2),
    );
    for ((first, again), other) in first.iter().zip(&again).zip(&other) {
        assert!(first == again, "{}", first.0);
        let is_random = !["probe", "tip"].contains(&first.0);
        assert_eq!(first != other, is_random, "{}", first.0);
    }
}

#[test]
fn training_lowers_the_loss_and_reports_each_epoch() {
    let data = Data::new();
    let mut seen: Vec<Progress> = Vec::new();
    let settings = clap_settings(Constraint::None);
    Prototypes::fit(&settings, &data.raw(), 1, &mut |p: Progress| seen.push(p)).unwrap();
    let epochs: Vec<usize> = seen.iter().map(|p| p.epoch).collect();
    assert_eq!(epochs, [1, 2, 3, 4, 5, 6]);
    assert!(seen.iter().all(|p| p.epochs == 6));
    assert!(seen[5].loss < 0.8 * seen[0].loss, "{seen:?}");
    let settings = lpp_settings();
    let mut losses = Vec::new();
    Lpp::fit(&settings, &data.unit(), 1, &mut |p: Progress| {
        losses.push(p.loss)
    })
    .unwrap();
    assert_eq!(losses.len(), settings.epochs);
    assert!(losses[24] < 0.8 * losses[0], "{losses:?}");
}

/// Lets a fit make so many steps.
struct Steps {
    asked: Cell<usize>,
    allowed: usize,
    epochs: usize,
}

impl Steps {
    fn new(allowed: usize) -> Self {
        let (asked, epochs) = (Cell::new(0), 0);
        Self {
            asked,
            allowed,
            epochs,
        }
    }
}

impl Observer for Steps {
    fn progress(&mut self, _: Progress) {
        self.epochs += 1;
    }

    fn should_stop(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.asked.get() > self.allowed
    }
}

#[test]
fn a_fit_ends_at_the_step_at_which_it_is_stopped_and_looking_changes_nothing() {
    let data = Data::new();
    type Fit<'a> = &'a dyn Fn(&mut Steps) -> Result<Vec<NamedTensor<'static>>, HeadError>;
    let validation = Some(&data.validation);
    let probe_settings = LinearProbeSettings::default();
    let fits: [(&str, Fit); 6] = [
        ("probe", &|steps| {
            let fitted =
                LinearProbe::fit(&probe_settings, CLASSES, &data.train, validation, steps)?;
            Ok(fitted.head.tensors())
        }),
        ("clap", &|steps| {
            let settings = clap_settings(Constraint::L2);
            let fitted = Prototypes::fit(&settings, &data.raw(), 1, steps)?;
            Ok(fitted.head.tensors())
        }),
        ("lpp", &|steps| {
            let fitted = Lpp::fit(&lpp_settings(), &data.unit(), 1, steps)?;
            Ok(fitted.head.tensors())
        }),
        ("tip", &|steps| {
            let fitted = TipAdapter::fit(&tip_settings().tip_adapter, &data.unit(), steps)?;
            Ok(fitted.head.tensors())
        }),
        ("tip_f", &|steps| {
            let fitted = TipAdapter::fit_keys(&tip_settings(), &data.unit(), 1, steps)?;
            Ok(fitted.head.tensors())
        }),
        ("clip_adapter", &|steps| {
            let fitted = ClipAdapter::fit(&adapter_settings(), &data.raw(), 1, steps)?;
            Ok(fitted.head.tensors())
        }),
    ];
    let expected = all_heads(&data, 1);
    for (name, fit) in fits {
        let mut all = Steps::new(usize::MAX);
        let tensors = fit(&mut all).unwrap();
        let (_, same, _) = expected.iter().find(|(other, ..)| *other == name).unwrap();
        assert!(tensors == *same, "{name}");
        let steps = all.asked.get();
        // Tip-Adapter is a search alone; the others look within their epochs, not only at their ends.
        assert!(steps > 0 && steps >= all.epochs, "{name}: {steps}");
        for allowed in [0, steps / 2, steps - 1] {
            let mut some = Steps::new(allowed);
            assert_eq!(fit(&mut some).unwrap_err(), HeadError::Stopped, "{name}");
            assert_eq!(some.asked.get(), allowed + 1, "{name}");
            assert!(some.epochs <= allowed, "{name}");
        }
    }
}

#[test]
fn without_validation_features_the_first_values_and_the_last_epoch_stay() {
    let data = Data::new();
    let blind = FewShot {
        validation: None,
        ..data.unit()
    };
    let fitted = TipAdapter::fit(&TipAdapterSettings::published("DTD"), &blind, &silent).unwrap();
    assert_eq!(
        (fitted.figure("alpha"), fitted.figure("beta")),
        (Some(2.0), Some(1.0))
    );
    assert_eq!(fitted.figure("validation_accuracy"), None);
    let fitted = Lpp::fit(&lpp_settings(), &blind, 1, &mut silent).unwrap();
    assert_eq!(fitted.figure("epoch"), Some(25.0));
    let mut settings = LinearProbeSettings::default();
    let found = LinearProbe::fit(&settings, CLASSES, &data.train, None, &mut silent);
    assert_eq!(found.unwrap_err(), HeadError::NoValidation);
    settings.c = Some(0.5);
    let fitted = LinearProbe::fit(&settings, CLASSES, &data.train, None, &mut silent).unwrap();
    assert_eq!(fitted.figures, [("c", 0.5)]);
}

#[test]
fn bad_input_is_an_error_that_says_what_is_wrong() {
    let data = Data::new();
    let fit = |change: &dyn Fn(&mut Data)| {
        let mut changed = Data::new();
        change(&mut changed);
        let errors = [
            Prototypes::fit(
                &clap_settings(Constraint::L2),
                &changed.raw(),
                1,
                &mut silent,
            )
            .err(),
            Lpp::fit(&lpp_settings(), &changed.unit(), 1, &mut silent).err(),
            TipAdapter::fit(&tip_settings().tip_adapter, &changed.unit(), &silent).err(),
            ClipAdapter::fit(&adapter_settings(), &changed.raw(), 1, &mut silent).err(),
            LinearProbe::fit(
                &LinearProbeSettings::default(),
                CLASSES,
                &changed.train,
                Some(&changed.validation),
                &mut silent,
            )
            .err(),
        ];
        errors.map(|error| error.map(|e| e.to_string()))
    };
    let all = |said: &str, change: &dyn Fn(&mut Data)| {
        for found in fit(change) {
            let found = found.expect("an error");
            assert!(found.contains(said), "{found}; expected {said:?}");
        }
    };
    all("training features have no rows", &|d| {
        d.train.labels.clear();
        d.train.views = vec![Vec::new()];
    });
    all("training features have no rows", &|d| d.train.views.clear());
    all("row 3 of the training features has label 6", &|d| {
        d.train.labels[3] = 6
    });
    all("labels and 24 numbers", &|d| d.train.views[1].truncate(DIM));
    all("row 2 of the training features has the value NaN", &|d| {
        d.train.views[1][2 * DIM + 5] = f32::NAN;
    });
    all("row 0 of the training features is zero", &|d| {
        d.train.views[0][..DIM].fill(0.0);
    });
    all(
        "validation features have 12 numbers in a row; expected 24",
        &|d| {
            d.validation.dim = 12;
        },
    );
    all("validation features have no rows", &|d| {
        d.validation.labels.clear();
        d.validation.values.clear();
    });
    // Methods that start from texts only need rows of every class where they average over them.
    let empty = fit(&|d| {
        d.train
            .labels
            .iter_mut()
            .for_each(|l| *l = (*l).min(CLASSES - 2))
    });
    for (found, needs) in empty.iter().zip([true, true, false, false, true]) {
        let said = found
            .as_ref()
            .is_some_and(|e| e.contains("class 5 has no training row"));
        assert_eq!(said, needs, "{found:?}");
        assert_eq!(found.is_some(), needs, "{found:?}");
    }
    let raw_text = Lpp::fit(&lpp_settings(), &data.raw(), 1, &mut silent).unwrap_err();
    assert!(matches!(raw_text, HeadError::NotUnit { .. }), "{raw_text}");
    let raw_text = TipAdapter::fit(&tip_settings().tip_adapter, &data.raw(), &silent).unwrap_err();
    assert!(matches!(raw_text, HeadError::NotUnit { .. }), "{raw_text}");
    let one = LinearProbe::solve(&LinearProbeSettings::default(), 1, &data.train, 1.0);
    assert_eq!(one.unwrap_err(), HeadError::FewClasses { found: 1 });
    let head = probe(&data).head;
    assert!(matches!(
        head.logits(&data.test[1..]),
        Err(HeadError::Length { .. })
    ));
    assert!(matches!(head.logits(&[]), Err(HeadError::NoRows { .. })));
}

#[test]
fn bad_settings_and_orders_are_errors() {
    let data = Data::new();
    let clap = |change: &dyn Fn(&mut ClapSettings), order: Vec<Vec<Vec<usize>>>| {
        let mut settings = clap_settings(Constraint::None);
        settings.sgd.epochs = 1;
        change(&mut settings);
        let found = Prototypes::fit_in_order(&settings, &data.raw(), &Recorded(order), &mut silent);
        found.map(|_| ()).unwrap_err().to_string()
    };
    let good = || vec![vec![vec![0, 1]]];
    assert!(clap(&|s| s.sgd.epochs = 0, good()).contains("epochs is 0"));
    assert!(clap(&|s| s.sgd.lr = f64::NAN, good()).contains("lr is NaN"));
    assert!(clap(&|_| (), Vec::new()).contains("epoch 0 has no batch"));
    assert!(clap(&|_| (), vec![vec![vec![]]]).contains("epoch 0 has no batch"));
    let said = clap(&|_| (), vec![vec![vec![2 * SHOTS * CLASSES]]]);
    assert!(said.contains("names row 108; there are 108"), "{said}");
    let diverged = clap(
        &|s| {
            s.sgd.epochs = 2;
            s.sgd.lr = 1e300;
            s.sgd.warmup_epochs = 0;
        },
        vec![good().remove(0), good().remove(0)],
    );
    assert!(diverged.contains("not finite"), "{diverged}");
    let settings = ClipAdapterSettings {
        ratio: 1.5,
        ..adapter_settings()
    };
    let found = ClipAdapter::fit(&settings, &data.raw(), 1, &mut silent).unwrap_err();
    assert!(found.to_string().contains("ratio is 1.5"));
    let settings = ClipAdapterSettings {
        reduction: DIM + 1,
        ..adapter_settings()
    };
    let found = ClipAdapter::fit(&settings, &data.raw(), 1, &mut silent).unwrap_err();
    assert!(found.to_string().contains("reduction is 25"));
}

#[test]
fn settings_come_back_from_json_and_unknown_ones_are_refused() {
    fn check<S>(settings: S)
    where
        S: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<S>(&text).unwrap(), settings);
        let unknown = text.replacen('{', "{\"unknown\":1,", 1);
        let said = serde_json::from_str::<S>(&unknown).unwrap_err().to_string();
        assert!(said.contains("unknown"), "{said}");
    }
    check(LinearProbeSettings::default());
    check(ClapSettings::zs_lp());
    check(LppSettings::default());
    check(TipAdapterSettings::published("Flowers102"));
    check(TipAdapterFSettings::default());
    check(ClipAdapterSettings::default());
}
