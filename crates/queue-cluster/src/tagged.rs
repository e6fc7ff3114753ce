//! A sorted map from numbers that mostly count up and mostly leave in order: delivery tags, confirms, places.
//!
//! Such numbers lie nearly dense, so that a number's distance from the first one tells where it is. What is taken out
//! from the middle leaves a hole until holes are as many as items: memory follows what is open, not what has passed.

use std::collections::VecDeque;

/// Holes that are left alone: tidying up for fewer is not worth it.
const HOLES: usize = 32;

/// Items by their numbers, in order.
#[derive(Clone, Debug)]
pub struct Tagged<T> {
    /// By rising numbers; the first is no hole.
    slots: VecDeque<(u64, Option<T>)>,
    len: usize,
}

impl<T> Default for Tagged<T> {
    fn default() -> Self {
        Tagged { slots: VecDeque::new(), len: 0 }
    }
}

impl<T> Tagged<T> {
    pub fn len(&self) -> usize {
        self.len
    }

    /// Where the number is: at its distance from the first one, or before that.
    fn find(&self, number: u64) -> Result<usize, usize> {
        let Some((first, _)) = self.slots.front() else { return Err(0) };
        let Some(distance) = number.checked_sub(*first) else { return Err(0) };
        let last = self.slots.len() - 1;
        let guess = usize::try_from(distance).map_or(last, |distance| distance.min(last));
        match self.slots[guess].0 {
            found if found == number => Ok(guess),
            before if before < number => Err(guess + 1),
            _ => self.slots.binary_search_by_key(&number, |(number, _)| *number),
        }
    }

    pub fn get(&self, number: &u64) -> Option<&T> {
        self.slots[self.find(*number).ok()?].1.as_ref()
    }

    pub fn get_mut(&mut self, number: &u64) -> Option<&mut T> {
        let place = self.find(*number).ok()?;
        self.slots[place].1.as_mut()
    }

    pub fn insert(&mut self, number: u64, item: T) {
        if self.slots.back().is_none_or(|(last, _)| *last < number) {
            self.slots.push_back((number, Some(item)));
            self.len += 1;
            return;
        }
        match self.find(number) {
            Ok(place) => self.len += usize::from(self.slots[place].1.replace(item).is_none()),
            Err(place) => {
                self.slots.insert(place, (number, Some(item)));
                self.len += 1;
            }
        }
    }

    pub fn remove(&mut self, number: &u64) -> Option<T> {
        self.remove_if(number, |_| true)
    }

    /// Takes an item out if it is the right one.
    #[inline]
    pub fn remove_if(&mut self, number: &u64, is_right: impl FnOnce(&T) -> bool) -> Option<T> {
        let (first, item) = self.slots.front_mut()?;
        let slot = if first == number {
            item
        } else {
            let place = self.find(*number).ok()?;
            &mut self.slots[place].1
        };
        let item = if is_right(slot.as_ref()?) { slot.take() } else { None }?;
        self.len -= 1;
        self.tidy();
        Some(item)
    }

    #[inline]
    fn tidy(&mut self) {
        while self.slots.front().is_some_and(|(_, item)| item.is_none()) {
            self.slots.pop_front();
        }
        if self.slots.len() > 2 * self.len + HOLES {
            self.slots.retain(|(_, item)| item.is_some());
        }
    }

    /// Takes all items up to a number out, in order.
    pub fn take_upto(&mut self, number: u64) -> Vec<T> {
        let mut taken = Vec::new();
        while let Some((first, _)) = self.slots.front()
            && *first <= number
        {
            taken.extend(self.slots.pop_front().and_then(|(_, item)| item));
        }
        self.len -= taken.len();
        self.tidy();
        taken
    }

    pub fn iter(&self) -> impl Iterator<Item = (&u64, &T)> + Clone {
        self.slots.iter().filter_map(|(number, item)| Some((number, item.as_ref()?)))
    }

    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|(_, item)| item.as_ref())
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|(_, item)| item.as_mut())
    }

    pub fn into_values(self) -> impl DoubleEndedIterator<Item = T> {
        self.slots.into_iter().filter_map(|(_, item)| item)
    }

    pub fn keys(&self) -> impl Iterator<Item = &u64> {
        self.iter().map(|(number, _)| number)
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&u64, &mut T) -> bool) {
        self.slots.retain_mut(|(number, item)| item.as_mut().is_some_and(|item| keep(number, item)));
        self.len = self.slots.len();
    }

    pub fn clear(&mut self) {
        self.slots.clear();
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::Tagged;
    use sim::Dice;
    use std::collections::BTreeMap;

    /// Random insertions and removals against a sorted map, which is the specification.
    #[test]
    fn it_is_a_sorted_map() {
        let mut dice = Dice::named(1, "tagged", &[]);
        let (mut tagged, mut model, mut next) = (Tagged::default(), BTreeMap::new(), 0);
        for round in 0..50_000u64 {
            match dice.below(8) {
                0..3 => {
                    next += 1 + dice.below(4) / 3;
                    tagged.insert(next, round);
                    model.insert(next, round);
                }
                3 => {
                    let back = next - dice.below(60).min(next);
                    tagged.insert(back, round);
                    model.insert(back, round);
                }
                4 if round % 50 == 0 => {
                    let upto = next - dice.below(90).min(next);
                    let rest = model.split_off(&(upto + 1));
                    let taken: Vec<u64> = std::mem::replace(&mut model, rest).into_values().collect();
                    assert_eq!(tagged.take_upto(upto), taken);
                }
                5 if round % 300 == 0 => {
                    tagged.retain(|number, _| number % 3 > 0);
                    model.retain(|number, _| number % 3 > 0);
                }
                _ => {
                    let number = next - dice.below(100).min(next);
                    assert_eq!(tagged.get(&number), model.get(&number));
                    assert_eq!(tagged.get_mut(&number), model.get_mut(&number));
                    assert_eq!(tagged.remove(&number), model.remove(&number));
                }
            }
            assert_eq!(tagged.len(), model.len());
            if round % 100 == 0 {
                assert!(tagged.iter().eq(model.iter()) && tagged.keys().next() == model.keys().next());
                assert!(tagged.values().eq(model.values()) && tagged.clone().into_values().eq(model.values().copied()));
            }
        }
    }

    #[test]
    fn one_old_item_does_not_keep_what_has_passed() {
        let mut tagged = Tagged::default();
        tagged.insert(0, ());
        for number in 1..100_000 {
            tagged.insert(number, ());
            tagged.remove(&number);
        }
        assert!(tagged.slots.len() < 100, "{}", tagged.slots.len());
    }
}
