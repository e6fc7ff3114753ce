//! The consumers' range and round robin assignors (K-S1, K-S2).

use super::{Candidate, Part, static_first};

/// K-S1: each topic by itself, in stretches, over the members in order.
#[must_use]
pub fn range(counts: &[u32], members: &[Candidate]) -> Vec<Vec<Part>> {
    let mut shares = vec![Vec::new(); members.len()];
    let order = static_first(members);
    for (topic, count) in (0u32..).zip(counts) {
        let takers: Vec<usize> =
            order.iter().copied().filter(|place| members[*place].topics.contains(&topic)).collect();
        if takers.is_empty() {
            continue;
        }
        let (each, extra) = (*count as usize / takers.len(), *count as usize % takers.len());
        let mut next = 0u32;
        for (turn, place) in takers.into_iter().enumerate() {
            let quota = (each + usize::from(turn < extra)) as u32;
            shares[place].extend((next..next + quota).map(|partition| (topic, partition)));
            next += quota;
        }
    }
    shares
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
