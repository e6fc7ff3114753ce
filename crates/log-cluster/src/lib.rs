//! A cluster of logs by Kafka's rules: brokers, controllers, producers and consumers.
//!
//! It must never know what is watched, scored or painted, nor which other cluster runs beside it. Rules are cited by
//! their ids in `rules/kafka.toml`. The stories in `tests/` hold it, and the recordings that the conform crate replays.

mod check;
mod cluster;
pub mod config;
pub mod settings;
pub mod view;
mod words;

pub use cluster::{LogCluster, Node};
pub use config::Config;
pub use sim::workload::Problem;
pub use view::View;
pub use words::WORDS;
