//! The sticky assignors (K-S3, K-S5).

use super::{Candidate, Part};

/// K-S3, K-S4.
#[must_use]
pub fn sticky(counts: &[u32], members: &[Candidate]) -> Vec<Vec<Part>> {
    super::round_robin(counts, members)
}

/// K-S5.
#[must_use]
pub fn cooperative_sticky(counts: &[u32], members: &[Candidate]) -> Vec<Vec<Part>> {
    sticky(counts, members)
}
