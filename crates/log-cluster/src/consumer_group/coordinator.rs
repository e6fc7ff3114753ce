//! A broker as the coordinator of consumer groups: signs of life in, writes to `__consumer_offsets`, answers out.

use super::group::{Beaten, ConsumerGroup, Scene, Written};
use super::{Heartbeat, HeartbeatAnswer};
use crate::broker::{Broker, Fx};
use crate::coordinator::Then;
use crate::error::Code;
use crate::group::{Group, Kind, State};
use crate::layout::Slot;
use crate::log::Payload;
use crate::rpc::{GroupResponse, Ticket};
use sim::story::{MarkKind, Rule};
use std::rc::Rc;

impl Broker {
    pub(crate) fn consumer_heartbeat(
        &mut self,
        slot: Slot,
        id: &Rc<str>,
        (from, ticket): (u16, Ticket),
        beat: &Heartbeat,
        fx: &mut Fx<'_>,
    ) {
        let (layout, image) = (self.layout.clone(), self.image.clone());
        let pulse = layout.group_config(id).consumer_pulse(&layout.broker);
        let scene = Scene { layout: &layout, image: &image, now: fx.now(), pulse };
        let mut before = Written::default();
        if beat.epoch == 0 && self.coordinator.groups.get(id).is_some_and(is_classic) {
            match self.upgrade_group(id, fx.now()) {
                Ok(out) => {
                    self.tell_conversion(id, "classic", "consumer", fx);
                    out.answers.into_iter().for_each(|(to, ticket, answer)| self.answer_group(to, ticket, answer, fx));
                }
                Err(code) => return self.refuse_member(id, (from, ticket), code, fx),
            }
        }
        let result = self.consumer_group(id, beat.epoch == 0).and_then(|group| {
            before.clone_from(&group.state);
            group.heartbeat(from, beat, &scene)
        });
        let leaves = result.is_ok() && beat.epoch < 0;
        let written = if leaves && self.downgrade_group(slot, id, before.epoch, fx) || result.is_err() {
            Ok(None)
        } else {
            self.write_consumer_group(slot, id, before, fx)
        };
        let answer = match (result, written) {
            (Ok(beaten), Ok(required)) => {
                self.tell_beaten(id, from, &beaten, fx);
                let answer = GroupResponse::ConsumerHeartbeat(Ok(Box::new(beaten.answer)));
                // Nobody learns of what another coordinator might not know; what was written before counts as well.
                if let Some(required) = required.or(self.coordinator.last_write(slot)) {
                    self.await_write(slot, required, Then::Answer(from, ticket, answer), fx);
                    return self.arm_group(id, fx);
                }
                answer
            }
            (Err(code), _) | (_, Err(code)) => return self.refuse_member(id, (from, ticket), code, fx),
        };
        self.answer_group(from, ticket, answer, fx);
        self.arm_group(id, fx);
    }

    fn refuse_member(&mut self, id: &Rc<str>, (from, ticket): (u16, Ticket), code: Code, fx: &mut Fx<'_>) {
        if !matches!(code, Code::NotCoordinator | Code::CoordinatorNotAvailable) {
            let values = vec![id.to_string(), self.layout.name(from), code.name().to_owned()];
            fx.mark(MarkKind::Refusal, "member-refused", values, Rule("K-G9"));
        }
        self.answer_group(from, ticket, GroupResponse::ConsumerHeartbeat(Err(code)), fx);
        self.arm_group(id, fx);
    }

    /// The group, if it is a consumer group; an empty one becomes what its first member is.
    fn consumer_group(&mut self, id: &Rc<str>, joins: bool) -> Result<&mut ConsumerGroup, Code> {
        let group = self.coordinator.groups.entry(id.clone()).or_default();
        if matches!(group.kind, Kind::Classic) {
            if group.state != State::Empty {
                return Err(Code::GroupIdNotFound);
            }
            if !joins {
                return Err(Code::UnknownMemberId);
            }
            let generation = group.generation;
            group.kind = Kind::Consumer(Box::new(ConsumerGroup::begin(generation)));
        }
        match &mut group.kind {
            Kind::Consumer(group) => Ok(group),
            Kind::Classic | Kind::Share(_) => Err(Code::InconsistentGroupProtocol),
        }
    }

