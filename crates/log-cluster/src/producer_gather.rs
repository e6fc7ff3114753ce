//! A producer's application hands records over: they are gathered, or sending blocks (K-P1, K-T1, K-T3, K-T4).

use crate::accumulator::{HEADER, record_bytes};
use crate::client::Fx;
use crate::config::{PartitionerClass, millis};
use crate::error::Code;
use crate::log::Row;
use crate::partitioner::{LoadStats, consistent, next_sticky, partition_for_key};
use crate::producer::Producer;
use crate::rpc::{ClientWake, Wake};
use sim::Nanos;
use sim::story::{Life, MarkKind, MessageId, Note, Rule};
use sim::workload::Fresh;
use std::rc::Rc;

/// librdkafka: sticky.partitioning.linger.ms, 10 ms.
const STICKY_LINGER: Nanos = Nanos::millis(10);

/// The record that was gathered last, if it had neither a key nor a peculiarity: others like it take the same bytes.
#[derive(Copy, Clone, Debug)]
pub(crate) struct LastRecord {
    /// Bytes of the value.
    value: u32,
    /// Bytes in a batch.
    record: u32,
    batch_size: u64,
}

impl Producer {
    /// The application hands over a record. True if something may be ready to go.
    pub(crate) fn produce(&mut self, fresh: Fresh, fx: &mut Fx<'_>) -> bool {
        let key = fresh.key.unwrap_or(u32::MAX);
        fx.note(Note::Life(fresh.id, Life::Produced { key }, Rule("K-P1")));
        self.hand_over(fresh, fx)
    }

