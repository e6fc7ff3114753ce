//! Recorded cases of transactions, played in our engine: where records lie, what readers of either isolation level get,
//! who is fenced, and how long a hung transaction holds readers up. The form is described in `docs/transcripts.md`.

use crate::kafka_steps::{Case, Step, client_of, cluster_with};
use crate::{Disagreement, Outcome};
use log_cluster::LogCluster;
use log_cluster::config::{Config, ProducerClient, TransactionPlan};
use log_cluster::view::{ReplicaView, Stage};
use serde_json::{Value, json};
use sim::story::{Life, MessageId, Note};
use sim::workload::{Arrivals, ClientOrder, ConsumerSpec, Duration, ProducerSpec, Workload};
use sim::{Crash, Nanos, NodeId, Time};
use std::collections::BTreeMap;

/// The operations of a case of transactions.
const OPERATIONS: [&str; 10] = [
    "producer.open",
    "producer.send",
    "transaction.init",
    "transaction.begin",
    "transaction.commit",
    "transaction.abort",
    "transactions.wait",
    "topic.offsets",
    "topic.read",
    "client.kill",
];
/// When a case begins in its first play: by then the cluster stands.
const BEGIN: Time = Time(3_000_000_000);
/// How much later in each further play: coordinators look each 10 s, and a recording may begin at any time in between.
const LATER: Nanos = Nanos::millis(970);
/// How many plays.
const PLAYS: u64 = 11;
/// How far a wait may lie outside of the engine's: the recorder's clients took so long for a step.
const SLACK: u64 = 500;

/// How long a step gets. What waits for a transaction gets its timeout and the coordinator's look.
fn time_of(operation: &str) -> Nanos {
    match operation {
        "transaction.init" => Nanos::secs(1),
        "topic.read" => Nanos::secs(2),
        "transactions.wait" => Nanos::secs(17),
        "producer.open" | "transaction.begin" | "topic.offsets" | "client.kill" => Nanos::ZERO,
        _ => Nanos::millis(200),
    }
}

/// Whether a case is one of transactions.
pub(crate) fn is_of(case: &Case) -> bool {
    case.steps.iter().any(|step| step.op.starts_with("transaction."))
        && case.steps.iter().all(|step| OPERATIONS.contains(&step.op.as_str()))
}

/// Plays a case at several places of the coordinator's clock. All plays have to agree with what was observed, and the
/// recorded waits have to lie within the engine's.
pub(crate) fn replay(case: Case) -> Result<Outcome, String> {
    let mut waits: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for play in 0..PLAYS {
        let mut play = Play::new(&case, BEGIN + Nanos(LATER.0 * play))?;
        if let Some(disagreement) = play.run()? {
            return Ok(Outcome { name: case.name, disagreement: Some(disagreement) });
        }
        play.waits.into_iter().for_each(|(step, wait)| waits.entry(step).or_default().push(wait));
    }
    let disagreement = waits.iter().find_map(|(step, came)| outside(&case, *step, came));
    Ok(Outcome { name: case.name, disagreement })
}

fn outside(case: &Case, step: usize, came: &[u64]) -> Option<Disagreement> {
    let (least, most) = (came.iter().min()?, came.iter().max()?);
    let recorded = &case.steps[step].took_ms;
    let within = |wait: &u64| wait + SLACK >= *least && *wait <= most + SLACK;
    let step = format!("step {}: how long it took", step + 1);
    let (expected, came) = (format!("{recorded:?} ms"), format!("{least} to {most} ms"));
    (!recorded.iter().all(within)).then_some(Disagreement { step, expected, came })
}

struct Play<'a> {
    case: &'a Case,
    cluster: LogCluster,
    begin: Time,
    /// Producers' names, in the order of the workload.
    names: Vec<&'a str>,
    /// What was sent, by its identity, and as the how-many-th of its producer.
    values: BTreeMap<MessageId, Value>,
    sent: BTreeMap<usize, u32>,
    /// What readers got, by the how-many-th reader.
    got: BTreeMap<u16, Vec<MessageId>>,
    /// The last refusal of a producer's node.
    errors: BTreeMap<NodeId, String>,
    /// How long each wait for transactions took, in milliseconds.
    waits: Vec<(usize, u64)>,
}

