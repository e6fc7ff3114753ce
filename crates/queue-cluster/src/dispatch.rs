//! Who of a classic queue's consumers gets the next message (R-P3).

use crate::desk::{ChannelId, ConsumeRequest, ConsumerId, Limiter, QueueId};
use crate::priority_line::PriorityLine;
use crate::tagged::Tagged;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A consumer, as its queue knows it.
#[derive(Clone, Debug)]
pub struct Taker {
    pub request: Rc<ConsumeRequest>,
    /// What it may still get, if it has a prefetch.
    credit: Option<u32>,
}

/// Who gets the next message.
#[derive(Clone, Debug)]
pub struct Chosen {
    pub consumer: ConsumerId,
    pub needs_ack: bool,
}

/// What a queue knows of a channel that consumes from it or got messages from it.
#[derive(Clone, Debug, Default)]
pub struct ChannelRecord {
    /// What the channel holds, and for which consumer; `None` was got by basic.get.
    pub holds: Tagged<Option<Rc<str>>>,
    /// Consumers that were found unable to take a message.
    blocked: PriorityLine<Rc<str>>,
    limited: bool,
    suspended: bool,
    /// The limit on the channel's node has room for one message.
    granted: bool,
    pub consumers: BTreeMap<Rc<str>, Taker>,
}

impl ChannelRecord {
    fn is_spent(&self, tag: &Rc<str>) -> bool {
        self.consumers.get(tag).is_some_and(|taker| taker.credit == Some(0))
    }
}

/// The consumers of a classic queue.
#[derive(Clone, Debug, Default)]
pub struct Dispatch {
    pub channels: BTreeMap<ChannelId, ChannelRecord>,
    pub line: PriorityLine<ConsumerId>,
    pub single_active: bool,
    /// The active consumer of a queue with single active consumer, or the exclusive one.
    pub active: Option<ConsumerId>,
    /// The channel whose limit, on another node, is asked for room; the queue waits for the answer, as the broker's does.
    asking: Option<ChannelId>,
    /// Whether that question is still to be sent.
    unsent: bool,
}

/// Whether a consumer can take a message.
enum Can {
    /// And whether it has to acknowledge it.
    Take(bool),
    No,
    /// Its channel's limit has to be asked first.
    Ask,
}

impl Dispatch {
    pub fn new(single_active: bool) -> Dispatch {
        Dispatch { single_active, ..Dispatch::default() }
    }

    pub fn count(&self) -> u32 {
        self.channels.values().map(|record| record.consumers.len() as u32).sum()
    }

    pub fn add(&mut self, channel: ChannelId, request: &Rc<ConsumeRequest>) {
        let record = self.channels.entry(channel).or_default();
        record.limited |= request.limited;
        // R-P1: without acknowledgements there is nothing to count.
        let counts = request.prefetch > 0 && !request.no_ack;
        let taker = Taker { request: request.clone(), credit: counts.then_some(request.prefetch) };
        record.consumers.insert(request.tag.clone(), taker);
        self.line.push(request.priority, (channel, request.tag.clone()));
        if self.single_active && self.active.is_none() {
            self.active = Some((channel, request.tag.clone()));
        }
    }

    /// Takes a consumer out. Its channel keeps what it holds (R-P7).
    pub fn remove(&mut self, channel: ChannelId, tag: &Rc<str>) -> bool {
        let Some(record) = self.channels.get_mut(&channel) else { return false };
        if record.consumers.remove(tag).is_none() {
            return false;
        }
        record.blocked.retain(|other| other != tag);
        let gone = (channel, tag.clone());
        self.line.retain(|other| *other != gone);
        if self.active.as_ref() == Some(&gone) {
            self.choose_active();
        }
        true
    }

    /// The channel is gone; answers what it held.
    pub fn erase(&mut self, channel: ChannelId) -> Option<ChannelRecord> {
        if self.asking == Some(channel) {
            (self.asking, self.unsent) = (None, false);
        }
        let record = self.channels.remove(&channel)?;
        self.line.retain(|(other, _)| *other != channel);
        if self.active.as_ref().is_some_and(|(holder, _)| *holder == channel) {
            self.choose_active();
        }
        Some(record)
    }

    fn choose_active(&mut self) {
        self.active = if self.single_active { self.line.front().cloned() } else { None };
    }

    /// R-P3: the head of the line if it can take a message; those that cannot leave the line until they can.
    /// The one that is served goes to the tail of its priority.
    pub fn next(&mut self, queue: QueueId, limiters: &mut BTreeMap<ChannelId, Limiter>) -> Option<Chosen> {
        if self.asking.is_some() {
            return None;
        }
        if self.single_active {
            return self.next_active(queue, limiters);
        }
        while let Some((priority, consumer)) = self.line.pop() {
            match self.can_take(queue, &consumer, limiters) {
                Can::Take(needs_ack) => {
                    self.line.push(priority, consumer.clone());
                    return Some(Chosen { consumer, needs_ack });
                }
                Can::No => self.block(priority, &consumer),
                Can::Ask => {
                    self.ask_for(consumer.0);
                    self.line.put_back(priority, consumer);
                    return None;
                }
            }
        }
        None
    }

