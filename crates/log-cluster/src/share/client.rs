//! A consumer as a member of a share group: it fetches what nobody else has, and says what became of it (K-H2, K-H5).

use super::{Ack, AcknowledgementMode, AcquireMode, ShareFetch, ShareFetched, ShareOrder, ShareRequest, ShareResponse};
use crate::client::Fx;
use crate::config::{ConsumerConfig, millis};
use crate::consumer::{Asked, Consumer, InHand};
use crate::error::Code;
use crate::layout::Slot;
use crate::rpc::{Request, Ticket};
use sim::Nanos;
use sim::story::{FlightKind, Life, Look, MarkKind, MessageId, Note, Rule};
use std::collections::{BTreeMap, VecDeque};

/// The epoch of a session's last request.
pub(super) const ENDS: i32 = -1;

/// What an application does with records of a share group. These notions are the lab's, not Kafka's: there it is the
/// application's code. Which messages they are about is counted by each producer, so that a message fails each time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharePlan {
    /// It fails on every how-many-th message, and releases it; 0 for none.
    pub release_every: u32,
    /// It rejects every how-many-th message; 0 for none.
    pub reject_every: u32,
    /// It processes every how-many-th message and never says so; 0 for none.
    pub forget_every: u32,
    /// After each record it commits what it said, and renews the locks of those that it still holds.
    pub renew: bool,
    /// It polls and acknowledges only when it is told to.
    pub by_hand: bool,
}

/// A record that it was given.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Got {
    node: u16,
    /// The session that it came in.
    session: u32,
    record: InHand,
    pub count: u16,
}

impl Got {
    pub fn place(&self) -> (Slot, u64) {
        (self.record.slot, self.record.offset)
    }

    pub fn id(&self) -> MessageId {
        self.record.id
    }
}

/// What it said of records of a partition.
type Said = Vec<(u64, Ack, MessageId)>;

/// What a share consumer remembers of a request: what it said in it.
#[derive(Clone, Debug)]
pub(crate) struct ShareAsk {
    to: u16,
    said: BTreeMap<Slot, Said>,
    fetches: bool,
    /// Someone told the application to acknowledge.
    ordered: bool,
}

/// What a share consumer knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShareMember {
    pub plan: SharePlan,
    explicit: bool,
    strict: bool,
    /// Sessions with brokers: the next epoch, and which session it is.
    sessions: BTreeMap<u16, (i32, u32)>,
    serial: u32,
    /// Fetched and not polled.
    buffered: VecDeque<Got>,
    /// Polled and not worked on; the same as the consumer's records in hand.
    pub hand: VecDeque<Got>,
    /// Worked on, and what is to be said of it.
    worked: Vec<(Got, Ack)>,
    /// Someone told the application to poll.
    polls: bool,
    /// What became of what the application was told to say last.
    pub answered: Option<Result<(), Code>>,
    closing: bool,
}

impl ShareMember {
    pub fn new(plan: SharePlan, config: &ConsumerConfig) -> ShareMember {
        let explicit = config.share_acknowledgement_mode == AcknowledgementMode::Explicit;
        let strict = config.share_acquire_mode == AcquireMode::RecordLimit;
        ShareMember { plan, explicit, strict, ..ShareMember::default() }
    }

    /// A new life of the process.
    pub fn renew(&mut self) {
        let (explicit, strict, serial) = (self.explicit, self.strict, self.serial);
        *self = ShareMember { plan: self.plan.clone(), explicit, strict, serial, ..ShareMember::default() };
    }

    pub fn is_explicit(&self) -> bool {
        self.explicit
    }

    /// Someone has the application poll, or it gives up.
    pub fn poll(&mut self, polls: bool) {
        self.polls = polls;
    }

    /// Records that it was given and has not worked on.
    pub fn holds(&self) -> impl Iterator<Item = &Got> {
        self.buffered.iter().chain(&self.hand)
    }

    pub fn buffered(&self) -> u32 {
        self.buffered.len() as u32
    }

