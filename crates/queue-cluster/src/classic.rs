//! Classic queues: one process on one node (R-Q1 to R-Q5).

use crate::arguments::{Overflow, QueueArguments};
use crate::config::Rules;
use crate::desk::{Answer, Ask, ChannelId, ConsumeRequest, Desk, Handed, Out};
use crate::dispatch::{Chosen, Dispatch};
use crate::fifo::Fifo;
use crate::message::{Body, Reason};
use crate::mirror::MirrorOp;
use crate::tagged::Tagged;
use sim::story::{Life, MarkKind};
use sim::{Nanos, Time};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A message as a classic queue holds it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its place, which it keeps when it is requeued (R-K2).
    pub place: u64,
    pub body: Body,
    expiry: Option<Time>,
    pub(crate) delivered: bool,
    /// When it was written, by the store's count; 0 if it was not.
    written: u64,
}

/// A classic queue.
#[derive(Clone, Debug)]
pub struct Classic {
    pub(crate) arguments: Rc<QueueArguments>,
    durable: bool,
    /// A line for each priority (R-M1); one if the queue has no priorities.
    pub(crate) lines: Vec<Fifo<Stored>>,
    pub(crate) ready: u64,
    pub(crate) ready_bytes: u64,
    pub(crate) unacked: Tagged<Stored>,
    pub dispatch: Dispatch,
    pub(crate) next_place: u64,
    pub exclusive_consumer: bool,
    auto_delete: bool,
    had_consumers: bool,
    /// Since when nobody used it (R-T2).
    idle_since: Time,
    /// Bytes that are out with consumers.
    pub(crate) unacked_bytes: u64,
    /// What each channel has published since it last got credit (R-M3).
    published: Vec<(ChannelId, u32)>,
    /// The last number of each channel that a mirror had when it took over: what comes again is there (R-M8).
    pub(crate) taken: BTreeMap<ChannelId, u64>,
}

impl Classic {
    pub fn new(arguments: Rc<QueueArguments>, durable: bool, auto_delete: bool, now: Time) -> Classic {
        let levels = usize::from(arguments.max_priority.unwrap_or(0)) + 1;
        let dispatch = Dispatch::new(arguments.single_active_consumer);
        Classic {
            durable,
            lines: vec![Fifo::default(); levels],
            ready: 0,
            ready_bytes: 0,
            unacked: Tagged::default(),
            dispatch,
            next_place: 1,
            exclusive_consumer: false,
            auto_delete,
            had_consumers: false,
            idle_since: now,
            unacked_bytes: 0,
            published: Vec::new(),
            taken: BTreeMap::new(),
            arguments,
        }
    }

    /// Messages ready and unacked, and their bytes.
    pub fn size(&self) -> (u64, u64) {
        (self.ready + self.unacked.len() as u64, self.ready_bytes + self.unacked_bytes)
    }

    /// Counts a message of a channel; whether `after` have come since the last time that it was so (R-M3).
    pub fn count_publish(&mut self, channel: ChannelId, after: u32) -> bool {
        let place = self.published.iter().position(|(known, _)| *known == channel).unwrap_or_else(|| {
            self.published.push((channel, 0));
            self.published.len() - 1
        });
        let count = &mut self.published[place].1;
        *count += 1;
        let due = *count >= after;
        if due {
            *count = 0;
        }
        due
    }

    pub fn ready(&self) -> u64 {
        self.ready
    }

    pub fn unacked(&self) -> &Tagged<Stored> {
        &self.unacked
    }

    pub fn ready_messages(&self) -> impl Iterator<Item = &Body> {
        self.lines.iter().rev().flat_map(|line| line.iter().map(|stored| &stored.body))
    }

    /// Answers one request.
    pub fn handle(&mut self, ask: Ask, desk: &mut Desk<'_>) {
        self.answer(ask, desk);
        if let Some(channel) = self.dispatch.question() {
            desk.answer(channel, Answer::MaySend);
        }
    }

