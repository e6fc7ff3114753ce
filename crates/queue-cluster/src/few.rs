//! A list that mostly has one item, which then lies in the list itself.

use std::ops::Deref;

/// A list, read as a slice.
#[derive(Clone, Debug)]
pub enum Few<T> {
    One([T; 1]),
    Many(Vec<T>),
}

impl<T> Few<T> {
    pub fn one(item: T) -> Few<T> {
        Few::One([item])
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        match self {
            Few::One([item]) if keep(item) => {}
            Few::One(_) => *self = Few::Many(Vec::new()),
            Few::Many(items) => items.retain(keep),
        }
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(items: Vec<T>) -> Few<T> {
        Few::Many(items)
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Few::One(item) => item,
            Few::Many(items) => items,
        }
    }
}
