//! A queue in shared pages: a clone costs one pointer a page. What grows with what is outstanding lives in these.

use std::collections::VecDeque;
use std::rc::Rc;

const PAGE: usize = 512;

/// A queue whose clones share their pages until one side writes.
#[derive(Clone, Debug)]
pub(crate) struct SharedQueue<T> {
    pages: VecDeque<Rc<Vec<T>>>,
    /// Items of the first page that are gone.
    gone: usize,
}

impl<T> Default for SharedQueue<T> {
    fn default() -> Self {
        SharedQueue { pages: VecDeque::new(), gone: 0 }
    }
}

impl<T: Copy> SharedQueue<T> {
    pub fn push_back(&mut self, item: T) {
        match self.pages.back_mut().filter(|page| page.len() < PAGE) {
            Some(page) => Rc::make_mut(page).push(item),
            None => {
                let mut page = Vec::with_capacity(PAGE);
                page.push(item);
                self.pages.push_back(Rc::new(page));
            }
        }
    }

    pub fn len(&self) -> usize {
        self.pages.iter().map(|page| page.len()).sum::<usize>() - self.gone
    }

    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flat_map(|page| page.iter()).skip(self.gone)
    }

    pub fn clear(&mut self) {
        *self = SharedQueue::default();
    }

    pub fn front(&self) -> Option<&T> {
        self.pages.front()?.get(self.gone)
    }

    pub fn front_mut(&mut self) -> Option<&mut T> {
        Rc::make_mut(self.pages.front_mut()?).get_mut(self.gone)
    }

    pub fn back_mut(&mut self) -> Option<&mut T> {
        Rc::make_mut(self.pages.back_mut()?).last_mut()
    }

    pub fn pop_front(&mut self) -> Option<T> {
        let page = self.pages.front()?;
        let item = *page.get(self.gone)?;
        self.gone += 1;
        if self.gone == page.len() {
            self.pages.pop_front();
            self.gone = 0;
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_queue_and_clones_keep_what_they_had() {
        let mut queue = SharedQueue::default();
        (0..1_500).for_each(|item| queue.push_back(item));
        let mut kept = queue.clone();
        assert!((0..1_500).all(|item| queue.front() == Some(&item) && queue.pop_front() == Some(item)));
        assert_eq!((queue.front().copied(), queue.pop_front(), queue.is_empty(), queue.len()), (None, None, true, 0));
        queue.push_back(7);
        assert_eq!((queue.pop_front(), queue.pop_front()), (Some(7), None));
        assert!((0..700).all(|item| kept.pop_front() == Some(item)));
        assert_eq!((kept.len(), kept.iter().copied().collect::<Vec<_>>()), (800, (700..1_500).collect()));
    }
}
