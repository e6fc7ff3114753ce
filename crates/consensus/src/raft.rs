//! A member of a Raft group.

use crate::log::{Entry, Log};
use crate::message::{Index, Message, Peer, Term};
use crate::pull::Parked;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How a member stands in its group.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// It follows a leader, or waits for one.
    Follower,
    /// It asks whether it would be elected (K-Q2 calls it prospective).
    PreCandidate,
    /// It stands for election.
    Candidate,
    /// It leads.
    Leader,
}

impl Role {
    /// Whether it asks for votes, or for their promise.
    #[must_use]
    pub fn is_candidate(self) -> bool {
        matches!(self, Role::PreCandidate | Role::Candidate)
    }
}

/// What differs between the two brokers' use of Raft.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Whether a member that hears its leader refuses a pre-vote. Kafka's does (KIP-996), ra's looks at the log only.
    pub pre_vote_respects_leader: bool,
    /// Members answer for what is not on the disk yet (RabbitMQ's streams), so the power may take what is committed.
    /// A member whose committed entries the leader lost gives them up and builds its state anew.
    pub may_forget: bool,
    /// How many entries one message carries at the most.
    pub batch: usize,
    /// How many messages with entries may be under way to a follower at a time.
    pub pipeline: u32,
    /// Followers fetch, as KRaft's do (K-Q1), instead of being sent entries. Members do not change then.
    pub pull: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { pre_vote_respects_leader: true, may_forget: false, batch: 1_024, pipeline: 8, pull: false }
    }
}

/// What happens to a member.
#[derive(Clone, Debug)]
pub enum Input<E, S> {
    /// A message came from this member.
    Received(Peer, Message<E, S>),
    /// The driver's election timer ran out, or it learnt that the leader is gone.
    ElectionTimeout,
    /// A command to be agreed on. Ignored unless this member leads: ask [`Raft::role`] first.
    Propose(E),
    /// All changes up to this one, as [`Raft::written`] numbered them, are on the disk.
    Flushed(u64),
    /// A leader's sign of life is due.
    Heartbeat,
    /// A leader looks whether a majority answered since it last looked, and resigns if not.
    CheckQuorum,
    /// The members are these from now on; one at a time may come or go. Ignored unless this member leads and the last
    /// such change is agreed on. A member that is not among the new ones goes on until the change is agreed on.
    ChangeMembers(Vec<Peer>),
    /// The connection to this member is new: what was under way on the old one is lost.
    Reconnected(Peer),
    /// By pull: this member's fetch, by its ticket in [`Output::park`], has waited for as long as a fetch may.
    FetchExpired(Peer, u64),
    /// By pull: the member is about to end in good order. One that leads names its successors.
    Resign,
}

/// What a member wants done.
#[derive(Clone, Debug)]
pub struct Output<E, S> {
    /// Messages to send, in order.
    pub send: Vec<(Peer, Message<E, S>)>,
    /// Something was written that has to be flushed: flush, then answer with [`Input::Flushed`].
    pub flush: bool,
    /// The role or the leader changed.
    pub changed: bool,
    /// The election timer starts anew: the leader was heard, or a vote was given, or an election begun.
    pub restart_timer: bool,
    /// A leader's snapshot replaces the state machine's state.
    pub restored: Option<S>,
    /// Committed entries were given up ([`Options::may_forget`]): the state machine starts from [`Raft::snapshot`] and
    /// is given the entries after it again.
    pub rebuild: bool,
    /// Fetches that wait for news, and their tickets: answer with [`Input::FetchExpired`] once they have waited for long enough.
    pub park: Vec<(Peer, u64)>,
    /// By pull: the leader is gone and named its successors; this member's place among them, and how many they are. The
    /// first has stood already.
    pub succeeds: Option<(usize, usize)>,
}

impl<E, S> Default for Output<E, S> {
    fn default() -> Self {
        Output {
            send: Vec::new(),
            flush: false,
            changed: false,
            restart_timer: false,
            restored: None,
            rebuild: false,
            park: Vec::new(),
            succeeds: None,
        }
    }
}

