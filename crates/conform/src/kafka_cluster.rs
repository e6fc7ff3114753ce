//! Recordings of a Kafka cluster that fails, and the same scenarios in our engine.
//!
//! A recording has no single right answer: its runs differ. So it gives ranges, and the engine's runs must lie within.
//! The form is described in `docs/transcripts.md`.

use crate::Outcome;
use crate::kafka_faults::{Event, Fault, broker, events_of, happen, number};
use crate::ranges::{Comparison, Measure, disagreement, longest_gap, range};
use log_cluster::config::{Config, ConsumerClient, Controllers, ProducerClient, TopicSpec};
use log_cluster::view::Registration;
use log_cluster::{LogCluster, View};
use serde::Deserialize;
use sim::story::{Life, MessageId, Note};
use sim::workload::{Arrivals, ConsumerSpec, Duration, ProducerSpec, Workload};
use sim::{Nanos, NodeId, Time};
use std::collections::{BTreeMap, BTreeSet};

/// When the producer begins in the first seed: by then the group has formed and knows its place.
const BEGIN: Time = Time(6_000_000_000);
/// How much later in each further seed. Brokers show a sign of life each 2 s, and a recording's fault strikes at any
/// time in between; 20 seeds go round that almost evenly.
const LATER: Nanos = Nanos::millis(703);
/// In which steps the engine's run is looked at.
const STEP: Nanos = Nanos::millis(20);
/// Everything is answered, all that can be read was read, and nothing was answered or delivered for this long: the run
/// is over. The recorder's own rest.
const REST: Nanos = Nanos::secs(2);
/// How many names of groups are tried until the right broker coordinates one.
const GROUPS: u32 = 200;

/// A scenario and what came of it.
#[derive(Clone, Debug, Deserialize)]
pub struct Recording {
    /// Its name.
    pub name: String,
    /// What recorded it.
    pub broker: String,
    brokers: u16,
    controllers: u16,
    topic: Topic,
    producer: Producer,
    consumer: Consumer,
    patience_ms: u64,
    faults: Vec<Fault>,
    /// What came of each run.
    pub runs: Vec<Run>,
}

type Settings = BTreeMap<String, String>;

#[derive(Clone, Debug, Deserialize)]
struct Topic {
    replicas: Vec<u16>,
    config: Settings,
}

#[derive(Clone, Debug, Deserialize)]
struct Producer {
    rate: u64,
    messages: u32,
    bytes: u32,
    config: Settings,
}

#[derive(Clone, Debug, Deserialize)]
struct Consumer {
    coordinator: u16,
    config: Settings,
}

/// What came of one run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Run {
    /// Messages whose producer learnt that they were taken.
    pub acknowledged: u64,
    /// Messages whose producer gave up.
    pub refused: u64,
    /// Neither, by the end.
    pub unanswered: u64,
    /// Different messages that were delivered.
    pub delivered: u64,
    /// Deliveries of a message beyond its first.
    pub duplicates: u64,
    /// Messages that were acknowledged and never delivered.
    pub lost: u64,
    /// The longest time between two acknowledgements of which the later came after the fault.
    pub ack_gap_ms: u64,
    /// The same between deliveries.
    pub delivery_gap_ms: u64,
    /// The longest such time before the fault: how uneven the machine was.
    pub usual_gap_ms: u64,
    /// The partition's end, as far as it can be read.
    pub stored: u64,
    /// The partition's leader, before and after.
    pub leader: (u16, Option<u16>),
    /// The replicas in sync after.
    pub isr: Vec<u16>,
    /// How long each broker took that was started, until it was let in.
    #[serde(default)]
    pub up_ms: Vec<u64>,
    /// How long of that its process took until it was at the point of registering.
    #[serde(default)]
    pub boot_ms: Vec<u64>,
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
/// A sentence, if the value is not of the form, or the engine refuses a setting.
pub fn replay(value: &serde_json::Value) -> Result<Outcome, String> {
    let recording = read(&value.to_string())?;
    let runs: Vec<Run> = (0..SEEDS).map(|seed| play(&recording, seed)).collect::<Result<_, _>>()?;
    let disagreement = disagreement(compare(&recording, &runs));
    Ok(Outcome { name: recording.name, disagreement })
}

