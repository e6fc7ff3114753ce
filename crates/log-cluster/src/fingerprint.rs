//! What goes into a run's digest of what nodes send and of what they tell themselves.

use crate::admin::{AdminOrder, Order};
use crate::layout::java_hash;
use crate::log::Entry;
use crate::rpc::{
    BrokerWake, ClientWake, ControlRequest, ControlResponse, ControllerWake, GroupRequest, GroupResponse, Message,
    NewLeader, Request, Response, Wake,
};
use crate::share::{ShareOrder, ShareRequest, ShareResponse, ShareWake};
use crate::transactions::{TransactionRequest, TransactionResponse, TransactionWake};
use sim::Fingerprint;

fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0x51_7C_C1_B7, |sum, part| (sum ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29))
}

impl Fingerprint for Message {
    fn fingerprint(&self) -> u64 {
        match self {
            Message::Ask(ticket, request) => mix(&[1, u64::from(*ticket), request.fingerprint()]),
            Message::Answer(ticket, response) => mix(&[2, u64::from(*ticket), response.fingerprint()]),
            Message::AskController(ticket, request) => mix(&[3, u64::from(*ticket), request.fingerprint()]),
            Message::ControllerAnswers(ticket, response) => mix(&[4, u64::from(*ticket), response.fingerprint()]),
            Message::Raft(message) => mix(&[5, message.fingerprint()]),
        }
    }
}

impl Fingerprint for Request {
    fn fingerprint(&self) -> u64 {
        match self {
            Request::Metadata => 1,
            Request::InitProducer => 2,
            Request::Produce(produce) => produce.batches.iter().fold(3, |sum, (slot, batch)| {
                mix(&[sum, u64::from(*slot), u64::from(batch.bytes), batch.count(), batch.created.0])
            }),
            Request::Fetch(fetch) => {
                let parts = fetch.parts.iter();
                parts.fold(4, |sum, part| mix(&[sum, u64::from(part.slot), part.offset, part.leader_epoch as u64]))
            }
            Request::ListOffset(slot, ..) => mix(&[5, u64::from(*slot)]),
            Request::FindCoordinator(_) => 6,
            Request::Share(_, request) => match request {
                ShareRequest::Fetch(fetch) => {
                    let head = mix(&[21, fetch.epoch as u64, fetch.parts.len() as u64]);
                    let acks = fetch.acks.iter().flat_map(|(_, acks)| acks);
                    acks.fold(head, |sum, (first, last, ack)| mix(&[sum, *first, *last, *ack as u64]))
                }
                ShareRequest::Read(slot, epoch) => mix(&[22, u64::from(*slot), *epoch as u64]),
                ShareRequest::Write(slot, state) => mix(&[23, u64::from(*slot), state.start, state.runs.len() as u64]),
            },
            Request::Transaction(_, request) => match request {
                TransactionRequest::FindCoordinator => 13,
                TransactionRequest::Init(timeout) => mix(&[14, timeout.0]),
                TransactionRequest::AddPartitions(producer, epoch, slots) => {
                    mix(&[15, *producer, u64::from(*epoch), slots.len() as u64])
                }
                TransactionRequest::End(producer, epoch, commit) => {
                    mix(&[16, *producer, u64::from(*epoch), u64::from(*commit)])
                }
                TransactionRequest::CommitOffsets(offsets) => {
                    let start = mix(&[18, offsets.producer, u64::from(offsets.epoch), offsets.generation as u64]);
                    offsets.offsets.iter().fold(start, |sum, (slot, o)| mix(&[sum, u64::from(*slot), *o]))
                }
                TransactionRequest::WriteMarkers(marker, slots) => {
                    mix(&[17, marker.producer, u64::from(marker.epoch), u64::from(marker.commit), slots.len() as u64])
                }
            },
            Request::Group(_, request) => match request {
                GroupRequest::Join(_) => 7,
                GroupRequest::Sync(_, generation, shares) => mix(&[8, *generation as u64, shares.len() as u64]),
                GroupRequest::Heartbeat(_, generation) => mix(&[9, *generation as u64]),
                GroupRequest::Leave(_) => 10,
                GroupRequest::OffsetFetch(slots) => mix(&[11, slots.len() as u64]),
                GroupRequest::ShareHeartbeat(beat) => mix(&[24, beat.epoch as u64, u64::from(beat.about.is_some())]),
                GroupRequest::ConsumerHeartbeat(beat) => {
                    let owned = beat.owned.as_ref().map_or(u64::MAX, |owned| owned.len() as u64);
                    mix(&[20, beat.epoch as u64, u64::from(beat.about.is_some()), owned])
                }
                GroupRequest::OffsetCommit(_, generation, offsets) => offsets
                    .iter()
                    .fold(mix(&[12, *generation as u64]), |sum, (slot, o)| mix(&[sum, u64::from(*slot), *o])),
            },
        }
    }
}

