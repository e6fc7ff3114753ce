//! What a server does for a channel: publishing, confirms, acknowledgements, consuming.

use crate::Fx;
use crate::config::Rules;
use crate::connection::{Channel, Connection, Said, Subscription, Unacked, Unconfirmed};
use crate::desk::{Answer, Ask, ChannelId, ConsumeRequest, Handed, QueueId};
use crate::frame::{Frame, Method, Reply, Wake};
use crate::message::{Body, Message, More};
use crate::routing;
use crate::server::Server;
use crate::value::Value;
use crate::view::QueueKind;
use sim::story::{FlightKind, Look, MarkKind, Rule};
use sim::{Nanos, NodeId};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a connection takes to end its channels before it tells its client why. Assumed.
const CLOSING: Nanos = Nanos::micros(100);
/// The queue that stands for a direct reply (R-M5).
const REPLY_TO: &str = "amq.rabbitmq.reply-to";

impl Server {
    pub fn on_client_frame(&mut self, client: NodeId, frame: Frame, fx: &mut Fx<'_>) {
        let Some(connection) = self.connections.get_mut(&client) else { return };
        connection.heard = fx.now();
        match frame {
            // R-M3, R-M4, R-U3: in flow or blocked it is not read from, and what comes waits in the socket.
            Frame::Method(..) if connection.closing => {}
            Frame::Method(number, method) if connection.in_flow || connection.blocked => {
                connection.unread.push_back((number, method));
            }
            Frame::Method(number, method) => self.on_method(client, number, method, fx),
            Frame::Goodbye => self.connection_gone(client, fx),
            Frame::Restart => self.restart(fx),
            // Signs of life, and what only servers say.
            _ => {}
        }
    }

    pub fn channel(&mut self, client: NodeId, number: u16) -> Option<&mut Channel> {
        self.connections.get_mut(&client)?.channels.get_mut(&number)
    }

    /// A channel that still is the one that is meant.
    pub fn live(&mut self, id: ChannelId) -> Option<&mut Channel> {
        self.channel(id.client, id.number).filter(|channel| channel.id == id && !channel.closing)
    }

