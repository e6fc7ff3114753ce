//! The state of a quorum queue, the same on every member once it has applied the same commands (R-U1, R-U3 to R-U7, R-U9).
//! What it sends takes effect on the leader only.

use crate::arguments::{Overflow, QueueArguments};
use crate::config::Rules;
use crate::desk::{Answer, Ask, ChannelId, ConsumeRequest, ConsumerId, Desk, Handed, Out};
use crate::fifo::Fifo;
use crate::message::{Body, Reason};
use crate::priority_line::PriorityLine;
use crate::tagged::Tagged;
use sim::story::{Life, MarkKind};
use sim::{Nanos, Time};
use std::collections::BTreeMap;
use std::rc::Rc;

/// R-P2: a quorum queue takes no limit for this one.
pub const NO_PREFETCH: u32 = 2000;

/// A message as a quorum queue holds it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The count of commands that put it where it is: its age.
    pub place: u64,
    pub body: Body,
    pub expiry: Option<Time>,
    /// How often it was returned.
    pub returns: u32,
}

/// How a consumer of a quorum queue is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Up,
    /// It gets nothing more, and keeps what it has (R-P7).
    Cancelled,
    /// Its node is not seen (R-U4).
    SuspectedDown,
    /// A waiting consumer of higher priority takes over once it holds nothing (4.x, R-P6).
    Quiescing,
}

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    pub request: Rc<ConsumeRequest>,
    pub credit: u32,
    pub status: Status,
    pub holds: u32,
}

/// What is out with somebody.
#[derive(Clone, Debug)]
pub struct CheckedOut {
    pub channel: ChannelId,
    /// The consumer's tag; `None` for basic.get.
    pub tag: Option<Rc<str>>,
    pub kept: Kept,
}

/// The state of a quorum queue.
#[derive(Clone, Debug)]
pub struct Quorum {
    pub arguments: Rc<QueueArguments>,
    /// Served before all others (R-K3).
    pub returns: Fifo<Kept>,
    pub high: Fifo<Kept>,
    pub normal: Fifo<Kept>,
    /// How many were taken since a normal one was (R-U6).
    pub dequeued: u32,
    pub checked_out: Tagged<CheckedOut>,
    pub next_id: u64,
    pub next_place: u64,
    pub ready_bytes: u64,
    pub consumers: BTreeMap<ConsumerId, Consumer>,
    /// Consumers that wait beside the single active one.
    pub waiting: Vec<(ConsumerId, Consumer)>,
    /// Consumers with credit, in the order in which they are served (R-P4).
    pub service: PriorityLine<ConsumerId>,
    /// Dead letters that their targets have not confirmed yet, by number (R-U8).
    pub dead: BTreeMap<u64, (Body, Reason)>,
    pub next_letter: u64,
    /// Bytes of what is out with consumers, and of the dead letters.
    out_bytes: u64,
    /// Publishers are told to hold back (R-U9).
    pub blocked: bool,
    pub idle_since: Time,
}

impl Quorum {
    pub fn new(arguments: Rc<QueueArguments>, now: Time) -> Quorum {
        Quorum {
            arguments,
            returns: Fifo::default(),
            high: Fifo::default(),
            normal: Fifo::default(),
            dequeued: 0,
            checked_out: Tagged::default(),
            next_id: 1,
            next_place: 1,
            ready_bytes: 0,
            consumers: BTreeMap::new(),
            waiting: Vec::new(),
            service: PriorityLine::default(),
            dead: BTreeMap::new(),
            next_letter: 1,
            out_bytes: 0,
            blocked: false,
            idle_since: now,
        }
    }

    pub fn ready(&self) -> u64 {
        self.returns.len() + self.high.len() + self.normal.len()
    }

    pub fn ready_messages(&self) -> impl Iterator<Item = &Body> {
        let lines = self.returns.iter().chain(self.high.iter()).chain(self.normal.iter());
        lines.map(|kept| &kept.body)
    }

    pub fn consumer_count(&self) -> u32 {
        let up = self.consumers.values().filter(|consumer| consumer.status != Status::Cancelled).count();
        (up + self.waiting.len()) as u32
    }

