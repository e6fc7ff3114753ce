//! A consumer as a member of its group: the coordinator, joining, signs of life, leaving (K-G1 to K-G6, K-C4).

use crate::assignor::{Candidate, Part, Racks, assign, text_hash};
use crate::client::Fx;
use crate::config::millis;
use crate::consumer::{Asked, Consumer};
use crate::consumer_group::Modern;
use crate::error::Code;
use crate::group::Subscription;
use crate::layout::Slot;
use crate::retries::Rest;
use crate::rpc::{ClientWake, GroupRequest, GroupResponse, Join, Joined, Request, Wake};
use crate::view::MemberState;
use sim::story::{FlightKind, Look};
use sim::{NodeId, Time};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Of all topics how many partitions there are; of some the racks of their replicas, if the client has one itself.
pub(crate) type Counted = (Vec<u32>, Racks);

/// What a consumer knows of its group.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    pub state: MemberState,
    pub coordinator: Option<u16>,
    /// Of the searches for one.
    pub searches: Rest,
    pub id: Rc<str>,
    /// The coordinator knows the id (K-G2).
    pub named: bool,
    pub generation: i32,
    /// Counts the ids that it had.
    pub lives: u32,
    /// Tells the timers of one life from the next.
    pub life: u32,
    /// It has to join, or to join again.
    pub rejoin: bool,
    /// What the metadata had of the topics that it shared out as the leader.
    pub counted: Option<(Vec<u32>, Counted)>,
    /// The commit before joining was sent, or there was none to send.
    pub prepared: bool,
    /// Committed offsets are to be asked for.
    pub offsets_wanted: bool,
    /// Of asking for them.
    pub offsets_rest: Rest,
    /// What it was given last, for assignors that stick to it.
    pub last_share: Vec<Slot>,
    pub last_generation: i32,
    pub last_beat: Time,
    pub left: bool,
    /// What there is to know in a consumer group.
    pub modern: Modern,
}

impl Default for Membership {
    fn default() -> Self {
        Membership {
            state: MemberState::Unjoined,
            coordinator: None,
            searches: Rest::default(),
            id: "".into(),
            named: false,
            generation: -1,
            lives: 0,
            life: 0,
            rejoin: true,
            counted: None,
            prepared: false,
            offsets_wanted: false,
            offsets_rest: Rest::default(),
            last_share: Vec::new(),
            last_generation: -1,
            last_beat: Time::ZERO,
            left: false,
            modern: Modern::default(),
        }
    }
}

impl Consumer {
    /// A new member id, and the timers that go with it.
    pub(crate) fn start_life(&mut self, fx: &mut Fx<'_>) {
        let m = &mut self.membership;
        m.lives += 1;
        m.life = m.lives;
        m.id = format!("{}-{}", self.client.layout.name(fx.me().0), m.lives).into();
        m.named = false;
        m.last_beat = fx.now();
        let life = m.life;
        if self.is_modern() {
            self.start_modern_life(fx);
        } else {
            fx.wake_in(millis(self.config.heartbeat_interval_ms), Wake::Client(ClientWake::Heartbeat(life)));
        }
        fx.wake_in(millis(self.config.max_poll_interval_ms), Wake::Client(ClientWake::PollInterval(life)));
    }

    pub(crate) fn ask_group(&mut self, request: GroupRequest, asked: Asked, fx: &mut Fx<'_>) -> bool {
        let Some(coordinator) = self.membership.coordinator else { return false };
        let kind = match request {
            GroupRequest::Heartbeat(..) | GroupRequest::ConsumerHeartbeat(_) | GroupRequest::ShareHeartbeat(_) => {
                FlightKind::Heartbeat
            }
            _ => FlightKind::Control,
        };
        let request = Request::Group(self.group.clone(), request);
        self.client.ask(coordinator, request, asked, 120, Look::plain(kind), fx).is_some()
    }

