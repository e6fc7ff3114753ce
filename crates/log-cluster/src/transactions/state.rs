//! A transaction as its coordinator keeps it (K-X2).

use crate::error::Code;
use crate::layout::Slot;
use sim::{Nanos, Time};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Where a transaction is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum TransactionState {
    /// The producer has begun, and sent nothing.
    #[default]
    Empty,
    /// It has sent something.
    Ongoing,
    /// It will be committed, whatever happens (K-X5).
    PrepareCommit,
    /// It will be aborted, whatever happens.
    PrepareAbort,
    /// It was committed, and all partitions know.
    CompleteCommit,
    /// It was aborted, and all partitions know.
    CompleteAbort,
    /// The id has expired: a tombstone.
    Dead,
}

impl TransactionState {
    /// Kafka's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TransactionState::Empty => "Empty",
            TransactionState::Ongoing => "Ongoing",
            TransactionState::PrepareCommit => "PrepareCommit",
            TransactionState::PrepareAbort => "PrepareAbort",
            TransactionState::CompleteCommit => "CompleteCommit",
            TransactionState::CompleteAbort => "CompleteAbort",
            TransactionState::Dead => "Dead",
        }
    }

    /// Whether its end is decided and not everywhere known.
    #[must_use]
    pub fn is_prepared(self) -> bool {
        matches!(self, TransactionState::PrepareCommit | TransactionState::PrepareAbort)
    }
}

/// A transaction as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionRecord {
    /// Where it is.
    pub state: TransactionState,
    /// The producer's id.
    pub producer: u64,
    /// Its epoch.
    pub epoch: u16,
    /// The id before epochs began anew, so that the same request sent again is recognized.
    pub previous: Option<u64>,
    /// How long it may stay open.
    pub timeout: Nanos,
    /// The partitions that belong to it.
    pub partitions: BTreeSet<Slot>,
    /// When it was begun.
    pub started: Time,
    /// When it last changed.
    pub updated: Time,
}

/// Epochs go up to here; then the producer gets another id.
const LAST_EPOCH: u16 = 32_767;

impl TransactionRecord {
    /// The producer's id and epoch for what comes next. After the last epoch the id is another one, made of this one;
    /// Kafka asks the controller for it.
    pub(crate) fn identity(&self) -> (u64, u16) {
        if self.epoch >= LAST_EPOCH { (self.producer + (1 << 32), 0) } else { (self.producer, self.epoch) }
    }

    /// A producer that begins.
    pub(crate) fn new(producer: u64, timeout: Nanos) -> TransactionRecord {
        TransactionRecord {
            state: TransactionState::Empty,
            producer,
            epoch: 0,
            previous: None,
            timeout,
            partitions: BTreeSet::new(),
            started: Time::ZERO,
            updated: Time::ZERO,
        }
    }

    /// K-X3: the next producer of the same id; earlier ones are fenced by the epoch.
    pub(crate) fn taken_over(&self, timeout: Nanos) -> TransactionRecord {
        let (producer, epoch) = TransactionRecord { epoch: self.epoch + 1, ..self.clone() }.identity();
        TransactionRecord { epoch, ..TransactionRecord::new(producer, timeout) }
    }

    /// K-X4: with more partitions; the first ones begin it.
    pub(crate) fn with(&self, slots: &[Slot], now: Time) -> TransactionRecord {
        let mut next = self.clone();
        if next.state != TransactionState::Ongoing {
            next.state = TransactionState::Ongoing;
            next.partitions.clear();
            next.started = now;
        }
        next.partitions.extend(slots);
        next
    }

    /// K-X4, K-X5: its end is decided, under the next epoch.
    pub(crate) fn prepared(&self, commit: bool) -> TransactionRecord {
        let state = if commit { TransactionState::PrepareCommit } else { TransactionState::PrepareAbort };
        let partitions =
            if self.state == TransactionState::Ongoing { self.partitions.clone() } else { BTreeSet::new() };
        TransactionRecord { state, partitions, epoch: self.epoch + 1, ..self.clone() }
    }

    /// All partitions know.
    pub(crate) fn completed(&self) -> TransactionRecord {
        let commit = self.state == TransactionState::PrepareCommit;
        let state = if commit { TransactionState::CompleteCommit } else { TransactionState::CompleteAbort };
        let (producer, epoch) = self.identity();
        let previous = if producer == self.producer { self.previous } else { Some(self.producer) };
        TransactionRecord { state, partitions: BTreeSet::new(), producer, epoch, previous, ..self.clone() }
    }
}

/// What a coordinator has of one `transactional.id`.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    /// As it is written down, in all replicas in sync.
    pub record: TransactionRecord,
    /// As it will be once that is written down.
    pub pending: Option<Rc<TransactionRecord>>,
    /// Partitions that do not know the end yet, and whether their leader was asked.
    pub unmarked: Vec<(Slot, bool)>,
    /// Whether transactions like this one were told of already.
    pub told: bool,
}

/// What a coordinator does with a request to end a transaction.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Decide it.
    Prepare,
    /// It was done already: the same request came before.
    Done,
    Refuse(Code),
}

