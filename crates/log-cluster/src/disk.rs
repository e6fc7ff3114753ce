//! What reaches the disk when: nothing waits for it by default (K-F1), so what a power loss takes is told here (K-F2).

use crate::broker::{Broker, Fx};
use crate::config::millis;
use crate::layout::Slot;
use crate::rpc::{BrokerWake, Wake};
use sim::Nanos;

/// How often the operating system looks for old pages (Linux: vm.dirty_writeback_centisecs, 5 s).
const WRITEBACK: Nanos = Nanos::secs(5);
/// How old a page gets before it is written back (Linux: vm.dirty_expire_centisecs, 30 s).
const WRITEBACK_AGE: Nanos = Nanos::secs(30);

impl Broker {
    pub(crate) fn start_disk_timers(&mut self, fx: &mut Fx<'_>) {
        let broker = &self.layout.broker;
        let checkpoint = millis(broker.replica_high_watermark_checkpoint_interval_ms);
        fx.wake_in(checkpoint, Wake::Broker(BrokerWake::Checkpoint));
        fx.wake_in(WRITEBACK, Wake::Broker(BrokerWake::Writeback));
        fx.wake_in(millis(broker.log_retention_check_interval_ms), Wake::Broker(BrokerWake::Retention));
        self.start_cleaner(fx);
        self.start_tiers(fx);
    }

    /// K-A7: high watermarks are written down every 5 s.
    pub(crate) fn checkpoint(&mut self, fx: &mut Fx<'_>) {
        let wait = millis(self.layout.broker.replica_high_watermark_checkpoint_interval_ms);
        fx.wake_in(wait, Wake::Broker(BrokerWake::Checkpoint));
        self.replicas.values_mut().for_each(|replica| replica.checkpoint = replica.high_watermark);
    }

    /// The operating system writes back what is old, whatever the broker wants.
    pub(crate) fn write_back(&mut self, fx: &mut Fx<'_>) {
        fx.wake_in(WRITEBACK, Wake::Broker(BrokerWake::Writeback));
        let now = fx.now();
        let mut due = Vec::new();
        for (slot, replica) in &mut self.replicas {
            let end = replica.log.end();
            if replica.written.back().map_or(replica.log.flushed(), |(_, upto)| *upto) < end {
                replica.written.push_back((now, end));
            }
            let mut upto = None;
            while replica.written.front().is_some_and(|(at, _)| now.since(*at) >= WRITEBACK_AGE) {
                upto = replica.written.pop_front().map(|(_, end)| end);
            }
            due.extend(upto.filter(|upto| *upto > replica.log.flushed()).map(|upto| (*slot, upto)));
        }
        for (slot, upto) in due {
            self.flush_log(slot, upto, fx);
        }
    }

    fn flush_log(&mut self, slot: Slot, upto: u64, fx: &mut Fx<'_>) {
        if let Some(replica) = self.replicas.get(&slot) {
            let bytes = replica.log.unflushed_bytes(upto);
            fx.flush(bytes, Wake::Broker(BrokerWake::Flushed(slot, upto, replica.leader_epoch)));
        }
    }

    /// A flush came through. If the log was truncated meanwhile it reaches less far.
    pub(crate) fn flushed(&mut self, slot: Slot, upto: u64, epoch: i32) {
        if let Some(replica) = self.replicas.get_mut(&slot)
            && replica.leader_epoch == epoch
        {
            replica.log.mark_flushed(upto);
        }
    }

    /// K-F1: flushes that were asked for, by count or by time; and a closed segment is flushed, after the fact.
    pub(crate) fn after_append(&mut self, slot: Slot, closed_at: Option<u64>, fx: &mut Fx<'_>) {
        let topic = self.image.topic(&self.layout, self.me, slot);
        let (messages, after) = (topic.flush_messages, topic.flush_after);
        // Kafka's default: by count means never.
        if messages >= i64::MAX.unsigned_abs() && after.is_none() && closed_at.is_none() {
            return;
        }
        let Some(replica) = self.replicas.get_mut(&slot) else { return };
        let end = replica.log.end();
        if end - replica.log.flushed() >= messages {
            return self.flush_log(slot, end, fx);
        }
        if let Some(upto) = closed_at {
            return self.flush_log(slot, upto, fx);
        }
        if let Some(after) = after
            && !replica.flush_armed
        {
            replica.flush_armed = true;
            fx.wake_in(after, Wake::Broker(BrokerWake::FlushTick(slot)));
        }
    }

    pub(crate) fn flush_tick(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        if let Some(replica) = self.replicas.get_mut(&slot) {
            replica.flush_armed = false;
            let end = replica.log.end();
            self.flush_log(slot, end, fx);
        }
    }

    /// A stop in good order: everything goes to the disk, and the high watermarks with it.
    pub(crate) fn farewell(&mut self, fx: &mut Fx<'_>) {
        let bytes = self.replicas.values().map(|replica| replica.log.unflushed_bytes(replica.log.end())).sum();
        fx.flush(bytes, Wake::Broker(BrokerWake::Farewell));
    }

    pub(crate) fn exit(&mut self, fx: &mut Fx<'_>) {
        for replica in self.replicas.values_mut() {
            let end = replica.log.end();
            replica.log.mark_flushed(end);
            replica.checkpoint = replica.high_watermark;
        }
        self.clean_epoch = self.control.epoch;
        fx.exit();
    }
}
