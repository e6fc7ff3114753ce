//! The group coordinator's own assignors: range and uniform (K-S1, K-S6, K-S7).

use super::hash_order::JavaMap;
use super::{Candidate, Part, Racks, client::range, same_topics};
use std::collections::BTreeSet;

/// K-S1, on the server, where nobody looks at racks.
#[must_use]
pub fn server_range(counts: &[u32], members: &[Candidate]) -> Vec<Vec<Part>> {
    range(counts, members, &Racks::default())
}

/// K-S6 or K-S7, as subscriptions agree or not. `topics` is the order in which topics are looked at.
#[must_use]
pub fn server_uniform(counts: &[u32], members: &[Candidate], topics: &[u32]) -> Vec<Vec<Part>> {
    if same_topics(members) { uniform(counts, members, topics) } else { heterogeneous(counts, members) }
}

fn count(counts: &[u32], topic: u32) -> u32 {
    counts.get(topic as usize).copied().unwrap_or(0)
}

/// K-S6: everybody subscribed to the same topics.
fn uniform(counts: &[u32], members: &[Candidate], topics: &[u32]) -> Vec<Vec<Part>> {
    let mut shares: Vec<Vec<Part>> = vec![Vec::new(); members.len()];
    let Some(first) = members.first() else { return shares };
    let wanted = || topics.iter().copied().filter(|topic| first.topics.contains(topic));
    let all: Vec<Part> =
        wanted().flat_map(|topic| (0..count(counts, topic)).map(move |partition| (topic, partition))).collect();
    let held: BTreeSet<Part> = members.iter().flat_map(|member| member.owned.iter().copied()).collect();
    let mut unassigned: Vec<Part> = all.iter().copied().filter(|part| !held.contains(part)).collect();
    let least = all.len() / members.len();
    let mut extras = all.len() % members.len();
    let mut unfilled: Vec<(usize, usize)> = Vec::new();
    for (place, member) in members.iter().enumerate() {
        let mut quota = least;
        let given_extra = extras > 0;
        if given_extra {
            quota += 1;
            extras -= 1;
        }
        for part in wanted().flat_map(|topic| in_set_order(member, topic, count(counts, topic))) {
            if quota > 0 {
                shares[place].push(part);
                quota -= 1;
            } else {
                unassigned.push(part);
            }
        }
        // Who has room left gives an extra back, as long as those after it can take it.
        if quota > 0 && given_extra && members.len() - 1 - place > extras {
            quota -= 1;
            extras += 1;
        }
        if quota > 0 {
            unfilled.push((place, quota));
        }
    }
    let mut next = unassigned.into_iter();
    for (place, quota) in unfilled {
        shares[place].extend(next.by_ref().take(quota));
    }
    shares
}

/// What a member owns of the partitions of a topic, in the order of the set that the coordinator reads it into.
fn in_set_order(member: &Candidate, topic: u32, count: u32) -> Vec<Part> {
    let owned: Vec<usize> =
        member.owned.iter().filter(|part| part.0 == topic).map(|(_, partition)| *partition as usize).collect();
    let mut set = JavaMap::of_collection(owned.len());
    owned.into_iter().for_each(|partition| set.put(partition, ()));
    let valid = set.keys().into_iter().map(|partition| (topic, partition as u32));
    valid.filter(|(_, partition)| *partition < count).collect()
}

/// How often the topics are gone through at the most.
const PASSES: usize = 16;

/// K-S7: subscriptions differ.
fn heterogeneous(counts: &[u32], members: &[Candidate]) -> Vec<Vec<Part>> {
    let takers = |topic: u32| -> Vec<usize> {
        (0..members.len()).filter(|place| members[*place].topics.contains(&topic)).collect()
    };
    let mut topics: Vec<(u32, Vec<usize>)> =
        (0..counts.len() as u32).map(|topic| (topic, takers(topic))).filter(|(_, takers)| !takers.is_empty()).collect();
    topics.sort_by(|(a, a_takers), (b, b_takers)| {
        // Partitions for each subscriber, most first, without a fraction: a/x > b/y as a·y > b·x.
        let left = u64::from(count(counts, *a)) * b_takers.len() as u64;
        let right = u64::from(count(counts, *b)) * a_takers.len() as u64;
        right.cmp(&left).then(a_takers.len().cmp(&b_takers.len())).then(a.cmp(b))
    });
    let mut shares: Vec<Vec<Part>> = members
        .iter()
        .map(|member| {
            let valid = |part: &&Part| member.topics.contains(&part.0) && part.1 < count(counts, part.0);
            member.owned.iter().filter(valid).copied().collect()
        })
        .collect();
    let held: BTreeSet<Part> = shares.iter().flatten().copied().collect();
    for (topic, takers) in &topics {
        let mut bands = Bands::new(takers, &shares);
        for part in (0..count(counts, *topic)).map(|partition| (*topic, partition)).filter(|part| !held.contains(part))
        {
            let taker = bands.next_taker(&shares);
            shares[taker].push(part);
        }
    }
    even_out(&topics, &mut shares);
    shares
}

