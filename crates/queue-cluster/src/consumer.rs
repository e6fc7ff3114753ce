//! A consuming client: a window of messages, one at work at a time, acknowledgements (R-P1, R-K1).

use crate::client::Uplink;
use crate::config::{Config, ConsumerSettings};
use crate::desk::ConsumeRequest;
use crate::frame::{Frame, Method, Order, Reply, Wake};
use crate::message::Body;
use crate::value::{Table, Value};
use crate::{Fx, Proc};
use sim::story::{Life, Note, Rule};
use sim::workload::{ClientOrder, ConsumerSpec};
use sim::{Dice, Event, Time};
use std::collections::VecDeque;
use std::rc::Rc;

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    pub settings: ConsumerSettings,
    pub uplink: Uplink,
    config: Rc<Config>,
    pub(crate) spec: ConsumerSpec,
    place: u16,
    pub reader: u8,
    dice: Dice,
    started: bool,
    open: bool,
    /// Counts consumer tags: a changed window needs a new consumer (R-P1).
    generation: u32,
    /// What came and is not finished, the one at work first.
    pub held: VecDeque<(u64, Body)>,
    /// What is finished and not acknowledged.
    pub finished: VecDeque<(u64, Body)>,
    /// Whether the first is at work, since when and until when; and whether its connection is gone meanwhile.
    pub working: Option<(Time, Time)>,
    orphan: Option<Body>,
    pub processed: u64,
    /// The key of the messages that its application fails on.
    fails_on: Option<u32>,
}

impl Consumer {
    pub fn new(
        config: &Rc<Config>,
        place: u16,
        settings: ConsumerSettings,
        spec: &ConsumerSpec,
        seed: u64,
    ) -> Consumer {
        let reader = config.queues.iter().position(|queue| queue.name == settings.queue).unwrap_or(0);
        Consumer {
            uplink: Uplink::new(config, settings.node.unwrap_or(place)),
            config: config.clone(),
            spec: spec.clone(),
            place,
            reader: reader.min(255) as u8,
            dice: Dice::named(seed, "processing", &[u64::from(place)]),
            started: false,
            open: false,
            generation: 0,
            held: VecDeque::new(),
            finished: VecDeque::new(),
            working: None,
            orphan: None,
            processed: 0,
            fails_on: None,
            settings,
        }
    }

    /// All that it may still process.
    pub fn unprocessed(&self) -> impl Iterator<Item = &Body> {
        self.orphan.iter().chain(self.held.iter().map(|(_, body)| body))
    }

    pub fn on_event(&mut self, event: Event<Proc>, fx: &mut Fx<'_>) {
        match event {
            Event::Started => {
                self.working = None;
                self.orphan = None;
                if self.started || self.spec.start <= fx.now() {
                    self.begin(fx);
                } else {
                    fx.wake_at(self.spec.start, Wake::Step);
                }
            }
            Event::StopRequested => fx.exit(),
            Event::Connected(_) => self.uplink.reached(fx),
            Event::Disconnected(..) => self.lost(fx),
            Event::Received(_, frame) => self.on_frame(frame, fx),
            Event::Woke(wake) => self.on_wake(wake, fx),
            Event::Ordered(order) => self.on_order(&order, fx),
        }
    }

    fn begin(&mut self, fx: &mut Fx<'_>) {
        self.started = true;
        self.uplink.start(fx);
    }

    fn on_wake(&mut self, wake: Wake, fx: &mut Fx<'_>) {
        match wake {
            Wake::Done => self.done(fx),
            Wake::Patience(attempt) => self.uplink.patience(attempt, fx),
            Wake::Ready(attempt) if self.uplink.ready(attempt, fx) => self.open_channel(fx),
            Wake::Beat if self.uplink.beat(fx) => self.lost(fx),
            Wake::Again => {
                if self.open {
                    self.consume(fx);
                } else {
                    self.open_channel(fx);
                }
            }
            Wake::Step => self.begin(fx),
            _ => {}
        }
    }

    fn on_order(&mut self, order: &Order, fx: &mut Fx<'_>) {
        match order {
            Order::Client(ClientOrder::SetProcessing { processing, .. }) => self.spec.processing = *processing,
            Order::Client(ClientOrder::SetPrefetch { count, .. }) => {
                self.settings.prefetch_count = *count;
                if self.open {
                    // R-P1: the running consumer keeps its window, so another one takes its place.
                    let tag = self.tag();
                    self.uplink.send(1, Method::Cancel { tag }, fx);
                    self.generation += 1;
                    self.consume(fx);
                }
            }
            Order::Client(ClientOrder::FailOn { key, .. }) => self.fails_on = *key,
            Order::Client(ClientOrder::Hand { hand, .. }) => self.on_hand(*hand, fx),
            Order::Client(_) | Order::Operate(_) | Order::Server(_) => {}
        }
    }

    fn tag(&self) -> Rc<str> {
        if self.generation == 0 {
            self.spec.name.as_str().into()
        } else {
            format!("{}-{}", self.spec.name, self.generation + 1).into()
        }
    }

    fn open_channel(&mut self, fx: &mut Fx<'_>) {
        if !self.uplink.connected || self.open {
            return;
        }
        self.open = true;
        self.uplink.send(1, Method::Open, fx);
        self.consume(fx);
    }

