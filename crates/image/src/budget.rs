//! One budget of pixels for all threads: several large images at once need more memory than one.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Pixels that are decoded and prepared at a time: as many as the largest image that is decoded by default.
const BUDGET: u64 = 2 * 89_478_485;

static IN_USE: Mutex<u64> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

thread_local! {
    /// Pixels that this thread has taken; none outside [`within_budget`].
    static TAKEN: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Does some work with images on this thread. The first image that is decoded in it waits until there is room
/// for its pixels beside those of the other threads; when the work is done, they are free again. An image
/// that is larger than the whole budget is decoded when it is the only one.
///
/// Decoding alone does the same. Around decoding and what is done with the pixels it bounds the memory of
/// both. Work within such work belongs to it.
pub fn within_budget<R>(work: impl FnOnce() -> R) -> R {
    /// Gives back what the thread has taken, also where the work panics.
    struct Scope;
    impl Drop for Scope {
        fn drop(&mut self) {
            let taken = TAKEN.take().unwrap_or(0);
            if taken > 0 {
                *in_use() -= taken;
                FREED.notify_all();
            }
        }
    }
    if TAKEN.get().is_some() {
        return work();
    }
    TAKEN.set(Some(0));
    let _scope = Scope;
    work()
}

/// Takes an image's pixels from the budget, where the thread works within it.
pub(crate) fn take(pixels: u64) {
    let Some(taken) = TAKEN.get() else { return };
    if pixels <= taken {
        return;
    }
    let more = pixels - taken;
    let mut in_use = in_use();
    // Who has some does not wait for more: two of them would wait for each other.
    while taken == 0 && *in_use > 0 && *in_use + more > BUDGET {
        in_use = FREED.wait(in_use).unwrap_or_else(PoisonError::into_inner);
    }
    *in_use += more;
    TAKEN.set(Some(pixels));
}

fn in_use() -> MutexGuard<'static, u64> {
    // A number that is always whole.
    IN_USE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn large_images_wait_for_each_other() {
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let large = BUDGET / 2 - 1;
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    within_budget(|| {
                        take(large);
                        // A part of the same image.
                        within_budget(|| take(large / 2));
                        let all = now.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(all, Ordering::SeqCst);
                        std::thread::sleep(std::time::Duration::from_millis(5));
                        now.fetch_sub(1, Ordering::SeqCst);
                    });
                });
            }
            // Larger than everything: alone, and not never.
            threads.spawn(|| within_budget(|| take(3 * BUDGET)));
        });
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
    }
}
