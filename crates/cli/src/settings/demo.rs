//! The settings of `promptsrc demo`.

use std::path::PathBuf;

use promptsrc_protocols::Contender;
use promptsrc_world::{MINI, Purpose, WorldSet, sets};

use super::clip::ClipSettings;
use super::files::refuse_file;
use crate::args::{Common, DemoArgs};
use crate::failure::Failure;

/// A demonstration.
#[derive(Clone, Debug)]
pub struct DemoSettings {
    /// The built-in CLIP.
    pub clip: ClipSettings,
    pub sets: Vec<&'static WorldSet>,
    /// Sorted, without duplicates.
    pub seeds: Vec<u64>,
    pub shots: usize,
    /// The rows of its table, without duplicates.
    pub contenders: Vec<Contender>,
    /// Folder of the runs.
    pub out: PathBuf,
}

impl DemoSettings {
    /// # Errors
    /// [`Failure`] if a given data set does not exist.
    pub fn new(args: &DemoArgs, common: &Common) -> Result<Self, Failure> {
        let mut seeds = args.seeds.clone();
        seeds.sort_unstable();
        seeds.dedup();
        refuse_file("--out", &args.out, "a demo")?;
        Ok(Self {
            clip: ClipSettings::new(MINI, common)?,
            sets: chosen_sets(args)?,
            seeds,
            shots: args.shots,
            contenders: args.chosen.contenders(args.ablation),
            out: args.out.clone(),
        })
    }
}

fn chosen_sets(args: &DemoArgs) -> Result<Vec<&'static WorldSet>, Failure> {
    if args.sets.is_empty() {
        let for_it = |set: &&WorldSet| set.purpose() == Purpose::BaseToNovel;
        return Ok(sets().iter().filter(for_it).collect());
    }
    let mut chosen: Vec<&WorldSet> = Vec::new();
    for name in &args.sets {
        let set =
            WorldSet::find(name).map_err(|error| Failure::usage(format!("--sets: {error}")))?;
        if !chosen.iter().any(|other| other.name() == set.name()) {
            chosen.push(set);
        }
    }
    Ok(chosen)
}
