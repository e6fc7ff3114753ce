//! A consumer group as its coordinator keeps it, by the classic protocol (K-G2 to K-G6).
//!
//! A state machine without a clock or a network of its own: the coordinator gives it requests and the time, and sends
//! what it answers.

use crate::config::Strategy;
use crate::error::Code;
use crate::layout::Slot;
use crate::rpc::{GroupResponse, Join, Joined, Ticket};
use sim::{Nanos, Time};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a member tells the group's leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// How it wants partitions shared out.
    pub strategy: Strategy,
    /// Topics, by their places among all topics.
    pub topics: Vec<u32>,
    /// What it owned when it asked.
    pub owned: Vec<Slot>,
    /// In which generation it owned that; -1 for none.
    pub generation: i32,
}

/// A generation as it is written down: what survives the coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    /// Its number.
    pub generation: i32,
    /// Who assigned.
    pub leader: Option<Rc<str>>,
    /// The members.
    pub members: Vec<RosterRow>,
}

/// A member as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterRow {
    /// Its id.
    pub id: Rc<str>,
    /// Its node.
    pub node: u16,
    /// `session.timeout.ms`.
    pub session: Nanos,
    /// `max.poll.interval.ms`.
    pub rebalance: Nanos,
    /// What it told.
    pub subscription: Subscription,
    /// What it was given.
    pub share: Vec<Slot>,
}

/// What members are given, by id.
pub type Shares = Vec<(Rc<str>, Vec<Slot>)>;

/// Where a group stands (K-G2).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum State {
    #[default]
    Empty,
    /// Waits for its members to join.
    Preparing,
    /// Waits for its leader's assignment.
    Completing,
    Stable,
}

/// A member.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub node: u16,
    session: Nanos,
    rebalance: Nanos,
    subscription: Subscription,
    pub share: Vec<Slot>,
    join: Option<Ticket>,
    sync: Option<Ticket>,
    expires: Time,
}

/// What a group wants done.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub answers: Vec<(u16, Ticket, GroupResponse)>,
    /// A rebalance began: why.
    pub began: Option<&'static str>,
    /// A generation began.
    pub formed: bool,
    /// The generation is to be written down.
    pub write: bool,
    /// Members whose sessions ended.
    pub expired: Vec<Rc<str>>,
}

/// A group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub state: State,
    pub generation: i32,
    pub members: BTreeMap<Rc<str>, Member>,
    leader: Option<Rc<str>>,
    /// K-G2: when an empty group's first wait is over, and whether someone joined during it.
    initial: Option<(Time, bool)>,
    /// When those that have not joined are left out.
    deadline: Option<Time>,
    pub offsets: BTreeMap<Slot, u64>,
    writing: bool,
}

impl Group {
    pub fn state_name(&self) -> &'static str {
        match self.state {
            State::Empty => "Empty",
            State::Preparing => "PreparingRebalance",
            State::Completing => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }

    /// When the group has to be looked at next.
    pub fn next_time(&self) -> Option<Time> {
        let sessions = self.members.values().filter(|member| member.join.is_none()).map(|member| member.expires);
        let waits = self.initial.map(|(at, _)| at).or(self.deadline).filter(|_| self.state == State::Preparing);
        sessions.chain(waits).min()
    }

    pub fn roster(&self) -> Roster {
        let row = |(id, member): (&Rc<str>, &Member)| RosterRow {
            id: id.clone(),
            node: member.node,
            session: member.session,
            rebalance: member.rebalance,
            subscription: member.subscription.clone(),
            share: member.share.clone(),
        };
        Roster {
            generation: self.generation,
            leader: self.leader.clone(),
            members: self.members.iter().map(row).collect(),
        }
    }

    /// Takes up what was written down, as a new coordinator: all sessions begin anew.
    pub fn load(&mut self, roster: &Roster, now: Time) {
        self.generation = roster.generation;
        self.leader.clone_from(&roster.leader);
        self.members.clear();
        for row in &roster.members {
            let member = Member {
                node: row.node,
                session: row.session,
                rebalance: row.rebalance,
                subscription: row.subscription.clone(),
                share: row.share.clone(),
                join: None,
                sync: None,
                expires: now + row.session,
            };
            self.members.insert(row.id.clone(), member);
        }
        self.state = if self.members.is_empty() { State::Empty } else { State::Stable };
    }

