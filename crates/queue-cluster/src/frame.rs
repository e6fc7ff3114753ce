//! What processes send each other and themselves.

use crate::desk::{Answer, Ask, ChannelId, ConsumeRequest, QueueId};
use crate::message::Body;
use crate::mirror::Turn;
use crate::partition::Report;
use crate::policy::Policy;
use crate::replica::{Command, State};
use crate::script::Operation;
use crate::topology::Topology;
use crate::value::Table;
use consensus::Message as RaftMessage;
use sim::workload::ClientOrder;
use sim::{Fingerprint, NodeId, Time};
use std::rc::Rc;

/// A method of a client on a channel.
#[derive(Clone, Debug)]
pub enum Method {
    Open,
    Close,
    CloseOk,
    ConfirmSelect,
    Qos { size: u32, count: u16, global: bool },
    DeclareExchange(Box<WantedExchange>),
    DeleteExchange { name: Rc<str>, if_unused: bool },
    DeclareQueue { name: Rc<str>, durable: bool, exclusive: bool, auto_delete: bool, passive: bool, arguments: Table },
    DeleteQueue { name: Rc<str>, if_unused: bool, if_empty: bool },
    PurgeQueue { name: Rc<str> },
    Bind { source: Rc<str>, destination: Rc<str>, to_exchange: bool, key: Rc<str>, arguments: Table },
    Unbind { source: Rc<str>, destination: Rc<str>, to_exchange: bool, key: Rc<str>, arguments: Table },
    TxSelect,
    TxCommit,
    TxRollback,
    Publish { mandatory: bool, body: Body },
    Consume { queue: Rc<str>, request: Rc<ConsumeRequest> },
    Cancel { tag: Rc<str> },
    Ack { tag: u64, multiple: bool },
    Nack { tag: u64, multiple: bool, requeue: bool },
    Get { queue: Rc<str>, no_ack: bool },
    Recover,
}

/// An exchange as somebody wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedExchange {
    pub name: Rc<str>,
    pub kind: Rc<str>,
    pub durable: bool,
    pub auto_delete: bool,
    pub internal: bool,
    pub passive: bool,
    pub arguments: Table,
}

/// What a server tells a client on a channel.
#[derive(Clone, Debug)]
pub enum Reply {
    Deliver { consumer: Rc<str>, tag: u64, redelivered: bool, body: Body, count: Option<u32>, offset: Option<u64> },
    Got { tag: u64, redelivered: bool, body: Body, count: Option<u32>, remaining: u64 },
    GotNothing,
    Confirm { tag: u64, multiple: bool, taken: bool },
    Return { code: u16, body: Body },
    Cancelled { consumer: Rc<str> },
    ConsumeOk,
    CancelOk { consumer: Rc<str> },
    Counts { queue: Rc<str>, messages: u64, consumers: u32 },
    Closed { code: u16, reason: Rc<str> },
}

/// A message between two processes.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // The fields are what the sentences say.
pub enum Frame {
    /// Client to server.
    Method(u16, Method),
    /// The client closes its connection.
    Goodbye,
    /// The administrator restarts the broker in good order.
    Restart,
    /// Server to client.
    Reply(u16, Reply),
    /// The server closes the connection for a reason.
    ConnectionClosed(u16, Rc<str>),
    /// A sign of life, either way.
    Heartbeat,
    /// Server to client: an alarm holds up publishers, or none does any more (connection.blocked, R-M4).
    Blocked(bool),
    /// Server to server: my broker is up, in which boot, and whether it has just started.
    Hello {
        boot: u32,
        fresh: bool,
    },
    /// To the first node: see whether the sides of a partition can be healed (R-N2).
    HealStart,
    /// From the first node: how do you stand?
    HealAsk,
    HealReport(Report),
    /// From the first node: restart.
    HealLose,
    /// To a queue's leader: this node is to get a member of it, or to lose it (R-U1).
    ChangeMembers {
        queue: QueueId,
        node: NodeId,
        add: bool,
    },
    /// From a queue's leader: you are about to get a member of it.
    HostMember {
        queue: QueueId,
    },
    /// My alarms are these now (R-M4).
    Alarms {
        memory: bool,
        disk: bool,
    },
    /// From the home of a mirrored queue to a mirror (R-M8).
    Mirror(QueueId, Rc<Turn>),
    /// From a mirror: I have everything up to this turn.
    Mirrored(QueueId, u64),
    /// Exchanges, queues and bindings as the sender has them, and whether it has just started (R-N2).
    Topology(Rc<Topology>, bool),
    /// To a classic queue on its home.
    Ask(QueueId, Ask),
    /// From a queue to a channel.
    Answer(ChannelId, QueueId, Answer),
    /// To a replicated queue's leader.
    Command(QueueId, Rc<Command>),
    /// From a leader: all commands of this session up to this one are applied; publishers should hold back or not.
    Applied {
        queue: QueueId,
        session: u32,
        upto: u64,
        blocked: bool,
    },
    /// I do not lead this queue; perhaps that one does.
    NotLeader {
        queue: QueueId,
        leader: Option<NodeId>,
    },
    /// I lead this queue.
    Leads {
        queue: QueueId,
        term: u64,
    },
    /// Between members.
    Raft(QueueId, Box<RaftMessage<Rc<Command>, Rc<State>>>),
}

