//! Benchmarks of the queue cluster: every message is published, confirmed, delivered, processed and acknowledged by
//! itself. The engine plays alone, without player and referee; what its processes tell is counted and thrown away.

use queue_cluster::{Config, ConsumerSettings, PublisherSettings, QueueCluster, QueueSpec, Table, Value};
use sim::story::{Life, Note};
use sim::workload::{Arrivals, ConsumerSpec, Duration, ProducerSpec, Workload};
use sim::{Nanos, Process, Time, World};

/// What is played. All publishers are Poisson, want confirms and have at most 200 messages unconfirmed; all consumers
/// have a prefetch of 100 and acknowledge every tenth message, with multiple set.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Load {
    /// One node, one classic queue, one publisher of 50,000 messages a second, one consumer.
    Classic,
    /// Three nodes, one quorum queue, four publishers of 4,000 messages a second each, one consumer.
    Quorum,
    /// Three nodes, 100 classic queues, each with a publisher of 1,000 messages a second and a consumer of its own.
    Hundred,
}

/// What became of the messages of a run.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Handed over by applications.
    pub produced: u64,
    /// Confirmed to their publishers.
    pub confirmed: u64,
    /// Deliveries.
    pub delivered: u64,
    /// Processed by applications.
    pub processed: u64,
    /// Acknowledged by their consumers, or passed by committed progress.
    pub settled: u64,
    /// Events played.
    pub events: u64,
    /// The digest of the run.
    pub digest: u64,
}

impl Passed {
    /// Plays a little, and counts what the processes tell.
    pub(crate) fn pass<P: Process>(&mut self, world: &mut World<P>) {
        world.run_until(world.now() + SLICE);
        for (_, _, count, note) in world.take_note_runs() {
            let Note::Life(_, life, _) = note else { continue };
            let passed = match life {
                Life::Produced { .. } => &mut self.produced,
                Life::Acknowledged => &mut self.confirmed,
                Life::Delivered { .. } => &mut self.delivered,
                Life::Processed { .. } => &mut self.processed,
                Life::Settled { .. } => &mut self.settled,
                _ => continue,
            };
            *passed += u64::from(count);
        }
        (self.events, self.digest) = (world.events(), world.digest());
    }
}

impl Load {
    /// All of them, with the names that they go by outside.
    pub const ALL: [(Load, &str); 3] =
        [(Load::Classic, "classic"), (Load::Quorum, "quorum"), (Load::Hundred, "hundred")];

    /// The load of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Load> {
        Load::ALL.iter().find(|(_, known)| *known == name).map(|(load, _)| *load)
    }
}

const SLICE: Nanos = Nanos::millis(1);

struct Shape {
    nodes: u16,
    queues: u32,
    kind: &'static str,
    publishers: u32,
    rate: u64,
}

fn shape(load: Load) -> Shape {
    match load {
        Load::Classic => Shape { nodes: 1, queues: 1, kind: "classic", publishers: 1, rate: 50_000 },
        Load::Quorum => Shape { nodes: 3, queues: 1, kind: "quorum", publishers: 4, rate: 4_000 },
        Load::Hundred => Shape { nodes: 3, queues: 100, kind: "classic", publishers: 1, rate: 1_000 },
    }
}

/// A cluster with its clients, ready to be played.
#[derive(Clone, Debug)]
pub struct Ready {
    cluster: QueueCluster,
    messages: u32,
}

/// Opens a load; `messages` in all, which are published from the fifth second on.
///
/// # Panics
/// If the messages cannot be shared out evenly.
#[must_use]
pub fn open(load: Load, messages: u32) -> Ready {
    let Shape { nodes, queues, kind, publishers, rate } = shape(load);
    assert_eq!(messages % (queues * publishers), 0, "every publisher has as many messages");
    let mut config = Config { nodes, ..Config::default() };
    let mut workload = Workload::default();
    for queue in 0..queues {
        let name = format!("queue-{queue}");
        let arguments = Table::from([("x-queue-type".into(), Value::from(kind))]);
        config.queues.push(QueueSpec { name: name.clone(), durable: true, arguments, node: None });
        for publisher in 0..publishers {
            config.publishers.push(PublisherSettings { routing_key: name.clone(), ..PublisherSettings::default() });
            workload.producers.push(ProducerSpec {
                name: format!("publisher-{queue}-{publisher}"),
                rate_milli: rate * 1_000,
                arrivals: Arrivals::Poisson,
                keys: 0,
                bytes: 1_000,
                limit: Some(messages / (queues * publishers)),
                start: Time::ZERO + Nanos::secs(5),
            });
        }
        config.consumers.push(ConsumerSettings { queue: name, ack_every: 10, ..ConsumerSettings::default() });
        workload.consumers.push(ConsumerSpec {
            name: format!("consumer-{queue}"),
            processing: Duration::Constant(Nanos::micros(5)),
            start: Time::ZERO,
            by_hand: false,
        });
    }
    Ready { cluster: QueueCluster::new(1, &workload, &config), messages }
}

/// Plays until every message is acknowledged, but for the last few that a consumer waits to acknowledge together.
pub fn play(ready: &mut Ready) -> Passed {
    let Ready { cluster, messages } = ready;
    let messages = u64::from(*messages);
    let mut passed = Passed::default();
    let enough = messages - 9 * cluster.config().consumers.len() as u64;
    let world = cluster.world_mut();
    while passed.settled < enough || passed.confirmed < messages {
        passed.pass(world);
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_confirmed_delivered_once_and_acknowledged() {
        for load in [Load::Classic, Load::Quorum, Load::Hundred] {
            let passed = play(&mut open(load, 10_000));
            assert_eq!((passed.produced, passed.confirmed, passed.delivered), (10_000, 10_000, 10_000), "{load:?}");
            assert!(passed.settled >= 9_000, "{load:?}: {passed:?}");
        }
    }
}
