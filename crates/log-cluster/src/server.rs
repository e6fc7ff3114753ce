//! A server: a broker, a controller, or both in one process.

use crate::admin::Order;
use crate::broker::Broker;
use crate::cluster::Node;
use crate::controller::Controller;
use crate::layout::Layout;
use crate::rpc::{BrokerWake, Message, Wake};
use sim::story::Look;
use sim::{Crash, Effects, Event, NodeId};
use std::rc::Rc;

/// A server.
#[derive(Clone, Debug)]
pub struct Server {
    me: u16,
    pub(crate) controller: Option<Controller>,
    pub(crate) broker: Option<Broker>,
}

/// Sends over the network, or to oneself without one. False if there is no connection.
pub(crate) fn post(fx: &mut Effects<'_, Node>, me: u16, to: u16, message: Message, bytes: u32, look: Look) -> bool {
    if me == to {
        fx.wake_at(fx.now(), Wake::Loopback(Box::new(message)));
        return true;
    }
    fx.send(NodeId(to), message, bytes, look)
}

impl Server {
    pub(crate) fn new(layout: &Rc<Layout>, me: u16) -> Server {
        Server {
            me,
            controller: layout.voters.contains(&me).then(|| Controller::new(layout.clone(), me)),
            broker: (me < layout.brokers).then(|| Broker::new(layout.clone(), me)),
        }
    }

    pub(crate) fn on_event(&mut self, event: Event<Node>, fx: &mut Effects<'_, Node>) {
        match event {
            Event::Started => {
                if let Some(controller) = &mut self.controller {
                    controller.start(fx);
                }
                if let Some(broker) = &mut self.broker {
                    broker.start(fx);
                }
            }
            Event::StopRequested => match &mut self.broker {
                Some(broker) => broker.stop(fx),
                None => {
                    self.resign(fx);
                    fx.exit();
                }
            },
            Event::Connected(peer) => {
                if let Some(controller) = &mut self.controller {
                    controller.on_connected(peer.0, fx);
                }
                if let Some(broker) = &mut self.broker {
                    broker.on_connected(peer.0, fx);
                }
            }
            Event::Disconnected(peer, _) => {
                if let Some(controller) = &mut self.controller {
                    controller.on_disconnected(peer.0, fx);
                }
                if let Some(broker) = &mut self.broker {
                    broker.on_disconnected(peer.0, fx);
                }
            }
            Event::Received(from, message) => self.on_message(from.0, message, fx),
            Event::Woke(Wake::Loopback(message)) => self.on_message(self.me, *message, fx),
            Event::Woke(Wake::Controller(wake)) => {
                if let Some(controller) = &mut self.controller {
                    controller.on_wake(wake, fx);
                }
            }
            Event::Woke(Wake::Broker(wake)) => {
                if wake == BrokerWake::Farewell {
                    self.resign(fx);
                }
                if let Some(broker) = &mut self.broker {
                    broker.on_wake(wake, fx);
                }
            }
            Event::Woke(Wake::Serve(from, ticket, request)) => {
                if let Some(broker) = &mut self.broker {
                    broker.serve(from, ticket, *request, fx);
                }
            }
            Event::Ordered(Order::Admin(order)) => {
                if let Some(broker) = &mut self.broker {
                    broker.on_admin(order, fx);
                }
            }
            Event::Woke(Wake::Client(_)) | Event::Ordered(Order::Client(_) | Order::Share(_)) => {}
        }
    }

    /// K-Q8: its controller, if it has one, stops with it.
    fn resign(&mut self, fx: &mut Effects<'_, Node>) {
        if let Some(controller) = &mut self.controller {
            controller.stop(fx);
        }
    }

    fn on_message(&mut self, from: u16, message: Message, fx: &mut Effects<'_, Node>) {
        match message {
            Message::Raft(message) => {
                if let Some(controller) = &mut self.controller {
                    controller.on_raft(from, *message, fx);
                }
            }
            Message::AskController(ticket, request) => {
                if let Some(controller) = &mut self.controller {
                    controller.on_ask(from, ticket, request, fx);
                }
            }
            Message::ControllerAnswers(ticket, response) => {
                if let Some(broker) = &mut self.broker {
                    broker.on_controller(from, ticket, response, fx);
                }
            }
            Message::Ask(ticket, request) => {
                if let Some(broker) = &mut self.broker {
                    broker.on_ask(from, ticket, request, fx);
                }
            }
            Message::Answer(ticket, response) => {
                if let Some(broker) = &mut self.broker {
                    broker.on_answer(from, ticket, response, fx);
                }
            }
        }
    }

    pub(crate) fn on_crash(&mut self, crash: Crash) {
        let power_lost = crash == Crash::PowerLoss;
        if let Some(controller) = &mut self.controller {
            controller.crash(power_lost);
        }
        if let Some(broker) = &mut self.broker {
            broker.crash(power_lost);
        }
    }
}
