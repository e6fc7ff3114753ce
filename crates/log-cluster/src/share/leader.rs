//! A broker as the leader of partitions that share groups read: sessions of members, their requests, and the windows
//! (K-H1 to K-H4).

use super::calls::{Key, Said};
use super::partition::Wish;
use super::state::States;
use super::{Ack, Acquired, ShareFetch, ShareFetched, SharePartition, ShareRequest, ShareResponse, ShareWake};
use crate::broker::{Broker, Fx};
use crate::config::IsolationLevel;
use crate::error::Code;
use crate::fetch::hue;
use crate::layout::Slot;
use crate::log::Entry;
use crate::rpc::{BrokerWake, Response, Ticket, Wake};
use crate::transactions::readable;
use sim::story::{FlightKind, Life, Look, MarkKind, Note, Rule};
use sim::{Alarm, Nanos, Time};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A window, and what is under way about it.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub number: u32,
    /// The leader epoch that it belongs to.
    pub epoch: i32,
    /// `None` until what is written down is read.
    pub window: Option<SharePartition>,
    /// The share coordinator is asked, or will be again.
    pub asking: bool,
    pub tries: u32,
    /// It has changed since it was written down.
    pub dirty: bool,
    /// What members said that is being written down, and what will be next.
    pub(super) saying: Vec<Said>,
    pub(super) said: Vec<Said>,
    pub alarm: Option<(Time, Alarm)>,
}

/// A member's session: a broker's memory of who talks over which connection.
#[derive(Clone, Debug)]
struct Session {
    node: u16,
    group: Rc<str>,
    /// The epoch that its next request has to have.
    next: i32,
}

/// A member's request that is not answered yet.
#[derive(Clone, Debug)]
struct Waiting {
    number: u32,
    to: (u16, Ticket),
    group: Rc<str>,
    fetch: Box<ShareFetch>,
    /// How much of what it said is not settled.
    unsettled: usize,
    acks: Vec<(Slot, Result<(), Code>)>,
    /// What it is given; `None` while it waits for that.
    parts: Option<Vec<ShareFetched>>,
    alarm: Option<Alarm>,
}

/// What a broker keeps about share groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shares {
    pub parts: BTreeMap<Key, Share>,
    sessions: BTreeMap<Rc<str>, Session>,
    /// In the order of their coming.
    waiting: Vec<Waiting>,
    numbers: u32,
    pub states: States,
}

impl Shares {
    fn number(&mut self) -> u32 {
        self.numbers = self.numbers.wrapping_add(1);
        self.numbers
    }

    pub(super) fn key_of(&self, number: u32) -> Option<Key> {
        self.parts.iter().find(|(_, share)| share.number == number).map(|(key, _)| key.clone())
    }
}

impl Broker {
    pub(crate) fn on_share(
        &mut self,
        (from, ticket): (u16, Ticket),
        group: &Rc<str>,
        request: ShareRequest,
        fx: &mut Fx<'_>,
    ) {
        match request {
            ShareRequest::Read(slot, epoch) => self.read_share_state((from, ticket), (group.clone(), slot), epoch, fx),
            ShareRequest::Write(slot, state) => {
                self.write_share_state((from, ticket), (group.clone(), slot), &state, fx);
            }
            ShareRequest::Fetch(fetch) => self.share_fetch((from, ticket), group, fetch, fx),
        }
    }

    pub(crate) fn on_share_wake(&mut self, wake: ShareWake, fx: &mut Fx<'_>) {
        match wake {
            ShareWake::Expires(number) => {
                self.serve_share(number, fx);
                if let Some(waiting) = self.shares.waiting.iter_mut().find(|waiting| waiting.number == number) {
                    waiting.alarm = None;
                    waiting.parts.get_or_insert_with(Vec::new);
                }
                self.answer_shares(fx);
            }
            ShareWake::Locks(number) => self.locks_woke(number, fx),
            ShareWake::Again(number) => self.share_again(number, fx),
            ShareWake::WriteExpires(number) => {
                self.finish_share_write(number, Err(Code::CoordinatorNotAvailable), fx);
            }
        }
    }

