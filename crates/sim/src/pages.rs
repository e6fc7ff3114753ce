//! A vector in shared pages: a clone costs one pointer a page, and only pages that change after it are copied.
//! Keyframes of a run are clones, so what grows with a run (ledgers, logs, series) lives in these.

use std::rc::Rc;

const PAGE: usize = 512;

/// A growing vector whose clones share their pages until one side writes.
#[derive(Clone, Debug)]
pub struct Pages<T> {
    pages: Vec<Rc<Vec<T>>>,
    len: usize,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Pages { pages: Vec::new(), len: 0 }
    }
}

impl<T: Clone> Pages<T> {
    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends an item.
    pub fn push(&mut self, item: T) {
        if self.len.is_multiple_of(PAGE) {
            self.pages.push(Rc::new(Vec::with_capacity(PAGE)));
        }
        let last = self.pages.len() - 1;
        Rc::make_mut(&mut self.pages[last]).push(item);
        self.len += 1;
    }

    /// The item at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.pages.get(index / PAGE)?.get(index % PAGE)
    }

    /// The item at `index`, to be changed.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        Rc::make_mut(self.pages.get_mut(index / PAGE)?).get_mut(index % PAGE)
    }

    /// All items in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter())
    }

    /// The items from `start` on.
    pub fn iter_from(&self, start: usize) -> impl Iterator<Item = &T> {
        let first = (start / PAGE).min(self.pages.len());
        self.pages[first..].iter().flat_map(|page| page.iter()).skip(start.saturating_sub(first * PAGE))
    }

    /// Drops all items from `len` on.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        self.pages.truncate(len.div_ceil(PAGE));
        if !len.is_multiple_of(PAGE) {
            let last = self.pages.len() - 1;
            Rc::make_mut(&mut self.pages[last]).truncate(len % PAGE);
        }
        self.len = len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_its_items_when_the_other_changes() {
        let mut pages = Pages::default();
        (0..1500).for_each(|i| pages.push(i));
        let kept = pages.clone();
        *pages.get_mut(3).unwrap() = -1;
        pages.truncate(700);
        pages.push(9);
        assert_eq!((kept.len(), kept.get(3), kept.get(1499)), (1500, Some(&3), Some(&1499)));
        assert_eq!((pages.len(), pages.get(3), pages.get(700), pages.get(701)), (701, Some(&-1), Some(&9), None));
        assert_eq!(kept.iter_from(1498).copied().collect::<Vec<_>>(), [1498, 1499]);
        assert_eq!(kept.iter_from(5000).count(), 0);
    }
}
