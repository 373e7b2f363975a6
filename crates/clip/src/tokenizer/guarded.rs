//! Calls of `tokenizers`, which panics on some files, and on some texts with others.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a call gives, or what is wrong. The tokenizer of a call that has panicked is not changed by it: it has nothing
/// but caches that change.
pub(super) fn guarded<T, E: ToString>(call: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Err(format!(
                "the tokenizers library stopped with {:?}",
                text.unwrap_or_default()
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        assert_eq!(guarded(|| Ok::<_, String>(3)), Ok(3));
        assert_eq!(guarded(|| Err::<(), _>("no")), Err("no".to_string()));
        let places: Vec<usize> = Vec::new();
        let found =
            guarded(|| Ok::<_, String>(places.iter().position(|p| *p == 3).expect("three")));
        assert!(found.unwrap_err().contains("three"));
    }
}
