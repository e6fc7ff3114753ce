//! Recordings of a cluster of RabbitMQ nodes that fail, and the same scenarios in our engine.
//!
//! A recording has no single right answer: its runs differ. So it gives ranges, and the engine's runs must lie within.
//! The form is described in `docs/transcripts.md`.

use crate::Outcome;
use crate::ranges::{Comparison, Measure, disagreement, longest_gap, range};
use queue_cluster::{Config, QueueCluster, QueueSpec, Rules, ServerSettings, Table};
use queue_cluster::{ConsumerSettings, PublisherSettings, Value as Argument};
use serde::Deserialize;
use sim::story::{Life, MessageId, Note};
use sim::workload::{Arrivals, ConsumerSpec, Duration, ProducerSpec, Role, Workload};
use sim::{Crash, Nanos, NodeId, Time};
use std::collections::{BTreeMap, BTreeSet};

/// When the publisher begins: by then everyone is connected and the queue has its leader.
const BEGIN: Time = Time(3_000_000_000);
/// In which steps the engine's run is looked at.
const STEP: Nanos = Nanos::millis(20);
/// Nothing was delivered for this long, nothing is open and the queue is empty: the run is over. The recorder's own rest.
const REST: Nanos = Nanos::secs(1);

/// A scenario and what came of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Recording {
    /// Its name.
    pub name: String,
    /// What recorded it.
    pub broker: String,
    nodes: u16,
    settings: Settings,
    client: Client,
    patience_ms: u64,
    queue: Queue,
    publisher: Publisher,
    consumer: Consumer,
    faults: Vec<Fault>,
    /// What came of each run.
    pub runs: Vec<Run>,
}

#[derive(Clone, Debug, Deserialize)]
struct Settings {
    net_ticktime: u64,
    heartbeat: u64,
}

#[derive(Clone, Debug, Deserialize)]
struct Client {
    recovery_ms: u64,
}

#[derive(Clone, Debug, Deserialize)]
struct Queue {
    node: u16,
    arguments: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Publisher {
    node: u16,
    rate: u64,
    messages: u32,
    bytes: u32,
    max_unconfirmed: u32,
    retry_refused_ms: u64,
    #[serde(default)]
    mandatory: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct Consumer {
    node: u16,
    prefetch: u16,
    processing_ms: u64,
}

/// Nodes are numbered from 1, times are milliseconds after the publisher's first message.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "op")]
enum Fault {
    #[serde(rename = "node.kill")]
    Kill { at_ms: u64, node: u16 },
    #[serde(rename = "node.stop")]
    Stop { at_ms: u64, node: u16 },
    #[serde(rename = "node.start")]
    Start { at_ms: u64, node: u16 },
    #[serde(rename = "node.pause")]
    Pause { at_ms: u64, node: u16 },
    #[serde(rename = "node.resume")]
    Resume { at_ms: u64, node: u16 },
    #[serde(rename = "consumer.sever")]
    Sever { at_ms: u64 },
}

/// Messages in the queue.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Counts {
    /// That wait.
    pub ready: u64,
    /// With consumers.
    pub unacked: u64,
}

/// What came of one run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Run {
    /// Messages that were confirmed.
    pub confirmed: u64,
    /// Refusals (nacks). The engine's are counted by spells: only whether there were any is compared.
    pub refused: u64,
    /// Mandatory messages that came back.
    #[serde(default)]
    pub returned: u64,
    /// Messages that were made, and neither confirmed nor returned by the end.
    pub unconfirmed: u64,
    /// Different messages that were delivered.
    pub delivered: u64,
    /// Deliveries of a message beyond its first.
    pub duplicates: u64,
    /// Deliveries that were marked as such.
    pub redelivered: u64,
    /// Messages that were confirmed and never delivered.
    pub lost: u64,
    /// The longest time between two confirms of which the later came after the fault.
    pub confirm_gap_ms: u64,
    /// The same between deliveries.
    pub delivery_gap_ms: u64,
    /// The longest time between two confirms or two deliveries before the fault: how uneven the machine was.
    #[serde(default)]
    pub usual_gap_ms: u64,
    /// What the queue had in the end; `None` if nobody could say.
    pub queue: Option<Counts>,
    /// How long each node took that was started.
    #[serde(default)]
    pub up_ms: Vec<u64>,
    /// How long it took at most to open a connection and a channel.
    #[serde(default)]
    pub connect_ms: u64,
}

