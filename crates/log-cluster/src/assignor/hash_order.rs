//! The order in which Java's `HashMap` and `HashSet` are gone through, for the answers that hang on it.
//!
//! A table has a power of two of bins; a key lies in the bin that the low bits of its spread hash name, and bins are
//! gone through one after the other. What is not followed: a bin of eight and more in a table of 64 and more becomes a
//! tree, which takes hashes that no topic's consecutive partitions have.

/// What a key's `hashCode` is.
pub(super) trait JavaHash: Copy + Eq {
    fn hash_code(&self) -> u32;
}

/// An `Integer` is its own hash.
impl JavaHash for usize {
    fn hash_code(&self) -> u32 {
        *self as u32
    }
}

/// A text by its place, with its hash.
#[derive(Copy, Clone, PartialEq, Eq)]
struct Text(u32, usize);

impl JavaHash for Text {
    fn hash_code(&self) -> u32 {
        self.0
    }
}

/// A text's hash code in Java, such as that of a topic's name.
#[must_use]
pub fn text_hash(text: &str) -> u32 {
    crate::layout::java_hash(text).cast_unsigned()
}

/// The places of texts in the order in which a hash map of them is gone through.
pub(crate) fn java_order(texts: &[std::rc::Rc<str>]) -> Vec<usize> {
    let mut map = JavaMap::new();
    for (place, text) in texts.iter().enumerate() {
        map.put(Text(text_hash(text), place), ());
    }
    map.keys().into_iter().map(|text| text.1).collect()
}

/// A map, or with values of `()` a set.
#[derive(Clone, Debug)]
pub(super) struct JavaMap<K, V> {
    bins: Vec<Vec<(K, V)>>,
    len: usize,
}

/// Bins of a table that nobody gave a size.
const DEFAULT_BINS: usize = 16;

impl<K: JavaHash, V> JavaMap<K, V> {
    pub fn new() -> JavaMap<K, V> {
        JavaMap::of_bins(DEFAULT_BINS)
    }

    /// As the assignors size a table for `expected` keys: a load of three quarters, and room for one more.
    pub fn sized(expected: usize) -> JavaMap<K, V> {
        JavaMap::of_bins(((expected + 1) * 4 / 3 + 1).next_power_of_two())
    }

    /// As a set that is made from a collection of so many: a load of three quarters, and never less than the usual.
    pub fn of_collection(len: usize) -> JavaMap<K, V> {
        JavaMap::of_bins((len * 4 / 3 + 1).next_power_of_two().max(DEFAULT_BINS))
    }

    fn of_bins(count: usize) -> JavaMap<K, V> {
        let mut bins = Vec::new();
        bins.resize_with(count, Vec::new);
        JavaMap { bins, len: 0 }
    }

    fn bin(&self, key: K) -> usize {
        let hash = key.hash_code();
        (hash ^ (hash >> 16)) as usize & (self.bins.len() - 1)
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn contains(&self, key: K) -> bool {
        self.bins[self.bin(key)].iter().any(|(known, _)| *known == key)
    }

    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let bin = self.bin(key);
        self.bins[bin].iter_mut().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// All keys, in order.
    pub fn keys(&self) -> Vec<K> {
        self.bins.iter().flatten().map(|(key, _)| *key).collect()
    }

    /// `put`: a new key goes to the end of its bin, and a table that is too full then grows.
    pub fn put(&mut self, key: K, value: V) {
        if let Some(old) = self.get_mut(key) {
            *old = value;
            return;
        }
        let bin = self.bin(key);
        self.bins[bin].push((key, value));
        self.len += 1;
        self.grow_if_full();
    }

    /// `computeIfAbsent`: a table that is too full grows first, and a new key goes to the *front* of its bin.
    pub fn or_put_first(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        self.grow_if_full();
        let bin = self.bin(key);
        let known = self.bins[bin].iter().position(|(known, _)| *known == key);
        let place = known.unwrap_or_else(|| {
            self.bins[bin].insert(0, (key, value()));
            self.len += 1;
            0
        });
        &mut self.bins[bin][place].1
    }

    pub fn remove(&mut self, key: K) {
        let bin = self.bin(key);
        let before = self.bins[bin].len();
        self.bins[bin].retain(|(known, _)| *known != key);
        self.len -= before - self.bins[bin].len();
    }

    /// Doubles the bins beyond three quarters; what stays together keeps its order.
    fn grow_if_full(&mut self) {
        if self.len <= self.bins.len() * 3 / 4 {
            return;
        }
        let mut wider = JavaMap::of_bins(self.bins.len() * 2);
        for (key, value) in std::mem::take(&mut self.bins).into_iter().flatten() {
            let bin = wider.bin(key);
            wider.bins[bin].push((key, value));
        }
        wider.len = self.len;
        *self = wider;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_4_a_table_is_gone_through_bin_by_bin() {
        let mut set = JavaMap::new();
        for key in [33usize, 2, 17, 1] {
            set.put(key, ());
        }
        assert_eq!(set.keys(), [33, 17, 1, 2]);
        (3..12).for_each(|key| set.put(key, ()));
        // Thirteen are too many for 16 bins: of 32, the second half begins with 17.
        assert_eq!(set.keys(), [33, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 17]);
        set.remove(33);
        assert!(!set.contains(33) && set.contains(17) && set.len() == 12);
    }

    #[test]
    fn x_4_what_is_computed_if_absent_goes_to_the_front_of_its_bin() {
        let mut map = JavaMap::sized(2);
        for key in [1usize, 9, 2, 1] {
            map.or_put_first(key, || key);
        }
        assert_eq!(map.keys(), [9, 1, 2]);
    }
}
