//! Recorded cases of share groups, played in our engine: what members are given and as the how-many-th delivery, what
//! they may say of it, and how long it takes. The form is described in `docs/transcripts.md`.

use crate::kafka_steps::{Case, Step, cluster_with};
use crate::{Disagreement, Outcome};
use log_cluster::config::{Config, ConsumerClient, ProducerClient, SharePlan};
use log_cluster::view::ConsumerView;
use log_cluster::{Ack, LogCluster, ShareOrder};
use serde_json::{Value, json};
use sim::workload::{Arrivals, ClientOrder, ConsumerSpec, Duration, ProducerSpec, Workload};
use sim::{Crash, Nanos, NodeId, Time};

/// The operations of a case of share groups.
const OPERATIONS: [&str; 8] = [
    "group.configure",
    "producer.open",
    "producer.send",
    "share.open",
    "share.poll",
    "share.acknowledge",
    "share.close",
    "client.kill",
];
/// When a case begins: by then the cluster stands.
const BEGIN: Time = Time(3_000_000_000);
/// How long a send, an acknowledgement or a farewell gets.
const SHORT: Nanos = Nanos::millis(200);
/// In which steps a poll is looked at.
const LOOK: Nanos = Nanos::millis(1);
/// How long a killed process takes until its connections are closed: the next step begins before. Assumed.
const DYING: Nanos = Nanos::millis(20);
/// How far a wait may lie outside of what was recorded, in milliseconds: the recorder's clients took so long for a step.
const SLACK: u64 = 500;

/// Whether a case is one of share groups.
pub(crate) fn is_of(case: &Case) -> bool {
    case.steps.iter().any(|step| step.op.starts_with("share."))
        && case.steps.iter().all(|step| OPERATIONS.contains(&step.op.as_str()))
}

/// Plays a case, and answers the first step that is not as it was observed.
pub(crate) fn replay(case: &Case) -> Result<Outcome, String> {
    let mut play = Play::new(case)?;
    play.cluster.world_mut().run_until(BEGIN);
    for (index, step) in case.steps.iter().enumerate() {
        let since = play.cluster.world().now();
        let came = play.step(step)?;
        let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        if came != step.observed {
            let (expected, came) = (text(&step.observed), text(&came));
            let disagreement = Disagreement { step: format!("step {}: {}", index + 1, step.op), expected, came };
            return Ok(Outcome { name: case.name.clone(), disagreement: Some(disagreement) });
        }
        let took = play.cluster.world().now().since(since).0 / 1_000_000;
        if let Some(disagreement) = outside(step, index, took) {
            return Ok(Outcome { name: case.name.clone(), disagreement: Some(disagreement) });
        }
    }
    Ok(Outcome { name: case.name.clone(), disagreement: None })
}

/// A poll has to take about as long as it did.
fn outside(step: &Step, index: usize, took: u64) -> Option<Disagreement> {
    let (least, most) = (step.took_ms.iter().min()?, step.took_ms.iter().max()?);
    let within = took + SLACK >= *least && took <= most + SLACK;
    let step_of = format!("step {}: how long it took", index + 1);
    let (expected, came) = (format!("{:?} ms", step.took_ms), format!("{took} ms"));
    (step.op == "share.poll" && !within).then_some(Disagreement { step: step_of, expected, came })
}

struct Play<'a> {
    case: &'a Case,
    cluster: LogCluster,
    /// Members' names, in the order of the workload.
    names: Vec<&'a str>,
    /// What was sent, by its offset.
    values: Vec<Value>,
    /// Members whose process was killed, and whose connections are still open.
    dying: Vec<NodeId>,
}