    /// What the application does with a message: what it says, and whether it has processed it.
    fn verdict(&self, id: MessageId) -> (Option<Ack>, bool) {
        let hits = |every: u32| every > 0 && (id.sequence + 1).is_multiple_of(every);
        match &self.plan {
            _ if !self.explicit => (Some(Ack::Accept), true),
            plan if hits(plan.reject_every) => (Some(Ack::Reject), false),
            plan if hits(plan.release_every) => (Some(Ack::Release), false),
            plan if hits(plan.forget_every) => (None, true),
            _ => (Some(Ack::Accept), true),
        }
    }

    /// What is to be said to a broker. What came in a session that is over was taken back by then.
    fn say_to(&mut self, node: u16) -> BTreeMap<Slot, Said> {
        let session = self.sessions.get(&node).map(|(_, serial)| *serial);
        let mut said: BTreeMap<Slot, Said> = BTreeMap::new();
        for (got, ack) in self.worked.extract_if(.., |(got, _)| got.node == node) {
            if session == Some(got.session) {
                said.entry(got.record.slot).or_default().push((got.record.offset, ack, got.record.id));
            }
        }
        said
    }
}

/// Neighbours of which the same is said go together.
fn runs(said: &Said) -> super::wire::Acks {
    let mut sorted: Vec<(u64, Ack)> = said.iter().map(|(offset, ack, _)| (*offset, *ack)).collect();
    sorted.sort_unstable();
    let mut runs: super::wire::Acks = Vec::new();
    for (offset, ack) in sorted {
        match runs.last_mut() {
            Some((_, last, same)) if *last + 1 == offset && *same == ack => *last = offset,
            _ => runs.push((offset, offset, ack)),
        }
    }
    runs
}

impl Consumer {
    /// What a share consumer's `poll()` does once the membership is kept up.
    pub(crate) fn poll_share(&mut self, fx: &mut Fx<'_>) {
        let Some(share) = self.share.as_mut() else { return };
        if share.plan.by_hand && !share.polls {
            return;
        }
        if share.buffered.is_empty() {
            return self.share_fetch(fx);
        }
        share.polls = false;
        let most = if share.strict { self.poll_records as usize } else { usize::MAX };
        let count = share.buffered.len().min(self.hand.most.map_or(most, usize::from));
        for got in share.buffered.drain(..count) {
            share.hand.push_back(got);
            self.in_hand.push_back(got.record);
        }
        if share.plan.by_hand { self.hand_polled(fx) } else { self.start_work(fx) }
    }

    /// K-H5: in implicit mode a poll accepts what the last one returned.
    pub(crate) fn accept_implicitly(&mut self, fx: &mut Fx<'_>) {
        if self.share.as_ref().is_some_and(|share| !share.explicit && share.plan.by_hand) {
            while let Some(record) = self.in_hand.pop_front() {
                self.share_worked(record, fx);
            }
        }
    }

    /// The application has finished with a record.
    pub(crate) fn share_worked(&mut self, record: InHand, fx: &mut Fx<'_>) {
        let (reader, consumer) = (self.reader, self.index);
        let Some(share) = self.share.as_mut() else { return };
        let Some(got) = share.hand.pop_front() else { return };
        let fails = self.fails_on == Some(record.key);
        if fails && !share.explicit {
            return self.throw(fx);
        }
        // K-H5: who acknowledges one by one releases what it cannot process.
        let (ack, processed) = if fails { (Some(Ack::Release), false) } else { share.verdict(record.id) };
        share.worked.extend(ack.map(|ack| (got, ack)));
        if processed {
            fx.note(Note::Life(record.id, Life::Processed { reader, consumer }, Rule("K-H5")));
        }
        self.renew_locks(fx);
    }

