//! A broker as the coordinator of transactions: those whose partition of states it leads (K-X1 to K-X5).

use crate::broker::{Broker, Fx};
use crate::config::{Acks, millis};
use crate::error::Code;
use crate::layout::Slot;
use crate::log::{Batch, Payload};
use crate::rpc::{BrokerWake, Ticket, Wake};
use crate::transactions::call::Ask;
use crate::transactions::state::Ending;
use crate::transactions::{Transaction, TransactionRecord, TransactionResponse, TransactionState, TransactionWake};
use sim::Nanos;
use sim::story::{MarkKind, Rule};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What is answered once a change of state is in all replicas in sync.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Nobody,
    Identity(u16, Ticket),
    Added(u16, Ticket),
}

/// A change of state that waits for its replicas.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    slot: Slot,
    /// The high watermark that it waits for.
    required: u64,
    id: Rc<str>,
    next: Rc<TransactionRecord>,
    reply: Reply,
}

impl Broker {
    /// K-X1: whether this broker coordinates a `transactional.id` now.
    fn coordinates(&self, id: &str) -> Option<Slot> {
        let slot = self.layout.transaction_slot(id)?;
        self.replicas.get(&slot)?.leads()?;
        Some(slot)
    }

    pub(crate) fn refuse_identity(&mut self, to: u16, ticket: Ticket, code: Code, fx: &mut Fx<'_>) {
        self.answer_transaction(to, ticket, TransactionResponse::Identity(Err(code)), fx);
    }

    /// K-X3: a producer begins: it takes the id over, under a higher epoch. Its predecessor's transaction is aborted
    /// first, and until that is done the producer has to ask again.
    pub(crate) fn init_transactions(
        &mut self,
        from: u16,
        ticket: Ticket,
        id: &Rc<str>,
        timeout: Nanos,
        fx: &mut Fx<'_>,
    ) {
        let most = millis(self.layout.broker.transaction_max_timeout_ms);
        let refused = if timeout > most || timeout == Nanos::ZERO {
            Some(Code::InvalidTransactionTimeout)
        } else if self.coordinates(id).is_none() {
            Some(Code::NotCoordinator)
        } else if self.transactions.founds(id) {
            Some(Code::ConcurrentTransactions)
        } else {
            None
        };
        if let Some(code) = refused {
            return self.refuse_identity(from, ticket, code, fx);
        }
        let Some(known) = self.transactions.known.get(id) else {
            return self.ask_for_identity(Ask::ProducerId(id.clone(), from, ticket, timeout), fx);
        };
        if known.is_busy() {
            return self.refuse_identity(from, ticket, Code::ConcurrentTransactions, fx);
        }
        let next = known.record.taken_over(timeout);
        if known.record.state != TransactionState::Ongoing {
            return self.change_transaction(id, next, Reply::Identity(from, ticket), fx);
        }
        let values = vec![id.to_string(), self.layout.name(from)];
        fx.mark(MarkKind::Change, "transaction-taken-over", values, Rule("K-X3"));
        self.fence(id, fx);
        self.refuse_identity(from, ticket, Code::ConcurrentTransactions, fx);
    }

    pub(crate) fn found_identity(
        &mut self,
        id: &Rc<str>,
        (from, ticket): (u16, Ticket),
        producer: u64,
        timeout: Nanos,
        fx: &mut Fx<'_>,
    ) {
        if self.coordinates(id).is_none() || self.transactions.known.contains_key(id) {
            return self.refuse_identity(from, ticket, Code::NotCoordinator, fx);
        }
        let record = TransactionRecord::new(producer, timeout);
        self.transactions.known.insert(id.clone(), Transaction::new(record.clone()));
        self.change_transaction(id, record, Reply::Identity(from, ticket), fx);
    }

    /// K-X4: a leader got batches of a producer: their partitions belong to the transaction, which so begins.
    pub(crate) fn add_partitions(
        &mut self,
        (from, ticket): (u16, Ticket),
        id: &Rc<str>,
        (producer, epoch): (u64, u16),
        slots: &[Slot],
        fx: &mut Fx<'_>,
    ) {
        let allowed = match self.transactions.known.get(id) {
            _ if self.coordinates(id).is_none() => Err(Code::NotCoordinator),
            None => Err(Code::InvalidProducerIdMapping),
            Some(known) => known.may_add(producer, epoch).map(|()| known),
        };
        match allowed {
            Err(code) => self.answer_transaction(from, ticket, TransactionResponse::Added(Err(code)), fx),
            Ok(known) => {
                let record = &known.record;
                let belongs = record.state == TransactionState::Ongoing
                    && slots.iter().all(|slot| record.partitions.contains(slot));
                if belongs {
                    return self.answer_transaction(from, ticket, TransactionResponse::Added(Ok(())), fx);
                }
                let next = record.with(slots, fx.now());
                self.change_transaction(id, next, Reply::Added(from, ticket), fx);
            }
        }
    }