/// Reads a recording.
///
/// # Errors
/// A sentence that says where the text is not of the form.
pub fn read(text: &str) -> Result<Recording, String> {
    let recording: Recording = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if recording.runs.is_empty() {
        return Err(format!("{}: no runs", recording.name));
    }
    Ok(recording)
}

/// How many runs of the engine a recording is compared with.
pub const SEEDS: u64 = 20;

/// Plays a recording's scenario with several seeds, and gives the first measure that does not agree.
///
/// # Errors
/// A sentence, if the value is not of the form.
pub fn replay(value: &serde_json::Value) -> Result<Outcome, String> {
    let recording = read(&value.to_string())?;
    let runs: Vec<Run> = (0..SEEDS).map(|seed| play(&recording, seed)).collect();
    let disagreement = disagreement(compare(&recording, &runs));
    Ok(Outcome { name: recording.name, disagreement })
}

/// Something that happens to the cluster.
#[derive(Copy, Clone)]
enum Event {
    Kill(NodeId),
    Stop(NodeId),
    Start(NodeId),
    Pause(NodeId),
    Resume(NodeId),
}

/// Plays a recording's scenario in the engine. How long the machine took to start a node and to open a connection is
/// taken from a recorded run, one run after the other by the seed.
#[must_use]
pub fn play(recording: &Recording, seed: u64) -> Run {
    let run = &recording.runs[(seed % recording.runs.len() as u64) as usize];
    let config = config_of(recording, run);
    let mut cluster = QueueCluster::new(seed, &workload_of(recording), &config);
    let events = events_of(recording, run, &cluster);
    let fault = events.iter().map(|(at, _)| *at).min().unwrap_or(BEGIN);
    let mut seen = Seen::default();
    let made = BEGIN + Nanos(u64::from(recording.publisher.messages) * 1_000_000_000 / recording.publisher.rate);
    let last_event = events.iter().map(|(at, _)| *at).max().unwrap_or(BEGIN);
    let end = made.max(last_event) + Nanos::millis(recording.patience_ms);
    let mut waiting = events.into_iter().peekable();
    while cluster.world().now() < end {
        let now = cluster.world().now();
        let next = waiting.peek().map_or(now + STEP, |(at, _)| (*at).min(now + STEP));
        cluster.world_mut().run_until(next);
        while let Some((_, event)) = waiting.next_if(|(at, _)| *at <= next) {
            happen(&mut cluster, event);
        }
        seen.take(&mut cluster);
        if waiting.peek().is_none() && seen.is_over(recording, &cluster) {
            break;
        }
    }
    seen.outcome(run, &cluster, fault)
}

fn node(number: u16) -> NodeId {
    NodeId(number.saturating_sub(1))
}

fn config_of(recording: &Recording, run: &Run) -> Config {
    let rules = if recording.broker.contains(" 3.") { Rules::V3_10 } else { Rules::V4_2 };
    let Recording { queue, publisher, consumer, .. } = recording;
    let arguments: Table =
        queue.arguments.iter().map(|(key, value)| (key.clone(), Argument::from(value.as_str()))).collect();
    let mut config = Config { nodes: recording.nodes, server: ServerSettings::of(rules), ..Config::of(rules) };
    config.server.net_ticktime = Nanos::secs(recording.settings.net_ticktime);
    config.server.heartbeat = Nanos::secs(recording.settings.heartbeat);
    config.client.recovery_interval = Nanos::millis(recording.client.recovery_ms);
    config.client.handshake = Nanos::millis(run.connect_ms);
    config.queues = vec![QueueSpec { name: "q".into(), durable: true, arguments, node: Some(node(queue.node).0) }];
    config.publishers = vec![PublisherSettings {
        node: Some(node(publisher.node).0),
        routing_key: "q".into(),
        max_unconfirmed: publisher.max_unconfirmed,
        mandatory: publisher.mandatory,
        retry_refused: Some(Nanos::millis(publisher.retry_refused_ms)),
        ..PublisherSettings::default()
    }];
    config.consumers = vec![ConsumerSettings {
        node: Some(node(consumer.node).0),
        queue: "q".into(),
        prefetch_count: consumer.prefetch,
        ..ConsumerSettings::default()
    }];
    config
}