    /// The application hands over what is due. True if something may be ready to go.
    pub(crate) fn produce_due(&mut self, fx: &mut Fx<'_>) -> bool {
        let now = fx.now();
        let mut ready = false;
        // Records that went the short way and are not told of yet: the first one, and how many.
        let mut untold: Option<(MessageId, u32)> = None;
        let tell = |untold: Option<(MessageId, u32)>, fx: &mut Fx<'_>| {
            if let Some((first, count)) = untold {
                fx.note_run(first, count, Life::Produced { key: u32::MAX }, Rule("K-P1"));
            }
        };
        while let Some(fresh) = self.source.take_due(now) {
            if let Some(full) = self.gather_one_more(&fresh) {
                ready |= full;
                untold = Some(untold.map_or((fresh.id, 1), |(first, count)| (first, count + 1)));
            } else {
                tell(untold.take(), fx);
                ready |= self.produce(fresh, fx);
            }
        }
        tell(untold, fx);
        ready
    }

    /// K-P1: the short way of most records: one more like the last one, that fits into the batch that it was put into.
    /// `None` if it is not that simple.
    fn gather_one_more(&mut self, fresh: &Fresh) -> Option<bool> {
        let last = self.last.as_ref()?;
        if last.value != fresh.bytes || fresh.key.is_some() || fresh.null || !self.blocked.is_empty() {
            return None;
        }
        let partition = self.sticky.partition?;
        let full = self.gathered.append_on(partition, Row::new(fresh.id.sequence, None, false), last.record)?;
        self.sticky.produced(u64::from(last.record), last.batch_size, full);
        Some(full)
    }

    /// Takes a record to be sent, if a transaction is open or there are none. True if something may be ready to go.
    pub(crate) fn hand_over(&mut self, fresh: Fresh, fx: &mut Fx<'_>) -> bool {
        let Some(last) = self.take_part(&fresh, fx) else { return false };
        let ready = if self.is_too_large(&fresh) {
            // K-P3: `send()` fails at once.
            self.refuse(&[fresh.id], Code::MessageTooLarge, fx);
            false
        } else if self.blocked.is_empty() {
            self.gather(fresh, fx).unwrap_or_else(|| {
                self.blocked.push_back(fresh);
                self.block(fx);
                true
            })
        } else {
            self.blocked.push_back(fresh);
            false
        };
        if last {
            self.finish_transaction(fx);
        }
        ready || last
    }

    /// Whether a record by itself is more than a request, or the whole buffer, may hold.
    fn is_too_large(&self, fresh: &Fresh) -> bool {
        let bytes = i64::from(HEADER + record_bytes(fresh.key, if fresh.null { 0 } else { fresh.bytes }));
        bytes > self.config.max_request_size.min(self.config.buffer_memory)
    }

    /// K-P1: `send()` blocks, for memory or for metadata, up to `max.block.ms`.
    fn block(&mut self, fx: &mut Fx<'_>) {
        self.blocked_since = fx.now();
        fx.wake_in(millis(self.config.max_block_ms), Wake::Client(ClientWake::Blocked));
        if !self.blocked_told && !self.client.image.partitions.is_empty() {
            self.blocked_told = true;
            let values = vec![self.client.layout.name(fx.me().0)];
            fx.mark(MarkKind::Change, "producer-blocked", values, Rule("K-P1"));
        }
    }

    pub(crate) fn unblock(&mut self, fx: &mut Fx<'_>) {
        let limit = millis(self.config.max_block_ms);
        let mut moved = false;
        while let Some(fresh) = self.blocked.front().copied() {
            if let Some(ready) = self.gather(fresh, fx) {
                moved |= ready;
                self.blocked.pop_front();
                self.blocked_since = fx.now();
            } else if fx.now().since(self.blocked_since) >= limit {
                self.blocked.pop_front();
                fx.note(Note::Life(fresh.id, Life::Refused, Rule("K-P1")));
                if self.blocked.is_empty() {
                    break;
                }
                self.block(fx);
            } else {
                break;
            }
        }
        if self.blocked.is_empty() {
            self.blocked_told = false;
        }
        if moved {
            self.arm_pump(fx.now(), fx);
        }
    }

    /// K-T2: keys go by all partitions that the client knows of: more of them move keys from then on.
    pub(crate) fn count_partitions(&mut self) {
        let layout = &self.client.layout;
        let topic = layout.topics.iter().find(|topic| topic.first == self.first);
        self.partitions = topic.map_or(0, |topic| self.client.image.count(topic));
    }

    /// Appends a record to its partition's queue; `None` if that is not possible now.
    fn gather(&mut self, fresh: Fresh, fx: &mut Fx<'_>) -> Option<bool> {
        if self.partitions == 0 || self.client.image.partition(self.first).is_none() {
            return None;
        }
        let key = fresh.key.filter(|_| !self.config.partitioner_ignore_keys);
        let class = self.config.partitioner_class;
        let text = key.map(|key| format!("key-{key}"));
        let partition = match (class, &text) {
            (PartitionerClass::RoundRobin, _) => {
                self.turn = (self.turn + 1) % self.partitions;
                self.turn
            }
            // K-T1
            (PartitionerClass::Default, Some(key)) => partition_for_key(key.as_bytes(), self.partitions),
            (PartitionerClass::Default, None) => self.sticky_partition(fx),
            (PartitionerClass::ConsistentRandom, Some(key)) => consistent(key.as_bytes(), self.partitions),
            (PartitionerClass::ConsistentRandom, None) => self.random_partition(fx),
        };
        let every = self.tombstone_every;
        let null = fresh.null || (every > 0 && (fresh.id.sequence + 1).is_multiple_of(every));
        let bytes = record_bytes(fresh.key, if null { 0 } else { fresh.bytes });
        let row = Row::new(fresh.id.sequence, fresh.key, null);
        let batch_size = u32::try_from(self.config.batch_size).unwrap_or(0);
        let memory = self.config.buffer_memory.unsigned_abs();
        let (begun, full) = self.gathered.append(partition, row, bytes, batch_size, memory, fx.now())?;
        if key.is_none() && class == PartitionerClass::Default {
            let plain = fresh.key.is_none() && !null && every == 0 && self.transactions.is_none();
            let last = LastRecord { value: fresh.bytes, record: bytes, batch_size: batch_size.into() };
            self.last = plain.then_some(last);
            let all_full = self.gathered.all_full(partition);
            self.sticky.produced(u64::from(bytes), u64::from(batch_size), all_full);
        }
        Some(begun || full)
    }

    /// K-T5: one at random, for 10 ms; one without a leader is given up at once, and drawn once more if it comes.
    fn random_partition(&mut self, fx: &mut Fx<'_>) -> u32 {
        let led = |partition: u32| self.client.leader(self.first + partition).is_some();
        let (last, until) = self.drawn;
        if fx.now() < until && last < self.partitions && led(last) {
            return last;
        }
        let mut next = fx.dice().below(self.partitions.into()) as u32;
        if !led(next) {
            next = fx.dice().below(self.partitions.into()) as u32;
        }
        self.drawn = (next, fx.now() + STICKY_LINGER);
        next
    }

    /// K-T3, K-T4
    fn sticky_partition(&mut self, fx: &mut Fx<'_>) -> u32 {
        if let Some(partition) = self.sticky.partition {
            return partition;
        }
        let led = self.led();
        let stats = self.stats.as_ref().filter(|_| self.config.partitioner_adaptive_partitioning_enable);
        let next = next_sticky(stats, || led, self.partitions, fx.dice());
        self.sticky.partition = Some(next);
        next
    }

    /// K-T4: how busy the partitions with a leader are.
    pub(crate) fn weigh(&mut self) {
        if !self.config.partitioner_adaptive_partitioning_enable || self.partitions < 2 {
            return;
        }
        let led = self.led();
        let mut queues = std::mem::take(&mut self.weights);
        queues.clear();
        let all = &self.gathered.queues[..self.partitions as usize];
        if led.len() == all.len() {
            queues.extend(all.iter().map(|queue| queue.len() as u32));
        } else {
            queues.extend(led.iter().map(|partition| all[*partition as usize].len() as u32));
        }
        let old = match LoadStats::of(queues, led, self.partitions as usize) {
            Ok(stats) => self.stats.replace(stats).map(LoadStats::into_memory),
            Err(memory) => {
                self.stats = None;
                Some(memory)
            }
        };
        self.weights = old.unwrap_or_default();
    }

    /// The partitions with a leader.
    fn led(&mut self) -> Rc<[u32]> {
        let (image, partitions) = (&self.client.image, self.partitions);
        if !Rc::ptr_eq(&self.led.0, image) || self.led.1 != partitions {
            let led = (0..partitions).filter(|partition| image.leader(self.first + partition).is_some()).collect();
            self.led = (image.clone(), partitions, led);
        }
        self.led.2.clone()
    }
}
