//! Replication: what a leader sends its followers, and what they make of it.

use crate::log::{Entry, Log};
use crate::message::{Index, Message, Peer, Term};
use crate::raft::{Output, Progress, Raft, Role};
use std::ops::Bound;
use std::rc::Rc;

/// Entries that several followers are sent, and where they start.
type Shared<E> = Option<(Index, Rc<[Entry<E>]>)>;

impl<E: Clone, S: Clone> Raft<E, S> {
    /// Sends each follower what it lacks, as far as the pipeline allows. Followers at one place share the entries.
    pub(crate) fn replicate(&mut self, out: &mut Output<E, S>) {
        if self.options.pull {
            // Fetches that wait are answered once the entry is on the leader's disk; with one member that is all.
            if self.voters.len() == 1 {
                self.advance_commit(out);
            }
            return;
        }
        let mut shared = None;
        for place in 0..self.voters.len() {
            let peer = self.voters[place];
            if peer != self.me {
                self.send_append(peer, false, &mut shared, out);
            }
        }
        if self.voters.len() == 1 {
            self.advance_commit(out);
        }
    }

    pub(crate) fn send_append(
        &mut self,
        peer: Peer,
        even_if_empty: bool,
        shared: &mut Shared<E>,
        out: &mut Output<E, S>,
    ) {
        let last = self.log.last().0;
        let (commit, term, options) = (self.commit, self.term, self.options);
        let Some(progress) = self.progress.get_mut(&peer) else { return };
        if progress.next <= self.log.base() {
            let base = self.log.base();
            if let (Some(state), Some(base_term)) = (self.log.snapshot(), self.log.term_at(base)) {
                let (state, members) = (state.clone(), self.log.base_members());
                out.send.push((peer, Message::Snapshot { term, last: (base, base_term), state, members }));
                progress.next = base.next();
                progress.under_way += 1;
            }
            return;
        }
        let has_entries = progress.next <= last && progress.under_way < options.pipeline;
        if !has_entries && !even_if_empty {
            return;
        }
        let previous = Index(progress.next.0 - 1);
        let Some(previous_term) = self.log.term_at(previous) else { return };
        let entries: Rc<[Entry<E>]> = match shared {
            _ if !has_entries => Rc::new([]),
            Some((from, entries)) if *from == progress.next => entries.clone(),
            _ => self.log.range(progress.next, options.batch).cloned().collect(),
        };
        if has_entries {
            *shared = Some((progress.next, entries.clone()));
            progress.next = Index(previous.0 + entries.len() as u64).next();
            progress.under_way += 1;
        }
        progress.told_commit = commit;
        out.send.push((peer, Message::Append { term, previous: (previous, previous_term), entries, commit }));
    }

    /// The commit index is the highest place that is flushed on a majority and of the leader's own term.
    pub(crate) fn advance_commit(&mut self, out: &mut Output<E, S>) {
        let own = self.voters.contains(&self.me).then(|| self.log.durable());
        let places = || self.progress.values().map(|progress| progress.matched).chain(own);
        let majority = self.majority();
        let on_a_majority = |place: &Index| places().filter(|other| other >= place).count() >= majority;
        let Some(agreed) = places().filter(on_a_majority).max() else { return };
        if agreed <= self.commit || self.log.term_at(agreed) != Some(self.term) {
            return;
        }
        self.commit = agreed;
        if !self.voters.contains(&self.me) && self.log.configuration().0 <= agreed {
            // The others have agreed to go on without this one.
            return self.become_follower(self.term, None, out);
        }
        if self.options.pull {
            return self.answer_parked(out);
        }
        // Followers with more to come learn of it then; the others are told now.
        let last = self.log.last().0;
        let idle = |progress: &Progress| progress.matched == last && progress.told_commit < agreed;
        let mut from = Bound::Unbounded;
        while let Some((peer, _)) = self.progress.range((from, Bound::Unbounded)).find(|(_, p)| idle(p)) {
            let peer = *peer;
            from = Bound::Excluded(peer);
            self.send_append(peer, true, &mut None, out);
        }
    }

    /// A leader of at least this member's term spoke. False if its term is over.
    fn follow(&mut self, from: Peer, term: Term, out: &mut Output<E, S>) -> bool {
        if term < self.term {
            out.send.push((from, Message::AppendReply { term: self.term, matched: Err(Index(0)) }));
            return false;
        }
        assert!(self.role != Role::Leader || term > self.term, "Raft election safety: two leaders in one term");
        if self.leader != Some(from) || term > self.term || self.role != Role::Follower {
            self.become_follower(term, Some(from), out);
        }
        self.suspects = false;
        out.restart_timer = true;
        true
    }

