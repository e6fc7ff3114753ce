//! A consumer's progress: what it commits, what that settles (K-O1, K-O2), and how an application ends that gets an
//! error.

use crate::client::Fx;
use crate::consumer::{Asked, Consumer};
use crate::error::Code;
use crate::layout::Slot;
use crate::rpc::{ClientWake, GroupRequest, Request, Wake};
use sim::Nanos;
use sim::story::{FlightKind, Life, Look, MarkKind, Rule};

impl Consumer {
    /// Sends the positions to be committed. False if there is nothing to commit, or nobody to send it to.
    pub(crate) fn commit(&mut self, awaited: bool, fx: &mut Fx<'_>) -> bool {
        // Who leads it by hand commits, too, unless that is left to the client.
        let left_to_it = !self.hand.on || self.config.enable_auto_commit;
        left_to_it && self.commit_as(Asked::Commit(awaited), awaited, fx)
    }

    pub(crate) fn commit_as(&mut self, asked: Asked, awaited: bool, fx: &mut Fx<'_>) -> bool {
        let Some(coordinator) = self.membership.coordinator.filter(|_| self.forward.is_none()) else { return false };
        let mut offsets = Vec::new();
        for (slot, assigned) in &self.assigned {
            if let Some(position) = assigned.position.filter(|at| Some(*at) != assigned.committed)
                && (awaited || position > assigned.committing)
            {
                offsets.push((*slot, position));
            }
        }
        if offsets.is_empty() || self.membership.generation < 0 {
            return false;
        }
        let request = GroupRequest::OffsetCommit(self.who(), self.membership.generation, offsets.clone());
        let look = Look::plain(FlightKind::Commit);
        let request = Request::Group(self.group.clone(), request);
        if self.client.ask(coordinator, request, asked, 120, look, fx).is_none() {
            return false;
        }
        for (slot, offset) in offsets {
            if let Some(assigned) = self.assigned.get_mut(&slot) {
                assigned.committing = offset;
            }
        }
        true
    }

    pub(crate) fn settle_commit(&mut self, result: Result<(), Code>, offsets: &[(Slot, u64)], fx: &mut Fx<'_>) {
        for (slot, offset) in offsets {
            let Some(assigned) = self.assigned.get_mut(slot) else { continue };
            if result.is_err() {
                assigned.committing = assigned.committed.unwrap_or(0);
                continue;
            }
            assigned.committed = Some(assigned.committed.map_or(*offset, |known| known.max(*offset)));
            while let Some((first, count)) = assigned.unsettled.pop_before(*offset) {
                fx.note_run(first, count, Life::Settled { reader: self.reader }, Rule("K-O1"));
            }
        }
    }

    /// The application gets an error that it does not know what to do about: it closes its consumer and ends.
    pub(crate) fn fail(&mut self, what: &'static str, fx: &mut Fx<'_>) {
        if self.failed.is_none() {
            self.failed = Some(what);
            self.stopping = true;
            let values = vec![self.client.layout.name(fx.me().0), what.to_owned()];
            fx.mark(MarkKind::Refusal, "consumer-failed", values, Rule("K-C5"));
            fx.wake_in(Nanos::ZERO, Wake::Client(ClientWake::Poll));
        }
    }
}
