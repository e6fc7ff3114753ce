//! The tape: orders and their times.

use crate::document::PolicyPart;
use crate::units::{Rate, Size, Span, Spread};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which cluster an order is for.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// The log cluster.
    Log,
    /// The queue cluster.
    Queue,
}

/// What is ordered.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// kill -9: connections are reset, the page cache survives.
    Kill,
    /// The machine loses power: silence, and what was not flushed is gone.
    PowerOff,
    /// The process freezes, as in a long garbage collection.
    Pause,
    /// A frozen process goes on.
    Resume,
    /// The process is asked to stop in good order.
    Stop,
    /// A process that is down starts.
    Start,
    /// Links are cut: between every node of `from` and every node of `to`.
    Cut,
    /// Links are healed.
    Heal,
    /// All links are healed.
    HealAll,
    /// The links from `from` to `to` become slower by `delay` and lose `loss_percent` of their segments; with neither
    /// they are as the document has them.
    SlowLink,
    /// The disk takes `percent` of its usual time.
    SlowDisk,
    /// Every link of the node takes `percent` of its usual time.
    SlowNetwork,
    /// The processor takes `percent` of its usual time.
    SlowCpu,
    /// A producer's rate changes.
    SetRate,
    /// A consumer's processing time changes.
    SetProcessing,
    /// A consumer's prefetch (queues) or max.poll.records (logs) changes.
    SetPrefetch,
    /// The application of the consumer `node` fails on messages of `key` from now on, whoever published them; without
    /// `key` on none any more.
    FailOn,
    /// A producer publishes one message more.
    PublishOne,
    /// A client more joins, named `node`: with the settings of the client that it is `like`, and of its own `rate`,
    /// `processing`, `group`, `topic` or `queue` if that is given. `stop` has it leave in good order.
    AddClient,
    /// A producer commits its open transaction (logs).
    CommitTransaction,
    /// A producer aborts its open transaction (logs).
    AbortTransaction,
    /// From now on a consumer is led by hand: it settles nothing and polls nothing unless it is told to.
    TakeInHand,
    /// A consumer that was led by hand goes on by itself.
    LetGo,
    /// basic.get: a consumer by hand gets one message (queues).
    Get,
    /// basic.ack: a consumer by hand acknowledges its oldest delivery, that of `tag`, or with `multiple` all up to it
    /// (queues).
    Ack,
    /// basic.nack: a consumer by hand gives its oldest delivery back, that of `tag`, or with `multiple` all up to it;
    /// with `requeue` false it is dropped or dead-lettered (queues).
    Nack,
    /// Queues: basic.reject, as `nack` for one delivery. Logs: a consumer by hand of a share group rejects its oldest
    /// record, or that of `partition` and `offset`.
    Reject,
    /// A consumer by hand calls poll() once, for at most `count` records (logs).
    Poll,
    /// A consumer by hand commits its position, and waits for the answer (logs).
    Commit,
    /// A consumer by hand of a share group accepts its oldest record, or that of `partition` and `offset` (logs).
    Accept,
    /// A consumer by hand of a share group releases its oldest record, or that of `partition` and `offset` (logs).
    Release,
    /// Something else fills a queue server's disk, until `free` bytes are left; none if absent.
    FillDisk,
    /// What filled the disk is gone.
    FreeDisk,
    /// `rabbitmqctl set_vm_memory_high_watermark`: `percent` of the machine's memory.
    SetMemoryWatermark,
    /// `rabbitmq-queues add_member`: the node gets a member of the replicated queue `queue`.
    AddMember,
    /// `rabbitmq-queues delete_member`: the node's member of the replicated queue `queue` goes.
    DeleteMember,
    /// `rabbitmqctl set_policy`, by way of the server `node`: `policy` comes, in the place of one of the same name.
    SetPolicy,
    /// `rabbitmqctl clear_policy`, by way of the server `node`: the policy named `value` goes.
    ClearPolicy,
    /// `kafka-reassign-partitions`, by way of the broker `node`: `partition` of `topic` moves to the brokers `replicas`;
    /// without `replicas` the move under way is given up.
    Reassign,
    /// `kafka-topics --alter --partitions`, by way of the broker `node`: `topic` gets `count` partitions in all, as far as
    /// its `room` goes.
    AddPartitions,
    /// `kafka-configs --alter --entity-type topics`, by way of the broker `node`: the `setting` of `topic` is `value` from
    /// now on.
    SetTopicConfig,
    /// `kafka-configs --alter --entity-type brokers`, by way of the broker `node`: the `setting` of all brokers
    /// (`--entity-default`), or of one `broker` (`--entity-name`), is `value` from now on.
    SetBrokerConfig,
    /// `kafka-leader-election`, by way of the broker `node`: the preferred replicas lead `topic`, or all topics.
    ElectPreferred,
    /// `kafka-leader-election`: partitions of `topic`, or of all topics, without a leader get any that is at work.
    ElectUnclean,
}

