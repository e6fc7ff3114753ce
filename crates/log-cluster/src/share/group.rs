//! A share group as its coordinator keeps it: members come and go, and each is given partitions at once; many may have
//! the same one (K-H1, K-S8). Without a clock or a network of its own.

use super::Pulse;
use crate::assignor::{Candidate, Part, java_order, share_simple};
use crate::consumer_group::{About, Heartbeat, HeartbeatAnswer, LEAVES};
use crate::error::Code;
use crate::image::Image;
use crate::layout::{Layout, Slot};
use sim::{Nanos, Time};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShareGroupMember {
    pub node: u16,
    pub topics: Vec<u32>,
    pub epoch: i32,
    previous: i32,
    pub assigned: Vec<Slot>,
}

/// What of a group survives its coordinator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShareWritten {
    pub(crate) epoch: i32,
    target_epoch: i32,
    pub(crate) members: BTreeMap<Rc<str>, ShareGroupMember>,
    target: BTreeMap<Rc<str>, Vec<Slot>>,
    counts: Vec<u32>,
}

/// A share group.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShareGroup {
    pub state: ShareWritten,
    sessions: BTreeMap<Rc<str>, Time>,
}

/// What a sign of life led to.
pub(super) struct Beaten {
    pub answer: HeartbeatAnswer,
    /// A new target, at this epoch.
    pub assigned: Option<i32>,
    /// A member that came or left: the mark's code.
    pub news: Option<&'static str>,
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
    /// Partitions of each topic that somebody wants, as far as the metadata is read here.
    fn counts(&self, members: &BTreeMap<Rc<str>, ShareGroupMember>) -> Vec<u32> {
        let wanted = |topic: u32| members.values().any(|member| member.topics.contains(&topic));
        let count = |(place, topic): (u32, &crate::layout::Topic)| {
            let known = |number: &u32| self.image.partition(topic.first + number).is_some();
            if wanted(place) { (0..topic.partitions).take_while(known).count() as u32 } else { 0 }
        };
        (0u32..).zip(&self.layout.topics).map(count).collect()
    }
}

impl ShareGroup {
    /// A group without members, at an epoch.
    pub fn begin(epoch: i32) -> ShareGroup {
        let state = ShareWritten { epoch, target_epoch: epoch, ..ShareWritten::default() };
        ShareGroup { state, sessions: BTreeMap::new() }
    }

    /// Takes up what was written down, as a new coordinator: all sessions begin anew.
    pub fn load(written: &ShareWritten, session: Nanos, now: Time) -> ShareGroup {
        let sessions = written.members.keys().map(|id| (id.clone(), now + session)).collect();
        ShareGroup { state: written.clone(), sessions }
    }