    /// Whose request this is, and whether its session allows it.
    fn share_session(&mut self, from: u16, group: &Rc<str>, fetch: &ShareFetch) -> Result<(), Code> {
        let sessions = &mut self.shares.sessions;
        if fetch.epoch == 0 {
            let session = Session { node: from, group: group.clone(), next: 1 };
            sessions.insert(fetch.member.clone(), session);
            return if fetch.acks.is_empty() { Ok(()) } else { Err(Code::InvalidRequest) };
        }
        let session = sessions.get_mut(&fetch.member).filter(|session| session.node == from);
        let session = session.ok_or(Code::ShareSessionNotFound)?;
        if fetch.epoch > 0 {
            if session.next != fetch.epoch {
                return Err(Code::InvalidShareSessionEpoch);
            }
            session.next += 1;
        }
        Ok(())
    }

    fn share_fetch(&mut self, to: (u16, Ticket), group: &Rc<str>, fetch: Box<ShareFetch>, fx: &mut Fx<'_>) {
        if let Err(code) = self.share_session(to.0, group, &fetch) {
            let answer = ShareResponse::Fetched { session: Err(code), acks: Vec::new(), parts: Vec::new() };
            return self.answer(to.0, to.1, Response::Share(answer), 60, Look::plain(FlightKind::Refuse), fx);
        }
        let number = self.shares.number();
        let (group, ends) = (group.clone(), fetch.epoch == super::client::ENDS);
        let wants = !fetch.parts.is_empty();
        let (member, acks, wait) = (fetch.member.clone(), fetch.acks.clone(), fetch.max_wait);
        let parts = (!wants).then(Vec::new);
        let unsettled = acks.len();
        let waiting =
            Waiting { number, to, group: group.clone(), fetch, unsettled, acks: Vec::new(), parts, alarm: None };
        self.shares.waiting.push(waiting);
        for (slot, acks) in acks {
            let key = (group.clone(), slot);
            match self.share_acknowledge(&key, number, &member, &acks, fx) {
                Ok(true) => self.pump_share(&key, fx),
                Ok(false) => self.share_ack_done(number, slot, Ok(()), fx),
                Err(code) => self.share_ack_done(number, slot, Err(code), fx),
            }
            self.arm_locks(&key, fx);
        }
        if ends {
            self.shares.sessions.remove(&member);
            let others = |it: &mut Waiting| it.number != number && it.fetch.member == member;
            let over: Vec<Waiting> = self.shares.waiting.extract_if(.., others).collect();
            over.into_iter().filter_map(|it| it.alarm).for_each(|alarm| fx.cancel(alarm));
            self.release_member(&group, &member, fx);
        }
        self.serve_shares(None, fx);
        if let Some(waiting) = self.shares.waiting.iter_mut().find(|it| it.number == number && it.parts.is_none()) {
            let alarm = fx.wake_in(wait, Wake::Broker(BrokerWake::Share(ShareWake::Expires(number))));
            waiting.alarm = Some(alarm);
        }
    }

    /// K-H2: a member says what became of records. Whether that is to be written down.
    fn share_acknowledge(
        &mut self,
        key: &Key,
        request: u32,
        member: &Rc<str>,
        acks: &super::wire::Acks,
        fx: &Fx<'_>,
    ) -> Result<bool, Code> {
        let renewed = fx.now() + self.layout.group_config(&key.0).lock(&self.layout.share);
        let share = self.shares.parts.get_mut(key).ok_or(Code::NotLeaderOrFollower)?;
        let window = share.window.as_mut().ok_or(Code::NotLeaderOrFollower)?;
        let changes = window.acknowledge(member, acks, renewed)?;
        let rejects = |offset: &u64| {
            acks.iter().any(|(first, last, ack)| *ack == Ack::Reject && (*first..=*last).contains(offset))
        };
        let rejected = changes.iter().map(|(offset, _)| *offset).filter(rejects).collect();
        let any = !changes.is_empty();
        if any {
            share.said.push(Said { request, changes, rejected });
        }
        Ok(any)
    }