    pub fn join(&mut self, node: u16, ticket: Ticket, join: Join, initial: Nanos, now: Time, out: &mut Outcome) {
        let strategy = join.subscription.strategy;
        let others = || self.members.iter().filter(|(id, _)| **id != join.member);
        if others().any(|(_, member)| member.subscription.strategy != strategy) {
            // K-G5: a protocol that all support has to exist.
            let refused = GroupResponse::Joined(Err(Code::InconsistentGroupProtocol));
            return out.answers.push((node, ticket, refused));
        }
        let known = self.members.get(&join.member).map(|member| member.subscription == join.subscription);
        let leads = self.leader.as_ref() == Some(&join.member);
        let begins = match (self.state, known) {
            (State::Preparing, _) => false,
            (State::Stable, Some(true)) if !leads => {
                return self.answer_join(&join.member, node, ticket, now, out);
            }
            (State::Completing, Some(true)) => return self.answer_join(&join.member, node, ticket, now, out),
            (State::Empty | State::Stable | State::Completing, _) => true,
        };
        let fresh = known.is_none();
        let share = self.members.get(&join.member).map(|member| member.share.clone()).unwrap_or_default();
        let member = Member {
            node,
            session: join.session,
            rebalance: join.rebalance,
            subscription: join.subscription,
            share,
            join: Some(ticket),
            sync: None,
            expires: now + join.session,
        };
        self.members.insert(join.member.clone(), member);
        if self.leader.is_none() {
            self.leader = Some(join.member);
        }
        if begins {
            self.prepare(initial, now, if fresh { "a new member" } else { "a member that joins again" }, out);
        } else if let Some((_, joined)) = self.initial.as_mut().filter(|_| fresh) {
            *joined = true;
        }
        self.try_complete(now, out);
    }

    fn answer_join(&mut self, id: &Rc<str>, node: u16, ticket: Ticket, now: Time, out: &mut Outcome) {
        let joined = self.joined(id);
        if let Some(member) = self.members.get_mut(id) {
            member.expires = now + member.session;
        }
        out.answers.push((node, ticket, GroupResponse::Joined(Ok(Box::new(joined)))));
    }

    fn joined(&self, id: &Rc<str>) -> Joined {
        let leads = self.leader.as_ref() == Some(id);
        let row = |(id, member): (&Rc<str>, &Member)| (id.clone(), member.subscription.clone());
        let members = if leads { self.members.iter().map(row).collect() } else { Vec::new() };
        Joined { generation: self.generation, members, leads }
    }

    /// K-G2: a rebalance begins.
    fn prepare(&mut self, initial: Nanos, now: Time, why: &'static str, out: &mut Outcome) {
        for member in self.members.values_mut() {
            if let Some(ticket) = member.sync.take() {
                let again = GroupResponse::Synced(Err(Code::RebalanceInProgress));
                out.answers.push((member.node, ticket, again));
            }
        }
        let longest = self.members.values().map(|member| member.rebalance).max().unwrap_or(Nanos::ZERO);
        self.deadline = Some(now + longest);
        self.initial = (self.state == State::Empty).then(|| (now + Nanos(initial.0.min(longest.0)), false));
        self.state = State::Preparing;
        self.writing = false;
        out.began = Some(why);
    }

    fn try_complete(&mut self, now: Time, out: &mut Outcome) {
        let all_in = self.members.values().all(|member| member.join.is_some());
        if self.state == State::Preparing && all_in && self.initial.is_none() {
            self.complete(now, out);
        }
    }

