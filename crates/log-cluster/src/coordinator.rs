//! A broker as the coordinator of groups: those whose partition of committed offsets it leads (K-G1, K-O1).

use crate::broker::{Broker, Fx};
use crate::config::{Acks, millis};
use crate::consumer_group::ConsumerGroup;
use crate::error::Code;
use crate::group::{Group, Kind, Outcome};
use crate::layout::Slot;
use crate::log::{Batch, Payload};
use crate::rpc::{BrokerWake, GroupRequest, GroupResponse, Join, Response, Ticket, Wake};
use crate::share::ShareGroup;
use sim::story::{FlightKind, Look, MarkKind, Rule};
use sim::{Alarm, Time};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A write to `__consumer_offsets` that waits for its replicas.
#[derive(Clone, Debug)]
struct Write {
    slot: Slot,
    /// The high watermark that it waits for.
    required: u64,
    alarm: Alarm,
    then: Then,
}

#[derive(Clone, Debug)]
pub(crate) enum Then {
    /// Nothing: nobody waits for it.
    Nothing,
    /// Answer.
    Answer(u16, Ticket, GroupResponse),
    /// Answer a commit.
    Commit { group: Rc<str>, to: u16, ticket: Ticket, offsets: Vec<(Slot, u64)> },
    /// Let a generation begin its work.
    Generation(Rc<str>, i32),
}

/// All groups that a broker keeps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coordinator {
    pub groups: BTreeMap<Rc<str>, Group>,
    alarms: BTreeMap<Rc<str>, (Time, Alarm)>,
    writes: BTreeMap<u32, Write>,
    next_write: u32,
}

impl Coordinator {
    /// What the last write to a partition that is under way waits for.
    pub fn last_write(&self, slot: Slot) -> Option<u64> {
        self.writes.values().filter(|write| write.slot == slot).map(|write| write.required).max()
    }
}

impl Broker {
    pub(crate) fn find_coordinator(&mut self, from: u16, ticket: Ticket, group: &str, fx: &mut Fx<'_>) {
        let slot = self.layout.group_slot(group);
        let leader = slot.and_then(|slot| self.image.leader(slot)).map(|(leader, _)| leader);
        let answer = Response::Coordinator(leader.ok_or(Code::CoordinatorNotAvailable));
        self.answer(from, ticket, answer, 60, Look::plain(FlightKind::Control), fx);
    }

    /// Whether this broker keeps a group now.
    pub(crate) fn keeps(&self, group: &str) -> Option<Slot> {
        let slot = self.layout.group_slot(group)?;
        self.replicas.get(&slot)?.leads()?;
        Some(slot)
    }

    pub(crate) fn on_group(&mut self, from: u16, ticket: Ticket, id: &Rc<str>, request: GroupRequest, fx: &mut Fx<'_>) {
        let Some(slot) = self.keeps(id) else {
            return self.refuse_group(from, ticket, &request, Code::NotCoordinator, fx);
        };
        let unstable =
            matches!(&request, GroupRequest::OffsetFetch(slots) if self.has_unstable_offsets(slot, id, slots));
        if unstable {
            // K-X7: the group's progress is known once the transaction has ended.
            return self.refuse_group(from, ticket, &request, Code::UnstableOffsetCommit, fx);
        }
        let now = fx.now();
        let initial = millis(self.layout.broker.group_initial_rebalance_delay_ms);
        let code = match &request {
            GroupRequest::ConsumerHeartbeat(beat) => {
                return self.consumer_heartbeat(slot, id, (from, ticket), beat, fx);
            }
            GroupRequest::ShareHeartbeat(beat) => return self.share_heartbeat(slot, id, (from, ticket), beat, fx),
            GroupRequest::Join(join) => self.may_not_join(id, join),
            _ => None,
        };
        if let Some(code) = code {
            let values = vec![id.to_string(), self.layout.name(from), code.name().to_owned()];
            fx.mark(MarkKind::Refusal, "member-refused", values, Rule("K-G3"));
            return self.refuse_group(from, ticket, &request, code, fx);
        }
        let Some(request) = self.classic_in_modern(slot, id, (from, ticket), request, fx) else { return };
        let group = self.coordinator.groups.entry(id.clone()).or_default();
        let mut out = Outcome::default();
        match request {
            GroupRequest::Join(join) => group.join(from, ticket, *join, initial, now, &mut out),
            GroupRequest::Sync(member, generation, shares) => {
                group.sync(from, ticket, (member, generation, shares), now, &mut out);
            }
            GroupRequest::Heartbeat(member, generation) => {
                let result = group.check(&member, generation, now);
                out.answers.push((from, ticket, GroupResponse::Beat(result)));
            }
            GroupRequest::ConsumerHeartbeat(_) | GroupRequest::ShareHeartbeat(_) => {}
            GroupRequest::Leave(member) => {
                group.leave(&member.id, now, &mut out);
                out.answers.push((from, ticket, GroupResponse::Left));
                let values = vec![id.to_string(), self.layout.name(from)];
                fx.mark(MarkKind::Change, "member-left", values, Rule("K-G6"));
            }
            GroupRequest::OffsetFetch(slots) => {
                let offsets = slots.iter().map(|slot| (*slot, group.offsets.get(slot).copied())).collect();
                out.answers.push((from, ticket, GroupResponse::Offsets(Ok(offsets))));
            }
            GroupRequest::OffsetCommit(member, generation, offsets) => {
                let result = group.may_commit(&member, generation, now);
                self.commit(slot, id, (from, ticket), result, offsets, fx);
            }
        }
        self.carry_out(slot, id, out, fx);
    }

