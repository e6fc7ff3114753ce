//! A publishing client: confirms, and what it does when they do not come (R-C1, R-C5).

use crate::client::Uplink;
use crate::config::{Config, PublisherSettings};
use crate::frame::{Frame, Method, Order, Reply, Wake};
use crate::message::{Body, Message};
use crate::tagged::Tagged;
use crate::{Fx, Proc};
use sim::story::{Life, MarkKind, MessageId, Note, Rule};
use sim::workload::{ClientOrder, Fresh, Source};
use sim::{Alarm, Event};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

/// A publisher.
#[derive(Clone, Debug)]
pub struct Publisher {
    pub settings: PublisherSettings,
    pub uplink: Uplink,
    config: Rc<Config>,
    source: Source,
    exchange: Rc<str>,
    /// The routing keys by the index of the message's key, made once each.
    keys: Vec<Rc<str>>,
    /// The routing key of messages without a key.
    keyless: Rc<str>,
    no_text: Rc<str>,
    open: bool,
    published: u64,
    pub waiting: VecDeque<Body>,
    pub unconfirmed: Tagged<Body>,
    /// Came back unroutable; the confirm that follows does not make them taken (R-X7).
    returned: BTreeSet<MessageId>,
    pub refused: u64,
    refusing: bool,
    /// The server said that an alarm holds publishers up (R-M4).
    pub blocked: bool,
    alarm: Option<Alarm>,
}

impl Publisher {
    pub fn new(config: &Rc<Config>, place: u16, settings: PublisherSettings, source: Source) -> Publisher {
        let key = |index: u32| {
            settings.routing_key.replace("{key}", &format!("key-{index}")).replace("{index}", &index.to_string())
        };
        let keys = (0..source.spec().keys).map(|index| key(index).into()).collect();
        Publisher {
            uplink: Uplink::new(config, settings.node.unwrap_or(place)),
            config: config.clone(),
            exchange: settings.exchange.as_str().into(),
            keys,
            keyless: settings.routing_key.replace("{key}", "").into(),
            no_text: "".into(),
            source,
            open: false,
            published: 0,
            waiting: VecDeque::new(),
            unconfirmed: Tagged::default(),
            returned: BTreeSet::new(),
            refused: 0,
            refusing: false,
            blocked: false,
            alarm: None,
            settings,
        }
    }

    pub fn on_event(&mut self, event: Event<Proc>, fx: &mut Fx<'_>) {
        match event {
            Event::Started => {
                self.uplink.start(fx);
                self.schedule(fx);
            }
            Event::StopRequested => fx.exit(),
            Event::Connected(_) => self.uplink.reached(fx),
            Event::Disconnected(..) => self.lost(fx),
            Event::Received(_, frame) => self.on_frame(frame, fx),
            Event::Woke(wake) => self.on_wake(wake, fx),
            Event::Ordered(order) => self.on_order(&order, fx),
        }
    }

    fn on_wake(&mut self, wake: Wake, fx: &mut Fx<'_>) {
        match wake {
            Wake::Due => {
                self.alarm = None;
                while let Some(fresh) = self.source.take_due(fx.now()) {
                    self.take(fresh, fx);
                }
                self.schedule(fx);
                self.pump(fx);
            }
            Wake::Retry(body) => {
                self.waiting.push_back(body);
                self.pump(fx);
            }
            Wake::Patience(attempt) => self.uplink.patience(attempt, fx),
            Wake::Ready(attempt) if self.uplink.ready(attempt, fx) => self.open_channel(fx),
            Wake::Beat if self.uplink.beat(fx) => self.lost(fx),
            Wake::Again => self.open_channel(fx),
            _ => {}
        }
    }

    fn on_order(&mut self, order: &Order, fx: &mut Fx<'_>) {
        match order {
            Order::Client(ClientOrder::SetRate { rate_milli, .. }) => {
                self.source.set_rate(fx.now(), *rate_milli);
                self.schedule(fx);
            }
            Order::Client(ClientOrder::PublishOne { key, .. }) => {
                let fresh = self.source.make_one(*key, false);
                self.take(fresh, fx);
                self.pump(fx);
            }
            Order::Client(_) | Order::Operate(_) | Order::Server(_) => {}
        }
    }

    fn schedule(&mut self, fx: &mut Fx<'_>) {
        if let Some(alarm) = self.alarm.take() {
            fx.cancel(alarm);
        }
        if let Some(due) = self.source.due() {
            self.alarm = Some(fx.wake_at(due.max(fx.now()), Wake::Due));
        }
    }

