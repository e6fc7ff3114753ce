//! A replica of a partition: its log, its high watermark, and what a leader knows of its followers.

use crate::election::PartitionState;
use crate::log::Log;
use crate::rpc::Ticket;
use sim::{Nanos, Time};
use std::collections::VecDeque;

/// What a leader knows of a follower (K-R2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FollowerState {
    pub id: u16,
    /// The follower's log end, as its last fetch told; `None` before the first one.
    pub log_end: Option<u64>,
    pub caught_up: Time,
    last_fetch: Time,
    last_leader_end: u64,
    /// The epoch of registration that its last fetch carried (K-R4).
    pub broker_epoch: u64,
    /// The high watermark that it was last told.
    pub told: u64,
}

impl FollowerState {
    fn new(id: u16, caught_up: Time) -> FollowerState {
        FollowerState {
            id,
            log_end: None,
            caught_up,
            last_fetch: Time::ZERO,
            last_leader_end: 0,
            broker_epoch: 0,
            told: u64::MAX,
        }
    }
}

/// An in-sync set that the controller was asked for (K-R5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proposal {
    pub isr: Vec<u16>,
    pub ticket: Option<Ticket>,
}

/// A leader's knowledge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leadership {
    pub epoch_start: u64,
    pub isr: Vec<u16>,
    pub followers: Vec<FollowerState>,
    pub proposal: Option<Proposal>,
    pub recovering: bool,
}

/// What a replica does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Idle,
    Follows(Option<u16>),
    Leads(Box<Leadership>),
}

/// A replica. The log and the checkpoint are on the disk, the rest is memory.
#[derive(Clone, Debug)]
pub(crate) struct Replica {
    pub log: Log,
    pub high_watermark: u64,
    /// K-A7: the high watermark as it was last written down.
    pub checkpoint: u64,
    pub leader_epoch: i32,
    pub partition_epoch: i32,
    pub part: Part,
    /// When the log reached where, for the operating system's writing back.
    pub written: VecDeque<(Time, u64)>,
    pub flush_armed: bool,
    /// K-Z1: the leader epoch under which a segment is being copied to remote storage.
    pub copying: Option<i32>,
}

impl Replica {
    pub fn new() -> Replica {
        Replica {
            log: Log::default(),
            high_watermark: 0,
            checkpoint: 0,
            leader_epoch: -1,
            partition_epoch: -1,
            part: Part::Idle,
            written: VecDeque::new(),
            flush_armed: false,
            copying: None,
        }
    }

    /// What a process finds when it starts again.
    pub fn recover(&mut self) {
        self.high_watermark = self.checkpoint.min(self.log.end()).max(self.log.start());
        self.leader_epoch = -1;
        self.partition_epoch = -1;
        self.part = Part::Idle;
        self.written.clear();
        self.flush_armed = false;
        self.copying = None;
    }

    /// K-X6: what a reader of committed records may read up to.
    pub fn last_stable(&self) -> u64 {
        self.log.transactions.last_stable(self.high_watermark).max(self.log.start().min(self.high_watermark))
    }

    pub fn leads(&self) -> Option<&Leadership> {
        match &self.part {
            Part::Leads(leadership) => Some(leadership),
            Part::Idle | Part::Follows(_) => None,
        }
    }

    pub fn leads_mut(&mut self) -> Option<&mut Leadership> {
        match &mut self.part {
            Part::Leads(leadership) => Some(leadership),
            Part::Idle | Part::Follows(_) => None,
        }
    }

    /// K-L1, K-R2: begins to lead, or goes on with another in-sync set. True if it is a new reign.
    pub fn lead(&mut self, me: u16, state: &PartitionState, now: Time) -> bool {
        self.partition_epoch = state.partition_epoch;
        let others = state.replicas.iter().copied().filter(|replica| *replica != me);
        if self.leader_epoch == state.leader_epoch
            && let Part::Leads(leadership) = &mut self.part
        {
            // K-E10: a reassignment brings followers within a reign.
            leadership.followers.retain(|follower| state.replicas.contains(&follower.id));
            for id in others {
                if leadership.followers.iter().all(|follower| follower.id != id) {
                    leadership.followers.push(FollowerState::new(id, Time::ZERO));
                }
            }
            leadership.isr.clone_from(&state.isr);
            leadership.proposal = None;
            leadership.recovering = state.recovering;
            return false;
        }
        self.leader_epoch = state.leader_epoch;
        self.log.begin_epoch(state.leader_epoch);
        let caught_up = |id: &u16| if state.isr.contains(id) { now } else { Time::ZERO };
        let follower = |id: u16| FollowerState::new(id, caught_up(&id));
        self.part = Part::Leads(Box::new(Leadership {
            epoch_start: self.log.end(),
            isr: state.isr.clone(),
            followers: others.map(follower).collect(),
            proposal: None,
            recovering: state.recovering,
        }));
        true
    }

