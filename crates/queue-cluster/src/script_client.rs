//! A scripted connection: it does what it is told and writes down what it sees.

use crate::client::Uplink;
use crate::config::Config;
use crate::desk::ConsumeRequest;
use crate::frame::{Frame, Method, Order, Reply, Wake, WantedExchange};
use crate::message::{Message, More};
use crate::script::{Observed, Operation, PropertiesOf};
use crate::value::Value;
use crate::{Fx, Proc};
use sim::story::{FlightKind, Look};
use sim::{Event, Pages, Time};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// What the client knows of a channel.
#[derive(Clone, Debug, Default)]
struct Channel {
    number: u16,
    open: bool,
    /// It is about to be closed, once its consumers are.
    closing: bool,
    confirms: bool,
    published: u64,
    unconfirmed: BTreeMap<u64, Rc<str>>,
    /// The newest delivery of each message; it outlives the channel.
    deliveries: BTreeMap<Rc<str>, u64>,
    consumers: Vec<Rc<str>>,
    gets: VecDeque<Rc<str>>,
}

impl Channel {
    /// The channel is closed.
    fn forget(&mut self) {
        self.open = false;
        self.closing = false;
        self.confirms = false;
        self.unconfirmed.clear();
        self.consumers.clear();
        self.gets.clear();
    }

    /// The messages that a confirm covers, in the order of their numbers.
    fn confirmed(&mut self, tag: u64, multiple: bool) -> Vec<Rc<str>> {
        let first = if multiple { 0 } else { tag };
        let covered: Vec<u64> = self.unconfirmed.range(first..=tag).map(|(number, _)| *number).collect();
        covered.iter().filter_map(|number| self.unconfirmed.remove(number)).collect()
    }
}

/// A scripted connection.
#[derive(Clone, Debug)]
pub struct ScriptClient {
    uplink: Uplink,
    channels: BTreeMap<Rc<str>, Channel>,
    /// Operations that wait for the connection.
    waiting: VecDeque<Rc<Operation>>,
    dialing: bool,
    steps: VecDeque<(Time, Rc<Operation>)>,
    pub observed: Pages<(Time, Observed)>,
    pub last_frame: Time,
}

impl ScriptClient {
    pub fn new(config: &Rc<Config>, steps: VecDeque<(Time, Rc<Operation>)>) -> ScriptClient {
        ScriptClient {
            uplink: Uplink::new(config, 0),
            channels: BTreeMap::new(),
            waiting: VecDeque::new(),
            dialing: false,
            steps,
            observed: Pages::default(),
            last_frame: Time::ZERO,
        }
    }

    pub fn on_event(&mut self, event: Event<Proc>, fx: &mut Fx<'_>) {
        match event {
            Event::Started => self.schedule(fx),
            Event::StopRequested => fx.exit(),
            Event::Connected(_) => {
                self.uplink.connected = true;
                self.dialing = false;
                while let Some(operation) = self.waiting.pop_front() {
                    self.operate(&operation, fx);
                }
            }
            Event::Disconnected(..) => {
                self.dialing = false;
                self.forget();
            }
            Event::Received(_, frame) => {
                self.last_frame = fx.now();
                self.on_frame(frame, fx);
            }
            Event::Woke(Wake::Step) => {
                while let Some((at, operation)) = self.steps.front().cloned()
                    && at <= fx.now()
                {
                    self.steps.pop_front();
                    self.take(&operation, fx);
                }
                self.schedule(fx);
            }
            Event::Ordered(Order::Operate(operation)) => self.take(&operation, fx),
            Event::Woke(_) | Event::Ordered(_) => {}
        }
    }

    pub fn crash(&mut self) {
        self.forget();
        self.waiting.clear();
        self.dialing = false;
    }

    fn schedule(&self, fx: &mut Fx<'_>) {
        if let Some((at, _)) = self.steps.front() {
            fx.wake_at((*at).max(fx.now()), Wake::Step);
        }
    }

    fn forget(&mut self) {
        self.uplink.connected = false;
        for channel in self.channels.values_mut() {
            channel.forget();
        }
    }

    fn take(&mut self, operation: &Rc<Operation>, fx: &mut Fx<'_>) {
        if matches!(**operation, Operation::ConnectionClose { .. }) && !self.uplink.connected {
            return;
        }
        if self.uplink.connected {
            return self.operate(operation, fx);
        }
        self.waiting.push_back(operation.clone());
        if !std::mem::replace(&mut self.dialing, true) {
            fx.connect(self.uplink.target);
        }
    }

