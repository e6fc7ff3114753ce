//! What channels ask of queues, what queues answer, and what else a queue wants done by its node.

use crate::arguments::QueueArguments;
use crate::config::Rules;
use crate::message::{Body, Reason};
use crate::metadata::Change;
use crate::mirror::MirrorOp;
use crate::value::Table;
use sim::story::{Life, MarkKind, Rule};
use sim::{NodeId, Time};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// A queue, by its place in the topology.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueId(pub u32);

/// A channel, in the whole cluster.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId {
    /// The node that the client is connected to.
    pub node: NodeId,
    /// Its boot in the upper half, a count of channels in the lower: no two channels of a node are equal.
    pub serial: u64,
    pub client: NodeId,
    pub number: u16,
}

impl ChannelId {
    pub fn boot(&self) -> u32 {
        (self.serial >> 32) as u32
    }
}

/// A consumer: its channel and its tag.
pub type ConsumerId = (ChannelId, Rc<str>);

/// What basic.consume asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumeRequest {
    pub tag: Rc<str>,
    /// R-P1: 0 is unlimited.
    pub prefetch: u32,
    pub no_ack: bool,
    pub exclusive: bool,
    pub priority: i32,
    /// Whether the channel has a limit shared by its consumers.
    pub limited: bool,
    pub arguments: Table,
}

/// What a channel asks of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Take this message; the channel's number for it if it wants a confirm.
    Publish {
        /// The channel that published it; none if the broker itself did. It gets credit (R-M3).
        from: Option<ChannelId>,
        confirm: Option<(ChannelId, u64)>,
        body: Body,
    },
    Consume {
        channel: ChannelId,
        request: Rc<ConsumeRequest>,
    },
    Cancel {
        channel: ChannelId,
        tag: Rc<str>,
    },
    Ack {
        channel: ChannelId,
        ids: Vec<u64>,
    },
    Requeue {
        channel: ChannelId,
        ids: Vec<u64>,
    },
    Reject {
        channel: ChannelId,
        ids: Vec<u64>,
    },
    Get {
        channel: ChannelId,
        no_ack: bool,
    },
    /// The channel is gone.
    Down {
        channel: ChannelId,
    },
    /// The channel's shared limit has room again.
    Resume {
        channel: ChannelId,
    },
    /// Whether the channel's shared limit, on another node, has room for one message.
    Granted {
        channel: ChannelId,
        granted: bool,
    },
    /// The channel has a shared limit from now on.
    Limit {
        channel: ChannelId,
    },
    Purge {
        channel: ChannelId,
    },
    /// Delete yourself, unless somebody consumes from you or you hold something, as far as that is asked.
    Delete {
        channel: ChannelId,
        if_unused: bool,
        if_empty: bool,
    },
    /// A declaration of the queue that exists: passive ones want the counts.
    Stat {
        channel: ChannelId,
        passive: bool,
    },
    /// Time may have come for something.
    Tick,
    /// A node is no longer seen, or seen again in this boot (R-U4).
    NodeDown {
        node: NodeId,
    },
    NodeUp {
        node: NodeId,
        boot: u32,
    },
    /// A change of the metadata (R-N3).
    Change(Rc<Change>),
    /// The queue's arguments, with what its policy gives it now (R-M9).
    Configure(Rc<QueueArguments>),
    /// Dead letters that their targets have taken, by their numbers (R-U8).
    Carried {
        letters: Vec<u64>,
    },
}

/// A message on its way to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    pub id: u64,
    pub body: Body,
    pub redelivered: bool,
    pub delivery_count: Option<u32>,
    pub stream_offset: Option<u64>,
    /// Whether it has to be acknowledged.
    pub needs_ack: bool,
}

/// What a queue answers a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Deliver {
        tag: Rc<str>,
        handed: Handed,
    },
    Got {
        handed: Option<Handed>,
        remaining: u64,
    },
    Confirmed(u64),
    Refused(u64),
    /// The channel may send the queue so many messages more (R-M3).
    Credit(u32),
    /// The queue asks the channel's shared limit for room for one message; it is [`Ask::Granted`] or not.
    MaySend,
    /// What was granted is not used.
    Unsent,
    ConsumeOk {
        tag: Rc<str>,
    },
    CancelOk {
        tag: Rc<str>,
    },
    /// The request is against a rule: the AMQP reply code.
    Failed {
        tag: Option<Rc<str>>,
        code: u16,
    },
    /// The broker cancelled the consumer.
    Cancelled {
        tag: Rc<str>,
    },
    Stat {
        passive: bool,
        messages: u64,
        consumers: u32,
    },
}

