//! The consumers of a quorum queue: who is active, who waits, who is gone (R-P4, R-P6, R-U4).

use crate::config::Rules;
use crate::desk::{Answer, ChannelId, ConsumeRequest, ConsumerId, Desk};
use crate::quorum::{Consumer, NO_PREFETCH, Quorum, Status};
use sim::NodeId;
use sim::story::MarkKind;
use std::rc::Rc;

impl Quorum {
    pub fn stand_in_line(&mut self, id: &ConsumerId) {
        let Some(consumer) = self.consumers.get(id) else { return };
        if consumer.credit > 0 && consumer.status == Status::Up && !self.service.contains(id) {
            self.service.push(consumer.request.priority, id.clone());
        }
    }

    pub fn consume(&mut self, channel: ChannelId, request: &Rc<ConsumeRequest>, desk: &mut Desk<'_>) {
        self.idle_since = desk.now;
        let id = (channel, request.tag.clone());
        desk.answer(channel, Answer::ConsumeOk { tag: request.tag.clone() });
        if self.consumers.contains_key(&id) || self.waiting.iter().any(|(other, _)| *other == id) {
            return;
        }
        let credit = if request.prefetch == 0 { NO_PREFETCH } else { request.prefetch };
        let consumer = Consumer { request: request.clone(), credit, status: Status::Up, holds: 0 };
        let occupied = self.consumers.values().any(|other| other.status != Status::Cancelled);
        if self.arguments.single_active_consumer && occupied {
            self.wait(id, consumer, desk.rules);
            self.activate(desk);
        } else {
            self.consumers.insert(id.clone(), consumer);
            self.stand_in_line(&id);
        }
        self.checkout(desk);
    }

    /// R-P6: consumers that wait stand in the order of their registration; in 4.x the higher priority stands first.
    pub fn wait(&mut self, id: ConsumerId, consumer: Consumer, rules: Rules) {
        let priority = consumer.request.priority;
        let at = if rules >= Rules::V4_2 {
            self.waiting.iter().position(|(_, other)| other.request.priority < priority).unwrap_or(self.waiting.len())
        } else {
            self.waiting.len()
        };
        self.waiting.insert(at, (id, consumer));
    }

    /// Makes the next one that waits active, if nobody is, or if it stands higher than an active one without messages.
    pub fn activate(&mut self, desk: &mut Desk<'_>) {
        if !self.arguments.single_active_consumer {
            return;
        }
        let Some(next) = self.waiting.iter().position(|(_, consumer)| consumer.status == Status::Up) else {
            // Nobody waits: one that was to give way goes on.
            for consumer in self.consumers.values_mut().filter(|consumer| consumer.status == Status::Quiescing) {
                consumer.status = Status::Up;
            }
            return;
        };
        let alive = |consumer: &Consumer| matches!(consumer.status, Status::Up | Status::Quiescing);
        let active = self.consumers.iter().find(|(_, consumer)| alive(consumer)).map(|(id, c)| (id.clone(), c.clone()));
        if let Some((id, consumer)) = active {
            let higher = self.waiting[next].1.request.priority > consumer.request.priority;
            if desk.rules < Rules::V4_2 || !higher {
                return;
            }
            if consumer.holds > 0 {
                if let Some(consumer) = self.consumers.get_mut(&id) {
                    consumer.status = Status::Quiescing;
                }
                return;
            }
            self.consumers.remove(&id);
            let taken = self.waiting.remove(next);
            self.wait(id, Consumer { status: Status::Up, ..consumer }, desk.rules);
            return self.make_active(taken, desk);
        }
        let taken = self.waiting.remove(next);
        self.make_active(taken, desk);
    }

    pub fn make_active(&mut self, (id, consumer): (ConsumerId, Consumer), desk: &mut Desk<'_>) {
        let values = vec![desk.name.to_string(), id.1.to_string()];
        desk.mark(MarkKind::Change, "active-consumer", values, "R-P6");
        self.consumers.insert(id.clone(), consumer);
        self.stand_in_line(&id);
    }