/// Plays a recording's scenario in the engine. How long the machine took to start a broker's process is taken from a
/// recorded run, one run after the other by the seed.
///
/// # Errors
/// A sentence, if the engine refuses a setting.
pub fn play(recording: &Recording, seed: u64) -> Result<Run, String> {
    let recorded = &recording.runs[(seed % recording.runs.len() as u64) as usize];
    let begin = BEGIN + Nanos(LATER.0 * seed);
    let mut cluster = cluster_of(recording, seed, begin)?;
    let events = events_of(&cluster, &recording.faults, recorded, begin);
    let fault = events.iter().map(|(at, _)| *at).min().unwrap_or(begin);
    let last_event = events.iter().map(|(at, _)| *at).max().unwrap_or(begin);
    let made = begin + Nanos(u64::from(recording.producer.messages) * 1_000_000_000 / recording.producer.rate);
    let end = made.max(last_event) + Nanos::millis(recording.patience_ms);
    let before = look(&cluster).0;
    let mut seen = Seen::default();
    let mut started = Started::new(recorded);
    let mut waiting = events.into_iter().peekable();
    while cluster.world().now() < end {
        let now = cluster.world().now();
        let next = waiting.peek().map_or(now + STEP, |(at, _)| (*at).min(now + STEP));
        cluster.world_mut().run_until(next);
        while let Some((at, event)) = waiting.next_if(|(at, _)| *at <= next) {
            started.note(&event, at, &cluster);
            happen(&mut cluster, &event);
        }
        started.look(&cluster);
        seen.take(&mut cluster);
        if waiting.peek().is_none() && seen.is_over(recording, &cluster) {
            break;
        }
    }
    let (after, isr, stored) = look(&cluster);
    let leader = (before.unwrap_or(0), after);
    Ok(seen.outcome(recording, Run { leader, isr, stored, up_ms: started.up_ms, ..recorded.clone() }, fault))
}

fn set(settings: &Settings, mut set: impl FnMut(&str, &str) -> Result<(), String>) -> Result<(), String> {
    settings.iter().try_for_each(|(name, value)| set(name, value))
}

/// The cluster shortly before the producer begins, with a group that the recorded broker coordinates.
fn cluster_of(recording: &Recording, seed: u64, begin: Time) -> Result<LogCluster, String> {
    let workload = workload_of(recording, begin);
    for number in 0..GROUPS {
        let config = config_of(recording, &format!("g-{number}"))?;
        let mut cluster = LogCluster::new(seed, &workload, &config);
        cluster.world_mut().run_until(Time::ZERO + Nanos::secs(2));
        let coordinator = cluster.view().consumers.first().and_then(|consumer| consumer.coordinator);
        if coordinator == broker(&cluster, recording.consumer.coordinator) {
            cluster.world_mut().run_until(Time(begin.0 - STEP.0));
            return Ok(cluster);
        }
    }
    Err(format!("{}: no group has broker {} as its coordinator", recording.name, recording.consumer.coordinator))
}

fn config_of(recording: &Recording, group: &str) -> Result<Config, String> {
    let mut topic = TopicSpec::new("t", 1, u16::try_from(recording.topic.replicas.len()).unwrap_or(u16::MAX));
    topic.replica_assignment = vec![recording.topic.replicas.clone()];
    set(&recording.topic.config, |name, value| topic.config.set(name, value))?;
    let mut producer = ProducerClient { topic: "t".into(), ..ProducerClient::default() };
    set(&recording.producer.config, |name, value| producer.config.set(name, value))?;
    let mut consumer = ConsumerClient { topics: vec!["t".into()], ..ConsumerClient::default() };
    set(&recording.consumer.config, |name, value| consumer.config.set(name, value))?;
    consumer.config.group_id = group.to_owned();
    let config = Config {
        brokers: recording.brokers,
        controllers: Controllers::Dedicated(recording.controllers),
        topics: vec![topic],
        producers: vec![producer],
        consumers: vec![consumer],
        ..Config::default()
    };
    config.check().map_err(|problems| format!("{}: {problems:?}", recording.name))?;
    Ok(config)
}

fn workload_of(recording: &Recording, begin: Time) -> Workload {
    let producer = ProducerSpec {
        name: "producer".into(),
        rate_milli: recording.producer.rate * 1000,
        arrivals: Arrivals::Steady,
        keys: 0,
        bytes: recording.producer.bytes,
        limit: Some(recording.producer.messages),
        start: begin,
    };
    let processing = Duration::Constant(Nanos(0));
    let consumer = ConsumerSpec { name: "consumer".into(), processing, start: Time::ZERO, by_hand: false };
    Workload { producers: vec![producer], consumers: vec![consumer] }
}

