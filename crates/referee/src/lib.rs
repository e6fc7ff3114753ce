//! The referee: what became of every message, and how it compares with what was promised.
//!
//! It must never take an engine's word for a verdict: it hears what the clients saw (produced, acknowledged,
//! processed) and asks the cluster only what it still holds. Held by the tests in `tests/verdicts.rs`.

mod histogram;
mod ledger;
mod lines;

pub use histogram::Histogram;
pub use ledger::{Counts, Fate, Held, Ledger, Record, Verdict};