    fn answer(&mut self, ask: Ask, desk: &mut Desk<'_>) {
        match ask {
            Ask::Publish { confirm, body, .. } => self.publish(confirm, body, desk),
            Ask::Consume { channel, request } => self.consume(channel, &request, desk),
            Ask::Cancel { channel, tag } => self.cancel(channel, &tag, desk),
            Ask::Ack { channel, ids } => self.ack(channel, &ids, desk),
            Ask::Requeue { channel, ids } => {
                let revived = self.dispatch.give_back(channel, &ids);
                self.requeue(&ids, desk);
                if revived {
                    self.run(desk);
                }
            }
            Ask::Reject { channel, ids } => self.reject(channel, &ids, desk),
            Ask::Get { channel, no_ack } => self.get(channel, no_ack, desk),
            Ask::Down { channel } => self.channel_down(channel, desk),
            Ask::Resume { channel } => {
                if self.dispatch.resume(channel) {
                    self.run(desk);
                }
            }
            Ask::Granted { channel, granted } => {
                let unsent = self.dispatch.granted(channel, granted);
                self.run(desk);
                if unsent || self.dispatch.take_back(channel) {
                    desk.answer(channel, Answer::Unsent);
                }
            }
            Ask::Limit { channel } => self.dispatch.limit(channel),
            Ask::Purge { channel } => self.purge(channel, desk),
            Ask::Stat { channel, passive } => {
                self.touch(desk);
                let (messages, consumers) = (self.ready, self.dispatch.count());
                desk.answer(channel, Answer::Stat { passive, messages, consumers });
            }
            Ask::Delete { channel, if_unused, if_empty } => {
                if (if_unused && self.dispatch.count() > 0) || (if_empty && self.ready > 0) {
                    desk.answer(channel, Answer::Failed { tag: None, code: 406 });
                } else {
                    desk.out.push(Out::DeleteMe);
                }
            }
            Ask::Tick => self.tick(desk),
            Ask::NodeDown { node } => {
                let gone = self.dispatch.channels.keys().filter(|channel| channel.node == node).copied();
                for channel in gone.collect::<Vec<_>>() {
                    self.channel_down(channel, desk);
                }
            }
            Ask::Configure(arguments) => {
                // R-M9: its time to live begins anew; messages keep the ones that they came with.
                self.arguments = arguments;
                self.drop_over_limit(desk);
                self.begin(desk);
            }
            Ask::NodeUp { .. } | Ask::Change(_) | Ask::Carried { .. } => {}
        }
    }

    fn would_overflow(&self, body: &Body) -> bool {
        let arguments = &self.arguments;
        arguments.max_length.is_some_and(|max| self.ready + 1 > max)
            || arguments.max_length_bytes.is_some_and(|max| self.ready_bytes + u64::from(body.bytes) > max)
    }

    fn publish(&mut self, confirm: Option<(ChannelId, u64)>, body: Body, desk: &mut Desk<'_>) {
        if let Some((channel, number)) = confirm
            && self.taken.get(&channel).is_some_and(|last| number <= *last)
        {
            // R-M8: it came again because the queue has moved; the mirror had it.
            return desk.answer(channel, Answer::Confirmed(number));
        }
        // R-T3: a queue that refuses looks at its length before it tries consumers.
        if self.arguments.overflow != Overflow::DropHead && self.would_overflow(&body) {
            if self.arguments.overflow == Overflow::RejectPublishDlx {
                self.bury_body(&body, Reason::MaxLen, desk);
            }
            if let Some((channel, number)) = confirm {
                desk.answer(channel, Answer::Refused(number));
            }
            return;
        }
        if self.crashes_on_publish(desk) {
            return self.crash(confirm, desk);
        }
        desk.life(&body, Life::Stored, "R-C3");
        let kept = self.durable && body.persistent;
        let mut stored =
            Stored { place: self.next_place, expiry: self.expiry(&body, desk.now), body, delivered: false, written: 0 };
        self.next_place += 1;
        if let Some(chosen) = self.ready_for_hand_off(desk) {
            self.confirm(confirm, kept && chosen.needs_ack, &mut stored, desk);
            self.tell_mirrors(|| MirrorOp::Publish { stored: stored.clone(), confirm }, desk);
            self.hand(chosen, stored, desk);
            return;
        }
        self.confirm(confirm, kept, &mut stored, desk);
        self.tell_mirrors(|| MirrorOp::Publish { stored: stored.clone(), confirm }, desk);
        let expires = stored.expiry.is_some();
        self.enqueue(stored);
        let dropped = self.drop_over_limit(desk);
        // R-T1: the process looks at the head only if it thinks that the new message is there. In a queue with
        // priorities it may be and not be noticed.
        let alone = self.ready == 1;
        if (dropped || alone) && !(dropped && alone && !expires) {
            self.drop_expired(desk);
        }
    }

    fn ready_for_hand_off(&mut self, desk: &mut Desk<'_>) -> Option<Chosen> {
        if self.ready > 0 { None } else { self.dispatch.next(desk.queue, desk.limiters) }
    }

