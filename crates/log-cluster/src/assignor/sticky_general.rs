//! The sticky assignors when subscriptions differ (K-S4).

use super::hash_order::{JavaHash, JavaMap};
use super::sticky::{Claims, unassigned};
use super::{Candidate, Part, Racks, by_id, take_one};
use std::collections::{BTreeMap, BTreeSet};

/// The work in progress.
struct Balancer<'a> {
    counts: &'a [u32],
    members: &'a [Candidate],
    /// Where they matter.
    racks: Option<&'a Racks>,
    /// A member's place in the order of the ids.
    rank: Vec<usize>,
    shares: Vec<Vec<Part>>,
    owner: BTreeMap<Part, usize>,
    /// Members whose shares can change.
    open: BTreeSet<usize>,
    /// Who had a partition before, in an older generation.
    before: BTreeMap<Part, (usize, i32)>,
    /// Whether some partition is in two shares, or twice in one.
    doubled: bool,
    /// From where to where each partition was moved so far.
    moves: BTreeMap<Part, (usize, usize)>,
    /// What was moved so, by topic and way: never an empty set.
    moved: BTreeMap<(u32, usize, usize), JavaMap<Moved, ()>>,
    /// Hash codes of the topics' names.
    hashes: &'a [u32],
}

/// A partition with its hash code: 31 for each field before, from 1 on.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Moved {
    hash: u32,
    part: Part,
}

impl JavaHash for Moved {
    fn hash_code(&self) -> u32 {
        self.hash
    }
}

/// Shares out, keeping what can be kept.
pub(super) fn balance(
    counts: &[u32],
    members: &[Candidate],
    claims: &Claims,
    known: (Option<&Racks>, &[u32]),
) -> Vec<Vec<Part>> {
    let mut balancer = Balancer::new(counts, members, claims, known);
    balancer.remember_older(claims.last_generation);
    balancer.run()
}