    /// The channel of this name, opened at need.
    fn channel(&mut self, name: &str, fx: &mut Fx<'_>) -> &mut Channel {
        let next = self.channels.len() as u16 + 1;
        let name: Rc<str> = name.into();
        let channel = self.channels.entry(name).or_insert_with(|| Channel { number: next, ..Channel::default() });
        if !channel.open {
            channel.open = true;
            channel.published = 0;
            self.uplink.send(channel.number, Method::Open, fx);
        }
        channel
    }

    fn operate(&mut self, operation: &Operation, fx: &mut Fx<'_>) {
        match operation {
            Operation::ConnectionClose { .. } => {
                fx.send(self.uplink.target, Frame::Goodbye, 8, Look::plain(FlightKind::Control));
                fx.disconnect(self.uplink.target);
                return self.forget();
            }
            Operation::BrokerRestart {} => {
                fx.send(self.uplink.target, Frame::Restart, 8, Look::plain(FlightKind::Control));
                return;
            }
            Operation::Wait { .. } => return,
            _ => {}
        }
        let name = operation.channel().to_string();
        let channel = self.channel(&name, fx);
        let number = channel.number;
        match operation {
            Operation::ChannelClose { .. } => {
                // As common client libraries do, it cancels its consumers first, one after the other. A quorum queue
                // then serves the next single active consumer from its messages before what this one held comes back
                // (R-P6).
                channel.closing = true;
                channel.unconfirmed.clear();
                channel.gets.clear();
                self.close_next(number, fx);
            }
            _ => {
                if let Some(method) = method_of(operation, channel) {
                    self.uplink.send(number, method, fx);
                }
            }
        }
    }

    /// Goes on with closing a channel: the next consumer, or the channel itself.
    fn close_next(&mut self, number: u16, fx: &mut Fx<'_>) {
        let Some(channel) = self.channels.values_mut().find(|channel| channel.number == number) else { return };
        if !channel.closing {
            return;
        }
        if channel.consumers.is_empty() {
            channel.closing = false;
            channel.open = false;
            self.uplink.send(number, Method::Close, fx);
        } else {
            let tag = channel.consumers.remove(0);
            self.uplink.send(number, Method::Cancel { tag }, fx);
        }
    }

    fn see(&mut self, seen: Observed, fx: &Fx<'_>) {
        self.observed.push((fx.now(), seen));
    }

    fn on_frame(&mut self, frame: Frame, fx: &mut Fx<'_>) {
        match frame {
            Frame::Reply(number, reply) => self.on_reply(number, reply, fx),
            Frame::ConnectionClosed(code, _) => {
                let open: Vec<Rc<str>> =
                    self.channels.iter().filter(|(_, channel)| channel.open).map(|(name, _)| name.clone()).collect();
                for channel in open {
                    self.see(Observed::ChannelClosed { channel_closed: channel, code }, fx);
                }
                fx.disconnect(self.uplink.target);
                self.forget();
            }
            _ => {}
        }
    }

    fn on_reply(&mut self, number: u16, reply: Reply, fx: &mut Fx<'_>) {
        let Some((name, channel)) = self.channels.iter_mut().find(|(_, channel)| channel.number == number) else {
            return;
        };
        let name = name.clone();
        match reply {
            Reply::Deliver { consumer, tag, redelivered, body, count, offset } => {
                channel.deliveries.insert(body.text.clone(), tag);
                let more = body.more.as_deref();
                let seen = Observed::Delivered {
                    delivered: body.text.clone(),
                    consumer,
                    redelivered,
                    exchange: body.exchange.clone(),
                    routing_key: body.routing_key.clone(),
                    deaths: body.deaths_seen(),
                    delivery_count: count,
                    stream_offset: offset,
                    reply_to: more.and_then(|more| more.reply_to.clone()),
                    correlation_id: more.and_then(|more| more.correlation_id.clone()),
                };
                self.see(seen, fx);
            }
            Reply::Got { tag, redelivered, body, count, remaining } => {
                channel.deliveries.insert(body.text.clone(), tag);
                let seen = got(channel, Some(&body), Some(redelivered), Some(remaining), count);
                self.see(seen, fx);
            }
            Reply::GotNothing => {
                let seen = got(channel, None, None, None, None);
                self.see(seen, fx);
            }
            Reply::Confirm { tag, multiple, taken } => {
                let messages = channel.confirmed(tag, multiple);
                for message in messages {
                    let channel = name.clone();
                    let seen = if taken {
                        Observed::Confirmed { confirmed: message, channel }
                    } else {
                        Observed::Refused { refused: message, channel }
                    };
                    self.see(seen, fx);
                }
            }
            Reply::Return { code, body } => {
                self.see(Observed::Returned { returned: body.text.clone(), channel: name, code }, fx);
            }
            Reply::Cancelled { consumer } => {
                channel.consumers.retain(|tag| *tag != consumer);
                self.see(Observed::ConsumerCancelled { consumer_cancelled: consumer }, fx);
            }
            Reply::ConsumeOk => {}
            Reply::CancelOk { .. } => self.close_next(number, fx),
            Reply::Counts { queue, messages, consumers } => {
                self.see(Observed::Queue { queue, messages, consumers }, fx)
            }
            Reply::Closed { code, .. } => {
                channel.forget();
                self.uplink.send(number, Method::CloseOk, fx);
                self.see(Observed::ChannelClosed { channel_closed: name, code }, fx);
            }
        }
    }
}

