//! Lists without spare room: there are millions of them, and each is short.

use std::mem;
use std::ops::{Deref, DerefMut};

/// A list that takes the room of its items and none beside, but what the allocator rounds up to:
/// growing within that is free, as reallocating leaves a block where it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct List<T>(Box<[T]>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        Self(items.into_boxed_slice())
    }
}

impl<T> List<T> {
    fn change(&mut self, change: impl FnOnce(&mut Vec<T>)) {
        let mut items = mem::take(&mut self.0).into_vec();
        change(&mut items);
        self.0 = items.into_boxed_slice();
    }

    pub(super) fn insert(&mut self, at: usize, item: T) {
        self.change(|items| {
            items.reserve_exact(1);
            items.insert(at, item);
        });
    }

    pub(super) fn push(&mut self, item: T) {
        self.insert(self.len(), item);
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.change(|items| items.retain(keep));
    }

    /// Drops so many from the beginning.
    pub(super) fn drop_first(&mut self, count: usize) {
        if count > 0 {
            self.change(|items| drop(items.drain(..count)));
        }
    }
}

/// A list that most customers have no item of: empty, it takes eight bytes and nothing beside.
#[derive(Clone, Debug, PartialEq)]
pub struct ThinList<T>(Option<Box<List<T>>>);

impl<T> Default for ThinList<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Deref for ThinList<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_deref().map_or(&[], |list| list)
    }
}

impl<T> DerefMut for ThinList<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.as_deref_mut().map_or(&mut [], |list| list)
    }
}

impl<T> From<Vec<T>> for ThinList<T> {
    fn from(items: Vec<T>) -> Self {
        Self((!items.is_empty()).then(|| Box::new(items.into())))
    }
}

impl<T> ThinList<T> {
    /// Adds an item at the end.
    pub fn push(&mut self, item: T) {
        self.insert(self.len(), item);
    }

    /// Adds an item before the one at `at`.
    ///
    /// # Panics
    /// When `at` lies behind the end.
    pub fn insert(&mut self, at: usize, item: T) {
        self.0.get_or_insert_default().insert(at, item);
    }

    /// Drops the items that are not to be kept.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.change(|list| list.retain(keep));
    }

    /// Drops so many from the beginning.
    pub(super) fn drop_first(&mut self, count: usize) {
        self.change(|list| list.drop_first(count));
    }

    fn change(&mut self, change: impl FnOnce(&mut List<T>)) {
        if let Some(list) = &mut self.0 {
            change(list);
            if list.is_empty() {
                self.0 = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_takes_eight_bytes_whatever_it_held() {
        assert_eq!(size_of::<ThinList<[u64; 9]>>(), 8);
        let mut list = ThinList::default();
        for item in [3, 1, 2] {
            list.push(item);
        }
        list.insert(1, 9);
        assert_eq!(*list, [3, 9, 1, 2]);
        list.drop_first(1);
        list.retain(|item| *item != 1);
        assert_eq!(*list, [9, 2]);
        list[0] = 7;
        assert_eq!(list.first(), Some(&7));
        list.retain(|_| false);
        assert_eq!(list, ThinList(None));
        list.drop_first(0);
        assert!(list.is_empty());
        assert_eq!(ThinList::from(Vec::<u8>::new()), ThinList(None));
    }
}