    /// Applies one command.
    pub fn handle(&mut self, ask: &Ask, desk: &mut Desk<'_>) {
        if self.idle_since == Time::ZERO {
            // The first command is its leader's own: the queue's beginning.
            self.idle_since = desk.now;
        }
        match ask {
            Ask::Publish { confirm, body, .. } => self.publish(*confirm, body, desk),
            Ask::Consume { channel, request } => self.consume(*channel, request, desk),
            Ask::Cancel { channel, tag } => self.cancel(&(*channel, tag.clone()), desk),
            Ask::Ack { channel, ids } => self.settle(*channel, ids, desk),
            Ask::Requeue { channel, ids } => self.requeue(*channel, ids, desk),
            Ask::Reject { channel, ids } => self.reject(*channel, ids, desk),
            Ask::Get { channel, no_ack } => self.get(*channel, *no_ack, desk),
            Ask::Down { channel } => self.channel_down(*channel, desk),
            Ask::Purge { channel } => self.purge(*channel, desk),
            Ask::Stat { channel, passive } => {
                let (messages, consumers) = (self.ready(), self.consumer_count());
                desk.answer(*channel, Answer::Stat { passive: *passive, messages, consumers });
            }
            Ask::Delete { channel, if_unused, if_empty } => {
                if (*if_unused && self.consumer_count() > 0) || (*if_empty && self.ready() > 0) {
                    desk.answer(*channel, Answer::Failed { tag: None, code: 406 });
                } else {
                    desk.out.push(Out::DeleteMe);
                }
            }
            Ask::Tick => self.tick(desk),
            Ask::NodeDown { node } => self.node_down(*node, desk),
            Ask::NodeUp { node, boot } => self.node_up(*node, *boot, desk),
            Ask::Carried { letters } => self.carried(letters, desk),
            Ask::Configure(arguments) => self.configure(arguments, desk),
            Ask::Resume { .. } | Ask::Granted { .. } | Ask::Limit { .. } | Ask::Change(_) => {}
        }
    }

    /// Messages that the queue holds, and their bytes.
    pub fn size(&self) -> (u64, u64) {
        let count = self.ready() + self.checked_out.len() as u64 + self.dead.len() as u64;
        (count, self.ready_bytes + self.out_bytes)
    }

    /// R-M9: limits hold at once; messages keep the times to live that they came with.
    fn configure(&mut self, arguments: &Rc<QueueArguments>, desk: &mut Desk<'_>) {
        self.arguments = arguments.clone();
        self.blocked &= arguments.overflow != Overflow::DropHead;
        self.limit(desk);
        self.checkout(desk);
        self.watch_time(desk);
    }

    /// R-U8: the targets of these dead letters have them.
    fn carried(&mut self, letters: &[u64], desk: &mut Desk<'_>) {
        for letter in letters {
            if let Some((body, _)) = self.dead.remove(letter) {
                self.out_bytes -= u64::from(body.bytes);
            }
        }
        self.check_blocked();
        if !self.dead.is_empty() {
            desk.out.push(Out::DeadLetters);
        }
    }

    /// A new leader tells consumers again what is out with them: the last leader may not have got to it (R-U4).
    pub fn tell_again(&self, desk: &mut Desk<'_>) {
        for (id, out) in self.checked_out.iter() {
            if let Some(tag) = &out.tag {
                let consumer = self.consumers.get(&(out.channel, tag.clone()));
                let needs_ack = consumer.is_none_or(|consumer| !consumer.request.no_ack);
                let handed = handed(*id, &out.kept, needs_ack);
                desk.answer(out.channel, Answer::Deliver { tag: tag.clone(), handed });
            }
        }
        if !self.dead.is_empty() {
            desk.out.push(Out::DeadLetters);
        }
        self.watch_time(desk);
    }

    fn publish(&mut self, confirm: Option<(ChannelId, u64)>, body: &Body, desk: &mut Desk<'_>) {
        desk.life(body, Life::Stored, "R-C4");
        let own = body.expiration.map(Nanos::millis);
        let ttl = [own, self.arguments.message_ttl].into_iter().flatten().min();
        // R-T1: without any time to live it is gone unless it can be delivered at once.
        let ttl = ttl.map(|ttl| ttl.max(Nanos::millis(1)));
        let kept =
            Kept { place: self.next_place, body: body.clone(), expiry: ttl.map(|ttl| desk.now + ttl), returns: 0 };
        self.enqueue(kept, desk.rules);
        // R-C4: applied means committed, and committed means on the disks of a majority.
        if let Some((channel, number)) = confirm {
            desk.answer(channel, Answer::Confirmed(number));
        }
        self.checkout(desk);
        self.limit(desk);
    }