    /// K-H2: what it has not worked on yet stays its own.
    fn renew_locks(&mut self, fx: &mut Fx<'_>) {
        let Some(share) = self.share.as_mut().filter(|share| share.plan.renew && share.explicit) else { return };
        let held: Vec<(Got, Ack)> = share.hand.iter().map(|got| (*got, Ack::Renew)).collect();
        let mut nodes: Vec<u16> = held.iter().map(|(got, _)| got.node).collect();
        share.worked.extend(held);
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            self.ask_share(node, Vec::new(), false, fx);
        }
    }

    /// One request to each leader at a time, with what there is to say of earlier records.
    fn share_fetch(&mut self, fx: &mut Fx<'_>) {
        let mut wanted: BTreeMap<u16, Vec<Slot>> = BTreeMap::new();
        let mut stale = false;
        for slot in self.assigned.keys() {
            match self.client.leader(*slot) {
                Some((leader, _)) => wanted.entry(leader).or_default().push(*slot),
                None => stale = true,
            }
        }
        // Who has to be told something need not lead anything that is read.
        let told = self.share.iter().flat_map(|share| share.worked.iter().map(|(got, _)| got.node));
        for node in told {
            wanted.entry(node).or_default();
        }
        for (leader, parts) in wanted {
            let busy = self.client.waiting(leader).any(|asked| matches!(asked, Asked::Share(ask) if ask.fetches));
            if !busy {
                self.ask_share(leader, parts, false, fx);
            }
        }
        if stale {
            self.client.refresh(fx);
        }
    }

    fn ask_share(&mut self, to: u16, parts: Vec<Slot>, ordered: bool, fx: &mut Fx<'_>) {
        let begins = self.share.as_ref().is_some_and(|share| !share.sessions.contains_key(&to));
        if !self.client.is_reachable(to, fx) {
            // What was given over a connection that is gone is others' by now.
            self.share.iter_mut().for_each(|share| drop(share.say_to(to)));
            return self.client.want(to, fx);
        }
        let Some(share) = self.share.as_mut() else { return };
        let said = share.say_to(to);
        if parts.is_empty() && said.is_empty() {
            return;
        }
        if begins {
            share.serial += 1;
            share.sessions.insert(to, (0, share.serial));
        }
        let Some((next, _)) = share.sessions.get_mut(&to) else { return };
        let epoch = *next;
        *next += 1;
        let acks: Vec<_> = said.iter().map(|(slot, said)| (*slot, runs(said))).collect();
        let look = Look::plain(if parts.is_empty() { FlightKind::Ack } else { FlightKind::Fetch });
        let fetch = ShareFetch {
            member: self.membership.id.clone(),
            epoch,
            max_wait: if parts.is_empty() { Nanos::ZERO } else { millis(self.config.fetch_max_wait_ms) },
            max_bytes: self.config.fetch_max_bytes.unsigned_abs(),
            max_records: self.poll_records,
            strict: share.strict,
            acks,
            parts,
        };
        let ask = ShareAsk { to, said, fetches: !fetch.parts.is_empty(), ordered };
        let bytes = 100 + 20 * fetch.acks.len() as u32;
        let request = Request::Share(self.group.clone(), ShareRequest::Fetch(Box::new(fetch)));
        self.client.ask(to, request, Asked::Share(ask), bytes, look, fx);
    }

    pub(crate) fn on_share_answer(&mut self, ticket: Ticket, response: ShareResponse, fx: &mut Fx<'_>) {
        let Some(Asked::Share(ask)) = self.client.answered(ticket, fx) else { return };
        let ShareResponse::Fetched { session, acks, parts } = response else { return };
        if let Err(code) = session {
            if let Some(share) = self.share.as_mut() {
                share.sessions.remove(&ask.to);
            }
            return self.share_refused(&ask, code, fx);
        }
        let mut refused = None;
        for (slot, result) in acks {
            match result {
                Ok(()) => {
                    let accepted = ask.said.get(&slot).into_iter().flatten().filter(|(_, ack, _)| *ack == Ack::Accept);
                    let life = Life::Settled { reader: self.reader };
                    accepted.for_each(|(.., id)| fx.note(Note::Life(*id, life, Rule("K-H4"))));
                }
                Err(code) => refused = Some(code),
            }
        }
        match (refused, self.share.as_mut()) {
            (Some(code), _) => self.share_refused(&ask, code, fx),
            (None, Some(share)) if ask.ordered => share.answered = Some(Ok(())),
            _ => {}
        }
        for part in parts {
            self.take_shared(ask.to, &part, fx);
        }
    }

    /// What it said does not count.
    fn share_refused(&mut self, ask: &ShareAsk, code: Code, fx: &mut Fx<'_>) {
        if let Some(share) = self.share.as_mut().filter(|_| ask.ordered) {
            share.answered = Some(Err(code));
        }
        if !ask.said.is_empty() {
            let values = vec![self.client.layout.name(fx.me().0), code.name().to_owned()];
            fx.mark(MarkKind::Refusal, "share-acknowledgement-refused", values, Rule("K-H2"));
        }
        if code == Code::NotLeaderOrFollower {
            self.try_later(fx);
        }
    }

    fn take_shared(&mut self, node: u16, part: &ShareFetched, fx: &mut Fx<'_>) {
        if part.error.is_some() {
            return self.try_later(fx);
        }
        let (reader, consumer) = (self.reader, self.index);
        let Some(share) = self.share.as_mut() else { return };
        let Some((_, session)) = share.sessions.get(&node).copied() else { return };
        for run in &part.acquired {
            let life = Life::Delivered { reader, consumer, redelivered: run.count > 1 };
            for entry in &part.entries {
                let bytes = entry.batch.bytes / entry.batch.count().max(1) as u32;
                let skip = run.first.saturating_sub(entry.base) as usize;
                for (delta, id, key) in entry.batch.records(skip) {
                    let offset = entry.base + delta;
                    if !(run.first..=run.last).contains(&offset) {
                        continue;
                    }
                    let record = InHand { slot: part.slot, offset, id, key, bytes };
                    share.buffered.push_back(Got { node, session, record, count: run.count });
                    fx.note(Note::Life(id, life, Rule("K-H1")));
                }
            }
        }
    }

    /// A connection is gone, and the session with it.
    pub(crate) fn share_disconnected(&mut self, node: u16) {
        if let Some(share) = self.share.as_mut() {
            share.sessions.remove(&node);
        }
    }

    /// Ends all sessions, with what there is to say. True once that is done.
    pub(crate) fn close_sessions(&mut self, fx: &mut Fx<'_>) -> bool {
        let Some(share) = self.share.as_mut() else { return true };
        if !std::mem::replace(&mut share.closing, true) {
            share.buffered.clear();
            share.hand.clear();
            self.in_hand.clear();
            let nodes: Vec<u16> = share.sessions.keys().copied().collect();
            for node in nodes {
                self.end_session(node, fx);
            }
        }
        !self.is_waiting(|asked| matches!(asked, Asked::Share(ask) if !ask.fetches))
    }

    fn end_session(&mut self, to: u16, fx: &mut Fx<'_>) {
        let Some(share) = self.share.as_mut() else { return };
        let said = share.say_to(to);
        share.sessions.remove(&to);
        let fetch = ShareFetch {
            member: self.membership.id.clone(),
            epoch: ENDS,
            max_wait: Nanos::ZERO,
            max_bytes: 0,
            max_records: 0,
            strict: false,
            parts: Vec::new(),
            acks: said.iter().map(|(slot, said)| (*slot, runs(said))).collect(),
        };
        let ask = ShareAsk { to, said, fetches: false, ordered: false };
        let request = Request::Share(self.group.clone(), ShareRequest::Fetch(Box::new(fetch)));
        self.client.ask(to, request, Asked::Share(ask), 100, Look::plain(FlightKind::Ack), fx);
    }

    /// Someone has the application do something.
    pub(crate) fn on_share_order(&mut self, order: ShareOrder, fx: &mut Fx<'_>) {
        match order {
            ShareOrder::Poll => {
                self.share.iter_mut().for_each(|share| share.polls = true);
                self.poll(fx);
            }
            ShareOrder::Acknowledge(records) => self.acknowledge_by_hand(&records, fx),
        }
    }

    fn acknowledge_by_hand(&mut self, records: &[(u32, u64, Ack)], fx: &mut Fx<'_>) {
        let layout = self.client.layout.clone();
        let number = |slot: Slot| slot - layout.topic(slot).first;
        let (reader, consumer) = (self.reader, self.index);
        let Some(share) = self.share.as_mut() else { return };
        share.answered = None;
        let mut nodes = Vec::new();
        for (partition, offset, ack) in records {
            let same = |got: &Got| (number(got.record.slot), got.record.offset) == (*partition, *offset);
            let Some(place) = share.hand.iter().position(same) else { continue };
            self.in_hand.remove(place);
            let Some(got) = share.hand.remove(place) else { continue };
            if *ack == Ack::Accept {
                fx.note(Note::Life(got.record.id, Life::Processed { reader, consumer }, Rule("K-H5")));
            }
            nodes.push(got.node);
            share.worked.push((got, *ack));
        }
        nodes.dedup();
        for node in nodes {
            self.ask_share(node, Vec::new(), true, fx);
        }
    }
}
