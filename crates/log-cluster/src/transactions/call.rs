//! What a broker keeps about transactions, and what it asks other brokers: a coordinator, or partitions' leaders.

use crate::broker::{Broker, Fx};
use crate::error::Code;
use crate::layout::Slot;
use crate::rpc::{BrokerWake, Message, Request, Response, Ticket, Wake};
use crate::server::post;
use crate::share::StateAsk;
use crate::transactions::completion::Marking;
use crate::transactions::coordinator::Write;
use crate::transactions::offsets::PendingOffsets;
use crate::transactions::verify::Verifying;
use crate::transactions::{Offsets, Transaction, TransactionRequest, TransactionResponse, TransactionWake};
use sim::story::{FlightKind, Look};
use sim::{Alarm, Nanos, NodeId};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How long another broker may take to answer (Kafka: request.timeout.ms of brokers, 30 s).
const SILENCE: Nanos = Nanos::secs(30);

/// What a broker remembers of what it asked.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// For an id: for whom, over which connection, and with which timeout of transactions.
    ProducerId(Rc<str>, u16, Ticket, Nanos),
    /// That a producer's partitions belong to its transaction: over which connection its batches came, in what request.
    Added(u16, Ticket),
    /// The same for a group's progress: over which connection it came.
    Offsets(u16, Ticket, Rc<Offsets>),
    /// To write the end of a transaction into these partitions.
    Written(Rc<str>, Rc<[Slot]>),
    /// Of a share coordinator (K-H4).
    Share(StateAsk),
}

#[derive(Clone, Debug)]
struct Call {
    to: u16,
    ask: Ask,
    /// What is to be sent once there is a connection.
    unsent: Option<Request>,
    alarm: Alarm,
}

/// What a broker keeps about transactions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transactions {
    /// Those that it coordinates.
    pub known: BTreeMap<Rc<str>, Transaction>,
    /// Changes of state that wait for their replicas.
    pub writes: Vec<Write>,
    calls: BTreeMap<Ticket, Call>,
    /// Batches that wait for the coordinator's word, one request a connection.
    pub verifying: BTreeMap<u16, Verifying>,
    /// Progress of groups that waits for the end of its transaction (K-X7).
    pub offsets: PendingOffsets,
    /// Markers that wait for their replicas.
    pub marking: Vec<Marking>,
}

impl Transactions {
    /// Whether a connection to this broker is wanted.
    pub fn wants(&self, peer: u16) -> bool {
        self.calls.values().any(|call| call.to == peer)
    }

    /// Whether an id is being asked for on behalf of this `transactional.id`.
    pub fn founds(&self, id: &str) -> bool {
        self.calls.values().any(|call| matches!(&call.ask, Ask::ProducerId(of, ..) if **of == *id))
    }
}

impl Broker {
    /// Asks a broker, over a connection that is opened if there is none.
    pub(crate) fn call(&mut self, to: u16, id: &Rc<str>, request: TransactionRequest, ask: Ask, fx: &mut Fx<'_>) {
        self.call_with(to, Request::Transaction(id.clone(), request), ask, fx);
    }

    pub(crate) fn call_with(&mut self, to: u16, request: Request, ask: Ask, fx: &mut Fx<'_>) {
        let ticket = self.next_ticket();
        let alarm = fx.wake_in(SILENCE, Wake::Broker(BrokerWake::CallExpires(ticket)));
        let mut call = Call { to, ask, unsent: None, alarm };
        if to == self.me || fx.is_connected(NodeId(to)) {
            post(fx, self.me, to, Message::Ask(ticket, request), 120, Look::plain(FlightKind::Control));
        } else {
            call.unsent = Some(request);
            self.dialer.want(to, fx);
        }
        self.transactions.calls.insert(ticket, call);
    }

    /// K-X3: a new `transactional.id` gets a producer's id, which the controller gives.
    pub(crate) fn ask_for_identity(&mut self, ask: Ask, fx: &mut Fx<'_>) {
        let ticket = self.next_ticket();
        let alarm = fx.wake_in(SILENCE, Wake::Broker(BrokerWake::CallExpires(ticket)));
        self.transactions.calls.insert(ticket, Call { to: self.me, ask, unsent: None, alarm });
        self.want_producer_id(self.me, ticket, fx);
    }

    pub(crate) fn calls_connected(&mut self, peer: u16, fx: &mut Fx<'_>) {
        for (ticket, call) in self.transactions.calls.iter_mut().filter(|(_, call)| call.to == peer) {
            if let Some(request) = call.unsent.take() {
                post(fx, self.me, peer, Message::Ask(*ticket, request), 120, Look::plain(FlightKind::Control));
            }
        }
    }

    pub(crate) fn calls_disconnected(&mut self, peer: u16, fx: &mut Fx<'_>) {
        if let Some(verifying) = self.transactions.verifying.remove(&peer) {
            verifying.forget(fx);
        }
        self.transactions.marking.retain(|marking| marking.from != peer);
        let lost: Vec<Ticket> =
            self.transactions.calls.iter().filter(|(_, call)| call.to == peer).map(|(ticket, _)| *ticket).collect();
        lost.into_iter().for_each(|ticket| self.call_failed(ticket, fx));
    }

