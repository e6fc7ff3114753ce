//! What nodes send each other, and what they tell themselves.

use crate::consumer_group::Who;
use crate::error::Code;
use crate::image::{Image, Record};
use crate::layout::Slot;
use crate::log::{Batch, Entry};
use consensus::Index;
use std::rc::Rc;

/// The controllers' Raft speaks of records, and keeps images.
pub type RaftMessage = consensus::Message<Rc<[Record]>, Rc<Image>>;

/// Pairs a question with its answer.
pub type Ticket = u32;

/// A request and its ticket, or the answer to one.
#[derive(Clone, Debug)]
pub enum Message {
    /// To a broker, from a client or a follower.
    Ask(Ticket, Request),
    /// From a broker.
    Answer(Ticket, Response),
    /// To the active controller, from a broker.
    AskController(Ticket, ControlRequest),
    /// From a controller.
    ControllerAnswers(Ticket, ControlResponse),
    /// Between controllers.
    Raft(Box<RaftMessage>),
}

/// What a broker is asked.
#[derive(Clone, Debug)]
pub enum Request {
    /// For brokers, leaders and epochs.
    Metadata,
    /// For an id for an idempotent producer (K-I1).
    InitProducer,
    /// To append batches.
    Produce(Rc<Produce>),
    /// For records.
    Fetch(Box<Fetch>),
    /// For the first or the next offset of a partition.
    ListOffset(Slot, crate::config::OffsetReset, crate::config::IsolationLevel),
    /// For a group's coordinator (K-G1).
    FindCoordinator(Rc<str>),
    /// Of a group's coordinator.
    Group(Rc<str>, GroupRequest),
    /// About the transactions of a `transactional.id`.
    Transaction(Rc<str>, crate::transactions::TransactionRequest),
    /// About a share group's records.
    Share(Rc<str>, crate::share::ShareRequest),
}

/// What a group's coordinator is asked. Members are named by their ids.
#[derive(Clone, Debug)]
pub enum GroupRequest {
    /// To become a member, or to stay one in the next generation.
    Join(Box<Join>),
    /// For the share; the group's leader brings all shares.
    Sync(Who, i32, crate::group::Shares),
    /// A sign of life.
    Heartbeat(Who, i32),
    /// Farewell.
    Leave(Who),
    /// For committed offsets.
    OffsetFetch(Vec<Slot>),
    /// To record progress (K-O1).
    OffsetCommit(Who, i32, Vec<(Slot, u64)>),
    /// A sign of life of a member of a consumer group (K-G7).
    ConsumerHeartbeat(Box<crate::consumer_group::Heartbeat>),
    /// A sign of life of a member of a share group (K-H1).
    ShareHeartbeat(Box<crate::consumer_group::Heartbeat>),
}

/// A member's wish to join.
#[derive(Clone, Debug)]
pub struct Join {
    /// The member's id.
    pub member: Rc<str>,
    /// Whether the coordinator has not told it its id yet: a dynamic member has to ask for it first, and of a static
    /// one this is a new life (K-G2, K-G6).
    pub fresh: bool,
    /// `session.timeout.ms`.
    pub session: sim::Nanos,
    /// `max.poll.interval.ms`.
    pub rebalance: sim::Nanos,
    /// What it knows for the assignor.
    pub subscription: crate::group::Subscription,
}

/// Batches for partitions of one broker.
#[derive(Clone, Debug)]
pub struct Produce {
    /// What the answer waits for.
    pub acks: crate::config::Acks,
    /// How long the broker may wait.
    pub timeout: sim::Nanos,
    /// One batch a partition (K-P3).
    pub batches: Vec<(Slot, Rc<Batch>)>,
    /// The producer's `transactional.id`, if the batches belong to a transaction (K-X4).
    pub transaction: Option<Rc<str>>,
}

/// What a fetch asks of a partition.
#[derive(Copy, Clone, Debug)]
pub struct FetchPart {
    /// The partition.
    pub slot: Slot,
    /// From which offset on.
    pub offset: u64,
    /// The leader epoch that the asker knows (K-L2).
    pub leader_epoch: i32,
    /// The epoch of the asker's last record (K-L3); followers only.
    pub last_epoch: Option<i32>,
}

/// A fetch, of a follower or of a consumer.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// A follower's epoch of registration; `None` for a consumer.
    pub replica: Option<u64>,
    /// How long to wait for data.
    pub max_wait: sim::Nanos,
    /// How many bytes to wait for.
    pub min_bytes: u64,
    /// Bytes in the answer.
    pub max_bytes: u64,
    /// Bytes of one partition.
    pub partition_bytes: u64,
    /// Whether it wants committed records only (K-X6).
    pub committed_only: bool,
    /// The partitions.
    pub parts: Vec<FetchPart>,
}

/// A leader and its epoch, as a broker that is asked in vain names them (K-T8).
pub type NewLeader = (u16, i32);