    pub(crate) fn is_waiting(&self, what: fn(&Asked) -> bool) -> bool {
        self.client.all_waiting().any(what)
    }

    /// What `poll()` does for the membership first. False if it has to wait.
    pub(crate) fn keep_membership(&mut self, fx: &mut Fx<'_>) -> bool {
        if self.is_modern() {
            return self.keep_modern(fx);
        }
        let Some(coordinator) = self.membership.coordinator else {
            self.seek_coordinator(fx);
            // Without a coordinator a member goes on with what it has.
            return self.membership.state == MemberState::Stable && !self.membership.rejoin;
        };
        if !self.client.is_reachable(coordinator, fx) {
            self.client.want(coordinator, fx);
            return self.membership.state == MemberState::Stable && !self.membership.rejoin;
        }
        match self.membership.state {
            MemberState::Joining | MemberState::Syncing => false,
            MemberState::Stable if !self.membership.rejoin => true,
            MemberState::Stable | MemberState::Reconciling | MemberState::Unjoined => {
                self.join(fx);
                false
            }
        }
    }

    pub(crate) fn seek_coordinator(&mut self, fx: &mut Fx<'_>) {
        let rests = !self.membership.searches.is_over(fx.now());
        if rests || self.is_waiting(|asked| matches!(asked, Asked::Coordinator)) {
            return;
        }
        let layout = self.client.layout.clone();
        let start = fx.dice().below(u64::from(layout.brokers)) as usize;
        let mut brokers: Vec<NodeId> = layout.broker_nodes().collect();
        brokers.rotate_left(start);
        if let Some(broker) = brokers.into_iter().find(|broker| self.client.is_reachable(broker.0, fx)) {
            let request = Request::FindCoordinator(self.group.clone());
            self.client.ask(broker.0, request, Asked::Coordinator, 60, Look::plain(FlightKind::Control), fx);
        } else {
            self.client.refresh(fx);
        }
    }

    pub(crate) fn found_coordinator(&mut self, result: Result<u16, Code>, fx: &mut Fx<'_>) {
        match result {
            Ok(broker) => {
                self.membership.coordinator = Some(broker);
                self.membership.searches.succeeded();
                self.client.want(broker, fx);
            }
            Err(_) => {
                self.client.refresh(fx);
                self.membership.searches.failed(&self.client.waits, fx);
            }
        }
    }

    /// K-G3: joins. Before that it commits; without a cooperative assignor it gives up all it has.
    fn join(&mut self, fx: &mut Fx<'_>) {
        if !self.membership.prepared {
            self.membership.prepared = true;
            if self.commit(true, fx) {
                self.waits_for_commit = true;
                return;
            }
        }
        let strategies = self.config.partition_assignment_strategy.clone();
        if !strategies.is_cooperative() {
            self.assigned.clear();
        }
        let m = &self.membership;
        let remembers = strategies.remembers();
        let (owned, generation) = if remembers { (m.last_share.clone(), m.last_generation) } else { (Vec::new(), -1) };
        let instance = self.config.group_instance_id.as_deref().map(Rc::from);
        let rack = self.config.client_rack.as_deref().map(Rc::from);
        let topics = self.topics.clone();
        let subscription = Subscription { instance, strategies, topics, owned, generation, rack };
        let join = Join {
            member: m.id.clone(),
            fresh: if self.config.group_instance_id.is_some() { m.generation < 0 } else { !m.named },
            session: millis(self.config.session_timeout_ms),
            rebalance: millis(self.config.max_poll_interval_ms),
            subscription,
        };
        if self.ask_group(GroupRequest::Join(Box::new(join)), Asked::Join, fx) {
            self.membership.state = MemberState::Joining;
            self.membership.rejoin = false;
            self.membership.prepared = false;
        }
    }