    fn consume(&mut self, fx: &mut Fx<'_>) {
        let settings = &self.settings;
        let qos = Method::Qos { size: 0, count: settings.prefetch_count, global: settings.global };
        self.uplink.send(1, qos, fx);
        let mut arguments = Table::new();
        if let Some(offset) = &settings.stream_offset {
            let value = offset.parse().map_or_else(|_| Value::from(offset.as_str()), Value::Int);
            arguments.insert("x-stream-offset".into(), value);
        }
        let request = ConsumeRequest {
            tag: self.tag(),
            prefetch: 0,
            no_ack: settings.no_ack,
            exclusive: settings.exclusive,
            priority: settings.priority,
            limited: false,
            arguments,
        };
        let queue = settings.queue.as_str().into();
        self.uplink.send(1, Method::Consume { queue, request: Rc::new(request) }, fx);
    }

    fn on_frame(&mut self, frame: Frame, fx: &mut Fx<'_>) {
        self.uplink.heard(fx.now());
        match frame {
            Frame::Reply(_, Reply::GotNothing) => self.got_nothing(fx),
            Frame::Reply(
                _,
                Reply::Deliver { tag, redelivered, body, .. } | Reply::Got { tag, redelivered, body, .. },
            ) => {
                if let Some(id) = body.id {
                    let life = Life::Delivered { reader: self.reader, consumer: self.place, redelivered };
                    fx.note(Note::Life(id, life, Rule("R-P3")));
                }
                self.held.push_back((tag, body));
                self.work(fx);
            }
            Frame::Reply(_, Reply::Cancelled { .. }) => {
                self.generation += 1;
                fx.wake_in(self.config.client.recovery_interval, Wake::Again);
            }
            Frame::Reply(number, Reply::Closed { .. }) => {
                self.uplink.send(number, Method::CloseOk, fx);
                self.forget();
                fx.wake_in(self.config.client.recovery_interval, Wake::Again);
            }
            Frame::ConnectionClosed(..) => self.lost(fx),
            _ => {}
        }
    }

    fn work(&mut self, fx: &mut Fx<'_>) {
        if self.working.is_some() || self.held.is_empty() {
            return;
        }
        let time = self.spec.processing.sample(&mut self.dice);
        self.working = Some((fx.now(), fx.now() + time));
        fx.wake_in(time, Wake::Done);
    }

    fn done(&mut self, fx: &mut Fx<'_>) {
        self.working = None;
        if let Some(orphan) = self.orphan.take() {
            // Its connection is gone: the work is done, and cannot be acknowledged.
            if !self.fails(&orphan) {
                self.note_processed(&orphan, fx);
            }
            return self.work(fx);
        }
        let Some((tag, body)) = self.held.pop_front() else { return };
        if self.fails(&body) {
            // Nobody has processed it: it goes back, to this consumer or to another one (R-U5).
            if !self.settings.no_ack {
                self.uplink.send(1, Method::Nack { tag, multiple: false, requeue: true }, fx);
            }
            return self.work(fx);
        }
        self.note_processed(&body, fx);
        let every = if self.spec.by_hand { 0 } else { self.settings.reject_every };
        if !self.settings.no_ack {
            if every > 0 && self.processed.is_multiple_of(u64::from(every)) {
                self.uplink.send(1, Method::Nack { tag, multiple: false, requeue: self.settings.requeue }, fx);
            } else {
                self.finished.push_back((tag, body));
                self.acknowledge(fx);
            }
        }
        self.work(fx);
    }

    /// Whether its application fails on a message.
    fn fails(&self, body: &Body) -> bool {
        self.fails_on.is_some() && self.fails_on == body.key
    }

    fn note_processed(&mut self, body: &Body, fx: &mut Fx<'_>) {
        self.processed += 1;
        if let Some(id) = body.id {
            fx.note(Note::Life(id, Life::Processed { reader: self.reader, consumer: self.place }, Rule("R-K1")));
        }
    }

    /// Acknowledges what is finished, several at once if so set, and always before the window is full of it.
    fn acknowledge(&mut self, fx: &mut Fx<'_>) {
        let finished = self.finished.len() as u32;
        if self.spec.by_hand {
            return;
        }
        let full = self.settings.prefetch_count > 0 && finished >= u32::from(self.settings.prefetch_count);
        if finished < self.settings.ack_every.max(1) && !full {
            return;
        }
        if let Some((tag, _)) = self.finished.back() {
            let (tag, multiple) = (*tag, finished > 1);
            self.finished.clear();
            self.uplink.send(1, Method::Ack { tag, multiple }, fx);
        }
    }

    /// The channel is gone: its deliveries cannot be acknowledged any more and will come again.
    fn forget(&mut self) {
        self.open = false;
        self.finished.clear();
        let first = self.held.pop_front();
        self.held.clear();
        if self.working.is_some() && self.orphan.is_none() {
            self.orphan = first.map(|(_, body)| body);
        }
    }

    fn lost(&mut self, fx: &mut Fx<'_>) {
        self.forget();
        self.uplink.lost(fx);
    }

    /// The process was killed.
    pub fn crash(&mut self) {
        self.forget();
        self.orphan = None;
        self.working = None;
        self.uplink.connected = false;
    }
}
