//! The log cleaner: one thread a broker that compacts one log after the other (K-D5).

use crate::broker::{Broker, Fx};
use crate::config::millis;
use crate::layout::{Slot, Topic};
use crate::log::{Dirt, Wanted};
use crate::replica::Replica;
use crate::rpc::{BrokerWake, Wake};
use sim::story::{Life, MarkKind, Note, Rule};
use sim::{Nanos, Time};

impl Topic {
    fn wanted(&self, replica: &Replica, now: Time) -> Wanted {
        Wanted {
            now,
            last_stable: replica.last_stable(),
            min_lag: self.compaction.min_lag,
            max_lag: self.compaction.max_lag,
            delete_retention: self.compaction.delete_retention,
            segment_bytes: self.segment_bytes,
        }
    }
}

impl Broker {
    /// Begins once there is something to compact: a topic may be compacted from a change of its settings on (K-T6).
    pub(crate) fn start_cleaner(&mut self, fx: &mut Fx<'_>) {
        let topics = self.image.topics(&self.layout, self.me);
        if !self.cleaning && topics.iter().any(|topic| topic.compaction.enabled) {
            self.cleaning = true;
            fx.wake_in(self.cleaner_backoff(), Wake::Broker(BrokerWake::Clean));
        }
    }

    fn cleaner_backoff(&self) -> Nanos {
        millis(self.image.broker(&self.layout, self.me).log_cleaner_backoff_ms)
    }

    /// K-D5: the log with the most dirt among those with enough of it, or with something that waits for too long.
    fn dirtiest(&self, now: Time) -> Option<(Slot, Dirt, Wanted)> {
        let mut found: Option<(Slot, Dirt, Wanted)> = None;
        for (slot, replica) in &self.replicas {
            let topic = self.image.topic(&self.layout, self.me, *slot);
            if !topic.compaction.enabled {
                continue;
            }
            let wanted = topic.wanted(replica, now);
            let Some(dirt) = replica.log.dirt(&wanted) else { continue };
            let enough = dirt.overdue || dirt.ratio > topic.compaction.min_dirty;
            if enough && found.as_ref().is_none_or(|(_, most, _)| dirt.ratio > most.ratio) {
                found = Some((*slot, dirt, wanted));
            }
        }
        found
    }

    /// Compacts one log, or rests for `log.cleaner.backoff.ms`.
    pub(crate) fn clean(&mut self, fx: &mut Fx<'_>) {
        let Some((slot, dirt, wanted)) = self.dirtiest(fx.now()) else {
            fx.wake_in(self.cleaner_backoff(), Wake::Broker(BrokerWake::Clean));
            return;
        };
        let Some(replica) = self.replicas.get_mut(&slot) else { return };
        let done = replica.log.compact(dirt.upto, &wanted);
        let leads = replica.leads().is_some();
        // What is read is in the page cache for the most part: writing is what takes time.
        fx.write(done.bytes_written);
        fx.flush(done.bytes_written, Wake::Broker(BrokerWake::Clean));
        for id in &done.removed {
            fx.note(Note::Life(*id, Life::Deleted, Rule("K-D5")));
        }
        if leads {
            let values = vec![
                self.layout.label(slot),
                self.layout.name(self.me),
                done.upto.to_string(),
                done.removed.len().to_string(),
            ];
            fx.mark(MarkKind::Change, "compacted", values, Rule("K-D5"));
        }
    }
}