    /// R-P6: in 3.10.8 a new active consumer was not served at once; a publish then hit a queue that was not empty
    /// while a consumer was ready, which its process took for impossible.
    fn crashes_on_publish(&mut self, desk: &mut Desk<'_>) -> bool {
        if desk.rules >= Rules::V4_2 || !self.dispatch.single_active || self.ready == 0 {
            return false;
        }
        self.dispatch.next(desk.queue, desk.limiters).is_some()
    }

    fn crash(&mut self, confirm: Option<(ChannelId, u64)>, desk: &mut Desk<'_>) {
        desk.mark(MarkKind::Change, "queue-crashed", vec![desk.name.to_string()], "R-P6");
        if let Some((channel, number)) = confirm {
            desk.answer(channel, Answer::Refused(number));
        }
        for (channel, record) in &self.dispatch.channels {
            for tag in record.consumers.keys() {
                desk.out.push(Out::Answer(*channel, Answer::Cancelled { tag: tag.clone() }));
            }
        }
        self.recover(|_| true, true);
    }

    /// R-C3: what need not be kept is confirmed when enqueued; what must be kept once it is written (4.x), or once
    /// it is flushed (version 1 of classic queues, the default before).
    fn confirm(&mut self, confirm: Option<(ChannelId, u64)>, kept: bool, stored: &mut Stored, desk: &mut Desk<'_>) {
        if kept {
            *desk.written += 1;
            stored.written = *desk.written;
            desk.out.push(Out::Wrote(stored.body.bytes));
        }
        let Some((channel, number)) = confirm else { return };
        if desk.mirrored {
            desk.out.push(Out::ConfirmMirrored(channel, number, kept && desk.rules < Rules::V4_2));
        } else if kept && desk.rules < Rules::V4_2 {
            desk.out.push(Out::ConfirmFlushed(channel, number));
        } else {
            desk.answer(channel, Answer::Confirmed(number));
        }
    }

    /// R-T1: the smaller of both times, fixed when the message comes.
    fn expiry(&self, body: &Body, now: Time) -> Option<Time> {
        let own = body.expiration.map(Nanos::millis);
        let ttl = [own, self.arguments.message_ttl].into_iter().flatten().min()?;
        Some(now + ttl)
    }

    /// R-M1: without a priority it is 0, and above the highest it is the highest.
    fn level(&self, body: &Body) -> usize {
        usize::from(body.priority.unwrap_or(0)).min(self.lines.len() - 1)
    }

    pub(crate) fn enqueue(&mut self, stored: Stored) {
        self.ready += 1;
        self.ready_bytes += u64::from(stored.body.bytes);
        let level = self.level(&stored.body);
        // R-K2: a message that comes back goes to its old place.
        self.lines[level].insert_by(stored, |stored| stored.place);
    }

    /// R-M1: strictly the highest priority first.
    fn top(&mut self) -> Option<&mut Fifo<Stored>> {
        self.lines.iter_mut().rev().find(|line| !line.is_empty())
    }

    /// A message is out with somebody.
    pub(crate) fn hold(&mut self, stored: Stored) {
        self.unacked_bytes += u64::from(stored.body.bytes);
        self.unacked.insert(stored.place, stored);
    }

    pub(crate) fn unhold(&mut self, place: u64) -> Option<Stored> {
        let stored = self.unacked.remove(&place)?;
        self.unacked_bytes -= u64::from(stored.body.bytes);
        Some(stored)
    }

    fn tell_mirrors(&self, op: impl FnOnce() -> MirrorOp, desk: &mut Desk<'_>) {
        if desk.mirrored {
            desk.out.push(Out::Mirror(op()));
        }
    }

    pub(crate) fn take_head(&mut self) -> Option<Stored> {
        let stored = self.top()?.pop_front()?;
        self.ready -= 1;
        self.ready_bytes -= u64::from(stored.body.bytes);
        Some(stored)
    }

    fn hand(&mut self, chosen: Chosen, mut stored: Stored, desk: &mut Desk<'_>) {
        let Chosen { consumer, needs_ack } = chosen;
        // R-K5: marked as soon as it was sent once, seen or not.
        let redelivered = std::mem::replace(&mut stored.delivered, true);
        let handed = Handed {
            id: stored.place,
            body: stored.body.clone(),
            redelivered,
            delivery_count: None,
            stream_offset: None,
            needs_ack,
        };
        if needs_ack {
            self.dispatch.holds(&consumer, stored.place);
            self.tell_mirrors(|| MirrorOp::Sent(stored.place), desk);
            self.hold(stored);
        } else {
            self.tell_mirrors(|| MirrorOp::Gone(stored.place), desk);
            desk.settled(&stored.body);
        }
        let (channel, tag) = consumer;
        desk.answer(channel, Answer::Deliver { tag, handed });
    }