    /// Writes down what has changed since `before`, if anything has. What cannot be written has not happened.
    pub(crate) fn write_consumer_group(
        &mut self,
        slot: Slot,
        id: &Rc<str>,
        before: Written,
        fx: &mut Fx<'_>,
    ) -> Result<Option<u64>, Code> {
        let Some(Kind::Consumer(group)) = self.coordinator.groups.get(id).map(|group| &group.kind) else {
            return Ok(None);
        };
        if group.state == before {
            return Ok(None);
        }
        let bytes = 100 + 200 * group.state.members.len() as u32;
        let payload = Payload::ConsumerGroup(id.clone(), Rc::new(group.state.clone()));
        let written = self.append_own(slot, payload, bytes, fx);
        if written.is_err()
            && let Some(Kind::Consumer(group)) = self.coordinator.groups.get_mut(id).map(|group| &mut group.kind)
        {
            group.state = before;
        }
        written.map(Some)
    }

    pub(super) fn tell_beaten(&self, id: &Rc<str>, from: u16, beaten: &Beaten, fx: &mut Fx<'_>) {
        let name = self.layout.name(from);
        if let Some((code, node)) = beaten.news {
            let values = vec![id.to_string(), self.layout.name(node)];
            match code {
                "member-left" => fx.mark(MarkKind::Change, "member-left", values, Rule("K-G9")),
                _ => fx.mark(MarkKind::Change, "member-joined", values, Rule("K-G9")),
            }
        }
        if let Some(epoch) = beaten.assigned {
            let members = match self.coordinator.groups.get(id).map(|group| &group.kind) {
                Some(Kind::Consumer(group)) => group.state.members.len(),
                _ => 0,
            };
            let values = vec![id.to_string(), epoch.to_string(), members.to_string()];
            fx.mark(MarkKind::Change, "group-assigned", values, Rule("K-G7"));
        }
        if beaten.revoked > 0 {
            let values = vec![id.to_string(), name.clone(), beaten.revoked.to_string()];
            fx.mark(MarkKind::Change, "partitions-revoked", values, Rule("K-G8"));
        }
        if let HeartbeatAnswer { assignment: Some(slots), .. } = &beaten.answer
            && beaten.revoked == 0
            && !slots.is_empty()
        {
            let labels: Vec<String> = slots.iter().map(|slot| self.layout.label(*slot)).collect();
            let values = vec![id.to_string(), name, labels.join(", ")];
            fx.mark(MarkKind::Change, "partitions-assigned", values, Rule("K-G8"));
        }
    }

    /// Time passed for a consumer group.
    pub(crate) fn consumer_group_woke(&mut self, slot: Slot, id: &Rc<str>, fx: &mut Fx<'_>) {
        let now = fx.now();
        let Some(Kind::Consumer(group)) = self.coordinator.groups.get_mut(id).map(|group| &mut group.kind) else {
            return;
        };
        let before = group.state.clone();
        let gone = group.tick(now);
        for (node, why) in gone {
            let values = vec![id.to_string(), self.layout.name(node)];
            match why {
                "member-expired" => fx.mark(MarkKind::Change, "member-expired", values, Rule("K-G7")),
                _ => fx.mark(MarkKind::Change, "member-fenced", values, Rule("K-G8")),
            }
        }
        if self.downgrade_group(slot, id, before.epoch, fx) {
            return;
        }
        // If it cannot be written, the members are put out all the same: another coordinator does so in its own time.
        let state = match self.coordinator.groups.get(id).map(|group| &group.kind) {
            Some(Kind::Consumer(group)) => group.state.clone(),
            _ => before.clone(),
        };
        match self.write_consumer_group(slot, id, before, fx) {
            Ok(Some(required)) => self.await_write(slot, required, Then::Nothing, fx),
            Ok(None) => {}
            Err(_) => {
                if let Some(Kind::Consumer(group)) = self.coordinator.groups.get_mut(id).map(|group| &mut group.kind) {
                    group.state = state;
                }
            }
        }
        self.arm_group(id, fx);
    }
}

/// Whether it is a group of the classic protocol with members.
fn is_classic(group: &Group) -> bool {
    matches!(group.kind, Kind::Classic) && group.state != State::Empty
}
