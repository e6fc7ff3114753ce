//! The group coordinator's own assignors: range and uniform (K-S1, K-S6, K-S7).

use super::{Candidate, Part, client::range, same_topics};
use std::collections::BTreeSet;

/// K-S1, on the server.
#[must_use]
pub fn server_range(counts: &[u32], members: &[Candidate]) -> Vec<Vec<Part>> {
    range(counts, members)
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
    let valid: BTreeSet<Part> = all.iter().copied().collect();
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
        for part in member.owned.iter().filter(|part| valid.contains(part)) {
            if quota > 0 {
                shares[place].push(*part);
                quota -= 1;
            } else {
                unassigned.push(*part);
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
        for part in (0..count(counts, *topic)).map(|partition| (*topic, partition)).filter(|part| !held.contains(part))
        {
            if let Some(place) = takers.iter().copied().min_by_key(|place| (shares[*place].len(), *place)) {
                shares[place].push(part);
            }
        }
    }
    even_out(&topics, &mut shares);
    shares
}

/// Moves partitions of one topic after the other from the largest share to the smallest.
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

fn even_out_topic(topic: u32, takers: &[usize], shares: &mut [Vec<Part>]) -> bool {
    let mut moved = false;
    loop {
        let has = |place: &usize| shares[*place].iter().any(|part| part.0 == topic);
        let most = takers.iter().copied().filter(has).max_by_key(|place| (shares[*place].len(), *place));
        let least = takers.iter().copied().min_by_key(|place| (shares[*place].len(), *place));
        let (Some(most), Some(least)) = (most, least) else { return moved };
        if shares[most].len() <= shares[least].len() + 1 {
            return moved;
        }
        let highest = shares[most].iter().copied().filter(|part| part.0 == topic).max();
        let Some(part) = highest else { return moved };
        shares[most].retain(|held| *held != part);
        shares[least].push(part);
        moved = true;
    }
}
