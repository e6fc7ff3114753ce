//! Recorded cases of records and brokers, played in our engine: what is acknowledged and what refused, where records
//! lie, what readers get, and who is in sync. The form is described in `docs/transcripts.md`.

use crate::kafka_steps::{Case, Step, client_of, cluster_with, topic_of};
use crate::{Disagreement, Outcome};
use log_cluster::LogCluster;
use log_cluster::config::{Config, ProducerClient};
use log_cluster::view::PartitionView;
use serde_json::{Value, json};
use sim::story::{Life, MessageId, Note};
use sim::workload::{Arrivals, ClientOrder, ConsumerSpec, Duration, ProducerSpec, Workload};
use sim::{Crash, Nanos, NodeId, Time};
use std::collections::{BTreeMap, BTreeSet};

/// The operations of such a case.
const OPERATIONS: [&str; 10] = [
    "producer.open",
    "producer.send",
    "producer.close",
    "transaction.init",
    "topic.read",
    "topic.offsets",
    "broker.kill",
    "broker.start",
    "isr.wait",
    "wait",
];
/// When a case begins: by then the cluster stands.
const BEGIN: Time = Time(16_000_000_000);
/// When the second broker is started again, so that not all show their signs of life at the same times; and how much
/// later in each further play.
const RESTART: Time = Time(4_000_000_000);
const LATER: Nanos = Nanos::millis(310);
/// Which of two silent brokers is fenced first hangs on their heartbeats: one play of so many has to agree.
const SEEDS: u64 = 12;
/// Bytes of a record's value where nothing is said.
const BYTES: u32 = 100;

/// A topic that the cluster does not have.
pub(crate) const NOWHERE: &str = "nowhere";

/// Whether a case is one of these.
pub(crate) fn is_of(case: &Case) -> bool {
    case.steps.iter().all(|step| OPERATIONS.contains(&step.op.as_str()))
        && case.steps.iter().any(|step| step.op == "topic.read")
}

/// How long a step gets: what it took when it was recorded, and a little. A broker's session ends up to 3 s later in one
/// play than in another.
fn time_of(step: &Step) -> Nanos {
    let took = step.took_ms.iter().copied().max().unwrap_or(0);
    let slack = match step.op.as_str() {
        "isr.wait" => 3_500,
        "topic.read" => 500,
        _ => 20,
    };
    Nanos::millis(step.ms.unwrap_or(took + slack))
}

/// Plays a case.
pub(crate) fn replay(case: &Case) -> Result<Outcome, String> {
    let mut disagreement = None;
    for seed in 0..SEEDS {
        disagreement = Play::new(case, seed)?.run()?;
        if disagreement.is_none() {
            break;
        }
    }
    Ok(Outcome { name: case.name.clone(), disagreement })
}

/// Which of the engine's producers sends a record: by the recorded producer's name, by what a producer of the engine
/// has for all of its records (their size, how far its clock is ahead), and whether its topic or partition is nowhere.
#[derive(Clone, PartialEq, Eq)]
struct Sender<'a> {
    name: &'a str,
    bytes: u32,
    ahead: u64,
    nowhere: bool,
}

impl<'a> Sender<'a> {
    fn of(step: &'a Step) -> Sender<'a> {
        let topic = step.topic.as_deref().unwrap_or("T");
        Sender {
            name: step.name.as_deref().unwrap_or_default(),
            bytes: step.bytes.unwrap_or(BYTES),
            ahead: step.ahead_ms.unwrap_or(0),
            nowhere: topic != "T" || step.partition.is_some_and(|partition| partition > 0),
        }
    }

    /// The name of its node.
    fn node(&self) -> String {
        let Sender { name, bytes, ahead, nowhere } = self;
        format!("{name}-{bytes}-{ahead}-{nowhere}")
    }
}

struct Play<'a> {
    case: &'a Case,
    cluster: LogCluster,
    senders: Vec<Sender<'a>>,
    keys: Vec<&'a str>,
    /// How many messages each producer has sent.
    sent: BTreeMap<u16, u32>,
    /// Offset, key and value of what was sent.
    records: BTreeMap<MessageId, Value>,
    acknowledged: BTreeSet<MessageId>,
    refused: BTreeSet<MessageId>,
    got: BTreeMap<u16, Vec<MessageId>>,
    errors: BTreeMap<NodeId, String>,
}