    fn take(&mut self, fresh: Fresh, fx: &mut Fx<'_>) {
        fx.note(Note::Life(fresh.id, Life::Produced { key: fresh.key.unwrap_or(0) }, Rule("R-K7")));
        let known = fresh.key.and_then(|key| self.keys.get(key as usize));
        let routing_key = known.unwrap_or(&self.keyless).clone();
        let hue = fresh.key.map_or(255, |key| (key % 8) as u8);
        let body = Message {
            id: Some(fresh.id),
            key: fresh.key,
            text: self.no_text.clone(),
            bytes: fresh.bytes,
            hue,
            exchange: self.exchange.clone(),
            routing_key,
            persistent: self.settings.persistent,
            priority: self.settings.priority,
            expiration: self.settings.expiration,
            more: None,
        };
        self.waiting.push_back(Rc::new(body));
    }

    fn open_channel(&mut self, fx: &mut Fx<'_>) {
        if !self.uplink.connected || self.open {
            return;
        }
        self.open = true;
        self.published = 0;
        self.uplink.send(1, Method::Open, fx);
        if self.settings.confirms {
            self.uplink.send(1, Method::ConfirmSelect, fx);
        }
        self.pump(fx);
    }

    /// Sends what waits, as far as the limit of unconfirmed messages allows.
    fn pump(&mut self, fx: &mut Fx<'_>) {
        let max = self.settings.max_unconfirmed as usize;
        while self.open && self.uplink.connected && !self.blocked {
            if self.settings.confirms && max > 0 && self.unconfirmed.len() >= max {
                return;
            }
            let Some(body) = self.waiting.pop_front() else { return };
            self.uplink.send(1, Method::Publish { mandatory: self.settings.mandatory, body: body.clone() }, fx);
            if self.settings.confirms {
                self.published += 1;
                self.unconfirmed.insert(self.published, body);
            }
        }
    }

    fn on_frame(&mut self, frame: Frame, fx: &mut Fx<'_>) {
        self.uplink.heard(fx.now());
        match frame {
            Frame::Reply(_, Reply::Confirm { tag, multiple, taken }) => {
                self.confirmed(tag, multiple, taken, fx);
                self.pump(fx);
            }
            Frame::Reply(_, Reply::Return { body, .. }) => {
                if let Some(id) = body.id {
                    self.returned.insert(id);
                    self.give_up(&body, "R-X7", fx);
                    if !self.settings.confirms {
                        self.returned.remove(&id);
                    }
                }
            }
            Frame::Reply(number, Reply::Closed { .. }) => {
                self.uplink.send(number, Method::CloseOk, fx);
                self.unknown();
                fx.wake_in(self.config.client.recovery_interval, Wake::Again);
            }
            Frame::Blocked(on) => {
                // R-M4: an application that is told stops publishing until it is told otherwise.
                self.blocked = on;
                self.pump(fx);
            }
            Frame::ConnectionClosed(..) => self.lost(fx),
            _ => {}
        }
    }

    fn confirmed(&mut self, tag: u64, multiple: bool, taken: bool, fx: &mut Fx<'_>) {
        let bodies: Vec<Body> = if multiple {
            self.unconfirmed.take_upto(tag)
        } else {
            self.unconfirmed.remove(&tag).into_iter().collect()
        };
        for body in bodies {
            let Some(id) = body.id else { continue };
            if taken {
                self.refusing = false;
                if !self.returned.remove(&id) {
                    fx.note(Note::Life(id, Life::Acknowledged, Rule("R-C1")));
                }
            } else if let Some(wait) = self.settings.retry_refused {
                self.first_refusal(fx);
                fx.wake_in(wait, Wake::Retry(body));
            } else {
                self.first_refusal(fx);
                self.give_up(&body, "R-C2", fx);
            }
        }
    }

    fn first_refusal(&mut self, fx: &mut Fx<'_>) {
        if !std::mem::replace(&mut self.refusing, true) {
            let values = vec![crate::cluster::node_name(self.uplink.target)];
            fx.mark(MarkKind::Refusal, "publish-refused", values, Rule("R-C2"));
        }
    }

    fn give_up(&mut self, body: &Body, rule: &'static str, fx: &mut Fx<'_>) {
        self.refused += 1;
        if let Some(id) = body.id {
            fx.note(Note::Life(id, Life::Refused, Rule(rule)));
        }
    }

    /// R-C5: what is unconfirmed when a channel ends is unknown: sent again it may be there twice.
    fn unknown(&mut self) {
        self.open = false;
        self.blocked = false;
        let unconfirmed = std::mem::take(&mut self.unconfirmed);
        if self.settings.resend_unconfirmed {
            for body in unconfirmed.into_values().rev() {
                self.waiting.push_front(body);
            }
        }
    }

    fn lost(&mut self, fx: &mut Fx<'_>) {
        self.unknown();
        self.uplink.lost(fx);
    }

    /// The process was killed: what it had in its hands is gone.
    pub fn crash(&mut self) {
        self.alarm = None;
        self.open = false;
        self.blocked = false;
        self.waiting.clear();
        self.unconfirmed.clear();
        self.uplink.connected = false;
    }
}