/// Moves partitions of one topic after the other from large shares to small ones.
fn even_out(topics: &[(u32, Vec<usize>)], shares: &mut [Vec<Part>]) {
    for _ in 0..PASSES {
        let mut moved = false;
        for (topic, takers) in topics.iter().filter(|(_, takers)| takers.len() >= 2) {
            moved |= even_out_topic(*topic, takers, shares);
        }
        if !moved {
            return;
        }
    }
}

/// Two bands of members: those with the smallest shares, which take in turn, and those with the largest, which give in
/// turn from the last to the first. A band that has had its turn is one level nearer to the other, and takes in the
/// members that are on that level already.
struct Bands {
    /// Members by size, then place. Who has nothing to give is moved behind the giving band.
    order: Vec<usize>,
    takes: (usize, usize),
    take_level: usize,
    /// Start and end of the giving band, and how many of it have yet to give in this turn.
    gives: (usize, usize),
    give_next: usize,
    give_level: usize,
}

impl Bands {
    fn new(takers: &[usize], shares: &[Vec<Part>]) -> Bands {
        let mut order = takers.to_vec();
        order.sort_by_key(|place| (shares[*place].len(), *place));
        let size = |place: Option<&usize>| place.map_or(0, |place| shares[*place].len());
        let (take_level, give_level) = (size(order.first()), size(order.last()) + 1);
        let count = order.len();
        // One level outside each: the first turn of a band begins by taking its first members in.
        Bands { order, takes: (0, 0), take_level, gives: (count, count), give_next: count, give_level }
    }

    fn next_taker(&mut self, shares: &[Vec<Part>]) -> usize {
        if self.takes.0 >= self.takes.1 {
            if self.takes.1 > 0 {
                self.take_level += 1;
            }
            let on_level = |place: &&usize| shares[**place].len() == self.take_level;
            self.takes.1 += self.order[self.takes.1..].iter().take_while(on_level).count();
            self.takes.0 = 0;
        }
        self.takes.0 += 1;
        self.order[self.takes.0 - 1]
    }

    /// The next member that has a partition of the topic to give.
    fn next_giver(&mut self, topic: u32, shares: &[Vec<Part>]) -> Option<usize> {
        loop {
            if self.give_next <= self.gives.0 {
                if self.gives.1 <= self.gives.0 && self.gives.0 > 0 {
                    self.give_level = self.give_level.min(shares[self.order[self.gives.0 - 1]].len());
                } else {
                    self.give_level = self.give_level.saturating_sub(1);
                }
                let on_level = |place: &&usize| shares[**place].len() == self.give_level;
                self.gives.0 -= self.order[..self.gives.0].iter().rev().take_while(on_level).count();
                self.give_next = self.gives.1;
            }
            let giver = *self.order.get(self.give_next.checked_sub(1)?)?;
            self.give_next -= 1;
            if shares[giver].iter().any(|part| part.0 == topic) {
                return Some(giver);
            }
            self.gives.1 -= 1;
            self.order.swap(self.give_next, self.gives.1);
        }
    }

    fn are_level(&self) -> bool {
        self.give_level <= self.take_level + 1
    }
}

fn even_out_topic(topic: u32, takers: &[usize], shares: &mut [Vec<Part>]) -> bool {
    let mut bands = Bands::new(takers, shares);
    let mut moved = false;
    while let Some(giver) = bands.next_giver(topic, shares) {
        let taker = bands.next_taker(shares);
        if bands.are_level() {
            break;
        }
        let highest = shares[giver].iter().copied().filter(|part| part.0 == topic).max();
        let Some(part) = highest else { break };
        shares[giver].retain(|held| *held != part);
        shares[taker].push(part);
        moved = true;
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::super::candidate;
    use super::*;

    #[test]
    fn k_s6_what_is_kept_is_the_first_of_a_set() {
        let parts = |numbers: &[u32]| numbers.iter().map(|number| (0, *number)).collect::<Vec<Part>>();
        let first: Vec<Part> = (9..18).map(|number| (0, number)).collect();
        let second: Vec<Part> = (0..9).map(|number| (0, number)).collect();
        let members =
            [candidate("a", &[0], &first, -1), candidate("b", &[0], &second, -1), candidate("c", &[0], &[], -1)];
        let shares = server_uniform(&[20], &members, &[0]);
        // Sixteen bins: 16 and 17 come before 9.
        assert_eq!(shares[0], parts(&[16, 17, 9, 10, 11, 12, 13]));
        assert_eq!(shares[1], parts(&[0, 1, 2, 3, 4, 5, 6]));
        // In the order in which they were given up, behind those that nobody had.
        assert_eq!(shares[2], parts(&[18, 19, 14, 15, 7, 8]));
    }
}
