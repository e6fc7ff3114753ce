//! Orders resolved: names to nodes, for each cluster that they are for.

use crate::compile::{Checker, bounds};
use crate::document::Document;
use crate::joins;
use crate::queue_part;
use crate::read::{Refusal, suggest};
use crate::tape::{TapeOrder, Verb, Which};
use log_cluster::AdminOrder;
use log_cluster::config::{BrokerConfig, TopicConfig};
use log_cluster::election::Election;
use queue_cluster::{Rules, ServerOrder};
use sim::hand::{Hand, Outcome};
use sim::workload::{ClientOrder, Workload};
use sim::{Nanos, Time};

/// What a cluster is told, by the names of its nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// kill -9.
    Kill(String),
    /// The machine loses power.
    PowerOff(String),
    /// The process freezes.
    Pause(String),
    /// It goes on.
    Resume(String),
    /// It stops in good order.
    Stop(String),
    /// It starts.
    Start(String),
    /// Links are cut (`true`) or healed, from each of the first to each of the second; both ways unless one way.
    Links {
        /// Cut, not healed.
        cut: bool,
        /// One side.
        from: Vec<String>,
        /// The other side; empty stands for all other nodes.
        to: Vec<String>,
        /// Only from `from` to `to`.
        one_way: bool,
    },
    /// Links become worse, from each of the first to each of the second; both ways unless one way.
    Worsen {
        /// One side.
        from: Vec<String>,
        /// The other side; empty stands for all other nodes.
        to: Vec<String>,
        /// Only from `from` to `to`.
        one_way: bool,
        /// By this much delay.
        delay: Nanos,
        /// Lost segments in a million.
        loss_per_million: u32,
    },
    /// All links are healed.
    HealAll,
    /// A part of a machine takes this many percent of its usual time.
    Slow(String, Part, u32),
    /// A client joins, with the settings of another.
    Join {
        /// Its name.
        name: String,
        /// The other's.
        like: String,
    },
    /// For a client.
    Client(ClientOrder),
    /// For a server of the queue cluster.
    QueueServer(String, ServerOrder),
    /// For a broker of the log cluster, by an administrator's tool.
    LogServer(String, AdminOrder),
}

/// A part of a machine.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The disk.
    Disk,
    /// The network card and its links.
    Network,
    /// The processor.
    Cpu,
}

/// An order, ready to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// After everything that happens at this time.
    pub at: Time,
    /// In the log cluster.
    pub log: bool,
    /// In the queue cluster.
    pub queue: bool,
    /// What.
    pub deed: Deed,
    /// Its place on the document's tape.
    pub place: usize,
}

/// The setting that lets a producer have transactions.
const TRANSACTIONAL: &str = "transactional.id";

/// The names of a document's nodes, and which cluster they are in.
struct Names<'a> {
    log: Vec<String>,
    queue: Vec<String>,
    /// The queues that the document declares.
    queues: Vec<String>,
    /// Whose rules the queues go by.
    rules: Rules,
    /// The topics that the document declares, and how many partitions each may come to have.
    topics: Vec<(String, u32)>,
    /// Whether brokers keep eligible leader replicas.
    eligible: bool,
    /// The producers that have a `transactional.id`.
    transactional: Vec<String>,
    workload: &'a Workload,
}