    pub fn on_method(&mut self, client: NodeId, number: u16, method: Method, fx: &mut Fx<'_>) {
        if matches!(method, Method::Open) {
            self.next_channel += 1;
            let serial = u64::from(self.boot) << 32 | u64::from(self.next_channel);
            let id = ChannelId { node: self.me, client, number, serial };
            if let Some(connection) = self.connections.get_mut(&client) {
                connection.channels.insert(number, Channel::new(id));
                fx.wake_in(self.config.server.channel_tick, Wake::ChannelTick(id));
            }
            return;
        }
        let Some(channel) = self.channel(client, number) else { return };
        let id = channel.id;
        if channel.closing {
            if matches!(method, Method::CloseOk) {
                self.connections.get_mut(&client).map(|connection| connection.channels.remove(&number));
            }
            return;
        }
        if channel.waits.is_some() {
            return channel.later.push_back(method);
        }
        match method {
            Method::Open | Method::CloseOk => {}
            Method::Close => {
                self.end_channel(id, fx);
                self.connections.get_mut(&client).map(|connection| connection.channels.remove(&number));
            }
            Method::ConfirmSelect if channel.tx.is_some() => {
                // R-C6: a channel has the one or the other.
                self.close_channel(id, 406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode", fx);
            }
            Method::ConfirmSelect => channel.confirms = true,
            Method::TxSelect | Method::TxCommit | Method::TxRollback => self.transact(id, &method, fx),
            Method::Publish { mandatory, body } if channel.tx.is_some() => self.hold_publish(id, mandatory, body),
            Method::Qos { size, count, global } => self.qos(id, size, count, global, fx),
            Method::Publish { mandatory, body } => self.publish(id, mandatory, body, fx),
            Method::Consume { queue, request } => self.consume(id, &queue, &request, fx),
            Method::Cancel { tag } => self.cancel(id, &tag, fx),
            Method::Ack { tag, multiple } => self.acknowledge(id, tag, multiple, fx),
            Method::Nack { tag, multiple, requeue } => self.refuse_messages(id, tag, multiple, requeue, fx),
            Method::Get { queue, no_ack } => self.get(id, &queue, no_ack, fx),
            Method::Recover => {
                let all: Vec<Unacked> = std::mem::take(&mut channel.unacked).into_values().collect();
                self.settle(id, all, Said::Requeue, fx);
            }
            declaration => self.declare(id, declaration, fx),
        }
    }

    pub fn reply(&self, id: ChannelId, reply: Reply, fx: &mut Fx<'_>) {
        let (bytes, look) = match &reply {
            Reply::Deliver { body, .. } | Reply::Got { body, .. } => {
                (body.bytes, Look::of(FlightKind::Deliver, body.hue, 1))
            }
            Reply::Return { body, .. } => (body.bytes, Look::of(FlightKind::Refuse, body.hue, 1)),
            Reply::Confirm { taken: true, .. } => (0, Look::plain(FlightKind::Ack)),
            Reply::Confirm { taken: false, .. } | Reply::Closed { .. } | Reply::Cancelled { .. } => {
                (0, Look::plain(FlightKind::Refuse))
            }
            Reply::GotNothing | Reply::ConsumeOk | Reply::CancelOk { .. } | Reply::Counts { .. } => {
                (0, Look::plain(FlightKind::Control))
            }
        };
        self.send(id.client, Frame::Reply(id.number, reply), bytes, look, fx);
    }

    /// Closes a channel for a reason. What it held goes back (R-K1).
    pub fn close_channel(&mut self, id: ChannelId, code: u16, reason: &str, fx: &mut Fx<'_>) {
        if self.live(id).is_none() {
            return;
        }
        self.end_channel(id, fx);
        if let Some(channel) = self.channel(id.client, id.number) {
            channel.closing = true;
        }
        fx.mark(MarkKind::Refusal, "channel-closed", vec![code.to_string(), reason.to_string()], Rule("R-K1"));
        self.reply(id, Reply::Closed { code, reason: reason.into() }, fx);
    }

    /// A hard error: the whole connection is closed (R-P1, R-P2).
    pub fn close_connection(&mut self, client: NodeId, code: u16, reason: &str, fx: &mut Fx<'_>) {
        self.close_connection_by(client, code, reason, "R-P2", fx);
    }

    pub fn close_connection_by(
        &mut self,
        client: NodeId,
        code: u16,
        reason: &str,
        rule: &'static str,
        fx: &mut Fx<'_>,
    ) {
        fx.mark(MarkKind::Refusal, "connection-closed", vec![code.to_string(), reason.to_string()], Rule(rule));
        let Some(connection) = self.connections.get_mut(&client) else { return };
        // Nothing more is read; the other channels are told to end before the client is told.
        connection.in_flow = true;
        connection.closing = true;
        let serial = connection.serial;
        fx.wake_in(CLOSING, Wake::CloseConnection(client, serial, code, reason.into()));
    }

    pub fn finish_closing(&mut self, client: NodeId, serial: u64, code: u16, reason: Rc<str>, fx: &mut Fx<'_>) {
        if self.connections.get(&client).is_none_or(|connection| connection.serial != serial) {
            return;
        }
        let frame = Frame::ConnectionClosed(code, reason);
        self.send(client, frame, 0, Look::plain(FlightKind::Refuse), fx);
        self.connection_gone(client, fx);
    }

    /// Tells every queue that had to do with a channel that it is gone.
    fn end_channel(&mut self, id: ChannelId, fx: &mut Fx<'_>) {
        let Some(channel) = self.channel(id.client, id.number) else { return };
        let mut queues: Vec<QueueId> = channel.subscriptions.values().map(|subscription| subscription.queue).collect();
        queues.extend(channel.unacked.values().map(|unacked| unacked.queue));
        queues.sort_unstable();
        queues.dedup();
        channel.subscriptions.clear();
        channel.unacked.clear();
        self.limiters.remove(&id);
        for queue in queues {
            self.ask(queue, Ask::Down { channel: id }, None, fx);
        }
    }

    pub fn connection_gone(&mut self, client: NodeId, fx: &mut Fx<'_>) {
        let ids = |connection: &Connection| connection.channels.values().map(|channel| channel.id).collect::<Vec<_>>();
        let channels = self.connections.get(&client).map(ids).unwrap_or_default();
        for id in channels {
            self.end_channel(id, fx);
        }
        if self.connections.remove(&client).is_some() {
            self.delete_owned(client, fx);
        }
    }

    fn get(&mut self, id: ChannelId, name: &Rc<str>, no_ack: bool, fx: &mut Fx<'_>) {
        let Some(queue) = self.usable_queue(id, name, fx) else { return };
        let Some(kind) = self.topology.queues.get(&queue).map(|record| record.arguments.kind) else { return };
        let remembers = self.config.rules < Rules::V4_2;
        let Some(channel) = self.live(id) else { return };
        match channel.got_from.iter_mut().find(|(known, ..)| known == name) {
            Some((_, known, _)) if remembers && *known != kind && kind != QueueKind::Stream => {
                // R-K8: what it remembers of the old queue means nothing to the new one.
                return self.close_channel(id, 541, "INTERNAL_ERROR", fx);
            }
            Some(known) => (known.1, known.2) = (kind, queue),
            None => channel.got_from.push((name.clone(), kind, queue)),
        }
        self.ask(queue, Ask::Get { channel: id, no_ack }, Some(id), fx);
    }

    pub fn publish(&mut self, id: ChannelId, mandatory: bool, body: Body, fx: &mut Fx<'_>) {
        let Some(body) = self.with_reply_address(id, body) else { return };
        if self.is_direct_reply(&body, fx) {
            return self.confirm_at_once(id, fx);
        }
        if let Some(reason) = wrong_properties(&body) {
            return self.close_channel(id, 406, reason, fx);
        }
        if self.topology.exchanges.get(&body.exchange).is_some_and(|exchange| exchange.internal) {
            // R-X9.
            return self.close_channel(id, 403, "ACCESS_REFUSED - cannot publish to internal exchange", fx);
        }
        let mut routed = routing::route(&self.topology, &body);
        if self.config.rules < Rules::V4_2
            && let Some(queues) = &mut routed
        {
            // R-Q3: before 4.0 a queue whose home is down is not there for routing.
            queues.retain(|queue| self.is_routable(*queue));
        }
        // R-X8: nobody sees who else was selected.
        let body = without_bcc(body);
        let Some(queues) = routed else {
            // R-X1: a missing exchange costs the channel.
            return self.close_channel(id, 404, "NOT_FOUND - no such exchange", fx);
        };
        let Some(channel) = self.live(id) else { return };
        channel.published += u64::from(channel.confirms);
        let number = channel.confirms.then_some(channel.published);
        if queues.is_empty() {
            // R-X7: what no queue takes comes back if that was asked for, and is confirmed either way, after it.
            if mandatory {
                self.reply(id, Reply::Return { code: 312, body }, fx);
            }
            return self.done(id, number, true);
        }
        if let Some(number) = number {
            let moves = |queue: &QueueId| self.topology.queues.get(queue).is_some_and(|q| q.mirroring.is_some());
            let kept = queues.iter().any(moves).then(|| body.clone());
            let unconfirmed = Unconfirmed { waiting: queues.clone(), refused: false, body: kept };
            if let Some(channel) = self.live(id) {
                channel.unconfirmed.insert(number, unconfirmed);
            }
        }
        let confirm = number.map(|number| (id, number));
        for queue in queues.iter().copied() {
            let ask = Ask::Publish { from: Some(id), confirm, body: body.clone() };
            if self.refuses(queue) {
                if let Some(number) = number {
                    self.refuse(queue, id, number, fx);
                }
                continue;
            }
            self.ask(queue, ask, Some(id), fx);
        }
        if self.alarms.any() {
            self.block_publisher(id.client, fx);
        }
    }

    fn confirm_at_once(&mut self, id: ChannelId, _fx: &mut Fx<'_>) {
        let Some(channel) = self.live(id) else { return };
        channel.published += u64::from(channel.confirms);
        let number = channel.confirms.then_some(channel.published);
        self.done(id, number, true);
    }

    /// R-M5: a request with the direct reply address carries the channel's own.
    fn with_reply_address(&mut self, id: ChannelId, body: Body) -> Option<Body> {
        let asks = body.more.as_deref().and_then(|more| more.reply_to.as_deref()) == Some(REPLY_TO);
        if !asks {
            return Some(body);
        }
        if self.live(id)?.reply_consumer.is_none() {
            return Some(body);
        }
        let address = format!("{REPLY_TO}.{}.{}.{}.{}", id.node.0, id.client.0, id.number, id.serial);
        let more = More { reply_to: Some(address.into()), ..body.more.as_deref().cloned().unwrap_or_default() };
        Some(Rc::new(Message { more: Some(Rc::new(more)), ..Message::clone(&body) }))
    }

    /// R-M5: a reply goes straight to the channel that asked; it is dropped if that is gone.
    fn is_direct_reply(&mut self, body: &Body, fx: &mut Fx<'_>) -> bool {
        let Some(address) = body.routing_key.strip_prefix(REPLY_TO).and_then(|rest| rest.strip_prefix('.')) else {
            return false;
        };
        if !body.exchange.is_empty() {
            return false;
        }
        let parts: Vec<u64> = address.split('.').filter_map(|part| part.parse().ok()).collect();
        let [node, client, number, serial] = parts[..] else { return false };
        let id = ChannelId { node: NodeId(node as u16), client: NodeId(client as u16), number: number as u16, serial };
        let tag: Rc<str> = REPLY_TO.into();
        let handed = Handed {
            id: 0,
            body: body.clone(),
            redelivered: false,
            delivery_count: None,
            stream_offset: None,
            needs_ack: false,
        };
        self.answer(id, QueueId(u32::MAX), Answer::Deliver { tag, handed }, fx);
        true
    }

    /// The queues' answers about a published message are in.
    fn done(&mut self, id: ChannelId, number: Option<u64>, taken: bool) {
        let Some(number) = number else { return };
        if let Some(channel) = self.live(id) {
            channel.done.push((number, taken));
            self.confirming.push(id);
        }
    }

    fn consume(&mut self, id: ChannelId, name: &str, request: &Rc<ConsumeRequest>, fx: &mut Fx<'_>) {
        if name == REPLY_TO {
            if let Some(channel) = self.live(id) {
                channel.reply_consumer = Some(request.tag.clone());
            }
            return self.reply(id, Reply::ConsumeOk, fx);
        }
        let Some(queue) = self.usable_queue(id, name, fx) else { return };
        let Some(channel) = self.live(id) else { return };
        let (prefetch, limited) = (channel.prefetch, channel.limited);
        if channel.subscriptions.contains_key(&request.tag) {
            // The channel in which it happens ends first.
            self.end_channel(id, fx);
            return self.close_connection(id.client, 530, "NOT_ALLOWED - attempt to reuse consumer tag", fx);
        }
        let kind = self.topology.queues.get(&queue).map_or(QueueKind::Classic, |record| record.arguments.kind);
        if request.arguments.get("x-priority").is_some_and(|value| value.as_int().is_none()) {
            // R-M2.
            return self.close_channel(id, 406, "PRECONDITION_FAILED - invalid arg 'x-priority'", fx);
        }
        match kind {
            // R-P2: a stream needs a window.
            QueueKind::Stream if prefetch == 0 => {
                return self.close_channel(id, 406, "PRECONDITION_FAILED - consumer prefetch count is not set", fx);
            }
            // R-S1.
            QueueKind::Stream if !crate::stream::is_offset(&request.arguments) => {
                return self.close_connection(id.client, 541, "INTERNAL_ERROR - invalid x-stream-offset", fx);
            }
            // R-P2: neither knows a limit shared by a channel.
            QueueKind::Quorum | QueueKind::Stream if limited => {
                return self.close_connection(
                    id.client,
                    540,
                    "NOT_IMPLEMENTED - queue does not support global qos",
                    fx,
                );
            }
            QueueKind::Stream if request.no_ack => {
                return self.close_connection(id.client, 540, "NOT_IMPLEMENTED - automatic acknowledgement", fx);
            }
            // R-U7: a quorum queue does not look at `exclusive`.
            _ => {}
        }
        let Some(channel) = self.live(id) else { return };
        let request = Rc::new(ConsumeRequest { prefetch, limited, ..ConsumeRequest::clone(request) });
        let subscription = Subscription { queue, request: request.clone(), last: 0 };
        channel.subscriptions.insert(request.tag.clone(), subscription);
        self.ask(queue, Ask::Consume { channel: id, request }, Some(id), fx);
    }

    fn cancel(&mut self, id: ChannelId, tag: &Rc<str>, fx: &mut Fx<'_>) {
        let Some(channel) = self.live(id) else { return };
        if channel.reply_consumer.as_ref() == Some(tag) {
            channel.reply_consumer = None;
        }
        match channel.subscriptions.remove(tag) {
            Some(subscription) => {
                self.ask(subscription.queue, Ask::Cancel { channel: id, tag: tag.clone() }, Some(id), fx);
            }
            // There is nothing to cancel, and that is fine.
            None => self.reply(id, Reply::CancelOk { consumer: tag.clone() }, fx),
        }
    }

    fn acknowledge(&mut self, id: ChannelId, tag: u64, multiple: bool, fx: &mut Fx<'_>) {
        let Some(channel) = self.live(id) else { return };
        match channel.collect(tag, multiple) {
            Some(unacked) => self.settle_or_hold(id, unacked, Said::Ack, fx),
            // R-K1: there is no such delivery.
            None => self.close_channel(id, 406, "PRECONDITION_FAILED - unknown delivery tag", fx),
        }
    }

    fn refuse_messages(&mut self, id: ChannelId, tag: u64, multiple: bool, requeue: bool, fx: &mut Fx<'_>) {
        let Some(channel) = self.live(id) else { return };
        match channel.collect(tag, multiple) {
            Some(unacked) => self.settle_or_hold(id, unacked, if requeue { Said::Requeue } else { Said::Reject }, fx),
            None => self.close_channel(id, 406, "PRECONDITION_FAILED - unknown delivery tag", fx),
        }
    }

    /// Tells the queues, one request for each queue and consumer, and then the channel's shared limit.
    pub fn settle(&mut self, id: ChannelId, all: Vec<Unacked>, said: Said, fx: &mut Fx<'_>) {
        let ask = |channel, ids| match said {
            Said::Ack => Ask::Ack { channel, ids },
            Said::Requeue => Ask::Requeue { channel, ids },
            Said::Reject => Ask::Reject { channel, ids },
        };
        let counted = all.iter().filter(|unacked| unacked.tag.is_some()).count() as u32;
        if let [only] = &all[..] {
            let (queue, number) = (only.queue, only.id);
            self.ask(queue, ask(id, vec![number]), Some(id), fx);
        } else {
            let mut groups: BTreeMap<(QueueId, Option<Rc<str>>), Vec<u64>> = BTreeMap::new();
            for unacked in all {
                groups.entry((unacked.queue, unacked.tag)).or_default().push(unacked.id);
            }
            for ((queue, _), ids) in groups {
                self.ask(queue, ask(id, ids), Some(id), fx);
            }
        }
        self.give_room(id, counted, fx);
    }

    /// A queue's answer for a channel, wherever that is.
    pub fn answer(&mut self, id: ChannelId, queue: QueueId, answer: Answer, fx: &mut Fx<'_>) {
        if id.node != self.me {
            let (bytes, look) = match &answer {
                Answer::Deliver { handed, .. } => {
                    (handed.body.bytes, Look::of(FlightKind::Deliver, handed.body.hue, 1))
                }
                Answer::Confirmed(_) => (0, Look::plain(FlightKind::Ack)),
                _ => (0, Look::plain(FlightKind::Control)),
            };
            self.send(id.node, Frame::Answer(id, queue, answer), bytes, look, fx);
            return;
        }
        if let Some(source) = Server::worker_of(id) {
            return match answer {
                Answer::Confirmed(letter) => self.letter_answered(source, queue, letter, true, fx),
                Answer::Refused(letter) => self.letter_answered(source, queue, letter, false, fx),
                _ => {}
            };
        }
        match answer {
            Answer::Credit(count) => self.credit_came(id, queue, count, fx),
            Answer::MaySend => self.asked_for_room(id, queue, fx),
            Answer::Unsent => self.give_room(id, 1, fx),
            Answer::Deliver { tag, handed } => self.deliver(id, queue, &tag, handed, fx),
            Answer::Confirmed(number) => self.queue_answered(id, queue, number, true),
            Answer::Refused(number) => self.queue_answered(id, queue, number, false),
            Answer::Got { handed, remaining } => self.got(id, queue, handed, remaining, fx),
            Answer::ConsumeOk { .. } => {
                if self.live(id).is_some() {
                    self.reply(id, Reply::ConsumeOk, fx);
                }
            }
            Answer::CancelOk { tag } => {
                if self.live(id).is_some() {
                    self.reply(id, Reply::CancelOk { consumer: tag }, fx);
                }
            }
            Answer::Failed { tag, code } => {
                if let Some(channel) = self.live(id)
                    && let Some(tag) = tag
                {
                    channel.subscriptions.remove(&tag);
                }
                if code == 540 {
                    return self.close_connection(id.client, code, "NOT_IMPLEMENTED", fx);
                }
                self.close_channel(id, code, "refused by the queue", fx);
            }
            Answer::Cancelled { tag } => {
                if let Some(channel) = self.live(id)
                    && channel.subscriptions.remove(&tag).is_some()
                {
                    fx.mark(MarkKind::Change, "consumer-cancelled", vec![tag.to_string()], Rule("R-P7"));
                    self.reply(id, Reply::Cancelled { consumer: tag }, fx);
                }
            }
            Answer::Stat { passive, messages, consumers } => {
                if passive && self.live(id).is_some() {
                    let name = self.topology.queues.get(&queue).map_or_else(|| "".into(), |record| record.name.clone());
                    self.reply(id, Reply::Counts { queue: name, messages, consumers }, fx);
                }
            }
        }
    }

    fn deliver(&mut self, id: ChannelId, queue: QueueId, tag: &Rc<str>, handed: Handed, fx: &mut Fx<'_>) {
        let now = fx.now();
        let replicated =
            self.topology.queues.get(&queue).is_some_and(|record| record.arguments.kind == QueueKind::Quorum);
        let Some(channel) = self.live(id) else { return };
        let consumer = if queue.0 == u32::MAX {
            let Some(tag) = channel.reply_consumer.clone() else { return };
            tag
        } else {
            if let Some(subscription) = channel.subscriptions.get_mut(tag)
                && replicated
            {
                // R-U4: a new leader tells again what is out; what came already is not given twice.
                if handed.id <= subscription.last {
                    return;
                }
                subscription.last = handed.id;
            }
            tag.clone()
        };
        let number = channel.give_tag();
        if handed.needs_ack {
            channel
                .unacked
                .insert(number, Unacked { number, queue, id: handed.id, tag: Some(tag.clone()), since: now });
        } else if replicated {
            self.ask(queue, Ask::Ack { channel: id, ids: vec![handed.id] }, None, fx);
        }
        let reply = Reply::Deliver {
            consumer,
            tag: number,
            redelivered: handed.redelivered,
            body: handed.body,
            count: handed.delivery_count,
            offset: handed.stream_offset,
        };
        self.reply(id, reply, fx);
    }

    fn got(&mut self, id: ChannelId, queue: QueueId, handed: Option<Handed>, remaining: u64, fx: &mut Fx<'_>) {
        let now = fx.now();
        let Some(channel) = self.live(id) else { return };
        let Some(handed) = handed else { return self.reply(id, Reply::GotNothing, fx) };
        let number = channel.give_tag();
        if handed.needs_ack {
            channel.unacked.insert(number, Unacked { number, queue, id: handed.id, tag: None, since: now });
        }
        let (redelivered, count) = (handed.redelivered, handed.delivery_count);
        self.reply(id, Reply::Got { tag: number, redelivered, body: handed.body, count, remaining }, fx);
    }
}

/// Why a message's properties are refused, if they are.
fn wrong_properties(body: &Message) -> Option<&'static str> {
    if body.expiration == Some(u64::MAX) {
        // R-T1.
        return Some("PRECONDITION_FAILED - invalid expiration");
    }
    let headers = body.headers()?;
    let wrong = |name: &str| headers.get(name).is_some_and(|value| !matches!(value, Value::List(_)));
    (wrong("CC") || wrong("BCC")).then_some("PRECONDITION_FAILED - a list of routing keys is expected")
}

fn without_bcc(body: Body) -> Body {
    match body.more.as_deref() {
        Some(more) if more.headers.contains_key("BCC") => {
            let mut more = more.clone();
            more.headers.remove("BCC");
            Rc::new(Message { more: Some(Rc::new(more)), ..Message::clone(&body) })
        }
        _ => body,
    }
}
