//! Offsets within a transaction: a group's progress that counts only once the transaction is committed (K-X7).

use crate::broker::{Broker, Fx};
use crate::config::Acks;
use crate::error::Code;
use crate::layout::Slot;
use crate::log::{Batch, NO_SEQUENCE, Payload, Stamp};
use crate::rpc::Ticket;
use crate::transactions::call::Ask;
use crate::transactions::{Marker, TransactionRequest, TransactionResponse};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A group's progress, as a transactional producer sends it (`sendOffsetsToTransaction`).
#[derive(Clone, Debug)]
pub struct Offsets {
    /// The group.
    pub group: Rc<str>,
    /// The member that has made the progress.
    pub member: crate::consumer_group::Who,
    /// The generation that it made it in.
    pub generation: i32,
    /// The producer's id.
    pub producer: u64,
    /// Its epoch.
    pub epoch: u16,
    /// For each partition the next offset to read.
    pub offsets: Vec<(Slot, u64)>,
}

/// Progress that waits for the end of its transaction, by the group's partition and the producer.
pub(crate) type PendingOffsets = BTreeMap<(Slot, u64), Vec<(Rc<str>, Vec<(Slot, u64)>)>>;

impl Broker {
    /// K-X7: as the group's coordinator, takes progress into a transaction; its partition is added to that first.
    pub(crate) fn take_offsets(
        &mut self,
        from: u16,
        ticket: Ticket,
        id: &Rc<str>,
        offsets: Rc<Offsets>,
        fx: &mut Fx<'_>,
    ) {
        let slot = self.keeps(&offsets.group);
        let group = self.coordinator.groups.get_mut(&offsets.group);
        let allowed = match (slot, group) {
            (None, _) => Err(Code::NotCoordinator),
            (Some(_), None) => Err(Code::UnknownMemberId),
            (Some(slot), Some(group)) => group.may_commit(&offsets.member, offsets.generation, fx.now()).map(|()| slot),
        };
        let slot = match allowed {
            Ok(slot) => slot,
            // A producer only knows of generations.
            Err(Code::StaleMemberEpoch) => {
                let refused = TransactionResponse::Offsets(Err(Code::IllegalGeneration));
                return self.answer_transaction(from, ticket, refused, fx);
            }
            Err(code) => return self.answer_transaction(from, ticket, TransactionResponse::Offsets(Err(code)), fx),
        };
        let log = self.replicas.get(&slot).map(|replica| &replica.log.transactions);
        if log.is_some_and(|log| log.is_open_under(offsets.producer, offsets.epoch)) {
            return self.offsets_verified(from, ticket, &offsets, Ok(()), fx);
        }
        let coordinator = self.layout.transaction_slot(id).and_then(|slot| self.image.leader(slot));
        let Some((coordinator, _)) = coordinator else {
            let answer = TransactionResponse::Offsets(Err(Code::CoordinatorNotAvailable));
            return self.answer_transaction(from, ticket, answer, fx);
        };
        let request = TransactionRequest::AddPartitions(offsets.producer, offsets.epoch, Rc::from([slot]));
        self.call(coordinator, id, request, Ask::Offsets(from, ticket, offsets), fx);
    }

    pub(crate) fn offsets_verified(
        &mut self,
        from: u16,
        ticket: Ticket,
        offsets: &Offsets,
        result: Result<(), Code>,
        fx: &mut Fx<'_>,
    ) {
        let slot = self.keeps(&offsets.group).ok_or(Code::NotCoordinator);
        let appended = result.and(slot).and_then(|slot| {
            let (producer, epoch) = (offsets.producer, offsets.epoch);
            let stamp = Some(Stamp { producer, epoch, first: NO_SEQUENCE, transactional: true });
            let payload = Payload::Commit(offsets.group.clone(), offsets.offsets.clone());
            let bytes = 80 + 60 * offsets.offsets.len() as u32;
            let batch = Rc::new(Batch { payload, bytes, stamp, created: fx.now() });
            let (base, _) = self.append(slot, &batch, Acks::All, fx).map_err(|code| match code {
                Code::NotLeaderOrFollower => Code::NotCoordinator,
                Code::NotEnoughReplicas => Code::CoordinatorNotAvailable,
                other => other,
            })?;
            Ok((slot, base + batch.count()))
        });
        match appended {
            Err(code) => self.answer_transaction(from, ticket, TransactionResponse::Offsets(Err(code)), fx),
            Ok((slot, required)) => {
                let pending = self.transactions.offsets.entry((slot, offsets.producer)).or_default();
                pending.push((offsets.group.clone(), offsets.offsets.clone()));
                self.await_offsets(from, ticket, slot, required, fx);
            }
        }
    }

    /// A transaction ended in a partition of committed offsets: its progress counts, or never was.
    pub(crate) fn end_offsets(&mut self, slot: Slot, marker: Marker, at: sim::Time) {
        let Some(pending) = self.transactions.offsets.remove(&(slot, marker.producer)) else { return };
        for (group, offsets) in pending.into_iter().filter(|_| marker.commit) {
            self.coordinator.groups.entry(group).or_default().note_commit(&offsets, at);
        }
    }

    /// Whether the progress in these partitions depends on a transaction: who asks for it has to wait.
    pub(crate) fn has_unstable_offsets(&self, keeper: Slot, group: &str, slots: &[Slot]) -> bool {
        let touches = |offsets: &Vec<(Slot, u64)>| offsets.iter().any(|(slot, _)| slots.contains(slot));
        let pending = self.transactions.offsets.iter().filter(|((slot, _), _)| *slot == keeper);
        pending.flat_map(|(_, pending)| pending).any(|(of, offsets)| **of == *group && touches(offsets))
    }

    /// A new coordinator of groups reads what transactions wrote, and what became of it.
    pub(crate) fn load_offsets(&mut self, slot: Slot, at: sim::Time) {
        let Some(replica) = self.replicas.get(&slot) else { return };
        let mut pending = PendingOffsets::new();
        let mut committed = Vec::new();
        for entry in replica.log.read(replica.log.start()) {
            match (&entry.batch.payload, entry.batch.stamp) {
                (Payload::Commit(group, offsets), Some(stamp)) => {
                    let waits = pending.entry((slot, stamp.producer)).or_default();
                    waits.push((group.clone(), offsets.clone()));
                }
                (Payload::Marker(marker), _) => {
                    let ended = pending.remove(&(slot, marker.producer)).unwrap_or_default();
                    committed.extend(ended.into_iter().filter(|_| marker.commit));
                }
                _ => {}
            }
        }
        for (group, offsets) in committed {
            self.coordinator.groups.entry(group).or_default().note_commit(&offsets, at);
        }
        self.transactions.offsets.extend(pending);
    }

    pub(crate) fn unload_offsets(&mut self, slot: Slot) {
        self.transactions.offsets.retain(|(of, _), _| *of != slot);
    }
}
