//! A consumer group as its coordinator keeps it (K-G7 to K-G9). Without a clock or a network of its own.

use super::migration::Classic;
use super::reconcile::{Standing, Target, step};
use super::target::{Counts, assign, preferred};
use super::{About, Heartbeat, HeartbeatAnswer, LEAVES, LEAVES_FOR_A_WHILE, Who};
use crate::config::{BrokerConfig, ServerAssignor};
use crate::error::Code;
use crate::image::Image;
use crate::layout::{Layout, Slot};
use crate::share::Pulse;
use sim::{Nanos, Time};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub node: u16,
    pub instance: Option<Rc<str>>,
    pub rebalance: Nanos,
    pub topics: Vec<u32>,
    pub assignor: Option<ServerAssignor>,
    pub epoch: i32,
    pub previous: i32,
    pub standing: Standing,
    /// What it may own.
    pub assigned: Vec<Slot>,
    /// What it has to give up, and others wait for.
    pub revoking: Vec<Slot>,
    /// What there is to know of it if it is a member by the classic protocol (K-G11).
    pub classic: Option<Classic>,
}

impl Member {
    pub(crate) fn new(node: u16, who: &Who) -> Member {
        Member {
            node,
            instance: who.instance.clone(),
            rebalance: Nanos::ZERO,
            topics: Vec::new(),
            assignor: None,
            epoch: 0,
            previous: -1,
            standing: Standing::Stable,
            assigned: Vec::new(),
            revoking: Vec::new(),
            classic: None,
        }
    }

    pub fn advance(&mut self, epoch: i32) {
        if epoch != self.epoch {
            self.previous = self.epoch;
            self.epoch = epoch;
        }
    }

    fn holds(&self, slot: Slot) -> bool {
        self.assigned.contains(&slot) || self.revoking.contains(&slot)
    }
}

/// What of a group survives its coordinator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub(crate) epoch: i32,
    pub(crate) target_epoch: i32,
    pub(crate) members: BTreeMap<Rc<str>, Member>,
    pub(crate) target: BTreeMap<Rc<str>, Vec<Slot>>,
    pub(crate) counts: Counts,
}

/// When a member has to have shown a sign of life, and to have given up what it has to.
#[derive(Copy, Clone, Debug)]
struct Deadlines {
    session: Time,
    rebalance: Option<Time>,
}

/// A consumer group.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConsumerGroup {
    pub state: Written,
    deadlines: BTreeMap<Rc<str>, Deadlines>,
}

/// What a sign of life led to.
#[derive(Debug)]
pub(crate) struct Beaten {
    pub answer: HeartbeatAnswer,
    /// A new target, at this epoch.
    pub assigned: Option<i32>,
    /// What the member is told to give up.
    pub revoked: usize,
    /// Members that came or left: the code of the mark, and the node.
    pub news: Option<(&'static str, u16)>,
}

/// What a coordinator knows when it looks at a group.
pub(super) struct Scene<'a> {
    pub layout: &'a Layout,
    pub image: &'a Image,
    pub now: Time,
    /// How the group keeps its members.
    pub pulse: Pulse,
}

impl Scene<'_> {
    pub fn broker(&self) -> &BrokerConfig {
        &self.layout.broker
    }

    /// As far as the metadata is read here.
    fn counts(&self, members: &BTreeMap<Rc<str>, Member>) -> Counts {
        let wanted = |topic: u32| members.values().any(|member| member.topics.contains(&topic));
        let count = |(place, topic): (u32, &crate::layout::Topic)| {
            if wanted(place) { self.image.count(topic) } else { 0 }
        };
        (0u32..).zip(&self.layout.topics).map(count).collect()
    }
}

impl ConsumerGroup {
    /// A group without members, at an epoch.
    pub fn begin(epoch: i32) -> ConsumerGroup {
        let state = Written { epoch, target_epoch: epoch, ..Written::default() };
        ConsumerGroup { state, deadlines: BTreeMap::new() }
    }