    /// Why the broker does not take a member in, before its group is asked.
    fn may_not_join(&mut self, id: &Rc<str>, join: &Join) -> Option<Code> {
        let broker = &self.layout.broker;
        let session = millis(broker.group_min_session_timeout_ms)..=millis(broker.group_max_session_timeout_ms);
        if !session.contains(&join.session) {
            return Some(Code::InvalidSessionTimeout);
        }
        let most = broker.group_max_size;
        let group = self.coordinator.groups.get_mut(id)?;
        if let Kind::Share(_) = &group.kind {
            return Some(Code::InconsistentGroupProtocol);
        }
        if let Kind::Consumer(modern) = &group.kind {
            if !modern.state.members.is_empty() {
                // K-G11: it becomes one of them.
                return None;
            }
            // An empty group becomes what its first member is.
            group.generation = modern.state.epoch;
            group.kind = Kind::Classic;
        }
        (!group.has_room(join, most)).then_some(Code::GroupMaxSizeReached)
    }

    fn refuse_group(&mut self, to: u16, ticket: Ticket, request: &GroupRequest, code: Code, fx: &mut Fx<'_>) {
        let answer = match request {
            GroupRequest::Join(_) => GroupResponse::Joined(Err(code)),
            GroupRequest::Sync(..) => GroupResponse::Synced(Err(code)),
            GroupRequest::Heartbeat(..) => GroupResponse::Beat(Err(code)),
            GroupRequest::Leave(_) => GroupResponse::Left,
            GroupRequest::ConsumerHeartbeat(_) | GroupRequest::ShareHeartbeat(_) => {
                GroupResponse::ConsumerHeartbeat(Err(code))
            }
            GroupRequest::OffsetFetch(_) => GroupResponse::Offsets(Err(code)),
            GroupRequest::OffsetCommit(_, _, offsets) => GroupResponse::Committed(Err(code), offsets.clone()),
        };
        self.answer_group(to, ticket, answer, fx);
    }

    pub(crate) fn answer_group(&mut self, to: u16, ticket: Ticket, answer: GroupResponse, fx: &mut Fx<'_>) {
        let kind = match answer {
            GroupResponse::Beat(_) | GroupResponse::ConsumerHeartbeat(_) => FlightKind::Heartbeat,
            GroupResponse::Committed(..) => FlightKind::Commit,
            _ => FlightKind::Control,
        };
        self.answer(to, ticket, Response::Group(answer), 100, Look::plain(kind), fx);
    }

    /// K-O1: progress is appended like any record, with acks=all.
    fn commit(
        &mut self,
        slot: Slot,
        group: &Rc<str>,
        (to, ticket): (u16, Ticket),
        allowed: Result<(), Code>,
        offsets: Vec<(Slot, u64)>,
        fx: &mut Fx<'_>,
    ) {
        let payload = Payload::Commit(group.clone(), offsets.clone());
        let bytes = 80 + 60 * offsets.len() as u32;
        let required = allowed.and_then(|()| self.append_own(slot, payload, bytes, fx));
        match required {
            Ok(required) => {
                let then = Then::Commit { group: group.clone(), to, ticket, offsets };
                self.await_write(slot, required, then, fx);
            }
            Err(code) => {
                let values = vec![group.to_string(), code.name().to_owned()];
                fx.mark(MarkKind::Refusal, "commit-refused", values, Rule("K-G4"));
                self.answer_group(to, ticket, GroupResponse::Committed(Err(code), offsets), fx);
            }
        }
    }

