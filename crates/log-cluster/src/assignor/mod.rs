//! How partitions are shared out among the members of a group (K-S1 to K-S8).
//!
//! Topics are named by their places in a table that is sorted by name, so that their order is that of their names.
//! Where Kafka's own order is that of a hash map, the order is an argument: the order of `members`.

mod client;
mod hash_order;
mod racks;
mod server;
mod simple;
mod sticky;
mod sticky_general;

pub(crate) use hash_order::java_order;
pub use hash_order::text_hash;

pub use client::{range, round_robin};
pub use racks::Racks;
pub use server::{server_range, server_uniform};
pub use simple::share_simple;
pub use sticky::{cooperative_sticky, sticky};

/// A partition: the topic's place, and the partition's number.
pub type Part = (u32, u32);

/// A member as an assignor sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its id; ties are broken by it.
    pub id: String,
    /// The name that a static member keeps over its lives (`group.instance.id`).
    pub instance: Option<String>,
    /// Topics that it subscribed to.
    pub topics: Vec<u32>,
    /// What it holds.
    pub owned: Vec<Part>,
    /// In which generation it got that; -1 for none.
    pub generation: i32,
    /// Its `client.rack`.
    pub rack: Option<String>,
}

/// The group leader's choice, by strategy. `counts` are the partitions of each topic, `racks` where their replicas are,
/// `hashes` the hash codes of the topics' names; answers shares in the order of `members`.
#[must_use]
pub fn assign(
    strategy: crate::config::Strategy,
    counts: &[u32],
    members: &[Candidate],
    racks: &Racks,
    hashes: &[u32],
) -> Vec<Vec<Part>> {
    use crate::config::Strategy;
    match strategy {
        Strategy::Range => range(counts, members, racks),
        Strategy::RoundRobin => round_robin(counts, members),
        Strategy::Sticky => sticky(counts, members, racks, hashes),
        Strategy::CooperativeSticky => cooperative_sticky(counts, members, racks, hashes),
    }
}

/// Places of the members in the order of their ids.
pub(crate) fn by_id(members: &[Candidate]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by(|a, b| members[*a].id.cmp(&members[*b].id));
    order
}

/// Places of the members in Kafka's order of members: static ones first, by their names, then the others by id.
pub(crate) fn static_first(members: &[Candidate]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by(|a, b| match (&members[*a].instance, &members[*b].instance) {
        (Some(a), Some(b)) => a.cmp(b),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (None, None) => members[*a].id.cmp(&members[*b].id),
    });
    order
}

/// A member without a name that subscribed to these topics, for tests.
#[cfg(test)]
fn candidate(id: &str, topics: &[u32], owned: &[Part], generation: i32) -> Candidate {
    let (topics, owned) = (topics.to_vec(), owned.to_vec());
    Candidate { id: id.to_owned(), instance: None, topics, owned, generation, rack: None }
}

/// Takes a partition out of a list once, however often it is in it.
fn take_one(list: &mut Vec<Part>, part: Part) {
    if let Some(at) = list.iter().position(|held| *held == part) {
        list.remove(at);
    }
}

/// Whether all members subscribed to the same topics.
pub(crate) fn same_topics(members: &[Candidate]) -> bool {
    let sorted = |member: &Candidate| {
        let mut topics = member.topics.clone();
        topics.sort_unstable();
        topics.dedup();
        topics
    };
    members.windows(2).all(|pair| sorted(&pair[0]) == sorted(&pair[1]))
}