    pub(super) fn share_ack_done(&mut self, request: u32, slot: Slot, result: Result<(), Code>, fx: &mut Fx<'_>) {
        if let Some(waiting) = self.shares.waiting.iter_mut().find(|waiting| waiting.number == request) {
            waiting.unsettled = waiting.unsettled.saturating_sub(1);
            waiting.acks.push((slot, result));
            self.answer_shares(fx);
        }
    }

    /// Something changed in a partition: who waits for it may be given records.
    pub(crate) fn share_changed(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        if !self.shares.waiting.is_empty() {
            self.serve_shares(Some(slot), fx);
        }
    }

    /// Gives those who wait what there is, in the order of their coming.
    fn serve_shares(&mut self, only: Option<Slot>, fx: &mut Fx<'_>) {
        let waits =
            |waiting: &&Waiting| waiting.parts.is_none() && only.is_none_or(|slot| waiting.fetch.parts.contains(&slot));
        let numbers: Vec<u32> = self.shares.waiting.iter().filter(waits).map(|waiting| waiting.number).collect();
        numbers.into_iter().for_each(|number| self.serve_share(number, fx));
        self.answer_shares(fx);
    }

    /// Gives one who waits what there is.
    fn serve_share(&mut self, number: u32, fx: &mut Fx<'_>) {
        let waits = |waiting: &&mut Waiting| waiting.number == number && waiting.parts.is_none();
        let Some(waiting) = self.shares.waiting.iter_mut().find(waits) else { return };
        let (group, fetch) = (waiting.group.clone(), waiting.fetch.clone());
        let parts = self.share_read(&group, &fetch, fx);
        if let Some(waiting) = self.shares.waiting.iter_mut().find(waits)
            && !parts.is_empty()
        {
            waiting.parts = Some(parts);
        }
    }

    /// What a member can be given now.
    fn share_read(&mut self, group: &Rc<str>, fetch: &ShareFetch, fx: &mut Fx<'_>) -> Vec<ShareFetched> {
        let mut parts = Vec::new();
        let (mut records, mut bytes) = (u64::from(fetch.max_records), fetch.max_bytes);
        let turn = fetch.epoch.unsigned_abs() as usize % fetch.parts.len().max(1);
        for slot in fetch.parts[turn..].iter().chain(&fetch.parts[..turn]) {
            if self.replicas.get(slot).is_none_or(|replica| replica.leads().is_none()) {
                let error = Some(Code::NotLeaderOrFollower);
                parts.push(ShareFetched { slot: *slot, error, entries: Vec::new(), acquired: Vec::new() });
                continue;
            }
            let key = (group.clone(), *slot);
            if records == 0 || bytes == 0 || !self.share_is_ready(&key, fx) {
                continue;
            }
            let Some(part) = self.share_acquire(&key, fetch, (records, bytes), fx) else { continue };
            let count: u64 = part.acquired.iter().map(|run| run.last - run.first + 1).sum();
            let size: u64 = part.entries.iter().map(|entry| u64::from(entry.batch.bytes)).sum();
            (records, bytes) = (records.saturating_sub(count), bytes.saturating_sub(size));
            parts.push(part);
        }
        parts
    }

    /// Whether a window is known; if not, it is read.
    fn share_is_ready(&mut self, key: &Key, fx: &mut Fx<'_>) -> bool {
        let epoch = self.replicas.get(&key.1).map_or(-1, |replica| replica.leader_epoch);
        if !self.shares.parts.contains_key(key) {
            let number = self.shares.number();
            let share = Share {
                number,
                epoch,
                window: None,
                asking: false,
                tries: 0,
                dirty: false,
                saying: Vec::new(),
                said: Vec::new(),
                alarm: None,
            };
            self.shares.parts.insert(key.clone(), share);
            self.pump_share(key, fx);
        }
        self.shares.parts.get(key).is_some_and(|share| share.window.is_some())
    }

