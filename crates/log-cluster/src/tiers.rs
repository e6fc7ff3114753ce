//! Tiered storage: leaders copy closed segments to remote storage, and serve from there what their disks no longer have
//! (K-Z1).

use crate::broker::{Broker, Fx};
use crate::config::millis;
use crate::layout::Slot;
use crate::rpc::{BrokerWake, Fetch, Wake};
use sim::Nanos;
use sim::story::{MarkKind, Rule};

impl Broker {
    pub(crate) fn start_tiers(&mut self, fx: &mut Fx<'_>) {
        if self.layout.topics.iter().any(|topic| topic.tier.is_some()) {
            fx.wake_in(self.tier_interval(), Wake::Broker(BrokerWake::TierTask));
        }
    }

    fn tier_interval(&self) -> Nanos {
        millis(self.layout.broker.remote_log_manager_task_interval_ms)
    }

    /// Every `remote.log.manager.task.interval.ms` a leader looks what there is to copy.
    pub(crate) fn tier_task(&mut self, fx: &mut Fx<'_>) {
        fx.wake_in(self.tier_interval(), Wake::Broker(BrokerWake::TierTask));
        let tiered = |slot: &&Slot| self.image.topic(&self.layout, self.me, **slot).tier.is_some();
        let slots: Vec<Slot> = self.replicas.keys().filter(tiered).copied().collect();
        for slot in slots {
            self.copy_next(slot, fx);
        }
    }

    /// Begins to copy the next closed segment below the last stable offset, unless one is being copied.
    fn copy_next(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        let costs = &self.layout.costs;
        let Some(replica) = self.replicas.get_mut(&slot).filter(|replica| replica.leads().is_some()) else { return };
        if replica.copying == Some(replica.leader_epoch) {
            return;
        }
        let Some((end, bytes)) = replica.log.to_copy(replica.last_stable()) else { return };
        replica.copying = Some(replica.leader_epoch);
        let takes = costs.remote_latency + Nanos(costs.remote_kilobyte.0.saturating_mul(bytes) / 1_000);
        fx.wake_in(takes, Wake::Broker(BrokerWake::Copied(slot, end, replica.leader_epoch)));
    }

    pub(crate) fn copied(&mut self, slot: Slot, end: u64, epoch: i32, fx: &mut Fx<'_>) {
        let Some(replica) = self.replicas.get_mut(&slot) else { return };
        if replica.copying != Some(epoch) {
            return;
        }
        replica.copying = None;
        if replica.leads().is_none() || replica.leader_epoch != epoch {
            return;
        }
        replica.log.mark_copied(end);
        let values = vec![self.layout.label(slot), self.layout.name(self.me), end.to_string()];
        fx.mark(MarkKind::Change, "tier-copied", values, Rule("K-Z1"));
        self.copy_next(slot, fx);
    }

    /// What the broker's own disk need not keep goes from it.
    pub(crate) fn expire_local(&mut self, fx: &mut Fx<'_>) {
        let now = fx.now();
        let (layout, image) = (self.layout.clone(), self.image.clone());
        for (slot, replica) in &mut self.replicas {
            let Some(tier) = &image.topic(&layout, self.me, *slot).tier else { continue };
            if replica.log.expire_local(now, tier.local_retention, tier.local_bytes) && replica.leads().is_some() {
                let local = replica.log.local_start().to_string();
                let values = vec![layout.label(*slot), layout.name(self.me), local];
                fx.mark(MarkKind::Change, "tier-only", values, Rule("K-Z1"));
            }
        }
    }

    /// How long a consumer's fetch waits for remote storage, if it asks for what is only there.
    pub(crate) fn remote_wait(&self, fetch: &Fetch) -> Option<Nanos> {
        if fetch.replica.is_some() {
            return None;
        }
        let remote = fetch.parts.iter().any(|part| {
            let log = self.replicas.get(&part.slot).filter(|replica| replica.leads().is_some()).map(|r| &r.log);
            log.is_some_and(|log| (log.start()..log.local_start()).contains(&part.offset))
        });
        remote.then_some(self.layout.costs.remote_latency)
    }
}