    fn next_active(&mut self, queue: QueueId, limiters: &mut BTreeMap<ChannelId, Limiter>) -> Option<Chosen> {
        let active = self.active.clone()?;
        let record = self.channels.get(&active.0)?;
        if record.blocked.contains(&active.1) {
            return None;
        }
        match self.can_take(queue, &active, limiters) {
            Can::Take(needs_ack) => return Some(Chosen { consumer: active, needs_ack }),
            Can::Ask => {
                self.ask_for(active.0);
                return None;
            }
            Can::No => {}
        }
        let priority = self.channels.get(&active.0)?.consumers.get(&active.1)?.request.priority;
        self.line.retain(|other| *other != active);
        self.block(priority, &active);
        None
    }

    fn ask_for(&mut self, channel: ChannelId) {
        self.asking = Some(channel);
        self.unsent = true;
    }

    /// The channel whose limit is to be asked for room now.
    pub fn question(&mut self) -> Option<ChannelId> {
        if std::mem::take(&mut self.unsent) { self.asking } else { None }
    }

    /// The limit on the channel's node has answered. True if it granted what nobody here waits for.
    pub fn granted(&mut self, channel: ChannelId, granted: bool) -> bool {
        if self.asking != Some(channel) {
            return granted;
        }
        self.asking = None;
        if let Some(record) = self.channels.get_mut(&channel) {
            (record.granted, record.suspended) = (granted, !granted);
        }
        false
    }

    /// Takes back what was granted. Whether there was something: nobody has used it.
    pub fn take_back(&mut self, channel: ChannelId) -> bool {
        self.channels.get_mut(&channel).is_some_and(|record| std::mem::take(&mut record.granted))
    }

    fn block(&mut self, priority: i32, consumer: &ConsumerId) {
        if let Some(record) = self.channels.get_mut(&consumer.0) {
            record.blocked.push(priority, consumer.1.clone());
        }
    }

    /// Takes one credit, if the consumer's own window and its channel's shared one have room.
    fn can_take(&mut self, queue: QueueId, consumer: &ConsumerId, limiters: &mut BTreeMap<ChannelId, Limiter>) -> Can {
        let Some(record) = self.channels.get_mut(&consumer.0) else { return Can::No };
        let Some(taker) = record.consumers.get_mut(&consumer.1) else { return Can::No };
        if record.suspended || taker.credit == Some(0) {
            return Can::No;
        }
        let needs_ack = !taker.request.no_ack;
        if record.limited && needs_ack {
            let room = match limiters.get_mut(&consumer.0) {
                Some(limiter) => limiter.can_send(queue, true),
                None if std::mem::take(&mut record.granted) => true,
                None => return Can::Ask,
            };
            if !room {
                record.suspended = true;
                return Can::No;
            }
        }
        if let Some(credit) = &mut taker.credit {
            *credit -= 1;
        }
        Can::Take(needs_ack)
    }

    pub fn holds(&mut self, consumer: &ConsumerId, id: u64) {
        if let Some(record) = self.channels.get_mut(&consumer.0) {
            record.holds.insert(id, Some(consumer.1.clone()));
        }
    }

    pub fn got(&mut self, channel: ChannelId, id: u64) {
        self.channels.entry(channel).or_default().holds.insert(id, None);
    }

    /// Acknowledged messages give credit back. Answers whether somebody who was blocked stands in line again: only
    /// then is the queue run again (R-P3).
    pub fn give_back(&mut self, channel: ChannelId, ids: &[u64]) -> bool {
        let Some(record) = self.channels.get_mut(&channel) else { return false };
        let mut revived = false;
        for id in ids {
            let Some(Some(tag)) = record.holds.remove(id) else { continue };
            let taker = record.consumers.get_mut(&tag);
            if let Some(credit) = taker.and_then(|taker| taker.credit.as_mut()) {
                revived |= *credit == 0;
                *credit += 1;
            }
        }
        revived && self.unblock(channel)
    }

    pub fn limit(&mut self, channel: ChannelId) {
        if let Some(record) = self.channels.get_mut(&channel) {
            record.limited = true;
        }
    }

    /// The channel's shared limit has room again.
    pub fn resume(&mut self, channel: ChannelId) -> bool {
        let Some(record) = self.channels.get_mut(&channel) else { return false };
        std::mem::take(&mut record.suspended) && self.unblock(channel)
    }

    fn unblock(&mut self, channel: ChannelId) -> bool {
        let Some(record) = self.channels.get_mut(&channel) else { return false };
        let blocked = std::mem::take(&mut record.blocked);
        let mut any = false;
        for (priority, tag) in blocked.iter() {
            if record.is_spent(tag) {
                record.blocked.push(*priority, tag.clone());
            } else {
                any = true;
                self.line.push(*priority, (channel, tag.clone()));
            }
        }
        any
    }
}
