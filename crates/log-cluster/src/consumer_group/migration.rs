//! Members of the classic protocol in a consumer group, and groups that go from one protocol to the other while they
//! have members (K-G11).

use super::group::{Beaten, ConsumerGroup, Member, Scene};
use super::reconcile::Standing;
use super::{About, HeartbeatAnswer, Who};
use crate::broker::{Broker, Fx};
use crate::config::{Strategies, Strategy};
use crate::coordinator::Then;
use crate::error::Code;
use crate::group::{Group, Kind, Member as ClassicMember, Outcome, State, Subscription};
use crate::layout::Slot;
use crate::rpc::{GroupRequest, GroupResponse, Join, Joined, Ticket};
use sim::story::{MarkKind, Rule};
use sim::{Nanos, Time};
use std::rc::Rc;

/// What a consumer group knows of a member of the classic protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Classic {
    /// `session.timeout.ms`.
    pub session: Nanos,
    pub strategies: Strategies,
}

impl ConsumerGroup {
    /// Takes in a member with what it has.
    fn adopt(&mut self, id: Rc<str>, member: Member, now: Time) {
        let session = now + member.classic.as_ref().map_or(Nanos::ZERO, |classic| classic.session);
        self.state.target.insert(id.clone(), member.assigned.clone());
        self.wait_for(&id, session, None);
        self.state.members.insert(id, member);
    }

    /// Whether all members are of the classic protocol, and there are any.
    fn is_classic(&self) -> bool {
        let members = &self.state.members;
        !members.is_empty() && members.values().all(|member| member.classic.is_some())
    }

    /// A member joins, or joins again, by the classic protocol: the coordinator assigns all the same.
    fn join(&mut self, node: u16, join: &Join, scene: &Scene<'_>) -> Result<Beaten, Code> {
        let subscription = &join.subscription;
        let who = Who { id: join.member.clone(), instance: subscription.instance.clone() };
        let others = || self.state.members.iter().filter(|(id, _)| **id != who.id);
        let lists = || others().filter_map(|(_, member)| member.classic.as_ref()).map(|it| it.strategies.list());
        let common = |one: &Strategy| lists().all(|list| list.contains(one));
        if !subscription.strategies.list().iter().any(common) {
            return Err(Code::InconsistentGroupProtocol);
        }
        let old = who.instance.as_ref().and_then(|instance| self.static_member(instance)).filter(|old| *old != who.id);
        let fresh = join.fresh;
        let new = old.is_none() && !self.state.members.contains_key(&who.id);
        if new {
            if self.state.members.len() as i64 >= scene.broker().group_consumer_max_size {
                return Err(Code::GroupMaxSizeReached);
            }
            if fresh && who.instance.is_none() {
                // K-G2
                return Err(Code::MemberIdRequired);
            }
            self.state.members.insert(who.id.clone(), Member::new(node, &who));
        }
        match old {
            Some(_) if !fresh => return Err(Code::FencedInstanceId),
            Some(old) => self.replace(&old, node, &who),
            None => {}
        }
        if let Some(member) = self.state.members.get_mut(&who.id) {
            let strategies = subscription.strategies.clone();
            member.classic = Some(Classic { session: join.session, strategies });
        }
        let about = About { rebalance: join.rebalance, topics: subscription.topics.clone(), assignor: None };
        // An eager member has given up all it had.
        let owned = if subscription.strategies.is_cooperative() { &subscription.owned[..] } else { &[] };
        let assigned = self.take_in(&who.id, node, Some(&about), Some(owned), scene);
        self.wait_for(&who.id, scene.now + join.session, Some(scene.now + join.rebalance));
        let member = self.state.members.get(&who.id).ok_or(Code::UnknownMemberId)?;
        let answer = HeartbeatAnswer { epoch: member.epoch, interval: Nanos::ZERO, assignment: None };
        Ok(Beaten { answer, assigned, revoked: 0, news: (new || fresh).then_some(("member-joined", node)) })
    }

