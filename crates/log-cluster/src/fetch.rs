//! Serving fetches, of followers and of consumers (K-C1, K-R1, K-L2, K-L3).

use crate::broker::{Broker, FetchWait, Fx};
use crate::config::{IsolationLevel, OffsetReset, millis};
use crate::error::Code;
use crate::layout::Slot;
use crate::log::Entry;
use crate::rpc::{BrokerWake, Fetch, FetchPart, Fetched, Response, Ticket, Wake};
use sim::Nanos;
use sim::story::{FlightKind, Life, Look, Rule};

/// What an answer to a fetch would be now.
struct Reading {
    parts: Vec<Fetched>,
    bytes: u64,
    /// Whether something must be told at once: an error, or a divergence.
    urgent: bool,
}

impl Broker {
    pub(crate) fn on_fetch(&mut self, from: u16, ticket: Ticket, fetch: Box<Fetch>, fx: &mut Fx<'_>) {
        if let Some(broker_epoch) = fetch.replica {
            self.hear_follower(from, broker_epoch, &fetch.parts, fx);
        }
        if let Some(old) = self.fetches.remove(&from) {
            fx.cancel(old.alarm);
        }
        if let Some(wait) = self.remote_wait(&fetch) {
            let alarm = fx.wake_in(wait, Wake::Broker(BrokerWake::FetchExpires(from, ticket)));
            self.fetches.insert(from, FetchWait { ticket, fetch, alarm, remote: true });
            return;
        }
        let reading = self.read_for(from, ticket, &fetch, false);
        if reading.urgent || reading.bytes >= fetch.min_bytes.max(1) || fetch.max_wait == Nanos::ZERO {
            return self.answer_fetch(from, ticket, &fetch, reading, fx);
        }
        let alarm = fx.wake_in(fetch.max_wait, Wake::Broker(BrokerWake::FetchExpires(from, ticket)));
        self.fetches.insert(from, FetchWait { ticket, fetch, alarm, remote: false });
    }

    /// K-R1, K-R4: what a follower's fetch tells of it: it may join the in-sync set, and let the high watermark move.
    fn hear_follower(&mut self, from: u16, broker_epoch: u64, parts: &[FetchPart], fx: &mut Fx<'_>) {
        let (now, me) = (fx.now(), self.me);
        let image = self.image.clone();
        for part in parts {
            let Some(replica) = self.replicas.get_mut(&part.slot) else { continue };
            if replica.leads().is_none() || part.leader_epoch != replica.leader_epoch || diverges(replica, part) {
                continue;
            }
            let news = replica.leads().is_some_and(|leadership| {
                let known = leadership.followers.iter().find(|follower| follower.id == from);
                known.is_some_and(|known| known.log_end != Some(part.offset)) || !leadership.isr.contains(&from)
            });
            replica.hear_follower(from, part.offset, broker_epoch, now);
            if let Some(isr) = replica.recovered(me) {
                self.propose_isr(part.slot, isr, fx);
                continue;
            }
            let wider = replica.expanded(from, &|follower| Broker::eligible(&image, follower));
            if let Some(isr) = wider {
                self.propose_isr(part.slot, isr, fx);
            }
            if news {
                self.settle_partition(part.slot, fx);
            }
        }
    }

    fn read_for(&self, from: u16, ticket: Ticket, fetch: &Fetch, all: bool) -> Reading {
        let mut reading = Reading { parts: Vec::new(), bytes: 0, urgent: false };
        let count = fetch.parts.len();
        let start = if count == 0 { 0 } else { ticket as usize % count };
        for place in 0..count {
            let part = &fetch.parts[(start + place) % count];
            let room = fetch.max_bytes.saturating_sub(reading.bytes).min(fetch.partition_bytes);
            if reading.bytes > 0 && room == 0 {
                break;
            }
            let fetched = self.read_part(fetch, part, room);
            let bytes: u64 = fetched.entries.iter().map(|entry| u64::from(entry.batch.bytes)).sum();
            reading.bytes += bytes;
            let urgent = fetched.error.is_some() || fetched.diverging.is_some();
            reading.urgent |= urgent;
            if urgent || bytes > 0 || all || self.owes_high_watermark(from, part.slot) {
                reading.parts.push(fetched);
            }
        }
        reading
    }

    /// Whether a follower was not told yet how far the high watermark is.
    fn owes_high_watermark(&self, from: u16, slot: Slot) -> bool {
        self.replicas.get(&slot).is_some_and(|replica| {
            let told = replica.leads().and_then(|lead| lead.followers.iter().find(|follower| follower.id == from));
            told.is_some_and(|follower| follower.told != replica.high_watermark)
        })
    }