    /// K-G4: the next generation begins, with those that have joined.
    fn complete(&mut self, now: Time, out: &mut Outcome) {
        self.members.retain(|_, member| member.join.is_some());
        (self.initial, self.deadline) = (None, None);
        self.generation += 1;
        if self.leader.as_ref().is_none_or(|leader| !self.members.contains_key(leader)) {
            self.leader = self.members.keys().next().cloned();
        }
        if self.members.is_empty() {
            self.state = State::Empty;
            out.write = true;
            return;
        }
        self.state = State::Completing;
        out.formed = true;
        let ids: Vec<Rc<str>> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            let Some(member) = self.members.get_mut(&id) else { continue };
            member.expires = now + member.session;
            if let Some(ticket) = member.join.take() {
                out.answers.push((member.node, ticket, GroupResponse::Joined(Ok(Box::new(joined)))));
            }
        }
    }

    fn check(&mut self, id: &Rc<str>, generation: i32, now: Time) -> Result<(), Code> {
        let state = self.state;
        let current = self.generation;
        let member = self.members.get_mut(id).ok_or(Code::UnknownMemberId)?;
        // K-G4: a generation that is over has no say.
        if generation != current {
            return Err(Code::IllegalGeneration);
        }
        member.expires = now + member.session;
        if state == State::Preparing { Err(Code::RebalanceInProgress) } else { Ok(()) }
    }

    pub fn sync(&mut self, node: u16, ticket: Ticket, request: (Rc<str>, i32, Shares), now: Time, out: &mut Outcome) {
        let (id, generation, shares) = request;
        if let Err(code) = self.check(&id, generation, now) {
            return out.answers.push((node, ticket, GroupResponse::Synced(Err(code))));
        }
        let leads = self.leader.as_ref() == Some(&id);
        let Some(member) = self.members.get_mut(&id) else { return };
        if self.state == State::Stable {
            return out.answers.push((node, ticket, GroupResponse::Synced(Ok(member.share.clone()))));
        }
        member.sync = Some(ticket);
        if leads && !self.writing {
            self.members.values_mut().for_each(|member| member.share.clear());
            for (id, share) in shares {
                if let Some(member) = self.members.get_mut(&id) {
                    member.share = share;
                }
            }
            self.writing = true;
            out.write = true;
        }
    }

    /// The generation is written down: everyone gets their share. Or it could not be.
    pub fn written(&mut self, generation: i32, result: Result<(), Code>, out: &mut Outcome) {
        if self.state != State::Completing || self.generation != generation {
            return;
        }
        self.writing = false;
        if result.is_ok() {
            self.state = State::Stable;
        }
        for member in self.members.values_mut() {
            if let Some(ticket) = member.sync.take() {
                let share = result.map(|()| member.share.clone());
                out.answers.push((member.node, ticket, GroupResponse::Synced(share)));
            }
        }
    }

    pub fn heartbeat(&mut self, id: &Rc<str>, generation: i32, now: Time) -> Result<(), Code> {
        self.check(id, generation, now)
    }

    /// Whether a member may commit now.
    pub fn may_commit(&mut self, id: &Rc<str>, generation: i32, now: Time) -> Result<(), Code> {
        match self.check(id, generation, now) {
            // A member that is about to join again commits what it did before.
            Err(Code::RebalanceInProgress) => Ok(()),
            Ok(()) if self.state == State::Completing => Err(Code::RebalanceInProgress),
            other => other,
        }
    }

    /// K-G6: a member says farewell.
    pub fn leave(&mut self, id: &Rc<str>, now: Time, out: &mut Outcome) {
        if self.members.remove(id).is_some() {
            self.lost_member("a member that left", now, out);
        }
    }

    fn lost_member(&mut self, why: &'static str, now: Time, out: &mut Outcome) {
        if self.leader.as_ref().is_some_and(|leader| !self.members.contains_key(leader)) {
            self.leader = None;
        }
        if matches!(self.state, State::Stable | State::Completing) {
            self.prepare(Nanos::ZERO, now, why, out);
        }
        self.try_complete(now, out);
    }

    /// Time passed: sessions end, waits are over.
    pub fn tick(&mut self, initial: Nanos, now: Time, out: &mut Outcome) {
        let silent = |member: &Member| member.join.is_none() && member.expires <= now;
        let gone: Vec<Rc<str>> =
            self.members.iter().filter(|(_, member)| silent(member)).map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.members.remove(&id);
            out.expired.push(id);
            self.lost_member("a member whose session ended", now, out);
        }
        if self.state != State::Preparing {
            return;
        }
        if let Some((at, joined)) = self.initial {
            let deadline = self.deadline.unwrap_or(at);
            if at <= now {
                // K-G2: each time someone joined during the wait it is as long again, up to the rebalance timeout.
                let longer = joined && now < deadline;
                self.initial = longer.then(|| ((now + initial).min(deadline), false));
            }
            self.try_complete(now, out);
        } else if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.complete(now, out);
        }
    }
}