    /// K-X5: a producer ends its transaction. The answer is given as soon as the end is decided.
    pub(crate) fn end_transaction(
        &mut self,
        (from, ticket): (u16, Ticket),
        id: &Rc<str>,
        (producer, epoch): (u64, u16),
        commit: bool,
        fx: &mut Fx<'_>,
    ) {
        let ending = match self.transactions.known.get(id) {
            _ if self.coordinates(id).is_none() => Ending::Refuse(Code::NotCoordinator),
            None => Ending::Refuse(Code::InvalidProducerIdMapping),
            Some(known) => known.may_end(producer, epoch, commit),
        };
        match ending {
            Ending::Refuse(code) => self.refuse_identity(from, ticket, code, fx),
            Ending::Done => {
                let identity = self.transactions.known.get(id).map(|known| known.record.identity());
                let answer = TransactionResponse::Identity(identity.ok_or(Code::NotCoordinator));
                self.answer_transaction(from, ticket, answer, fx);
            }
            Ending::Prepare => {
                let next = self.transactions.known.get(id).map(|known| known.record.prepared(commit));
                if let Some(next) = next {
                    self.change_transaction(id, next, Reply::Identity(from, ticket), fx);
                }
            }
        }
    }

    /// K-X3: raises the epoch, so that whoever has the transaction open is fenced, and aborts it.
    fn fence(&mut self, id: &Rc<str>, fx: &mut Fx<'_>) {
        let Some(known) = self.transactions.known.get_mut(id) else { return };
        known.told = false;
        let fenced = TransactionRecord { epoch: known.record.epoch + 1, ..known.record.clone() };
        let next = fenced.prepared(false);
        self.change_transaction(id, next, Reply::Nobody, fx);
    }

    /// K-X2: writes the next state down, with acks=all.
    pub(crate) fn change_transaction(&mut self, id: &Rc<str>, next: TransactionRecord, reply: Reply, fx: &mut Fx<'_>) {
        let next = Rc::new(TransactionRecord { updated: fx.now(), ..next });
        let payload = Payload::Transaction(id.clone(), next.clone());
        let bytes = 120 + 20 * next.partitions.len() as u32;
        let batch = Rc::new(Batch { payload, bytes, stamp: None, created: fx.now() });
        let Some(slot) = self.layout.transaction_slot(id) else { return };
        match self.append(slot, &batch, Acks::All, fx) {
            Err(Code::NotLeaderOrFollower) => self.reply(reply, Err(Code::NotCoordinator), fx),
            Err(_) => self.reply(reply, Err(Code::CoordinatorNotAvailable), fx),
            Ok((base, _)) => {
                if let Some(known) = self.transactions.known.get_mut(id) {
                    known.pending = Some(next.clone());
                }
                self.transactions.writes.push(Write { slot, required: base + 1, id: id.clone(), next, reply });
                self.settle_partition(slot, fx);
                self.transactions_written(slot, fx);
            }
        }
    }

    fn reply(&mut self, reply: Reply, result: Result<(u64, u16), Code>, fx: &mut Fx<'_>) {
        let (to, ticket, answer) = match reply {
            Reply::Nobody => return,
            Reply::Identity(to, ticket) => (to, ticket, TransactionResponse::Identity(result)),
            Reply::Added(to, ticket) => (to, ticket, TransactionResponse::Added(result.map(|_| ()))),
        };
        self.answer_transaction(to, ticket, answer, fx);
    }

    /// Looks whether changes of state have reached their replicas.
    pub(crate) fn transactions_written(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        let mark = self.replicas.get(&slot).map_or(0, |replica| replica.high_watermark);
        let done = |write: &mut Write| write.slot == slot && write.required <= mark;
        let finished: Vec<Write> = self.transactions.writes.extract_if(.., done).collect();
        for write in finished {
            let Some(known) = self.transactions.known.get_mut(&write.id) else { continue };
            let before = std::mem::replace(&mut known.record, TransactionRecord::clone(&write.next)).state;
            known.pending = None;
            self.reply(write.reply, Ok(write.next.identity()), fx);
            self.entered(&write.id, before, fx);
        }
    }

