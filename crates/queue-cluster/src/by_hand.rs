//! A consumer that is told what to do, one step after the other: ack, nack, get (R-K1).

use crate::consumer::Consumer;
use crate::frame::Method;
use crate::{Fx, Kind, QueueCluster};
use sim::hand::Hand;
use sim::objection;
use sim::story::{MarkKind, MessageId, Objection, Rule};
use sim::workload::{ClientOrder, Role};

/// What a consumer holds and has not settled, for who leads its hand.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct HeldView {
    /// The delivery tag.
    pub tag: u64,
    /// The message, if it is one of the workload's.
    pub id: Option<MessageId>,
    /// Whether it is not worked on yet, or at work.
    pub unfinished: bool,
}

impl Consumer {
    pub fn on_hand(&mut self, hand: Hand, fx: &mut Fx<'_>) {
        // What is wrong by now does nothing: whoever ordered it was told.
        if self.refuses(hand).is_some() {
            return;
        }
        match hand {
            Hand::Take => {
                self.spec.by_hand = true;
                self.tell("hand-taken", Vec::new(), fx);
            }
            Hand::LetGo => {
                self.spec.by_hand = false;
                self.tell("hand-let-go", Vec::new(), fx);
                self.settle(None, true, fx);
            }
            Hand::Get => {
                let queue = self.settings.queue.as_str().into();
                self.uplink.send(1, Method::Get { queue, no_ack: self.settings.no_ack }, fx);
            }
            Hand::Ack { tag, multiple } => {
                let settled = self.settle(tag, multiple, fx);
                self.tell("hand-acked", vec![settled], fx);
            }
            Hand::Nack { tag, multiple, requeue } => {
                let Some((last, settled)) = self.take_finished(tag, multiple) else { return };
                self.uplink.send(1, Method::Nack { tag: last, multiple, requeue }, fx);
                let whereto = if requeue { "back into the queue" } else { "out of the queue" };
                self.tell("hand-nacked", vec![settled, whereto.to_owned()], fx);
            }
            Hand::Poll { .. } | Hand::Commit | Hand::Say { .. } => {}
        }
    }

    pub fn got_nothing(&mut self, fx: &mut Fx<'_>) {
        self.tell("hand-got-nothing", vec![self.settings.queue.clone()], fx);
    }

    fn tell(&self, code: &'static str, mut values: Vec<String>, fx: &mut Fx<'_>) {
        values.insert(0, self.spec.name.clone());
        fx.mark(MarkKind::Change, code, values, Rule("R-K1"));
    }

    fn settle(&mut self, tag: Option<u64>, multiple: bool, fx: &mut Fx<'_>) -> String {
        let Some((tag, settled)) = self.take_finished(tag, multiple) else { return String::new() };
        self.uplink.send(1, Method::Ack { tag, multiple }, fx);
        settled
    }

    /// Takes finished deliveries: the oldest or one of a tag, or with `multiple` all up to it. Answers the last one's
    /// tag, and which they are in words.
    fn take_finished(&mut self, tag: Option<u64>, multiple: bool) -> Option<(u64, String)> {
        let place = match tag {
            Some(tag) => self.finished.iter().position(|(known, _)| *known == tag)?,
            None if multiple => self.finished.len().checked_sub(1)?,
            None => 0,
        };
        let last = self.finished.get(place)?.0;
        let first = self.finished.front()?.0;
        if multiple {
            self.finished.drain(..=place);
            return Some((last, if first == last { last.to_string() } else { format!("{first} to {last}") }));
        }
        self.finished.remove(place);
        Some((last, last.to_string()))
    }

    pub fn held_by_hand(&self) -> Vec<HeldView> {
        let view =
            |(tag, body): &(u64, crate::message::Body), unfinished| HeldView { tag: *tag, id: body.id, unfinished };
        let finished = self.finished.iter().map(|held| view(held, false));
        finished.chain(self.held.iter().map(|held| view(held, true))).collect()
    }

    /// Why a step makes no sense now.
    fn refuses(&self, hand: Hand) -> Option<Objection> {
        let name = &self.spec.name;
        match hand {
            Hand::Take if self.spec.by_hand => return Some(objection!("{} is in your hand already", name)),
            Hand::Take => return None,
            _ if !self.spec.by_hand => {
                return Some(objection!("{} settles by itself: take it in hand first, or set `by_hand` for it", name));
            }
            Hand::LetGo => return None,
            Hand::Poll { .. } | Hand::Commit | Hand::Say { .. } => {
                return Some(objection!(
                    "nobody polls or commits here: the queue pushes, and each delivery is acked or nacked"
                ));
            }
            Hand::Get | Hand::Ack { .. } | Hand::Nack { .. } => {}
        }
        if self.uplink.at().is_none() {
            return Some(objection!("{} has no connection: wait until it is connected again", name));
        }
        let (Hand::Ack { tag, .. } | Hand::Nack { tag, .. }) = hand else { return None };
        if self.settings.no_ack {
            return Some(objection!(
                "{} consumes with no_ack: what it gets counts as acknowledged once it is sent",
                name
            ));
        }
        let tags: Vec<String> = self.finished.iter().map(|(tag, _)| tag.to_string()).collect();
        match tag {
            Some(tag) if self.held.iter().any(|(known, _)| *known == tag) => {
                Some(objection!("{} still works on delivery {}: wait until it is done", name, tag))
            }
            None if self.finished.is_empty() && !self.held.is_empty() => {
                Some(objection!("{} still works on what it holds: wait until it is done", name))
            }
            _ if self.finished.is_empty() => {
                Some(objection!("{} holds nothing: publish one, and wait until it is delivered", name))
            }
            Some(tag) if !tags.contains(&tag.to_string()) => {
                let held = tags.join(", ");
                Some(objection!("{} holds no delivery {} (R-K1 would close its channel): it holds {}", name, tag, held))
            }
            _ => None,
        }
    }
}

impl QueueCluster {
    fn consumer(&self, place: u16) -> Option<(sim::NodeId, &Consumer)> {
        let info = self.nodes().iter().find(|info| info.role == Role::Consumer(place))?;
        match &self.world().process(info.id).0 {
            Kind::Consumer(consumer) => Some((info.id, consumer)),
            _ => None,
        }
    }

    /// What a consumer holds that it has not settled, oldest first, and whether it is led by hand.
    #[must_use]
    pub fn hand(&self, consumer: u16) -> Option<(bool, Vec<HeldView>)> {
        let (_, consumer) = self.consumer(consumer)?;
        Some((consumer.spec.by_hand, consumer.held_by_hand()))
    }

    /// Why an order to a client makes no sense now, in a sentence that says what to do.
    #[must_use]
    pub fn objection(&self, order: &ClientOrder) -> Option<Objection> {
        let info = self.nodes().iter().find(|info| info.role == order.role())?;
        self.world().health(info.id).objection(&info.name).or_else(|| {
            let ClientOrder::Hand { consumer, hand } = order else { return None };
            self.consumer(*consumer)?.1.refuses(*hand)
        })
    }
}