    /// Begins to follow. True if it is news.
    pub fn follow(&mut self, state: &PartitionState) -> bool {
        let news = self.leader_epoch != state.leader_epoch || self.part != Part::Follows(state.leader);
        self.leader_epoch = state.leader_epoch;
        self.partition_epoch = state.partition_epoch;
        self.part = Part::Follows(state.leader);
        news
    }

    /// K-R1, K-R2: a follower's fetch tells its log end.
    pub fn hear_follower(&mut self, id: u16, offset: u64, broker_epoch: u64, now: Time) {
        let leader_end = self.log.end();
        let Some(leadership) = self.leads_mut() else { return };
        let Some(follower) = leadership.followers.iter_mut().find(|follower| follower.id == id) else { return };
        if offset >= leader_end {
            follower.caught_up = follower.caught_up.max(now);
        } else if offset >= follower.last_leader_end {
            follower.caught_up = follower.caught_up.max(follower.last_fetch);
        }
        follower.log_end = Some(offset);
        follower.last_leader_end = leader_end;
        follower.last_fetch = now;
        follower.broker_epoch = broker_epoch;
    }

    fn is_caught_up(&self, follower: &FollowerState, now: Time, lag: Nanos) -> bool {
        follower.log_end == Some(self.log.end()) || now.since(follower.caught_up) <= lag
    }

    /// K-A4, K-A5: moves the high watermark. `eligible` says who may be in sync. True if it moved.
    pub fn advance(
        &mut self,
        now: Time,
        lag: Nanos,
        min_isr: usize,
        eligible: &dyn Fn(&FollowerState) -> bool,
    ) -> bool {
        let Some(leadership) = self.leads() else { return false };
        if leadership.isr.len() < min_isr {
            return false; // K-A5: below min.insync.replicas it stands still.
        }
        let mut mark = self.log.end();
        for follower in &leadership.followers {
            let end = follower.log_end.unwrap_or(0);
            if end >= mark {
                continue;
            }
            let proposed = leadership.proposal.as_ref().is_some_and(|proposal| proposal.isr.contains(&follower.id));
            let joins = || self.is_caught_up(follower, now, lag) && eligible(follower);
            if leadership.isr.contains(&follower.id) || proposed || joins() {
                mark = end;
            }
        }
        let moved = mark > self.high_watermark;
        if moved {
            self.high_watermark = mark;
        }
        moved
    }

    /// K-R4: the in-sync set with this follower, if it may join now.
    pub fn expanded(&self, id: u16, eligible: &dyn Fn(&FollowerState) -> bool) -> Option<Vec<u16>> {
        let leadership = self.leads()?;
        if leadership.proposal.is_some() || leadership.recovering || leadership.isr.contains(&id) {
            return None;
        }
        let follower = leadership.followers.iter().find(|follower| follower.id == id)?;
        let end = follower.log_end?;
        let in_sync = end >= self.high_watermark && end >= leadership.epoch_start;
        if !in_sync || !eligible(follower) {
            return None;
        }
        let mut isr = leadership.isr.clone();
        isr.push(id);
        Some(isr)
    }

    /// K-R5: a leader that came by an unclean election says first that it recovered, with itself alone in sync; only
    /// then may others join.
    pub fn recovered(&self, me: u16) -> Option<Vec<u16>> {
        let leadership = self.leads()?;
        (leadership.recovering && leadership.proposal.is_none()).then(|| vec![me])
    }

    /// K-R3: the in-sync set without those that fell behind, if any did.
    pub fn shrunk(&self, now: Time, lag: Nanos) -> Option<Vec<u16>> {
        let leadership = self.leads()?;
        if leadership.proposal.is_some() || leadership.recovering {
            return None;
        }
        let behind = |id: u16| {
            let follower = leadership.followers.iter().find(|follower| follower.id == id);
            follower.is_some_and(|follower| !self.is_caught_up(follower, now, lag))
        };
        let isr: Vec<u16> = leadership.isr.iter().copied().filter(|id| !behind(*id)).collect();
        (isr.len() < leadership.isr.len()).then_some(isr)
    }
}