    fn read_part(&self, fetch: &Fetch, part: &FetchPart, room: u64) -> Fetched {
        let follower = fetch.replica.is_some();
        let Some(replica) = self.replicas.get(&part.slot).filter(|replica| replica.leads().is_some()) else {
            let leader = self.image.leader(part.slot);
            return Fetched { leader, ..Fetched::refused(part.slot, Code::NotLeaderOrFollower) };
        };
        let log = &replica.log;
        let mut fetched = Fetched {
            slot: part.slot,
            asked: part.offset,
            error: None,
            leader: None,
            high_watermark: replica.high_watermark,
            last_stable: replica.last_stable(),
            aborted: Vec::new(),
            span: (log.start(), log.end()),
            diverging: None,
            remote: log.remote().filter(|_| follower),
            entries: Vec::new(),
        };
        let limit = fetch_limit(fetch, replica);
        // K-L2: an older epoch is fenced off, a newer one is not known here yet.
        if part.leader_epoch != replica.leader_epoch {
            let older = part.leader_epoch < replica.leader_epoch;
            fetched.error = Some(if older { Code::FencedLeaderEpoch } else { Code::UnknownLeaderEpoch });
            fetched.leader = older.then_some((self.me, replica.leader_epoch));
        } else if part.offset < log.start() {
            fetched.error = Some(Code::OffsetOutOfRange);
        } else if follower && part.offset < log.local_start() {
            // K-Z1: a new follower begins where the leader's disk begins.
            fetched.error = Some(Code::OffsetMovedToTieredStorage);
            fetched.span.0 = log.local_start();
        } else if follower && diverges(replica, part) {
            fetched.diverging = part.last_epoch.and_then(|epoch| log.epoch_end(epoch));
            if fetched.diverging.is_none() {
                fetched.error = Some(Code::OffsetOutOfRange);
            }
        } else if part.offset > log.end() {
            fetched.error = Some(Code::OffsetOutOfRange);
        } else {
            log.fetch(part.offset, limit, room, &mut fetched.entries);
            if fetch.committed_only
                && let Some(last) = fetched.entries.last()
            {
                fetched.aborted = log.transactions.aborted_in(part.offset, last.end());
            }
        }
        fetched
    }

    /// Answers fetches that waited for this partition and have enough now.
    pub(crate) fn complete_fetches(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        if self.fetches.is_empty() {
            return;
        }
        let waits = |wait: &FetchWait| !wait.remote && wait.fetch.parts.iter().any(|part| part.slot == slot);
        let touched: Vec<u16> = self.fetches.iter().filter(|(_, wait)| waits(wait)).map(|(from, _)| *from).collect();
        for from in touched {
            let Some(wait) = self.fetches.get(&from) else { continue };
            if !self.has_enough(&wait.fetch, slot) {
                continue;
            }
            if let Some(wait) = self.fetches.remove(&from) {
                fx.cancel(wait.alarm);
                let reading = self.read_for(from, wait.ticket, &wait.fetch, false);
                self.answer_fetch(from, wait.ticket, &wait.fetch, reading, fx);
            }
        }
    }

    /// K-C1: whether there is as much as a fetch waits for, or the leadership of this partition is over.
    fn has_enough(&self, fetch: &Fetch, slot: Slot) -> bool {
        let mut sum = 0;
        for part in &fetch.parts {
            let Some(replica) = self.replicas.get(&part.slot).filter(|replica| replica.leads().is_some()) else {
                if part.slot == slot {
                    return true;
                }
                continue;
            };
            if part.leader_epoch != replica.leader_epoch && part.slot == slot {
                return true;
            }
            let limit = fetch_limit(fetch, replica);
            if part.offset < limit {
                if fetch.min_bytes <= 1 {
                    return true;
                }
                sum += replica.log.has_bytes(part.offset, limit, fetch.min_bytes);
                if sum >= fetch.min_bytes {
                    return true;
                }
            }
        }
        false
    }

    pub(crate) fn fetch_expired(&mut self, from: u16, ticket: Ticket, fx: &mut Fx<'_>) {
        if self.fetches.get(&from).is_some_and(|wait| wait.ticket == ticket)
            && let Some(wait) = self.fetches.remove(&from)
        {
            let reading = self.read_for(from, ticket, &wait.fetch, wait.fetch.replica.is_none());
            self.answer_fetch(from, ticket, &wait.fetch, reading, fx);
        }
    }

