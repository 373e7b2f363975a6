//! Disjoint mutable parts of one slice, shared among threads.

use std::marker::PhantomData;

/// A slice that several tasks write at once, each to its own part.
///
/// It holds the exclusive borrow of the whole slice; that the parts do not overlap is promised by
/// whoever takes them.
pub(crate) struct DisjointParts<'a, T> {
    start: *mut T,
    len: usize,
    whole: PhantomData<&'a mut [T]>,
}

// SAFETY: it represents an exclusive borrow of a slice, which may be sent where its items may; the
// parts handed out are disjoint by the contract of `part`.
unsafe impl<T: Send> Send for DisjointParts<'_, T> {}
// SAFETY: as above; nothing is read through a shared reference.
unsafe impl<T: Send> Sync for DisjointParts<'_, T> {}

impl<'a, T> DisjointParts<'a, T> {
    /// Borrows a whole slice, to be taken in parts.
    pub fn new(whole: &'a mut [T]) -> Self {
        Self {
            start: whole.as_mut_ptr(),
            len: whole.len(),
            whole: PhantomData,
        }
    }

    /// The items `from..from + len`.
    ///
    /// # Safety
    /// No two parts that exist at the same time overlap.
    ///
    /// # Panics
    /// If they are not all within the whole.
    #[allow(clippy::mut_from_ref, reason = "the parts are disjoint by contract")]
    pub unsafe fn part(&self, from: usize, len: usize) -> &mut [T] {
        assert!(
            from <= self.len && len <= self.len - from,
            "part {from} + {len} of a slice of {}",
            self.len
        );
        // SAFETY: within the borrowed slice, checked above; disjoint by contract.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), len) }
    }
}