    pub(crate) fn on_group(&mut self, asked: &Asked, response: GroupResponse, fx: &mut Fx<'_>) {
        match response {
            GroupResponse::Joined(Ok(joined)) => self.joined(*joined, fx),
            GroupResponse::Joined(Err(Code::MemberIdRequired)) => {
                // K-G2: it joins at once with the id that it was told; it is prepared for that already.
                let m = &mut self.membership;
                (m.state, m.named, m.prepared, m.rejoin) = (MemberState::Unjoined, true, true, true);
            }
            GroupResponse::Joined(Err(code)) | GroupResponse::Synced(Err(code)) => {
                self.membership.state = MemberState::Unjoined;
                self.refused(code, fx);
            }
            GroupResponse::Synced(Ok(share)) => self.take_share(share),
            GroupResponse::Beat(Ok(())) => self.membership.last_beat = fx.now(),
            GroupResponse::Beat(Err(code)) if self.is_behind(code) => {}
            GroupResponse::Beat(Err(code)) => {
                if code == Code::RebalanceInProgress {
                    self.membership.last_beat = fx.now();
                }
                self.refused(code, fx);
            }
            GroupResponse::ConsumerHeartbeat(result) => self.beaten(asked, result, fx),
            GroupResponse::Left => {
                if self.stopping {
                    fx.exit();
                }
            }
            GroupResponse::Offsets(Ok(offsets)) => {
                self.membership.offsets_rest.succeeded();
                self.take_offsets(offsets);
            }
            GroupResponse::Offsets(Err(code)) => {
                self.membership.offsets_wanted = true;
                self.membership.offsets_rest.failed(&self.client.waits, fx);
                self.refused(code, fx);
            }
            GroupResponse::Committed(result, offsets) => {
                match asked {
                    Asked::Commit(true) => self.waits_for_commit = false,
                    Asked::Revocation => self.revocation_committed(),
                    _ => {}
                }
                self.after_commit(result, &offsets, fx);
                self.hand_committed(result, &offsets, fx);
            }
        }
    }

    fn after_commit(&mut self, result: Result<(), Code>, offsets: &[(Slot, u64)], fx: &mut Fx<'_>) {
        self.settle_commit(result, offsets, fx);
        match result {
            Err(code) if self.is_behind(code) => {}
            Err(
                code
                @ (Code::UnknownMemberId | Code::IllegalGeneration | Code::NotCoordinator | Code::FencedInstanceId),
            ) => {
                self.refused(code, fx);
            }
            Err(Code::RebalanceInProgress) => self.membership.rejoin = true,
            Ok(()) | Err(_) => {}
        }
    }

    /// K-G4: what a coordinator says against a membership that is given up already does not count (AbstractCoordinator.java,
    /// generationUnchanged): a heartbeat and a commit may be refused one after the other.
    fn is_behind(&self, code: Code) -> bool {
        let given_up = !self.is_modern() && self.membership.generation < 0;
        given_up && matches!(code, Code::UnknownMemberId | Code::IllegalGeneration)
    }

    /// The coordinator said no.
    pub(crate) fn refused(&mut self, code: Code, fx: &mut Fx<'_>) {
        match code {
            Code::RebalanceInProgress => self.membership.rejoin = true,
            Code::UnknownMemberId | Code::FencedMemberEpoch if self.is_modern() => self.fenced(),
            Code::FencedInstanceId
            | Code::UnreleasedInstanceId
            | Code::InconsistentGroupProtocol
            | Code::GroupMaxSizeReached
            | Code::InvalidSessionTimeout
            | Code::GroupIdNotFound
            | Code::UnsupportedAssignor => {
                // There is no membership that could be given up in good order.
                self.membership.left = true;
                self.assigned.clear();
                self.fail(code.name(), fx);
                fx.exit();
            }
            Code::UnknownMemberId => self.lose_membership(fx),
            // The id is good: with another one the group would wait for this one to be gone.
            Code::IllegalGeneration => self.lose_generation(),
            Code::NotCoordinator | Code::CoordinatorNotAvailable => {
                self.membership.coordinator = None;
                self.try_later(fx);
            }
            _ => self.try_later(fx),
        }
    }

