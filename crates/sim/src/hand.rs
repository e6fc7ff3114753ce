//! What a consuming application is told to do by hand, one step after the other.

/// What an application says of a record of a share group (logs).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Accept,
    /// Somebody else shall try.
    Release,
    /// Nobody shall.
    Reject,
}

/// One step by hand.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Hand {
    /// From now on the application settles nothing by itself, and polls only when it is told to.
    Take,
    /// It goes on by itself.
    LetGo,
    /// basic.get: one message (queues).
    Get,
    /// basic.ack (queues).
    Ack {
        /// The delivery tag; `None`: the oldest that is not settled, or with `multiple` all.
        tag: Option<u64>,
        /// All up to it.
        multiple: bool,
    },
    /// basic.nack or basic.reject (queues).
    Nack {
        /// The delivery tag; `None`: the oldest that is not settled, or with `multiple` all.
        tag: Option<u64>,
        /// All up to it; basic.reject knows no such thing.
        multiple: bool,
        /// Back into the queue, not out of it.
        requeue: bool,
    },
    /// One `poll()` (logs).
    Poll {
        /// At most so many records; `None`: `max.poll.records`.
        most: Option<u16>,
    },
    /// `commitSync()` of the position (logs).
    Commit,
    /// `acknowledge()` of one record and `commitSync()` (share groups of logs).
    Say {
        /// Partition and offset; `None`: the oldest record in hand.
        record: Option<(u32, u64)>,
        /// What.
        outcome: Outcome,
    },
}

impl Hand {
    pub(crate) fn fingerprint(self) -> u64 {
        let tag = |tag: Option<u64>| tag.map_or(0, |tag| tag + 1) << 8;
        match self {
            Hand::Take => 1,
            Hand::LetGo => 2,
            Hand::Get => 3,
            Hand::Ack { tag: number, multiple } => 4 ^ u64::from(multiple) << 4 ^ tag(number),
            Hand::Nack { tag: number, multiple, requeue } => {
                5 ^ u64::from(multiple) << 4 ^ u64::from(requeue) << 5 ^ tag(number)
            }
            Hand::Poll { most } => 6 ^ tag(most.map(u64::from)),
            Hand::Commit => 7,
            Hand::Say { record, outcome } => {
                let (partition, offset) = record.unwrap_or_default();
                8 ^ (outcome as u64) << 4 ^ tag(record.map(|_| offset)) ^ u64::from(partition) << 40
            }
        }
    }
}