impl<'a> Play<'a> {
    fn new(case: &'a Case, begin: Time) -> Result<Play<'a>, String> {
        let mut config = Config::default();
        config.broker.group_initial_rebalance_delay_ms = 0;
        let mut workload = Workload::default();
        let mut names = Vec::new();
        let mut at = begin;
        for (index, step) in case.steps.iter().enumerate() {
            let name = step.name.as_deref().unwrap_or_default();
            match step.op.as_str() {
                "producer.open" => {
                    names.push(name);
                    workload.producers.push(producer_of(name, at));
                    config.producers.push(client(step)?);
                }
                // A producer begins its transactions when it is told to, not when it is opened.
                "transaction.init" => {
                    if let Some(place) = names.iter().position(|known| *known == name) {
                        workload.producers[place].start = at;
                    }
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
            at += time_of(&step.op);
        }
        let cluster = cluster_with(case, &workload, config, 1)?;
        let (values, sent, got) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Ok(Play { case, cluster, begin, names, values, sent, got, errors: BTreeMap::new(), waits: Vec::new() })
    }

    /// Answers the first thing that is not as it was observed.
    fn run(&mut self) -> Result<Option<Disagreement>, String> {
        self.pass_to(self.begin);
        let mut at = self.begin;
        let mut readers = 0;
        let case = self.case;
        for (index, step) in case.steps.iter().enumerate() {
            let next = at + time_of(&step.op);
            let came = match step.op.as_str() {
                "producer.send" => Some(self.send(step, next)?),
                "transaction.commit" | "transaction.abort" => self.end(step, next)?,
                "transactions.wait" => {
                    self.wait(index, next);
                    None
                }
                "topic.offsets" => {
                    let log = self.log();
                    let (earliest, stable, latest) = (log.log_start, log.last_stable, log.high_watermark);
                    Some(json!({ "earliest": earliest, "last_stable": stable, "latest": latest }))
                }
                "topic.read" => {
                    self.pass_to(next);
                    readers += 1;
                    Some(self.values_got(readers - 1))
                }
                "client.kill" => {
                    self.kill(step);
                    None
                }
                _ => None,
            };
            let expected = expected(step);
            if expected != came {
                let text = |value: Option<Value>| value.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
                let step = format!("step {}: {}", index + 1, step.op);
                return Ok(Some(Disagreement { step, expected: text(expected), came: text(came) }));
            }
            self.pass_to(next);
            at = next;
        }
        Ok(None)
    }

    fn pass_to(&mut self, at: Time) {
        self.cluster.world_mut().run_until(at);
        let notes: Vec<_> = self.cluster.world_mut().take_notes().collect();
        for (_, _, note) in notes {
            match note {
                Note::Life(id, Life::Delivered { consumer, .. }, _) => self.got.entry(consumer).or_default().push(id),
                Note::Mark(mark) if mark.code == "producer-gives-up" => {
                    self.errors.insert(mark.node, mark.values.last().cloned().unwrap_or_default());
                }
                Note::Life(..) | Note::Mark(_) => {}
            }
        }
    }

    /// The leader's log.
    fn log(&self) -> ReplicaView {
        let view = self.cluster.view();
        let brokers = view.servers.iter().filter_map(|server| server.broker.as_ref());
        let mut replicas = brokers.flat_map(|broker| &broker.replicas).filter(|replica| replica.topic == 0);
        replicas.find(|replica| replica.is_leader).cloned().unwrap_or(ReplicaView {
            topic: 0,
            partition: 0,
            is_leader: false,
            in_sync: false,
            leader_epoch: -1,
            log_start: 0,
            local_start: 0,
            log_end: 0,
            high_watermark: 0,
            last_stable: 0,
            open_transactions: 0,
            flushed: 0,
        })
    }

    fn producer(&self, step: &Step) -> Result<usize, String> {
        let place = self.names.iter().position(|name| Some(*name) == step.name.as_deref());
        place.ok_or_else(|| format!("{}: no such producer: {:?}", self.case.name, step.name))
    }

    fn node(&self, place: usize) -> NodeId {
        let found = self.cluster.nodes().iter().find(|node| Some(&&*node.name) == self.names.get(place));
        found.map_or(NodeId::default(), |node| node.id)
    }

    fn send(&mut self, step: &Step, until: Time) -> Result<Value, String> {
        let place = self.producer(step)?;
        let sequence = *self.sent.entry(place).and_modify(|sent| *sent += 1).or_insert(0);
        let id = MessageId { producer: u16::try_from(place).unwrap_or(u16::MAX), sequence };
        self.values.insert(id, step.value.clone().unwrap_or_default());
        let before = self.log().log_end;
        self.cluster.order(&ClientOrder::PublishOne { producer: id.producer, key: None, null: false })?;
        self.pass_to(until);
        Ok(match self.error_of(place) {
            Some(error) => error,
            None => json!({ "offset": before, "partition": 0 }),
        })
    }

    fn end(&mut self, step: &Step, until: Time) -> Result<Option<Value>, String> {
        let place = self.producer(step)?;
        let commit = step.op == "transaction.commit";
        self.cluster.order(&ClientOrder::EndTransaction { producer: place as u16, commit })?;
        self.pass_to(until);
        let stage = self.cluster.view().producers.get(place).and_then(|view| Some(view.transactions.as_ref()?.stage));
        let left = format!("{stage:?}");
        Ok(if stage == Some(Stage::Ready) { None } else { self.error_of(place).or(Some(json!({ "stage": left }))) })
    }

    /// A producer's refusal by the class that Kafka's client throws.
    fn error_of(&self, place: usize) -> Option<Value> {
        let class = match self.errors.get(&self.node(place))?.as_str() {
            "INVALID_PRODUCER_EPOCH" => "InvalidProducerEpochException",
            "PRODUCER_FENCED" => "ProducerFencedException",
            other => other,
        };
        Some(json!({ "error": class }))
    }

    fn wait(&mut self, index: usize, until: Time) {
        let since = self.cluster.world().now();
        while self.log().open_transactions > 0 && self.cluster.world().now() < until {
            let now = self.cluster.world().now();
            self.pass_to(now + Nanos::millis(10));
        }
        let wait = self.cluster.world().now().since(since).0 / 1_000_000;
        self.waits.push((index, wait));
    }

    fn values_got(&self, reader: u16) -> Value {
        self.got.get(&reader).into_iter().flatten().filter_map(|id| self.values.get(id)).cloned().collect()
    }

    fn kill(&mut self, step: &Step) {
        let opened = self.case.steps.iter().filter(|known| known.op == "producer.open" && known.client == step.client);
        let killed: Vec<&str> = opened.filter_map(|known| known.name.as_deref()).collect();
        for place in (0..self.names.len()).filter(|place| killed.contains(&self.names[*place])) {
            let node = self.node(place);
            self.cluster.world_mut().crash(node, Crash::Kill);
        }
    }
}

/// What was observed, of what the engine tells: of records that were read, their values.
fn expected(step: &Step) -> Option<Value> {
    let observed = step.observed.clone()?;
    let values = |records: &Vec<Value>| records.iter().filter_map(|record| record.get("value")).cloned().collect();
    Some(if step.op == "topic.read" { observed.as_array().map_or(Value::Null, values) } else { observed })
}

fn producer_of(name: &str, start: Time) -> ProducerSpec {
    let arrivals = Arrivals::Steady;
    ProducerSpec { name: name.to_owned(), rate_milli: 0, arrivals, keys: 0, bytes: 100, limit: None, start }
}

/// A producer that ends its transactions when it is told to.
fn client(step: &Step) -> Result<ProducerClient, String> {
    let transactions = TransactionPlan { records: 0, every: None, ..TransactionPlan::default() };
    let mut client = ProducerClient { topic: "t".into(), transactions, ..ProducerClient::default() };
    step.config.iter().try_for_each(|(name, value)| client.config.set(name, value))?;
    Ok(client)
}
