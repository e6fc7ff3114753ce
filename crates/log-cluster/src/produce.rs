//! Producing: what a leader appends, what it refuses, and when it answers (K-A1 to K-A6).

use crate::broker::{Broker, Fx};
use crate::config::{Acks, millis};
use crate::error::Code;
use crate::layout::Slot;
use crate::log::{Batch, Payload, Verdict};
use crate::rpc::{BrokerWake, Produce, Response, Ticket, Wake};
use sim::story::{FlightKind, Life, Look, MarkKind, Rule};
use sim::{Alarm, NodeId};
use std::rc::Rc;

/// A partition's part of a produce request that waits.
#[derive(Clone, Debug)]
struct WaitPart {
    slot: Slot,
    /// The high watermark that it waits for.
    required: u64,
    result: Result<u64, Code>,
    done: bool,
}

/// A produce request that waits for the in-sync replicas.
#[derive(Clone, Debug)]
pub(crate) struct ProduceWait {
    ticket: Ticket,
    pub alarm: Alarm,
    parts: Vec<WaitPart>,
}

impl Broker {
    /// A broker looks at one request of a connection at a time; the next waits until the answer is sent.
    pub(crate) fn on_produce(&mut self, from: u16, ticket: Ticket, produce: Rc<Produce>, fx: &mut Fx<'_>) {
        if self.is_producing(from) {
            self.queued.entry(from).or_default().push_back((ticket, produce));
        } else {
            self.begin_produce(from, ticket, produce, fx);
        }
    }

    fn is_producing(&self, from: u16) -> bool {
        self.produces.contains_key(&from) || self.transactions.verifying.contains_key(&from)
    }

    /// K-X4: what begins a transaction in a partition has to be verified first.
    fn begin_produce(&mut self, from: u16, ticket: Ticket, produce: Rc<Produce>, fx: &mut Fx<'_>) {
        let unverified = self.unverified(&produce);
        if unverified.is_empty() {
            self.produce(from, ticket, &produce, None, fx);
        } else {
            self.verify(from, ticket, produce, unverified, fx);
        }
    }

    pub(crate) fn next_produce(&mut self, from: u16, fx: &mut Fx<'_>) {
        while !self.is_producing(from) {
            let Some((ticket, produce)) = self.queued.get_mut(&from).and_then(|queue| queue.pop_front()) else {
                return;
            };
            self.begin_produce(from, ticket, produce, fx);
        }
    }

    /// Appends a request's batches, but those that were refused before.
    pub(crate) fn produce(
        &mut self,
        from: u16,
        ticket: Ticket,
        produce: &Produce,
        refused: Option<(Code, &[Slot])>,
        fx: &mut Fx<'_>,
    ) {
        let mut parts = Vec::with_capacity(produce.batches.len());
        for (slot, batch) in &produce.batches {
            let result = match refused {
                Some((code, slots)) if slots.contains(slot) => Err(code),
                _ => self.append(*slot, batch, produce.acks, fx),
            };
            let required = result.map_or(0, |(base, _)| base + batch.count());
            parts.push(WaitPart { slot: *slot, required, result: result.map(|(base, _)| base), done: result.is_err() });
            if let Err(code) = result {
                self.tell_refusal(*slot, batch, code, fx);
            }
        }
        match produce.acks {
            // K-A1: without answers only a closed connection can tell that something went wrong.
            Acks::None if parts.iter().any(|part| part.result.is_err()) => fx.disconnect(NodeId(from)),
            Acks::None => {}
            Acks::Leader => self.answer_produce(from, ticket, &parts, fx),
            Acks::All => {
                let alarm = fx.wake_in(produce.timeout, Wake::Broker(BrokerWake::ProduceExpires(from, ticket)));
                self.produces.insert(from, ProduceWait { ticket, alarm, parts });
            }
        }
        for (slot, _) in &produce.batches {
            self.settle_partition(*slot, fx);
        }
        if produce.acks == Acks::All {
            self.check_produce(from, None, fx);
        }
    }

