//! The consumers' range and round robin assignors (K-S1, K-S2).

use super::{Candidate, Part, Racks, static_first};

/// A topic that is being shared out.
struct Topic {
    number: u32,
    /// Who subscribed, in order.
    takers: Vec<usize>,
    /// Everybody gets so many, and so many get one more.
    each: usize,
    extra: usize,
    /// What each taker has so far.
    taken: Vec<usize>,
    left: Vec<u32>,
    by_rack: bool,
}

impl Topic {
    fn room(&self, turn: usize) -> usize {
        (self.each + usize::from(self.extra > 0)).saturating_sub(self.taken[turn])
    }

    fn give(&mut self, turn: usize, partitions: &[u32], shares: &mut [Vec<Part>]) {
        self.taken[turn] += partitions.len();
        if self.taken[turn] > self.each {
            self.extra = self.extra.saturating_sub(1);
        }
        self.left.retain(|partition| !partitions.contains(partition));
        shares[self.takers[turn]].extend(partitions.iter().map(|partition| (self.number, *partition)));
    }

    /// One taker after the other gets the first partitions that it may have.
    fn give_stretches(&mut self, may: impl Fn(usize, Part) -> bool, shares: &mut [Vec<Part>]) {
        for turn in 0..self.takers.len() {
            let allowed =
                self.left.iter().copied().filter(|partition| may(self.takers[turn], (self.number, *partition)));
            let share: Vec<u32> = allowed.take(self.room(turn)).collect();
            if !share.is_empty() {
                self.give(turn, &share, shares);
            }
        }
    }
}

/// K-S1: each topic by itself, in stretches, over the members in order; before that, what lies in their racks.
#[must_use]
pub fn range(counts: &[u32], members: &[Candidate], racks: &Racks) -> Vec<Vec<Part>> {
    let mut shares = vec![Vec::new(); members.len()];
    let order = static_first(members);
    let mut topics: Vec<Topic> = Vec::new();
    for (number, count) in (0u32..).zip(counts) {
        let takers: Vec<usize> =
            order.iter().copied().filter(|place| members[*place].topics.contains(&number)).collect();
        if takers.is_empty() {
            continue;
        }
        let parts: Vec<Part> = (0..*count).map(|partition| (number, partition)).collect();
        topics.push(Topic {
            number,
            each: *count as usize / takers.len(),
            extra: *count as usize % takers.len(),
            taken: vec![0; takers.len()],
            left: (0..*count).collect(),
            by_rack: racks.matter(takers.iter().map(|place| &members[*place]), &parts),
            takers,
        });
    }
    let by_rack = topics.iter().any(|topic| topic.by_rack);
    if by_rack {
        give_by_rack(&mut topics, members, racks, &mut shares);
    }
    topics.iter_mut().for_each(|topic| topic.give_stretches(|_, _| true, &mut shares));
    if by_rack {
        shares.iter_mut().for_each(|share| share.sort_unstable());
    }
    shares
}

/// Topics of the same members and of as many partitions stay together: a partition's number goes to one member in all of
/// them, if it is in the racks of all.
fn give_by_rack(topics: &mut [Topic], members: &[Candidate], racks: &Racks, shares: &mut [Vec<Part>]) {
    let fits = |place: usize, part: Part| !racks.misses(&members[place], part);
    let mut done: Vec<u32> = Vec::new();
    for first in 0..topics.len() {
        if done.contains(&topics[first].number) {
            continue;
        }
        let (takers, count) = (topics[first].takers.clone(), topics[first].left.len());
        let alike =
            |topic: &Topic| topic.takers == takers && topic.left.len() == count && !done.contains(&topic.number);
        let together: Vec<usize> = (first..topics.len()).filter(|at| alike(&topics[*at])).collect();
        done.extend(together.iter().map(|at| topics[*at].number));
        if together.len() == 1 {
            if topics[first].by_rack {
                topics[first].give_stretches(fits, shares);
            }
            continue;
        }
        if takers.iter().all(|place| members[*place].rack.is_none()) {
            continue;
        }
        for partition in 0..count as u32 {
            let takes = |turn: &usize| {
                together.iter().all(|at| {
                    let topic = &topics[*at];
                    topic.room(*turn) > 0 && fits(topic.takers[*turn], (topic.number, partition))
                })
            };
            if let Some(turn) = (0..takers.len()).find(takes) {
                together.iter().for_each(|at| topics[*at].give(turn, &[partition], shares));
            }
        }
    }
}

/// K-S2: all partitions in order of topic and number, dealt in turn; who did not subscribe is passed over.
#[must_use]
pub fn round_robin(counts: &[u32], members: &[Candidate]) -> Vec<Vec<Part>> {
    let mut shares = vec![Vec::new(); members.len()];
    let order = static_first(members);
    let mut turn = 0;
    for (topic, count) in (0u32..).zip(counts) {
        if !members.iter().any(|member| member.topics.contains(&topic)) {
            continue;
        }
        for partition in 0..*count {
            while !members[order[turn]].topics.contains(&topic) {
                turn = (turn + 1) % order.len();
            }
            shares[order[turn]].push((topic, partition));
            turn = (turn + 1) % order.len();
        }
    }
    shares
}
