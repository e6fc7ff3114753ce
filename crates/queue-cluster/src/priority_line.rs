//! A line in which those of higher priority stand before the others, and first come first within one priority.

use std::collections::VecDeque;

/// Items with priorities, highest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriorityLine<T> {
    items: VecDeque<(i32, T)>,
}

impl<T> Default for PriorityLine<T> {
    fn default() -> Self {
        PriorityLine { items: VecDeque::new() }
    }
}

impl<T: PartialEq> PriorityLine<T> {
    /// To the tail of its priority.
    pub fn push(&mut self, priority: i32, item: T) {
        // The line is short, and mostly the new one goes to the very end.
        let mut at = self.items.len();
        while at > 0 && self.items[at - 1].0 < priority {
            at -= 1;
        }
        self.items.insert(at, (priority, item));
    }

    /// Puts back what [`PriorityLine::pop`] took.
    pub fn put_back(&mut self, priority: i32, item: T) {
        self.items.push_front((priority, item));
    }

    pub fn pop(&mut self) -> Option<(i32, T)> {
        self.items.pop_front()
    }

    pub fn front(&self) -> Option<&T> {
        self.items.front().map(|(_, item)| item)
    }

    pub fn contains(&self, item: &T) -> bool {
        self.items.iter().any(|(_, other)| other == item)
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.items.retain(|(_, item)| keep(item));
    }

    pub fn iter(&self) -> impl Iterator<Item = &(i32, T)> {
        self.items.iter()
    }
}