fn workload_of(recording: &Recording) -> Workload {
    let producer = ProducerSpec {
        name: "publisher".into(),
        rate_milli: recording.publisher.rate * 1000,
        arrivals: Arrivals::Steady,
        keys: 0,
        bytes: recording.publisher.bytes,
        limit: Some(recording.publisher.messages),
        start: BEGIN,
    };
    let processing = Duration::Constant(Nanos::millis(recording.consumer.processing_ms));
    let consumer = ConsumerSpec { name: "consumer".into(), processing, start: Time::ZERO, by_hand: false };
    Workload { producers: vec![producer], consumers: vec![consumer] }
}

/// The faults in the order of their times.
fn events_of(recording: &Recording, run: &Run, cluster: &QueueCluster) -> Vec<(Time, Event)> {
    let at = |ms: u64| BEGIN + Nanos::millis(ms);
    let mut started = run.up_ms.iter();
    let mut events = Vec::new();
    for fault in &recording.faults {
        match *fault {
            Fault::Kill { at_ms, node: number } => events.push((at(at_ms), Event::Kill(node(number)))),
            Fault::Stop { at_ms, node: number } => events.push((at(at_ms), Event::Stop(node(number)))),
            Fault::Pause { at_ms, node: number } => events.push((at(at_ms), Event::Pause(node(number)))),
            Fault::Resume { at_ms, node: number } => events.push((at(at_ms), Event::Resume(node(number)))),
            Fault::Start { at_ms, node: number } => {
                let up = started.next().copied().unwrap_or(0);
                events.push((at(at_ms + up), Event::Start(node(number))));
            }
            Fault::Sever { at_ms } => {
                // The engine's clients lose a connection as they die; the wait before the next one is the same.
                let client = cluster.nodes().iter().find(|info| info.role == Role::Consumer(0)).map(|info| info.id);
                if let Some(client) = client {
                    events.push((at(at_ms), Event::Kill(client)));
                    events.push((at(at_ms + recording.client.recovery_ms), Event::Start(client)));
                }
            }
        }
    }
    events.sort_by_key(|(at, _)| *at);
    events
}

fn happen(cluster: &mut QueueCluster, event: Event) {
    let world = cluster.world_mut();
    match event {
        Event::Kill(node) => world.crash(node, Crash::Kill),
        Event::Stop(node) => world.stop(node),
        Event::Start(node) => world.start(node),
        Event::Pause(node) => world.pause(node),
        Event::Resume(node) => world.resume(node),
    }
}

/// What the clients saw of a run.
#[derive(Default)]
struct Seen {
    made: u64,
    confirmed: BTreeSet<MessageId>,
    delivered: BTreeMap<MessageId, u64>,
    redelivered: u64,
    refusals: u64,
    returned: u64,
    confirms: Vec<Time>,
    deliveries: Vec<Time>,
}

impl Seen {
    fn take(&mut self, cluster: &mut QueueCluster) {
        let notes: Vec<_> = cluster.world_mut().take_notes().collect();
        for (at, _, note) in notes {
            match note {
                Note::Life(_, Life::Produced { .. }, _) => self.made += 1,
                Note::Life(id, Life::Acknowledged, _) => {
                    self.confirmed.insert(id);
                    self.confirms.push(at);
                }
                // Nacks lead to another try, so only what came back is given up.
                Note::Life(_, Life::Refused, _) => self.returned += 1,
                Note::Life(id, Life::Delivered { redelivered, .. }, _) => {
                    *self.delivered.entry(id).or_default() += 1;
                    self.redelivered += u64::from(redelivered);
                    self.deliveries.push(at);
                }
                Note::Mark(mark) if mark.code == "publish-refused" => self.refusals += 1,
                _ => {}
            }
        }
    }

