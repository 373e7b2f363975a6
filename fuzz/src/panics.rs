//! Panics that are no finding: the program catches those of `tokenizers`.

use std::panic::{set_hook, take_hook};

/// Crates whose panics are caught around each call.
const CAUGHT: [&str; 2] = ["/tokenizers-", "/spm_precompiled-"];

/// libFuzzer's hook ends the process at every other panic.
pub fn let_caught_pass() {
    let end = take_hook();
    set_hook(Box::new(move |panic| {
        let place = panic.location().map_or("", |location| location.file());
        if !CAUGHT.iter().any(|name| place.contains(name)) {
            end(panic);
        }
    }));
}