/// An order on the tape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TapeOrder {
    /// When, from the start of the run.
    pub at: Span,
    /// What.
    pub order: Verb,
    /// Whether it stands on the tape without being carried out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub muted: bool,
    /// For which cluster, where the node's name does not say it; both if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Which>,
    /// The node: `broker-1`, `controller-1`, `rabbit-1`, or a client's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// One side of the links to cut or heal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// The other side; absent: all other nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Cut or heal only what flows from `from` to `to`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_way: bool,
    /// How slow, in percent of the usual time: 100 is as built, 1000 ten times slower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    /// The new rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// The new processing time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing: Option<Spread>,
    /// The new prefetch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u16>,
    /// Bytes that stay free on the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free: Option<Size>,
    /// By how much a link becomes slower, each way that is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Span>,
    /// How many of a hundred segments a link loses, 0 to 99; TCP sends them again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_percent: Option<u32>,
    /// The queue's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The key's number of the message to be published; absent: as the stream would have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<u32>,
    /// Whether the message to be published has no value (logs only).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tombstone: bool,
    /// The setting to be changed, by the broker's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub setting: Option<String>,
    /// The one broker whose setting it is, by its number (`broker-1` is 1); absent: all brokers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker: Option<u16>,
    /// Its new value, as one writes it in a properties file; empty: it is taken away (`--delete-config`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The policy to be set (queues).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Box<PolicyPart>>,
    /// Whose settings a client that joins has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// The group of a consumer that joins (logs).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The delivery to be settled by hand, by its tag; absent: the oldest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<u64>,
    /// Whether all deliveries up to that one are meant; without a `tag` all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub multiple: bool,
    /// Whether what is given back goes into its queue again. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requeue: Option<bool>,
    /// The record's offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The topic's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The partition's number, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// The brokers by their numbers (`broker-1` is 1), the preferred leader first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<u16>,
}

impl TapeOrder {
    /// An order with nothing but its time and verb.
    #[must_use]
    pub fn new(at: Span, order: Verb) -> TapeOrder {
        TapeOrder {
            at,
            order,
            muted: false,
            delay: None,
            loss_percent: None,
            cluster: None,
            node: None,
            from: Vec::new(),
            to: Vec::new(),
            one_way: false,
            percent: None,
            rate: None,
            processing: None,
            count: None,
            free: None,
            queue: None,
            key: None,
            tombstone: false,
            setting: None,
            broker: None,
            value: None,
            policy: None,
            like: None,
            group: None,
            tag: None,
            multiple: false,
            requeue: None,
            offset: None,
            topic: None,
            partition: None,
            replicas: Vec::new(),
        }
    }

    /// Which fields the verb needs, by name.
    #[must_use]
    pub fn needs(&self) -> &'static [&'static str] {
        match self.order {
            Verb::Kill | Verb::PowerOff | Verb::Pause | Verb::Resume | Verb::Stop | Verb::Start => &["node"],
            Verb::Cut | Verb::Heal | Verb::SlowLink => &["from"],
            Verb::HealAll => &[],
            Verb::SlowDisk | Verb::SlowNetwork | Verb::SlowCpu => &["node", "percent"],
            Verb::SetRate => &["node", "rate"],
            Verb::SetProcessing => &["node", "processing"],
            Verb::SetPrefetch => &["node", "count"],
            Verb::FailOn => &["node"],
            Verb::CommitTransaction | Verb::AbortTransaction => &["node"],
            Verb::AddClient => &["node", "like"],
            Verb::TakeInHand
            | Verb::LetGo
            | Verb::Get
            | Verb::Ack
            | Verb::Nack
            | Verb::Reject
            | Verb::Poll
            | Verb::Commit
            | Verb::Accept
            | Verb::Release => &["node"],
            Verb::PublishOne | Verb::FillDisk | Verb::FreeDisk => &["node"],
            Verb::SetMemoryWatermark => &["node", "percent"],
            Verb::AddMember | Verb::DeleteMember => &["node", "queue"],
            Verb::SetPolicy => &["node", "policy"],
            Verb::ClearPolicy => &["node", "value"],
            Verb::AddPartitions => &["node", "topic", "count"],
            Verb::SetTopicConfig => &["node", "topic", "setting", "value"],
            Verb::SetBrokerConfig => &["node", "setting", "value"],
            Verb::Reassign => &["node", "topic", "partition"],
            Verb::ElectPreferred | Verb::ElectUnclean => &["node"],
        }
    }

    /// The one cluster that knows of such a thing, if there is only one.
    #[must_use]
    pub fn only(&self) -> Option<Which> {
        match self.order {
            Verb::Get | Verb::Ack | Verb::Nack => Some(Which::Queue),
            Verb::Poll | Verb::Commit | Verb::Accept | Verb::Release => Some(Which::Log),
            _ => None,
        }
    }

    /// Whether a field is given.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        match field {
            "node" => self.node.is_some(),
            "setting" => self.setting.is_some(),
            "value" => self.value.is_some(),
            "policy" => self.policy.is_some(),
            "like" => self.like.is_some(),
            "from" => !self.from.is_empty(),
            "to" => !self.to.is_empty(),
            "percent" => self.percent.is_some(),
            "rate" => self.rate.is_some(),
            "processing" => self.processing.is_some(),
            "count" => self.count.is_some(),
            "queue" => self.queue.is_some(),
            "topic" => self.topic.is_some(),
            "partition" => self.partition.is_some(),
            _ => false,
        }
    }
}
