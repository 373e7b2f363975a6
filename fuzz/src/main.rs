//! Every parser of what other people made, one per target: `PROMPTSRC_FUZZ=png`. An input may be refused; it must
//! not panic, hang or take much memory.

#![no_main]

mod data_sets;
mod hub;
mod images;
mod memory;
mod options;
mod panics;
mod pickles;
mod repository;
mod scratch;
mod sections;
mod seeds;
mod service;
mod target;
mod tensors;
mod trained;
mod weights;

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};

use target::Target;

fn targets() -> impl Iterator<Item = Target> {
    let all = [
        images::TARGETS,
        pickles::TARGETS,
        weights::TARGETS,
        trained::TARGETS,
        data_sets::TARGETS,
        hub::TARGETS,
        options::TARGETS,
        service::TARGETS,
    ];
    all.into_iter().flatten().copied()
}

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("PROMPTSRC_FUZZ").unwrap_or_default();
    let names: Vec<&str> = targets().map(|target| target.name).collect();
    let found = targets().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("PROMPTSRC_FUZZ={name:?}: one of {names:?}"))
});

/// What is asked for in place of fuzzing.
fn begin() {
    panics::let_caught_pass();
    if std::env::var_os("PROMPTSRC_FUZZ_TARGETS").is_some() {
        targets().for_each(|target| println!("{}", target.name));
        std::process::exit(0);
    }
    if let Some(folder) = std::env::var_os("PROMPTSRC_FUZZ_SEEDS") {
        let written = seeds::write(&TARGET, folder.as_ref());
        std::process::exit(i32::from(!written));
    }
    LazyLock::force(&TARGET);
}

fuzz_target!(init: begin(), |data: &[u8]| -> Corpus {
    memory::bounded(|| (TARGET.run)(data)).corpus()
});
