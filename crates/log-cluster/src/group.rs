//! A consumer group as its coordinator keeps it, by the classic protocol (K-G2 to K-G6).
//!
//! A state machine without a clock or a network of its own: the coordinator gives it requests and the time, and sends
//! what it answers.

use crate::config::{Strategies, Strategy};
use crate::consumer_group::{ConsumerGroup, Who};
use crate::error::Code;
use crate::layout::{Layout, Slot, java_hash};
use crate::rpc::{GroupResponse, Join, Joined, Ticket};
use crate::share::ShareGroup;
use crate::view::GroupMemberView;
use sim::{Nanos, NodeId, Time};
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a member tells the group's leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// `group.instance.id`, if it is a static member (K-G6).
    pub instance: Option<Rc<str>>,
    /// How it wants partitions shared out.
    pub strategies: Strategies,
    /// Topics, by their places among all topics.
    pub topics: Vec<u32>,
    /// What it owned when it asked.
    pub owned: Vec<Slot>,
    /// In which generation it owned that; -1 for none.
    pub generation: i32,
    /// `client.rack`, if it has one (K-S1).
    pub rack: Option<Rc<str>>,
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
    pub session: Nanos,
    pub rebalance: Nanos,
    pub subscription: Subscription,
    pub share: Vec<Slot>,
    pub join: Option<Ticket>,
    pub sync: Option<Ticket>,
    pub expires: Time,
}

/// How a group is kept together. All types lie side by side; the offsets are the same for each.
#[derive(Clone, Debug, Default)]
pub(crate) enum Kind {
    /// As the fields of [`Group`] have it.
    #[default]
    Classic,
    /// By the consumer protocol (K-G7).
    Consumer(Box<ConsumerGroup>),
    /// A share group (K-H1).
    Share(Box<ShareGroup>),
}

/// What a group wants done.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub answers: Vec<(u16, Ticket, GroupResponse)>,
    /// A rebalance began: why.
    pub began: Option<&'static str>,
    /// A generation began.
    pub formed: bool,
    /// A static member's new life has taken its old one's place (K-G6).
    pub returned: Option<u16>,
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
    /// Ids that were told to members that have not joined with them yet, and when they are forgotten (K-G2).
    pending: BTreeMap<Rc<str>, Time>,
    pub leader: Option<Rc<str>>,
    /// K-G2: when an empty group's first wait is over, and whether someone joined during it.
    initial: Option<(Time, bool)>,
    /// When those that have not joined are left out.
    deadline: Option<Time>,
    pub offsets: BTreeMap<Slot, u64>,
    /// K-O3: when each of them was committed, when the group became empty, and when that is looked at next.
    pub committed_at: BTreeMap<Slot, Time>,
    pub empty_since: Option<Time>,
    pub expiry_check: Option<Time>,
    pub kind: Kind,
    writing: bool,
}

