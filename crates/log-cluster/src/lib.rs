//! A cluster of logs by Kafka's rules: brokers, controllers, producers and consumers.
//!
//! It must never know what is watched, scored or painted, nor which other cluster runs beside it. Rules are cited by
//! their ids in `rules/kafka.toml`. The stories in `tests/` hold it, and the recordings that the conform crate replays.

mod accumulator;
pub mod admin;
mod announce;
pub mod assignor;
mod broker;
mod by_hand;
mod check;
mod cleaner;
mod client;
mod cluster;
mod cluster_changes;
mod commits;
pub mod config;
mod consumer;
mod consumer_fetch;
mod consumer_group;
mod control_link;
mod controller;
mod coordinator;
mod dialer;
mod disk;
pub mod election;
mod error;
mod fetch;
mod fingerprint;
mod group;
mod group_offsets;
mod group_settings;
mod image;
mod layout;
mod live;
mod log;
mod look;
mod membership;
pub mod partitioner;
mod placement;
mod produce;
mod producer;
mod producer_gather;
mod producer_outcome;
mod remarks;
mod replica;
mod replica_fetch;
mod rpc;
mod sequences;
mod server;
pub mod settings;
mod share;
mod shared_queue;
mod tiers;
mod transactions;
pub mod view;
mod words;

pub use admin::{AdminOrder, Order};
pub use by_hand::HandView;
pub use cluster::{LogCluster, Node};
pub use config::Config;
pub use live::LIVE_TOPIC_SETTINGS;
pub use share::{Ack, ShareOrder};
pub use sim::workload::Problem;
pub use transactions::TransactionState;
pub use view::View;
pub use words::WORDS;
