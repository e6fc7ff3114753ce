//! What share groups are talked about with.

use crate::error::Code;
use crate::layout::Slot;
use crate::log::Entry;
use crate::share::{Acquired, ShareState};
use sim::Nanos;
use std::rc::Rc;

/// What an application says of a record (K-H2).
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ack {
    /// Done.
    Accept,
    /// Not done: someone else may try.
    Release,
    /// It can never be done.
    Reject,
    /// Not done yet: the lock begins anew.
    Renew,
}

/// Acknowledgements for a partition: first and last offset, and what is said of them.
pub(crate) type Acks = Vec<(u64, u64, Ack)>;

/// A member's request to a leader of partitions: for records, with what it has to say of earlier ones.
#[derive(Clone, Debug)]
pub struct ShareFetch {
    /// The member's id.
    pub member: Rc<str>,
    /// Counts the requests of a session: 0 begins it, -1 ends it.
    pub epoch: i32,
    /// How long to wait for records.
    pub max_wait: Nanos,
    /// Bytes in the answer.
    pub max_bytes: u64,
    /// How many records it wants.
    pub max_records: u32,
    /// Whether that is a strict limit.
    pub strict: bool,
    /// The partitions that it wants records of; none if it has only something to say.
    pub parts: Vec<Slot>,
    /// What it says of records that it was given.
    pub acks: Vec<(Slot, Acks)>,
}

/// What there was for a member in a partition.
#[derive(Clone, Debug)]
pub struct ShareFetched {
    /// The partition.
    pub slot: Slot,
    /// What went wrong, if anything.
    pub error: Option<Code>,
    /// Batches; not all of their records need be the member's.
    pub entries: Vec<Entry>,
    /// The records that are the member's now.
    pub acquired: Vec<Acquired>,
}

/// What is asked about a share group.
#[derive(Clone, Debug)]
pub enum ShareRequest {
    /// Of a partition's leader, by a member (ShareFetch and ShareAcknowledge).
    Fetch(Box<ShareFetch>),
    /// Of a share coordinator, by a partition's leader in its epoch: what is written down (K-H4).
    Read(Slot, i32),
    /// Of a share coordinator: to write this down.
    Write(Slot, Rc<ShareState>),
}

/// What is answered about a share group.
#[derive(Clone, Debug)]
pub enum ShareResponse {
    /// To a member.
    Fetched {
        /// Whether the session goes on; nothing else counts if it does not.
        session: Result<(), Code>,
        /// What became of what it said, for each partition.
        acks: Vec<(Slot, Result<(), Code>)>,
        /// What it is given.
        parts: Vec<ShareFetched>,
    },
    /// To a leader: what is written down, if anything is.
    State(Result<Option<Rc<ShareState>>, Code>),
}

/// Timers of what a broker does about share groups.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ShareWake {
    /// A member's request has waited long enough.
    Expires(u32),
    /// Locks of a partition may be over.
    Locks(u32),
    /// Turn to the share coordinator again.
    Again(u32),
    /// A write of the share coordinator has waited long enough.
    WriteExpires(u32),
}

/// What someone has a share consumer do whose application does nothing by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShareOrder {
    /// Poll until something has come.
    Poll,
    /// Say this of records in its hands, by partition and offset, and wait for the answer.
    Acknowledge(Vec<(u32, u64, Ack)>),
}
