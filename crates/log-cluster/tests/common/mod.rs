//! A cluster for stories: give orders, let time pass, read what happened.
#![allow(dead_code, reason = "each file of stories uses its own part")]

use log_cluster::config::{
    Acks, Config, ConsumerClient, ConsumerConfig, OffsetReset, ProducerClient, ProducerConfig, TopicSpec,
};
use log_cluster::{LogCluster, View};
use sim::story::{Life, Mark, MessageId, Note};
use sim::workload::{Arrivals, ConsumerSpec, Duration, ProducerSpec, Workload};
use sim::{Crash, Nanos, NodeId, Time};
use std::collections::{BTreeMap, BTreeSet};

/// What became of a message, as far as the notes tell.
#[derive(Clone, Debug, Default)]
pub struct Fate {
    pub deleted: bool,
    pub acknowledged: bool,
    pub refused: bool,
    pub aborted: bool,
    /// When its client learnt what became of it.
    pub answered: Option<Time>,
    pub stored: u32,
    pub processed: BTreeMap<u8, u32>,
    pub settled: bool,
}

/// A cluster, and what it told so far.
pub struct Story {
    pub cluster: LogCluster,
    pub fates: BTreeMap<MessageId, Fate>,
    pub marks: Vec<Mark>,
    pub order: BTreeMap<(u16, u32), Vec<u32>>,
    keys: BTreeMap<MessageId, u32>,
}

/// Three brokers, one topic `orders` with one partition on all three, one producer, no consumer.
pub fn config() -> Config {
    let mut config = Config { topics: vec![TopicSpec::new("orders", 1, 3)], ..Config::default() };
    config.topics[0].replica_assignment = vec![vec![1, 2, 3]];
    config.topics[0].config.min_insync_replicas = Some(2);
    config
}

pub fn producer(acks: Acks) -> ProducerClient {
    let config = ProducerConfig { acks, ..ProducerConfig::default() };
    ProducerClient { topic: "orders".into(), config, ..ProducerClient::default() }
}

pub fn consumer() -> ConsumerClient {
    let config = ConsumerConfig { auto_offset_reset: OffsetReset::Earliest, ..ConsumerConfig::default() };
    ConsumerClient { topics: vec!["orders".into()], config, ..ConsumerClient::default() }
}

pub fn workload(rate: u64, producers: usize, consumers: usize) -> Workload {
    let name = |kind: &str, index: usize| format!("{kind}-{}", index + 1);
    Workload {
        producers: (0..producers)
            .map(|index| ProducerSpec {
                name: name("producer", index),
                rate_milli: rate * 1_000,
                arrivals: Arrivals::Steady,
                keys: 10,
                bytes: 100,
                limit: None,
                start: Time::ZERO,
            })
            .collect(),
        consumers: (0..consumers)
            .map(|index| ConsumerSpec {
                name: name("consumer", index),
                processing: Duration::Constant(Nanos::millis(1)),
                start: Time::ZERO,
                by_hand: false,
            })
            .collect(),
    }
}

impl Story {
    pub fn new(config: &Config, workload: &Workload) -> Story {
        let mut config = config.clone();
        if config.consumers.is_empty() {
            config.consumers = vec![consumer()];
        }
        let config = &config;
        Story::seeded(7, config, workload)
    }

