//! Memory of the kernels: buffers that go back to a pool, and slices that several tasks write.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

use half::bf16;

/// A slice that several tasks write at once, each its own part.
///
/// It is made of the exclusive borrow of the whole; that the parts do not overlap is promised where
/// they are taken.
pub(crate) struct Shares<'a, T> {
    start: *mut T,
    len: usize,
    whole: PhantomData<&'a mut [T]>,
}

// SAFETY: it stands for an exclusive borrow of a slice, which may be sent where its items may; the
// parts handed out are disjoint by the contract of `part`.
unsafe impl<T: Send> Send for Shares<'_, T> {}
// SAFETY: as above; nothing is read through a shared reference.
unsafe impl<T: Send> Sync for Shares<'_, T> {}

impl<'a, T> Shares<'a, T> {
    /// Of a whole slice.
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
    /// No two parts that are alive at once overlap.
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

/// Numbers that buffers are made of.
pub(crate) trait Pooled: Copy + Default + Send + 'static {
    /// Where memory waits for its next use.
    fn pool() -> &'static Mutex<Vec<Vec<Self>>>;
}

impl Pooled for f32 {
    fn pool() -> &'static Mutex<Vec<Vec<Self>>> {
        static POOL: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());
        &POOL
    }
}

impl Pooled for bf16 {
    fn pool() -> &'static Mutex<Vec<Vec<Self>>> {
        static POOL: Mutex<Vec<Vec<bf16>>> = Mutex::new(Vec::new());
        &POOL
    }
}

/// Memory from a pool, to which it goes back: the system would give fresh pages instead, and clear
/// each of them.
#[derive(Debug)]
pub(crate) struct Buffer<T: Pooled> {
    memory: Vec<T>,
    len: usize,
}

impl<T: Pooled> Buffer<T> {
    /// `len` numbers of any value: those of the last user, or zeros.
    pub fn any(len: usize) -> Self {
        let found = {
            let mut pool = lock(T::pool());
            // The smallest that is long enough, and not much longer: the rest would lie idle.
            let best = (0..pool.len())
                .filter(|i| pool[*i].len() >= len && pool[*i].len() / 9 * 8 <= len)
                .min_by_key(|i| pool[*i].len());
            best.map(|i| pool.swap_remove(i))
        };
        let memory = found.unwrap_or_else(|| vec![T::default(); len]);
        Self { memory, len }
    }

    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let mut buffer = Self::any(len);
        buffer.fill(T::default());
        buffer
    }
}

fn lock<T>(pool: &'static Mutex<Vec<Vec<T>>>) -> std::sync::MutexGuard<'static, Vec<Vec<T>>> {
    // A list of idle memory is whole at any time.
    pool.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl<T: Pooled> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.memory[..self.len]
    }
}

impl<T: Pooled> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[..self.len]
    }
}

impl<T: Pooled> Drop for Buffer<T> {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        if !memory.is_empty() {
            lock(T::pool()).push(memory);
        }
    }
}