    /// Hands out messages as long as there are some and somebody takes them.
    fn run(&mut self, desk: &mut Desk<'_>) {
        while self.ready > 0 {
            let Some(chosen) = self.dispatch.next(desk.queue, desk.limiters) else { break };
            let Some(stored) = self.take_head() else { break };
            self.hand(chosen, stored, desk);
            self.drop_expired(desk);
        }
    }

    fn consume(&mut self, channel: ChannelId, request: &Rc<ConsumeRequest>, desk: &mut Desk<'_>) {
        let taken = self.exclusive_consumer || (request.exclusive && self.dispatch.count() > 0);
        // R-P6: an exclusive consumer is alone, and does not go with a single active one.
        if taken || (request.exclusive && self.dispatch.single_active) {
            return desk.answer(channel, Answer::Failed { tag: Some(request.tag.clone()), code: 403 });
        }
        self.exclusive_consumer = request.exclusive;
        self.had_consumers = true;
        self.dispatch.add(channel, request);
        desk.answer(channel, Answer::ConsumeOk { tag: request.tag.clone() });
        self.run(desk);
    }

    fn cancel(&mut self, channel: ChannelId, tag: &Rc<str>, desk: &mut Desk<'_>) {
        let was = self.dispatch.active.clone();
        let known = self.dispatch.remove(channel, tag);
        desk.answer(channel, Answer::CancelOk { tag: tag.clone() });
        if !known {
            return;
        }
        self.after_leaving(desk);
        // R-P6: 4.2 serves the new active consumer at once, 3.10.8 leaves it idle.
        if desk.rules >= Rules::V4_2 && was != self.dispatch.active {
            self.run(desk);
        }
    }

    fn after_leaving(&mut self, desk: &mut Desk<'_>) {
        if self.dispatch.count() > 0 {
            return;
        }
        self.exclusive_consumer = false;
        self.touch(desk);
        // R-Q4: an auto-delete queue goes with its last consumer.
        if self.auto_delete && self.had_consumers {
            desk.out.push(Out::DeleteMe);
        }
    }

    fn ack(&mut self, channel: ChannelId, ids: &[u64], desk: &mut Desk<'_>) {
        let revived = self.dispatch.give_back(channel, ids);
        for id in ids {
            if let Some(stored) = self.unhold(*id) {
                self.tell_mirrors(|| MirrorOp::Gone(stored.place), desk);
                desk.settled(&stored.body);
            }
        }
        if revived {
            self.run(desk);
        }
    }

    fn reject(&mut self, channel: ChannelId, ids: &[u64], desk: &mut Desk<'_>) {
        let revived = self.dispatch.give_back(channel, ids);
        let mut rejected: Vec<Stored> = ids.iter().filter_map(|id| self.unhold(*id)).collect();
        // R-M1: those of the highest priority go first, each level by itself.
        rejected.sort_by_key(|stored| std::cmp::Reverse(self.level(&stored.body)));
        rejected.iter().for_each(|stored| self.bury(stored, Reason::Rejected, desk));
        if revived {
            self.run(desk);
        }
    }

    fn requeue(&mut self, ids: &[u64], desk: &mut Desk<'_>) {
        for id in ids {
            if let Some(stored) = self.unhold(*id) {
                self.tell_mirrors(|| MirrorOp::Returned(stored.place), desk);
                self.enqueue(stored);
            }
        }
        // R-T3: what comes back can make the queue too long.
        self.drop_over_limit(desk);
        self.drop_expired(desk);
        self.run(desk);
    }

    fn get(&mut self, channel: ChannelId, no_ack: bool, desk: &mut Desk<'_>) {
        self.touch(desk);
        let Some(mut stored) = self.take_head() else {
            return desk.answer(channel, Answer::Got { handed: None, remaining: 0 });
        };
        let redelivered = std::mem::replace(&mut stored.delivered, true);
        let handed = Handed {
            id: stored.place,
            body: stored.body.clone(),
            redelivered,
            delivery_count: None,
            stream_offset: None,
            needs_ack: !no_ack,
        };
        if no_ack {
            self.tell_mirrors(|| MirrorOp::Gone(stored.place), desk);
            desk.settled(&stored.body);
        } else {
            self.dispatch.got(channel, stored.place);
            self.tell_mirrors(|| MirrorOp::Sent(stored.place), desk);
            self.hold(stored);
        }
        self.drop_expired(desk);
        desk.answer(channel, Answer::Got { handed: Some(handed), remaining: self.ready });
    }