    /// R-U6: 4.0 to 4.2 know two classes of priority, above 4 and the others; before there was one.
    fn enqueue(&mut self, mut kept: Kept, rules: Rules) {
        kept.place = self.next_place;
        self.next_place += 1;
        self.ready_bytes += u64::from(kept.body.bytes);
        if rules >= Rules::V4_2 && kept.body.priority.unwrap_or(4) > 4 {
            self.high.push_back(kept);
        } else {
            self.normal.push_back(kept);
        }
    }

    fn next_line(&mut self) -> Option<&mut Fifo<Kept>> {
        if !self.returns.is_empty() {
            return Some(&mut self.returns);
        }
        match (self.high.front(), self.normal.front()) {
            (None, None) => None,
            (None, Some(_)) => Some(&mut self.normal),
            // R-U6: two high ones, then a normal one, unless the high one is older anyway.
            (Some(high), Some(normal)) if self.dequeued == 2 && normal.place < high.place => Some(&mut self.normal),
            (Some(_), _) => Some(&mut self.high),
        }
    }

    fn take_next(&mut self) -> Option<Kept> {
        let returned = !self.returns.is_empty();
        let kept = self.next_line()?.pop_front()?;
        if !returned {
            self.dequeued = if self.dequeued == 2 { 0 } else { self.dequeued + 1 };
        }
        self.ready_bytes -= u64::from(kept.body.bytes);
        Some(kept)
    }

    /// R-T1: the head is looked at before each delivery.
    pub fn expire(&mut self, desk: &mut Desk<'_>) {
        while let Some(expiry) = self.next_line().and_then(|line| line.front()?.expiry)
            && expiry <= desk.now
        {
            if let Some(kept) = self.take_next() {
                self.bury(&kept.body, Reason::Expired, desk);
            }
        }
    }

    pub fn watch_time(&self, desk: &mut Desk<'_>) {
        let heads = [self.returns.front(), self.high.front(), self.normal.front()];
        if let Some(at) = heads.into_iter().flatten().filter_map(|kept| kept.expiry).min() {
            desk.out.push(Out::WakeAt(at.max(desk.now)));
        }
        if let Some(expires) = self.arguments.expires {
            desk.out.push(Out::WakeAt((self.idle_since + expires).max(desk.now + Nanos::millis(1))));
        }
    }

    /// R-P4: serves the consumers with credit in turn; one whose credit is spent is not in the line at all.
    pub fn checkout(&mut self, desk: &mut Desk<'_>) {
        loop {
            self.expire(desk);
            if self.ready() == 0 {
                break;
            }
            let Some((_, id)) = self.service.pop() else { break };
            let usable = |consumer: &Consumer| consumer.credit > 0 && consumer.status == Status::Up;
            if !self.consumers.get(&id).is_some_and(usable) {
                continue;
            }
            let Some(kept) = self.take_next() else { break };
            self.hand(id, kept, desk);
        }
        if self.arguments.message_ttl.is_some() || self.arguments.expires.is_some() || self.heads_expire() {
            self.watch_time(desk);
        }
        self.check_blocked();
    }

    fn heads_expire(&self) -> bool {
        let heads = [self.returns.front(), self.high.front(), self.normal.front()];
        heads.into_iter().flatten().any(|kept| kept.expiry.is_some())
    }

    /// Hands out a message to a consumer that was taken out of the line and can take it.
    fn hand(&mut self, id: ConsumerId, kept: Kept, desk: &mut Desk<'_>) {
        let Some(consumer) = self.consumers.get_mut(&id) else { return };
        let number = self.next_id;
        self.next_id += 1;
        // R-P4: without acknowledgements it is the channel that settles, as soon as it has the message; until then it
        // counts.
        let answer = Answer::Deliver { tag: id.1.clone(), handed: handed(number, &kept, !consumer.request.no_ack) };
        consumer.credit -= 1;
        consumer.holds += 1;
        self.out_bytes += u64::from(kept.body.bytes);
        self.checked_out.insert(number, CheckedOut { channel: id.0, tag: Some(id.1.clone()), kept });
        desk.answer(id.0, answer);
        if consumer.credit > 0 {
            self.service.push(consumer.request.priority, id);
        }
    }