impl<'a> Play<'a> {
    fn new(case: &'a Case) -> Result<Play<'a>, String> {
        let mut config = Config::default();
        for (name, value) in case.settings.iter().filter(|(name, _)| name.starts_with("group.share.")) {
            config.share.set(name, &value.to_string())?;
        }
        config.producers = vec![ProducerClient { topic: "t".into(), ..ProducerClient::default() }];
        let mut workload = Workload::default();
        let (rate_milli, arrivals, start) = (0, Arrivals::Steady, BEGIN);
        let name = "producer".to_owned();
        workload.producers.push(ProducerSpec { name, rate_milli, arrivals, keys: 0, bytes: 100, limit: None, start });
        let mut names = Vec::new();
        for step in &case.steps {
            match step.op.as_str() {
                "group.configure" => {
                    let group = config.groups.entry("G".into()).or_default();
                    step.config.iter().try_for_each(|(name, value)| group.set(name, value))?;
                }
                "share.open" => {
                    let name = step.name.as_deref().unwrap_or_default();
                    names.push(name);
                    let processing = Duration::Constant(Nanos::ZERO);
                    workload.consumers.push(ConsumerSpec {
                        name: name.into(),
                        processing,
                        start: Time::ZERO,
                        by_hand: false,
                    });
                    config.consumers.push(member_of(step)?);
                }
                _ => {}
            }
        }
        let mut cluster = cluster_with(case, &workload, config, 1)?;
        // Each is started when it is opened.
        for name in &names {
            let node = node_of(&cluster, name);
            cluster.world_mut().crash(node, Crash::Kill);
        }
        Ok(Play { case, cluster, names, values: Vec::new(), dying: Vec::new() })
    }

    fn pass(&mut self, time: Nanos) {
        let now = self.cluster.world().now();
        self.cluster.world_mut().run_until(now + time);
        self.cluster.world_mut().take_notes().for_each(drop);
    }

    fn member(&self, step: &Step) -> Result<u16, String> {
        let place = self.names.iter().position(|name| Some(*name) == step.name.as_deref());
        place.map(|place| place as u16).ok_or_else(|| format!("{}: no such member: {:?}", self.case.name, step.name))
    }

    fn view(&self, member: u16) -> Option<ConsumerView> {
        self.cluster.view().consumers.into_iter().nth(usize::from(member))
    }

    fn step(&mut self, step: &Step) -> Result<Option<Value>, String> {
        match step.op.as_str() {
            "producer.send" => {
                self.cluster.order(&ClientOrder::PublishOne { producer: 0, key: None, null: false })?;
                self.values.push(step.value.clone().unwrap_or_default());
                self.pass(SHORT);
                return Ok(Some(json!({ "offset": self.values.len() - 1, "partition": 0 })));
            }
            "share.open" => {
                let node = node_of(&self.cluster, step.name.as_deref().unwrap_or_default());
                self.cluster.world_mut().start(node);
                let count = step.took_ms.len().max(1) as u64;
                self.pass(Nanos::millis(step.took_ms.iter().sum::<u64>() / count));
            }
            "share.poll" => return self.poll(step).map(Some),
            "share.acknowledge" => return self.acknowledge(step).map(Some),
            "share.close" => {
                let node = node_of(&self.cluster, step.name.as_deref().unwrap_or_default());
                self.cluster.world_mut().stop(node);
                self.pass(SHORT);
            }
            "client.kill" => {
                let opened =
                    self.case.steps.iter().filter(|known| known.op == "share.open" && known.client == step.client);
                for name in opened.filter_map(|known| known.name.as_deref()) {
                    let node = node_of(&self.cluster, name);
                    self.cluster.world_mut().pause(node);
                    self.dying.push(node);
                }
            }
            _ => {}
        }
        Ok(None)
    }

    /// Polls until something has come or the time is over.
    fn poll(&mut self, step: &Step) -> Result<Value, String> {
        let member = self.member(step)?;
        self.cluster.order_share(member, ShareOrder::Poll)?;
        let until = self.cluster.world().now() + Nanos::millis(step.timeout_ms.unwrap_or(0));
        if !self.dying.is_empty() {
            self.pass(DYING);
            std::mem::take(&mut self.dying).into_iter().for_each(|node| {
                self.cluster.world_mut().crash(node, Crash::Kill);
            });
        }
        let mut records = Vec::new();
        while records.is_empty() && self.cluster.world().now() < until {
            self.pass(LOOK);
            records = self.view(member).and_then(|view| view.share).map_or_else(Vec::new, |share| share.records);
        }
        let told = |(_, offset, count): &(u32, u64, u16)| {
            let value = self.values.get(*offset as usize).cloned().unwrap_or_default();
            json!({ "delivery_count": count, "value": value })
        };
        Ok(records.iter().map(told).collect())
    }

    fn acknowledge(&mut self, step: &Step) -> Result<Value, String> {
        let member = self.member(step)?;
        let mut said = Vec::new();
        for (value, word) in &step.records {
            let offset = self.values.iter().position(|known| known == value.as_str());
            let offset = offset.ok_or_else(|| format!("{}: {value} was not sent", self.case.name))?;
            let ack = match word.as_str() {
                "ACCEPT" => Ack::Accept,
                "RELEASE" => Ack::Release,
                "REJECT" => Ack::Reject,
                "RENEW" => Ack::Renew,
                other => return Err(format!("{}: no such acknowledgement: {other}", self.case.name)),
            };
            said.push((0, offset as u64, ack));
        }
        self.cluster.order_share(member, ShareOrder::Acknowledge(said))?;
        let mut answered = None;
        for _ in 0..SHORT.0 / LOOK.0 {
            self.pass(LOOK);
            answered = self.view(member).and_then(|view| view.share).and_then(|share| share.answered);
            if answered.is_some() {
                break;
            }
        }
        let word = match answered {
            None => "nothing",
            Some(Ok(())) => "ok",
            Some(Err("INVALID_RECORD_STATE")) => "InvalidRecordStateException",
            Some(Err(other)) => other,
        };
        Ok(json!({ "0": word }))
    }
}

fn node_of(cluster: &LogCluster, name: &str) -> NodeId {
    cluster.nodes().iter().find(|node| node.name == name).map_or(NodeId::default(), |node| node.id)
}

/// A member that does what it is told.
fn member_of(step: &Step) -> Result<ConsumerClient, String> {
    let share = Some(SharePlan { by_hand: true, ..SharePlan::default() });
    let mut client = ConsumerClient { topics: vec!["t".into()], share, ..ConsumerClient::default() };
    for (name, value) in step.config.iter().filter(|(name, _)| *name != "client.id") {
        client.config.set(name, value)?;
    }
    Ok(client)
}