    /// R-K4: what a channel held returns as soon as the channel ends.
    fn channel_down(&mut self, channel: ChannelId, desk: &mut Desk<'_>) {
        let Some(record) = self.dispatch.erase(channel) else { return };
        if !record.consumers.is_empty() {
            self.after_leaving(desk);
        }
        let ids: Vec<u64> = record.holds.keys().copied().collect();
        self.requeue(&ids, desk);
    }

    fn purge(&mut self, channel: ChannelId, desk: &mut Desk<'_>) {
        let messages = self.ready;
        while let Some(stored) = self.take_head() {
            self.tell_mirrors(|| MirrorOp::Gone(stored.place), desk);
            desk.life(&stored.body, Life::Dropped, "R-K1");
        }
        desk.answer(channel, Answer::Stat { passive: false, messages, consumers: self.dispatch.count() });
    }

    /// Answers whether anything was dropped.
    fn drop_over_limit(&mut self, desk: &mut Desk<'_>) -> bool {
        if self.arguments.overflow != Overflow::DropHead {
            return false;
        }
        let mut dropped = false;
        loop {
            let over = self.arguments.max_length.is_some_and(|max| self.ready > max)
                || self.arguments.max_length_bytes.is_some_and(|max| self.ready_bytes > max);
            if !over {
                return dropped;
            }
            let Some(stored) = self.take_head() else { return dropped };
            dropped = true;
            self.bury(&stored, Reason::MaxLen, desk);
        }
    }

    /// R-T1: only the head is looked at.
    fn drop_expired(&mut self, desk: &mut Desk<'_>) {
        loop {
            let Some(expiry) = self.top().and_then(|line| line.front()?.expiry) else { return };
            if expiry > desk.now {
                return desk.out.push(Out::WakeAt(expiry));
            }
            let Some(stored) = self.take_head() else { return };
            self.bury(&stored, Reason::Expired, desk);
        }
    }

    /// A message that the queue held is dead (R-T4).
    fn bury(&self, stored: &Stored, reason: Reason, desk: &mut Desk<'_>) {
        self.tell_mirrors(|| MirrorOp::Gone(stored.place), desk);
        self.bury_body(&stored.body, reason, desk);
    }

    fn bury_body(&self, body: &Body, reason: Reason, desk: &mut Desk<'_>) {
        if self.arguments.dead_letter_exchange.is_some() {
            desk.out.push(Out::Dead(body.clone(), reason));
        } else {
            desk.life(body, Life::Dropped, "R-T4");
        }
    }

    /// R-T2: the queue was used: its time to live begins anew.
    fn touch(&mut self, desk: &mut Desk<'_>) {
        self.idle_since = desk.now;
        if let Some(expires) = self.arguments.expires {
            desk.out.push(Out::WakeAt(desk.now + expires));
        }
    }

    /// Begins to watch its time to live.
    pub fn begin(&mut self, desk: &mut Desk<'_>) {
        self.touch(desk);
        self.drop_expired(desk);
    }

    fn tick(&mut self, desk: &mut Desk<'_>) {
        if let Some(expires) = self.arguments.expires
            && self.dispatch.count() == 0
        {
            if self.idle_since + expires <= desk.now {
                return desk.out.push(Out::DeleteMe);
            }
            desk.out.push(Out::WakeAt(self.idle_since + expires));
        }
        self.drop_expired(desk);
    }

    /// The process is gone and starts again: consumers are gone, what was out is back, and of the messages those are
    /// left that were persistent (R-Q1) and that `keep` says are still on the disk.
    pub fn recover(&mut self, keep: impl Fn(u64) -> bool, unclean: bool) {
        for stored in std::mem::take(&mut self.unacked).into_values() {
            self.enqueue(stored);
        }
        self.unacked_bytes = 0;
        self.published.clear();
        self.taken.clear();
        self.dispatch = Dispatch::new(self.dispatch.single_active);
        self.exclusive_consumer = false;
        let last_sent = self.lines.iter().flat_map(Fifo::iter).filter(|stored| stored.delivered).map(|s| s.place).max();
        let (mut ready, mut bytes) = (0, 0);
        for line in &mut self.lines {
            line.retain(|stored| {
                // R-K5: after an unclean end all that may have been delivered is marked.
                stored.delivered |= unclean && Some(stored.place) <= last_sent;
                let kept = stored.written > 0 && keep(stored.written);
                ready += u64::from(kept);
                bytes += if kept { u64::from(stored.body.bytes) } else { 0 };
                kept
            });
        }
        (self.ready, self.ready_bytes) = (ready, bytes);
    }

    pub fn is_durable(&self) -> bool {
        self.durable
    }
}
