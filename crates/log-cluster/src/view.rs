//! What there is to see of a cluster of logs: plain data for faces, panels and tests.

pub use crate::transactions::Stage;
use crate::transactions::TransactionState;
use sim::{NodeId, Time};

/// All that there is to see.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct View {
    /// Brokers and controllers, in the order of their nodes.
    pub servers: Vec<ServerView>,
    /// Topics, the brokers' own last.
    pub topics: Vec<TopicView>,
    /// Producers, in the order of the workload's.
    pub producers: Vec<ProducerView>,
    /// Consumers, in the order of the workload's.
    pub consumers: Vec<ConsumerView>,
    /// Groups, in the order of their readers' numbers.
    pub groups: Vec<GroupView>,
    /// Windows of share groups, by group and partition.
    pub shares: Vec<ShareView>,
    /// Transactional producers' ids, in the order of the producers.
    pub transactions: Vec<TransactionView>,
}

/// A broker or a controller, or both in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerView {
    /// Its node.
    pub node: NodeId,
    /// As a broker.
    pub broker: Option<BrokerView>,
    /// As a controller.
    pub controller: Option<ControllerView>,
}

/// How the active controller sees a broker.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum Registration {
    /// Never heard of.
    #[default]
    Unregistered,
    /// Known, and trusted with nothing.
    Fenced,
    /// At work.
    Active,
    /// On its way out in good order.
    ControlledShutdown,
}

/// A broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerView {
    /// How the cluster sees it.
    pub registration: Registration,
    /// Its epoch of registration.
    pub epoch: u64,
    /// How far it has read the metadata.
    pub metadata_offset: u64,
    /// Its replicas, by partition. Those of the brokers' own topics only if they hold anything.
    pub replicas: Vec<ReplicaView>,
    /// Produce requests that wait for replicas.
    pub waiting_produces: u32,
    /// Fetches that wait for data.
    pub waiting_fetches: u32,
}

/// A replica on a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaView {
    /// The topic's place in [`View::topics`].
    pub topic: u32,
    /// The partition.
    pub partition: u32,
    /// Whether it leads, by its own belief.
    pub is_leader: bool,
    /// Whether it is in sync, by the cluster's belief.
    pub in_sync: bool,
    /// The leader epoch that it knows.
    pub leader_epoch: i32,
    /// The first offset it still has.
    pub log_start: u64,
    /// The first offset on the broker's own disk; more than the log's start if older records are in remote storage only.
    pub local_start: u64,
    /// The offset after its last record.
    pub log_end: u64,
    /// What consumers may read up to, by its own belief.
    pub high_watermark: u64,
    /// What consumers of committed records may read up to (K-X6).
    pub last_stable: u64,
    /// Transactions that are open in it.
    pub open_transactions: u32,
    /// How far its log is on the disk.
    pub flushed: u64,
}

/// A controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerView {
    /// Whether it takes itself for the active one.
    pub is_active: bool,
    /// Whether it asks for votes, or for their promise.
    pub is_candidate: bool,
    /// Whom it takes for the active one.
    pub leader: Option<NodeId>,
    /// The epoch (Raft's term).
    pub epoch: u64,
    /// Up to where its metadata log has been replaced by a snapshot (K-Q10).
    pub snapshot: u64,
    /// The end of its metadata log.
    pub log_end: u64,
    /// What of it is committed, by its belief.
    pub committed: u64,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicView {
    /// Its name.
    pub name: String,
    /// Whether it is the brokers' own.
    pub internal: bool,
    /// Its `min.insync.replicas`, no more than its replicas.
    pub min_isr: u32,
    /// Its partitions.
    pub partitions: Vec<PartitionView>,
}

/// A partition, as the newest metadata has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionView {
    /// Its number.
    pub partition: u32,
    /// Who leads.
    pub leader: Option<NodeId>,
    /// Counts elections.
    pub leader_epoch: i32,
    /// All replicas, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// Those of them that a reassignment brings, and those that will go (K-E10).
    pub adding: Vec<NodeId>,
    /// See `adding`.
    pub removing: Vec<NodeId>,
    /// Those in sync.
    pub isr: Vec<NodeId>,
    /// Eligible leader replicas.
    pub elr: Vec<NodeId>,
}

/// A producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerView {
    /// Its node.
    pub node: NodeId,
    /// Records that wait to be sent.
    pub buffered: u32,
    /// Bytes of its buffer in use.
    pub buffered_bytes: u64,
    /// Records sent and not answered.
    pub in_flight: u32,
    /// Records that the application holds because sending blocks.
    pub blocked: u32,
    /// The sticky partition, if its records have no key.
    pub sticky_partition: Option<u32>,
    /// Its id, if it is idempotent and has one.
    pub producer_id: Option<(u64, u16)>,
    /// Its transactions, if it has a `transactional.id`.
    pub transactions: Option<ProducerTransactionsView>,
}

