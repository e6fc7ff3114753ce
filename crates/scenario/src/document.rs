//! The document: clusters, workload, seed and tape. A run is a function of it and of nothing else.

use crate::tape::TapeOrder;
use crate::units::{Rate, Size, Span, Spread};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Settings by the brokers' own names, such as `acks` or `linger.ms`.
pub type Settings = BTreeMap<String, Value>;

/// A whole run: what there is, what happens, and the seed of all chance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The version of this format: 1.
    pub brokerlab: u32,
    /// A title, at most 200 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What to look for, at most 2,000 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// The seed of all chance in the run.
    #[serde(default)]
    pub seed: u64,
    /// How long the run is.
    pub length: Span,
    /// Who produces and who consumes.
    #[serde(default)]
    pub workload: WorkloadPart,
    /// What links are like.
    #[serde(default, skip_serializing_if = "is_default")]
    pub network: NetworkPart,
    /// What the servers' machines are like.
    #[serde(default, skip_serializing_if = "is_default")]
    pub machine: MachinePart,
    /// The log cluster, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogPart>,
    /// The queue cluster, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueuePart>,
    /// What happens when.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tape: Vec<TapeOrder>,
    /// Other tapes of this run, to go on with and to compare: at most 20. They change nothing of what is played.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<BranchPart>,
}

/// A tape that was left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BranchPart {
    /// Its name, 1 to 60 characters.
    pub name: String,
    /// Where it was left.
    pub at: Span,
    /// Its orders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tape: Vec<TapeOrder>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Who produces and who consumes; the same for both clusters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkloadPart {
    /// Producing applications.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub producers: Vec<ProducerPart>,
    /// Consuming applications.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumers: Vec<ConsumerPart>,
}

/// How arrivals are spread.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ArrivalsPart {
    /// At equal distances.
    #[default]
    Steady,
    /// At random.
    Poisson,
}

/// A producing application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProducerPart {
    /// Its name, unique among all nodes.
    pub name: String,
    /// How many messages it produces.
    pub rate: Rate,
    /// How they are spread in time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub arrivals: ArrivalsPart,
    /// How many different keys; 0 for messages without a key.
    #[serde(default = "eight", skip_serializing_if = "is_eight")]
    pub keys: u32,
    /// The size of a message.
    #[serde(default = "kilobyte", skip_serializing_if = "is_kilobyte")]
    pub size: Size,
    /// It stops after so many messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// When it begins.
    #[serde(default, skip_serializing_if = "is_default")]
    pub start: Span,
}

fn eight() -> u32 {
    8
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_eight(n: &u32) -> bool {
    *n == 8
}

fn kilobyte() -> Size {
    Size(1_000)
}

fn is_kilobyte(size: &Size) -> bool {
    *size == kilobyte()
}

/// A consuming application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsumerPart {
    /// Its name, unique among all nodes.
    pub name: String,
    /// How long it works on one message.
    pub processing: Spread,
    /// When it begins.
    #[serde(default, skip_serializing_if = "is_default")]
    pub start: Span,
    /// Whether it is led by hand: it works on what it gets, settles nothing, and in a log polls nothing, until an order
    /// tells it to. Default false.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by_hand: bool,
}

/// What links are like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkPart {
    /// Between servers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub servers: LinkPart,
    /// Between clients and servers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clients: LinkPart,
}

/// What a link is like, in either direction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkPart {
    /// One way. Default 500us (assumed: within a zone).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Spread>,
    /// Bytes a second, as a size. Default 1250MB (10 Gbit/s).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth: Option<Size>,
    /// Packets lost in a million.
    #[serde(default, skip_serializing_if = "is_default")]
    pub loss_per_million: u32,
}

/// What the servers' machines are like; absent fields are those of a four-core cloud machine with an SSD (assumed).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachinePart {
    /// Cores, 1 to 64. Default 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<u16>,
    /// Bytes a second to the disk. Default 400MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<Size>,
    /// What a flush costs beside the bytes. Default 2ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush: Option<Span>,
}