/// With a leader that is named.
fn named(sum: u64, (leader, epoch): NewLeader) -> u64 {
    mix(&[sum, u64::from(leader), epoch as u64])
}

impl Fingerprint for Response {
    fn fingerprint(&self) -> u64 {
        match self {
            Response::Metadata(image) => mix(&[1, image.offset]),
            Response::Producer(id) => mix(&[2, id.unwrap_or(u64::MAX)]),
            Response::Produced(results, leaders) => {
                let sum = results.iter().fold(3, |sum, (slot, result)| {
                    mix(&[sum, u64::from(*slot), result.map_or_else(|code| u64::MAX - code as u64, |base| base)])
                });
                leaders.iter().fold(sum, |sum, (slot, leader)| named(mix(&[sum, u64::from(*slot)]), *leader))
            }
            Response::Fetched(parts) => parts.iter().fold(4, |sum, part| {
                let end = part.entries.last().map_or(0, Entry::end);
                let sum = part.leader.map_or(sum, |leader| named(sum, leader));
                mix(&[
                    sum,
                    u64::from(part.slot),
                    part.high_watermark,
                    end,
                    part.error.map_or(0, |code| code as u64 + 1),
                ])
            }),
            Response::Offset(slot, offset) => mix(&[5, u64::from(*slot), offset.unwrap_or(u64::MAX)]),
            Response::Share(response) => match response {
                ShareResponse::Fetched { session, acks, parts } => {
                    let head = mix(&[22, u64::from(session.is_ok()), acks.len() as u64]);
                    let runs = parts.iter().flat_map(|part| &part.acquired);
                    runs.fold(head, |sum, run| mix(&[sum, run.first, run.last, u64::from(run.count)]))
                }
                ShareResponse::State(state) => mix(&[23, u64::from(state.is_ok())]),
            },
            Response::Coordinator(broker) => mix(&[6, broker.map_or(u64::MAX, u64::from)]),
            Response::Transaction(response) => match response {
                TransactionResponse::Coordinator(broker) => mix(&[13, broker.map_or(u64::MAX, u64::from)]),
                TransactionResponse::Identity(identity) => match identity {
                    Ok((producer, epoch)) => mix(&[14, *producer, u64::from(*epoch)]),
                    Err(code) => mix(&[15, *code as u64]),
                },
                TransactionResponse::Offsets(result) => mix(&[18, result.map_or_else(|code| code as u64 + 1, |()| 0)]),
                TransactionResponse::Added(result) => mix(&[16, result.map_or_else(|code| code as u64 + 1, |()| 0)]),
                TransactionResponse::Written(results) => results.iter().fold(17, |sum, (slot, result)| {
                    mix(&[sum, u64::from(*slot), result.map_or_else(|code| code as u64 + 1, |()| 0)])
                }),
            },
            Response::Group(response) => match response {
                GroupResponse::Joined(joined) => {
                    mix(&[7, joined.as_ref().map_or(0, |joined| joined.generation as u64)])
                }
                GroupResponse::Synced(slots) => mix(&[8, slots.as_ref().map_or(u64::MAX, |slots| slots.len() as u64)]),
                GroupResponse::Beat(result) => mix(&[9, u64::from(result.is_ok())]),
                GroupResponse::Left => 10,
                GroupResponse::Offsets(offsets) => mix(&[11, u64::from(offsets.is_ok())]),
                GroupResponse::ConsumerHeartbeat(result) => match result {
                    Ok(answer) => {
                        let slots = answer.assignment.iter().flatten();
                        slots.fold(mix(&[20, answer.epoch as u64]), |sum, slot| mix(&[sum, u64::from(*slot)]))
                    }
                    Err(code) => mix(&[21, *code as u64]),
                },
                GroupResponse::Committed(result, _) => mix(&[12, u64::from(result.is_ok())]),
            },
        }
    }
}