    fn answer_fetch(&mut self, from: u16, ticket: Ticket, fetch: &Fetch, reading: Reading, fx: &mut Fx<'_>) {
        let follower = fetch.replica.is_some();
        for part in reading.parts.iter().filter(|_| follower) {
            let lead = self.replicas.get_mut(&part.slot).and_then(|replica| replica.leads_mut());
            if let Some(known) = lead.and_then(|lead| lead.followers.iter_mut().find(|known| known.id == from)) {
                known.told = part.high_watermark;
            }
        }
        let count = reading.parts.iter().flat_map(|part| &part.entries).map(|entry| entry.batch.count()).sum::<u64>();
        let kind = match (follower, count) {
            (_, 0) => FlightKind::Fetch,
            (true, _) => FlightKind::Replicate,
            (false, _) => FlightKind::Deliver,
        };
        let look = Look::of(kind, hue(reading.parts.iter().flat_map(|part| &part.entries)), count as usize);
        let bytes = u32::try_from(reading.bytes).unwrap_or(u32::MAX).saturating_add(100);
        self.answer(from, ticket, Response::Fetched(reading.parts), bytes, look, fx);
    }

    pub(crate) fn list_offset(
        &mut self,
        (from, ticket): (u16, Ticket),
        slot: Slot,
        which: OffsetReset,
        level: IsolationLevel,
        fx: &mut Fx<'_>,
    ) {
        let replica = self.replicas.get(&slot).filter(|replica| replica.leads().is_some());
        let now = fx.now();
        let offset = replica.map(|replica| {
            let committed = level == IsolationLevel::ReadCommitted;
            let end = if committed { replica.last_stable() } else { replica.high_watermark };
            match which {
                OffsetReset::Earliest => replica.log.start(),
                OffsetReset::Latest | OffsetReset::None => end,
                OffsetReset::ByDuration(age) => {
                    let young = |entry: &&Entry| now.since(entry.batch.created) <= age;
                    let first = replica.log.read(replica.log.start()).find(young);
                    first.map_or(end, |entry| entry.base.min(end))
                }
            }
        });
        let answer = Response::Offset(slot, offset.ok_or(Code::NotLeaderOrFollower));
        self.answer(from, ticket, answer, 60, Look::plain(FlightKind::Control), fx);
    }

    /// K-D2: every `log.retention.check.interval.ms`.
    pub(crate) fn retain(&mut self, fx: &mut Fx<'_>) {
        let wait = millis(self.layout.broker.log_retention_check_interval_ms);
        fx.wake_in(wait, Wake::Broker(BrokerWake::Retention));
        let now = fx.now();
        let (layout, image) = (self.layout.clone(), self.image.clone());
        for (slot, replica) in &mut self.replicas {
            let topic = image.topic(&layout, self.me, *slot);
            let mark = replica.high_watermark;
            let start = replica.log.expired(now, topic.retention, topic.retention_bytes, mark);
            if start > replica.log.start() {
                if replica.leads().is_some() && !topic.internal {
                    for entry in replica.log.read(replica.log.start()).take_while(|entry| entry.end() <= start) {
                        entry.batch.tell(0, Life::Deleted, Rule("K-D2"), fx);
                    }
                }
                replica.log.advance_start(start);
                let values = vec![layout.label(*slot), layout.name(self.me), start.to_string()];
                fx.mark(sim::story::MarkKind::Change, "retention", values, sim::story::Rule("K-D2"));
            }
        }
        self.expire_local(fx);
    }
}

/// How far a log is read: followers see all, consumers what is below the high watermark, and those of committed
/// records what is below the last stable offset (K-X6).
fn fetch_limit(fetch: &Fetch, replica: &crate::replica::Replica) -> u64 {
    match (fetch.replica, fetch.committed_only) {
        (Some(_), _) => replica.log.end(),
        (None, true) => replica.last_stable(),
        (None, false) => replica.high_watermark,
    }
}

/// K-L3: whether a follower's log parts from the leader's before the offset that it asks for.
fn diverges(replica: &crate::replica::Replica, part: &FetchPart) -> bool {
    let Some(last) = part.last_epoch else { return false };
    replica.log.epoch_end(last).is_none_or(|(epoch, end)| epoch < last || end < part.offset)
}

/// The hue of what flies: the key's if it is a single message, else none.
pub(crate) fn hue<'a>(entries: impl Iterator<Item = &'a Entry>) -> u8 {
    let mut keys = entries.flat_map(|entry| entry.batch.messages(0)).map(|(_, key)| key).take(2);
    match (keys.next(), keys.next()) {
        (Some(key), None) if key != u32::MAX => (key % 8) as u8,
        _ => 255,
    }
}
