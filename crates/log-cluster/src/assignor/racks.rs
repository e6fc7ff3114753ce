//! Racks of members and of partitions' replicas, where the consumers' assignors look at them (K-S1, K-S3, K-S4).

use super::{Candidate, Part};
use std::collections::BTreeSet;

/// The racks of each partition's replicas, by topic and number; "" for a replica whose rack nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Racks(pub Vec<Vec<BTreeSet<String>>>);

impl Racks {
    /// Of one partition.
    fn of(&self, part: Part) -> impl Iterator<Item = &str> {
        let found = self.0.get(part.0 as usize).and_then(|topic| topic.get(part.1 as usize));
        found.into_iter().flatten().map(String::as_str).filter(|rack| !rack.is_empty())
    }

    /// Whether a member has a rack, and a replica of the partition is in it.
    pub(super) fn meets(&self, member: &Candidate, part: Part) -> bool {
        member.rack.as_deref().is_some_and(|own| self.of(part).any(|rack| rack == own))
    }

    /// Whether a member has a rack, and no replica of the partition is in it.
    pub(super) fn misses(&self, member: &Candidate, part: Part) -> bool {
        member.rack.is_some() && !self.meets(member, part)
    }

    /// Whether racks are looked at: a member is in a rack that has replicas, and not every partition has replicas in
    /// all racks that any of them has replicas in.
    pub(super) fn matter<'a>(&self, mut members: impl Iterator<Item = &'a Candidate>, parts: &[Part]) -> bool {
        let all: BTreeSet<&str> = parts.iter().flat_map(|part| self.of(*part)).collect();
        members.any(|member| member.rack.as_deref().is_some_and(|own| all.contains(own)))
            && parts.iter().any(|part| self.of(*part).count() < all.len())
    }
}

/// All partitions in order of topic and number.
pub(super) fn all_parts(counts: &[u32]) -> Vec<Part> {
    (0u32..).zip(counts).flat_map(|(topic, count)| (0..*count).map(move |partition| (topic, partition))).collect()
}