impl Fingerprint for ControlRequest {
    fn fingerprint(&self) -> u64 {
        match self {
            ControlRequest::Register(incarnation, _) => mix(&[1, *incarnation]),
            ControlRequest::Heartbeat(epoch, offset, stop) => mix(&[2, *epoch, *offset, u64::from(*stop)]),
            ControlRequest::Metadata(offset) => mix(&[3, *offset]),
            ControlRequest::AlterIsr(_, slot, leader, partition, isr) => {
                mix(&[4, u64::from(*slot), *leader as u64, *partition as u64, isr.len() as u64])
            }
            ControlRequest::ProducerIds => 5,
            ControlRequest::Admin(_) => 6,
        }
    }
}

impl Fingerprint for ControlResponse {
    fn fingerprint(&self) -> u64 {
        match self {
            ControlResponse::NotController(hint) => mix(&[1, hint.map_or(u64::MAX, u64::from)]),
            ControlResponse::Registered(epoch) => mix(&[2, epoch.unwrap_or(u64::MAX)]),
            ControlResponse::Beat(result) => mix(&[3, result.map_or(9, |(a, b)| u64::from(a) | u64::from(b) << 1)]),
            ControlResponse::Records(records, upto) => mix(&[4, records.len() as u64, *upto]),
            ControlResponse::Snapshot(image) => mix(&[5, image.offset]),
            ControlResponse::IsrAltered(slot, result) => mix(&[6, u64::from(*slot), u64::from(result.is_ok())]),
            ControlResponse::ProducerIds(ids) => mix(&[7, ids.start]),
            ControlResponse::Admin(result) => mix(&[8, result.map_or_else(|code| code as u64 + 1, |()| 0)]),
        }
    }
}

impl Fingerprint for Wake {
    fn fingerprint(&self) -> u64 {
        match self {
            Wake::Loopback(message) => mix(&[1, message.fingerprint()]),
            Wake::Serve(from, ticket, request) => {
                mix(&[2, u64::from(*from), u64::from(*ticket), request.fingerprint()])
            }
            Wake::Broker(wake) => mix(&[3, wake.fingerprint()]),
            Wake::Controller(wake) => mix(&[4, wake.fingerprint()]),
            Wake::Client(wake) => mix(&[5, wake.fingerprint()]),
        }
    }
}

impl Fingerprint for BrokerWake {
    fn fingerprint(&self) -> u64 {
        match *self {
            BrokerWake::Heartbeat(n) => mix(&[1, u64::from(n)]),
            BrokerWake::Register(n) => mix(&[2, u64::from(n)]),
            BrokerWake::FindController(n) => mix(&[3, u64::from(n)]),
            BrokerWake::ControllerSilent(n) => mix(&[4, u64::from(n)]),
            BrokerWake::ProduceExpires(from, n) => mix(&[5, u64::from(from), u64::from(n)]),
            BrokerWake::FetchExpires(from, n) => mix(&[6, u64::from(from), u64::from(n)]),
            BrokerWake::FetchAgain(leader) => mix(&[7, u64::from(leader)]),
            BrokerWake::FetchSilent(leader, n) => mix(&[8, u64::from(leader), u64::from(n)]),
            BrokerWake::RegistrationDue => 28,
            BrokerWake::IsrCheck => 9,
            BrokerWake::Checkpoint => 10,
            BrokerWake::Writeback => 11,
            BrokerWake::Flushed(slot, upto, epoch) => mix(&[12, u64::from(slot), upto, epoch as u64]),
            BrokerWake::FlushTick(slot) => mix(&[13, u64::from(slot)]),
            BrokerWake::Retention => 14,
            BrokerWake::Group(n) => mix(&[15, u64::from(n)]),
            BrokerWake::CommitExpires(n) => mix(&[16, u64::from(n)]),
            BrokerWake::AlterAgain(slot) => mix(&[17, u64::from(slot)]),
            BrokerWake::Farewell => 18,
            BrokerWake::Connect(peer) => mix(&[19, u64::from(peer)]),
            BrokerWake::CallExpires(n) => mix(&[20, u64::from(n)]),
            BrokerWake::Transaction(wake) => match wake {
                TransactionWake::Scan => 21,
                TransactionWake::Expire => 24,
                TransactionWake::Complete(place) => mix(&[22, u64::from(place)]),
                TransactionWake::Verify(from) => mix(&[23, u64::from(from)]),
            },
            BrokerWake::Clean => 24,
            BrokerWake::TierTask => 25,
            BrokerWake::Copied(slot, end, epoch) => mix(&[26, u64::from(slot), end, epoch as u64]),
            BrokerWake::Share(wake) => match wake {
                ShareWake::Expires(n) => mix(&[35, u64::from(n)]),
                ShareWake::Locks(n) => mix(&[36, u64::from(n)]),
                ShareWake::Again(n) => mix(&[37, u64::from(n)]),
                ShareWake::WriteExpires(n) => mix(&[38, u64::from(n)]),
            },
            BrokerWake::TakeUp => 27,
        }
    }
}

