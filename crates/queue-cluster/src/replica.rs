//! A member of a replicated queue: its Raft log, its state, and its timers (R-U1, R-U2).

use crate::arguments::QueueArguments;
use crate::config::Config;
use crate::desk::{Answer, Ask, Desk, Out};
use crate::quorum::Quorum;
use crate::stream::Stream;
use crate::topology::Topology;
use crate::view::QueueKind;
use consensus::{Index, Options, Raft, Role};
use sim::{Nanos, NodeId, Time};
use std::collections::{BTreeMap, VecDeque};
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

    /// The queue's arguments as it knows them.
    pub fn arguments(&self) -> Option<&Rc<QueueArguments>> {
        match &self.machine {
            Machine::Quorum(quorum) => Some(&quorum.arguments),
            Machine::Stream(stream) => Some(&stream.arguments),
            Machine::Metadata(..) => None,
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
    /// What of a stream the operating system will write back, oldest first: when it was looked at, how far the log was
    /// applied, and to which state that led.
    aging: VecDeque<(Time, Index, Rc<State>)>,
    /// How far a stream is on the disk.
    on_disk: Index,
}

impl Replica {
    pub fn new(me: NodeId, members: &[NodeId], first: &Rc<State>) -> Replica {
        // R-U2: ra's pre-vote looks at the log only.
        let stream = matches!(first.machine, Machine::Stream(_));
        let options = Options { pre_vote_respects_leader: false, may_forget: stream, ..Options::default() };
        Replica {
            raft: Raft::new(me.0, members.iter().map(|member| member.0).collect(), options),
            state: first.clone(),
            serving: false,
            timer: 0,
            armed: false,
            told_blocked: false,
            first: first.clone(),
            aging: VecDeque::new(),
            on_disk: Index(0),
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
        if self.is_stream() && power_lost {
            // R-S1: nothing waited for the disk; what the operating system has not written back is gone.
            self.raft.lose_after(self.on_disk);
        }
        self.rebuild();
        self.serving = false;
        self.armed = false;
        self.aging.clear();
    }

    /// The state machine starts from the log's snapshot anew, as its end is gone.
    pub fn rebuild(&mut self) {
        self.state = self.raft.snapshot().unwrap_or(&self.first).clone();
        let last = self.raft.last_index();
        self.on_disk = self.on_disk.min(last);
        self.aging.retain(|(_, index, _)| *index <= last);
    }

    /// All that a stream has written is on the disk: its node stops in good order.
    pub fn flush_stream(&mut self) {
        self.on_disk = self.raft.last_index();
    }

    /// The operating system looks what of a stream is old enough to be written back; that is the log's beginning then.
    /// Answers whether there is more to write.
    pub fn write_back(&mut self, now: Time, age: Nanos, every: u64) -> bool {
        let newest = self.aging.back().map_or(self.on_disk, |(_, index, _)| *index);
        let applied = self.raft.applied();
        if self.is_stream() && applied > newest {
            self.aging.push_back((now, applied, self.state.clone()));
        }
        while self.aging.front().is_some_and(|(at, ..)| now.since(*at) >= age) {
            let Some((_, index, state)) = self.aging.pop_front() else { break };
            self.on_disk = self.on_disk.max(index);
            if self.raft.log_len() > every {
                self.raft.compact(index, state);
            }
        }
        !self.aging.is_empty()
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
        // What a stream is before all else is its log; see `write_back`.
        if !self.is_stream() && length > every && self.raft.commit().0 > 0 {
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
