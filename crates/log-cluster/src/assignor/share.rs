//! The share group's simple assignor (K-S8).

use super::{Candidate, Part};

/// K-S8.
#[must_use]
pub fn share_simple(counts: &[u32], members: &[Candidate], topics: &[u32]) -> Vec<Vec<Part>> {
    let _ = (counts, topics);
    vec![Vec::new(); members.len()]
}
