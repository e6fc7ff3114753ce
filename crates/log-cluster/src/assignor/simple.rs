//! The share group's assignor, Simple (K-S8): a partition may be given to many members.

use super::hash_order::{JavaHash, JavaMap};
use super::{Candidate, Part, same_topics};

/// K-S8. `topics` is the order in which topics are looked at, `hashes` the hash code of each topic's id, by place
/// the order of partitions is that of a hash map of both. The order of what a member owns counts where two of
/// its partitions fall into one bin.
#[must_use]
pub fn share_simple(counts: &[u32], members: &[Candidate], topics: &[u32], hashes: &[u32]) -> Vec<Vec<Part>> {
    let count = |topic: u32| counts.get(topic as usize).copied().unwrap_or(0);
    let wants = |place: &usize, topic: u32| members[*place].topics.contains(&topic);
    let mut shares: Vec<Vec<Part>> = members.iter().map(|member| member.owned.clone()).collect();
    let is_wanted = |topic: u32| count(topic) > 0 && (0..members.len()).any(|place| wants(&place, topic));
    let wanted: Vec<u32> = topics.iter().copied().filter(|topic| is_wanted(*topic)).collect();
    if wanted.is_empty() {
        return vec![Vec::new(); members.len()];
    }
    if same_topics(members) {
        // All topics at once; what is not subscribed any more is given up.
        shares.iter_mut().for_each(|share| share.retain(|part| wanted.contains(&part.0)));
        let key = |part: Part| Key::new(hashes.get(part.0 as usize).copied().unwrap_or(0), part);
        let targets: Vec<Key> =
            wanted.iter().flat_map(|topic| (0..count(*topic)).map(move |partition| key((*topic, partition)))).collect();
        let all: Vec<usize> = (0..members.len()).collect();
        let held = shares.iter().map(|share| share.iter().copied().map(key).collect()).collect();
        Dealer::new(&all, &targets, held).run(&targets, &mut shares);
        return shares;
    }
    // One topic after the other, with numbers as keys; what nobody wants any more is not looked at, and stays.
    for topic in wanted {
        let key = |part: Part| Key::new(0, part);
        let targets: Vec<Key> = (0..count(topic)).map(|partition| key((topic, partition))).collect();
        let takers: Vec<usize> = (0..members.len()).filter(|place| wants(place, topic)).collect();
        let of_topic = |share: &Vec<Part>| share.iter().copied().filter(|part| part.0 == topic).map(key).collect();
        let held = shares.iter().map(of_topic).collect();
        Dealer::new(&takers, &targets, held).run(&targets, &mut shares);
    }
    shares
}

/// A partition as a key of a hash map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    hash: u32,
    part: Part,
}

impl Key {
    /// A record's hash code: 31 for each field before. A hash of 0 makes it that of the number alone.
    fn new(topic: u32, part: Part) -> Key {
        Key { hash: topic.wrapping_mul(31).wrapping_add(part.1), part }
    }
}

impl JavaHash for Key {
    fn hash_code(&self) -> u32 {
        self.hash
    }
}

/// Shares some partitions out over the members that want them.
struct Dealer {
    /// How many members are to share each partition.
    sharing: usize,
    /// How many partitions each member is to have; none if it does not want them.
    desired: Vec<usize>,
    by_part: JavaMap<Key, JavaMap<usize, ()>>,
    by_member: Vec<JavaMap<Key, ()>>,
}

impl Dealer {
    fn new(takers: &[usize], targets: &[Key], held: Vec<Vec<Key>>) -> Dealer {
        let sharing = if targets.is_empty() { 0 } else { takers.len().div_ceil(targets.len()) };
        let mut desired = vec![0; held.len()];
        let each = Double::ratio((sharing * targets.len()) as u64, takers.len() as u64);
        for (turn, place) in (0u64..).zip(takers) {
            desired[*place] = (each.times(turn + 1).ceil() - each.times(turn).ceil()) as usize;
        }
        let mut by_part = JavaMap::sized(targets.len());
        let mut by_member = Vec::new();
        for (place, keys) in held.into_iter().enumerate() {
            let mut own = JavaMap::new();
            for key in keys {
                by_part.or_put_first(key, JavaMap::new).put(place, ());
                own.put(key, ());
            }
            by_member.push(own);
        }
        Dealer { sharing, desired, by_part, by_member }
    }

    fn run(mut self, targets: &[Key], shares: &mut [Vec<Part>]) {
        self.empty_the_overfull(shares);
        self.thin_the_overshared(shares);
        for key in targets {
            self.by_part.or_put_first(*key, JavaMap::new);
        }
        self.fill(shares);
    }

    fn revoke(&mut self, key: Key, place: usize, shares: &mut [Vec<Part>]) {
        shares[place].retain(|part| *part != key.part);
        self.by_member[place].remove(key);
        if let Some(holders) = self.by_part.get_mut(key) {
            holders.remove(place);
        }
    }

