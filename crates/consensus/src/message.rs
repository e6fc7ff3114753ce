//! What members of a Raft group send each other.

use crate::Entry;
use std::rc::Rc;

/// A member of a group, by a number that its driver gives it.
pub type Peer = u16;

/// A term: at most one leader each.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Term(pub u64);

/// A place in the log; the first entry has 1.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Index(pub u64);

impl Index {
    /// The place after this one.
    #[must_use]
    pub const fn next(self) -> Index {
        Index(self.0 + 1)
    }
}

/// A message between two members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<E, S> {
    /// Would you vote for me in `term`? Changes nothing at the asked.
    PreVote {
        /// The term that the asker would stand in.
        term: Term,
        /// Place and term of the asker's last entry.
        last: (Index, Term),
    },
    /// The answer to a pre-vote.
    PreVoteReply {
        /// The term asked about, or the answerer's own if that is higher.
        term: Term,
        /// Yes or no.
        granted: bool,
    },
    /// Vote for me.
    Vote {
        /// The candidate's term.
        term: Term,
        /// Place and term of the candidate's last entry.
        last: (Index, Term),
    },
    /// The answer to a vote request.
    VoteReply {
        /// The answerer's term.
        term: Term,
        /// Yes or no.
        granted: bool,
    },
    /// Entries from the leader; without entries a sign of life that carries the commit index.
    Append {
        /// The leader's term.
        term: Term,
        /// Place and term of the entry before the first one carried.
        previous: (Index, Term),
        /// The entries.
        entries: Rc<[Entry<E>]>,
        /// What the leader knows to be committed.
        commit: Index,
    },
    /// The answer to entries, once they are flushed.
    AppendReply {
        /// The follower's term.
        term: Term,
        /// `Ok`: all up to here match the leader's. `Err`: they do not; the leader should try from here on.
        matched: Result<Index, Index>,
    },
    /// The state machine's state in place of entries that the leader no longer has.
    Snapshot {
        /// The leader's term.
        term: Term,
        /// Place and term of the last entry that the state contains.
        last: (Index, Term),
        /// The state.
        state: S,
        /// The members as of that entry.
        members: Rc<[Peer]>,
    },
    /// By pull: the sender led and does no more; the first of these stands at once, the others in turn.
    EndEpoch {
        /// The sender's term.
        term: Term,
        /// The others, those with most of its log first.
        successors: Rc<[Peer]>,
    },
    /// By pull: the sender leads, fetch from it.
    BeginEpoch {
        /// The leader's term.
        term: Term,
    },
    /// By pull: for what comes behind the asker's log, all of which it has on the disk.
    Fetch {
        /// The asker's term.
        term: Term,
        /// Place and term of its last entry.
        last: (Index, Term),
        /// What it knows to be committed.
        commit: Index,
        /// Tells this fetch from those before.
        ticket: u64,
    },
    /// By pull: the answer to a fetch.
    Fetched {
        /// The asked's term.
        term: Term,
        /// The fetch's.
        ticket: u64,
        /// What came of it.
        what: Pulled<E>,
    },
}

/// What a fetch came to (K-Q1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pulled<E> {
    /// The asked does not lead.
    NotLeader,
    /// The asker's log parts from the leader's here: the end of the leader's greatest epoch up to the asker's, and that
    /// epoch.
    Diverging(Index, Term),
    /// Entries, perhaps none.
    Entries {
        /// Place and term of the entry before the first one carried: the asker's last one.
        previous: (Index, Term),
        /// The entries.
        entries: Rc<[Entry<E>]>,
        /// What the leader knows to be committed.
        commit: Index,
    },
}

impl<E, S> Message<E, S> {
    /// The sender's term.
    #[must_use]
    pub fn term(&self) -> Term {
        match self {
            Message::PreVote { term, .. }
            | Message::PreVoteReply { term, .. }
            | Message::Vote { term, .. }
            | Message::VoteReply { term, .. }
            | Message::Append { term, .. }
            | Message::AppendReply { term, .. }
            | Message::Snapshot { term, .. }
            | Message::BeginEpoch { term }
            | Message::EndEpoch { term, .. }
            | Message::Fetch { term, .. }
            | Message::Fetched { term, .. } => *term,
        }
    }

    /// A number for the digest of a run: the kind, the term and what the message is about.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let about = |kind: u64, a: u64, b: u64| kind ^ (self.term().0 << 4) ^ (a << 16) ^ b.rotate_left(48);
        match self {
            Message::PreVote { last, .. } => about(1, last.0.0, last.1.0),
            Message::PreVoteReply { granted, .. } => about(2, u64::from(*granted), 0),
            Message::Vote { last, .. } => about(3, last.0.0, last.1.0),
            Message::VoteReply { granted, .. } => about(4, u64::from(*granted), 0),
            Message::Append { previous, entries, commit, .. } => {
                about(5, previous.0.0, commit.0) ^ (entries.len() as u64).rotate_left(40)
            }
            Message::AppendReply { matched: Ok(index), .. } => about(6, index.0, 1),
            Message::AppendReply { matched: Err(index), .. } => about(6, index.0, 2),
            Message::Snapshot { last, .. } => about(7, last.0.0, last.1.0),
            Message::BeginEpoch { .. } => about(8, 0, 0),
            Message::EndEpoch { successors, .. } => about(13, u64::from(successors.first().copied().unwrap_or(0)), 0),
            Message::Fetch { last, commit, ticket, .. } => about(9, last.0.0, commit.0) ^ ticket.rotate_left(40),
            Message::Fetched { what: Pulled::NotLeader, .. } => about(10, 0, 0),
            Message::Fetched { what: Pulled::Diverging(end, epoch), .. } => about(11, end.0, epoch.0),
            Message::Fetched { what: Pulled::Entries { previous, entries, commit }, .. } => {
                about(12, previous.0.0, commit.0) ^ (entries.len() as u64).rotate_left(40)
            }
        }
    }
}