impl Transaction {
    pub fn new(record: TransactionRecord) -> Transaction {
        Transaction { record, pending: None, unmarked: Vec::new(), told: false }
    }

    /// K-X3: what keeps a producer from taking the id over now.
    pub fn is_busy(&self) -> bool {
        self.pending.is_some() || self.record.state.is_prepared()
    }

    /// K-X2: whether nothing has become of it for so long that it is given up.
    pub fn has_expired(&self, now: Time, after: Nanos) -> bool {
        let idle = !self.is_busy() && self.record.state != TransactionState::Ongoing;
        idle && now.since(self.record.updated) >= after
    }

    /// K-X4: whether partitions may be added.
    pub fn may_add(&self, producer: u64, epoch: u16) -> Result<(), Code> {
        let record = &self.record;
        if record.producer != producer {
            Err(Code::InvalidProducerIdMapping)
        } else if record.epoch != epoch {
            Err(Code::ProducerFenced)
        } else if self.is_busy() {
            Err(Code::ConcurrentTransactions)
        } else {
            Ok(())
        }
    }

    /// K-X5: what to do with a client's wish to end it.
    pub fn may_end(&self, producer: u64, epoch: u16, commit: bool) -> Ending {
        let record = &self.record;
        let again_before = record.previous == Some(producer) && epoch == LAST_EPOCH - 1 && record.epoch == 0;
        let again = again_before || epoch.checked_add(1) == Some(record.epoch);
        if record.producer != producer && !again_before {
            return Ending::Refuse(Code::InvalidProducerIdMapping);
        }
        // While the end is on its way only the same request is known: who has gone on already is fenced.
        let valid = match record.state {
            TransactionState::Empty | TransactionState::Ongoing => epoch == record.epoch,
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => again,
            TransactionState::CompleteCommit | TransactionState::CompleteAbort => again || epoch == record.epoch,
            TransactionState::Dead => false,
        };
        if !valid {
            return Ending::Refuse(Code::ProducerFenced);
        }
        if self.is_busy() {
            return Ending::Refuse(Code::ConcurrentTransactions);
        }
        match (record.state, again) {
            (TransactionState::Ongoing, false) => Ending::Prepare,
            (TransactionState::CompleteCommit, true) if commit => Ending::Done,
            (TransactionState::CompleteAbort, true) if !commit => Ending::Done,
            // Nothing was sent in it: there is nothing to commit, and to abort it only raises the epoch.
            (TransactionState::Empty | TransactionState::CompleteCommit | TransactionState::CompleteAbort, false)
                if !commit =>
            {
                Ending::Prepare
            }
            _ => Ending::Refuse(Code::InvalidTxnState),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k_x5_the_end_of_a_transaction_is_decided_once() {
        let refused = |code| Ending::Refuse(code);
        let empty = TransactionRecord::new(7, Nanos::secs(60));
        let ongoing = empty.with(&[3], Time::ZERO);
        let prepared = ongoing.prepared(true);
        let of = |record: &TransactionRecord| Transaction::new(record.clone());
        assert_eq!(of(&empty).may_end(7, 0, true), refused(Code::InvalidTxnState), "nothing was sent");
        assert_eq!(of(&empty).may_end(7, 0, false), Ending::Prepare);
        assert_eq!(of(&ongoing).may_end(7, 0, true), Ending::Prepare);
        assert_eq!(of(&ongoing).may_end(8, 0, true), refused(Code::InvalidProducerIdMapping));
        assert_eq!(of(&ongoing).may_end(7, 1, true), refused(Code::ProducerFenced));
        assert_eq!(prepared.identity(), (7, 1));
        assert_eq!(of(&prepared).may_end(7, 0, true), refused(Code::ConcurrentTransactions), "it came before");
        assert_eq!(of(&prepared).may_end(7, 1, false), refused(Code::ProducerFenced), "the next one ends too early");
        let complete = prepared.completed();
        assert_eq!(of(&complete).may_end(7, 0, true), Ending::Done);
        assert_eq!(of(&complete).may_end(7, 0, false), refused(Code::InvalidTxnState), "it was committed");
        assert_eq!(of(&complete).may_end(7, 1, false), Ending::Prepare);
    }

    #[test]
    fn k_x4_after_the_last_epoch_the_producer_has_another_id() {
        let last = TransactionRecord { epoch: LAST_EPOCH - 1, ..TransactionRecord::new(7, Nanos::secs(60)) };
        let prepared = last.with(&[3], Time::ZERO).prepared(true);
        assert_eq!((prepared.producer, prepared.epoch), (7, LAST_EPOCH), "its markers are the old one's");
        let (producer, epoch) = prepared.identity();
        assert!(producer != 7 && epoch == 0);
        let complete = Transaction::new(prepared.completed());
        assert_eq!((complete.record.producer, complete.record.epoch), (producer, 0));
        assert_eq!(complete.may_end(7, LAST_EPOCH - 1, true), Ending::Done, "sent again");
        assert_eq!(complete.may_add(producer, 0), Ok(()));
    }
}