/// The log cluster, by Kafka's names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogPart {
    /// How many brokers, 1 to 10.
    #[serde(default = "three")]
    pub brokers: u16,
    /// How many of the brokers, the last ones, are not started with the others: an order `start` lets each join.
    #[serde(default, skip_serializing_if = "is_default")]
    pub spare: u16,
    /// `broker.rack` of each broker, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub racks: Vec<String>,
    /// How many controllers of their own: 1, 3 or 5; 0: brokers are controllers as well.
    #[serde(default = "three")]
    pub controllers: u16,
    /// The topics; producers write to the first, consumers read all, unless `producers` and `consumers` say otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<TopicPart>,
    /// Settings of all brokers, such as `min.insync.replicas`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub broker: Settings,
    /// Settings of all producers, such as `acks`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub producer: Settings,
    /// Settings of all consumers, such as `group.id`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub consumer: Settings,
    /// Makes all consumers share consumers, so that their groups are share groups, and says what their applications do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<SharePart>,
    /// Settings of single groups, by their ids, such as `share.auto.offset.reset`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Settings>,
    /// What single clients do differently, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clients: BTreeMap<String, LogClientPart>,
}

fn three() -> u16 {
    3
}

/// What one client of the log cluster does differently.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogClientPart {
    /// The topics that it reads, or the one that it writes to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// Its settings.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: Settings,
    /// How its application uses transactions, if it is a producer with a `transactional.id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<TransactionsPart>,
    /// Every how-many-th message of a producing application has no value: a tombstone, for compaction; 0 for none. The
    /// lab's notion, not Kafka's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tombstone_every: u32,
    /// How far a producing client's clock is ahead of the brokers', which its records' timestamps tell. The lab's notion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_ahead: Option<Span>,
    /// Where it writes what it has processed, if it is a consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward: Option<ForwardPart>,
    /// Makes a consumer a share consumer, and says what its application does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<SharePart>,
}

/// What the application of a share consumer does with records: the lab's notion, not Kafka's. Which messages are meant
/// is counted by each producer, so that a message fails with whoever gets it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SharePart {
    /// It fails on every how-many-th message, and releases it; 0 for none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub release_every: u32,
    /// It rejects every how-many-th message; 0 for none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reject_every: u32,
    /// It processes every how-many-th message and never acknowledges it; 0 for none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub forget_every: u32,
    /// After each record it commits what it said, and renews the locks of those that it still holds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub renew: bool,
}

/// A consumer that writes each record that it has processed to another topic, with its progress, in a transaction for
/// each polled batch: the lab's notion, not Kafka's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardPart {
    /// The topic that it writes to.
    pub topic: String,
    /// The `transactional.id` of its producer.
    #[serde(rename = "transactional.id")]
    pub transactional_id: String,
    /// Its transactions' timeout (transaction.timeout.ms). Default 60s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

/// How an application uses transactions: the lab's notion, not Kafka's. It begins one with its first record; absent
/// fields are the engine's defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransactionsPart {
    /// It ends a transaction after so many records; 0 for no such limit. Default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u32>,
    /// It ends a transaction that has been open for so long; 0 for no such limit. Default 1s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// It aborts every how-many-th transaction; 0 for none. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_every: Option<u32>,
    /// It hangs in its how-many-th transaction instead of ending it; 0 for never. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hang_at: Option<u32>,
    /// For how long it hangs; absent: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hang_for: Option<Span>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicPart {
    /// Its name.
    pub name: String,
    /// How many partitions.
    #[serde(default = "one")]
    pub partitions: u32,
    /// How many partitions it may come to have while it runs, by the order `add-partitions`; absent: no more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub room: u32,
    /// How many replicas of each.
    #[serde(rename = "replication.factor", default = "three")]
    pub replication_factor: u16,
    /// The replicas of each partition by the brokers' numbers, the preferred leader first; absent: the controller
    /// places them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<Vec<u16>>,
    /// Its settings, such as `min.insync.replicas`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: Settings,
}

fn one() -> u32 {
    1
}

/// The queue cluster, by RabbitMQ's names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueuePart {
    /// Whose rules: `4.2` or `3.10`.
    #[serde(default = "newest", skip_serializing_if = "is_newest")]
    pub rules: String,
    /// How many nodes, 1 to 10.
    #[serde(default = "three")]
    pub nodes: u16,
    /// Exchanges beside the predeclared ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<ExchangePart>,
    /// The queues; publishers write to the first and consumers read it, unless `clients` says otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueueDeclaration>,
    /// The bindings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bindings: Vec<BindingPart>,
    /// Policies, as in exported definitions: of those that match a queue, the one with the highest priority counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<PolicyPart>,
    /// What all publishers do.
    #[serde(default, skip_serializing_if = "is_default")]
    pub publisher: PublisherPart,
    /// What all consumers do.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumer: QueueConsumerPart,
    /// What single clients do differently, by their names: a `publisher` or a `consumer` in whole.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clients: BTreeMap<String, QueueClientPart>,
    /// Settings of the servers and clients by the broker's names, such as `cluster_partition_handling`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: Settings,
    /// Operations of scripted connections, in the form of the transcripts, each with `at`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub script: Vec<ScriptStep>,
}