impl<'a> Play<'a> {
    fn new(case: &'a Case, seed: u64) -> Result<Play<'a>, String> {
        let mut config = Config::default();
        config.broker.group_initial_rebalance_delay_ms = 0;
        for (name, value) in case.settings.iter().filter(|(name, _)| name.starts_with("log.")) {
            config.broker.set(name, value.to_string().trim_matches('"'))?;
        }
        let (mut workload, mut senders, mut at) = (Workload::default(), Vec::new(), BEGIN);
        for (index, step) in case.steps.iter().enumerate() {
            match step.op.as_str() {
                "producer.send" if !senders.contains(&Sender::of(step)) => {
                    let sender = Sender::of(step);
                    let (arrivals, start, name) = (Arrivals::Steady, Time::ZERO, sender.node());
                    let bytes = sender.bytes;
                    let spec = ProducerSpec { name, rate_milli: 0, arrivals, keys: 0, bytes, limit: None, start };
                    workload.producers.push(spec);
                    let opened = |it: &&Step| it.op == "producer.open" && it.name.as_deref() == Some(sender.name);
                    let mut client = client_of_producer(case.steps.iter().find(opened))?;
                    client.clock_ahead = Nanos::millis(sender.ahead);
                    if sender.nowhere {
                        client.topic = NOWHERE.to_owned();
                    }
                    config.producers.push(client);
                    senders.push(sender);
                }
                "topic.read" => {
                    let processing = Duration::Constant(Nanos::ZERO);
                    workload.consumers.push(ConsumerSpec {
                        name: format!("reader-{index}"),
                        processing,
                        start: at,
                        by_hand: false,
                    });
                    let mut reader = client_of(step)?;
                    reader.config.set("auto.offset.reset", "earliest")?;
                    reader.config.group_id = format!("reader-{index}");
                    config.consumers.push(reader);
                }
                _ => {}
            }
            at += time_of(step);
        }
        let mut keys: Vec<&str> = case.steps.iter().filter_map(|step| step.key.as_deref()).collect();
        keys.sort_unstable();
        keys.dedup();
        let cluster = cluster_with(case, &workload, config, seed)?;
        let (sent, records, acknowledged) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let (got, errors, refused) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let mut play = Play { case, cluster, senders, keys, sent, records, acknowledged, refused, got, errors };
        let restart = RESTART + Nanos(LATER.0 * seed);
        play.cluster.world_mut().run_until(Time(RESTART.0 / 2));
        play.cluster.world_mut().stop(NodeId(1));
        play.cluster.world_mut().run_until(restart);
        play.cluster.world_mut().start(NodeId(1));
        Ok(play)
    }

    /// Answers the first thing that is not as it was observed.
    fn run(&mut self) -> Result<Option<Disagreement>, String> {
        self.pass_to(BEGIN);
        let (mut at, mut readers, case) = (BEGIN, 0, self.case);
        for (index, step) in case.steps.iter().enumerate() {
            at += time_of(step);
            let broker = NodeId(step.broker.unwrap_or(1).saturating_sub(1));
            let sent = if step.op == "producer.send" { Some(self.send(step)?) } else { None };
            match step.op.as_str() {
                "broker.kill" => self.cluster.world_mut().crash(broker, Crash::Kill),
                "broker.start" => self.cluster.world_mut().start(broker),
                _ => {}
            }
            self.pass_to(at);
            let came = match step.op.as_str() {
                "producer.send" => sent.and_then(|id| self.answer(id)),
                "producer.open" | "transaction.init" => refusal(case, step)?,
                "topic.offsets" => Some(offsets(&self.cluster)),
                "isr.wait" => Some(self.partition()),
                "topic.read" => {
                    readers += 1;
                    let got = self.got.get(&(readers - 1)).into_iter().flatten();
                    Some(got.filter_map(|id| self.records.get(id)).cloned().collect())
                }
                _ => None,
            };
            // Before a run the engine says why in a sentence, Kafka's client in an exception.
            let alike = matches!(step.op.as_str(), "producer.open" | "transaction.init")
                && step.observed.is_some() == came.is_some();
            if step.observed != came && !alike {
                let text = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), Value::to_string);
                let (expected, came) = (text(&step.observed), text(&came));
                return Ok(Some(Disagreement { step: format!("step {}: {}", index + 1, step.op), expected, came }));
            }
        }
        Ok(None)
    }

    fn pass_to(&mut self, at: Time) {
        self.cluster.world_mut().run_until(at);
        let notes: Vec<_> = self.cluster.world_mut().take_notes().collect();
        for (_, _, note) in notes {
            match note {
                Note::Life(id, Life::Delivered { consumer, .. }, _) => self.got.entry(consumer).or_default().push(id),
                Note::Life(id, Life::Acknowledged, _) => drop(self.acknowledged.insert(id)),
                Note::Life(id, Life::Refused, _) => drop(self.refused.insert(id)),
                Note::Mark(mark) if mark.code == "producer-gives-up" => {
                    self.errors.insert(mark.node, mark.values.last().cloned().unwrap_or_default());
                }
                Note::Life(..) | Note::Mark(_) => {}
            }
        }
    }

    /// Who leads, who is in sync, who is eligible, by the brokers' numbers.
    fn partition(&self) -> Value {
        let Some(state) = state(&self.cluster) else { return Value::Null };
        let numbers = |nodes: &[NodeId]| {
            let mut numbers: Vec<u16> = nodes.iter().map(|node| node.0 + 1).collect();
            numbers.sort_unstable();
            numbers
        };
        let leader = state.leader.map(|node| node.0 + 1);
        json!({ "leader": leader, "isr": numbers(&state.isr), "elr": numbers(&state.elr) })
    }

    fn send(&mut self, step: &Step) -> Result<MessageId, String> {
        let place = self.senders.iter().position(|sender| *sender == Sender::of(step));
        let place = place.ok_or_else(|| format!("{}: no such producer: {:?}", self.case.name, step.name))?;
        let producer = u16::try_from(place).unwrap_or(u16::MAX);
        let sequence = *self.sent.entry(producer).and_modify(|sent| *sent += 1).or_insert(0);
        let id = MessageId { producer, sequence };
        let end = log(&self.cluster).map(|(_, _, _, end)| end);
        let mut record = json!({ "offset": end, "value": step.value.clone().unwrap_or_default() });
        if let Some(key) = &step.key {
            record["key"] = json!(key);
        }
        self.records.insert(id, record);
        let key = step.key.as_deref().and_then(|key| self.keys.iter().position(|known| *known == key));
        let null = step.value.as_ref().is_none_or(Value::is_null);
        let order = ClientOrder::PublishOne { producer, key: key.map(|key| key as u32), null };
        self.cluster.order(&order)?;
        Ok(id)
    }

    /// What the producer was told of a message.
    fn answer(&mut self, id: MessageId) -> Option<Value> {
        if self.acknowledged.contains(&id) {
            return Some(json!({ "offset": self.records.get(&id)?["offset"], "partition": 0 }));
        }
        let name = self.senders[usize::from(id.producer)].node();
        let node = self.cluster.nodes().iter().find(|node| node.name == name)?.id;
        let code = self.errors.remove(&node);
        if code.is_none() && !self.refused.contains(&id) {
            // K-A1: nobody answers, and its client takes it for done.
            return Some(json!({ "offset": -1, "partition": 0 }));
        }
        let class = match code.as_deref() {
            Some("NOT_ENOUGH_REPLICAS") => "NotEnoughReplicasException",
            Some("MESSAGE_TOO_LARGE") => "RecordTooLargeException",
            Some("INVALID_RECORD") => "InvalidRecordException",
            Some("INVALID_TIMESTAMP") => "InvalidTimestampException",
            // A `send()` that blocked for too long has no code.
            None | Some("REQUEST_TIMED_OUT" | "NETWORK_EXCEPTION") => "TimeoutException",
            Some(other) => other,
        }
        .to_owned();
        Some(json!({ "error": class }))
    }
}

