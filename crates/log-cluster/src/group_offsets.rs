//! K-O3: committed offsets that nobody has a use for are forgotten after a while.

use crate::broker::{Broker, Fx};
use crate::config::millis;
use crate::coordinator::Then;
use crate::group::Group;
use crate::layout::{Layout, Slot};
use crate::log::Payload;
use sim::story::{MarkKind, Rule};
use sim::{Nanos, Time};
use std::rc::Rc;

impl Group {
    /// Takes note of committed offsets, and of when.
    pub(crate) fn note_commit(&mut self, offsets: &[(Slot, u64)], at: Time) {
        self.offsets.extend(offsets.iter().copied());
        self.committed_at.extend(offsets.iter().map(|(slot, _)| (*slot, at)));
    }

    pub(crate) fn forget(&mut self, slots: &[Slot]) {
        for slot in slots {
            self.offsets.remove(slot);
            self.committed_at.remove(slot);
        }
    }

    /// Keeps in mind since when there is nobody, and when to look for what has expired.
    fn note_time(&mut self, now: Time, every: Nanos) {
        match self.subscribed() {
            Some(_) => self.empty_since = None,
            None => self.empty_since = self.empty_since.or(Some(now)),
        }
        if self.offsets.is_empty() {
            self.expiry_check = None;
        } else if self.expiry_check.is_none_or(|at| at <= now) {
            self.expiry_check = Some(now + every);
        }
    }

    /// Offsets of a group without members count from when it lost the last; of one with members those expire that
    /// nobody subscribed to, from when they were committed.
    fn expired(&self, layout: &Layout, now: Time) -> Vec<Slot> {
        let keep = Nanos::secs(layout.broker.offsets_retention_minutes.unsigned_abs().saturating_mul(60));
        let subscribed = self.subscribed();
        let old = |slot: &&Slot| {
            let committed = self.committed_at.get(*slot).copied().unwrap_or(Time::ZERO);
            let since = match &subscribed {
                Some(topics) if topics.contains(&layout.slots[**slot as usize]) => return false,
                Some(_) => committed,
                None => committed.max(self.empty_since.unwrap_or(now)),
            };
            now.since(since) >= keep
        };
        self.offsets.keys().filter(old).copied().collect()
    }
}

impl Broker {
    /// Looks for offsets that have expired, if it is time to.
    pub(crate) fn keep_offsets(&mut self, slot: Slot, id: &Rc<str>, fx: &mut Fx<'_>) {
        let every = millis(self.layout.broker.offsets_retention_check_interval_ms);
        let (layout, now) = (self.layout.clone(), fx.now());
        let Some(group) = self.coordinator.groups.get_mut(id) else { return };
        let due = group.expiry_check.is_some_and(|at| at <= now);
        group.note_time(now, every);
        let expired = if due { group.expired(&layout, now) } else { Vec::new() };
        if expired.is_empty() {
            return;
        }
        let payload = Payload::Expired(id.clone(), expired.clone());
        let bytes = 80 + 40 * expired.len() as u32;
        // What cannot be written now expires at the next look.
        let Ok(required) = self.append_own(slot, payload, bytes, fx) else { return };
        if let Some(group) = self.coordinator.groups.get_mut(id) {
            group.forget(&expired);
        }
        let values = vec![id.to_string(), expired.len().to_string()];
        fx.mark(MarkKind::Change, "offsets-expired", values, Rule("K-O3"));
        self.await_write(slot, required, Then::Nothing, fx);
    }
}