    /// The group went on without this member: what it had is someone else's, and it begins again.
    fn lose_membership(&mut self, fx: &mut Fx<'_>) {
        self.lose_generation();
        self.start_life(fx);
    }

    fn lose_generation(&mut self) {
        self.lose_partitions();
        let m = &mut self.membership;
        m.state = MemberState::Unjoined;
        m.generation = -1;
        m.rejoin = true;
        m.prepared = true;
        m.last_share.clear();
        m.last_generation = -1;
    }

    /// K-C4: an application that does not poll learns of it when it does.
    pub(crate) fn lose_partitions(&mut self) {
        self.lost = self.working || self.is_left_alone();
        if !self.lost {
            self.assigned.clear();
        }
    }

    /// K-G4: a generation begins; its leader shares the partitions out.
    fn joined(&mut self, joined: Joined, fx: &mut Fx<'_>) {
        self.membership.generation = joined.generation;
        self.membership.last_beat = fx.now();
        self.membership.state = MemberState::Syncing;
        let shares = if joined.leads { self.share_out(&joined) } else { Vec::new() };
        let counted = joined.leads.then(|| {
            let mut topics: Vec<u32> = joined.members.iter().flat_map(|(_, one)| one.topics.iter().copied()).collect();
            topics.sort_unstable();
            topics.dedup();
            let counted = self.counts(&topics);
            (topics, counted)
        });
        self.membership.counted = counted;
        let request = GroupRequest::Sync(self.who(), joined.generation, shares);
        if !self.ask_group(request, Asked::Sync, fx) {
            self.membership.state = MemberState::Unjoined;
        }
    }

    /// How many partitions the client knows of, of each topic, and where they are.
    fn counts(&self, topics: &[u32]) -> Counted {
        let counts = self.client.layout.topics.iter().map(|topic| self.client.image.count(topic)).collect();
        let racks = self.config.client_rack.as_ref().map(|_| topics.iter().map(|topic| self.racks(*topic)).collect());
        (counts, Racks(racks.unwrap_or_default()))
    }

    /// The racks of the replicas of each of a topic's partitions. Metadata does not have those of brokers that are down.
    fn racks(&self, topic: u32) -> Vec<BTreeSet<String>> {
        let (layout, image) = (&self.client.layout, &self.client.image);
        let topic = &layout.topics[topic as usize];
        let up = |broker: &u16| image.brokers.get(broker).is_some_and(|known| !known.fenced);
        let rack = |broker: &u16| layout.rack(*broker).filter(|_| up(broker)).unwrap_or_default();
        let racks = |slot| image.partition(slot).map(|state| state.replicas.iter().map(rack).collect());
        (topic.first..topic.first + image.count(topic)).map(|slot| racks(slot).unwrap_or_default()).collect()
    }

    /// K-T2: a leader that learns of more partitions than it shared out joins again; one with a rack also when replicas
    /// are in other racks than they were (K-S1). Topics that the metadata does not
    /// have yet are asked for again.
    pub(crate) fn metadata_came(&mut self, fx: &mut Fx<'_>) {
        let layout = self.client.layout.clone();
        if self.topics.iter().any(|topic| self.client.image.count(&layout.topics[*topic as usize]) == 0) {
            self.client.refresh(fx);
        }
        let counted = self.membership.counted.as_ref();
        if counted.is_some_and(|(topics, counted)| *counted != self.counts(topics)) {
            self.membership.rejoin = true;
        }
    }