    pub(crate) fn on_append(
        &mut self,
        from: Peer,
        term: Term,
        previous: (Index, Term),
        entries: &[Entry<E>],
        commit: Index,
        out: &mut Output<E, S>,
    ) {
        if !self.follow(from, term, out) {
            return;
        }
        if self.options.may_forget && previous.0 < self.log.base() {
            // The leader lost what this member's snapshot covers.
            self.give_up(Index(0), out);
            out.send.push((from, Message::AppendReply { term, matched: Err(Index(1)) }));
            return;
        }
        let base = self.log.base();
        if previous.0 >= base && self.log.term_at(previous.0) != Some(previous.1) {
            // The leader should go back to the end of this log, or past the whole term that differs.
            let hint = match self.log.term_at(previous.0) {
                None => self.log.last().0.next(),
                Some(other) => self.first_of_term(previous.0, other),
            };
            out.send.push((from, Message::AppendReply { term, matched: Err(hint) }));
            return;
        }
        let mut index = previous.0;
        for entry in entries {
            index = index.next();
            match self.log.term_at(index) {
                _ if index <= base => continue,
                Some(mine) if mine == entry.term => continue,
                Some(_) if self.options.may_forget && index <= self.commit => self.give_up(Index(index.0 - 1), out),
                Some(_) => {
                    assert!(index > self.commit, "Raft leader completeness: a committed entry would be overwritten");
                    self.log.truncate(Index(index.0 - 1));
                    self.know_members();
                }
                None => {}
            }
            self.log.append(entry.clone());
            if entry.members.is_some() {
                self.know_members();
            }
        }
        self.commit = self.commit.max(commit.min(index));
        let reply = Message::AppendReply { term, matched: Ok(index) };
        if self.log.durable() >= index && self.held.is_empty() {
            out.send.push((from, reply));
        } else {
            self.send_when_flushed(from, reply, out);
        }
    }

    /// Gives up what comes after `index`, though it was committed: the leader has lost it.
    fn give_up(&mut self, index: Index, out: &mut Output<E, S>) {
        if index < self.log.base() {
            self.log = Log::new(self.log.configuration().1.clone());
        } else {
            self.log.truncate(index);
        }
        self.know_members();
        self.commit = self.commit.min(index);
        self.applied = self.log.base();
        out.rebuild = true;
    }

    fn first_of_term(&self, from: Index, term: Term) -> Index {
        let mut index = from;
        while index.0 > self.log.base().0 + 1 && self.log.term_at(Index(index.0 - 1)) == Some(term) {
            index = Index(index.0 - 1);
        }
        if self.options.may_forget { index } else { index.max(self.commit.next()) }
    }

    pub(crate) fn on_append_reply(
        &mut self,
        from: Peer,
        term: Term,
        matched: Result<Index, Index>,
        out: &mut Output<E, S>,
    ) {
        if term > self.term {
            return self.become_follower(term, None, out);
        }
        if self.role != Role::Leader || term < self.term {
            return;
        }
        let last = self.log.last().0;
        let Some(progress) = self.progress.get_mut(&from) else { return };
        progress.heard = true;
        progress.under_way = progress.under_way.saturating_sub(1);
        match matched {
            Ok(index) => {
                progress.matched = progress.matched.max(index);
                progress.next = progress.next.max(progress.matched.next());
                self.advance_commit(out);
                let commit = self.commit;
                let uninformed = self.progress.get(&from).is_some_and(|p| p.matched == last && p.told_commit < commit);
                self.send_append(from, uninformed, &mut None, out);
            }
            Err(hint) => {
                if self.options.may_forget {
                    // It lost what it had answered for.
                    progress.matched = progress.matched.min(Index(hint.0.saturating_sub(1)));
                }
                progress.next = hint.min(last.next()).max(progress.matched.next()).max(Index(1));
                progress.under_way = 0;
                self.send_append(from, true, &mut None, out);
            }
        }
    }

    pub(crate) fn on_snapshot(
        &mut self,
        from: Peer,
        term: Term,
        last: (Index, Term),
        (state, members): (S, Rc<[Peer]>),
        out: &mut Output<E, S>,
    ) {
        if !self.follow(from, term, out) {
            return;
        }
        if last.0 > self.commit {
            self.log.restore(last, state.clone(), members);
            self.know_members();
            self.commit = last.0;
            self.applied = last.0;
            out.restored = Some(state);
            out.flush = true;
        }
        if self.options.pull {
            return self.fetch(out);
        }
        let matched = Ok(self.commit.max(last.0));
        self.send_when_flushed(from, Message::AppendReply { term, matched }, out);
    }
}
