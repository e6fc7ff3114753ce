//! A first-in-first-out line whose clones share what they have in common: keyframes of a run clone every queue.

use std::collections::VecDeque;
use std::rc::Rc;

const CHUNK: usize = 128;

/// A double-ended line in shared chunks. None of the chunks is empty but the only one, which is kept: most queues are
/// empty every other moment.
#[derive(Clone, Debug)]
pub struct Fifo<T> {
    chunks: VecDeque<Rc<VecDeque<T>>>,
    len: u64,
}

impl<T> Default for Fifo<T> {
    fn default() -> Self {
        Fifo { chunks: VecDeque::new(), len: 0 }
    }
}

impl<T: Clone> Fifo<T> {
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn front(&self) -> Option<&T> {
        self.chunks.front().and_then(|chunk| chunk.front())
    }

    pub fn push_back(&mut self, item: T) {
        self.len += 1;
        match self.chunks.back_mut() {
            Some(chunk) if chunk.len() < CHUNK => Rc::make_mut(chunk).push_back(item),
            _ => self.chunks.push_back(Rc::new(VecDeque::from([item]))),
        }
    }

    pub fn pop_front(&mut self) -> Option<T> {
        let chunk = self.chunks.front_mut()?;
        let item = Rc::make_mut(chunk).pop_front();
        if chunk.is_empty() && self.chunks.len() > 1 {
            self.chunks.pop_front();
        }
        self.len -= u64::from(item.is_some());
        item
    }

    /// Takes the item with this key out; the line is in the order of its keys.
    pub fn take_by(&mut self, wanted: u64, key: impl Fn(&T) -> u64) -> Option<T> {
        let found = self.chunks.iter().position(|chunk| chunk.back().is_some_and(|last| key(last) >= wanted))?;
        let chunk = Rc::make_mut(&mut self.chunks[found]);
        let at = chunk.partition_point(|other| key(other) < wanted);
        if chunk.get(at).map(&key) != Some(wanted) {
            return None;
        }
        let item = chunk.remove(at);
        if chunk.is_empty() {
            self.chunks.remove(found);
        }
        self.len -= 1;
        item
    }

    /// Puts an item in before the first one whose key is higher.
    pub fn insert_by(&mut self, item: T, key: impl Fn(&T) -> u64) {
        let place = key(&item);
        let found = self.chunks.iter().position(|chunk| chunk.back().is_some_and(|last| key(last) > place));
        let Some(found) = found else { return self.push_back(item) };
        self.len += 1;
        let chunk = Rc::make_mut(&mut self.chunks[found]);
        let at = chunk.partition_point(|other| key(other) < place);
        chunk.insert(at, item);
        if chunk.len() > 2 * CHUNK {
            let tail = chunk.split_off(CHUNK);
            self.chunks.insert(found + 1, Rc::new(tail));
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    pub fn get(&self, mut index: u64) -> Option<&T> {
        for chunk in &self.chunks {
            let len = chunk.len() as u64;
            if index < len {
                return chunk.get(index as usize);
            }
            index -= len;
        }
        None
    }

    /// Keeps what `keep` says, and lets it change what it keeps.
    pub fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        let old = std::mem::take(self);
        for chunk in old.chunks {
            for item in chunk.iter() {
                let mut item = item.clone();
                if keep(&mut item) {
                    self.push_back(item);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Fifo;

    #[test]
    fn items_come_in_order_and_go_back_to_their_places() {
        let mut line = Fifo::default();
        (0..1000u64).for_each(|n| line.push_back(n));
        let taken: Vec<u64> = (0..300).filter_map(|_| line.pop_front()).collect();
        let copy = line.clone();
        for n in taken.iter().rev().step_by(3) {
            line.insert_by(*n, |n| *n);
        }
        assert!(line.iter().zip(line.iter().skip(1)).all(|(a, b)| a < b));
        assert_eq!((line.len(), copy.len(), copy.front()), (800, 700, Some(&300)));
        assert_eq!(line.iter().count(), 800);
        assert_eq!(line.get(799), Some(&999));
    }
}