    pub fn state_name(&self) -> &'static str {
        if self.state.members.is_empty() { "Empty" } else { "Stable" }
    }

    /// When the group has to be looked at next.
    pub fn next_time(&self) -> Option<Time> {
        self.sessions.values().min().copied()
    }

    pub(super) fn heartbeat(&mut self, node: u16, beat: &Heartbeat, scene: &Scene<'_>) -> Result<Beaten, Code> {
        let settings = &scene.layout.share;
        let interval = scene.pulse.interval;
        let id = &beat.who.id;
        if beat.epoch == LEAVES {
            self.remove(id).ok_or(Code::UnknownMemberId)?;
            let answer = HeartbeatAnswer { epoch: LEAVES, interval, assignment: None };
            return Ok(Beaten { answer, assigned: None, news: Some("member-left") });
        }
        let fresh = self.find(node, beat, settings.max_size)?;
        let told = self.tell(id, node, beat.about.as_ref());
        let counts = scene.counts(&self.state.members);
        if told || counts != self.state.counts {
            self.state.epoch += 1;
            self.state.counts = counts;
        }
        let assigned = (self.state.epoch > self.state.target_epoch).then(|| {
            self.state.target = assign(&self.state, scene.layout);
            self.state.target_epoch = self.state.epoch;
            self.state.epoch
        });
        self.sessions.insert(id.clone(), scene.now + scene.pulse.session);
        // Nobody has to give anything up first: a partition may be several members'.
        let target = self.state.target.get(id).cloned().unwrap_or_default();
        let epoch = self.state.target_epoch;
        let member = self.state.members.get_mut(id).ok_or(Code::UnknownMemberId)?;
        let changed = member.assigned != target;
        if member.epoch != epoch {
            (member.previous, member.epoch) = (member.epoch, epoch);
        }
        member.assigned = target;
        let assignment = (fresh || changed || beat.about.is_some()).then(|| member.assigned.clone());
        let answer = HeartbeatAnswer { epoch, interval, assignment };
        Ok(Beaten { answer, assigned, news: fresh.then_some("member-joined") })
    }

    /// Whose sign of life this is. True if the member is new.
    fn find(&mut self, node: u16, beat: &Heartbeat, most: i64) -> Result<bool, Code> {
        let joins = beat.epoch == 0;
        let Some(member) = self.state.members.get(&beat.who.id) else {
            if !joins {
                return Err(Code::UnknownMemberId);
            }
            if self.state.members.len() as i64 >= most {
                return Err(Code::GroupMaxSizeReached);
            }
            let member = ShareGroupMember { node, topics: Vec::new(), epoch: 0, previous: -1, assigned: Vec::new() };
            self.state.members.insert(beat.who.id.clone(), member);
            return Ok(true);
        };
        // An answer may have been lost: what the member knows is one epoch old then.
        let known = joins || beat.epoch == member.epoch || beat.epoch == member.previous;
        if known { Ok(false) } else { Err(Code::FencedMemberEpoch) }
    }

    /// Takes down what a member says about itself. True if that is new.
    fn tell(&mut self, id: &Rc<str>, node: u16, about: Option<&About>) -> bool {
        let Some((member, about)) = self.state.members.get_mut(id).zip(about) else { return false };
        let new = member.topics != about.topics;
        member.node = node;
        member.topics.clone_from(&about.topics);
        new
    }

    fn remove(&mut self, id: &Rc<str>) -> Option<ShareGroupMember> {
        self.sessions.remove(id);
        self.state.target.remove(id);
        let member = self.state.members.remove(id)?;
        self.state.epoch += 1;
        Some(member)
    }

    /// Time passed: who was silent is put out. Answers their nodes.
    pub fn tick(&mut self, now: Time) -> Vec<u16> {
        let due: Vec<Rc<str>> =
            self.sessions.iter().filter(|(_, ends)| **ends <= now).map(|(id, _)| id.clone()).collect();
        due.into_iter().filter_map(|id| self.remove(&id).map(|member| member.node)).collect()
    }
}

/// K-S8: shares all partitions out anew, from the last target.
fn assign(state: &ShareWritten, layout: &Layout) -> BTreeMap<Rc<str>, Vec<Slot>> {
    let part = |slot: &Slot| -> Part {
        let topic = layout.slots[*slot as usize];
        (topic, slot - layout.topics[topic as usize].first)
    };
    let candidate = |id: &Rc<str>| Candidate {
        id: id.to_string(),
        instance: None,
        topics: state.members.get(id).map_or_else(Vec::new, |member| member.topics.clone()),
        owned: state.target.get(id).map_or_else(Vec::new, |slots| slots.iter().map(part).collect()),
        generation: -1,
        rack: None,
    };
    // members are looked at in the order of a hash map of their ids, and so are partitions. Topics have no ids here:
    // the hash codes are consecutive ones.
    let ids: Vec<Rc<str>> = state.members.keys().cloned().collect();
    let candidates: Vec<Candidate> = java_order(&ids).into_iter().map(|at| candidate(&ids[at])).collect();
    let topics: Vec<u32> = (0..state.counts.len() as u32).collect();
    let shares = share_simple(&state.counts, &candidates, &topics, &topics);
    let sorted = |share: &Vec<Part>| {
        let slot = |(topic, partition): &Part| layout.topics[*topic as usize].first + partition;
        let mut slots: Vec<Slot> = share.iter().map(slot).collect();
        slots.sort_unstable();
        slots
    };
    candidates.iter().zip(&shares).map(|(one, share)| (one.id.as_str().into(), sorted(share))).collect()
}
