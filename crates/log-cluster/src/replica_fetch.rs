//! Followers: they pull from the leader, append what comes, and truncate where they diverge (K-R1, K-L3 to K-L5).

use crate::broker::{Broker, Fx};
use crate::config::millis;
use crate::error::Code;
use crate::layout::Slot;
use crate::replica::Replica;
use crate::rpc::{BrokerWake, Fetch, FetchPart, Fetched, Message, Request, Ticket, Wake};
use crate::server::post;
use sim::story::{FlightKind, Look};
use sim::{Alarm, Nanos, NodeId, Time};
use std::collections::BTreeMap;

/// How long a leader may leave a fetch unanswered (Kafka: replica.socket.timeout.ms, 30 s).
const SILENCE: Nanos = Nanos::secs(30);

/// What a broker pulls from one leader.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fetcher {
    /// The partitions, and until when each is left alone.
    pub slots: BTreeMap<Slot, Time>,
    /// The fetch that is under way, and until when it is waited for.
    in_flight: Option<(Ticket, Time, Alarm)>,
    again: Option<Alarm>,
}

impl Broker {
    pub(crate) fn start_fetching(&mut self, slot: Slot, leader: u16, fx: &mut Fx<'_>) {
        self.fetchers.entry(leader).or_default().slots.insert(slot, Time::ZERO);
        self.send_fetch(leader, fx);
    }

    pub(crate) fn stop_fetching(&mut self, slot: Slot) {
        for fetcher in self.fetchers.values_mut() {
            fetcher.slots.remove(&slot);
        }
    }

    /// Sends the next fetch to a leader, unless one is under way.
    pub(crate) fn send_fetch(&mut self, leader: u16, fx: &mut Fx<'_>) {
        let now = fx.now();
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        if fetcher.in_flight.is_some() || fetcher.slots.is_empty() {
            return;
        }
        if !fx.is_connected(NodeId(leader)) {
            return self.dialer.want(leader, fx);
        }
        let mut parts = Vec::with_capacity(fetcher.slots.len());
        let mut next = Time::NEVER;
        for (slot, until) in &fetcher.slots {
            if *until > now {
                next = next.min(*until);
            } else if let Some(replica) = self.replicas.get(slot) {
                parts.push(FetchPart {
                    slot: *slot,
                    offset: replica.log.end(),
                    leader_epoch: replica.leader_epoch,
                    last_epoch: replica.log.last_epoch(),
                });
            }
        }
        if let Some(old) = fetcher.again.take() {
            fx.cancel(old);
        }
        if next != Time::NEVER {
            fetcher.again = Some(fx.wake_at(next, Wake::Broker(BrokerWake::FetchAgain(leader))));
        }
        if parts.is_empty() {
            return;
        }
        let ticket = self.next_ticket();
        let broker = &self.layout.broker;
        let fetch = Fetch {
            replica: Some(self.control.epoch.unwrap_or(0)),
            max_wait: millis(broker.replica_fetch_wait_max_ms),
            min_bytes: broker.replica_fetch_min_bytes.unsigned_abs(),
            max_bytes: broker.replica_fetch_response_max_bytes.unsigned_abs(),
            partition_bytes: broker.replica_fetch_max_bytes.unsigned_abs(),
            committed_only: false,
            parts,
        };
        let message = Message::Ask(ticket, Request::Fetch(Box::new(fetch)));
        post(fx, self.me, leader, message, 120, Look::plain(FlightKind::Fetch));
        let until = now + SILENCE;
        let alarm = fx.wake_at(until, Wake::Broker(BrokerWake::FetchSilent(leader, ticket)));
        if let Some(fetcher) = self.fetchers.get_mut(&leader) {
            fetcher.in_flight = Some((ticket, until, alarm));
        }
    }

    /// The connection to a leader is gone: all its partitions wait for `replica.fetch.backoff.ms`.
    pub(crate) fn fetch_failed(&mut self, leader: u16, fx: &mut Fx<'_>) {
        let until = fx.now() + millis(self.layout.broker.replica_fetch_backoff_ms);
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        if let Some((.., alarm)) = fetcher.in_flight.take() {
            fx.cancel(alarm);
        }
        fetcher.slots.values_mut().for_each(|wait| *wait = until);
    }

    pub(crate) fn fetch_silent(&mut self, leader: u16, ticket: Ticket, fx: &mut Fx<'_>) {
        let fetcher = self.fetchers.get(&leader);
        if fetcher.is_some_and(|fetcher| fetcher.in_flight.is_some_and(|(waits, ..)| waits == ticket)) {
            fx.disconnect(NodeId(leader));
            self.on_disconnected(leader, fx);
        }
    }