/// What a leader knows of a follower.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub next: Index,
    pub matched: Index,
    pub under_way: u32,
    pub heard: bool,
    pub told_commit: Index,
    /// By pull: whether it fetched since the last sign of life was due.
    pub fetched: bool,
}

impl Progress {
    fn from(next: Index) -> Progress {
        Progress { next, matched: Index(0), under_way: 0, heard: true, told_commit: Index(0), fetched: false }
    }
}

/// A member of a Raft group. `E` is a command, `S` the state machine's state.
#[derive(Clone, Debug)]
pub struct Raft<E, S> {
    pub(crate) me: Peer,
    pub(crate) voters: Vec<Peer>,
    pub(crate) options: Options,
    pub(crate) role: Role,
    pub(crate) term: Term,
    pub(crate) vote: Option<Peer>,
    pub(crate) durable_vote: (Term, Option<Peer>),
    pub(crate) votes_to_flush: VecDeque<(u64, Term, Option<Peer>)>,
    pub(crate) leader: Option<Peer>,
    pub(crate) led: Term,
    /// Whether the driver has lost sight of the leader.
    pub(crate) suspects: bool,
    pub(crate) log: Log<E, S>,
    pub(crate) commit: Index,
    pub(crate) applied: Index,
    pub(crate) ballots: BTreeSet<Peer>,
    pub(crate) progress: BTreeMap<Peer, Progress>,
    /// Answers that wait for a flush.
    pub(crate) held: VecDeque<(u64, Peer, Message<E, S>)>,
    /// By pull: fetches that wait for news.
    pub(crate) parked: BTreeMap<Peer, Parked>,
    /// By pull: the ticket of the last own fetch.
    pub(crate) tickets: u64,
}

impl<E: Clone, S: Clone> Raft<E, S> {
    /// A member `me` of a new group of `voters` (with `me` among them).
    #[must_use]
    pub fn new(me: Peer, voters: Vec<Peer>, options: Options) -> Self {
        Raft {
            me,
            log: Log::new(voters.clone().into()),
            voters,
            options,
            role: Role::Follower,
            term: Term(0),
            vote: None,
            durable_vote: (Term(0), None),
            votes_to_flush: VecDeque::new(),
            leader: None,
            led: Term(0),
            suspects: false,
            commit: Index(0),
            applied: Index(0),
            ballots: BTreeSet::new(),
            progress: BTreeMap::new(),
            held: VecDeque::new(),
            parked: BTreeMap::new(),
            tickets: 0,
        }
    }

    /// Which member it is.
    #[must_use]
    pub fn me(&self) -> Peer {
        self.me
    }

    /// The last term that it led; 0 if it never did since it started.
    #[must_use]
    pub fn last_led(&self) -> Term {
        self.led
    }

    /// How the member stands.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its term.
    #[must_use]
    pub fn term(&self) -> Term {
        self.term
    }

    /// Whom it takes for the leader.
    #[must_use]
    pub fn leader(&self) -> Option<Peer> {
        self.leader
    }

    /// All members.
    #[must_use]
    pub fn voters(&self) -> &[Peer] {
        &self.voters
    }

    /// How far it knows the log to be agreed on.
    #[must_use]
    pub fn commit(&self) -> Index {
        self.commit
    }

    /// How far its state machine was given the log.
    #[must_use]
    pub fn applied(&self) -> Index {
        self.applied
    }

    /// The last entry's place, agreed on or not.
    #[must_use]
    pub fn last_index(&self) -> Index {
        self.log.last().0
    }

    /// How far its log is on the disk.
    #[must_use]
    pub fn durable_index(&self) -> Index {
        self.log.durable()
    }

    /// How far a leader knows `peer`'s log to match its own; `None` if this member does not lead.
    #[must_use]
    pub fn matched(&self, peer: Peer) -> Option<Index> {
        self.progress.get(&peer).map(|progress| progress.matched)
    }