/// What basic.get gave.
fn got(
    channel: &mut Channel,
    body: Option<&Message>,
    redelivered: Option<bool>,
    remaining: Option<u64>,
    count: Option<u32>,
) -> Observed {
    Observed::Got {
        got: body.map(|body| body.text.clone()),
        queue: channel.gets.pop_front().unwrap_or_else(|| "".into()),
        redelivered,
        remaining,
        delivery_count: count,
        deaths: body.map(Message::deaths_seen).unwrap_or_default(),
    }
}

/// An operation as the method that it is; `None` if it names a delivery that there was not.
fn method_of(operation: &Operation, channel: &mut Channel) -> Option<Method> {
    declaration_of(operation).or_else(|| basic_method_of(operation, channel))
}

fn declaration_of(operation: &Operation) -> Option<Method> {
    Some(match operation {
        Operation::ExchangeDeclare { exchange, kind, durable, auto_delete, internal, passive, arguments, .. } => {
            Method::DeclareExchange(Box::new(WantedExchange {
                name: exchange.as_str().into(),
                kind: kind.as_str().into(),
                durable: *durable,
                auto_delete: *auto_delete,
                internal: *internal,
                passive: *passive,
                arguments: arguments.clone(),
            }))
        }
        Operation::ExchangeDelete { exchange, if_unused, .. } => {
            Method::DeleteExchange { name: exchange.as_str().into(), if_unused: *if_unused }
        }
        Operation::ExchangeUnbind { source, destination, routing_key, arguments, .. } => Method::Unbind {
            source: source.as_str().into(),
            destination: destination.as_str().into(),
            to_exchange: true,
            key: routing_key.as_str().into(),
            arguments: arguments.clone(),
        },
        Operation::ExchangeBind { source, destination, routing_key, arguments, .. } => Method::Bind {
            source: source.as_str().into(),
            destination: destination.as_str().into(),
            to_exchange: true,
            key: routing_key.as_str().into(),
            arguments: arguments.clone(),
        },
        Operation::QueueDeclare { queue, durable, exclusive, auto_delete, passive, arguments, .. } => {
            Method::DeclareQueue {
                name: queue.as_str().into(),
                durable: *durable,
                exclusive: *exclusive,
                auto_delete: *auto_delete,
                passive: *passive,
                arguments: arguments.clone(),
            }
        }
        Operation::QueueBind { queue, exchange, routing_key, arguments, .. } => Method::Bind {
            source: exchange.as_str().into(),
            destination: queue.as_str().into(),
            to_exchange: false,
            key: routing_key.as_str().into(),
            arguments: arguments.clone(),
        },
        Operation::QueueUnbind { queue, exchange, routing_key, arguments, .. } => Method::Unbind {
            source: exchange.as_str().into(),
            destination: queue.as_str().into(),
            to_exchange: false,
            key: routing_key.as_str().into(),
            arguments: arguments.clone(),
        },
        Operation::QueuePurge { queue, .. } => Method::PurgeQueue { name: queue.as_str().into() },
        Operation::QueueDelete { queue, if_unused, if_empty, .. } => {
            Method::DeleteQueue { name: queue.as_str().into(), if_unused: *if_unused, if_empty: *if_empty }
        }
        _ => return None,
    })
}