/// A producer's transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerTransactionsView {
    /// The `transactional.id`.
    pub id: String,
    /// Where the application is.
    pub stage: Stage,
    /// How many transactions it has begun.
    pub begun: u32,
    /// Records that it has sent in the open one.
    pub records: u32,
    /// Records that it will send once it may.
    pub waiting: u32,
}

/// A consumer's place in its group.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum MemberState {
    /// Outside: looking for the coordinator, or not started.
    #[default]
    Unjoined,
    /// Waits for the group to form.
    Joining,
    /// Waits for its share.
    Syncing,
    /// Gives up or takes up what its coordinator tells it to (K-G8).
    Reconciling,
    /// At work.
    Stable,
}

/// A consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerView {
    /// Its node.
    pub node: NodeId,
    /// Its place in its group.
    pub state: MemberState,
    /// Its group's generation, or its own epoch in a consumer group.
    pub generation: i32,
    /// What it was given.
    pub assigned: Vec<AssignedView>,
    /// Records fetched and not polled, or polled and not processed.
    pub buffered: u32,
    /// Whether it works on a message now.
    pub working: bool,
    /// The group's coordinator, if it knows one.
    pub coordinator: Option<NodeId>,
    /// The error that ended its application, if one did.
    pub failed: Option<&'static str>,
    /// What it knows as a member of a share group, if it is one.
    pub share: Option<ShareMemberView>,
}

/// A member of a share group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareMemberView {
    /// Records that it was given and has not finished: partition, offset, and the how-many-th delivery.
    pub records: Vec<(u32, u64, u16)>,
    /// What became of what its application was told to say last: nothing yet, done, or refused with an error's name.
    pub answered: Option<Result<(), &'static str>>,
}

/// A partition's window for a share group, as the partition's leader keeps it (K-H1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareView {
    /// The group.
    pub group: String,
    /// The topic's place in [`View::topics`].
    pub topic: u32,
    /// The partition.
    pub partition: u32,
    /// The leader that keeps it.
    pub leader: NodeId,
    /// SPSO: everything before is finished.
    pub start: u64,
    /// The offset after SPEO: nothing from here on was given to anybody.
    pub end: u64,
    /// Records that members have.
    pub acquired: u32,
    /// Records that were given before and are available again.
    pub available: u32,
}

/// A partition that a consumer was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignedView {
    /// The topic's place in [`View::topics`].
    pub topic: u32,
    /// The partition.
    pub partition: u32,
    /// The offset that the next poll returns.
    pub position: u64,
    /// What the group has committed, as far as this consumer knows.
    pub committed: Option<u64>,
    /// Records between what it has processed and the high watermark.
    pub lag: u64,
}

/// A group, as its coordinator has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    /// Its id.
    pub name: String,
    /// The broker that keeps it, if one does.
    pub coordinator: Option<NodeId>,
    /// classic, consumer or share; empty if nobody keeps the group.
    pub protocol: &'static str,
    /// Of a share group Empty or Stable; Empty, PreparingRebalance, CompletingRebalance or Stable; by the consumer protocol Empty, Assigning, Reconciling
    /// or Stable.
    pub state: &'static str,
    /// Counts rebalances; by the consumer protocol the group's epoch.
    pub generation: i32,
    /// Its members.
    pub members: Vec<GroupMemberView>,
}

/// A member of a group, as the coordinator has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMemberView {
    /// Its node.
    pub node: NodeId,
    /// `group.instance.id`, if it is a static one.
    pub instance: Option<String>,
    /// Its epoch; by the classic protocol the group's generation.
    pub epoch: i32,
    /// Joining, Syncing or Stable; by the consumer protocol Stable, UnrevokedPartitions or UnreleasedPartitions.
    pub state: &'static str,
    /// What it may own: topics' places in [`View::topics`], and numbers.
    pub assigned: Vec<(u32, u32)>,
    /// What it has to give up, and others wait for.
    pub revoking: Vec<(u32, u32)>,
}

/// The transactions of a `transactional.id`, as its coordinator has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionView {
    /// The id.
    pub id: String,
    /// The broker that coordinates it, if one does.
    pub coordinator: Option<NodeId>,
    /// Where its transaction is, if it has begun.
    pub state: Option<TransactionState>,
    /// The producer's id and epoch.
    pub producer: Option<(u64, u16)>,
    /// The partitions of the transaction: topics' places in [`View::topics`], and numbers.
    pub partitions: Vec<(u32, u32)>,
    /// When the open one was begun.
    pub started: Option<Time>,
}