    /// A member of the classic protocol, if it may have its say; its session goes on.
    fn member(&mut self, who: &Who, generation: i32, now: Time) -> Result<Member, Code> {
        let other = who.instance.as_ref().and_then(|instance| self.static_member(instance));
        if other.is_some_and(|id| id != who.id) {
            return Err(Code::FencedInstanceId);
        }
        let member = self.state.members.get(&who.id).cloned().ok_or(Code::UnknownMemberId)?;
        let session = member.classic.as_ref().ok_or(Code::UnknownMemberId)?.session;
        if member.epoch != generation {
            return Err(Code::IllegalGeneration);
        }
        let waits = self.waits(&who.id);
        self.wait_for(&who.id, now + session, waits);
        Ok(member)
    }

    /// It has to join again; if it does not in time, it is put out.
    fn recall(&mut self, who: &Who, member: &Member, now: Time) -> Code {
        let session = now + member.classic.as_ref().map_or(Nanos::ZERO, |classic| classic.session);
        let until = self.waits(&who.id).unwrap_or(now + member.rebalance);
        self.wait_for(&who.id, session, Some(until));
        Code::RebalanceInProgress
    }

    fn sync(&mut self, who: &Who, generation: i32, now: Time) -> Result<Vec<Slot>, Code> {
        let member = self.member(who, generation, now)?;
        if self.state.epoch > member.epoch && member.standing != Standing::UnrevokedPartitions {
            return Err(self.recall(who, &member, now));
        }
        let session = member.classic.as_ref().map_or(Nanos::ZERO, |classic| classic.session);
        self.wait_for(&who.id, now + session, None);
        Ok(member.assigned)
    }

    fn beat(&mut self, who: &Who, generation: i32, now: Time) -> Result<(), Code> {
        let member = self.member(who, generation, now)?;
        let target = self.state.target.get(&who.id).map_or(&[][..], Vec::as_slice);
        let mut missing = target.iter().filter(|slot| !member.assigned.contains(slot));
        let released = missing.all(|slot| !self.is_held(*slot));
        let again = member.epoch < self.state.epoch
            || member.standing == Standing::UnrevokedPartitions
            || (member.standing == Standing::UnreleasedPartitions && released);
        if again { Err(self.recall(who, &member, now)) } else { Ok(()) }
    }
}

impl Broker {
    /// Handles what members of the classic protocol ask of a consumer group; gives back what is for others.
    pub(crate) fn classic_in_modern(
        &mut self,
        slot: Slot,
        id: &Rc<str>,
        (from, ticket): (u16, Ticket),
        request: GroupRequest,
        fx: &mut Fx<'_>,
    ) -> Option<GroupRequest> {
        let (layout, image) = (self.layout.clone(), self.image.clone());
        let pulse = layout.group_config(id).consumer_pulse(&layout.broker);
        let scene = Scene { layout: &layout, image: &image, now: fx.now(), pulse };
        let Some(Kind::Consumer(group)) = self.coordinator.groups.get_mut(id).map(|group| &mut group.kind) else {
            return Some(request);
        };
        if group.state.members.is_empty() {
            return Some(request);
        }
        let before = group.state.clone();
        let mut told = None;
        let answer = match &request {
            GroupRequest::Join(join) => {
                let beaten = group.join(from, join, &scene);
                let strategy = join.subscription.strategies.list().first().copied().unwrap_or(Strategy::Range);
                let joined = beaten.map(|beaten| {
                    let generation = beaten.answer.epoch;
                    told = Some(beaten);
                    Box::new(Joined { generation, strategy, members: Vec::new(), leads: false })
                });
                GroupResponse::Joined(joined)
            }
            GroupRequest::Sync(who, generation, _) => GroupResponse::Synced(group.sync(who, *generation, scene.now)),
            GroupRequest::Heartbeat(who, generation) => GroupResponse::Beat(group.beat(who, *generation, scene.now)),
            GroupRequest::Leave(who) => {
                if group.remove(&who.id).is_some() {
                    let values = vec![id.to_string(), layout.name(from)];
                    fx.mark(MarkKind::Change, "member-left", values, Rule("K-G6"));
                }
                GroupResponse::Left
            }
            _ => return Some(request),
        };
        match self.write_consumer_group(slot, id, before, fx) {
            Ok(required) => {
                told.into_iter().for_each(|beaten| self.tell_beaten(id, from, &beaten, fx));
                match required.or(self.coordinator.last_write(slot)) {
                    Some(required) => self.await_write(slot, required, Then::Answer(from, ticket, answer), fx),
                    None => self.answer_group(from, ticket, answer, fx),
                }
            }
            Err(code) => self.answer_group(from, ticket, answer.refused(code), fx),
        }
        self.arm_group(id, fx);
        None
    }