/// What a queue wants done.
#[derive(Clone, Debug)]
pub enum Out {
    Answer(ChannelId, Answer),
    /// Confirm once all that is written now is on the disk.
    ConfirmFlushed(ChannelId, u64),
    /// What mirrors have to do to stay in step (R-M8).
    Mirror(MirrorOp),
    /// Confirm once the mirrors have it, and, if so said, the disk after them.
    ConfirmMirrored(ChannelId, u64, bool),
    /// There are dead letters to carry on (R-U8).
    DeadLetters,
    /// The queue's group has agreed on its members (R-U1).
    Members(Rc<[u16]>),
    /// So many bytes go to the disk.
    Wrote(u32),
    /// Publish it to the dead-letter exchange.
    Dead(Body, Reason),
    Life(Body, Life, Rule),
    Mark(MarkKind, &'static str, Vec<String>, Rule),
    /// Tick at this time.
    WakeAt(Time),
    /// The queue deletes itself.
    DeleteMe,
}

/// A limit shared by the consumers of a channel (basic.qos with global=true, R-P1).
#[derive(Clone, Debug, Default)]
pub struct Limiter {
    pub limit: u32,
    pub volume: u32,
    /// Queues that were refused, with when each was last served.
    pub waiting: BTreeMap<QueueId, u64>,
    pub served: BTreeMap<QueueId, u64>,
    pub count: u64,
    /// Queues that may go on now, each when the one before has; and whether one is about to.
    pub turns: VecDeque<QueueId>,
    pub resuming: bool,
}

impl Limiter {
    pub fn is_full(&self) -> bool {
        self.limit > 0 && self.volume >= self.limit
    }

    /// Whether `queue` may send one more that has to be acknowledged or not.
    pub fn can_send(&mut self, queue: QueueId, needs_ack: bool) -> bool {
        if self.is_full() {
            let served = self.served.get(&queue).copied().unwrap_or(0);
            self.waiting.insert(queue, served);
            return false;
        }
        self.count += 1;
        self.served.insert(queue, self.count);
        self.volume += u32::from(needs_ack);
        true
    }

    /// Takes acknowledged messages off; answers the queues to resume. The broker draws their order by lot, here the
    /// one that was served longest ago comes first.
    pub fn acknowledged(&mut self, count: u32) -> Vec<QueueId> {
        let was_full = self.is_full();
        self.volume = self.volume.saturating_sub(count);
        if was_full && !self.is_full() { self.release() } else { Vec::new() }
    }

    /// All queues that wait, the one served longest ago first.
    pub fn release(&mut self) -> Vec<QueueId> {
        let mut queues: Vec<(u64, QueueId)> = self.waiting.iter().map(|(queue, served)| (*served, *queue)).collect();
        queues.sort_unstable();
        self.waiting.clear();
        queues.into_iter().map(|(_, queue)| queue).collect()
    }
}

/// What a queue's process has at hand while it answers.
pub struct Desk<'a> {
    pub now: Time,
    pub rules: Rules,
    pub queue: QueueId,
    pub name: &'a Rc<str>,
    /// Whether the queue has mirrors to keep in step (R-M8).
    pub mirrored: bool,
    pub reader: Option<u8>,
    /// Counts writes to the node's message store.
    pub written: &'a mut u64,
    /// The shared limits of channels on the queue's own node.
    pub limiters: &'a mut BTreeMap<ChannelId, Limiter>,
    pub out: &'a mut Vec<Out>,
}

impl Desk<'_> {
    pub fn answer(&mut self, channel: ChannelId, answer: Answer) {
        self.out.push(Out::Answer(channel, answer));
    }

    pub fn life(&mut self, body: &Body, life: Life, rule: &'static str) {
        if body.id.is_some() {
            self.out.push(Out::Life(body.clone(), life, Rule(rule)));
        }
    }

    pub fn settled(&mut self, body: &Body) {
        if let Some(reader) = self.reader {
            self.life(body, Life::Settled { reader }, "R-K1");
        }
    }

    pub fn mark(&mut self, kind: MarkKind, code: &'static str, values: Vec<String>, rule: &'static str) {
        self.out.push(Out::Mark(kind, code, values, Rule(rule)));
    }
}