    pub(crate) fn on_fetched(&mut self, leader: u16, ticket: Ticket, parts: Vec<Fetched>, fx: &mut Fx<'_>) {
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        let Some((_, until, alarm)) = fetcher.in_flight.filter(|(waits, ..)| *waits == ticket) else { return };
        if fx.now() > until {
            // As with the controller's answers (K-R6).
            return self.fetch_silent(leader, ticket, fx);
        }
        fetcher.in_flight = None;
        fx.cancel(alarm);
        for part in parts {
            if self.is_follower_of(part.slot, leader) {
                self.take_fetched(leader, part, fx);
            }
        }
        self.send_fetch(leader, fx);
    }

    fn take_fetched(&mut self, leader: u16, part: Fetched, fx: &mut Fx<'_>) {
        let slot = part.slot;
        let now = fx.now();
        if let Some(code) = part.error {
            if let (Code::OffsetMovedToTieredStorage, Some(remote)) = (code, part.remote) {
                if let Some(replica) = self.replicas.get_mut(&slot) {
                    replica.log.restart_behind(part.span.0, remote);
                    replica.high_watermark = part.span.0;
                }
            } else if code == Code::OffsetOutOfRange {
                self.out_of_range(slot, part.span, fx);
            } else if let Some(until) = self.fetchers.get_mut(&leader).and_then(|fetcher| fetcher.slots.get_mut(&slot))
            {
                *until = now + millis(self.layout.broker.replica_fetch_backoff_ms);
            }
            return;
        }
        let (layout, image) = (self.layout.clone(), self.image.clone());
        let topic = image.topic(&layout, self.me, slot);
        let Some(replica) = self.replicas.get_mut(&slot) else { return };
        if let Some((epoch, end)) = part.diverging {
            let from = truncation_point(replica, epoch, end);
            let gone = replica.log.truncate(from, now);
            replica.high_watermark = replica.high_watermark.min(replica.log.end());
            replica.written.clear();
            return self.tell_truncated(slot, from, gone, "K-L4", fx);
        }
        let mut asked = part.asked;
        for entry in &part.entries {
            if entry.base < replica.log.end() || asked > replica.log.end() {
                continue; // Asked for before a truncation.
            }
            asked = entry.end();
            let roll = topic.roll(slot, self.me, replica.log.segment_base());
            let (base, rolled) = replica.log.append_at(entry, now, roll);
            fx.write(u64::from(entry.batch.bytes));
            if rolled {
                let upto = base;
                let epoch = replica.leader_epoch;
                let bytes = replica.log.unflushed_bytes(upto);
                fx.flush(bytes, Wake::Broker(BrokerWake::Flushed(slot, upto, epoch)));
            }
        }
        if let Some(remote) = &part.remote {
            replica.log.learn_remote(remote);
        }
        // K-R1: the follower's high watermark is the leader's, as far as it has the records.
        replica.high_watermark = part.high_watermark.min(replica.log.end());
        replica.log.transactions.settle(replica.high_watermark);
        replica.log.advance_start(part.span.0.min(replica.high_watermark));
        if !part.entries.is_empty() {
            self.after_append(slot, None, fx);
        }
    }

    /// K-L5: the follower asked for what the leader does not have.
    fn out_of_range(&mut self, slot: Slot, span: (u64, u64), fx: &mut Fx<'_>) {
        let Some(replica) = self.replicas.get_mut(&slot) else { return };
        let (start, end) = span;
        if end < replica.log.end() {
            let gone = replica.log.truncate(end, fx.now());
            replica.high_watermark = replica.high_watermark.min(replica.log.end());
            self.tell_truncated(slot, end, gone, "K-L5", fx);
        } else if start > replica.log.end() {
            replica.log.restart_at(start);
            replica.high_watermark = start;
        }
    }
}

/// K-L4: where a follower cuts its log, when the leader's log has `epoch` end at `end`.
fn truncation_point(replica: &Replica, epoch: i32, end: u64) -> u64 {
    let log = &replica.log;
    match log.epoch_end(epoch) {
        // No epoch of its own up to that one.
        None => end.min(log.end()),
        // Its largest epoch up to that one is an older one: cut where that one ends, and ask again.
        Some((own, own_end)) if own != epoch => own_end.min(log.end()),
        Some((_, own_end)) => end.min(own_end).min(log.end()),
    }
}
