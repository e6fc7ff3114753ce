//! Benchmarks of the log cluster: every message is produced, replicated, acknowledged, fetched and processed. The engine
//! plays alone, without player and referee; what its processes tell is counted and thrown away.

use crate::queues::Passed;
use log_cluster::LogCluster;
use log_cluster::config::{Config, ConsumerClient, ConsumerConfig, OffsetReset, ProducerClient, TopicSpec};
use sim::workload::{Arrivals, ConsumerSpec, Duration, ProducerSpec, Workload};
use sim::{Crash, MachineProfile, Nanos, NodeId, Time};

/// What is played: messages of 1 KB with acks=all and two in-sync replicas demanded of three, read by one group of four.
/// All settings are Kafka's defaults, but that messages are kept for a second (a minute where a broker is lost), in
/// segments of 16 MiB, looked through twice a second.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Load {
    /// Three brokers, 12 partitions, four producers of 25,000 messages a second each.
    Steady,
    /// The same, 16 producers of 62,500 messages a second each: batches are full. Half as many could not keep up, with
    /// five requests under way to each broker.
    Full,
    /// Ten brokers, 300 partitions, four producers of 10,000 messages a second each; a broker is killed after two
    /// seconds of production.
    BrokerLost,
}

impl Load {
    /// All of them, with the names that they go by outside.
    pub const ALL: [(Load, &str); 3] =
        [(Load::Steady, "steady"), (Load::Full, "full"), (Load::BrokerLost, "broker-lost")];

    /// The load of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Load> {
        Load::ALL.iter().find(|(_, known)| *known == name).map(|(load, _)| *load)
    }

    /// How many messages its producers send in 60 seconds.
    #[must_use]
    pub fn a_minute(self) -> u32 {
        let shape = shape(self);
        shape.producers * u32::try_from(shape.rate).unwrap_or(0) * 60
    }
}

struct Shape {
    brokers: u16,
    partitions: u32,
    producers: u32,
    rate: u64,
    /// How long messages are kept, in milliseconds.
    retention: i64,
    /// After how much production the first broker is killed.
    loss: Option<Nanos>,
}

fn shape(load: Load) -> Shape {
    match load {
        Load::Steady => Shape { brokers: 3, partitions: 12, producers: 4, rate: 25_000, retention: 1_000, loss: None },
        Load::Full => Shape { brokers: 3, partitions: 12, producers: 16, rate: 62_500, retention: 1_000, loss: None },
        Load::BrokerLost => {
            // Messages have to outlive the ten seconds without a leader.
            let loss = Some(Nanos::secs(2));
            Shape { brokers: 10, partitions: 300, producers: 4, rate: 10_000, retention: 60_000, loss }
        }
    }
}

/// Production begins when the group has its partitions.
const START: Nanos = Nanos::secs(8);

/// A cluster with its clients, ready to be played.
#[derive(Clone, Debug)]
pub struct Ready {
    cluster: LogCluster,
    messages: u32,
    loss: Option<Time>,
}

/// Opens a load; `messages` in all.
///
/// # Panics
/// If the messages cannot be shared out evenly.
#[must_use]
pub fn open(load: Load, messages: u32) -> Ready {
    let Shape { brokers, partitions, producers, rate, retention, loss } = shape(load);
    assert_eq!(messages % producers, 0, "every producer has as many messages");
    let mut config = Config {
        brokers,
        topics: vec![TopicSpec::new("orders", partitions, 3)],
        producers: vec![ProducerClient { topic: "orders".into(), ..ProducerClient::default() }],
        // What a second of a gigabyte needs: 16 cores, NVMe, 100 Gbit/s.
        machine: MachineProfile {
            cores: 16,
            disk_bytes_per_second: 4_000_000_000,
            network_bytes_per_second: 12_500_000_000,
            ..MachineProfile::default()
        },
        ..Config::default()
    };
    config.client_machine = config.machine.clone();
    let reads = ConsumerConfig { auto_offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    config.consumers =
        vec![ConsumerClient { topics: vec!["orders".into()], config: reads, ..ConsumerClient::default() }];
    config.topics[0].config.min_insync_replicas = Some(2);
    config.topics[0].config.retention_ms = Some(retention);
    config.topics[0].config.segment_bytes = Some(16 << 20);
    config.broker.log_retention_check_interval_ms = 500;
    let mut workload = Workload::default();
    for number in 1..=producers {
        workload.producers.push(ProducerSpec {
            name: format!("producer-{number}"),
            rate_milli: rate * 1_000,
            arrivals: Arrivals::Poisson,
            keys: 0,
            bytes: 1_000,
            limit: Some(messages / producers),
            start: Time::ZERO + START,
        });
    }
    for number in 1..=4 {
        workload.consumers.push(ConsumerSpec {
            name: format!("consumer-{number}"),
            processing: Duration::Constant(Nanos::ZERO),
            start: Time::ZERO,
            by_hand: false,
        });
    }
    let loss = loss.map(|after| Time::ZERO + START + after);
    Ready { cluster: LogCluster::new(1, &workload, &config), messages, loss }
}

/// Plays until every message is acknowledged and processed.
pub fn play(ready: &mut Ready) -> Passed {
    let Ready { cluster, messages, loss } = ready;
    let messages = u64::from(*messages);
    let mut passed = Passed::default();
    let world = cluster.world_mut();
    while passed.processed < messages || passed.confirmed < messages {
        passed.pass(world);
        if loss.take_if(|at| *at <= world.now()).is_some() {
            world.crash(NodeId(0), Crash::Kill);
        }
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_acknowledged_and_processed_once() {
        for (load, messages) in [(Load::Steady, 20_000), (Load::Full, 80_000), (Load::BrokerLost, 120_000)] {
            let passed = play(&mut open(load, messages));
            let all = u64::from(messages);
            assert_eq!((passed.produced, passed.confirmed, passed.processed), (all, all, all), "{load:?}");
        }
    }
}
