//! The end of a transaction reaches its partitions: markers, written by their leaders, asked for until all are (K-X5).

use crate::broker::{Broker, Fx};
use crate::config::Acks;
use crate::error::Code;
use crate::layout::Slot;
use crate::log::{Batch, NO_SEQUENCE, Payload, Stamp};
use crate::rpc::{BrokerWake, Ticket, Wake};
use crate::transactions::call::Ask;
use crate::transactions::coordinator::Reply;
use crate::transactions::{Marker, TransactionRequest, TransactionResponse, TransactionState, TransactionWake};
use sim::Nanos;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How soon a leader is asked again that did not write a marker. Assumed.
const AGAIN: Nanos = Nanos::millis(100);
/// Bytes of a marker's batch: a header, and a record with a type and a coordinator's epoch.
const MARKER_BYTES: u32 = 78;

/// A marker in one partition.
#[derive(Copy, Clone, Debug)]
enum Part {
    /// It waits for this high watermark.
    Waits(u64),
    Came(Result<(), Code>),
}

/// A request to write markers that waits for replicas.
#[derive(Clone, Debug)]
pub(crate) struct Marking {
    pub from: u16,
    ticket: Ticket,
    /// The marker; `None` for a group's progress within a transaction (K-X7).
    marker: Option<Marker>,
    parts: Vec<(Slot, Part)>,
}

impl Broker {
    /// Asks the leaders of partitions that do not know the end yet; writes down that all do once there are none.
    pub(crate) fn go_on_completing(&mut self, id: &Rc<str>, fx: &mut Fx<'_>) {
        let coordinator_epoch = self.layout.transaction_slot(id).and_then(|slot| self.replicas.get(&slot));
        let coordinator_epoch = coordinator_epoch.map_or(-1, |replica| replica.leader_epoch);
        let image = self.image.clone();
        let Some(known) = self.transactions.known.get_mut(id) else { return };
        if !known.record.state.is_prepared() || known.pending.is_some() {
            return;
        }
        let record = &known.record;
        let marker = Marker {
            producer: record.producer,
            epoch: record.epoch,
            commit: record.state == TransactionState::PrepareCommit,
            coordinator_epoch,
            horizon: None,
        };
        let mut wanted: BTreeMap<u16, Vec<Slot>> = BTreeMap::new();
        let mut leaderless = false;
        for (slot, asked) in known.unmarked.iter_mut().filter(|(_, asked)| !asked) {
            match image.leader(*slot) {
                Some((leader, _)) => {
                    *asked = true;
                    wanted.entry(leader).or_default().push(*slot);
                }
                None => leaderless = true,
            }
        }
        if known.unmarked.is_empty() {
            let next = known.record.completed();
            self.change_transaction(id, next, Reply::Nobody, fx);
            leaderless = self
                .transactions
                .known
                .get(id)
                .is_some_and(|known| known.pending.is_none() && known.record.state.is_prepared());
        }
        if leaderless {
            self.complete_later(id, fx);
        }
        for (leader, slots) in wanted {
            let slots: Rc<[Slot]> = slots.into();
            let request = TransactionRequest::WriteMarkers(marker, slots.clone());
            self.call(leader, id, request, Ask::Written(id.clone(), slots), fx);
        }
    }

    fn complete_later(&mut self, id: &Rc<str>, fx: &mut Fx<'_>) {
        let place = self.layout.transactional_ids.iter().position(|known| known == id).unwrap_or(0) as u32;
        fx.wake_in(AGAIN, Wake::Broker(BrokerWake::Transaction(TransactionWake::Complete(place))));
    }

    /// Leaders have written markers, or have not and are asked again, for ever.
    pub(crate) fn markers_written(&mut self, id: &Rc<str>, results: Vec<(Slot, Result<(), Code>)>, fx: &mut Fx<'_>) {
        let Some(known) = self.transactions.known.get_mut(id) else { return };
        let mut again = false;
        for (slot, result) in results {
            match result {
                // Who is refused for its epoch has been followed by another coordinator.
                Ok(()) | Err(Code::InvalidProducerEpoch | Code::TransactionCoordinatorFenced) => {
                    known.unmarked.retain(|(of, _)| *of != slot);
                }
                Err(_) => {
                    again = true;
                    known.unmarked.iter_mut().filter(|(of, _)| *of == slot).for_each(|(_, asked)| *asked = false);
                }
            }
        }
        if again {
            self.complete_later(id, fx);
        } else {
            self.go_on_completing(id, fx);
        }
    }