/// The partition's leader, its replicas in sync, and how far it can be read.
fn look(cluster: &LogCluster) -> (Option<u16>, Vec<u16>, u64) {
    let View { servers, topics, .. } = cluster.view();
    let Some(partition) = topics.first().and_then(|topic| topic.partitions.first()) else { return (None, vec![], 0) };
    let server = servers.iter().find(|server| Some(server.node) == partition.leader);
    let replicas = server.and_then(|server| server.broker.as_ref()).map(|broker| broker.replicas.as_slice());
    let replica = replicas.unwrap_or_default().iter().find(|replica| (replica.topic, replica.partition) == (0, 0));
    let mut isr: Vec<u16> = partition.isr.iter().map(|node| number(cluster, *node)).collect();
    isr.sort_unstable();
    let leader = partition.leader.map(|node| number(cluster, node));
    (leader, isr, replica.map_or(0, |replica| replica.high_watermark))
}

/// Brokers that were started, and how long each took until it was let in.
struct Started {
    boot_ms: Vec<u64>,
    /// The broker, since when, how long its process took, and the epoch of its last life.
    waiting: Vec<(NodeId, Time, u64, u64)>,
    up_ms: Vec<u64>,
}

impl Started {
    fn new(recorded: &Run) -> Started {
        Started { boot_ms: recorded.boot_ms.clone(), waiting: Vec::new(), up_ms: Vec::new() }
    }

    /// The process has begun: what it took to get so far is as recorded.
    fn note(&mut self, event: &Event, at: Time, cluster: &LogCluster) {
        let next = self.up_ms.len() + self.waiting.len();
        if let (Event::Start(node), Some(boot)) = (event, self.boot_ms.get(next)) {
            let epoch = registration(cluster, *node).map_or(0, |(_, epoch)| epoch);
            self.waiting.push((*node, at, *boot, epoch));
        }
    }

    fn look(&mut self, cluster: &LogCluster) {
        if self.waiting.is_empty() {
            return;
        }
        let now = cluster.world().now();
        self.waiting.retain(|(node, since, boot, last)| {
            let now_in = registration(cluster, *node).is_some_and(|(active, epoch)| active && epoch > *last);
            if now_in {
                self.up_ms.push(boot + now.since(*since).0 / 1_000_000);
            }
            !now_in
        });
    }
}

/// Whether a broker is at work, and the epoch of its registration, as the cluster sees it.
fn registration(cluster: &LogCluster, node: NodeId) -> Option<(bool, u64)> {
    let View { servers, .. } = cluster.view();
    let broker = servers.into_iter().find(|server| server.node == node)?.broker?;
    Some((broker.registration == Registration::Active, broker.epoch))
}

/// What the clients saw of a run.
#[derive(Default)]
struct Seen {
    made: u64,
    acknowledged: BTreeSet<MessageId>,
    refused: u64,
    delivered: BTreeMap<MessageId, u64>,
    acks: Vec<Time>,
    /// Acknowledgements and refusals.
    answers: Vec<Time>,
    deliveries: Vec<Time>,
}

impl Recording {
    /// Whether nobody answers its producer (K-A1): what is sent counts as acknowledged, and its client knows no more.
    fn is_unanswered(&self) -> bool {
        self.producer.config.get("acks").is_some_and(|acks| acks == "0")
    }
}

impl Seen {
    fn take(&mut self, cluster: &mut LogCluster) {
        let notes: Vec<_> = cluster.world_mut().take_notes().collect();
        for (at, _, note) in notes {
            let Note::Life(id, life, _) = note else { continue };
            match life {
                Life::Produced { .. } => self.made += 1,
                Life::Acknowledged => {
                    self.acknowledged.insert(id);
                    self.acks.push(at);
                    self.answers.push(at);
                }
                Life::Refused => {
                    self.refused += 1;
                    self.answers.push(at);
                }
                Life::Delivered { .. } => {
                    *self.delivered.entry(id).or_default() += 1;
                    self.deliveries.push(at);
                }
                _ => {}
            }
        }
    }