    pub fn seeded(seed: u64, config: &Config, workload: &Workload) -> Story {
        config.check().expect("a config that Kafka takes");
        Story {
            cluster: LogCluster::new(seed, workload, config),
            fates: BTreeMap::new(),
            marks: Vec::new(),
            order: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    pub fn at(&self) -> f64 {
        self.cluster.world().now().0 as f64 / 1e9
    }

    pub fn run_to(&mut self, millis: u64) {
        self.cluster.world_mut().run_until(Time::ZERO + Nanos::millis(millis));
        let notes: Vec<_> = self.cluster.world_mut().take_notes().collect();
        for (at, _, note) in notes {
            match note {
                Note::Mark(mark) => self.marks.push(*mark),
                Note::Life(id, life, _) => self.live(at, id, life),
            }
        }
    }

    fn live(&mut self, at: Time, id: MessageId, life: Life) {
        let fate = self.fates.entry(id).or_default();
        if matches!(life, Life::Acknowledged | Life::Refused | Life::Aborted) {
            fate.answered = fate.answered.or(Some(at));
        }
        match life {
            Life::Produced { key } => drop(self.keys.insert(id, key)),
            Life::Stored => fate.stored += 1,
            Life::Acknowledged => fate.acknowledged = true,
            Life::Refused => fate.refused = true,
            Life::Processed { reader, .. } => {
                *fate.processed.entry(reader).or_default() += 1;
                let key = self.keys.get(&id).copied().unwrap_or(0);
                self.order.entry((id.producer, key)).or_default().push(id.sequence);
            }
            Life::Settled { .. } => fate.settled = true,
            Life::Aborted => fate.aborted = true,
            Life::Delivered { .. } | Life::DeadLettered | Life::Dropped => {}
            Life::Deleted => fate.deleted = true,
        }
    }

    pub fn run_for(&mut self, millis: u64) {
        let now = self.cluster.world().now().0 / 1_000_000;
        self.run_to(now + millis);
    }

    /// Runs until the condition holds, and answers how many milliseconds that took; panics after `limit`.
    pub fn run_until(&mut self, limit: u64, what: &str, holds: impl Fn(&View) -> bool) -> u64 {
        for waited in 0..=limit / 10 {
            if holds(&self.view()) {
                return waited * 10;
            }
            self.run_for(10);
        }
        panic!("never came to pass: {what}\n{}", self.tell());
    }

    pub fn view(&self) -> View {
        self.cluster.view()
    }

    pub fn node(&self, name: &str) -> NodeId {
        let found = self.cluster.nodes().iter().find(|node| node.name == name);
        found.unwrap_or_else(|| panic!("no node {name}")).id
    }

    pub fn kill(&mut self, name: &str) {
        let node = self.node(name);
        self.cluster.world_mut().crash(node, Crash::Kill);
    }

    pub fn power_off(&mut self, name: &str) {
        let node = self.node(name);
        self.cluster.world_mut().crash(node, Crash::PowerLoss);
    }

    pub fn start(&mut self, name: &str) {
        let node = self.node(name);
        self.cluster.world_mut().start(node);
    }

    pub fn stop(&mut self, name: &str) {
        let node = self.node(name);
        self.cluster.world_mut().stop(node);
    }

    pub fn pause(&mut self, name: &str) {
        let node = self.node(name);
        self.cluster.world_mut().pause(node);
    }

    pub fn resume(&mut self, name: &str) {
        let node = self.node(name);
        self.cluster.world_mut().resume(node);
    }

    pub fn cut(&mut self, from: &str, to: &str) {
        let (a, b) = (self.node(from), self.node(to));
        self.cluster.world_mut().cut(a, b);
        self.cluster.world_mut().cut(b, a);
    }

    pub fn heal(&mut self, from: &str, to: &str) {
        let (a, b) = (self.node(from), self.node(to));
        self.cluster.world_mut().heal(a, b);
        self.cluster.world_mut().heal(b, a);
    }

    /// The first topic's first partition: its leader's name.
    pub fn leader(&self) -> Option<String> {
        let leader = self.view().topics[0].partitions.first()?.leader?;
        Some(self.cluster.nodes()[leader.index()].name.clone())
    }

    pub fn isr(&self) -> Vec<String> {
        let view = self.view();
        let names = |node: &NodeId| self.cluster.nodes()[node.index()].name.clone();
        view.topics[0].partitions[0].isr.iter().map(names).collect()
    }

    pub fn high_watermark(&self, broker: &str) -> u64 {
        self.replica(broker).high_watermark
    }

    pub fn replica(&self, broker: &str) -> log_cluster::view::ReplicaView {
        let node = self.node(broker);
        let view = self.view();
        let server = view.servers.iter().find(|server| server.node == node).expect("a server");
        server.broker.as_ref().expect("a broker").replicas.first().expect("a replica").clone()
    }

    pub fn acknowledged(&self) -> usize {
        self.fates.values().filter(|fate| fate.acknowledged).count()
    }

    pub fn processed(&self) -> usize {
        self.fates.values().filter(|fate| !fate.processed.is_empty()).count()
    }

    pub fn stored_twice(&self) -> usize {
        self.fates.values().filter(|fate| fate.stored > 1).count()
    }

    fn held(&self) -> BTreeSet<MessageId> {
        let mut held = BTreeSet::new();
        self.cluster.held(&mut |reader, id| {
            if reader == 0 {
                held.insert(id);
            }
        });
        held
    }

    /// Messages that were acknowledged, are on no log that counts, and were not processed by the first group.
    pub fn lost(&self) -> Vec<MessageId> {
        let held = self.held();
        let lost = |(id, fate): &(&MessageId, &Fate)| {
            fate.acknowledged && !fate.deleted && fate.processed.is_empty() && !held.contains(id)
        };
        self.fates.iter().filter(lost).map(|(id, _)| *id).collect()
    }

    /// Messages that were neither acknowledged nor refused nor processed, and that nobody has any more.
    pub fn gone(&self) -> Vec<MessageId> {
        let held = self.held();
        let open = |fate: &Fate| !(fate.acknowledged || fate.refused || fate.aborted) && fate.processed.is_empty();
        self.fates.iter().filter(|(id, fate)| open(fate) && !held.contains(id)).map(|(id, _)| *id).collect()
    }

    pub fn marked(&self, code: &str) -> usize {
        self.marks.iter().filter(|mark| mark.code == code).count()
    }

    /// All marks, one a line.
    pub fn tell(&self) -> String {
        let line = |mark: &Mark| {
            let at = mark.at.0 as f64 / 1e9;
            format!("{at:9.3} {:20} {} [{}]\n", mark.code, mark.values.join(" | "), mark.rule.0)
        };
        self.marks.iter().map(line).collect()
    }
}
