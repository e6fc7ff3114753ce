//! Votes: who asks for them, and who gets them (K-Q2, R-U1).

use crate::message::{Index, Message, Peer, Term};
use crate::raft::{Output, Raft, Role};

impl<E: Clone, S: Clone> Raft<E, S> {
    pub(crate) fn on_pre_vote(&mut self, from: Peer, term: Term, last: (Index, Term), out: &mut Output<E, S>) {
        let follows = self.role == Role::Leader || (self.leader.is_some() && !self.suspects);
        let loyal = self.options.pre_vote_respects_leader && follows;
        let granted = term > self.term && !loyal && up_to_date(last, self.log.last());
        let term = if granted { term } else { self.term };
        out.send.push((from, Message::PreVoteReply { term, granted }));
        if self.options.pull && self.role == Role::Leader {
            // KRaft's answer names the leader: who lost sight of it fetches again.
            out.send.push((from, Message::BeginEpoch { term: self.term }));
        }
    }

    pub(crate) fn on_pre_vote_reply(&mut self, from: Peer, term: Term, granted: bool, out: &mut Output<E, S>) {
        if !granted {
            if term > self.term {
                self.become_follower(term, None, out);
            }
            return;
        }
        if self.role == Role::PreCandidate && term == Term(self.term.0 + 1) {
            self.ballots.insert(from);
            if self.ballots.len() >= self.majority() {
                self.stand(out);
            }
        }
    }

    pub(crate) fn on_vote(&mut self, from: Peer, term: Term, last: (Index, Term), out: &mut Output<E, S>) {
        if term > self.term {
            self.become_follower(term, None, out);
        }
        let free = self.vote.is_none_or(|vote| vote == from);
        let granted = term == self.term && free && self.leader.is_none() && up_to_date(last, self.log.last());
        if granted {
            if self.vote.is_none() {
                self.set_vote(term, Some(from), out);
            }
            out.restart_timer = true;
        }
        let reply = Message::VoteReply { term: self.term, granted };
        self.send_when_flushed(from, reply, out);
    }

    pub(crate) fn on_vote_reply(&mut self, from: Peer, term: Term, granted: bool, out: &mut Output<E, S>) {
        if term > self.term {
            self.become_follower(term, None, out);
        } else if granted && self.role == Role::Candidate && term == self.term {
            self.ballots.insert(from);
            if self.ballots.len() >= self.majority() {
                self.lead(out);
            }
        }
    }
}

/// Whether a log that ends in `theirs` has all that a log that ends in `mine` may have committed.
fn up_to_date(theirs: (Index, Term), mine: (Index, Term)) -> bool {
    (theirs.1, theirs.0) >= (mine.1, mine.0)
}