    /// K-X5: as the leader, appends the end of a transaction; it takes one offset.
    pub(crate) fn write_markers(&mut self, from: u16, ticket: Ticket, marker: Marker, slots: &[Slot], fx: &mut Fx<'_>) {
        let stamp = Stamp { producer: marker.producer, epoch: marker.epoch, first: NO_SEQUENCE, transactional: true };
        let payload = Payload::Marker(marker);
        let batch = Rc::new(Batch { payload, bytes: MARKER_BYTES, stamp: Some(stamp), created: fx.now() });
        let mut parts = Vec::with_capacity(slots.len());
        for slot in slots {
            let appended = self.append(*slot, &batch, Acks::All, fx);
            let part = match appended {
                Ok((base, _)) => Part::Waits(base + 1),
                Err(code) => Part::Came(Err(code)),
            };
            parts.push((*slot, part));
        }
        self.transactions.marking.push(Marking { from, ticket, marker: Some(marker), parts });
        for slot in slots {
            self.settle_partition(*slot, fx);
        }
        self.markers_replicated(fx);
    }

    /// Answers once a group's progress is in all replicas in sync.
    pub(crate) fn await_offsets(&mut self, from: u16, ticket: Ticket, slot: Slot, required: u64, fx: &mut Fx<'_>) {
        let parts = vec![(slot, Part::Waits(required))];
        self.transactions.marking.push(Marking { from, ticket, marker: None, parts });
        self.settle_partition(slot, fx);
        self.markers_replicated(fx);
    }

    /// Answers requests whose markers are in all replicas in sync, or cannot come to be.
    pub(crate) fn markers_replicated(&mut self, fx: &mut Fx<'_>) {
        let mut ended = Vec::new();
        for marking in &mut self.transactions.marking {
            for (slot, part) in &mut marking.parts {
                let Part::Waits(required) = *part else { continue };
                let replica = self.replicas.get(slot).filter(|replica| replica.leads().is_some());
                match replica {
                    None => *part = Part::Came(Err(Code::NotLeaderOrFollower)),
                    Some(replica) if replica.high_watermark >= required => {
                        *part = Part::Came(Ok(()));
                        ended.extend(marking.marker.map(|marker| (*slot, marker)));
                    }
                    Some(_) => {}
                }
            }
        }
        ended.into_iter().for_each(|(slot, marker)| self.end_offsets(slot, marker, fx.now()));
        let done = |marking: &mut Marking| marking.parts.iter().all(|(_, part)| matches!(part, Part::Came(_)));
        let finished: Vec<Marking> = self.transactions.marking.extract_if(.., done).collect();
        for marking in finished {
            let result = |(slot, part): &(Slot, Part)| match part {
                Part::Came(result) => Some((*slot, *result)),
                Part::Waits(_) => None,
            };
            let mut results: Vec<(Slot, Result<(), Code>)> = marking.parts.iter().filter_map(result).collect();
            let answer = match marking.marker {
                Some(_) => TransactionResponse::Written(results),
                None => TransactionResponse::Offsets(results.pop().map_or(Ok(()), |(_, result)| result)),
            };
            self.answer_transaction(marking.from, marking.ticket, answer, fx);
        }
    }

    /// The high watermark of a partition moved: so may its last stable offset, and what waited goes on.
    pub(crate) fn settle_transactions(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        if let Some(replica) = self.replicas.get_mut(&slot) {
            replica.log.transactions.settle(replica.high_watermark);
        }
        if !self.transactions.marking.is_empty() {
            self.markers_replicated(fx);
        }
        if !self.transactions.writes.is_empty() {
            self.transactions_written(slot, fx);
        }
    }
}