/// What a fetch got of a partition.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The partition.
    pub slot: Slot,
    /// The offset that was asked for.
    pub asked: u64,
    /// What went wrong, if anything.
    pub error: Option<Code>,
    /// Who leads instead, if that is known and what went wrong.
    pub leader: Option<NewLeader>,
    /// The high watermark.
    pub high_watermark: u64,
    /// The last stable offset (K-X6).
    pub last_stable: u64,
    /// Aborted transactions that the asker has to pass over, if it wants committed records only.
    pub aborted: Vec<crate::transactions::Aborted>,
    /// The first and the next offset of the leader's log.
    pub span: (u64, u64),
    /// K-L3: where the asker's log parts from the leader's.
    pub diverging: Option<(i32, u64)>,
    /// What lies in remote storage; followers only.
    pub remote: Option<Rc<crate::log::RemoteSegments>>,
    /// Batches; the first may begin before the offset asked for.
    pub entries: Vec<Entry>,
}

impl Fetched {
    /// Nothing but an error.
    #[must_use]
    pub fn refused(slot: Slot, code: Code) -> Fetched {
        Fetched {
            slot,
            asked: 0,
            error: Some(code),
            leader: None,
            high_watermark: 0,
            last_stable: 0,
            aborted: Vec::new(),
            span: (0, 0),
            diverging: None,
            remote: None,
            entries: Vec::new(),
        }
    }
}

/// What a broker answers.
#[derive(Clone, Debug)]
pub enum Response {
    /// The metadata as this broker has it.
    Metadata(Rc<Image>),
    /// A producer's id.
    Producer(Result<u64, Code>),
    /// For each batch its first offset; and of partitions that are led elsewhere, by whom.
    Produced(Vec<(Slot, Result<u64, Code>)>, Vec<(Slot, NewLeader)>),
    /// For each partition what there was.
    Fetched(Vec<Fetched>),
    /// An offset.
    Offset(Slot, Result<u64, Code>),
    /// A group's coordinator.
    Coordinator(Result<u16, Code>),
    /// From a group's coordinator.
    Group(GroupResponse),
    /// About transactions.
    Transaction(crate::transactions::TransactionResponse),
    /// About a share group's records.
    Share(crate::share::ShareResponse),
}

/// What a group's coordinator answers.
#[derive(Clone, Debug)]
pub enum GroupResponse {
    /// The generation has begun; the leader gets what all members know.
    Joined(Result<Box<Joined>, Code>),
    /// The share.
    Synced(Result<Vec<Slot>, Code>),
    /// Alive.
    Beat(Result<(), Code>),
    /// Gone.
    Left,
    /// Committed offsets.
    Offsets(Result<Vec<(Slot, Option<u64>)>, Code>),
    /// Progress is recorded.
    Committed(Result<(), Code>, Vec<(Slot, u64)>),
    /// To a member of a consumer group or of a share group.
    ConsumerHeartbeat(Result<Box<crate::consumer_group::HeartbeatAnswer>, Code>),
}

impl GroupResponse {
    /// The same answer, but that it could not be done.
    #[must_use]
    pub fn refused(self, code: Code) -> GroupResponse {
        match self {
            GroupResponse::Joined(_) => GroupResponse::Joined(Err(code)),
            GroupResponse::Synced(_) => GroupResponse::Synced(Err(code)),
            GroupResponse::Beat(_) => GroupResponse::Beat(Err(code)),
            GroupResponse::Left => GroupResponse::Left,
            GroupResponse::Offsets(_) => GroupResponse::Offsets(Err(code)),
            GroupResponse::Committed(_, offsets) => GroupResponse::Committed(Err(code), offsets),
            GroupResponse::ConsumerHeartbeat(_) => GroupResponse::ConsumerHeartbeat(Err(code)),
        }
    }
}

/// A generation, as a member learns of it.
#[derive(Clone, Debug)]
pub struct Joined {
    /// Its number.
    pub generation: i32,
    /// The strategy that the members agree on (K-G5).
    pub strategy: crate::config::Strategy,
    /// All members, for the leader; empty for the others.
    pub members: Vec<(Rc<str>, crate::group::Subscription)>,
    /// Whether the member leads.
    pub leads: bool,
}

/// What a controller is asked by a broker.
#[derive(Clone, Debug)]
pub enum ControlRequest {
    /// To register: this life of the process, and the epoch of the last life if that one ended in good order.
    Register(u64, Option<u64>),
    /// A sign of life (K-Q4): the epoch, how far the metadata is read, and whether it wants to stop.
    Heartbeat(u64, u64, bool),
    /// For metadata after an offset.
    Metadata(u64),
    /// K-R5: a leader proposes an in-sync set, by broker epoch, partition, leader epoch and partition epoch.
    AlterIsr(u64, Slot, i32, i32, Vec<u16>),
    /// For ids for producers (K-Q3).
    ProducerIds,
    /// For what an administrator wants.
    Admin(Box<crate::admin::AdminOrder>),
}