    /// A transaction has entered a state: what follows from it.
    fn entered(&mut self, id: &Rc<str>, before: TransactionState, fx: &mut Fx<'_>) {
        let Some(known) = self.transactions.known.get_mut(id) else { return };
        let state = known.record.state;
        let (told, epoch) = (known.told, known.record.epoch.to_string());
        let name = self.layout.name(self.me);
        let end = |commit| if commit { "commit" } else { "abort" };
        let (code, values, rule) = match state {
            TransactionState::Ongoing if before != state => ("transaction-begun", vec![id.to_string(), name], "K-X4"),
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                known.unmarked = known.record.partitions.iter().map(|slot| (*slot, false)).collect();
                let word = end(state == TransactionState::PrepareCommit).to_owned();
                ("transaction-prepared", vec![id.to_string(), name, word], "K-X5")
            }
            TransactionState::CompleteCommit => ("transaction-committed", vec![id.to_string(), epoch], "K-X5"),
            TransactionState::CompleteAbort => ("transaction-aborted", vec![id.to_string(), epoch], "K-X5"),
            TransactionState::Dead => {
                fx.mark(MarkKind::Change, "transactional-id-expired", vec![id.to_string(), name], Rule("K-X2"));
                self.transactions.known.remove(id);
                return;
            }
            TransactionState::Empty | TransactionState::Ongoing => return,
        };
        // Of a run of transactions that commit only the first one is told; one that aborts always is.
        let aborts = matches!(state, TransactionState::PrepareAbort | TransactionState::CompleteAbort);
        if aborts || !told {
            fx.mark(MarkKind::Change, code, values, Rule(rule));
        }
        known.told = match state {
            TransactionState::CompleteCommit => true,
            TransactionState::CompleteAbort => false,
            _ => told,
        };
        if state.is_prepared() {
            self.go_on_completing(id, fx);
        }
    }

    /// K-X6: aborts what has been open for longer than its producer allowed.
    pub(crate) fn scan_transactions(&mut self, fx: &mut Fx<'_>) {
        self.arm_scan(fx);
        let now = fx.now();
        let late = |(_, known): &(&Rc<str>, &Transaction)| {
            let record = &known.record;
            known.pending.is_none()
                && record.state == TransactionState::Ongoing
                && now.since(record.started) > record.timeout
        };
        let late: Vec<(Rc<str>, Nanos)> =
            self.transactions.known.iter().filter(late).map(|(id, known)| (id.clone(), known.record.timeout)).collect();
        for (id, timeout) in late {
            let values = vec![id.to_string(), timeout.to_string()];
            fx.mark(MarkKind::Change, "transaction-timed-out", values, Rule("K-X6"));
            self.fence(&id, fx);
        }
    }

    /// K-X2: ids without a transaction expire, every `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub(crate) fn expire_transactions(&mut self, fx: &mut Fx<'_>) {
        self.arm_expiry(fx);
        let (now, after) = (fx.now(), millis(self.layout.broker.transactional_id_expiration_ms));
        let all = self.transactions.known.iter().filter(|(_, known)| known.has_expired(now, after));
        let dead = |record: &TransactionRecord| TransactionRecord { state: TransactionState::Dead, ..record.clone() };
        let expired: Vec<_> = all.map(|(id, known)| (id.clone(), dead(&known.record))).collect();
        for (id, dead) in expired {
            self.change_transaction(&id, dead, Reply::Nobody, fx);
        }
    }

    pub(crate) fn arm_expiry(&mut self, fx: &mut Fx<'_>) {
        if !self.layout.transactional_ids.is_empty() {
            let wait = self.layout.broker.transaction_remove_expired_transaction_cleanup_interval_ms;
            fx.wake_in(millis(wait), Wake::Broker(BrokerWake::Transaction(TransactionWake::Expire)));
        }
    }

    pub(crate) fn arm_scan(&mut self, fx: &mut Fx<'_>) {
        if !self.layout.transactional_ids.is_empty() {
            let wait = self.layout.broker.transaction_abort_timed_out_transaction_cleanup_interval_ms;
            fx.wake_in(millis(wait), Wake::Broker(BrokerWake::Transaction(TransactionWake::Scan)));
        }
    }

    /// K-X2: a new coordinator reads what was written down, and goes on with what was decided.
    pub(crate) fn load_transactions(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        let Some(replica) = self.replicas.get(&slot) else { return };
        let mut loaded: BTreeMap<Rc<str>, Rc<TransactionRecord>> = BTreeMap::new();
        for entry in replica.log.read(replica.log.start()) {
            if let Payload::Transaction(id, record) = &entry.batch.payload {
                loaded.insert(id.clone(), record.clone());
            }
        }
        for (id, record) in loaded.into_iter().filter(|(_, record)| record.state != TransactionState::Dead) {
            let values = vec![id.to_string(), self.layout.name(self.me)];
            fx.mark(MarkKind::Change, "transactions-loaded", values, Rule("K-X1"));
            let state = record.state;
            self.transactions.known.insert(id.clone(), Transaction::new(TransactionRecord::clone(&record)));
            if state.is_prepared() {
                self.entered(&id, state, fx);
            }
        }
    }

    /// Another broker is the coordinator now: who waits is told.
    pub(crate) fn unload_transactions(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        let layout = self.layout.clone();
        self.transactions.known.retain(|id, _| layout.transaction_slot(id) != Some(slot));
        let lost: Vec<Write> = self.transactions.writes.extract_if(.., |write| write.slot == slot).collect();
        for write in lost {
            self.reply(write.reply, Err(Code::NotCoordinator), fx);
        }
    }

    /// A transaction, for those who look on.
    pub(crate) fn transaction(&self, id: &str) -> Option<&Transaction> {
        self.coordinates(id)?;
        self.transactions.known.get(id)
    }
}
