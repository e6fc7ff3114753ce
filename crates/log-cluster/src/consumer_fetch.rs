//! How a consumer fetches, and what it takes of what it fetched (K-C1 to K-C3, K-C5).

use crate::client::Fx;
use crate::config::{IsolationLevel, OffsetReset, millis};
use crate::consumer::{Asked, Assigned, Consumer, InHand};
use crate::error::Code;
use crate::layout::Slot;
use crate::log::{Payload, Row};
use crate::rpc::{Fetch, FetchPart, Fetched, Request};
use crate::transactions::readable;
use sim::story::{FlightKind, Life, Look, MarkKind, MessageId, Rule};
use std::collections::BTreeMap;

impl Consumer {
    /// K-C3: at most `max.poll.records` of what is buffered, partition by partition.
    pub(crate) fn take_records(&mut self) {
        let most = self.hand.most.map_or(self.poll_records as usize, usize::from);
        let count = self.assigned.len();
        let start = if count == 0 { 0 } else { self.rotate as usize % count };
        let (full, revoking) = (self.in_hand.len() >= most, &self.membership.modern.revoking);
        // What has nothing buffered gets its turn, but there is nothing to do then.
        let worth = |assigned: &Assigned| assigned.position.is_some() && (full || !assigned.buffered.is_empty());
        let slots =
            (0..).zip(&self.assigned).filter(|(_, (slot, assigned))| worth(assigned) && !revoking.contains(slot));
        let turns: Vec<(usize, Slot)> = slots.map(|(place, (slot, _))| (place, *slot)).collect();
        let (later, first) = turns.split_at(turns.partition_point(|(place, _)| *place < start));
        for (place, slot) in first.iter().chain(later).copied() {
            let turn = (place + count - start) % count;
            let Some(assigned) = self.assigned.get_mut(&slot) else { continue };
            let Some(mut position) = assigned.position else { continue };
            while self.in_hand.len() < most {
                let Some(entry) = assigned.buffered.front() else { break };
                let skip = position.saturating_sub(entry.base) as usize;
                let room = most - self.in_hand.len();
                let bytes = entry.batch.bytes / entry.batch.count().max(1) as u32;
                let in_hand = |(delta, id, key)| InHand { slot, offset: entry.base + delta, id, key, bytes };
                let end = entry.end();
                if let Payload::Messages(producer, rows) = &entry.batch.payload {
                    let skip = skip.min(rows.len());
                    let taken = room.min(rows.len() - skip);
                    let record = |(delta, row): (u64, &Row)| {
                        let id = MessageId { producer: *producer, sequence: row.sequence };
                        in_hand((delta, id, row.key().unwrap_or(u32::MAX)))
                    };
                    self.in_hand.extend((skip as u64..).zip(&rows[skip..skip + taken]).map(record));
                    position = entry.base + (skip + taken) as u64;
                } else {
                    let mut records = entry.batch.records(skip);
                    self.in_hand.extend(records.by_ref().take(room).map(in_hand));
                    // What compaction took, and what is not for applications, is passed over.
                    position = records.next().map_or(end, |(delta, _, _)| entry.base + delta);
                }
                if position >= end {
                    assigned.buffered.pop_front();
                }
            }
            assigned.position = Some(position);
            if self.in_hand.len() >= most {
                self.rotate = self.rotate.wrapping_add(turn as u32);
                break;
            }
        }
    }

    /// K-C2: one fetch to each broker at a time, and none while something of it is buffered.
    pub(crate) fn fetch(&mut self, fx: &mut Fx<'_>) {
        if self.stopping {
            return;
        }
        // Leaders, and what to ask them for; nothing of those that are asked already, or of which something is buffered.
        let mut wanted: BTreeMap<u16, Option<Vec<FetchPart>>> = BTreeMap::new();
        let fetching = self.client.all_waiting_at().filter(|(_, asked)| matches!(asked, Asked::Fetch));
        wanted.extend(fetching.map(|(leader, _)| (leader, None)));
        let mut stale = false;
        let revoking = &self.membership.modern.revoking;
        for (slot, assigned) in self.assigned.iter().filter(|(slot, _)| !revoking.contains(slot)) {
            let Some((leader, leader_epoch)) = self.client.leader(*slot) else {
                stale = true;
                continue;
            };
            if !assigned.buffered.is_empty() {
                wanted.insert(leader, None);
            } else if assigned.position.is_some()
                && let Some(parts) = wanted.entry(leader).or_insert_with(|| Some(Vec::new()))
            {
                let part = FetchPart { slot: *slot, offset: assigned.fetch_from, leader_epoch, last_epoch: None };
                parts.push(part);
            }
        }
        for (leader, parts) in wanted {
            let Some(parts) = parts else { continue };
            let fetch = Fetch {
                replica: None,
                max_wait: millis(self.config.fetch_max_wait_ms),
                min_bytes: self.config.fetch_min_bytes.unsigned_abs(),
                max_bytes: self.config.fetch_max_bytes.unsigned_abs(),
                partition_bytes: self.config.max_partition_fetch_bytes.unsigned_abs(),
                committed_only: self.config.isolation_level == IsolationLevel::ReadCommitted,
                parts,
            };
            let look = Look::plain(FlightKind::Fetch);
            self.client.ask(leader, Request::Fetch(Box::new(fetch)), Asked::Fetch, 100, look, fx);
        }
        if stale {
            self.client.refresh(fx);
        }
        self.seek(fx);
    }

