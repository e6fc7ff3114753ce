//! What there is to see of a cluster of queues, as plain data.

use crate::config::ExchangeKind;
use sim::story::MessageId;
use sim::{Health, NodeId, Time};
use std::rc::Rc;

/// The whole cluster.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct View {
    /// The servers.
    pub nodes: Vec<NodeView>,
    /// All queues.
    pub queues: Vec<QueueView>,
    /// All exchanges but the predeclared ones that nothing is bound to.
    pub exchanges: Vec<ExchangeView>,
    /// All bindings but the default exchange's.
    pub bindings: Vec<BindingView>,
    /// The publishing clients.
    pub publishers: Vec<PublisherView>,
    /// The consuming clients.
    pub consumers: Vec<ConsumerView>,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// Which node.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// Whether it has booted and takes connections.
    pub running: bool,
    /// The other servers that it sees.
    pub sees: Vec<NodeId>,
    /// Clients connected to it.
    pub clients: Vec<NodeId>,
    /// It stopped serving because it does not see enough of the others (R-N2).
    pub paused_by_strategy: bool,
    /// Nodes that ran apart from it, and that it does not share its metadata with any more (R-N2).
    pub apart: Vec<NodeId>,
    /// Publishing connections that an alarm holds up (R-M4).
    pub blocked: Vec<NodeId>,
    /// Connections that it does not read from at the moment (flow).
    pub in_flow: Vec<NodeId>,
    /// Alarms: `memory`, `disk`.
    pub alarms: Vec<&'static str>,
}

/// The kind of a queue.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum QueueKind {
    /// On one node.
    #[default]
    Classic,
    /// Replicated by Raft.
    Quorum,
    /// A replicated log.
    Stream,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// Its name.
    pub name: String,
    /// Its place in the config; `None` if it was declared later.
    pub reader: Option<u8>,
    /// Its kind.
    pub kind: QueueKind,
    /// Where it lives: the home of a classic queue, the leader of the others, if there is one.
    pub leader: Option<NodeId>,
    /// Whether it can be used now: its home is up, or it has a leader with a majority.
    pub available: bool,
    /// The members of a replicated queue.
    pub members: Vec<MemberView>,
    /// The mirrors of a classic queue, and whether each is synchronised (R-M8).
    pub mirrors: Vec<(NodeId, bool)>,
    /// Dead letters that their targets have not confirmed (R-U8).
    pub dead_letters: u64,
    /// Messages that wait.
    pub ready: u64,
    /// Messages with consumers.
    pub unacked: u64,
    /// The ids of the first messages that wait (at most 64), next one first.
    pub first_ready: Vec<MessageId>,
    /// Its consumers.
    pub consumers: Vec<WindowView>,
}

/// A member of a replicated queue.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// On which node.
    pub node: NodeId,
    /// Whether it leads.
    pub leads: bool,
    /// Whether it is alive and asks for votes, or for their promise.
    pub candidate: bool,
    /// Its term.
    pub term: u64,
    /// What it knows to be committed.
    pub commit: u64,
    /// The last entry of its log.
    pub log_end: u64,
    /// How far its log is on the disk.
    pub flushed: u64,
}

/// A member of a replicated queue's group with its log, for those who check the group from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberLog {
    /// On which node.
    pub node: NodeId,
    /// Its term.
    pub term: u64,
    /// Whether it takes itself for the leader, and its process is alive.
    pub leads: bool,
    /// What it knows to be committed.
    pub commit: u64,
    /// The place before its first entry: what is up to there is in its snapshot.
    pub base: u64,
    /// Term and fingerprint of each entry after the base.
    pub entries: Vec<(u64, u64)>,
}

/// A consumer as its queue sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowView {
    /// The client.
    pub client: NodeId,
    /// The consumer tag.
    pub tag: Rc<str>,
    /// Its prefetch; `None` is unlimited.
    pub window: Option<u32>,
    /// What it holds, oldest first (at most 64 ids).
    pub held: Vec<MessageId>,
    /// How many it holds.
    pub held_count: u32,
    /// Whether it is served at all (not a waiting one beside a single active consumer).
    pub active: bool,
}

/// An exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeView {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: ExchangeKind,
}

/// A binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingView {
    /// From this exchange.
    pub source: String,
    /// To this queue or exchange.
    pub destination: String,
    /// Whether the destination is an exchange.
    pub to_exchange: bool,
    /// The key, pattern or weight.
    pub routing_key: String,
}

/// A publishing client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublisherView {
    /// Which node it is.
    pub id: NodeId,
    /// The server that it is connected to.
    pub connected: Option<NodeId>,
    /// Messages sent and not confirmed.
    pub unconfirmed: u32,
    /// Messages that wait in the client.
    pub waiting: u32,
    /// Messages refused so far.
    pub refused: u64,
    /// Whether the server told it that an alarm holds publishers up (R-M4).
    pub blocked: bool,
}

/// A consuming client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerView {
    /// Which node it is.
    pub id: NodeId,
    /// The server that it is connected to.
    pub connected: Option<NodeId>,
    /// The queue that it consumes.
    pub queue: String,
    /// Its prefetch; 0 is unlimited.
    pub prefetch: u16,
    /// What it has and has not acknowledged, the one in work first (at most 64 ids).
    pub unacked: Vec<MessageId>,
    /// How many it has and has not acknowledged.
    pub unacked_count: u32,
    /// Since when it works on the first, and until when.
    pub working: Option<(Time, Time)>,
    /// Messages finished so far.
    pub processed: u64,
}