    /// Takes messages back from a consumer; its credit grows.
    pub fn take_back(&mut self, channel: ChannelId, id: u64, credit: bool) -> Option<Kept> {
        let out = self.checked_out.remove_if(&id, |out| out.channel == channel)?;
        self.out_bytes -= u64::from(out.kept.body.bytes);
        let Some(tag) = out.tag else { return Some(out.kept) };
        let consumer = (channel, tag);
        if let Some(holder) = self.consumers.get_mut(&consumer) {
            holder.holds -= 1;
            match holder.status {
                Status::Cancelled if holder.holds == 0 => {
                    self.consumers.remove(&consumer);
                }
                Status::Cancelled => {}
                Status::Up | Status::Quiescing | Status::SuspectedDown => holder.credit += u32::from(credit),
            }
        }
        Some(out.kept)
    }

    /// Those who got credit back stand in line again, at the tail.
    fn revive(&mut self, channel: ChannelId, desk: &mut Desk<'_>) {
        let mine: Vec<ConsumerId> = self.consumers.keys().filter(|(other, _)| *other == channel).cloned().collect();
        mine.iter().for_each(|id| self.stand_in_line(id));
        self.activate(desk);
    }

    fn settle(&mut self, channel: ChannelId, ids: &[u64], desk: &mut Desk<'_>) {
        for id in ids {
            if let Some(kept) = self.take_back(channel, *id, true) {
                desk.settled(&kept.body);
            }
        }
        self.revive(channel, desk);
        self.checkout(desk);
    }

    fn reject(&mut self, channel: ChannelId, ids: &[u64], desk: &mut Desk<'_>) {
        for id in ids {
            if let Some(kept) = self.take_back(channel, *id, true) {
                self.bury(&kept.body, Reason::Rejected, desk);
            }
        }
        self.revive(channel, desk);
        self.checkout(desk);
    }

    fn requeue(&mut self, channel: ChannelId, ids: &[u64], desk: &mut Desk<'_>) {
        if self.arguments.delivery_limit.is_some() {
            for id in ids {
                let holder = self.checked_out.get(id).and_then(|out| out.tag.clone());
                let Some(kept) = self.take_back(channel, *id, true) else { continue };
                let dead = self.give_back(kept, desk);
                // R-U5: 3.10.8 gave a consumer credit twice for a message that reached the limit.
                if dead
                    && desk.rules < Rules::V4_2
                    && let Some(consumer) = holder.and_then(|tag| self.consumers.get_mut(&(channel, tag)))
                {
                    consumer.credit += 1;
                }
            }
            self.revive(channel, desk);
            self.checkout(desk);
        } else {
            // R-K3: without a delivery limit each goes to the back of the queue, as a command of its own.
            for id in ids {
                let Some(mut kept) = self.take_back(channel, *id, true) else { continue };
                kept.returns += 1;
                self.normal_again(kept);
                self.revive(channel, desk);
                self.checkout(desk);
            }
        }
        self.limit(desk);
    }

    fn normal_again(&mut self, mut kept: Kept) {
        kept.place = self.next_place;
        self.next_place += 1;
        self.ready_bytes += u64::from(kept.body.bytes);
        self.normal.push_back(kept);
    }

    /// R-K3, R-U5: to the line of returns, unless it was returned too often.
    /// Answers whether it was.
    pub fn give_back(&mut self, mut kept: Kept, desk: &mut Desk<'_>) -> bool {
        kept.returns += 1;
        if self.arguments.delivery_limit.is_some_and(|limit| kept.returns > limit) {
            desk.mark(MarkKind::Change, "delivery-limit", vec![desk.name.to_string()], "R-U5");
            self.bury(&kept.body, Reason::DeliveryLimit, desk);
            return true;
        }
        self.ready_bytes += u64::from(kept.body.bytes);
        self.returns.push_back(kept);
        false
    }