impl Fingerprint for ControllerWake {
    fn fingerprint(&self) -> u64 {
        match *self {
            ControllerWake::Election(n) => mix(&[1, u64::from(n)]),
            ControllerWake::Beat(n) => mix(&[2, u64::from(n)]),
            ControllerWake::CheckQuorum(n) => mix(&[3, u64::from(n)]),
            ControllerWake::Flushed(n) => mix(&[4, n]),
            ControllerWake::FenceScan(n) => mix(&[5, u64::from(n)]),
            ControllerWake::MetadataExpires(from, n) => mix(&[6, u64::from(from), u64::from(n)]),
            ControllerWake::Preferred(n) => mix(&[7, u64::from(n)]),
            ControllerWake::Unclean(n) => mix(&[8, u64::from(n)]),
            ControllerWake::Create(n) => mix(&[9, u64::from(n)]),
            ControllerWake::Connect(n) => mix(&[10, u64::from(n)]),
            ControllerWake::FetchExpires(from, n) => mix(&[11, u64::from(from), n]),
            ControllerWake::Drain => 12,
            ControllerWake::Idle(n) => mix(&[13, u64::from(n)]),
        }
    }
}

impl Fingerprint for ClientWake {
    fn fingerprint(&self) -> u64 {
        match *self {
            ClientWake::Source => 1,
            ClientWake::Pump => 2,
            ClientWake::Connect(broker) => mix(&[3, u64::from(broker)]),
            ClientWake::ConnectExpires(broker, n) => mix(&[4, u64::from(broker), u64::from(n)]),
            ClientWake::RequestExpires(broker, n) => mix(&[5, u64::from(broker), u64::from(n)]),
            ClientWake::Metadata => 6,
            ClientWake::Blocked => 7,
            ClientWake::Heartbeat(n) => mix(&[8, u64::from(n)]),
            ClientWake::Poll => 9,
            ClientWake::Worked(n) => mix(&[10, u64::from(n)]),
            ClientWake::Retry(n) => mix(&[11, u64::from(n)]),
            ClientWake::PollInterval(n) => mix(&[12, u64::from(n)]),
            ClientWake::Begin => 13,
            ClientWake::Transaction(n) => mix(&[14, u64::from(n)]),
        }
    }
}

impl Fingerprint for Order {
    fn fingerprint(&self) -> u64 {
        match self {
            Order::Client(order) => order.fingerprint(),
            Order::Share(ShareOrder::Poll) => 3,
            Order::Share(ShareOrder::Acknowledge(records)) => records
                .iter()
                .fold(4, |sum, (partition, offset, ack)| mix(&[sum, u64::from(*partition), *offset, *ack as u64])),
            Order::Admin(AdminOrder::Reassign { topic, partition, replicas }) => {
                let head = mix(&[1, java_hash(topic) as u64, u64::from(*partition)]);
                replicas.iter().fold(head, |sum, replica| mix(&[sum, u64::from(*replica)]))
            }
            Order::Admin(AdminOrder::CreatePartitions { topic, count }) => {
                mix(&[3, java_hash(topic) as u64, u64::from(*count)])
            }
            Order::Admin(AdminOrder::SetConfig { topic, broker, setting, value }) => {
                let whose = topic.as_deref().map_or(broker.map_or(0, i32::from), java_hash);
                mix(&[5, whose as u64, java_hash(setting) as u64, java_hash(value) as u64])
            }
            Order::Admin(AdminOrder::ElectLeaders { topic, kind }) => {
                mix(&[2, topic.as_deref().map_or(0, java_hash) as u64, *kind as u64])
            }
        }
    }
}