fn basic_method_of(operation: &Operation, channel: &mut Channel) -> Option<Method> {
    // A padded body goes by its name without the padding, too.
    let tag_of = |channel: &Channel, message: &str| {
        let padded = || channel.deliveries.iter().find(|(body, _)| body.trim_end_matches('.') == message);
        channel.deliveries.get(message).or_else(|| padded().map(|(_, tag)| tag)).copied()
    };
    Some(match operation {
        Operation::ConfirmSelect { .. } => {
            channel.confirms = true;
            Method::ConfirmSelect
        }
        Operation::BasicPublish { exchange, routing_key, message, mandatory, bytes, properties, .. } => {
            if channel.confirms {
                channel.published += 1;
                channel.unconfirmed.insert(channel.published, message.as_str().into());
            }
            let body = message_of(exchange, routing_key, padded(message, *bytes), properties);
            Method::Publish { mandatory: *mandatory, body: Rc::new(body) }
        }
        Operation::BasicQos { prefetch_size, prefetch_count, global, .. } => {
            Method::Qos { size: *prefetch_size, count: *prefetch_count, global: *global }
        }
        Operation::BasicConsume { queue, consumer, no_ack, exclusive, arguments, .. } => {
            let tag: Rc<str> = consumer.as_str().into();
            channel.consumers.push(tag.clone());
            let priority = arguments.get("x-priority").and_then(Value::as_int).unwrap_or(0);
            let request = ConsumeRequest {
                tag,
                prefetch: 0,
                no_ack: *no_ack,
                exclusive: *exclusive,
                priority: i32::try_from(priority).unwrap_or(0),
                limited: false,
                arguments: arguments.clone(),
            };
            Method::Consume { queue: queue.as_str().into(), request: Rc::new(request) }
        }
        Operation::BasicCancel { consumer, .. } => {
            channel.consumers.retain(|tag| &**tag != consumer.as_str());
            Method::Cancel { tag: consumer.as_str().into() }
        }
        Operation::BasicAck { message, delivery_tag, multiple, .. } => {
            Method::Ack { tag: delivery_tag.or_else(|| tag_of(channel, message))?, multiple: *multiple }
        }
        Operation::BasicNack { message, delivery_tag, multiple, requeue, .. } => {
            let tag = delivery_tag.or_else(|| tag_of(channel, message))?;
            Method::Nack { tag, multiple: *multiple, requeue: *requeue }
        }
        Operation::TxSelect { .. } => Method::TxSelect,
        Operation::TxCommit { .. } => Method::TxCommit,
        Operation::TxRollback { .. } => Method::TxRollback,
        Operation::BasicReject { message, requeue, .. } => {
            Method::Nack { tag: tag_of(channel, message)?, multiple: false, requeue: *requeue }
        }
        Operation::BasicGet { queue, no_ack, .. } => {
            channel.gets.push_back(queue.as_str().into());
            Method::Get { queue: queue.as_str().into(), no_ack: *no_ack }
        }
        Operation::BasicRecover { .. } => Method::Recover,
        _ => return None,
    })
}

fn padded(message: &str, bytes: Option<u32>) -> Rc<str> {
    let missing = (bytes.unwrap_or(0) as usize).saturating_sub(message.len());
    if missing == 0 { message.into() } else { format!("{message}{}", ".".repeat(missing)).into() }
}

fn message_of(exchange: &str, routing_key: &str, text: Rc<str>, properties: &PropertiesOf) -> Message {
    let text_of = |text: &Option<String>| text.as_deref().map(Rc::from);
    let more = More {
        headers: properties.headers.clone(),
        reply_to: text_of(&properties.reply_to),
        correlation_id: text_of(&properties.correlation_id),
        deaths: Vec::new(),
    };
    Message {
        id: None,
        key: None,
        bytes: text.len() as u32,
        hue: 255,
        exchange: exchange.into(),
        routing_key: routing_key.into(),
        persistent: properties.delivery_mode == Some(2),
        priority: properties.priority,
        // What cannot be understood is sent as it is, and refused: here it is a number that nobody can mean.
        expiration: properties.expiration.as_deref().map(|text| text.parse().unwrap_or(u64::MAX)),
        more: (more != More::default()).then(|| Rc::new(more)),
        text,
    }
}