fn newest() -> String {
    "4.2".to_owned()
}

fn is_newest(rules: &String) -> bool {
    *rules == newest()
}

/// What one client of the queue cluster does differently.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueClientPart {
    /// If it is a producer of the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<PublisherPart>,
    /// If it is a consumer of the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<QueueConsumerPart>,
}

/// An exchange, as in exported definitions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangePart {
    /// Its name.
    pub name: String,
    /// `direct`, `fanout`, `topic`, `headers` or `x-consistent-hash`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it outlives a restart.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub durable: bool,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: Settings,
}

/// A queue, as in exported definitions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueDeclaration {
    /// Its name.
    pub name: String,
    /// Whether it outlives a restart.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub durable: bool,
    /// Its arguments, such as `x-queue-type`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: Settings,
    /// The node that declares it, from 1: the home of a classic queue, the first leader of a quorum queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u16>,
}

/// A policy, as in exported definitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyPart {
    /// Its name.
    pub name: String,
    /// The queues' names: a regular expression of `^`, `$`, `.`, `.*`, `.+` and backslashes.
    pub pattern: String,
    /// `queues`, `classic_queues`, `quorum_queues`, `streams` or `all`.
    #[serde(rename = "apply-to", default = "all", skip_serializing_if = "is_all")]
    pub apply_to: String,
    /// What it gives, such as `max-length`, and before 4.0 `ha-mode`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub definition: Settings,
    /// The highest counts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i64,
}

fn all() -> String {
    "all".to_owned()
}

fn is_all(text: &String) -> bool {
    *text == all()
}

/// A binding, as in exported definitions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BindingPart {
    /// The exchange.
    pub source: String,
    /// The queue or exchange that gets the messages.
    pub destination: String,
    /// `queue` or `exchange`.
    #[serde(default = "queue", skip_serializing_if = "is_queue")]
    pub destination_type: String,
    /// The key, pattern or weight.
    #[serde(default)]
    pub routing_key: String,
    /// Arguments, such as `x-match`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: Settings,
}

fn queue() -> String {
    "queue".to_owned()
}

fn is_queue(kind: &String) -> bool {
    *kind == queue()
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_true(truth: &bool) -> bool {
    *truth
}

/// What a publisher does; absent fields are the engine's defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublisherPart {
    /// The node that it connects to first, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u16>,
    /// The exchange; default: the default exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<String>,
    /// The routing key; `{key}` stands for the message's key, `{index}` for its number. Default: the first queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_key: Option<String>,
    /// Whether it asks for publisher confirms. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirms: Option<bool>,
    /// How many messages may be unconfirmed; 0 is no limit. Default 200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unconfirmed: Option<u32>,
    /// Whether an unroutable message comes back. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandatory: Option<bool>,
    /// Whether messages are persistent (delivery_mode 2). Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent: Option<bool>,
    /// The messages' priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// The messages' time to live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration: Option<Span>,
    /// Whether what is unconfirmed is sent again on a new connection. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resend_unconfirmed: Option<bool>,
    /// After how long a refused message is sent again; absent: it is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_refused: Option<Span>,
}

/// What a consumer does; absent fields are the engine's defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueConsumerPart {
    /// The node that it connects to first, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u16>,
    /// The queue. Default: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// basic.qos; 0 is unlimited. Default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefetch_count: Option<u16>,
    /// Whether messages count as acknowledged once sent. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_ack: Option<bool>,
    /// Whether it must be the queue's only consumer. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclusive: Option<bool>,
    /// Consumer priority.
    #[serde(rename = "x-priority", default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Acknowledges every how-many-th message only, with multiple=true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack_every: Option<u32>,
    /// Rejects every how-many-th message; 0 none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reject_every: Option<u32>,
    /// Whether a rejected message is requeued. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requeue: Option<bool>,
    /// Where a stream is read from: first, last, next or a number.
    #[serde(rename = "x-stream-offset", default, skip_serializing_if = "Option::is_none")]
    pub stream_offset: Option<String>,
}

/// One operation of a scripted connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScriptStep {
    /// When.
    pub at: Span,
    /// The operation: `op` and its fields.
    #[serde(flatten)]
    pub operation: Settings,
}