impl Group {
    pub fn state_name(&self) -> &'static str {
        match &self.kind {
            Kind::Classic => {}
            Kind::Consumer(group) => return group.state_name(),
            Kind::Share(group) => return group.state_name(),
        }
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
        let modern = match &self.kind {
            Kind::Classic => None,
            Kind::Consumer(group) => group.next_time(),
            Kind::Share(group) => group.next_time(),
        };
        sessions.chain(waits).chain(modern).chain(self.expiry_check).chain(self.pending.values().copied()).min()
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
        self.kind = Kind::Classic;
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
        match self.take_place(node, &join, out) {
            Err(code) => return out.answers.push((node, ticket, GroupResponse::Joined(Err(code)))),
            Ok(Some(same)) => {
                if self.state == State::Stable && same {
                    // K-G6: it goes on with the share of its old life, and nobody else notices.
                    out.write = true;
                    out.returned = Some(node);
                    let mut joined = self.joined(&join.member);
                    (joined.leads, joined.members) = (false, Vec::new());
                    if let Some(member) = self.members.get_mut(&join.member) {
                        member.expires = now + member.session;
                    }
                    return out.answers.push((node, ticket, GroupResponse::Joined(Ok(Box::new(joined)))));
                }
                if matches!(self.state, State::Stable | State::Completing) {
                    self.prepare(initial, now, "a static member that is back", out);
                }
            }
            Ok(None) => {
                if let Err(code) = self.admit(&join, now) {
                    return out.answers.push((node, ticket, GroupResponse::Joined(Err(code))));
                }
            }
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

    /// K-G2: a dynamic member is told an id, and joins again with that; nobody else joins with an id that is not known.
    /// A rebalance waits for who has been told one, as long as its session would be.
    fn admit(&mut self, join: &Join, now: Time) -> Result<(), Code> {
        let known = self.members.contains_key(&join.member) || self.pending.remove(&join.member).is_some();
        match join.subscription.instance {
            _ if known => Ok(()),
            None if join.fresh => {
                self.pending.insert(join.member.clone(), now + join.session);
                Err(Code::MemberIdRequired)
            }
            Some(_) if join.fresh => Ok(()),
            _ => Err(Code::UnknownMemberId),
        }
    }

    /// What stands against a member's joining: a strategy that all support has to exist (K-G5), a static member's
    /// later life (K-G6). Tells whether the member takes its old life's place, and wants what that wanted.
    fn take_place(&mut self, node: u16, join: &Join, out: &mut Outcome) -> Result<Option<bool>, Code> {
        let old = join.subscription.instance.as_ref().and_then(|instance| self.static_member(instance));
        let old = old.filter(|old| *old != join.member);
        if old.is_some() && !join.fresh {
            return Err(Code::FencedInstanceId);
        }
        let others = || self.members.iter().filter(|(id, _)| **id != join.member && Some(*id) != old.as_ref());
        let common = |one: &Strategy| others().all(|(_, m)| m.subscription.strategies.list().contains(one));
        if !join.subscription.strategies.list().iter().any(common) {
            return Err(Code::InconsistentGroupProtocol);
        }
        let Some((old, mut member)) = old.and_then(|old| self.members.remove_entry(&old)) else { return Ok(None) };
        if let Some(ticket) = member.join.take() {
            out.answers.push((member.node, ticket, GroupResponse::Joined(Err(Code::FencedInstanceId))));
        }
        if let Some(ticket) = member.sync.take() {
            out.answers.push((member.node, ticket, GroupResponse::Synced(Err(Code::FencedInstanceId))));
        }
        if self.leader.as_ref() == Some(&old) {
            self.leader = Some(join.member.clone());
        }
        let (was, is) = (&member.subscription, &join.subscription);
        let same = was.strategies == is.strategies && was.topics == is.topics;
        let (session, rebalance) = (join.session, join.rebalance);
        let member = Member { node, session, rebalance, subscription: is.clone(), ..member };
        self.members.insert(join.member.clone(), member);
        Ok(Some(same))
    }

    fn static_member(&self, instance: &Rc<str>) -> Option<Rc<str>> {
        let same = |(_, member): &(&Rc<str>, &Member)| member.subscription.instance.as_ref() == Some(instance);
        self.members.iter().find(same).map(|(id, _)| id.clone())
    }

    /// K-G5: of the strategies that all support the one with the most votes; each member votes for the first in its
    /// list. Of those with as many votes the first in Kafka's hash map of them.
    fn strategy(&self) -> Strategy {
        let lists = || self.members.values().map(|member| member.subscription.strategies.list());
        let common = |one: &&Strategy| lists().all(|list| list.contains(one));
        let votes = |one: Strategy| lists().filter(|list| list.iter().find(common) == Some(&one)).count();
        let bin = |one: Strategy| {
            let hash = java_hash(&crate::settings::SettingValue::write(&one)).cast_unsigned();
            (hash ^ (hash >> 16)) & 15
        };
        let first = lists().next().unwrap_or_default().iter().copied();
        let best = first.filter(|one| common(&one)).max_by_key(|one| (votes(*one), 15 - bin(*one)));
        best.unwrap_or(Strategy::Range)
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
        Joined { generation: self.generation, strategy: self.strategy(), members, leads }
    }

    /// K-G2: a rebalance begins.
    pub fn prepare(&mut self, initial: Nanos, now: Time, why: &'static str, out: &mut Outcome) {
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
        if self.state == State::Preparing && all_in && self.pending.is_empty() && self.initial.is_none() {
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

    /// A sign of life, of a member that still has its say.
    pub fn check(&mut self, who: &Who, generation: i32, now: Time) -> Result<(), Code> {
        let state = self.state;
        let current = self.generation;
        // K-G6: a later life has taken its place.
        if who.instance.as_ref().and_then(|instance| self.static_member(instance)).is_some_and(|id| id != who.id) {
            return Err(Code::FencedInstanceId);
        }
        let member = self.members.get_mut(&who.id).ok_or(Code::UnknownMemberId)?;
        // K-G4: a generation that is over has no say.
        if generation != current {
            return Err(Code::IllegalGeneration);
        }
        member.expires = now + member.session;
        if state == State::Preparing { Err(Code::RebalanceInProgress) } else { Ok(()) }
    }

    pub fn sync(&mut self, node: u16, ticket: Ticket, request: (Who, i32, Shares), now: Time, out: &mut Outcome) {
        let (who, generation, shares) = request;
        if let Err(code) = self.check(&who, generation, now) {
            return out.answers.push((node, ticket, GroupResponse::Synced(Err(code))));
        }
        let id = who.id;
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

    /// Whether a member may commit now.
    pub fn may_commit(&mut self, who: &Who, generation: i32, now: Time) -> Result<(), Code> {
        if let Kind::Consumer(group) = &self.kind {
            return group.may_commit(who, generation);
        }
        match self.check(who, generation, now) {
            // A member that is about to join again commits what it did before.
            Err(Code::RebalanceInProgress) => Ok(()),
            Ok(()) if self.state == State::Completing => Err(Code::RebalanceInProgress),
            other => other,
        }
    }

    /// K-G6: a member says farewell.
    pub fn leave(&mut self, id: &Rc<str>, now: Time, out: &mut Outcome) {
        if self.pending.remove(id).is_some() {
            self.try_complete(now, out);
        }
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
        self.pending.retain(|_, forgotten| *forgotten > now);
        if self.state != State::Preparing {
            return;
        }
        if let Some((at, joined)) = self.initial {
            let deadline = self.deadline.unwrap_or(at);
            if at <= now {
                // K-G2: each time someone joined during the wait it is as long again, up to the rebalance timeout.
                let longer = joined && now < deadline;
                self.initial = longer.then(|| ((now + initial).min(deadline), false));
                if !longer {
                    self.complete(now, out);
                }
            }
        } else if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.complete(now, out);
        } else {
            self.try_complete(now, out);
        }
    }

    /// Whether one more may join: `group.max.size`.
    pub fn has_room(&self, join: &Join, most: i64) -> bool {
        let back = join.subscription.instance.as_ref().is_some_and(|instance| self.static_member(instance).is_some());
        back || self.members.contains_key(&join.member) || (self.members.len() as i64) < most
    }

    /// classic, consumer or share.
    pub fn protocol_name(&self) -> &'static str {
        match self.kind {
            Kind::Classic => "classic",
            Kind::Consumer(_) => "consumer",
            Kind::Share(_) => "share",
        }
    }

    /// The generation, or the epoch.
    pub fn number(&self) -> i32 {
        match &self.kind {
            Kind::Classic => self.generation,
            Kind::Consumer(group) => group.state.epoch,
            Kind::Share(group) => group.state.epoch,
        }
    }

    /// The topics that somebody subscribed to; `None` without members.
    pub fn subscribed(&self) -> Option<Vec<u32>> {
        let topics: Vec<&[u32]> = match &self.kind {
            Kind::Classic => self.members.values().map(|member| &member.subscription.topics[..]).collect(),
            Kind::Consumer(group) => group.state.members.values().map(|member| &member.topics[..]).collect(),
            Kind::Share(group) => group.state.members.values().map(|member| &member.topics[..]).collect(),
        };
        if topics.is_empty() { None } else { Some(topics.concat()) }
    }

    /// The members, for those who look on.
    pub fn member_views(&self, layout: &Layout) -> Vec<GroupMemberView> {
        let parts = |slots: &[Slot]| -> Vec<(u32, u32)> {
            let part = |slot: &Slot| {
                let topic = layout.slots[*slot as usize];
                (topic, slot - layout.topics[topic as usize].first)
            };
            slots.iter().map(part).collect()
        };
        if let Kind::Consumer(group) = &self.kind {
            let view = |member: &crate::consumer_group::Member| GroupMemberView {
                node: NodeId(member.node),
                instance: member.instance.as_ref().map(ToString::to_string),
                epoch: member.epoch,
                state: member.standing.name(),
                assigned: parts(&member.assigned),
                revoking: parts(&member.revoking),
            };
            return group.state.members.values().map(view).collect();
        }
        if let Kind::Share(group) = &self.kind {
            let view = |member: &crate::share::ShareGroupMember| GroupMemberView {
                node: NodeId(member.node),
                instance: None,
                epoch: member.epoch,
                state: "Stable",
                assigned: parts(&member.assigned),
                revoking: Vec::new(),
            };
            return group.state.members.values().map(view).collect();
        }
        let view = |member: &Member| GroupMemberView {
            node: NodeId(member.node),
            instance: member.subscription.instance.as_ref().map(ToString::to_string),
            epoch: self.generation,
            state: match self.state {
                State::Preparing if member.join.is_some() => "Joining",
                State::Completing => "Syncing",
                _ => "Stable",
            },
            assigned: parts(&member.share),
            revoking: Vec::new(),
        };
        if self.state == State::Empty { Vec::new() } else { self.members.values().map(view).collect() }
    }
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
