//! The kernel of Brokerlab: time, dice, the event wheel, the network, machines and faults.
//!
//! It must never know what a broker is. A process is a function from an event to effects ([`Process`]); the [`World`]
//! is its driver. Determinism rests on it: no clock, no floats in state, no `usize` in what is hashed, no hash maps.
//! Held by the tests in `tests/world.rs` and by `clippy.toml`.

mod connections;
mod dice;
mod digest;
mod effects;
pub mod hand;
mod machine;
mod net;
mod pages;
pub mod story;
mod time;
mod wheel;
pub mod workload;
mod world;

pub use dice::Dice;
pub use digest::Digest;
pub use effects::Effects;
pub use machine::{Machine, MachineProfile, Slowness};
pub use net::{Flight, Hangup, Latency, LinkProfile, Sent, Wreck};
pub use pages::Pages;
pub use time::{Nanos, Time};
pub use wheel::{Handle, Wheel};
pub use world::{Alarm, Crash, Event, Fingerprint, Health, NodeId, Process, World};