    pub(crate) fn append_own(
        &mut self,
        slot: Slot,
        payload: Payload,
        bytes: u32,
        fx: &mut Fx<'_>,
    ) -> Result<u64, Code> {
        let batch = Rc::new(Batch { payload, bytes, stamp: None, created: fx.now() });
        let (base, _) = self.append(slot, &batch, Acks::All, fx).map_err(|code| match code {
            Code::NotEnoughReplicas => Code::CoordinatorNotAvailable,
            Code::NotLeaderOrFollower => Code::NotCoordinator,
            other => other,
        })?;
        Ok(base + batch.count())
    }

    pub(crate) fn await_write(&mut self, slot: Slot, required: u64, then: Then, fx: &mut Fx<'_>) {
        let number = self.coordinator.next_write;
        self.coordinator.next_write = number.wrapping_add(1);
        let wait = millis(self.layout.broker.offsets_commit_timeout_ms);
        let alarm = fx.wake_in(wait, Wake::Broker(BrokerWake::CommitExpires(number)));
        self.coordinator.writes.insert(number, Write { slot, required, alarm, then });
        self.settle_partition(slot, fx);
        self.complete_writes(slot, fx);
    }

    /// Looks whether writes to this partition have reached their replicas.
    pub(crate) fn complete_writes(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        if self.coordinator.writes.is_empty() {
            return;
        }
        let mark = self.replicas.get(&slot).map_or(0, |replica| replica.high_watermark);
        let done = |write: &Write| write.slot == slot && write.required <= mark;
        let writes = &self.coordinator.writes;
        let numbers: Vec<u32> = writes.iter().filter(|(_, write)| done(write)).map(|(number, _)| *number).collect();
        for number in numbers {
            self.finish_write(number, Ok(()), fx);
        }
    }

    /// K-O1: the replicas took longer than `offsets.commit.timeout.ms`.
    pub(crate) fn write_expired(&mut self, number: u32, fx: &mut Fx<'_>) {
        self.finish_write(number, Err(Code::CoordinatorNotAvailable), fx);
    }

    fn finish_write(&mut self, number: u32, result: Result<(), Code>, fx: &mut Fx<'_>) {
        let Some(write) = self.coordinator.writes.remove(&number) else { return };
        fx.cancel(write.alarm);
        match write.then {
            Then::Nothing => {}
            Then::Answer(to, ticket, answer) => {
                let answer = match result {
                    Ok(()) => answer,
                    Err(code) => answer.refused(code),
                };
                self.answer_group(to, ticket, answer, fx);
            }
            Then::Commit { group: id, to, ticket, offsets } => {
                if result.is_ok()
                    && let Some(group) = self.coordinator.groups.get_mut(&id)
                {
                    group.note_commit(&offsets, fx.now());
                    self.arm_group(&id, fx);
                }
                self.answer_group(to, ticket, GroupResponse::Committed(result, offsets), fx);
            }
            Then::Generation(id, generation) => {
                let mut out = Outcome::default();
                if let Some(group) = self.coordinator.groups.get_mut(&id) {
                    group.written(generation, result, &mut out);
                    self.carry_out(write.slot, &id, out, fx);
                }
            }
        }
    }

    /// Does what a group wants done, and sees to it that it is looked at in time.
    pub(crate) fn carry_out(&mut self, slot: Slot, id: &Rc<str>, out: Outcome, fx: &mut Fx<'_>) {
        for member in &out.expired {
            let values = vec![id.to_string(), member.to_string()];
            fx.mark(MarkKind::Change, "member-expired", values, Rule("K-G3"));
        }
        if let Some(why) = out.began {
            fx.mark(MarkKind::Change, "group-rebalance", vec![id.to_string(), why.to_owned()], Rule("K-G2"));
        }
        for (to, ticket, answer) in out.answers {
            self.answer_group(to, ticket, answer, fx);
        }
        if let Some(node) = out.returned {
            let values = vec![id.to_string(), self.layout.name(node)];
            fx.mark(MarkKind::Change, "member-returned", values, Rule("K-G6"));
        }
        let Some(group) = self.coordinator.groups.get(id) else { return };
        if out.formed {
            let values = vec![id.to_string(), group.generation.to_string(), group.members.len().to_string()];
            fx.mark(MarkKind::Change, "group-generation", values, Rule("K-G4"));
        }
        if out.write {
            let roster = Rc::new(group.roster());
            let generation = roster.generation;
            let bytes = 100 + 200 * roster.members.len() as u32;
            let written = self.append_own(slot, Payload::Group(id.clone(), roster), bytes, fx);
            match written {
                Ok(required) => self.await_write(slot, required, Then::Generation(id.clone(), generation), fx),
                Err(code) => {
                    let mut out = Outcome::default();
                    if let Some(group) = self.coordinator.groups.get_mut(id) {
                        group.written(generation, Err(code), &mut out);
                    }
                    for (to, ticket, answer) in out.answers {
                        self.answer_group(to, ticket, answer, fx);
                    }
                }
            }
        }
        self.arm_group(id, fx);
    }