    fn is_over(&self, recording: &Recording, cluster: &LogCluster) -> bool {
        let last = self.deliveries.last().max(self.answers.last()).copied().unwrap_or(Time::ZERO);
        let held = |view: View| view.producers.iter().map(|producer| producer.buffered + producer.blocked).sum::<u32>();
        let answered = if recording.is_unanswered() {
            self.made - u64::from(held(cluster.view()))
        } else {
            self.acknowledged.len() as u64 + self.refused
        };
        answered == u64::from(recording.producer.messages)
            && cluster.world().now().since(last) > REST
            && self.deliveries.len() as u64 >= look(cluster).2
    }

    /// The run, of which the rest is known.
    fn outcome(self, recording: &Recording, rest: Run, fault: Time) -> Run {
        if recording.is_unanswered() {
            let (made, delivered) = (self.made - self.refused, self.delivered.len() as u64);
            let run = self.counted(rest, fault);
            return Run { acknowledged: made, unanswered: 0, lost: made - delivered, ..run };
        }
        self.counted(rest, fault)
    }

    fn counted(self, rest: Run, fault: Time) -> Run {
        Run {
            acknowledged: self.acknowledged.len() as u64,
            refused: self.refused,
            unanswered: self.made - self.acknowledged.len() as u64 - self.refused,
            delivered: self.delivered.len() as u64,
            duplicates: self.delivered.values().map(|times| times - 1).sum(),
            lost: self.acknowledged.iter().filter(|id| !self.delivered.contains_key(id)).count() as u64,
            ack_gap_ms: longest_gap(&self.acks, fault),
            delivery_gap_ms: longest_gap(&self.deliveries, fault),
            ..rest
        }
    }
}

const COUNTS: [Measure<Run>; 9] = [
    ("acknowledged", |run| run.acknowledged),
    ("refused", |run| run.refused),
    ("unanswered", |run| run.unanswered),
    ("delivered", |run| run.delivered),
    ("duplicates", |run| run.duplicates),
    ("lost", |run| run.lost),
    ("stored", |run| run.stored),
    ("leader after", |run| u64::from(run.leader.1.unwrap_or(0))),
    ("in sync after", |run| run.isr.len() as u64),
];
const ACKS: Measure<Run> = ("gap without an acknowledgement", |run| run.ack_gap_ms);
const DELIVERIES: Measure<Run> = ("gap without a delivery", |run| run.delivery_gap_ms);
/// The recorder's consumer polls in turns of 100 ms: that a connection is dead and that there is another one it learns
/// in two of them.
const TURNS_MS: u64 = 200;
/// Where it was recorded how long a broker's process took until it registers, the rest is the engine's matter.
const STARTED: Measure<Run> = ("until a started broker is let in", |run| run.up_ms.iter().copied().max().unwrap_or(0));

/// Compares the engine's runs with the recorded ones, measure by measure.
///
/// A count that was the same in all recorded runs must be the same. Where they differ, it depends on what was under
/// way when the fault struck: what is produced in the longest gap that there was without a fault may be in or out. Gaps
/// are drawn from timers: the median of the engine's must lie in the recorded range, give or take that longest gap,
/// which is as fine as the recorder could measure. A count whose range is wider than what may be in or out follows from
/// a gap (what is lost until a leader knows), and is compared as one.
#[must_use]
pub fn compare(recording: &Recording, runs: &[Run]) -> Vec<Comparison> {
    let usual = range(&recording.runs, |run| run.usual_gap_ms).1;
    let window = (usual * recording.producer.rate).div_ceil(1000);
    let count = |(measure, of): Measure<Run>| {
        let recorded = range(&recording.runs, of);
        let tolerance = if recorded.0 == recorded.1 { 0 } else { window };
        if recorded.1 - recorded.0 > 2 * window {
            return Comparison::of_gap((measure, of), &recording.runs, runs, tolerance);
        }
        Comparison { measure, recorded, tolerance, came: range(runs, of) }
    };
    let gap = |measure: Measure<Run>| Comparison::of_gap(measure, &recording.runs, runs, usual);
    let turns = if recording.faults.iter().any(|fault| fault.clients) { TURNS_MS } else { 0 };
    let mut all: Vec<Comparison> = COUNTS.into_iter().map(count).collect();
    // The engine does not tell when a record left a client that nobody answers.
    if !recording.is_unanswered() {
        all.push(gap(ACKS));
    }
    all.push(Comparison::of_gap(DELIVERIES, &recording.runs, runs, usual + turns));
    if recording.runs.iter().any(|run| !run.boot_ms.is_empty()) {
        all.push(gap(STARTED));
    }
    all
}