    /// Looks for the positions of partitions that have none: the committed ones, else by `auto.offset.reset`.
    fn seek(&mut self, fx: &mut Fx<'_>) {
        if self.membership.offsets_wanted {
            self.ask_for_offsets(fx);
        }
        let unknown: Vec<Slot> = self
            .assigned
            .iter()
            .filter(|(_, assigned)| assigned.position.is_none() && assigned.seeking)
            .map(|(slot, _)| *slot)
            .collect();
        if self.config.auto_offset_reset == OffsetReset::None && !unknown.is_empty() {
            // K-C5: nobody has said where to begin.
            return self.fail("NoOffsetForPartitionException", fx);
        }
        let rests = |slot: &Slot| self.assigned.get(slot).is_some_and(|assigned| assigned.seeks_from > fx.now());
        for slot in unknown.into_iter().filter(|slot| !rests(slot)).collect::<Vec<Slot>>() {
            let asked = self.client.all_waiting().any(|asked| matches!(asked, Asked::Offset(of) if *of == slot));
            if let Some((leader, _)) = self.client.leader(slot).filter(|_| !asked) {
                let request = Request::ListOffset(slot, self.config.auto_offset_reset, self.config.isolation_level);
                let look = Look::plain(FlightKind::Control);
                self.client.ask(leader, request, Asked::Offset(slot), 60, look, fx);
            }
        }
    }

    /// Nobody could say where to begin. Each time it is asked again after `retry.backoff.ms`, which does not double here
    /// (OffsetFetcher.java, OffsetsRequestManager.java).
    pub(crate) fn position_unknown(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        if let Some(assigned) = self.assigned.get_mut(&slot) {
            assigned.seeks_from = fx.now() + self.client.waits.retry;
        }
        self.try_later(fx);
    }

    /// K-C5: a position by `auto.offset.reset`.
    pub(crate) fn reset_to(&mut self, slot: Slot, offset: u64, fx: &mut Fx<'_>) {
        let Some(assigned) = self.assigned.get_mut(&slot).filter(|assigned| assigned.position.is_none()) else {
            return;
        };
        assigned.position = Some(offset);
        assigned.fetch_from = offset;
        assigned.seeking = false;
        let skipped = self.config.auto_offset_reset == OffsetReset::Latest && offset > 0;
        if skipped || assigned.committed.is_some() {
            let layout = &self.client.layout;
            let values = vec![layout.label(slot), layout.name(fx.me().0), offset.to_string()];
            fx.mark(MarkKind::Change, "offset-reset", values, Rule("K-C5"));
        }
    }

    /// Takes up committed offsets; what has none is looked for.
    pub(crate) fn take_offsets(&mut self, offsets: Vec<(Slot, Option<u64>)>) {
        for (slot, offset) in offsets {
            let Some(assigned) = self.assigned.get_mut(&slot).filter(|assigned| assigned.position.is_none()) else {
                continue;
            };
            assigned.committed = offset;
            assigned.position = offset;
            assigned.fetch_from = offset.unwrap_or(0);
            assigned.committing = offset.unwrap_or(0);
            assigned.seeking = offset.is_none();
        }
    }

    pub(crate) fn take_fetched(&mut self, part: Fetched, fx: &mut Fx<'_>) {
        let Some(assigned) = self.assigned.get_mut(&part.slot).filter(|assigned| assigned.position.is_some()) else {
            return;
        };
        match part.error {
            Some(Code::OffsetOutOfRange) if self.config.auto_offset_reset == OffsetReset::None => {
                // K-C5: its position is nowhere in the log, and nobody has said where to go on.
                return self.fail("OffsetOutOfRangeException", fx);
            }
            Some(Code::OffsetOutOfRange) => {
                assigned.position = None;
                assigned.seeking = true;
                assigned.buffered.clear();
                return;
            }
            Some(_) => {
                // K-T8: who is named instead is asked at once.
                if part.leader.is_some_and(|leader| self.client.hear_of(part.slot, leader)) {
                    return self.client.refresh(fx);
                }
                return self.try_later(fx);
            }
            None => {}
        }
        let committed_only = self.config.isolation_level == IsolationLevel::ReadCommitted;
        let limit = if committed_only { part.last_stable } else { part.high_watermark };
        assigned.high_watermark = assigned.high_watermark.max(limit);
        if part.asked != assigned.fetch_from {
            return; // Asked for before the position was changed.
        }
        for entry in readable(part.entries, &part.aborted) {
            let skip = assigned.fetch_from.saturating_sub(entry.base) as usize;
            let life = Life::Delivered { reader: self.reader, consumer: self.index, redelivered: false };
            entry.batch.tell(skip, life, Rule("K-C1"), fx);
            assigned.fetch_from = entry.end();
            assigned.buffered.push_back(entry);
        }
    }
}
