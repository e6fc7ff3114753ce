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
    /// The epoch before a client ended its transaction, so that the same request sent again is recognized.
    pub last_epoch: Option<u16>,
    /// How long it may stay open.
    pub timeout: Nanos,
    /// The partitions that belong to it.
    pub partitions: BTreeSet<Slot>,
    /// When it was begun.
    pub started: Time,
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
            last_epoch: None,
            timeout,
            partitions: BTreeSet::new(),
            started: Time::ZERO,
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
            next.last_epoch = None;
        }
        next.partitions.extend(slots);
        next
    }

    /// K-X4, K-X5: its end is decided, under the next epoch.
    pub(crate) fn prepared(&self, commit: bool) -> TransactionRecord {
        let state = if commit { TransactionState::PrepareCommit } else { TransactionState::PrepareAbort };
        let partitions =
            if self.state == TransactionState::Ongoing { self.partitions.clone() } else { BTreeSet::new() };
        TransactionRecord { state, partitions, last_epoch: Some(self.epoch), epoch: self.epoch + 1, ..self.clone() }
    }

    /// All partitions know.
    pub(crate) fn completed(&self) -> TransactionRecord {
        let commit = self.state == TransactionState::PrepareCommit;
        let state = if commit { TransactionState::CompleteCommit } else { TransactionState::CompleteAbort };
        let (producer, epoch) = self.identity();
        TransactionRecord { state, partitions: BTreeSet::new(), producer, epoch, ..self.clone() }
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
        let again = record.last_epoch == Some(epoch);
        if record.producer != producer {
            return Ending::Refuse(Code::InvalidProducerIdMapping);
        }
        if record.epoch != epoch && !again {
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