/// What a process tells itself.
#[derive(Clone, Debug)]
pub enum Wake {
    /// A queue's process got to this request.
    Ask(QueueId, Ask),
    /// A leader's process got to this command.
    Propose(QueueId, Rc<Command>),
    /// What was in the write-ahead log is on the disk.
    WalFlushed,
    /// The message store is on the disk up to this write.
    StoreFlushed(u64),
    /// The operating system writes back what is dirty.
    Writeback,
    /// A queue wanted to be woken.
    QueueTick(QueueId),
    /// An election timer, by its count.
    Election(QueueId, u64),
    /// Try to reach this node again.
    Reach(NodeId),
    /// Look who is silent.
    Poll,
    /// Send and check heartbeats.
    Beat,
    /// A client's next message is due.
    Due,
    /// A client sends a refused message again.
    Retry(Body),
    /// A consumer has finished its work.
    Done,
    /// A client that waits for a connection loses patience, by the attempt.
    Patience(u32),
    /// A client's connection is negotiated, by the attempt.
    Ready(u32),
    /// A client consumes again.
    Again,
    /// The next operation of a script.
    Step,
    /// Look who was not heard for long (R-N1).
    NetTick,
    /// What follows for classic queues when a node is out of sight (R-Q3).
    PeerLost(NodeId),
    /// A paused node looks for the others (R-N2).
    DownPing,
    /// Look at memory and disk (R-M4).
    Monitor,
    /// Look whether a client's connection, by its number, brought anything (R-M6).
    HeartbeatCheck(NodeId, u64),
    /// A channel looks whether an acknowledgement is overdue (R-K6).
    ChannelTick(ChannelId),
    /// A channel has waited long for a change of the metadata (R-N3).
    MetadataTimeout(ChannelId, u64),
    /// Carry dead letters on (R-U8).
    DeadLetters(QueueId),
    /// The connection, by its number, is closed for a reason; its channels end before.
    CloseConnection(NodeId, u64, u16, Rc<str>),
}

/// What a user orders of a process.
#[derive(Clone, Debug)]
pub enum Order {
    /// Of a workload's client.
    Client(ClientOrder),
    /// Of a scripted connection.
    Operate(Rc<Operation>),
    /// Of a server.
    Server(ServerOrder),
}

/// What a user orders of a server node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerOrder {
    /// Something else fills the disk until so many bytes are free.
    FillDisk {
        /// Bytes that stay free.
        free: u64,
    },
    /// `rabbitmqctl set_vm_memory_high_watermark` (R-M4).
    SetMemoryWatermark {
        /// Percent of the machine's memory.
        percent: u32,
    },
    /// `rabbitmq-queues add_member`: the node gets a member of a replicated queue (R-U1).
    AddMember {
        /// The queue's name.
        queue: String,
    },
    /// `rabbitmq-queues delete_member`: the node's member of a replicated queue goes (R-U1).
    DeleteMember {
        /// The queue's name.
        queue: String,
    },
    /// `rabbitmqctl set_policy` (R-M9).
    SetPolicy(Box<Policy>),
    /// `rabbitmqctl clear_policy`, by its name.
    ClearPolicy(String),
}

