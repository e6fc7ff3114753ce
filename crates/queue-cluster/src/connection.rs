//! What a server keeps of a client's connection and its channels.

use crate::desk::{ChannelId, ConsumeRequest, QueueId};
use crate::few::Few;
use crate::frame::Method;
use crate::message::Body;
use crate::tagged::Tagged;
use crate::view::QueueKind;
use sim::Time;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// A consumer, as its channel knows it.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub queue: QueueId,
    /// What was asked for, to ask it again when the queue moves (R-M8).
    pub request: Rc<ConsumeRequest>,
    /// The last message of a replicated queue that came for it: what comes again is ignored.
    pub last: u64,
}

/// The queue of a delivery whose queue is gone, or has moved: what is said of it goes nowhere.
pub const NO_QUEUE: QueueId = QueueId(u32::MAX - 2);

/// A message that the client has and has not acknowledged.
#[derive(Clone, Debug)]
pub struct Unacked {
    /// The delivery tag.
    pub number: u64,
    pub queue: QueueId,
    pub id: u64,
    /// The consumer's tag; `None` for basic.get.
    pub tag: Option<Rc<str>>,
    pub since: Time,
}

/// What a client says of a delivery.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Ack,
    Requeue,
    Reject,
}

/// What waits for the commit of a transaction (R-C6).
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    pub publishes: Vec<(bool, Body)>,
    pub said: Vec<(Said, Vec<Unacked>)>,
}

/// A message that the client wants confirmed: the queues that have not answered.
#[derive(Clone, Debug)]
pub struct Unconfirmed {
    pub waiting: Few<QueueId>,
    pub refused: bool,
    /// The message, if a queue that it went to may move (R-M8).
    pub body: Option<Body>,
}

/// A channel.
#[derive(Clone, Debug)]
pub struct Channel {
    pub id: ChannelId,
    pub confirms: bool,
    /// Publishes and acknowledgements wait for a commit (R-C6).
    pub tx: Option<Transaction>,
    pub published: u64,
    pub unconfirmed: Tagged<Unconfirmed>,
    /// Confirmed and refused since they were last sent.
    pub done: Vec<(u64, bool)>,
    /// R-P1: the limit for consumers that start from now on.
    pub prefetch: u32,
    pub limited: bool,
    pub subscriptions: BTreeMap<Rc<str>, Subscription>,
    /// The consumer of amq.rabbitmq.reply-to (R-M5).
    pub reply_consumer: Option<Rc<str>>,
    pub unacked: Tagged<Unacked>,
    pub next_tag: u64,
    /// The queues that it got messages from, as it first knew them (R-K8).
    pub got_from: Vec<(Rc<str>, QueueKind, QueueId)>,
    /// Commands to replicated queues that are not applied yet.
    pub commands: u32,
    /// What it may send each classic queue before it hears from it (R-M3). A queue that is not here has not had any.
    pub credits: Vec<(QueueId, u32)>,
    /// It has sent to a node that has just gone, and waits until that is known (R-Q3).
    pub stuck: bool,
    /// The change of the metadata that the channel waits for (R-N3), and what came meanwhile.
    pub waits: Option<u64>,
    pub later: VecDeque<Method>,
    /// Closed for a reason; the client has not confirmed it yet.
    pub closing: bool,
}

impl Channel {
    pub fn new(id: ChannelId) -> Channel {
        Channel {
            id,
            confirms: false,
            tx: None,
            published: 0,
            unconfirmed: Tagged::default(),
            done: Vec::new(),
            prefetch: 0,
            limited: false,
            subscriptions: BTreeMap::new(),
            reply_consumer: None,
            unacked: Tagged::default(),
            next_tag: 0,
            got_from: Vec::new(),
            commands: 0,
            credits: Vec::new(),
            stuck: false,
            waits: None,
            later: VecDeque::new(),
            closing: false,
        }
    }

    /// A queue is gone. The channel hears of that if it consumed from it, or from a quorum queue if it holds something
    /// of it, and then forgets of what type it was (R-K8).
    pub fn forget_type(&mut self, gone: QueueId) {
        let consumes = self.subscriptions.values().any(|subscription| subscription.queue == gone);
        let unacked = &self.unacked;
        self.got_from.retain(|(_, kind, queue)| {
            let holds = *kind == QueueKind::Quorum && unacked.values().any(|unacked| unacked.queue == gone);
            *queue != gone || !(consumes || holds)
        });
    }

    pub fn give_tag(&mut self) -> u64 {
        self.next_tag += 1;
        self.next_tag
    }

    /// Takes the acknowledged messages out, oldest first; `None` if there is no such delivery (R-K1).
    pub fn collect(&mut self, tag: u64, multiple: bool) -> Option<Vec<Unacked>> {
        if multiple && tag == 0 {
            return Some(std::mem::take(&mut self.unacked).into_values().collect());
        }
        self.unacked.get(&tag)?;
        if !multiple {
            return self.unacked.remove(&tag).map(|unacked| vec![unacked]);
        }
        Some(self.unacked.take_upto(tag))
    }
}

/// A connection.
#[derive(Clone, Debug)]
pub struct Connection {
    pub channels: BTreeMap<u16, Channel>,
    /// Frames that the node has not read: the connection is in flow.
    pub unread: VecDeque<(u16, Method)>,
    pub in_flow: bool,
    /// An alarm holds it up: it has published while there was one (R-M4).
    pub blocked: bool,
    pub heard: Time,
    /// It is about to be closed for a reason.
    pub closing: bool,
    /// Tells this connection from earlier ones of the same client.
    pub serial: u64,
    /// What the last check of the heartbeats found, and how often it found nothing new (R-M6).
    pub checked: Time,
    pub unchanged: u8,
}

impl Connection {
    pub fn new(now: Time, serial: u64) -> Connection {
        Connection {
            channels: BTreeMap::new(),
            unread: VecDeque::new(),
            in_flow: false,
            blocked: false,
            heard: now,
            closing: false,
            serial,
            checked: now,
            unchanged: 0,
        }
    }
}
