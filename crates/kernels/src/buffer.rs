//! Working memory of the kernels: buffers that return to a pool.

use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

use half::bf16;

/// A number that buffers are made of.
pub(crate) trait Pooled: Copy + Default + Send + 'static {
    /// Idle memory of this type.
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

/// Memory from a pool, to which it returns when dropped: the system would give fresh pages instead,
/// and clear each of them.
#[derive(Debug)]
pub(crate) struct Buffer<T: Pooled> {
    memory: Vec<T>,
    len: usize,
}

impl<T: Pooled> Buffer<T> {
    /// `len` numbers of unspecified value: what the last user left, or zeros.
    pub fn unspecified(len: usize) -> Self {
        let found = {
            let mut pool = lock(T::pool());
            // The smallest that is long enough, but not much longer: the excess would lie idle.
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
        let mut buffer = Self::unspecified(len);
        buffer.fill(T::default());
        buffer
    }
}

fn lock<T>(pool: &'static Mutex<Vec<Vec<T>>>) -> std::sync::MutexGuard<'static, Vec<Vec<T>>> {
    // A panic elsewhere leaves the list of idle memory intact.
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