/// What a controller answers.
#[derive(Clone, Debug)]
pub enum ControlResponse {
    /// It is not the active one; perhaps it knows who is.
    NotController(Option<u16>),
    /// The epoch of the registration.
    Registered(Result<u64, Code>),
    /// Whether the broker is fenced, and whether it shall stop now.
    Beat(Result<(bool, bool), Code>),
    /// Records after the offset asked for, each set with its offset.
    Records(Vec<(Index, Rc<[Record]>)>, u64),
    /// All of the metadata.
    Snapshot(Rc<Image>),
    /// The partition epoch and the in-sync set that hold now.
    IsrAltered(Slot, Result<(i32, Vec<u16>), Code>),
    /// Ids for producers.
    ProducerIds(std::ops::Range<u64>),
    /// Whether that was done.
    Admin(Result<(), Code>),
}

/// What a node tells itself.
#[derive(Clone, Debug)]
pub enum Wake {
    /// To itself, over no network.
    Loopback(Box<Message>),
    /// A broker has the processor for this request.
    Serve(u16, Ticket, Box<Request>),
    /// A broker's timers.
    Broker(BrokerWake),
    /// A controller's timers.
    Controller(ControllerWake),
    /// A client's timers.
    Client(ClientWake),
}

/// A broker's timers.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum BrokerWake {
    /// The next sign of life is due.
    Heartbeat(u32),
    /// Register again.
    Register(u32),
    /// It has tried to register for long enough.
    RegistrationDue,
    /// Look for the active controller again.
    FindController(u32),
    /// Metadata that was read holds from now on.
    TakeUp,
    /// A request to the controller was not answered in time.
    ControllerSilent(Ticket),
    /// A produce request has waited long enough.
    ProduceExpires(u16, Ticket),
    /// A fetch has waited long enough.
    FetchExpires(u16, Ticket),
    /// A follower may fetch from this leader again.
    FetchAgain(u16),
    /// A fetch from this leader was not answered in time.
    FetchSilent(u16, Ticket),
    /// Look for followers that fell behind.
    IsrCheck,
    /// Write the high watermarks down.
    Checkpoint,
    /// The operating system writes old pages back.
    Writeback,
    /// A flush came through: the replica's log is on the disk up to here.
    Flushed(Slot, u64, i32),
    /// Flush by time.
    FlushTick(Slot),
    /// Look for what may be deleted.
    Retention,
    /// A group's timer, by its number.
    Group(u32),
    /// A write of the coordinator has waited long enough.
    CommitExpires(u32),
    /// Call this peer again.
    Connect(u16),
    /// The coordinator proposes to alter an in-sync set again.
    AlterAgain(Slot),
    /// The farewell flush is done.
    Farewell,
    /// A broker that was asked about a transaction did not answer in time.
    CallExpires(Ticket),
    /// What a broker does about transactions.
    Transaction(crate::transactions::TransactionWake),
    /// The log cleaner looks for something to do.
    Clean,
    /// Look what there is to copy to remote storage.
    TierTask,
    /// A segment is in remote storage: it ends there, and was begun under this leader epoch.
    Copied(Slot, u64, i32),
    /// What a broker does about share groups.
    Share(crate::share::ShareWake),
}

/// A controller's timers.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ControllerWake {
    /// Election or fetch timeout.
    Election(u32),
    /// A sign of life to the other controllers.
    Beat(u32),
    /// Look whether a majority answers.
    CheckQuorum(u32),
    /// The log is on the disk up to this change.
    Flushed(u64),
    /// What was gathered is written down.
    Drain,
    /// Write a record that says nothing.
    Idle(u32),
    /// Look for silent brokers.
    FenceScan(u32),
    /// A broker's question for metadata has waited long enough.
    MetadataExpires(u16, Ticket),
    /// Give leadership back to the preferred replicas.
    Preferred(u32),
    /// Look for partitions that an unclean election would help.
    Unclean(u32),
    /// Create topics.
    Create(u32),
    /// Connect to another controller again.
    Connect(u16),
    /// A controller's fetch, by its ticket, has waited long enough.
    FetchExpires(u16, u64),
}

/// A client's timers.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ClientWake {
    /// The next message of the source is due.
    Source,
    /// Look whether something can be sent.
    Pump,
    /// Connect to this broker again.
    Connect(u16),
    /// A connection attempt took too long.
    ConnectExpires(u16, u32),
    /// A request was not answered in time.
    RequestExpires(u16, Ticket),
    /// Ask for metadata.
    Metadata,
    /// What the application holds has waited long enough.
    Blocked,
    /// A member's sign of life is due.
    Heartbeat(u32),
    /// Poll again.
    Poll,
    /// The application finished its work on a message.
    Worked(u32),
    /// Try what failed again.
    Retry(u32),
    /// Look whether the application still polls.
    PollInterval(u32),
    /// Begin.
    Begin,
    /// Go on with transactions.
    Transaction(u32),
}
