//! What both clusters tell of a run, in one vocabulary: the life of each message, and the marks on the time line.

use crate::{NodeId, Time};

/// The id of a rule in the catalogue, such as `K-A5` or `R-P3`.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rule(pub &'static str);

/// A message's identity from its producer to its last acknowledgement: who produced it, and as the how-many-th.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageId {
    /// The producer's place among the workload's producers.
    pub producer: u16,
    /// Counts from 0 for each producer.
    pub sequence: u32,
}

/// One step of a message's life.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Life {
    /// The application handed it to its client. `key` is the key's index in the workload.
    Produced {
        /// The key's index.
        key: u32,
    },
    /// A broker stored it (a log appended it, a queue enqueued it).
    Stored,
    /// The producing client learnt that the broker took responsibility for it.
    Acknowledged,
    /// The producing client learnt that it was refused, and will not try again.
    Refused,
    /// It reached a consuming client.
    Delivered {
        /// Which group of consumers or which queue it was for: the reader's index.
        reader: u8,
        /// The consumer's place among the workload's consumers.
        consumer: u16,
        /// Whether the broker said that it may have been delivered before.
        redelivered: bool,
    },
    /// The consuming application finished its work on it.
    Processed {
        /// The reader's index.
        reader: u8,
        /// The consumer's place among the workload's consumers.
        consumer: u16,
    },
    /// The reader's progress past it was recorded: committed, or acknowledged to the broker.
    Settled {
        /// The reader's index.
        reader: u8,
    },
    /// The broker moved it to a dead-letter target.
    DeadLettered,
    /// Its application aborted the transaction that it was sent in: it was taken back.
    Aborted,
    /// The broker dropped it by a rule: expired, over a length limit, over a delivery limit without a target.
    Dropped,
    /// A log deleted it, for its age or size or for a newer record of its key: who has not read it by now will not.
    Deleted,
}

/// What kind of thing a mark is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum MarkKind {
    /// An order that breaks or mends something.
    Fault,
    /// A leader was chosen or lost.
    Election,
    /// A client was told no.
    Refusal,
    /// Anything else that changes who does what: in-sync sets, group generations, connections.
    Change,
}

/// A mark on the time line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// When.
    pub at: Time,
    /// What kind.
    pub kind: MarkKind,
    /// Where: the node that it happened on.
    pub node: NodeId,
    /// A stable code such as `leader-elected`; the sentence for it is in the player's table of words.
    pub code: &'static str,
    /// Values for the sentence's places, in order.
    pub values: Vec<String>,
    /// The rule that made it.
    pub rule: Rule,
}

/// Why an order makes no sense now, and what to do instead: a sentence that can be said in any language.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Objection {
    /// The sentence in English; `{}` stands for a value.
    pub says: &'static str,
    /// The values for its places, in order.
    pub values: Vec<String>,
}

/// Makes an [`Objection`](crate::story::Objection) of a sentence and its values.
#[macro_export]
macro_rules! objection {
    ($says:literal $(, $value:expr)* $(,)?) => {
        $crate::story::Objection { says: $says, values: vec![$($value.to_string()),*] }
    };
}

/// What a process tells its observers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// A step in a message's life, by a rule.
    Life(MessageId, Life, Rule),
    /// A mark; boxed, since there are a thousand steps to each.
    Mark(Box<Mark>),
}

/// What flies over a link, as far as an onlooker can tell; 32 bits.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Look {
    /// What kind of thing it is.
    pub kind: FlightKind,
    /// A hue's index, from the key or the producer; 255 is neutral.
    pub hue: u8,
    /// How many messages it carries, at most 65,535.
    pub count: u16,
    /// How many times it was sent before, at most 255.
    pub attempt: u8,
}

impl Look {
    /// A look without messages of its own.
    #[must_use]
    pub const fn plain(kind: FlightKind) -> Look {
        Look { kind, hue: 255, count: 0, attempt: 0 }
    }

    /// A look for `count` messages of one hue.
    #[must_use]
    pub const fn of(kind: FlightKind, hue: u8, count: usize) -> Look {
        Look { kind, hue, count: if count > 65_535 { 65_535 } else { count as u16 }, attempt: 0 }
    }
}

/// The kinds of things that fly. Each has a shape of its own.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum FlightKind {
    /// Messages from a producer.
    Produce = 0,
    /// Messages to a consumer.
    Deliver = 1,
    /// Messages from leader to follower.
    Replicate = 2,
    /// An answer that takes responsibility, or an acknowledgement.
    Ack = 3,
    /// A refusal.
    Refuse = 4,
    /// A request for more: a fetch, credit.
    Fetch = 5,
    /// A sign of life.
    Heartbeat = 6,
    /// A vote or its request.
    Vote = 7,
    /// Metadata, group membership, topology.
    Control = 8,
    /// A commit of progress.
    Commit = 9,
}
