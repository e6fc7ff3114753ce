//! A broker as the coordinator of share groups: signs of life in, writes to `__consumer_offsets`, answers out.

use super::ShareWritten;
use super::group::{Beaten, Scene, ShareGroup};
use crate::broker::{Broker, Fx};
use crate::consumer_group::Heartbeat;
use crate::coordinator::Then;
use crate::error::Code;
use crate::group::{Kind, State};
use crate::layout::Slot;
use crate::log::Payload;
use crate::rpc::{GroupResponse, Ticket};
use sim::story::{MarkKind, Rule};
use std::rc::Rc;

impl Broker {
    pub(crate) fn share_heartbeat(
        &mut self,
        slot: Slot,
        id: &Rc<str>,
        (from, ticket): (u16, Ticket),
        beat: &Heartbeat,
        fx: &mut Fx<'_>,
    ) {
        let (layout, image) = (self.layout.clone(), self.image.clone());
        let pulse = layout.group_config(id).share_pulse(&layout.share);
        let scene = Scene { layout: &layout, image: &image, now: fx.now(), pulse };
        let mut before = ShareWritten::default();
        let result = self.share_group(id, beat.epoch == 0).and_then(|group| {
            before.clone_from(&group.state);
            group.heartbeat(from, beat, &scene)
        });
        let written = if result.is_ok() { self.write_share_group(slot, id, before, fx) } else { Ok(None) };
        match (result, written) {
            (Ok(beaten), Ok(required)) => {
                self.tell_share_beaten(id, from, &beaten, fx);
                let answer = GroupResponse::ConsumerHeartbeat(Ok(Box::new(beaten.answer)));
                // Nobody learns of what another coordinator might not know; what was written before counts as well.
                match required.or(self.coordinator.last_write(slot)) {
                    Some(required) => self.await_write(slot, required, Then::Answer(from, ticket, answer), fx),
                    None => self.answer_group(from, ticket, answer, fx),
                }
            }
            (Err(code), _) | (_, Err(code)) => {
                if !matches!(code, Code::NotCoordinator | Code::CoordinatorNotAvailable) {
                    let values = vec![id.to_string(), self.layout.name(from), code.name().to_owned()];
                    fx.mark(MarkKind::Refusal, "member-refused", values, Rule("K-H1"));
                }
                self.answer_group(from, ticket, GroupResponse::ConsumerHeartbeat(Err(code)), fx);
            }
        }
        self.arm_group(id, fx);
    }

    /// The group, if it is a share group; one that nobody ever was in becomes one with its first member.
    fn share_group(&mut self, id: &Rc<str>, joins: bool) -> Result<&mut ShareGroup, Code> {
        let group = self.coordinator.groups.entry(id.clone()).or_default();
        if matches!(group.kind, Kind::Classic) {
            if group.state != State::Empty || group.generation > 0 || !group.offsets.is_empty() {
                return Err(Code::GroupIdNotFound);
            }
            if !joins {
                return Err(Code::UnknownMemberId);
            }
            group.kind = Kind::Share(Box::new(ShareGroup::begin(group.generation)));
        }
        match &mut group.kind {
            Kind::Share(group) => Ok(group),
            Kind::Classic | Kind::Consumer(_) => Err(Code::GroupIdNotFound),
        }
    }

    fn kept_share_group(&mut self, id: &Rc<str>) -> Option<&mut ShareGroup> {
        match self.coordinator.groups.get_mut(id).map(|group| &mut group.kind) {
            Some(Kind::Share(group)) => Some(group),
            _ => None,
        }
    }

    /// Writes down what has changed since `before`, if anything has. What cannot be written has not happened.
    fn write_share_group(
        &mut self,
        slot: Slot,
        id: &Rc<str>,
        before: ShareWritten,
        fx: &mut Fx<'_>,
    ) -> Result<Option<u64>, Code> {
        let Some(state) = self.kept_share_group(id).map(|group| group.state.clone()).filter(|now| *now != before)
        else {
            return Ok(None);
        };
        let bytes = 100 + 200 * state.members.len() as u32;
        let written = self.append_own(slot, Payload::ShareGroup(id.clone(), Rc::new(state)), bytes, fx);
        if written.is_err()
            && let Some(group) = self.kept_share_group(id)
        {
            group.state = before;
        }
        written.map(Some)
    }

    fn tell_share_beaten(&mut self, id: &Rc<str>, from: u16, beaten: &Beaten, fx: &mut Fx<'_>) {
        let name = self.layout.name(from);
        match beaten.news {
            Some("member-left") => {
                fx.mark(MarkKind::Change, "member-left", vec![id.to_string(), name], Rule("K-H1"));
            }
            Some(_) => fx.mark(MarkKind::Change, "member-joined", vec![id.to_string(), name], Rule("K-H1")),
            None => {}
        }
        if let Some(epoch) = beaten.assigned {
            let members = self.kept_share_group(id).map_or(0, |group| group.state.members.len());
            let values = vec![id.to_string(), epoch.to_string(), members.to_string()];
            fx.mark(MarkKind::Change, "group-assigned", values, Rule("K-S8"));
        }
    }

    /// Time passed for a share group.
    pub(crate) fn share_group_woke(&mut self, slot: Slot, id: &Rc<str>, fx: &mut Fx<'_>) {
        let now = fx.now();
        let Some(group) = self.kept_share_group(id) else { return };
        let before = group.state.clone();
        let gone = group.tick(now);
        let state = group.state.clone();
        for node in gone {
            let values = vec![id.to_string(), self.layout.name(node)];
            fx.mark(MarkKind::Change, "member-expired", values, Rule("K-H1"));
        }
        // If it cannot be written, the members are put out all the same: another coordinator does so in its own time.
        match self.write_share_group(slot, id, before, fx) {
            Ok(Some(required)) => self.await_write(slot, required, Then::Nothing, fx),
            Ok(None) => {}
            Err(_) => {
                if let Some(group) = self.kept_share_group(id) {
                    group.state = state;
                }
            }
        }
        self.arm_group(id, fx);
    }
}
