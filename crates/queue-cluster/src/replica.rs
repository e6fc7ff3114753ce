//! A member of a replicated queue: its Raft log, its state, and its timers (R-U1, R-U2).

use crate::arguments::QueueArguments;
use crate::config::Config;
use crate::desk::{Answer, Ask, Desk, Out};
use crate::quorum::Quorum;
use crate::stream::Stream;
use crate::topology::Topology;
use crate::view::QueueKind;
use consensus::{Options, Raft, Role};
use sim::{NodeId, Time};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A node in one of its boots.
pub type Session = (NodeId, u32);

/// A command to a replicated queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The node that gives it, in which boot; a leader's own have no number.
    pub session: Session,
    /// Counts from 1 in each session; 0 for a leader's own.
    pub seq: u64,
    /// When its sender gave it: the time that its effects are reckoned from, the same on every member.
    pub at: Time,
    pub ask: Ask,
}

/// What a replicated queue is, once commands are applied.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one a queue, and it lies behind a pointer")]
pub enum Machine {
    Quorum(Quorum),
    Stream(Stream),
    /// Exchanges, queues and bindings (R-N3).
    Metadata(Rc<Topology>, Rc<Config>),
}

/// The state that a log leads to.
#[derive(Clone, Debug)]
pub struct State {
    pub machine: Machine,
    /// The last command applied of each session: a command that comes again changes nothing (R-U3).
    pub sessions: BTreeMap<Session, u64>,
}

impl State {
    pub fn new(arguments: &Rc<QueueArguments>) -> State {
        let machine = match arguments.kind {
            QueueKind::Stream => Machine::Stream(Stream::new(arguments.clone())),
            QueueKind::Classic | QueueKind::Quorum => Machine::Quorum(Quorum::new(arguments.clone(), Time::ZERO)),
        };
        State { machine, sessions: BTreeMap::new() }
    }

    /// The metadata as it is in the beginning (R-N3).
    pub fn metadata(topology: &Rc<Topology>, config: &Rc<Config>) -> State {
        State { machine: Machine::Metadata(topology.clone(), config.clone()), sessions: BTreeMap::new() }
    }

    /// Applies a command, once.
    pub fn apply(&mut self, command: &Command, desk: &mut Desk<'_>) {
        if command.seq > 0 {
            let last = self.sessions.entry(command.session).or_insert(0);
            if command.seq <= *last {
                // R-U3: it came again because its answer was lost. The message is there already.
                if let Ask::Publish { confirm: Some((channel, number)), .. } = &command.ask {
                    desk.answer(*channel, Answer::Confirmed(*number));
                }
                return;
            }
            if command.seq != *last + 1 {
                return;
            }
            *last = command.seq;
        }
        if let Ask::NodeUp { node, boot } = &command.ask {
            self.sessions.retain(|(other, their), _| other != node || their >= boot);
        }
        match &mut self.machine {
            Machine::Quorum(quorum) => quorum.handle(&command.ask, desk),
            Machine::Stream(stream) => stream.handle(&command.ask, desk),
            Machine::Metadata(topology, config) => {
                if let Ask::Change(change) = &command.ask {
                    Rc::make_mut(topology).apply(change, command.session.0, config);
                }
            }
        }
    }

    pub fn blocked(&self) -> bool {
        matches!(&self.machine, Machine::Quorum(quorum) if quorum.blocked)
    }
}

/// A member.
#[derive(Clone, Debug)]
pub struct Replica {
    pub raft: Raft<Rc<Command>, Rc<State>>,
    pub state: Rc<State>,
    /// Whether it leads and has applied everything from before its term: from then on it answers.
    pub serving: bool,
    /// Counts election timers; only the last one counts.
    pub timer: u64,
    pub armed: bool,
    /// What its followers' clients were last told.
    pub told_blocked: bool,
    /// The state in the beginning.
    first: Rc<State>,
}

impl Replica {
    pub fn new(me: NodeId, members: &[NodeId], first: &Rc<State>) -> Replica {
        // R-U2: ra's pre-vote looks at the log only.
        let options = Options { pre_vote_respects_leader: false, ..Options::default() };
        Replica {
            raft: Raft::new(me.0, members.iter().map(|member| member.0).collect(), options),
            state: first.clone(),
            serving: false,
            timer: 0,
            armed: false,
            told_blocked: false,
            first: first.clone(),
        }
    }

    pub fn is_leader(&self) -> bool {
        self.raft.role() == Role::Leader
    }

    pub fn is_stream(&self) -> bool {
        matches!(self.first.machine, Machine::Stream(_))
    }

    /// Messages that the member holds, and their bytes.
    pub fn size(&self) -> (u64, u64) {
        match &self.state.machine {
            Machine::Quorum(quorum) => quorum.size(),
            Machine::Stream(stream) => stream.size(),
            Machine::Metadata(..) => (0, 0),
        }
    }

    /// The process ends: what is left is the log and its snapshot.
    pub fn crash(&mut self, power_lost: bool) {
        self.raft.crash(power_lost);
        self.state = match self.raft.snapshot() {
            Some(state) => state.clone(),
            None => self.first.clone(),
        };
        self.serving = false;
        self.armed = false;
    }

    /// Applies what is committed. What it leads to counts only on a leader that is done with the past.
    pub fn apply(&mut self, desk: &mut Desk<'_>, applied: &mut Vec<(Session, u64)>) -> bool {
        let mut began = false;
        while let Some((_, entry)) = self.raft.next_committed() {
            if let Some(members) = entry.members.as_ref() {
                // A leader that took itself out leads no more when that is agreed on, and is the one to say so.
                if self.serving || entry.term == self.raft.last_led() {
                    desk.out.push(Out::Members(members.clone()));
                }
            }
            let before = desk.out.len();
            match &entry.command {
                Some(command) => {
                    let now = std::mem::replace(&mut desk.now, command.at);
                    Rc::make_mut(&mut self.state).apply(command, desk);
                    desk.now = now;
                    if command.seq > 0 && self.serving {
                        match applied.binary_search_by_key(&command.session, |(session, _)| *session) {
                            Ok(place) => applied[place].1 = command.seq,
                            Err(place) => applied.insert(place, (command.session, command.seq)),
                        }
                    }
                }
                None if self.is_leader() && entry.term == self.raft.term() && entry.members.is_none() => {
                    self.serving = true;
                    began = true;
                    if let Machine::Quorum(quorum) = &self.state.machine {
                        quorum.tell_again(desk);
                    }
                    continue;
                }
                None => {}
            }
            if !self.serving {
                desk.out.truncate(before);
            }
        }
        began
    }

    /// Replaces the log by the state when it has grown long.
    pub fn compact(&mut self, every: u64) {
        let length = self.raft.log_len();
        if length > every && self.raft.commit().0 > 0 {
            let upto = self.raft.commit();
            self.raft.compact(upto, self.state.clone());
        }
    }
}

/// Bytes that a command takes in a log and on the wire.
pub fn bytes_of(command: &Command, overhead: u32) -> u32 {
    match &command.ask {
        Ask::Publish { body, .. } => body.bytes + overhead,
        _ => overhead,
    }
}