    pub fn cancel(&mut self, id: &ConsumerId, desk: &mut Desk<'_>) {
        desk.answer(id.0, Answer::CancelOk { tag: id.1.clone() });
        self.waiting.retain(|(other, _)| other != id);
        if let Some(consumer) = self.consumers.get_mut(id) {
            // R-P7: what it holds stays with its channel.
            consumer.status = Status::Cancelled;
            consumer.credit = 0;
            if consumer.holds == 0 {
                self.consumers.remove(id);
            }
            self.activate(desk);
        }
        self.left(desk);
        self.checkout(desk);
    }

    pub fn left(&mut self, desk: &mut Desk<'_>) {
        self.idle_since = desk.now;
        if self.arguments.expires.is_some() {
            self.watch_time(desk);
        }
    }

    pub fn channel_down(&mut self, channel: ChannelId, desk: &mut Desk<'_>) {
        self.waiting.retain(|((other, _), _)| *other != channel);
        self.return_all(|other| *other == channel, desk);
        self.consumers.retain(|(other, _), _| *other != channel);
        self.activate(desk);
        self.left(desk);
        self.checkout(desk);
        self.limit(desk);
    }

    /// What these channels hold comes back, in the order in which it was given out, before all others (R-K3).
    pub fn return_all(&mut self, whose: impl Fn(&ChannelId) -> bool, desk: &mut Desk<'_>) {
        let held = self.checked_out.iter().filter(|(_, out)| whose(&out.channel));
        let mut held: Vec<(ChannelId, Option<Rc<str>>, u64)> =
            held.map(|(id, out)| (out.channel, out.tag.clone(), *id)).collect();
        held.sort();
        for (channel, _, id) in held {
            if let Some(kept) = self.take_back(channel, id, true) {
                self.give_back(kept, desk);
            }
        }
    }

    /// R-U4: when the node of consumers is not seen, what they hold comes back at once (until 4.2).
    pub fn node_down(&mut self, node: NodeId, desk: &mut Desk<'_>) {
        let affected = self.consumers.keys().any(|(channel, _)| channel.node == node);
        self.return_all(|channel| channel.node == node, desk);
        let mut demoted = Vec::new();
        for (id, consumer) in &mut self.consumers {
            if id.0.node == node && consumer.status != Status::Cancelled {
                consumer.status = Status::SuspectedDown;
                if self.arguments.single_active_consumer {
                    demoted.push(id.clone());
                }
            }
        }
        for id in demoted {
            if let Some(consumer) = self.consumers.remove(&id) {
                self.waiting.push((id, consumer));
            }
        }
        for (id, consumer) in &mut self.waiting {
            if id.0.node == node {
                consumer.status = Status::SuspectedDown;
            }
        }
        if affected {
            let values = vec![desk.name.to_string(), crate::cluster::node_name(node)];
            desk.mark(MarkKind::Change, "consumers-returned", values, "R-U4");
        }
        self.activate(desk);
        self.checkout(desk);
    }

    pub fn node_up(&mut self, node: NodeId, boot: u32, desk: &mut Desk<'_>) {
        let dead = |channel: &ChannelId| channel.node == node && channel.boot() < boot;
        self.waiting.retain(|((channel, _), _)| !dead(channel));
        self.return_all(dead, desk);
        self.consumers.retain(|(channel, _), _| !dead(channel));
        let mut back = Vec::new();
        for (id, consumer) in &mut self.consumers {
            if id.0.node == node && consumer.status == Status::SuspectedDown {
                consumer.status = Status::Up;
                back.push(id.clone());
            }
        }
        for (id, consumer) in &mut self.waiting {
            if id.0.node == node && consumer.status == Status::SuspectedDown {
                consumer.status = Status::Up;
            }
        }
        back.iter().for_each(|id| self.stand_in_line(id));
        self.activate(desk);
        self.checkout(desk);
    }
}