impl<'a> Balancer<'a> {
    fn new(
        counts: &'a [u32],
        members: &'a [Candidate],
        claims: &Claims,
        (racks, hashes): (Option<&'a Racks>, &'a [u32]),
    ) -> Balancer<'a> {
        let order = by_id(members);
        let mut rank = vec![0; members.len()];
        order.iter().enumerate().for_each(|(turn, place)| rank[*place] = turn);
        Balancer {
            counts,
            members,
            racks,
            rank,
            shares: claims.kept.clone(),
            owner: BTreeMap::new(),
            open: (0..members.len()).collect(),
            before: BTreeMap::new(),
            doubled: false,
            moves: BTreeMap::new(),
            moved: BTreeMap::new(),
            hashes,
        }
    }

    fn remember_older(&mut self, last: i32) {
        for (place, member) in self.members.iter().enumerate().filter(|(_, member)| member.generation < last) {
            for part in &member.owned {
                let known = self.before.get(part).map(|(_, generation)| *generation);
                if known.is_none_or(|known| member.generation > known) {
                    self.before.insert(*part, (place, member.generation));
                }
            }
        }
    }

    fn takers(&self, topic: u32) -> Vec<usize> {
        (0..self.members.len()).filter(|place| self.members[*place].topics.contains(&topic)).collect()
    }

    fn count(&self, topic: u32) -> u32 {
        self.counts.get(topic as usize).copied().unwrap_or(0)
    }

    /// The member with the smallest share, ties by id, among those that subscribed.
    fn least_loaded(&self, topic: u32, may: impl Fn(usize) -> bool) -> Option<usize> {
        let takers =
            self.open.iter().copied().filter(|place| self.members[*place].topics.contains(&topic) && may(*place));
        takers.min_by_key(|place| (self.shares[*place].len(), self.rank[*place]))
    }

    /// Whether a member is in a rack without a replica of the partition, where that matters.
    fn misses(&self, place: usize, part: Part) -> bool {
        self.racks.is_some_and(|racks| racks.misses(&self.members[place], part))
    }

    fn give(&mut self, part: Part, place: usize) {
        self.shares[place].push(part);
        self.owner.insert(part, place);
    }

    fn run(mut self) -> Vec<Vec<Part>> {
        let mut forced = false;
        for place in 0..self.members.len() {
            let held = std::mem::take(&mut self.shares[place]);
            for part in held {
                if self.count(part.0) == 0 {
                    continue;
                }
                if self.members[place].topics.contains(&part.0) && !self.misses(place, part) {
                    self.give(part, place);
                } else {
                    forced = true;
                }
            }
        }
        let mut topics: Vec<(usize, u32)> = (0..self.counts.len() as u32)
            .map(|topic| (self.takers(topic).len(), topic))
            .filter(|(takers, _)| *takers > 0)
            .collect();
        topics.sort_unstable();
        let all: Vec<Part> =
            topics.iter().flat_map(|(_, topic)| (0..self.count(*topic)).map(|partition| (*topic, partition))).collect();
        let mut fresh = unassigned(&all, &self.shares, |part| (self.takers(part.0).len(), part));
        let initializing = self.shares.iter().all(Vec::is_empty);
        // First with racks that match, then whatever is left.
        let passes: &[bool] = if self.racks.is_some() { &[true, false] } else { &[false] };
        let mut left = fresh.clone();
        for strict in passes.iter().copied() {
            left.retain(|part| {
                let place = self.least_loaded(part.0, |place| !strict || !self.misses(place, *part));
                place.inspect(|place| self.give(*part, *place)).is_none()
            });
        }
        self.doubled = self.shares.iter().map(Vec::len).sum::<usize>() > self.owner.len();
        let shared = |part: &Part| topics.iter().any(|(takers, topic)| *topic == part.0 && *takers >= 2);
        let movable: Vec<Part> = all.iter().copied().filter(shared).collect();
        fresh.retain(shared);
        let fixed: Vec<usize> = (0..self.members.len()).filter(|place| !self.can_change(*place)).collect();
        self.open.retain(|place| !fixed.contains(place));
        let kept = (self.shares.clone(), self.owner.clone());
        if !forced {
            self.reassign(&fresh);
        }
        let changed = self.reassign(&movable);
        if !initializing && changed && self.score(&self.shares) >= self.score(&kept.0) {
            (self.shares, self.owner) = kept;
        }
        self.shares
    }

    fn room(&self, place: usize) -> usize {
        self.members[place].topics.iter().map(|topic| self.count(*topic) as usize).sum()
    }

    fn can_change(&self, place: usize) -> bool {
        self.shares[place].len() < self.room(place)
            || self.shares[place].iter().any(|part| self.takers(part.0).len() >= 2)
    }

    /// The sum of all differences between shares: 0 is best.
    fn score(&self, shares: &[Vec<Part>]) -> usize {
        let sizes: Vec<usize> = self.open.iter().map(|place| shares[*place].len()).collect();
        let pairs = sizes.iter().enumerate().flat_map(|(i, a)| sizes[i + 1..].iter().map(move |b| a.abs_diff(*b)));
        pairs.sum()
    }

    /// Who has a partition as a look at all shares tells: of two the later.
    fn holder(&self, part: Part) -> Option<usize> {
        let holds = |place: &usize| self.shares[*place].contains(&part);
        if self.doubled { self.open.iter().copied().rfind(holds) } else { self.owner.get(&part).copied() }
    }

    fn is_balanced(&self) -> bool {
        let sizes = || self.open.iter().map(|place| self.shares[*place].len());
        let (Some(least), Some(most)) = (sizes().min(), sizes().max()) else { return true };
        if least + 1 >= most {
            return true;
        }
        for place in self.open.iter().copied() {
            let mine = self.shares[place].len();
            if mine == self.room(place) {
                continue;
            }
            for topic in &self.members[place].topics {
                for partition in 0..self.count(*topic) {
                    let part = (*topic, partition);
                    let other = self.holder(part).filter(|_| !self.shares[place].contains(&part));
                    if other.is_some_and(|other| mine + 1 < self.shares[other].len()) {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Moves partitions to smaller shares until nothing changes. Whether anything was moved.
    fn reassign(&mut self, parts: &[Part]) -> bool {
        let mut any = false;
        loop {
            let mut modified = false;
            for part in parts {
                if self.is_balanced() {
                    break;
                }
                let Some(owner) = self.owner.get(part).copied() else { continue };
                let mine = self.shares[owner].len();
                if let Some((previous, _)) = self.before.get(part).copied()
                    && mine > self.shares[previous].len() + 1
                {
                    self.move_part(*part, previous);
                    (any, modified) = (true, true);
                    continue;
                }
                let smaller = self.takers(part.0).into_iter().any(|other| mine > self.shares[other].len() + 1);
                if smaller && let Some(to) = self.least_loaded(part.0, |_| true) {
                    self.move_part(*part, to);
                    (any, modified) = (true, true);
                }
            }
            if !modified {
                return any;
            }
        }
    }

    fn hashed(&self, part: Part) -> Moved {
        let name = self.hashes.get(part.0 as usize).copied().unwrap_or(0);
        Moved { hash: part.1.wrapping_add(31).wrapping_mul(31).wrapping_add(name), part }
    }

    /// Moves a partition, or, if some of its topic were moved the other way before, the first of them back.
    fn move_part(&mut self, part: Part, to: usize) {
        let Some(owner) = self.owner.get(&part).copied() else { return };
        let from = self.moves.get(&part).map_or(owner, |(from, _)| *from);
        let reverse = self.moved.get(&(part.0, to, from)).and_then(|parts| parts.keys().first().copied());
        let actual = reverse.map_or(part, |moved| moved.part);
        let Some(old) = self.owner.insert(actual, to) else { return };
        take_one(&mut self.shares[old], actual);
        self.shares[to].push(actual);
        let from = self.forget_move(actual).unwrap_or(old);
        if from != to {
            self.moves.insert(actual, (from, to));
            let moved = self.hashed(actual);
            self.moved.entry((actual.0, from, to)).or_insert_with(JavaMap::new).put(moved, ());
        }
    }

    /// From where a partition was moved to its owner, if it was.
    fn forget_move(&mut self, part: Part) -> Option<usize> {
        let (from, to) = self.moves.remove(&part)?;
        let (way, moved) = ((part.0, from, to), self.hashed(part));
        if let Some(parts) = self.moved.get_mut(&way) {
            parts.remove(moved);
            if parts.is_empty() {
                self.moved.remove(&way);
            }
        }
        Some(from)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{candidate, text_hash};
    use super::*;

    #[test]
    fn k_s4_of_what_was_moved_the_other_way_the_first_of_its_set_goes_back() {
        let parts: Vec<Part> = (0..6).map(|partition| (0, partition)).collect();
        let members = [candidate("a", &[0], &parts[..4], 1), candidate("b", &[0], &parts[4..], 1)];
        let hashes = [text_hash("t0")];
        let claims = Claims { kept: vec![Vec::new(); 2], contested: BTreeSet::new(), last_generation: 1 };
        let mut balancer = Balancer::new(&[6], &members, &claims, (None, &hashes));
        for (place, member) in members.iter().enumerate() {
            member.owned.iter().for_each(|part| balancer.give(*part, place));
        }
        balancer.move_part((0, 1), 1);
        balancer.move_part((0, 2), 1);
        // Of 16 bins, 2 of `t0` lies in the 11th and 1 in the 12th: it is 2 that goes back in the place of 5.
        balancer.move_part((0, 5), 0);
        assert_eq!(balancer.shares, [vec![(0, 0), (0, 3), (0, 2)], vec![(0, 4), (0, 5), (0, 1)]]);
        balancer.move_part((0, 5), 0);
        assert_eq!(balancer.shares[0], [(0, 0), (0, 3), (0, 2), (0, 1)]);
        balancer.move_part((0, 5), 0);
        assert_eq!(balancer.shares[1], [(0, 4)], "nothing is left to be moved back");
    }
}
