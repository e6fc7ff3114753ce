//! Raft as a pure state machine: elections with pre-vote, replication by push or by pull, durability, snapshots.
//!
//! It must never know time, the network or what its entries mean. Its driver owns the timers, carries the messages,
//! flushes the disk and applies what is committed. Both clusters use it: the log cluster's controllers (K-Q1 to K-Q3)
//! and the queue cluster's quorum queues (R-U1 to R-U4). The transcripts in `tests/` hold it.

mod log;
mod message;
mod pull;
mod raft;
mod replication;
mod votes;

pub use log::Entry;
pub use message::{Index, Message, Peer, Pulled, Term};
pub use raft::{Input, Options, Output, Raft, Role};