    /// Appends one batch as the leader. Answers its first offset, and whether it was there already.
    pub(crate) fn append(
        &mut self,
        slot: Slot,
        batch: &Rc<Batch>,
        acks: Acks,
        fx: &mut Fx<'_>,
    ) -> Result<(u64, bool), Code> {
        let (layout, image) = (self.layout.clone(), self.image.clone());
        let topic = image.topic(&layout, self.me, slot);
        let now = fx.now();
        let replica = self.replicas.get_mut(&slot).ok_or(Code::NotLeaderOrFollower)?;
        let leadership = replica.leads().ok_or(Code::NotLeaderOrFollower)?;
        // K-A2: only acks=all is refused; what asks for less is stored.
        if acks == Acks::All && leadership.isr.len() < topic.min_isr {
            return Err(Code::NotEnoughReplicas);
        }
        if i64::from(batch.bytes) > topic.max_batch {
            return Err(Code::MessageTooLarge);
        }
        // K-D5: a compacted topic takes no record without a key.
        if topic.compaction.enabled && batch.rows().any(|(_, row)| row.key().is_none()) {
            return Err(Code::InvalidRecord);
        }
        let stamps = &topic.stamps;
        // K-D3: the leader's clock counts, or has to be near enough to the producer's.
        let batch = &if stamps.appended && batch.has_messages() {
            Rc::new(Batch { created: now, ..Batch::clone(batch) })
        } else if now.since(batch.created) > stamps.before || batch.created.since(now) > stamps.after {
            return Err(Code::InvalidTimestamp);
        } else {
            batch.clone()
        };
        if let Some(stamp) = batch.stamp {
            let expiry = millis(image.broker(&layout, self.me).producer_id_expiration_ms);
            let verdict = match batch.payload {
                Payload::Marker(marker) => replica.log.judge_marker(marker),
                _ => replica.log.judge(stamp, batch.count() as u32, now, expiry),
            };
            match verdict {
                Verdict::Append => {}
                Verdict::Duplicate(base) => return Ok((base, true)),
                Verdict::Refuse(code) => return Err(code),
            }
        }
        let epoch = replica.leader_epoch;
        let roll = topic.roll(slot, self.me, replica.log.segment_base());
        let (base, rolled) = replica.log.append(epoch, batch, now, roll);
        fx.write(u64::from(batch.bytes));
        batch.tell(0, Life::Stored, Rule("K-A1"), fx);
        self.after_append(slot, rolled.then_some(base), fx);
        self.complete_fetches(slot, fx);
        Ok((base, false))
    }

    fn tell_refusal(&mut self, slot: Slot, batch: &Batch, code: Code, fx: &mut Fx<'_>) {
        if code == Code::NotEnoughReplicas && self.refusing.insert(slot) {
            let Payload::Messages(..) = batch.payload else { return };
            let values = vec![self.layout.label(slot), self.layout.name(self.me), code.name().to_owned()];
            fx.mark(MarkKind::Refusal, "min-isr", values, Rule("K-A2"));
        }
    }

    /// Looks whether produce requests that wait for this partition can be answered.
    pub(crate) fn complete_produces(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        let waits = |wait: &ProduceWait| wait.parts.iter().any(|part| part.slot == slot && !part.done);
        let touched: Vec<u16> = self.produces.iter().filter(|(_, wait)| waits(wait)).map(|(from, _)| *from).collect();
        for from in touched {
            self.check_produce(from, Some(slot), fx);
        }
    }

    /// K-A3: whether enough replicas have what a request waits for.
    fn check_produce(&mut self, from: u16, only: Option<Slot>, fx: &mut Fx<'_>) {
        let Some(wait) = self.produces.get_mut(&from) else { return };
        for part in wait.parts.iter_mut().filter(|part| !part.done && only.is_none_or(|slot| slot == part.slot)) {
            let replica = self.replicas.get(&part.slot);
            let Some((replica, leadership)) = replica.and_then(|replica| Some((replica, replica.leads()?))) else {
                part.result = Err(Code::NotLeaderOrFollower);
                part.done = true;
                continue;
            };
            if replica.high_watermark >= part.required {
                part.done = true;
                if leadership.isr.len() < self.image.topic(&self.layout, self.me, part.slot).min_isr {
                    part.result = Err(Code::NotEnoughReplicasAfterAppend);
                }
            }
        }
        if wait.parts.iter().all(|part| part.done)
            && let Some(wait) = self.produces.remove(&from)
        {
            fx.cancel(wait.alarm);
            self.answer_produce(from, wait.ticket, &wait.parts, fx);
            self.next_produce(from, fx);
        }
    }

    /// K-A3: the replicas took longer than the request may wait.
    pub(crate) fn produce_expired(&mut self, from: u16, ticket: Ticket, fx: &mut Fx<'_>) {
        let late = self.produces.get(&from).is_some_and(|wait| wait.ticket == ticket);
        if let Some(mut wait) = late.then(|| self.produces.remove(&from)).flatten() {
            for part in wait.parts.iter_mut().filter(|part| !part.done) {
                part.result = Err(Code::RequestTimedOut);
            }
            self.answer_produce(from, ticket, &wait.parts, fx);
            self.next_produce(from, fx);
        }
    }

    fn answer_produce(&mut self, from: u16, ticket: Ticket, parts: &[WaitPart], fx: &mut Fx<'_>) {
        let refused = parts.iter().any(|part| part.result.is_err());
        let look = Look::plain(if refused { FlightKind::Refuse } else { FlightKind::Ack });
        let results = parts.iter().map(|part| (part.slot, part.result)).collect();
        let elsewhere = parts.iter().filter(|part| part.result == Err(Code::NotLeaderOrFollower));
        let leaders = elsewhere.filter_map(|part| Some((part.slot, self.image.leader(part.slot)?))).collect();
        self.answer(from, ticket, Response::Produced(results, leaders), 60, look, fx);
    }
}