impl ServerOrder {
    fn fingerprint(&self) -> u64 {
        let of = |queue: &str| queue.bytes().fold(7, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        match self {
            ServerOrder::FillDisk { free } => 1 ^ free << 3,
            ServerOrder::SetMemoryWatermark { percent } => 2 ^ u64::from(*percent) << 3,
            ServerOrder::AddMember { queue } => 3 ^ of(queue) << 3,
            ServerOrder::DeleteMember { queue } => 4 ^ of(queue) << 3,
            ServerOrder::SetPolicy(policy) => {
                let given =
                    policy.definition.keys().fold(policy.priority as u64, |sum, name| sum ^ of(name).rotate_left(9));
                5 ^ (of(&policy.name) ^ of(policy.pattern.text()).rotate_left(7) ^ given) << 3
            }
            ServerOrder::ClearPolicy(name) => 6 ^ of(name) << 3,
        }
    }
}

impl Fingerprint for Order {
    fn fingerprint(&self) -> u64 {
        match self {
            Order::Client(order) => order.fingerprint(),
            Order::Operate(operation) => 5 ^ (operation.channel().len() as u64) << 8,
            Order::Server(order) => 6 ^ order.fingerprint() << 8,
        }
    }
}

impl Fingerprint for Frame {
    fn fingerprint(&self) -> u64 {
        let of = |kind: u64, value: u64| kind | value << 8;
        match self {
            Frame::Method(channel, method) => of(1, u64::from(*channel) ^ method.fingerprint()),
            Frame::Goodbye => 2,
            Frame::Restart => 3,
            Frame::Reply(channel, reply) => of(4, u64::from(*channel) ^ reply.fingerprint()),
            Frame::ConnectionClosed(code, _) => of(5, u64::from(*code)),
            Frame::Heartbeat => 6,
            Frame::Hello { boot, fresh } => of(7, u64::from(*boot) << 1 ^ u64::from(*fresh)),
            Frame::Topology(topology, _) => of(8, topology.version.0),
            Frame::Ask(queue, ask) => of(9, u64::from(queue.0) ^ ask.fingerprint()),
            Frame::Answer(channel, queue, answer) => of(10, channel.serial ^ u64::from(queue.0) ^ answer.fingerprint()),
            Frame::Command(queue, command) => of(11, u64::from(queue.0) << 32 ^ command.seq),
            Frame::Applied { queue, upto, .. } => of(12, u64::from(queue.0) << 32 ^ upto),
            Frame::NotLeader { queue, .. } => of(13, u64::from(queue.0)),
            Frame::Leads { queue, term } => of(14, u64::from(queue.0) << 32 ^ term),
            Frame::Raft(queue, message) => of(15, u64::from(queue.0) ^ message.fingerprint()),
            Frame::Blocked(on) => of(16, u64::from(*on)),
            Frame::HealStart => 17,
            Frame::HealAsk => 18,
            Frame::HealReport(report) => of(19, u64::from(report.clients) ^ (report.apart.len() as u64) << 32),
            Frame::HealLose => 20,
            Frame::Alarms { memory, disk } => of(21, u64::from(*memory) | u64::from(*disk) << 1),
            Frame::Mirror(queue, turn) => of(22, u64::from(queue.0) << 32 ^ turn.number),
            Frame::ChangeMembers { queue, node, add } => {
                of(24, u64::from(queue.0) << 32 ^ u64::from(node.0) << 1 ^ u64::from(*add))
            }
            Frame::HostMember { queue } => of(25, u64::from(queue.0)),
            Frame::Mirrored(queue, upto) => of(23, u64::from(queue.0) << 32 ^ upto),
        }
    }
}

impl Method {
    fn fingerprint(&self) -> u64 {
        match self {
            Method::Publish { body, .. } => 1 << 16 ^ body.fingerprint() << 20,
            Method::Ack { tag, multiple } => 2 << 16 ^ tag << 20 ^ u64::from(*multiple) << 19,
            Method::Nack { tag, requeue, .. } => 3 << 16 ^ tag << 20 ^ u64::from(*requeue) << 19,
            Method::Consume { .. } => 4 << 16,
            Method::Get { .. } => 5 << 16,
            _ => 6 << 16,
        }
    }
}

impl Reply {
    fn fingerprint(&self) -> u64 {
        match self {
            Reply::Deliver { tag, body, .. } | Reply::Got { tag, body, .. } => tag << 24 ^ body.fingerprint(),
            Reply::Confirm { tag, multiple, taken } => {
                2 << 16 ^ tag << 20 ^ u64::from(*multiple) ^ u64::from(*taken) << 1
            }
            Reply::Closed { code, .. } => 3 << 16 ^ u64::from(*code) << 20,
            Reply::Return { body, .. } => 4 << 16 ^ body.fingerprint(),
            Reply::GotNothing
            | Reply::Cancelled { .. }
            | Reply::ConsumeOk
            | Reply::CancelOk { .. }
            | Reply::Counts { .. } => 5 << 16,
        }
    }
}

impl Ask {
    fn fingerprint(&self) -> u64 {
        match self {
            Ask::Publish { body, .. } => 1 ^ body.fingerprint() << 4,
            Ask::Ack { ids, .. } => 2 ^ ids.iter().fold(0, |sum: u64, id| sum.wrapping_mul(31).wrapping_add(*id)) << 4,
            Ask::Requeue { ids, .. } => 3 ^ (ids.len() as u64) << 4,
            Ask::Reject { ids, .. } => 4 ^ (ids.len() as u64) << 4,
            _ => 5,
        }
    }
}

impl Answer {
    fn fingerprint(&self) -> u64 {
        match self {
            Answer::Deliver { handed, .. } => 1 ^ handed.id << 4,
            Answer::Confirmed(number) => 2 ^ number << 4,
            Answer::Refused(number) => 3 ^ number << 4,
            Answer::Got { remaining, .. } => 4 ^ remaining << 4,
            _ => 5,
        }
    }
}

impl Fingerprint for Wake {
    fn fingerprint(&self) -> u64 {
        let of = |kind: u64, value: u64| kind | value << 8;
        match self {
            Wake::Ask(queue, ask) => of(1, u64::from(queue.0) ^ ask.fingerprint()),
            Wake::Propose(queue, command) => of(2, u64::from(queue.0) << 32 ^ command.seq),
            Wake::WalFlushed => 3,
            Wake::StoreFlushed(upto) => of(4, *upto),
            Wake::Writeback => 5,
            Wake::QueueTick(queue) => of(6, u64::from(queue.0)),
            Wake::Election(queue, count) => of(7, u64::from(queue.0) ^ count << 16),
            Wake::Reach(node) => of(8, u64::from(node.0)),
            Wake::Poll => 9,
            Wake::Beat => 10,
            Wake::Due => 11,
            Wake::Retry(body) => of(12, body.fingerprint()),
            Wake::Done => 13,
            Wake::Patience(attempt) => of(14, u64::from(*attempt)),
            Wake::Again => 15,
            Wake::Ready(attempt) => of(25, u64::from(*attempt)),
            Wake::Step => 16,
            Wake::NetTick => 17,
            Wake::DownPing => 18,
            Wake::PeerLost(peer) => of(26, u64::from(peer.0)),
            Wake::Monitor => 19,
            Wake::HeartbeatCheck(client, serial) => of(20, u64::from(client.0) ^ serial << 16),
            Wake::ChannelTick(id) => of(21, id.serial),
            Wake::MetadataTimeout(id, seq) => of(22, id.serial ^ seq << 32),
            Wake::DeadLetters(queue) => of(23, u64::from(queue.0)),
            Wake::CloseConnection(client, serial, code, _) => {
                of(24, u64::from(client.0) ^ serial << 16 ^ u64::from(*code))
            }
        }
    }
}

/// The wake's time, for queues that want to be woken once at the earliest.
pub fn earlier(known: Option<Time>, asked: Time) -> bool {
    known.is_none_or(|known| asked < known)
}