    fn share_acquire(
        &mut self,
        key: &Key,
        fetch: &ShareFetch,
        (most, bytes): (u64, u64),
        fx: &mut Fx<'_>,
    ) -> Option<ShareFetched> {
        let config = self.layout.group_config(&key.0);
        let lock = config.lock(&self.layout.share);
        let committed_only = config.share_isolation_level == IsolationLevel::ReadCommitted;
        let replica = self.replicas.get(&key.1)?;
        let window = self.shares.parts.get_mut(key)?.window.as_mut()?;
        window.log_starts_at(replica.log.start());
        let from = window.next_offset()?;
        let mut entries = Vec::new();
        let limit = if committed_only { replica.last_stable() } else { replica.high_watermark };
        replica.log.fetch(from, limit, bytes, &mut entries);
        if committed_only && let Some(end) = entries.last().map(Entry::end) {
            // K-X6: for a share group it is the leader that passes over what was aborted.
            entries = readable(entries, &replica.log.transactions.aborted_in(from, end));
        }
        let wish = Wish { member: &fetch.member, most, strict: fetch.strict, lock, now: fx.now() };
        let acquired = window.acquire(wish, &entries);
        self.arm_locks(key, fx);
        let taken = |run: &Acquired, base: u64, end: u64| run.first < end && base <= run.last;
        entries.retain(|entry| acquired.iter().any(|run| taken(run, entry.base, entry.end())));
        (!acquired.is_empty()).then_some(ShareFetched { slot: key.1, error: None, entries, acquired })
    }