    fn get(&mut self, channel: ChannelId, no_ack: bool, desk: &mut Desk<'_>) {
        self.idle_since = desk.now;
        if self.arguments.single_active_consumer {
            return desk.answer(channel, Answer::Failed { tag: None, code: 405 });
        }
        self.expire(desk);
        let Some(kept) = self.take_next() else {
            return desk.answer(channel, Answer::Got { handed: None, remaining: 0 });
        };
        let id = self.next_id;
        self.next_id += 1;
        let mut handed = handed(id, &kept, !no_ack);
        // 3.10.8 tells the count to basic.get even when it is 0.
        if desk.rules < Rules::V4_2 {
            handed.delivery_count = Some(kept.returns);
        }
        if no_ack {
            desk.settled(&kept.body);
            // R-T1: settling looks at the head anew, before the rest is counted.
            self.expire(desk);
        } else {
            self.out_bytes += u64::from(kept.body.bytes);
            self.checked_out.insert(id, CheckedOut { channel, tag: None, kept });
        }
        self.check_blocked();
        desk.answer(channel, Answer::Got { handed: Some(handed), remaining: self.ready() });
        // R-T1: what is at the head now may have expired behind what was got; that is seen to next.
        if self.heads_expire() {
            self.watch_time(desk);
        }
    }

    fn purge(&mut self, channel: ChannelId, desk: &mut Desk<'_>) {
        let messages = self.ready();
        while let Some(kept) = self.take_next() {
            desk.life(&kept.body, Life::Dropped, "R-K1");
        }
        self.check_blocked();
        desk.answer(channel, Answer::Stat { passive: false, messages, consumers: self.consumer_count() });
    }

    fn tick(&mut self, desk: &mut Desk<'_>) {
        let unused = self.consumer_count() == 0;
        if unused && self.arguments.expires.is_some_and(|expires| self.idle_since + expires <= desk.now) {
            return desk.out.push(Out::DeleteMe);
        }
        self.checkout(desk);
    }

    fn is_over_limit(&self) -> bool {
        self.arguments.max_length.is_some_and(|max| self.ready() + self.dead.len() as u64 > max)
            || self.arguments.max_length_bytes.is_some_and(|max| self.ready_bytes > max)
    }

    /// R-U9, R-T3: over the limit the head goes, or publishers are told to hold back.
    pub fn limit(&mut self, desk: &mut Desk<'_>) {
        if self.arguments.overflow == Overflow::DropHead {
            while self.is_over_limit()
                && let Some(kept) = self.take_next()
            {
                self.bury(&kept.body, Reason::MaxLen, desk);
                // What is at the head now may have been expired behind it.
                self.expire(desk);
            }
        }
        self.check_blocked();
    }

    fn check_blocked(&mut self) {
        if self.arguments.overflow == Overflow::DropHead {
            return;
        }
        // R-T3: they may go on once no more than four fifths are left.
        let low = |max: Option<u64>, count: u64| max.is_none_or(|max| count <= max * 4 / 5);
        let below = low(self.arguments.max_length, self.ready() + self.dead.len() as u64)
            && low(self.arguments.max_length_bytes, self.ready_bytes);
        self.blocked = if self.blocked { !below } else { self.is_over_limit() };
    }

    fn bury(&mut self, body: &Body, reason: Reason, desk: &mut Desk<'_>) {
        if self.arguments.carries_dead_letters() {
            // R-U8: it stays until its targets have confirmed it.
            self.dead.insert(self.next_letter, (body.clone(), reason));
            self.next_letter += 1;
            self.out_bytes += u64::from(body.bytes);
            return desk.out.push(Out::DeadLetters);
        }
        if self.arguments.dead_letter_exchange.is_some() {
            desk.out.push(Out::Dead(body.clone(), reason));
        } else {
            desk.life(body, Life::Dropped, "R-T4");
        }
    }
}

fn handed(id: u64, kept: &Kept, needs_ack: bool) -> Handed {
    Handed {
        id,
        body: kept.body.clone(),
        redelivered: kept.returns > 0,
        // R-U5: how often it was out before; nothing the first time.
        delivery_count: (kept.returns > 0).then_some(kept.returns),
        stream_offset: None,
        needs_ack,
    }
}
