//! What all clients have in common: how they keep a connection (R-M6, R-M7).

use crate::Fx;
use crate::config::Config;
use crate::frame::{Frame, Method, Wake};
use sim::story::{FlightKind, Look, MarkKind, Rule};
use sim::{Nanos, NodeId, Time};
use std::rc::Rc;

/// A client's connection.
#[derive(Clone, Debug)]
pub struct Uplink {
    config: Rc<Config>,
    pub target: NodeId,
    pub connected: bool,
    attempt: u32,
    heard: Time,
    overhead: u32,
}

impl Uplink {
    pub fn new(config: &Rc<Config>, first: u16) -> Uplink {
        Uplink {
            target: NodeId(first % config.nodes.max(1)),
            connected: false,
            attempt: 0,
            heard: Time::ZERO,
            overhead: config.server.overhead_bytes,
            config: config.clone(),
        }
    }

    pub fn at(&self) -> Option<NodeId> {
        self.connected.then_some(self.target)
    }

    pub fn start(&mut self, fx: &mut Fx<'_>) {
        self.connected = false;
        self.dial(fx);
        if self.config.server.heartbeat > Nanos::ZERO {
            fx.wake_in(Nanos(self.config.server.heartbeat.0 / 2), Wake::Beat);
        }
    }

    fn dial(&mut self, fx: &mut Fx<'_>) {
        self.attempt += 1;
        fx.connect(self.target);
        fx.wake_in(self.config.client.connect_timeout, Wake::Patience(self.attempt));
    }

    /// A connection stands; it is negotiated next.
    pub fn reached(&mut self, fx: &mut Fx<'_>) {
        self.attempt += 1;
        fx.wake_in(self.config.client.handshake, Wake::Ready(self.attempt));
        // Whoever does not answer is given up all the same.
        fx.wake_in(self.config.client.connect_timeout, Wake::Patience(self.attempt));
    }

    /// The negotiation that was begun with this attempt is done. False if the attempt is not the present one.
    pub fn ready(&mut self, attempt: u32, fx: &mut Fx<'_>) -> bool {
        let present = !self.connected && attempt == self.attempt;
        if present {
            self.opened(fx);
        }
        present
    }

    fn opened(&mut self, fx: &mut Fx<'_>) {
        self.connected = true;
        self.attempt += 1;
        self.heard = fx.now();
        let values = vec![crate::cluster::node_name(self.target)];
        fx.mark(MarkKind::Change, "client-connected", values, Rule("R-M7"));
    }

    /// The connection is gone, or could not be made. R-M7: tried again after a while, at the next node.
    pub fn lost(&mut self, fx: &mut Fx<'_>) {
        if std::mem::replace(&mut self.connected, false) {
            let values = vec![crate::cluster::node_name(self.target)];
            fx.mark(MarkKind::Change, "client-disconnected", values, Rule("R-M7"));
        }
        self.target = NodeId((self.target.0 + 1) % self.config.nodes.max(1));
        self.attempt += 1;
        fx.wake_in(self.config.client.recovery_interval, Wake::Patience(self.attempt));
    }

    /// Patience is over: the attempt is given up, or the next one is due.
    pub fn patience(&mut self, attempt: u32, fx: &mut Fx<'_>) {
        if self.connected || attempt != self.attempt {
            return;
        }
        let old = self.target;
        fx.disconnect(old);
        self.dial(fx);
    }

    pub fn heard(&mut self, now: Time) {
        self.heard = now;
    }

    /// Sends a heartbeat, and answers whether the server was silent for too long (R-M6).
    pub fn beat(&mut self, fx: &mut Fx<'_>) -> bool {
        let agreed = self.config.server.heartbeat;
        fx.wake_in(Nanos(agreed.0 / 2), Wake::Beat);
        if !self.connected {
            return false;
        }
        fx.send(self.target, Frame::Heartbeat, 8, Look::plain(FlightKind::Heartbeat));
        let silent = fx.now().since(self.heard) > agreed.times(2);
        if silent {
            fx.disconnect(self.target);
        }
        silent
    }

    /// Sends a method on a channel.
    pub fn send(&self, channel: u16, method: Method, fx: &mut Fx<'_>) -> bool {
        let (bytes, look) = match &method {
            Method::Publish { body, .. } => (body.bytes, Look::of(FlightKind::Produce, body.hue, 1)),
            Method::Ack { .. } => (0, Look::plain(FlightKind::Commit)),
            Method::Nack { .. } => (0, Look::plain(FlightKind::Refuse)),
            Method::Get { .. } => (0, Look::plain(FlightKind::Fetch)),
            _ => (0, Look::plain(FlightKind::Control)),
        };
        self.connected && fx.send(self.target, Frame::Method(channel, method), bytes + self.overhead, look)
    }
}