/// A producer with a step's settings; with Kafka's own without one.
fn client_of_producer(step: Option<&Step>) -> Result<ProducerClient, String> {
    let mut client = ProducerClient { topic: "t".into(), ..ProducerClient::default() };
    let settings = step.into_iter().flat_map(|step| &step.config);
    settings.into_iter().try_for_each(|(name, value)| client.config.set(name, value))?;
    Ok(client)
}

/// What the engine has against a producer's settings: when it is opened, or when it begins transactions.
fn refusal(case: &Case, step: &Step) -> Result<Option<Value>, String> {
    let named = |it: &&Step| it.op == "producer.open" && it.name == step.name;
    let opened = if step.op == "producer.open" { Some(step) } else { case.steps.iter().find(named) };
    let client = match client_of_producer(opened) {
        Ok(client) => client,
        Err(message) => return Ok(Some(json!({ "error": message }))),
    };
    let config = Config { topics: vec![topic_of(case)?], producers: vec![client], ..Config::default() };
    let problems = config.check().err().unwrap_or_default();
    // That timeout is the brokers' to refuse, when transactions begin.
    let later = |message: &str| message.starts_with("INVALID_TRANSACTION_TIMEOUT");
    let wanted = problems.iter().find(|problem| later(&problem.message) == (step.op == "transaction.init"));
    Ok(wanted.map(|problem| json!({ "error": problem.message })))
}

fn state(cluster: &LogCluster) -> Option<PartitionView> {
    cluster.view().topics.first()?.partitions.first().cloned()
}

/// What a look at the leader's log tells: where it begins, the last stable offset, the high watermark; and its end.
fn log(cluster: &LogCluster) -> Option<(u64, u64, u64, u64)> {
    let leader = state(cluster)?.leader?;
    let view = cluster.view();
    let broker = view.servers.iter().find(|server| server.node == leader)?.broker.as_ref()?;
    let replica = broker.replicas.iter().find(|replica| replica.topic == 0)?;
    Some((replica.log_start, replica.last_stable, replica.high_watermark, replica.log_end))
}

/// What `topic.offsets` observes.
pub(crate) fn offsets(cluster: &LogCluster) -> Value {
    let Some((earliest, stable, latest, _)) = log(cluster) else { return Value::Null };
    json!({ "earliest": earliest, "last_stable": stable, "latest": latest })
}
