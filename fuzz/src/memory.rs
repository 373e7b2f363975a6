//! The memory that one input may take.
//!
//! libFuzzer's own limit of an allocation needs a sanitizer, and its limit of the whole is looked at once a second.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, ALL);

/// Most bytes of the process; an allocation beyond them fails.
const ALL: usize = 4 << 30;

/// Bytes that one input may take, unless `PROMPTSRC_FUZZ_MIB` says others.
const ONE_INPUT: usize = 512 << 20;

fn most() -> usize {
    let given = std::env::var("PROMPTSRC_FUZZ_MIB").ok();
    let given = given.and_then(|text| text.parse::<usize>().ok());
    given.map_or(ONE_INPUT, |mib| mib << 20)
}

/// Runs a parser.
///
/// # Panics
/// Where it takes more memory than one input may.
pub fn bounded<T>(parser: impl FnOnce() -> T) -> T {
    let before = MEMORY.allocated();
    let found = parser();
    // It grows only where this input has taken more than each before it.
    let taken = MEMORY.max_allocated().saturating_sub(before);
    assert!(
        taken <= most(),
        "an input took {} MiB of memory, more than {}",
        taken >> 20,
        most() >> 20
    );
    found
}