impl<'a> Names<'a> {
    fn of(document: &Document, workload: &'a Workload) -> Names<'a> {
        let numbered = |prefix: &'static str, count: u16| (1..=count).map(move |n| format!("{prefix}-{n}"));
        let clients = || {
            let producers = workload.producers.iter().map(|p| p.name.clone());
            producers.chain(workload.consumers.iter().map(|c| c.name.clone()))
        };
        let log = document.log.iter().flat_map(|log| {
            numbered("broker", log.brokers.min(bounds::NODES))
                .chain(numbered("controller", log.controllers.min(bounds::NODES)))
                .chain(clients())
        });
        let queue =
            document.queue.iter().flat_map(|queue| numbered("rabbit", queue.nodes.min(bounds::NODES)).chain(clients()));
        let queues = document.queue.iter().flat_map(|queue| queue.queues.iter().map(|queue| queue.name.clone()));
        let topics = document.log.iter().flat_map(|log| &log.topics);
        let topics = topics.map(|topic| (topic.name.clone(), topic.partitions.max(topic.room).max(1))).collect();
        let transactional = document.log.iter().flat_map(|log| {
            let all = log.producer.contains_key(TRANSACTIONAL);
            let own =
                |name: &str| log.clients.get(name).is_some_and(|client| client.config.contains_key(TRANSACTIONAL));
            let producers = workload.producers.iter().map(|producer| &producer.name);
            producers.filter(move |name| all || own(name)).cloned()
        });
        Names {
            log: log.collect(),
            queue: queue.collect(),
            queues: queues.collect(),
            rules: document.queue.as_ref().and_then(|queue| queue_part::rules(&queue.rules)).unwrap_or(Rules::V4_2),
            topics,
            eligible: document.log.as_ref().is_some_and(|log| {
                let set = log.broker.get("eligible.leader.replicas");
                set.is_none_or(|value| value.as_bool() != Some(false) && value.as_str() != Some("false"))
            }),
            transactional: transactional.collect(),
            workload,
        }
    }

    /// How many brokers there are.
    fn brokers(&self) -> u64 {
        self.log.iter().filter(|name| name.starts_with("broker-")).count() as u64
    }

    fn producer(&self, name: &str) -> Option<u16> {
        self.workload.producers.iter().position(|p| p.name == name).map(|place| place as u16)
    }

    fn consumer(&self, name: &str) -> Option<u16> {
        self.workload.consumers.iter().position(|c| c.name == name).map(|place| place as u16)
    }
}

pub(crate) fn tape(document: &Document, workload: &Workload, check: &mut Checker) -> Vec<Step> {
    check.within("tape", "orders", document.tape.len() as u64, 0, bounds::ORDERS as u64);
    let names = Names::of(document, workload);
    let orders = document.tape.iter().take(bounds::ORDERS).enumerate();
    // A muted order has to be right, too: it may be heard again.
    let checked = orders.filter_map(|(place, order)| {
        let step = step(&format!("tape[{place}]"), place, order, &names, check);
        step.filter(|_| !order.muted)
    });
    let mut steps: Vec<Step> = checked.collect();
    steps.sort_by_key(|step| (step.at, step.place));
    steps
}

/// Resolves one order for a document.
///
/// # Errors
/// What is wrong with it, by its field.
pub fn resolve(document: &Document, workload: &Workload, order: &TapeOrder) -> Result<Step, Refusal> {
    let mut check = Checker::default();
    let (document, _) = joins::widen(document, &mut check);
    let names = Names::of(&document, workload);
    let step = step("order", document.tape.len(), order, &names, &mut check);
    step.filter(|_| check.problems.is_empty()).ok_or(Refusal(check.problems))
}

fn step(path: &str, place: usize, order: &TapeOrder, names: &Names<'_>, check: &mut Checker) -> Option<Step> {
    let before = check.problems.len();
    for field in order.needs().iter().filter(|field| !order.has(field)) {
        check.refuse(format!("{path}.{field}"), "is missing: this order needs it");
    }
    let (mut log, mut queue) = match order.cluster {
        None => (true, true),
        Some(Which::Log) => (true, false),
        Some(Which::Queue) => (false, true),
    };
    for name in order.node.iter().chain(&order.from).chain(&order.to) {
        let (in_log, in_queue) = (names.log.contains(name), names.queue.contains(name));
        let here = (in_log && log) || (in_queue && queue);
        if !here {
            let known = names.log.iter().filter(|_| log).chain(names.queue.iter().filter(|_| queue));
            let message = format!("there is no node `{name}` here");
            check.refuse(format!("{path}.node"), suggest(message, name, known.map(String::as_str)));
        }
        (log, queue) = (log && in_log, queue && in_queue);
    }
    let only = order.only();
    if only == Some(Which::Log) && !log || only == Some(Which::Queue) && !queue {
        let (here, there) = if only == Some(Which::Log) { ("log", "queue") } else { ("queue", "log") };
        check
            .refuse(format!("{path}.order"), format!("the {here} cluster knows such a thing, the {there} cluster not"));
    }
    (log, queue) = (log && only != Some(Which::Queue), queue && only != Some(Which::Log));
    if let Some(percent) = order.percent {
        check.within(&format!("{path}.percent"), "percent", percent.into(), 1, 1_000_000);
    }
    if let Some(loss) = order.loss_percent {
        check.within(&format!("{path}.loss_percent"), "percent", loss.into(), 0, 99);
    }
    if let Some(delay) = order.delay {
        check.within(&format!("{path}.delay"), "nanoseconds", delay.0.0, 0, bounds::LINK_DELAY);
    }
    let deed = deed(path, order, names, check);
    if check.problems.len() > before {
        return None;
    }
    let sides = (!names.log.is_empty(), !names.queue.is_empty());
    Some(Step { at: order.at.time(), log: log && sides.0, queue: queue && sides.1, deed: deed?, place })
}

fn deed(path: &str, order: &TapeOrder, names: &Names<'_>, check: &mut Checker) -> Option<Deed> {
    let node = order.node.clone().unwrap_or_default();
    let mut client = |index: Option<u16>, role: &str| {
        if index.is_none() && order.node.is_some() {
            check.refuse(format!("{path}.node"), format!("`{node}` is no {role}"));
        }
        index
    };
    let links = |cut| Deed::Links { cut, from: order.from.clone(), to: order.to.clone(), one_way: order.one_way };
    Some(match order.order {
        Verb::Kill => Deed::Kill(node),
        Verb::PowerOff => Deed::PowerOff(node),
        Verb::Pause => Deed::Pause(node),
        Verb::Resume => Deed::Resume(node),
        Verb::Stop => Deed::Stop(node),
        Verb::Start => Deed::Start(node),
        Verb::Cut => links(true),
        Verb::Heal => links(false),
        Verb::SlowLink => Deed::Worsen {
            from: order.from.clone(),
            to: order.to.clone(),
            one_way: order.one_way,
            delay: order.delay.map_or(Nanos::ZERO, |delay| delay.0),
            loss_per_million: order.loss_percent.unwrap_or(0).min(99) * 10_000,
        },
        Verb::AddClient => Deed::Join { name: node, like: order.like.clone()? },
        Verb::HealAll => Deed::HealAll,
        Verb::SlowDisk => Deed::Slow(node, Part::Disk, order.percent?),
        Verb::SlowNetwork => Deed::Slow(node, Part::Network, order.percent?),
        Verb::SlowCpu => Deed::Slow(node, Part::Cpu, order.percent?),
        Verb::SetRate => {
            let producer = client(names.producer(&node), "producer")?;
            let rate_milli = order.rate?.0.min(bounds::RATE_PER_SECOND * 1_000);
            Deed::Client(ClientOrder::SetRate { producer, rate_milli })
        }
        Verb::SetProcessing => {
            let consumer = client(names.consumer(&node), "consumer")?;
            Deed::Client(ClientOrder::SetProcessing { consumer, processing: order.processing?.0 })
        }
        Verb::SetPrefetch => {
            let consumer = client(names.consumer(&node), "consumer")?;
            Deed::Client(ClientOrder::SetPrefetch { consumer, count: order.count? })
        }
        Verb::FailOn => {
            let consumer = client(names.consumer(&node), "consumer")?;
            check_key(path, order.key, check);
            Deed::Client(ClientOrder::FailOn { consumer, key: order.key })
        }
        Verb::PublishOne => {
            let producer = client(names.producer(&node), "producer")?;
            check_key(path, order.key, check);
            Deed::Client(ClientOrder::PublishOne { producer, key: order.key, null: order.tombstone })
        }
        Verb::CommitTransaction | Verb::AbortTransaction => {
            let producer = client(names.producer(&node), "producer")?;
            let commit = order.order == Verb::CommitTransaction;
            if !names.transactional.contains(&node) {
                check.refuse(format!("{path}.node"), format!("`{node}` has no transactional.id"));
            }
            Deed::Client(ClientOrder::EndTransaction { producer, commit })
        }
        Verb::Reassign
        | Verb::AddPartitions
        | Verb::SetTopicConfig
        | Verb::SetBrokerConfig
        | Verb::ElectPreferred
        | Verb::ElectUnclean => {
            return log_server(path, order, names, check);
        }
        verb => match hand(order, names) {
            Some(hand) => by_hand(path, order, hand, client(names.consumer(&node), "consumer")?, check),
            None => return queue_server(path, verb, order, names, check),
        },
    })
}

fn by_hand(path: &str, order: &TapeOrder, hand: Hand, consumer: u16, check: &mut Checker) -> Deed {
    if let Some(count) = order.count {
        check.within(&format!("{path}.count"), "records", count.into(), 1, u16::MAX.into());
    }
    Deed::Client(ClientOrder::Hand { consumer, hand })
}

/// What a consumer is told to do by hand, if the order is one of these. What `reject` means, each cluster knows for itself.
fn hand(order: &TapeOrder, names: &Names<'_>) -> Option<Hand> {
    let record = order.offset.map(|offset| (order.partition.unwrap_or(0), offset));
    let say = |outcome| Hand::Say { record, outcome };
    let (tag, multiple, requeue) = (order.tag, order.multiple, order.requeue.unwrap_or(true));
    Some(match order.order {
        Verb::TakeInHand => Hand::Take,
        Verb::LetGo => Hand::LetGo,
        Verb::Get => Hand::Get,
        Verb::Ack => Hand::Ack { tag, multiple },
        Verb::Nack => Hand::Nack { tag, multiple, requeue },
        Verb::Reject if order.cluster == Some(Which::Queue) || names.log.is_empty() => {
            Hand::Nack { tag, multiple: false, requeue }
        }
        Verb::Reject => say(Outcome::Reject),
        Verb::Poll => Hand::Poll { most: order.count },
        Verb::Commit => Hand::Commit,
        Verb::Accept => say(Outcome::Accept),
        Verb::Release => say(Outcome::Release),
        _ => return None,
    })
}

/// An order for a broker of the log cluster.
fn log_server(path: &str, order: &TapeOrder, names: &Names<'_>, check: &mut Checker) -> Option<Deed> {
    let node = order.node.clone().unwrap_or_default();
    if !(names.log.contains(&node) && node.starts_with("broker-")) {
        let known = names.log.iter().filter(|name| name.starts_with("broker-")).map(String::as_str);
        check.refuse(format!("{path}.node"), suggest(format!("`{node}` is no broker"), &node, known));
        return None;
    }
    let topic = order.topic.as_ref().and_then(|name| {
        let found = names.topics.iter().find(|(known, _)| known == name);
        if found.is_none() {
            let known = names.topics.iter().map(|(name, _)| name.as_str());
            check.refuse(format!("{path}.topic"), suggest(format!("there is no topic `{name}`"), name, known));
        }
        found
    });
    if let (Some((_, partitions)), Some(partition)) = (topic, order.partition) {
        check.within(
            &format!("{path}.partition"),
            "as a partition's number",
            partition.into(),
            0,
            (partitions - 1).into(),
        );
    }
    if order.replicas.len() > usize::from(bounds::NODES) {
        check.refuse(format!("{path}.replicas"), format!("names more than {} brokers", bounds::NODES));
        return None;
    }
    for replica in &order.replicas {
        check.within(&format!("{path}.replicas"), "as a broker's number", (*replica).into(), 1, names.brokers());
    }
    let topic = topic.map(|(name, _)| name.clone());
    let admin = match order.order {
        Verb::Reassign => {
            AdminOrder::Reassign { topic: topic?, partition: order.partition?, replicas: order.replicas.clone() }
        }
        Verb::AddPartitions => {
            let (topic, count) = (topic?, order.count?);
            let room = names.topics.iter().find(|(name, _)| *name == topic).map_or(0, |(_, partitions)| *partitions);
            if u32::from(count) > room {
                let message = format!("there is room for {room} partitions of {topic}: give it more with its `room`");
                check.refuse(format!("{path}.count"), message);
                return None;
            }
            AdminOrder::CreatePartitions { topic, count: count.into() }
        }
        Verb::SetTopicConfig => set_config(path, order, Some(topic?), names, check)?,
        Verb::SetBrokerConfig => set_config(path, order, None, names, check)?,
        Verb::ElectUnclean => AdminOrder::ElectLeaders { topic, kind: Election::Unclean },
        _ => AdminOrder::ElectLeaders { topic, kind: Election::Preferred },
    };
    Some(Deed::LogServer(node, admin))
}

fn check_key(path: &str, key: Option<u32>, check: &mut Checker) {
    if let Some(key) = key {
        check.within(&format!("{path}.key"), "as a key's number", key.into(), 0, u64::from(u16::MAX));
    }
}

/// Another setting of a topic, or of the brokers.
fn set_config(
    path: &str,
    order: &TapeOrder,
    topic: Option<String>,
    names: &Names<'_>,
    check: &mut Checker,
) -> Option<AdminOrder> {
    let (setting, value) = (order.setting.clone()?, order.value.clone()?);
    let broker = order.broker.filter(|_| topic.is_none());
    if let Some(number) = broker {
        check.within(&format!("{path}.broker"), "as a broker's number", number.into(), 1, names.brokers());
        // Kafka: "Broker-level min.insync.replicas cannot be altered while ELR is enabled."
        if setting == "min.insync.replicas" && names.eligible {
            let message = "cannot be one broker's own while `eligible.leader.replicas` is on: set it for all brokers";
            check.refuse(format!("{path}.broker"), message);
            return None;
        }
    }
    let (live, all) = match topic {
        Some(_) => (log_cluster::LIVE_TOPIC_SETTINGS, TopicConfig::NAMES),
        None => (log_cluster::LIVE_BROKER_SETTINGS, BrokerConfig::NAMES),
    };
    if !live.contains(&setting.as_str()) {
        // Kafka: "Cannot update these configs dynamically".
        let message = if all.contains(&setting.as_str()) {
            format!("`{setting}` cannot be changed while it runs: set it from the start")
        } else {
            suggest(format!("there is no setting `{setting}`"), &setting, live.iter().copied())
        };
        check.refuse(format!("{path}.setting"), message);
        return None;
    }
    let taken = match topic {
        Some(_) => TopicConfig::default().set(&setting, &value),
        None if value.is_empty() => Ok(()),
        None => BrokerConfig::default().set(&setting, &value),
    };
    if let Err(message) = taken {
        check.refuse(format!("{path}.value"), message);
        return None;
    }
    Some(AdminOrder::SetConfig { topic, broker, setting, value })
}

/// An order for a server of the queue cluster.
fn queue_server(path: &str, verb: Verb, order: &TapeOrder, names: &Names<'_>, check: &mut Checker) -> Option<Deed> {
    let node = order.node.clone().unwrap_or_default();
    if !(names.queue.contains(&node) && node.starts_with("rabbit-")) {
        let known = names.queue.iter().filter(|name| name.starts_with("rabbit-")).map(String::as_str);
        let message = format!("`{node}` is no server of the queue cluster");
        check.refuse(format!("{path}.node"), suggest(message, &node, known));
        return None;
    }
    let server = match verb {
        Verb::FillDisk => ServerOrder::FillDisk { free: order.free.map_or(0, |size| size.0) },
        Verb::FreeDisk => ServerOrder::FillDisk { free: u64::MAX },
        Verb::SetMemoryWatermark => {
            let percent = order.percent?;
            check.within(&format!("{path}.percent"), "percent of the memory", percent.into(), 1, 100);
            ServerOrder::SetMemoryWatermark { percent }
        }
        Verb::SetPolicy => {
            let policy = queue_part::policy(&format!("{path}.policy"), order.policy.as_deref()?, check)?;
            if let Err((name, message)) = policy.check(names.rules) {
                check.refuse(format!("{path}.policy.definition.{name}"), message);
            }
            ServerOrder::SetPolicy(Box::new(policy))
        }
        Verb::ClearPolicy => ServerOrder::ClearPolicy(order.value.clone()?),
        _ => {
            let queue = order.queue.clone()?;
            if !names.queues.contains(&queue) {
                let message = format!("there is no queue `{queue}`");
                let known = names.queues.iter().map(String::as_str);
                check.refuse(format!("{path}.queue"), suggest(message, &queue, known));
            }
            if verb == Verb::AddMember { ServerOrder::AddMember { queue } } else { ServerOrder::DeleteMember { queue } }
        }
    };
    Some(Deed::QueueServer(node, server))
}