    /// Runs the assignor over what the members said (K-S1 to K-S5).
    fn share_out(&self, joined: &Joined) -> Vec<(Rc<str>, Vec<Slot>)> {
        let layout = &self.client.layout;
        // Assignors name topics by their places in the order of the names.
        let mut order: Vec<u32> = (0..layout.topics.len() as u32).collect();
        order.sort_by(|a, b| layout.topics[*a as usize].name.cmp(&layout.topics[*b as usize].name));
        let place = |topic: u32| order.iter().position(|known| *known == topic).unwrap_or(0) as u32;
        let wanted = |topic: u32| joined.members.iter().any(|(_, subscription)| subscription.topics.contains(&topic));
        let image = &self.client.image;
        let count = |topic: &u32| if wanted(*topic) { image.count(&layout.topics[*topic as usize]) } else { 0 };
        let counts: Vec<u32> = order.iter().map(count).collect();
        let part = |slot: &Slot| -> Part {
            let topic = layout.slots[*slot as usize];
            (place(topic), slot - layout.topics[topic as usize].first)
        };
        let candidates: Vec<Candidate> = joined
            .members
            .iter()
            .map(|(id, subscription)| Candidate {
                id: id.to_string(),
                instance: subscription.instance.as_ref().map(ToString::to_string),
                topics: subscription.topics.iter().map(|topic| place(*topic)).collect(),
                owned: subscription.owned.iter().map(part).collect(),
                generation: subscription.generation,
                rack: subscription.rack.as_ref().map(ToString::to_string),
            })
            .collect();
        let racked = candidates.iter().any(|one| one.rack.is_some());
        let known = |topic: &u32| if racked && wanted(*topic) { self.racks(*topic) } else { Vec::new() };
        let racks = Racks(order.iter().map(known).collect());
        let hashes: Vec<u32> = order.iter().map(|topic| text_hash(&layout.topics[*topic as usize].name)).collect();
        let shares = assign(joined.strategy, &counts, &candidates, &racks, &hashes);
        let slot = |(topic, partition): &Part| layout.topics[order[*topic as usize] as usize].first + partition;
        let ids = joined.members.iter().map(|(id, _)| id.clone());
        ids.zip(shares.iter().map(|share| share.iter().map(slot).collect())).collect()
    }

    /// Takes up the share. What a cooperative member has to give up makes it join again (K-G3).
    fn take_share(&mut self, share: Vec<Slot>) {
        let before = self.assigned.len();
        self.assigned.retain(|slot, _| share.contains(slot));
        let gave_up = self.assigned.len() < before;
        for slot in &share {
            self.assigned.entry(*slot).or_default();
        }
        let m = &mut self.membership;
        m.last_generation = m.generation;
        m.last_share = share;
        m.state = MemberState::Stable;
        m.offsets_wanted = true;
        m.rejoin |= gave_up;
    }

    pub(crate) fn ask_for_offsets(&mut self, fx: &mut Fx<'_>) {
        let unknown: Vec<Slot> =
            self.assigned.iter().filter(|(_, assigned)| assigned.position.is_none()).map(|(slot, _)| *slot).collect();
        let rests = !self.membership.offsets_rest.is_over(fx.now());
        let asked = rests || self.is_waiting(|asked| matches!(asked, Asked::Offsets));
        if unknown.is_empty() || (!asked && self.ask_group(GroupRequest::OffsetFetch(unknown), Asked::Offsets, fx)) {
            self.membership.offsets_wanted = false;
        }
    }

    /// K-G3: a sign of life every `heartbeat.interval.ms`, from a thread of its own.
    pub(crate) fn heartbeat_due(&mut self, life: u32, fx: &mut Fx<'_>) {
        if life != self.membership.life || self.stopping {
            return;
        }
        if self.is_modern() {
            return self.modern_heartbeat_due(fx);
        }
        fx.wake_in(millis(self.config.heartbeat_interval_ms), Wake::Client(ClientWake::Heartbeat(life)));
        let within = matches!(self.membership.state, MemberState::Stable | MemberState::Syncing);
        if !within || self.membership.left {
            return;
        }
        if fx.now().since(self.membership.last_beat) > millis(self.config.session_timeout_ms) {
            // Its session is over without its knowing: the coordinator is looked for anew.
            self.membership.coordinator = None;
            self.membership.last_beat = fx.now();
            return self.go_on(fx);
        }
        if self.membership.coordinator.is_none() {
            return self.seek_coordinator(fx);
        }
        if !self.is_waiting(|asked| matches!(asked, Asked::Beat)) {
            let request = GroupRequest::Heartbeat(self.who(), self.membership.generation);
            self.ask_group(request, Asked::Beat, fx);
        }
    }

