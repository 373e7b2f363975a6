//! The inputs that a target begins with, on the disk.

use std::path::Path;

use crate::memory;
use crate::target::{Outcome, Target};

/// Writes a target's seeds to a folder and parses them. Whether the parser has taken one at least: otherwise the
/// fuzzer would try nothing but its first lines.
pub fn write(target: &Target, folder: &Path) -> bool {
    std::fs::create_dir_all(folder).expect("a folder for the seeds");
    let seeds = (target.seeds)();
    let (mut taken, mut bytes) = (0, 0);
    for (place, (name, seed)) in seeds.iter().enumerate() {
        let outcome = memory::bounded(|| (target.run)(seed));
        taken += usize::from(outcome == Outcome::Taken);
        bytes += seed.len();
        // Files of different folders may share a name.
        let path = folder.join(format!("{place:03}-{name}"));
        std::fs::write(path, seed).expect("a seed");
        if std::env::var_os("PROMPTSRC_FUZZ_EACH").is_some() {
            println!("{outcome:?} {name}");
        }
    }
    println!(
        "{} seeds, {taken} of them parsed, {} KiB",
        seeds.len(),
        bytes >> 10
    );
    taken > 0
}
