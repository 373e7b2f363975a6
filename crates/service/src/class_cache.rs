//! Classifiers for lists of class names, of which the last used are kept.

use std::sync::Arc;

use lru::LruCache;

/// Values by lists of names; as many as have no more than a number of names in all.
#[derive(Debug)]
pub(crate) struct ClassCache<V> {
    kept: LruCache<Arc<[String]>, V>,
    names: usize,
    most: usize,
}

impl<V> ClassCache<V> {
    /// For lists with `most` names in all.
    pub fn new(most: usize) -> Self {
        Self {
            kept: LruCache::unbounded(),
            names: 0,
            most,
        }
    }

    /// The value of a list of names, which becomes the last used.
    pub fn get(&mut self, names: &Arc<[String]>) -> Option<&V> {
        self.kept.get(names)
    }

    /// Keeps the value of a list, and drops those that have not been used for longest. A list with more names
    /// than all may have is kept alone.
    pub fn insert(&mut self, names: Arc<[String]>, value: V) {
        self.names += names.len();
        if let Some((old, _)) = self.kept.push(names, value) {
            self.names -= old.len();
        }
        while self.names > self.most && self.kept.len() > 1 {
            if let Some((old, _)) = self.kept.pop_lru() {
                self.names -= old.len();
            }
        }
    }

    /// Number of names of all lists.
    pub fn names(&self) -> usize {
        self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(name: &str, n: usize) -> Arc<[String]> {
        (0..n).map(|i| format!("{name}{i}")).collect()
    }

    #[test]
    fn lists_that_are_not_used_make_room() {
        let mut cache = ClassCache::new(10);
        cache.insert(list("a", 4), 'a');
        cache.insert(list("b", 4), 'b');
        assert_eq!(cache.get(&list("a", 4)), Some(&'a'));
        cache.insert(list("c", 4), 'c');
        assert_eq!(cache.get(&list("b", 4)), None);
        assert_eq!(cache.get(&list("a", 4)), Some(&'a'));
        assert_eq!(cache.names(), 8);
        cache.insert(list("c", 4), 'C');
        assert_eq!(cache.get(&list("c", 4)), Some(&'C'));
        assert_eq!(cache.names(), 8);
        cache.insert(list("large", 30), 'l');
        assert_eq!(cache.names(), 30);
        cache.insert(list("a", 1), 'x');
        assert_eq!(cache.names(), 1);
    }
}