    pub(crate) fn arm_group(&mut self, id: &Rc<str>, fx: &mut Fx<'_>) {
        if let Some(slot) = self.keeps(id) {
            self.keep_offsets(slot, id, fx);
        }
        let next = self.coordinator.groups.get(id).and_then(Group::next_time);
        let armed = self.coordinator.alarms.get(id).map(|(at, _)| *at);
        // A session that was prolonged meanwhile is looked at in vain, once: cheaper than an alarm a heartbeat.
        if let Some(next) = next
            && armed.is_none_or(|at| at > next)
        {
            let number = u32::from(self.layout.reader(id));
            let alarm = fx.wake_at(next, Wake::Broker(BrokerWake::Group(number)));
            if let Some((_, old)) = self.coordinator.alarms.insert(id.clone(), (next, alarm)) {
                fx.cancel(old);
            }
        }
    }

    pub(crate) fn group_woke(&mut self, number: u32, fx: &mut Fx<'_>) {
        let Some(id) = self.layout.readers.get(number as usize).map(|name| Rc::<str>::from(name.as_str())) else {
            return;
        };
        self.coordinator.alarms.remove(&id);
        let Some(slot) = self.keeps(&id) else { return };
        let initial = millis(self.layout.broker.group_initial_rebalance_delay_ms);
        let mut out = Outcome::default();
        match self.coordinator.groups.get_mut(&id) {
            Some(Group { kind: Kind::Share(_), .. }) => self.share_group_woke(slot, &id, fx),
            Some(Group { kind: Kind::Consumer(_), .. }) => self.consumer_group_woke(slot, &id, fx),
            Some(group) => {
                group.tick(initial, fx.now(), &mut out);
                self.carry_out(slot, &id, out, fx);
            }
            None => {}
        }
    }

    /// A new coordinator reads what its groups wrote down.
    pub(crate) fn load_groups(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        let Some(replica) = self.replicas.get(&slot) else { return };
        let mut loaded: BTreeMap<Rc<str>, Group> = BTreeMap::new();
        for entry in replica.log.read(replica.log.start()) {
            match &entry.batch.payload {
                Payload::Commit(id, offsets) if entry.batch.stamp.is_none() => {
                    loaded.entry(id.clone()).or_default().note_commit(offsets, entry.batch.created);
                }
                Payload::Group(id, roster) => loaded.entry(id.clone()).or_default().load(roster, fx.now()),
                Payload::Expired(id, slots) => loaded.entry(id.clone()).or_default().forget(slots),
                Payload::ConsumerGroup(id, written) => {
                    let pulse = self.layout.group_config(id).consumer_pulse(&self.layout.broker);
                    let group = ConsumerGroup::load(written, pulse.session, fx.now());
                    let known = loaded.entry(id.clone()).or_default();
                    known.members.clear();
                    known.kind = Kind::Consumer(Box::new(group));
                }
                Payload::ShareGroup(id, written) => {
                    let pulse = self.layout.group_config(id).share_pulse(&self.layout.share);
                    let group = ShareGroup::load(written, pulse.session, fx.now());
                    loaded.entry(id.clone()).or_default().kind = Kind::Share(Box::new(group));
                }
                _ => {}
            }
        }
        for (id, group) in loaded {
            let values = vec![id.to_string(), self.layout.name(self.me)];
            fx.mark(MarkKind::Change, "coordinator-loaded", values, Rule("K-G1"));
            self.coordinator.groups.insert(id.clone(), group);
            self.arm_group(&id, fx);
        }
        self.load_offsets(slot, fx.now());
    }

    /// Another broker is the coordinator now: who waits is told.
    pub(crate) fn unload_groups(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        let writes = &self.coordinator.writes;
        let numbers: Vec<u32> = writes.iter().filter(|(_, write)| write.slot == slot).map(|(n, _)| *n).collect();
        for number in numbers {
            self.finish_write(number, Err(Code::NotCoordinator), fx);
        }
        self.unload_offsets(slot);
        let layout = self.layout.clone();
        self.coordinator.groups.retain(|id, _| layout.group_slot(id) != Some(slot));
    }

    /// A group, for those who look on.
    pub(crate) fn group(&self, id: &str) -> Option<&Group> {
        self.keeps(id)?;
        self.coordinator.groups.get(id)
    }
}