    /// Takes up what was written down, as a new coordinator: all sessions begin anew.
    pub fn load(written: &Written, session: Nanos, now: Time) -> ConsumerGroup {
        let deadline = |(id, member): (&Rc<str>, &Member)| {
            let revokes = member.standing == Standing::UnrevokedPartitions;
            let rebalance = revokes.then(|| now + member.rebalance);
            let session = member.classic.as_ref().map_or(session, |classic| classic.session);
            (id.clone(), Deadlines { session: now + session, rebalance })
        };
        ConsumerGroup { state: written.clone(), deadlines: written.members.iter().map(deadline).collect() }
    }

    pub fn state_name(&self) -> &'static str {
        let state = &self.state;
        let settled = |member: &Member| member.standing == Standing::Stable && member.epoch == state.target_epoch;
        match () {
            () if state.members.is_empty() => "Empty",
            () if state.epoch > state.target_epoch => "Assigning",
            () if !state.members.values().all(settled) => "Reconciling",
            () => "Stable",
        }
    }

    /// When the group has to be looked at next.
    pub fn next_time(&self) -> Option<Time> {
        self.deadlines.values().map(|it| it.rebalance.map_or(it.session, |at| at.min(it.session))).min()
    }

    pub(super) fn static_member(&self, instance: &Rc<str>) -> Option<Rc<str>> {
        let same = |(_, member): &(&Rc<str>, &Member)| member.instance.as_ref() == Some(instance);
        self.state.members.iter().find(same).map(|(id, _)| id.clone())
    }

    /// K-G9: whose sign of life this is. A new life of a static member takes the old one's place once that has left.
    fn find(&mut self, node: u16, beat: &Heartbeat) -> Result<bool, Code> {
        let who = &beat.who;
        let joins = beat.epoch == 0;
        if let Some(instance) = &who.instance {
            let old = self.static_member(instance).filter(|old| *old != who.id);
            match (old, joins) {
                (None, _) => {}
                (Some(_), false) => return Err(Code::FencedInstanceId),
                (Some(old), true) => {
                    self.take_place(&old, node, who)?;
                    return Ok(true);
                }
            }
        }
        let Some(member) = self.state.members.get_mut(&who.id) else {
            if !joins {
                return Err(Code::UnknownMemberId);
            }
            self.state.members.insert(who.id.clone(), Member::new(node, who));
            return Ok(true);
        };
        if joins {
            // Who joins again owns nothing, and is told all; one that was away for a while is back.
            let away = member.epoch == LEAVES_FOR_A_WHILE;
            if away {
                (member.epoch, member.previous) = (0, 0);
            }
            return Ok(away);
        }
        // An answer that was lost: what the member knows is one epoch old, and it owns nothing else.
        let within =
            |owned: &Vec<Slot>| member.previous == beat.epoch && owned.iter().all(|s| member.assigned.contains(s));
        let behind = beat.owned.as_ref().is_some_and(within);
        if beat.epoch > member.epoch || (beat.epoch < member.epoch && !behind) {
            return Err(Code::FencedMemberEpoch);
        }
        Ok(false)
    }

    fn take_place(&mut self, old: &Rc<str>, node: u16, who: &Who) -> Result<(), Code> {
        let state = &mut self.state;
        if state.members.get(old).is_some_and(|member| member.epoch != LEAVES_FOR_A_WHILE) {
            return Err(Code::UnreleasedInstanceId);
        }
        self.replace(old, node, who);
        Ok(())
    }

    /// A new life of a static member has what its old one had.
    pub(super) fn replace(&mut self, old: &Rc<str>, node: u16, who: &Who) {
        let state = &mut self.state;
        if let Some(member) = state.members.remove(old) {
            state.members.insert(who.id.clone(), Member { node, epoch: 0, previous: 0, classic: None, ..member });
        }
        if let Some(target) = state.target.remove(old) {
            state.target.insert(who.id.clone(), target);
        }
        self.deadlines.remove(old);
    }

    /// Takes down what a member says of itself, and takes it a step on its way. Answers the epoch of a new target.
    pub(super) fn take_in(
        &mut self,
        id: &Rc<str>,
        node: u16,
        about: Option<&About>,
        owned: Option<&[Slot]>,
        scene: &Scene<'_>,
    ) -> Option<i32> {
        let told = self.tell(id, node, about);
        let counts = scene.counts(&self.state.members);
        if told || counts != self.state.counts {
            self.state.epoch += 1;
            self.state.counts = counts;
        }
        let assigned = self.assign(scene);
        self.reconcile(id, owned);
        assigned
    }

    /// Until when a member has to do what it was told to, if it was.
    pub(super) fn waits(&self, id: &Rc<str>) -> Option<Time> {
        self.deadlines.get(id).and_then(|deadlines| deadlines.rebalance)
    }

    pub(super) fn wait_for(&mut self, id: &Rc<str>, session: Time, rebalance: Option<Time>) {
        self.deadlines.insert(id.clone(), Deadlines { session, rebalance });
    }

    /// Whether anybody has a partition.
    pub(super) fn is_held(&self, slot: Slot) -> bool {
        self.state.members.values().any(|member| member.holds(slot))
    }

    pub(super) fn heartbeat(&mut self, node: u16, beat: &Heartbeat, scene: &Scene<'_>) -> Result<Beaten, Code> {
        let interval = scene.pulse.interval;
        if beat.epoch == LEAVES || beat.epoch == LEAVES_FOR_A_WHILE {
            self.leave(&beat.who, beat.epoch)?;
            let answer = HeartbeatAnswer { epoch: beat.epoch, interval, assignment: None };
            return Ok(Beaten { answer, assigned: None, revoked: 0, news: Some(("member-left", node)) });
        }
        self.check_room(beat, scene.broker())?;
        let fresh = self.find(node, beat)?;
        let before = self.state.members.get(&beat.who.id).map(|member| member.assigned.clone()).unwrap_or_default();
        let was = self.state.members.get(&beat.who.id).map(|member| member.standing);
        let assigned = self.take_in(&beat.who.id, node, beat.about.as_ref(), beat.owned.as_deref(), scene);
        self.prolong(&beat.who.id, was, scene);
        let member = self.state.members.get(&beat.who.id).ok_or(Code::UnknownMemberId)?;
        let tell = fresh || beat.about.is_some() || member.assigned != before;
        let assignment = tell.then(|| member.assigned.clone());
        let answer = HeartbeatAnswer { epoch: member.epoch, interval, assignment };
        let begins = member.standing == Standing::UnrevokedPartitions && member.assigned != before;
        let revoked = if begins { member.revoking.len() } else { 0 };
        Ok(Beaten { answer, assigned, revoked, news: fresh.then_some(("member-joined", node)) })
    }

    fn check_room(&self, beat: &Heartbeat, broker: &BrokerConfig) -> Result<(), Code> {
        let known = self.state.members.contains_key(&beat.who.id)
            || beat.who.instance.as_ref().is_some_and(|instance| self.static_member(instance).is_some());
        if !known && self.state.members.len() as i64 >= broker.group_consumer_max_size {
            return Err(Code::GroupMaxSizeReached);
        }
        let asked = beat.about.as_ref().and_then(|about| about.assignor);
        match asked {
            Some(one) if !broker.group_consumer_assignors.list().contains(&one) => Err(Code::UnsupportedAssignor),
            _ => Ok(()),
        }
    }

    /// Takes down what a member says about itself. True if that is new.
    fn tell(&mut self, id: &Rc<str>, node: u16, about: Option<&About>) -> bool {
        let Some((member, about)) = self.state.members.get_mut(id).zip(about) else { return false };
        let new = member.topics != about.topics || member.assignor != about.assignor;
        member.node = node;
        member.rebalance = about.rebalance;
        member.topics.clone_from(&about.topics);
        member.assignor = about.assignor;
        new
    }

    /// K-G7: a new epoch needs a new target.
    fn assign(&mut self, scene: &Scene<'_>) -> Option<i32> {
        let state = &mut self.state;
        if state.epoch <= state.target_epoch {
            return None;
        }
        let assignor = preferred(&state.members, scene.broker().group_consumer_assignors.list());
        state.target = assign(&state.members, &state.target, &state.counts, assignor, scene.layout);
        state.target_epoch = state.epoch;
        Some(state.epoch)
    }

    fn reconcile(&mut self, id: &Rc<str>, owned: Option<&[Slot]>) {
        let state = &mut self.state;
        let Some(mut member) = state.members.get(id).cloned() else { return };
        let slots = state.target.get(id).map_or(&[][..], Vec::as_slice);
        let target = Target { epoch: state.target_epoch, slots };
        let taken = |slot: Slot| state.members.values().any(|member| member.holds(slot));
        step(&mut member, &target, owned, &taken);
        state.members.insert(id.clone(), member);
    }

    fn prolong(&mut self, id: &Rc<str>, was: Option<Standing>, scene: &Scene<'_>) {
        let Some(member) = self.state.members.get(id) else { return };
        let session = scene.now + scene.pulse.session;
        let before = self.deadlines.get(id).and_then(|deadlines| deadlines.rebalance);
        let rebalance = (member.standing == Standing::UnrevokedPartitions).then(|| match before {
            Some(at) if was == Some(Standing::UnrevokedPartitions) => at,
            _ => scene.now + member.rebalance,
        });
        self.deadlines.insert(id.clone(), Deadlines { session, rebalance });
    }

    /// K-G9: a member leaves; a static one may only be away for a while.
    fn leave(&mut self, who: &Who, epoch: i32) -> Result<(), Code> {
        if let Some(instance) = &who.instance {
            match self.static_member(instance) {
                None => return Err(Code::UnknownMemberId),
                Some(id) if id != who.id => return Err(Code::FencedInstanceId),
                Some(_) => {}
            }
        }
        let member = self.state.members.get_mut(&who.id).ok_or(Code::UnknownMemberId)?;
        if epoch == LEAVES_FOR_A_WHILE && member.instance.is_some() {
            member.epoch = LEAVES_FOR_A_WHILE;
            member.revoking.clear();
            if let Some(deadlines) = self.deadlines.get_mut(&who.id) {
                deadlines.rebalance = None;
            }
        } else {
            self.remove(&who.id);
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, id: &Rc<str>) -> Option<Member> {
        self.deadlines.remove(id);
        self.state.target.remove(id);
        let member = self.state.members.remove(id)?;
        self.state.epoch += 1;
        Some(member)
    }

    /// Time passed: who was silent, or did not give up what it had to, is put out. Answers their nodes, and why.
    pub fn tick(&mut self, now: Time) -> Vec<(u16, &'static str)> {
        let why = |it: &Deadlines| match it.rebalance {
            _ if it.session <= now => Some("member-expired"),
            Some(at) if at <= now => Some("member-fenced"),
            _ => None,
        };
        let due: Vec<(Rc<str>, &'static str)> =
            self.deadlines.iter().filter_map(|(id, it)| why(it).map(|why| (id.clone(), why))).collect();
        due.into_iter().filter_map(|(id, why)| self.remove(&id).map(|member| (member.node, why))).collect()
    }

    /// Whether a member may commit with this epoch.
    pub fn may_commit(&self, who: &Who, epoch: i32) -> Result<(), Code> {
        let member = self.state.members.get(&who.id).ok_or(Code::UnknownMemberId)?;
        match &member.classic {
            _ if member.epoch == epoch => Ok(()),
            Some(_) => Err(Code::IllegalGeneration),
            None => Err(Code::StaleMemberEpoch),
        }
    }
}
