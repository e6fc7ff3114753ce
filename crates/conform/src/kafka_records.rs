//! Recorded cases of records and brokers, played in our engine: what is acknowledged and what refused, where records
//! lie, what readers get, and who is in sync. The form is described in `docs/transcripts.md`.

use crate::kafka_steps::{Case, Step, client_of, cluster_with};
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
const OPERATIONS: [&str; 9] = [
    "producer.open",
    "producer.send",
    "producer.close",
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

struct Play<'a> {
    case: &'a Case,
    cluster: LogCluster,
    names: Vec<&'a str>,
    keys: Vec<&'a str>,
    /// How many messages each producer has sent.
    sent: BTreeMap<u16, u32>,
    /// Offset, key and value of what was sent.
    records: BTreeMap<MessageId, Value>,
    acknowledged: BTreeSet<MessageId>,
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
        let (mut workload, mut names, mut at) = (Workload::default(), Vec::new(), BEGIN);
        for (index, step) in case.steps.iter().enumerate() {
            match step.op.as_str() {
                "producer.open" => {
                    names.push(step.name.as_deref().unwrap_or_default());
                    let name = names.last().map(ToString::to_string).unwrap_or_default();
                    let (arrivals, start) = (Arrivals::Steady, Time::ZERO);
                    let spec = ProducerSpec { name, rate_milli: 0, arrivals, keys: 0, bytes: 100, limit: None, start };
                    workload.producers.push(spec);
                    let mut client = ProducerClient { topic: "t".into(), ..ProducerClient::default() };
                    step.config.iter().try_for_each(|(name, value)| client.config.set(name, value))?;
                    config.producers.push(client);
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
        let (got, errors) = (BTreeMap::new(), BTreeMap::new());
        let mut play = Play { case, cluster, names, keys, sent, records, acknowledged, got, errors };
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
                "topic.offsets" => Some(self.offsets()),
                "isr.wait" => Some(self.partition()),
                "topic.read" => {
                    readers += 1;
                    let got = self.got.get(&(readers - 1)).into_iter().flatten();
                    Some(got.filter_map(|id| self.records.get(id)).cloned().collect())
                }
                _ => None,
            };
            if step.observed != came {
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
                Note::Mark(mark) if mark.code == "producer-gives-up" => {
                    self.errors.insert(mark.node, mark.values.last().cloned().unwrap_or_default());
                }
                Note::Life(..) | Note::Mark(_) => {}
            }
        }
    }

    fn state(&self) -> Option<PartitionView> {
        self.cluster.view().topics.first()?.partitions.first().cloned()
    }

    /// Who leads, who is in sync, who is eligible, by the brokers' numbers.
    fn partition(&self) -> Value {
        let Some(state) = self.state() else { return Value::Null };
        let numbers = |nodes: &[NodeId]| {
            let mut numbers: Vec<u16> = nodes.iter().map(|node| node.0 + 1).collect();
            numbers.sort_unstable();
            numbers
        };
        let leader = state.leader.map(|node| node.0 + 1);
        json!({ "leader": leader, "isr": numbers(&state.isr), "elr": numbers(&state.elr) })
    }

    /// What a look at the leader's log tells: where it begins, the last stable offset, the high watermark; and its end.
    fn log(&self) -> Option<(u64, u64, u64, u64)> {
        let leader = self.state()?.leader?;
        let view = self.cluster.view();
        let broker = view.servers.iter().find(|server| server.node == leader)?.broker.as_ref()?;
        let replica = broker.replicas.iter().find(|replica| replica.topic == 0)?;
        Some((replica.log_start, replica.last_stable, replica.high_watermark, replica.log_end))
    }

    fn offsets(&self) -> Value {
        let Some((earliest, stable, latest, _)) = self.log() else { return Value::Null };
        json!({ "earliest": earliest, "last_stable": stable, "latest": latest })
    }

    fn send(&mut self, step: &Step) -> Result<MessageId, String> {
        let place = self.names.iter().position(|name| Some(*name) == step.name.as_deref());
        let place = place.ok_or_else(|| format!("{}: no such producer: {:?}", self.case.name, step.name))?;
        let producer = u16::try_from(place).unwrap_or(u16::MAX);
        let sequence = *self.sent.entry(producer).and_modify(|sent| *sent += 1).or_insert(0);
        let id = MessageId { producer, sequence };
        let end = self.log().map(|(_, _, _, end)| end);
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
        let name = self.names[usize::from(id.producer)];
        let node = self.cluster.nodes().iter().find(|node| node.name == name)?.id;
        let class = match self.errors.remove(&node)?.as_str() {
            "NOT_ENOUGH_REPLICAS" => "NotEnoughReplicasException",
            "REQUEST_TIMED_OUT" | "NETWORK_EXCEPTION" => "TimeoutException",
            other => other,
        }
        .to_owned();
        Some(json!({ "error": class }))
    }
}