    /// K-C4: an application that does not poll is taken for stuck; its client leaves the group.
    pub(crate) fn check_poll_interval(&mut self, life: u32, fx: &mut Fx<'_>) {
        if life != self.membership.life {
            return;
        }
        let limit = millis(self.config.max_poll_interval_ms);
        let due = self.last_poll + limit;
        let away = self.working || (self.is_left_alone() && self.membership.state != MemberState::Unjoined);
        if due > fx.now() || !away {
            let next = due.max(fx.now() + sim::Nanos::millis(100));
            fx.wake_at(next, Wake::Client(ClientWake::PollInterval(life)));
            return;
        }
        self.hand_overdue(fx);
        if self.is_modern() {
            fx.wake_in(limit, Wake::Client(ClientWake::PollInterval(life)));
            return self.leave_until_polled(fx);
        }
        // K-G6: a static member is gone when its session is over.
        if self.config.group_instance_id.is_none() {
            self.ask_group(GroupRequest::Leave(self.who()), Asked::Leave, fx);
        }
        self.lose_membership(fx);
    }

    /// A request came to nothing because its connection broke.
    pub(crate) fn asked_in_vain(&mut self, asked: &Asked, fx: &mut Fx<'_>) {
        match asked {
            Asked::Join | Asked::Sync => {
                self.membership.state = MemberState::Unjoined;
                self.membership.rejoin = true;
            }
            Asked::Coordinator => self.membership.searches.failed(&self.client.waits, fx),
            Asked::Beat if self.is_modern() => {
                self.beat_lost();
                self.membership.modern.rest.failed(&self.client.waits, fx);
            }
            Asked::Commit(_) | Asked::Revocation => {
                if matches!(asked, Asked::Commit(true)) {
                    self.waits_for_commit = false;
                }
                if matches!(asked, Asked::Revocation) {
                    self.revocation_committed();
                }
                for assigned in self.assigned.values_mut() {
                    assigned.committing = assigned.committed.unwrap_or(0);
                }
            }
            Asked::Offsets => {
                self.membership.offsets_wanted = true;
                self.membership.offsets_rest.failed(&self.client.waits, fx);
            }
            Asked::Offset(slot) => self.position_unknown(*slot, fx),
            Asked::Forward(ask) => self.forward_in_vain(ask, fx),
            Asked::Leave if self.stopping => fx.exit(),
            Asked::Share(_) | Asked::Beat | Asked::Leave | Asked::Fetch => {}
        }
    }

    /// A stop in good order: commits, leaves the group, and ends (K-G6).
    pub(crate) fn close(&mut self, fx: &mut Fx<'_>) {
        if self.membership.left {
            return;
        }
        if !self.membership.prepared {
            self.membership.prepared = true;
            // K-O2: close() commits what the polls returned, worked on or not, unless the application does so itself; that
            // one never came to it if it failed.
            let commits = self.config.enable_auto_commit || self.failed.is_none();
            if commits && self.commit(true, fx) {
                self.waits_for_commit = true;
                return;
            }
        }
        self.membership.left = true;
        if self.failed.is_some() {
            self.assigned.clear();
        }
        let told = if self.is_modern() {
            self.say_farewell(fx)
        } else {
            // K-G6: a static member goes without a word.
            let dynamic = self.config.group_instance_id.is_none();
            dynamic && self.ask_group(GroupRequest::Leave(self.who()), Asked::Leave, fx)
        };
        if !told {
            fx.exit();
        }
    }
}