    fn is_over(&self, recording: &Recording, cluster: &QueueCluster) -> bool {
        let all = u64::from(recording.publisher.messages);
        let view = cluster.view();
        let held = view.consumers.iter().any(|consumer| !consumer.unacked.is_empty())
            || view.queues.iter().any(|queue| queue.ready + queue.unacked > 0);
        let last = self.deliveries.last().copied().unwrap_or(Time::ZERO);
        self.confirmed.len() as u64 + self.returned == all && !held && cluster.world().now().since(last) > REST
    }

    fn outcome(self, run: &Run, cluster: &QueueCluster, fault: Time) -> Run {
        let lost = self.confirmed.iter().filter(|id| !self.delivered.contains_key(id)).count() as u64;
        let view = cluster.view();
        Run {
            confirmed: self.confirmed.len() as u64,
            refused: self.refusals,
            returned: self.returned,
            unconfirmed: self.made - self.confirmed.len() as u64 - self.returned,
            delivered: self.delivered.len() as u64,
            duplicates: self.delivered.values().map(|times| times - 1).sum(),
            redelivered: self.redelivered,
            lost,
            confirm_gap_ms: longest_gap(&self.confirms, fault),
            delivery_gap_ms: longest_gap(&self.deliveries, fault),
            usual_gap_ms: run.usual_gap_ms,
            queue: view.queues.first().map(|queue| Counts { ready: queue.ready, unacked: queue.unacked }),
            up_ms: run.up_ms.clone(),
            connect_ms: run.connect_ms,
        }
    }
}

const COUNTS: [Measure<Run>; 8] = [
    ("confirmed", |run| run.confirmed),
    ("unconfirmed", |run| run.unconfirmed),
    ("returned", |run| run.returned),
    ("delivered", |run| run.delivered),
    ("lost", |run| run.lost),
    ("refusals", |run| u64::from(run.refused > 0)),
    ("ready at the end", |run| run.queue.map_or(0, |queue| queue.ready)),
    ("unacked at the end", |run| run.queue.map_or(0, |queue| queue.unacked)),
];
const AGAIN: [Measure<Run>; 2] = [("duplicates", |run| run.duplicates), ("redelivered", |run| run.redelivered)];
const GAPS: [Measure<Run>; 2] =
    [("gap without a confirm", |run| run.confirm_gap_ms), ("gap without a delivery", |run| run.delivery_gap_ms)];

/// Compares the engine's runs with the recorded ones, measure by measure.
///
/// A count that was the same in all recorded runs must be the same; of what came again, one message may be on its way
/// when the fault strikes. Where they differ, it depends on that moment: a window of the consumer, and what is
/// published in the time by which the recorded gaps differ, may be in or out. Gaps are drawn from timers: the median of
/// the engine's must lie in the recorded range, give or take the longest gap that there was without a fault, which is
/// as fine as the recorder could measure.
#[must_use]
pub fn compare(recording: &Recording, runs: &[Run]) -> Vec<Comparison> {
    let rate = recording.publisher.rate;
    let (shortest, longest) = range(&recording.runs, |run| run.confirm_gap_ms);
    let window = u64::from(recording.consumer.prefetch) + (longest - shortest) * rate / 1000;
    let usual = range(&recording.runs, |run| run.usual_gap_ms).1;
    let count = |(measure, of): Measure<Run>, on_its_way: u64| {
        let recorded = range(&recording.runs, of);
        let tolerance = match recorded {
            (0, 0) => 0,
            (low, high) if low == high => on_its_way,
            _ => window,
        };
        Comparison { measure, recorded, tolerance, came: range(runs, of) }
    };
    let gap = |measure: Measure<Run>| Comparison::of_gap(measure, &recording.runs, runs, usual);
    let counts = COUNTS.into_iter().map(|measure| count(measure, 0));
    let again = AGAIN.into_iter().map(|measure| count(measure, 1));
    counts.chain(again).chain(GAPS.into_iter().map(gap)).collect()
}
