//! What the members of a consumer group are to own, as the coordinator's assignor has it (K-S1, K-S6, K-S7).

use super::group::Member;
use crate::assignor::{Candidate, Part, java_order, server_range, server_uniform};
use crate::config::ServerAssignor;
use crate::layout::{Layout, Slot};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Partitions of each topic, by the topics' places; 0 for a topic that nobody knows yet.
pub(super) type Counts = Vec<u32>;

/// The assignor that most members ask for; else the brokers' first.
pub(super) fn preferred(members: &BTreeMap<Rc<str>, Member>, known: &[ServerAssignor]) -> ServerAssignor {
    let votes = |one: &ServerAssignor| members.values().filter(|member| member.assignor == Some(*one)).count();
    let first = known.first().copied().unwrap_or(ServerAssignor::Uniform);
    let best = known.iter().copied().filter(|one| votes(one) > 0);
    // Of those with as many votes the one that comes first.
    best.rev().max_by_key(votes).unwrap_or(first)
}

/// Shares all partitions out anew, from the last target.
pub(super) fn assign(
    members: &BTreeMap<Rc<str>, Member>,
    last: &BTreeMap<Rc<str>, Vec<Slot>>,
    counts: &Counts,
    assignor: ServerAssignor,
    layout: &Layout,
) -> BTreeMap<Rc<str>, Vec<Slot>> {
    // Assignors name topics by their places in the order of the names.
    let mut order: Vec<u32> = (0..layout.topics.len() as u32).collect();
    order.sort_by(|a, b| layout.topics[*a as usize].name.cmp(&layout.topics[*b as usize].name));
    let place = |topic: u32| order.iter().position(|known| *known == topic).unwrap_or(0) as u32;
    let part = |slot: &Slot| -> Part {
        let topic = layout.slots[*slot as usize];
        (place(topic), slot - layout.topics[topic as usize].first)
    };
    let candidate = |id: &Rc<str>| {
        let member = members.get(id);
        let topics = member.map_or(&[][..], |member| &member.topics[..]);
        Candidate {
            id: id.to_string(),
            instance: member.and_then(|member| member.instance.as_ref()).map(ToString::to_string),
            topics: topics.iter().map(|topic| place(*topic)).collect(),
            owned: last.get(id).map_or_else(Vec::new, |slots| slots.iter().map(part).collect()),
            generation: -1,
            rack: None,
        }
    };
    // members are looked at in the order of a hash map of their ids.
    let ids: Vec<Rc<str>> = members.keys().cloned().collect();
    let candidates: Vec<Candidate> = java_order(&ids).into_iter().map(|at| candidate(&ids[at])).collect();
    let wanted = |topic: u32| members.values().any(|member| member.topics.contains(&topic));
    let count = |topic: &u32| if wanted(*topic) { counts.get(*topic as usize).copied().unwrap_or(0) } else { 0 };
    let counts: Vec<u32> = order.iter().map(count).collect();
    let shares = match assignor {
        ServerAssignor::Range => server_range(&counts, &candidates),
        ServerAssignor::Uniform => {
            let topics: Vec<u32> = (0..counts.len() as u32).collect();
            server_uniform(&counts, &candidates, &topics)
        }
    };
    let slot = |(topic, partition): &Part| layout.topics[order[*topic as usize] as usize].first + partition;
    let sorted = |share: &Vec<Part>| {
        let mut slots: Vec<Slot> = share.iter().map(slot).collect();
        slots.sort_unstable();
        slots
    };
    candidates.iter().zip(&shares).map(|(one, share)| (one.id.as_str().into(), sorted(share))).collect()
}
