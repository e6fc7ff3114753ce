//! A leader asks the coordinator whether a producer's batches belong to a transaction: so they are added to it (K-X4).

use crate::broker::{Broker, Fx};
use crate::config::millis;
use crate::error::Code;
use crate::layout::Slot;
use crate::rpc::{BrokerWake, Produce, Ticket, Wake};
use crate::transactions::call::Ask;
use crate::transactions::{TransactionRequest, TransactionWake};
use sim::{Alarm, Time};
use std::rc::Rc;

/// A request that waits for the coordinator's word.
#[derive(Clone, Debug)]
pub(crate) struct Verifying {
    pub ticket: Ticket,
    produce: Rc<Produce>,
    slots: Rc<[Slot]>,
    since: Time,
    again: Option<Alarm>,
}

impl Verifying {
    pub fn forget(self, fx: &mut Fx<'_>) {
        if let Some(alarm) = self.again {
            fx.cancel(alarm);
        }
    }
}

impl Broker {
    /// K-X4: those partitions of a request whose log knows of no open transaction of its producer.
    pub(crate) fn unverified(&self, produce: &Produce) -> Vec<Slot> {
        if produce.transaction.is_none() {
            return Vec::new();
        }
        let waits = |(slot, batch): &&(Slot, Rc<crate::log::Batch>)| {
            let log = self.replicas.get(slot).filter(|replica| replica.leads().is_some()).map(|replica| &replica.log);
            let stamp = batch.stamp.filter(|stamp| stamp.transactional);
            stamp.is_some_and(|stamp| {
                log.is_some_and(|log| !log.transactions.is_open_under(stamp.producer, stamp.epoch))
            })
        };
        produce.batches.iter().filter(waits).map(|(slot, _)| *slot).collect()
    }

    pub(crate) fn verify(
        &mut self,
        from: u16,
        ticket: Ticket,
        produce: Rc<Produce>,
        slots: Vec<Slot>,
        fx: &mut Fx<'_>,
    ) {
        let verifying = Verifying { ticket, produce, slots: slots.into(), since: fx.now(), again: None };
        self.transactions.verifying.insert(from, verifying);
        self.verify_again(from, fx);
    }

    pub(crate) fn verify_again(&mut self, from: u16, fx: &mut Fx<'_>) {
        let Some(verifying) = self.transactions.verifying.get_mut(&from) else { return };
        verifying.again = None;
        let (ticket, slots) = (verifying.ticket, verifying.slots.clone());
        let id = verifying.produce.transaction.clone();
        let stamp = verifying.produce.batches.iter().find_map(|(_, batch)| batch.stamp);
        let coordinator = id.as_ref().and_then(|id| self.layout.transaction_slot(id));
        let leader = coordinator.and_then(|slot| self.image.leader(slot));
        let (Some(id), Some(stamp), Some((leader, _))) = (id, stamp, leader) else {
            return self.verified(from, ticket, Err(Code::CoordinatorNotAvailable), fx);
        };
        let request = TransactionRequest::AddPartitions(stamp.producer, stamp.epoch, slots);
        self.call(leader, &id, request, Ask::Added(from, ticket), fx);
    }

    /// The coordinator's word, or none. While an earlier transaction is being completed it is asked again for a while.
    pub(crate) fn verified(&mut self, from: u16, ticket: Ticket, result: Result<(), Code>, fx: &mut Fx<'_>) {
        let broker = &self.layout.broker;
        let (again, most) =
            (broker.add_partitions_to_txn_retry_backoff_ms, broker.add_partitions_to_txn_retry_backoff_max_ms);
        let Some(verifying) = self.transactions.verifying.get_mut(&from) else { return };
        if verifying.ticket != ticket {
            return;
        }
        let waited = fx.now().since(verifying.since) + millis(again);
        if result == Err(Code::ConcurrentTransactions) && waited <= millis(most) {
            let wake = Wake::Broker(BrokerWake::Transaction(TransactionWake::Verify(from)));
            verifying.again = Some(fx.wake_in(millis(again), wake));
            return;
        }
        let Some(verifying) = self.transactions.verifying.remove(&from) else { return };
        let refused = result.err().map(|code| match code {
            Code::ProducerFenced => Code::InvalidProducerEpoch,
            Code::ConcurrentTransactions | Code::InvalidTxnState | Code::InvalidProducerIdMapping => code,
            _ => Code::NotEnoughReplicas,
        });
        let refusal = refused.map(|code| (code, &verifying.slots[..]));
        self.produce(from, ticket, &verifying.produce, refusal, fx);
        self.next_produce(from, fx);
    }
}