    /// Answers requests of which everything is known.
    fn answer_shares(&mut self, fx: &mut Fx<'_>) {
        let done = |waiting: &mut Waiting| waiting.unsettled == 0 && waiting.parts.is_some();
        let answers: Vec<Waiting> = self.shares.waiting.extract_if(.., done).collect();
        for waiting in answers {
            if let Some(alarm) = waiting.alarm {
                fx.cancel(alarm);
            }
            let parts = waiting.parts.unwrap_or_default();
            let entries = || parts.iter().flat_map(|part| &part.entries);
            let runs = parts.iter().flat_map(|part| &part.acquired);
            let count = runs.map(|run| run.last - run.first + 1).sum::<u64>() as usize;
            let bytes = entries().map(|entry| u64::from(entry.batch.bytes)).sum::<u64>();
            let refused = waiting.acks.iter().any(|(_, result)| result.is_err());
            let kind = match count {
                0 if refused => FlightKind::Refuse,
                0 => FlightKind::Fetch,
                _ => FlightKind::Deliver,
            };
            let look = Look::of(kind, hue(entries()), count);
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).saturating_add(100);
            let answer = ShareResponse::Fetched { session: Ok(()), acks: waiting.acks, parts };
            self.answer(waiting.to.0, waiting.to.1, Response::Share(answer), bytes, look, fx);
        }
    }

    /// K-H2: the connection of members is gone, and their sessions with it.
    pub(crate) fn share_disconnected(&mut self, peer: u16, fx: &mut Fx<'_>) {
        let lost: Vec<Waiting> = self.shares.waiting.extract_if(.., |waiting| waiting.to.0 == peer).collect();
        lost.into_iter().filter_map(|waiting| waiting.alarm).for_each(|alarm| fx.cancel(alarm));
        let of_peer = |(_, session): &(&Rc<str>, &Session)| session.node == peer;
        let sessions = self.shares.sessions.iter().filter(of_peer);
        let gone: Vec<(Rc<str>, Rc<str>)> = sessions.map(|(id, session)| (session.group.clone(), id.clone())).collect();
        for (group, member) in gone {
            self.shares.sessions.remove(&member);
            self.release_member(&group, &member, fx);
        }
    }

    fn release_member(&mut self, group: &Rc<str>, member: &Rc<str>, fx: &mut Fx<'_>) {
        let keys: Vec<Key> = self.shares.parts.keys().filter(|key| key.0 == *group).cloned().collect();
        for key in keys {
            let window = self.shares.parts.get_mut(&key).and_then(|share| share.window.as_mut());
            let Some((back, given_up)) = window.map(|window| window.release(member)) else { continue };
            if back > 0 {
                let values = vec![group.to_string(), back.to_string(), self.layout.label(key.1)];
                fx.mark(MarkKind::Change, "share-session-ended", values, Rule("K-H2"));
            }
            self.taken_back(&key, back, given_up, fx);
        }
    }

    fn locks_woke(&mut self, number: u32, fx: &mut Fx<'_>) {
        let Some(key) = self.shares.key_of(number) else { return };
        let Some(share) = self.shares.parts.get_mut(&key) else { return };
        share.alarm = None;
        let Some((back, given_up)) = share.window.as_mut().map(|window| window.expire(fx.now())) else { return };
        if back > 0 {
            let values = vec![key.0.to_string(), back.to_string(), self.layout.label(key.1)];
            fx.mark(MarkKind::Change, "share-locks-ended", values, Rule("K-H2"));
        }
        self.taken_back(&key, back, given_up, fx);
        self.share_changed(key.1, fx);
        self.arm_locks(&key, fx);
    }

    /// Records were taken from members: that is written down, and others may have them. Who waits already gets them when
    /// a lock ended; when a session did, only once its own wait is over (recorded).
    fn taken_back(&mut self, key: &Key, back: usize, given_up: Vec<u64>, fx: &mut Fx<'_>) {
        if back == 0 && given_up.is_empty() {
            return;
        }
        self.tell_given_up(key, given_up, true, fx);
        if let Some(share) = self.shares.parts.get_mut(key) {
            share.dirty = true;
        }
        self.pump_share(key, fx);
    }

    /// Records that nobody will be given again: by the limit, or because their application said so.
    pub(super) fn tell_given_up(&self, key: &Key, offsets: Vec<u64>, limit: bool, fx: &mut Fx<'_>) {
        let Some(replica) = self.replicas.get(&key.1).filter(|_| !offsets.is_empty()) else { return };
        let rule = if limit { Rule("K-H3") } else { Rule("K-H2") };
        for offset in &offsets {
            if let Some(entry) = replica.log.read(*offset).next()
                && let Some((_, id, _)) = entry.batch.records(offset.saturating_sub(entry.base) as usize).next()
            {
                fx.note(Note::Life(id, Life::Deleted, rule));
            }
        }
        let values = vec![key.0.to_string(), offsets.len().to_string(), self.layout.label(key.1)];
        if limit {
            fx.mark(MarkKind::Change, "share-given-up", values, rule);
        } else {
            fx.mark(MarkKind::Change, "share-rejected", values, rule);
        }
    }

    pub(super) fn arm_locks(&mut self, key: &Key, fx: &mut Fx<'_>) {
        let Some(share) = self.shares.parts.get_mut(key) else { return };
        let Some(next) = share.window.as_ref().and_then(SharePartition::next_time) else { return };
        // A lock that ended meanwhile is looked at in vain, once.
        if share.alarm.is_none_or(|(at, _)| at > next) {
            let at = next.max(fx.now() + Nanos(1));
            let alarm = fx.wake_at(at, Wake::Broker(BrokerWake::Share(ShareWake::Locks(share.number))));
            if let Some((_, old)) = share.alarm.replace((next, alarm)) {
                fx.cancel(old);
            }
        }
    }

    /// A leadership begins or ends: windows are read anew.
    pub(crate) fn unload_shares(&mut self, slot: Slot, fx: &mut Fx<'_>) {
        let keys: Vec<Key> = self.shares.parts.keys().filter(|key| key.1 == slot).cloned().collect();
        keys.iter().for_each(|key| self.drop_share(key, fx));
        self.share_changed(slot, fx);
    }
}