    pub(crate) fn call_failed(&mut self, ticket: Ticket, fx: &mut Fx<'_>) {
        let Some(call) = self.transactions.calls.remove(&ticket) else { return };
        fx.cancel(call.alarm);
        match call.ask {
            Ask::ProducerId(_, from, asked, _) => self.refuse_identity(from, asked, Code::CoordinatorNotAvailable, fx),
            Ask::Added(from, produce) => self.verified(from, produce, Err(Code::NetworkException), fx),
            Ask::Offsets(from, asked, offsets) => {
                self.offsets_verified(from, asked, &offsets, Err(Code::NetworkException), fx);
            }
            Ask::Written(id, slots) => {
                let failed = slots.iter().map(|slot| (*slot, Err(Code::NetworkException))).collect();
                self.markers_written(&id, failed, fx);
            }
            Ask::Share(ask) => self.share_state_failed(&ask, Code::NetworkException, fx),
        }
    }

    pub(crate) fn call_answered(&mut self, ticket: Ticket, response: Response, fx: &mut Fx<'_>) {
        let Some(call) = self.transactions.calls.remove(&ticket) else { return };
        fx.cancel(call.alarm);
        match (call.ask, response) {
            (Ask::ProducerId(id, from, asked, timeout), Response::Producer(Ok(producer))) => {
                self.found_identity(&id, (from, asked), producer, timeout, fx);
            }
            (Ask::Added(from, produce), Response::Transaction(TransactionResponse::Added(result))) => {
                self.verified(from, produce, result, fx);
            }
            (Ask::Offsets(from, asked, offsets), Response::Transaction(TransactionResponse::Added(result))) => {
                self.offsets_verified(from, asked, &offsets, result, fx);
            }
            (Ask::Written(id, _), Response::Transaction(TransactionResponse::Written(results))) => {
                self.markers_written(&id, results, fx);
            }
            (Ask::Share(ask), response) => self.share_state_answered(&ask, response, fx),
            _ => {}
        }
    }

    pub(crate) fn on_transaction_wake(&mut self, wake: TransactionWake, fx: &mut Fx<'_>) {
        match wake {
            TransactionWake::Scan => self.scan_transactions(fx),
            TransactionWake::Expire => self.expire_transactions(fx),
            TransactionWake::Complete(place) => {
                if let Some(id) = self.layout.transactional_ids.get(place as usize).cloned() {
                    self.go_on_completing(&id, fx);
                }
            }
            TransactionWake::Verify(from) => self.verify_again(from, fx),
        }
    }

    pub(crate) fn answer_transaction(&mut self, to: u16, ticket: Ticket, answer: TransactionResponse, fx: &mut Fx<'_>) {
        self.answer(to, ticket, Response::Transaction(answer), 80, Look::plain(FlightKind::Control), fx);
    }

    /// What is asked of a broker about transactions.
    pub(crate) fn on_transaction(
        &mut self,
        (from, ticket): (u16, Ticket),
        id: &Rc<str>,
        request: TransactionRequest,
        fx: &mut Fx<'_>,
    ) {
        match request {
            TransactionRequest::FindCoordinator => {
                let slot = self.layout.transaction_slot(id);
                let leader = slot.and_then(|slot| self.image.leader(slot)).map(|(leader, _)| leader);
                let answer = TransactionResponse::Coordinator(leader.ok_or(Code::CoordinatorNotAvailable));
                self.answer_transaction(from, ticket, answer, fx);
            }
            TransactionRequest::Init(timeout) => self.init_transactions(from, ticket, id, timeout, fx),
            TransactionRequest::AddPartitions(producer, epoch, slots) => {
                self.add_partitions((from, ticket), id, (producer, epoch), &slots, fx);
            }
            TransactionRequest::End(producer, epoch, commit) => {
                self.end_transaction((from, ticket), id, (producer, epoch), commit, fx);
            }
            TransactionRequest::CommitOffsets(offsets) => self.take_offsets(from, ticket, id, offsets, fx),
            TransactionRequest::WriteMarkers(marker, slots) => self.write_markers(from, ticket, marker, &slots, fx),
        }
    }

    /// A broker that lets nobody in yet says so to other brokers.
    pub(crate) fn turn_transaction_away(
        &mut self,
        from: u16,
        ticket: Ticket,
        request: &TransactionRequest,
        fx: &mut Fx<'_>,
    ) {
        let answer = match request {
            TransactionRequest::AddPartitions(..) => TransactionResponse::Added(Err(Code::CoordinatorNotAvailable)),
            TransactionRequest::WriteMarkers(_, slots) => {
                let refused = slots.iter().map(|slot| (*slot, Err(Code::NotLeaderOrFollower)));
                TransactionResponse::Written(refused.collect())
            }
            _ => return fx.disconnect(NodeId(from)),
        };
        self.answer_transaction(from, ticket, answer, fx);
    }
}
