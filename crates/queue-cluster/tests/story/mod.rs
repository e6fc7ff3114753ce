//! What stories are told with: a cluster, its faults, and a ledger of every message.

#![allow(dead_code)] // Not every file of tests uses all of it.

use queue_cluster::*;
use sim::story::{Life, Mark, MessageId, Note};
use sim::workload::{Arrivals, ConsumerSpec, Duration, ProducerSpec, Role, Workload};
use sim::{Crash, Nanos, NodeId, Time};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of every message.
#[derive(Default, Clone)]
pub struct Ledger {
    pub produced: BTreeSet<MessageId>,
    pub acknowledged: BTreeSet<MessageId>,
    pub refused: BTreeSet<MessageId>,
    pub processed: BTreeMap<MessageId, u32>,
    pub redelivered: BTreeSet<MessageId>,
    pub dead: BTreeSet<MessageId>,
    pub dropped: BTreeSet<MessageId>,
    pub order: Vec<MessageId>,
    pub marks: Vec<Mark>,
}

pub struct Story {
    pub cluster: QueueCluster,
    pub ledger: Ledger,
}

pub fn seconds(n: u64) -> Nanos {
    Nanos::secs(n)
}

pub fn queue(name: &str, kind: &str, node: u16) -> QueueSpec {
    let arguments = Table::from([("x-queue-type".to_string(), Value::from(kind))]);
    QueueSpec { name: name.into(), durable: true, arguments, node: Some(node) }
}

/// A queue `q` of this kind on node 0 of three, a publisher on node 1, a consumer on node 2.
pub fn config(kind: &str) -> Config {
    let mut config = Config::of(Rules::V4_2);
    config.queues = vec![queue("q", kind, 0)];
    config.publishers = vec![PublisherSettings { node: Some(1), routing_key: "q".into(), ..Default::default() }];
    config.consumers =
        vec![ConsumerSettings { node: Some(2), queue: "q".into(), prefetch_count: 20, ..Default::default() }];
    config.client.recovery_interval = Nanos::millis(500);
    config
}

pub fn workload(per_second: u64, limit: Option<u32>, processing: Nanos) -> Workload {
    let producer = ProducerSpec {
        name: "p".into(),
        rate_milli: per_second * 1000,
        arrivals: Arrivals::Poisson,
        keys: 10,
        bytes: 500,
        limit,
        start: Time::ZERO + Nanos::millis(500),
    };
    let consumer = ConsumerSpec {
        name: "c".into(),
        processing: Duration::Constant(processing),
        start: Time::ZERO,
        by_hand: false,
    };
    Workload { producers: vec![producer], consumers: vec![consumer] }
}

impl Story {
    pub fn new(seed: u64, config: &Config, workload: &Workload) -> Story {
        assert_eq!(config.check(), Ok(()));
        Story { cluster: QueueCluster::new(seed, workload, config), ledger: Ledger::default() }
    }

    pub fn run(&mut self, time: Nanos) {
        let until = self.cluster.world().now() + time;
        self.cluster.world_mut().run_until(until);
        let notes: Vec<_> = self.cluster.world_mut().take_notes().collect();
        for (_, _, note) in notes {
            self.take(note);
        }
    }

    fn take(&mut self, note: Note) {
        let ledger = &mut self.ledger;
        match note {
            Note::Mark(mark) => ledger.marks.push(*mark),
            Note::Life(id, life, _) => match life {
                Life::Produced { .. } => {
                    ledger.produced.insert(id);
                }
                Life::Acknowledged => {
                    ledger.acknowledged.insert(id);
                }
                Life::Refused => {
                    ledger.refused.insert(id);
                }
                Life::Delivered { redelivered: true, .. } => {
                    ledger.redelivered.insert(id);
                }
                Life::Processed { .. } => {
                    *ledger.processed.entry(id).or_default() += 1;
                    ledger.order.push(id);
                }
                Life::DeadLettered => {
                    ledger.dead.insert(id);
                }
                Life::Dropped => {
                    ledger.dropped.insert(id);
                }
                Life::Stored | Life::Aborted | Life::Deleted | Life::Delivered { .. } | Life::Settled { .. } => {}
            },
        }
    }

    pub fn kill(&mut self, node: u16) {
        self.cluster.world_mut().crash(NodeId(node), Crash::Kill);
    }

    pub fn cut_power(&mut self, node: u16) {
        self.cluster.world_mut().crash(NodeId(node), Crash::PowerLoss);
    }

    pub fn start(&mut self, node: u16) {
        self.cluster.world_mut().start(NodeId(node));
    }

    /// Cuts a server off from the other servers, both ways.
    pub fn isolate(&mut self, node: u16, servers: u16) {
        for other in (0..servers).filter(|other| *other != node) {
            self.cluster.world_mut().cut(NodeId(node), NodeId(other));
            self.cluster.world_mut().cut(NodeId(other), NodeId(node));
        }
    }

    pub fn heal(&mut self) {
        let cuts: Vec<_> = self.cluster.world().cuts().collect();
        for (from, to) in cuts {
            self.cluster.world_mut().heal(from, to);
        }
    }

    pub fn leader(&self) -> Option<u16> {
        self.cluster.view().queues[0].leader.map(|node| node.0)
    }

    /// Acknowledged, not processed, and not to be had any more.
    pub fn lost(&self) -> Vec<MessageId> {
        let mut held = BTreeSet::new();
        self.cluster.held(&mut |_, id| {
            held.insert(id);
        });
        let gone = |id: &&MessageId| !self.ledger.processed.contains_key(id) && !held.contains(id);
        self.ledger.acknowledged.iter().filter(gone).copied().collect()
    }

    pub fn marks(&self, code: &str) -> Vec<&Mark> {
        self.ledger.marks.iter().filter(|mark| mark.code == code).collect()
    }

    pub fn client(&self, role: Role) -> NodeId {
        self.cluster.nodes().iter().find(|info| info.role == role).map(|info| info.id).unwrap()
    }
}