    /// Who has more than its number gives up the first of them.
    fn empty_the_overfull(&mut self, shares: &mut [Vec<Part>]) {
        for place in 0..self.desired.len() {
            let surplus = self.by_member[place].len().saturating_sub(self.desired[place]);
            for key in self.by_member[place].keys().into_iter().take(surplus) {
                self.revoke(key, place, shares);
            }
        }
    }

    /// A partition with too many members loses the first of them.
    fn thin_the_overshared(&mut self, shares: &mut [Vec<Part>]) {
        for key in self.by_part.keys() {
            let holders = self.by_part.get_mut(key).map_or(Vec::new(), |holders| holders.keys());
            let surplus = holders.len().saturating_sub(self.sharing);
            for place in holders.into_iter().take(surplus) {
                self.revoke(key, place, shares);
            }
        }
    }

    /// Deals what is not shared enough, in turn, to those who have too little. Who had the partition before is passed
    /// over; a round in which nobody could take it ends with it being shared less. Who was dealt it just now is not
    /// known to have it, so that it may be dealt to the same member again: it then counts twice, and is shared less.
    fn fill(&mut self, shares: &mut [Vec<Part>]) {
        let mut unfilled = JavaMap::sized(self.desired.len());
        for (place, desired) in self.desired.iter().enumerate() {
            if self.by_member[place].len() < *desired {
                unfilled.put(place, ());
            }
        }
        let mut round = unfilled.keys().into_iter();
        let mut dealt = false;
        for key in self.by_part.keys() {
            let Some(holders) = self.by_part.get_mut(key) else { continue };
            let mut missing = self.sharing.saturating_sub(holders.len());
            while missing > 0 && !unfilled.is_empty() {
                let Some(place) = round.next() else {
                    if !dealt {
                        break;
                    }
                    round = unfilled.keys().into_iter();
                    dealt = false;
                    continue;
                };
                if holders.contains(place) {
                    continue;
                }
                missing -= 1;
                dealt = true;
                if !self.by_member[place].contains(key) {
                    self.by_member[place].put(key, ());
                    shares[place].push(key.part);
                }
                if self.by_member[place].len() >= self.desired[place] {
                    unfilled.remove(place);
                }
            }
        }
    }
}

/// A `double` that is not negative, as `mantissa` · 2^-`scale`: the numbers for each member come from its rounding,
/// seven members of 29 partitions already.
#[derive(Clone, Copy)]
struct Double {
    mantissa: u128,
    scale: u32,
}

/// Bits of a double's mantissa.
const PRECISION: u32 = 53;

impl Double {
    /// The nearest double of `above` / `below`, ties to even; 0 of nothing.
    fn ratio(above: u64, below: u64) -> Double {
        const SCALE: u32 = 64;
        let (above, below) = (u128::from(above) << SCALE, u128::from(below.max(1)));
        // What is left over counts as more than half of the last bit if it is tied otherwise.
        let sticky = u128::from(!above.is_multiple_of(below));
        Double::nearest((above / below) << 1 | sticky, SCALE + 1)
    }

    fn times(self, factor: u64) -> Double {
        Double::nearest(self.mantissa * u128::from(factor), self.scale)
    }

    fn nearest(exact: u128, scale: u32) -> Double {
        let bits = u128::BITS - exact.leading_zeros();
        let Some(cut) = bits.checked_sub(PRECISION).filter(|cut| *cut > 0) else {
            return Double { mantissa: exact, scale };
        };
        let (kept, rest, half) = (exact >> cut, exact & ((1 << cut) - 1), 1u128 << (cut - 1));
        let up = rest > half || rest == half && kept & 1 == 1;
        let mantissa = kept + u128::from(up);
        // A whole number of more than 53 bits does not come up: there are not so many partitions.
        Double { mantissa, scale: scale.saturating_sub(cut) }
    }

    fn ceil(self) -> u64 {
        (self.mantissa.div_ceil(1 << self.scale)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k_s8_if_no_topic_is_there_nobody_keeps_anything() {
        use super::super::candidate;
        let members = [candidate("a", &[0], &[(0, 1)], -1), candidate("b", &[1], &[(1, 0)], -1)];
        assert_eq!(share_simple(&[0, 0], &members, &[0, 1], &[]), [vec![], vec![]]);
        // Where one is, what is owned of the other stays, though it is not there.
        assert_eq!(share_simple(&[0, 1], &members, &[0, 1], &[]), [vec![(0, 1)], vec![(1, 0)]]);
    }

    #[test]
    fn k_s8_numbers_round_as_doubles_do() {
        let numbers = |partitions: u64, members: u64| -> Vec<u64> {
            let each = Double::ratio(partitions, members);
            (0..members).map(|turn| each.times(turn + 1).ceil() - each.times(turn).ceil()).collect()
        };
        assert_eq!(numbers(7, 5), [2, 1, 2, 1, 1]);
        // 29/7 is a little more as a double: seven times that is more than 29, and one more is asked for.
        assert_eq!(numbers(29, 7), [5, 4, 4, 4, 4, 4, 5]);
        assert_eq!(numbers(0, 3), [0, 0, 0]);
        assert_eq!(numbers(6, 3), [2, 2, 2]);
    }
}