    /// The number of the last change that has to be flushed.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.log.written()
    }

    /// The state that the log starts from, if entries were compacted away.
    #[must_use]
    pub fn snapshot(&self) -> Option<&S> {
        self.log.snapshot()
    }

    /// How many entries the log holds.
    #[must_use]
    pub fn log_len(&self) -> u64 {
        self.last_index().0 - self.log.base().0
    }

    /// The entry at a place, if the log has it.
    #[must_use]
    pub fn entry(&self, index: Index) -> Option<&Entry<E>> {
        self.log.get(index)
    }

    /// The next committed entry to apply, once each and in order. A leader's first entry has no command.
    pub fn next_committed(&mut self) -> Option<(Index, Entry<E>)> {
        if self.applied >= self.commit {
            return None;
        }
        let index = self.applied.next();
        let entry = self.log.get(index)?.clone();
        self.applied = index;
        Some((index, entry))
    }

    /// Replaces what is applied, up to `index`, by the state that it led to.
    pub fn compact(&mut self, index: Index, state: S) {
        assert!(index <= self.applied, "Raft: only what is applied may be compacted");
        if index > self.log.base() {
            self.log.compact(index, state);
        }
    }

    /// The process ends. What is volatile is gone; after a power loss, what was not flushed is gone too. The state
    /// machine starts from [`Raft::snapshot`] and is given the entries after it again as they are found committed.
    pub fn crash(&mut self, power_lost: bool) {
        if power_lost {
            self.log.lose_unflushed();
            (self.term, self.vote) = self.durable_vote;
        } else {
            self.log.keep_written();
            self.durable_vote = (self.term, self.vote);
        }
        self.votes_to_flush.clear();
        self.held.clear();
        self.ballots.clear();
        self.progress.clear();
        self.parked.clear();
        self.role = Role::Follower;
        self.leader = None;
        self.led = Term(0);
        self.suspects = false;
        self.commit = self.log.base();
        self.applied = self.log.base();
        self.know_members();
    }

    /// The power took what was written after `index`, though the member has answered for it: call it after
    /// [`Raft::crash`]. What a snapshot covers is kept.
    pub fn lose_after(&mut self, index: Index) {
        assert!(self.options.may_forget, "Raft: this group waits for the disk");
        if index < self.log.last().0 {
            self.log.truncate(index.max(self.log.base()));
            self.know_members();
        }
    }

    /// The log's last word on who the members are counts, agreed on or not.
    pub(crate) fn know_members(&mut self) {
        let (_, members) = self.log.configuration();
        if *self.voters != **members {
            self.voters = members.to_vec();
        }
    }

    /// One thing happens to the member.
    pub fn handle(&mut self, input: Input<E, S>, out: &mut Output<E, S>) {
        match input {
            Input::Received(from, message) => self.on_message(from, message, out),
            Input::ElectionTimeout => self.on_timeout(out),
            Input::Propose(command) => self.on_propose(command, out),
            Input::Flushed(written) => self.on_flushed(written, out),
            Input::Heartbeat => self.on_heartbeat(out),
            Input::CheckQuorum => self.on_check_quorum(out),
            Input::ChangeMembers(members) => self.on_change_members(&members, out),
            Input::Reconnected(peer) => self.on_reconnected(peer, out),
            Input::FetchExpired(peer, ticket) => self.on_fetch_expired(peer, ticket, out),
            Input::Resign => self.on_resign(out),
        }
    }

    pub(crate) fn majority(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    pub(crate) fn others(&self) -> Vec<Peer> {
        self.voters.iter().copied().filter(|peer| *peer != self.me).collect()
    }

    pub(crate) fn become_follower(&mut self, term: Term, leader: Option<Peer>, out: &mut Output<E, S>) {
        let changed = self.role != Role::Follower || self.leader != leader;
        if term > self.term {
            self.set_vote(term, None, out);
        }
        self.role = Role::Follower;
        self.leader = leader;
        self.progress.clear();
        self.parked.clear();
        self.ballots.clear();
        out.changed |= changed;
    }

    pub(crate) fn set_vote(&mut self, term: Term, vote: Option<Peer>, out: &mut Output<E, S>) {
        self.term = term;
        self.vote = vote;
        self.log.touch();
        self.votes_to_flush.push_back((self.log.written(), term, vote));
        out.flush = true;
    }

    /// Sends once everything written so far is on the disk.
    pub(crate) fn send_when_flushed(&mut self, to: Peer, message: Message<E, S>, out: &mut Output<E, S>) {
        self.held.push_back((self.log.written(), to, message));
        out.flush = true;
    }

    fn on_timeout(&mut self, out: &mut Output<E, S>) {
        if self.role == Role::Leader || !self.voters.contains(&self.me) {
            return;
        }
        self.role = Role::PreCandidate;
        self.leader = None;
        self.suspects = true;
        self.ballots = BTreeSet::from([self.me]);
        out.changed = true;
        out.restart_timer = true;
        if self.ballots.len() >= self.majority() {
            return self.stand(out);
        }
        let ask = Message::PreVote { term: Term(self.term.0 + 1), last: self.log.last() };
        out.send.extend(self.others().into_iter().map(|peer| (peer, ask.clone())));
    }

    pub(crate) fn stand(&mut self, out: &mut Output<E, S>) {
        self.role = Role::Candidate;
        self.leader = None;
        self.ballots.clear();
        self.set_vote(Term(self.term.0 + 1), Some(self.me), out);
        out.changed = true;
        out.restart_timer = true;
        // Its own vote counts once it is flushed: held like an answer to itself.
        let own = Message::VoteReply { term: self.term, granted: true };
        self.send_when_flushed(self.me, own, out);
        let ask = Message::Vote { term: self.term, last: self.log.last() };
        for peer in self.others() {
            self.send_when_flushed(peer, ask.clone(), out);
        }
    }

    pub(crate) fn lead(&mut self, out: &mut Output<E, S>) {
        self.role = Role::Leader;
        self.leader = Some(self.me);
        self.led = self.term;
        self.suspects = false;
        let next = self.log.last().0.next();
        self.progress = self.others().into_iter().map(|peer| (peer, Progress::from(next))).collect();
        out.changed = true;
        // Only an entry of its own term lets a leader commit those of earlier terms.
        self.log.append(Entry { term: self.term, command: None, members: None });
        out.flush = true;
        if self.options.pull {
            self.tell_epoch(out);
        }
        self.replicate(out);
    }

    fn on_propose(&mut self, command: E, out: &mut Output<E, S>) {
        if self.role == Role::Leader {
            self.log.append(Entry { term: self.term, command: Some(command), members: None });
            out.flush = true;
            self.replicate(out);
        }
    }

    fn on_change_members(&mut self, members: &[Peer], out: &mut Output<E, S>) {
        let (since, known) = self.log.configuration();
        let gone = known.iter().filter(|peer| !members.contains(peer)).count();
        let new: Vec<Peer> = members.iter().copied().filter(|peer| !known.contains(peer)).collect();
        let ready = self.role == Role::Leader && since <= self.commit && self.has_own_commit();
        if !ready || gone + new.len() != 1 || members.is_empty() {
            return;
        }
        self.log.append(Entry { term: self.term, command: None, members: Some(members.into()) });
        self.know_members();
        self.progress.retain(|peer, _| members.contains(peer));
        let next = self.log.base().next();
        for peer in new {
            self.progress.insert(peer, Progress::from(next));
        }
        out.flush = true;
        self.replicate(out);
    }

    /// Whether an entry of the leader's own term is agreed on: only then does it know what was agreed on before.
    fn has_own_commit(&self) -> bool {
        self.log.term_at(self.commit) == Some(self.term)
    }

    fn on_flushed(&mut self, written: u64, out: &mut Output<E, S>) {
        self.log.flushed(written);
        while let Some((change, term, vote)) = self.votes_to_flush.front().copied()
            && change <= written
        {
            self.durable_vote = (term, vote);
            self.votes_to_flush.pop_front();
        }
        while let Some((change, _, _)) = self.held.front()
            && *change <= written
        {
            let Some((_, to, message)) = self.held.pop_front() else { break };
            if to != self.me {
                out.send.push((to, message));
            } else if let Message::VoteReply { term, granted } = message {
                self.on_vote_reply(self.me, term, granted, out);
            }
        }
        if self.role == Role::Leader {
            self.advance_commit(out);
            self.answer_parked(out);
        }
    }

    fn on_heartbeat(&mut self, out: &mut Output<E, S>) {
        if self.role != Role::Leader {
            return;
        }
        if self.options.pull {
            return self.tell_epoch(out);
        }
        for peer in self.others() {
            self.send_append(peer, true, &mut None, out);
        }
    }

    fn on_check_quorum(&mut self, out: &mut Output<E, S>) {
        if self.role != Role::Leader {
            return;
        }
        let heard = 1 + self.progress.values().filter(|progress| progress.heard).count();
        if heard < self.majority() {
            self.become_follower(self.term, None, out);
            out.restart_timer = true;
            return;
        }
        self.progress.values_mut().for_each(|progress| progress.heard = false);
    }

    /// A leader that is about to end says so, and who should follow it.
    fn on_resign(&mut self, out: &mut Output<E, S>) {
        if self.role != Role::Leader {
            return;
        }
        let mut successors = self.others();
        successors.sort_by_key(|peer| std::cmp::Reverse(self.matched(*peer)));
        let end = Message::EndEpoch { term: self.term, successors: successors.clone().into() };
        out.send.extend(successors.into_iter().map(|peer| (peer, end.clone())));
        self.become_follower(self.term, None, out);
    }

    /// The leader is gone: the first that it named stands at once, the others after a while, in that order.
    fn on_end_epoch(&mut self, from: Peer, term: Term, successors: &[Peer], out: &mut Output<E, S>) {
        if term != self.term || self.leader != Some(from) {
            return;
        }
        self.become_follower(term, None, out);
        out.restart_timer = true;
        let place = successors.iter().position(|peer| *peer == self.me);
        out.succeeds = place.map(|place| (place, successors.len()));
        if place == Some(0) {
            self.on_timeout(out);
        }
    }

    fn on_reconnected(&mut self, peer: Peer, out: &mut Output<E, S>) {
        if self.options.pull && self.role == Role::Leader {
            self.parked.remove(&peer);
            return out.send.push((peer, Message::BeginEpoch { term: self.term }));
        }
        if self.options.pull && self.role == Role::Follower {
            if self.leader == Some(peer) {
                self.fetch(out);
            }
            return;
        }
        if let Some(progress) = self.progress.get_mut(&peer) {
            progress.under_way = 0;
            progress.next = progress.matched.next().max(Index(1));
            self.send_append(peer, true, &mut None, out);
        } else if self.role == Role::Candidate && !self.ballots.contains(&peer) {
            let ask = Message::Vote { term: self.term, last: self.log.last() };
            self.send_when_flushed(peer, ask, out);
        }
    }

    fn on_message(&mut self, from: Peer, message: Message<E, S>, out: &mut Output<E, S>) {
        match message {
            Message::PreVote { term, last } => self.on_pre_vote(from, term, last, out),
            Message::PreVoteReply { term, granted } => self.on_pre_vote_reply(from, term, granted, out),
            Message::Vote { term, last } => self.on_vote(from, term, last, out),
            Message::VoteReply { term, granted } => self.on_vote_reply(from, term, granted, out),
            Message::Append { term, previous, entries, commit } => {
                self.on_append(from, term, previous, &entries, commit, out);
            }
            Message::AppendReply { term, matched } => self.on_append_reply(from, term, matched, out),
            Message::BeginEpoch { term } => self.on_begin_epoch(from, term, out),
            Message::EndEpoch { term, successors } => self.on_end_epoch(from, term, &successors, out),
            Message::Fetch { term, last, commit, ticket } => self.on_fetch((from, ticket), term, last, commit, out),
            Message::Fetched { term, ticket, what } => self.on_fetched((from, ticket), term, what, out),
            Message::Snapshot { term, last, state, members } => {
                self.on_snapshot(from, term, last, (state, members), out);
            }
        }
    }
}