    /// K-G11: a classic group with members becomes a consumer group, if that is allowed.
    pub(crate) fn upgrade_group(&mut self, id: &Rc<str>, now: Time) -> Result<Outcome, Code> {
        let broker = &self.layout.broker;
        let group = self.coordinator.groups.get_mut(id).ok_or(Code::GroupIdNotFound)?;
        let fits = group.members.len() as i64 <= broker.group_consumer_max_size;
        if !broker.group_consumer_migration_policy.upgrades() || !fits {
            return Err(Code::GroupIdNotFound);
        }
        let mut out = Outcome::default();
        group.upgrade(now, &mut out);
        Ok(out)
    }

    /// K-G11: once the last member of the consumer protocol is gone, the others' group is a classic one again. `epoch`
    /// is the group's before that.
    pub(crate) fn downgrade_group(&mut self, slot: Slot, id: &Rc<str>, epoch: i32, fx: &mut Fx<'_>) -> bool {
        let broker = &self.layout.broker;
        let (allowed, most) = (broker.group_consumer_migration_policy.downgrades(), broker.group_max_size);
        let Some(group) = self.coordinator.groups.get_mut(id) else { return false };
        let Kind::Consumer(modern) = &group.kind else { return false };
        if !allowed || !modern.is_classic() || modern.state.members.len() as i64 > most {
            return false;
        }
        let mut out = Outcome::default();
        group.downgrade(epoch, fx.now(), &mut out);
        self.tell_conversion(id, "consumer", "classic", fx);
        self.carry_out(slot, id, out, fx);
        true
    }

    pub(crate) fn tell_conversion(&self, id: &Rc<str>, from: &str, to: &str, fx: &mut Fx<'_>) {
        let values = vec![id.to_string(), from.to_owned(), to.to_owned()];
        fx.mark(MarkKind::Change, "group-converted", values, Rule("K-G11"));
    }
}

impl Group {
    /// Each member goes on with what it has, at the epoch that its generation was; who waits for a generation has to
    /// join again.
    fn upgrade(&mut self, now: Time, out: &mut Outcome) {
        let mut group = ConsumerGroup::begin(self.generation);
        let again = Code::RebalanceInProgress;
        for (id, mut member) in std::mem::take(&mut self.members) {
            if let Some(ticket) = member.join.take() {
                out.answers.push((member.node, ticket, GroupResponse::Joined(Err(again))));
            }
            if let Some(ticket) = member.sync.take() {
                out.answers.push((member.node, ticket, GroupResponse::Synced(Err(again))));
            }
            let Subscription { instance, strategies, topics, .. } = member.subscription;
            let modern = Member {
                rebalance: member.rebalance,
                topics,
                epoch: self.generation,
                previous: self.generation,
                assigned: member.share,
                classic: Some(Classic { session: member.session, strategies }),
                ..Member::new(member.node, &Who { id: id.clone(), instance })
            };
            group.adopt(id, modern, now);
        }
        self.kind = Kind::Consumer(Box::new(group));
    }

    /// The members are all of the classic protocol; they have to join again.
    fn downgrade(&mut self, generation: i32, now: Time, out: &mut Outcome) {
        let Kind::Consumer(group) = std::mem::take(&mut self.kind) else { return };
        for (id, member) in group.state.members {
            let Some(Classic { session, strategies }) = member.classic else { continue };
            let subscription = Subscription {
                instance: member.instance,
                strategies,
                topics: member.topics,
                owned: member.assigned.clone(),
                generation: member.epoch,
                rack: None,
            };
            let (node, rebalance, share) = (member.node, member.rebalance, member.assigned);
            let expires = now + session;
            let member =
                ClassicMember { node, session, rebalance, subscription, share, join: None, sync: None, expires };
            self.members.insert(id, member);
        }
        self.generation = generation;
        self.leader = self.members.keys().next().cloned();
        self.state = State::Stable;
        out.write = true;
        self.prepare(Nanos::ZERO, now, "the last member of the consumer protocol is gone", out);
    }
}
