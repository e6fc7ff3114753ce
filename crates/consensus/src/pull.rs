//! Replication by pull, as KRaft does it (K-Q1): followers fetch, and the fetch after tells the leader what they have on
//! the disk. A new leader says that its epoch has begun, until everyone fetches.

use crate::log::Entry;
use crate::message::{Index, Message, Peer, Pulled, Term};
use crate::raft::{Output, Raft, Role};

/// A fetch that waits for news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parked {
    pub ticket: u64,
    pub commit: Index,
}

impl<E: Clone, S: Clone> Raft<E, S> {
    /// The epoch begins: everyone who has not fetched in it is told, now and with each sign of life.
    pub(crate) fn tell_epoch(&mut self, out: &mut Output<E, S>) {
        for peer in self.others() {
            let fetched = self.progress.get_mut(&peer).is_some_and(|progress| std::mem::take(&mut progress.fetched));
            if !fetched && !self.parked.contains_key(&peer) {
                out.send.push((peer, Message::BeginEpoch { term: self.term }));
            }
        }
    }

    pub(crate) fn on_begin_epoch(&mut self, from: Peer, term: Term, out: &mut Output<E, S>) {
        if term < self.term {
            return;
        }
        assert!(self.role != Role::Leader || term > self.term, "Raft election safety: two leaders in one term");
        if self.leader != Some(from) || self.term != term || self.role != Role::Follower {
            self.become_follower(term, Some(from), out);
        }
        self.suspects = false;
        out.restart_timer = true;
        // The leader waits for a fetch: if one was under way it did not come through.
        self.fetch(out);
    }

    /// Asks the leader for what comes behind the own log, once that is on the disk.
    pub(crate) fn fetch(&mut self, out: &mut Output<E, S>) {
        let Some(leader) = self.leader.filter(|leader| *leader != self.me && self.role == Role::Follower) else {
            return;
        };
        self.tickets += 1;
        let (last, commit) = (self.log.last(), self.commit);
        let ask = Message::Fetch { term: self.term, last, commit, ticket: self.tickets };
        if self.log.durable() >= self.log.last().0 && self.held.is_empty() {
            out.send.push((leader, ask));
        } else {
            self.send_when_flushed(leader, ask, out);
        }
    }

    pub(crate) fn on_fetch(
        &mut self,
        (from, ticket): (Peer, u64),
        term: Term,
        last: (Index, Term),
        commit: Index,
        out: &mut Output<E, S>,
    ) {
        let mine = self.term;
        if term > self.term {
            return self.become_follower(term, None, out);
        }
        if self.role != Role::Leader {
            return out.send.push((from, Message::Fetched { term: mine, ticket, what: Pulled::NotLeader }));
        }
        if term < self.term {
            return out.send.push((from, Message::BeginEpoch { term: self.term }));
        }
        let matches = last.0 <= self.log.base() || self.log.term_at(last.0) == Some(last.1);
        if let Some(progress) = self.progress.get_mut(&from) {
            progress.heard = true;
            progress.fetched = true;
            if matches {
                // What it fetches behind, it has on the disk.
                progress.matched = progress.matched.max(last.0);
            }
        }
        if !matches {
            let (epoch, end) = self.epoch_end(last.1, last.0);
            let what = Pulled::Diverging(end, epoch);
            return out.send.push((from, Message::Fetched { term: mine, ticket, what }));
        }
        self.parked.remove(&from);
        self.advance_commit(out);
        if last.0 >= self.log.durable() && commit >= self.commit {
            self.parked.insert(from, Parked { ticket, commit });
            out.park.push((from, ticket));
        } else {
            self.answer_fetch((from, ticket), last.0, out);
        }
    }

    /// Where the leader's log parts from one whose last entry is `index` of `term`: the end of its greatest epoch up to
    /// that one.
    fn epoch_end(&self, term: Term, index: Index) -> (Term, Index) {
        let mut end = index.min(self.log.last().0);
        while end > self.log.base() && self.log.term_at(end).is_some_and(|own| own > term) {
            end = Index(end.0 - 1);
        }
        (self.log.term_at(end).unwrap_or(Term(0)), end)
    }

    fn answer_fetch(&mut self, (peer, ticket): (Peer, u64), from: Index, out: &mut Output<E, S>) {
        let term = self.term;
        if from < self.log.base() {
            let base = self.log.base();
            if let (Some(state), Some(base_term)) = (self.log.snapshot(), self.log.term_at(base)) {
                let (state, members) = (state.clone(), self.log.base_members());
                out.send.push((peer, Message::Snapshot { term, last: (base, base_term), state, members }));
            }
            return;
        }
        let Some(previous_term) = self.log.term_at(from) else { return };
        // The leader gives out what it has on the disk itself.
        let durable = (self.log.durable().0.saturating_sub(from.0)) as usize;
        let entries: Vec<Entry<E>> = self.log.range(from.next(), self.options.batch.min(durable)).cloned().collect();
        let what = Pulled::Entries { previous: (from, previous_term), entries: entries.into(), commit: self.commit };
        out.send.push((peer, Message::Fetched { term, ticket, what }));
    }

    /// There is news: entries on the disk, or more is agreed on.
    pub(crate) fn answer_parked(&mut self, out: &mut Output<E, S>) {
        let (durable, commit) = (self.log.durable(), self.commit);
        let matched = |peer: &Peer| self.progress.get(peer).map_or(Index(0), |progress| progress.matched);
        let waiting = self.parked.iter().filter(|(peer, parked)| matched(peer) < durable || parked.commit < commit);
        let news: Vec<Peer> = waiting.map(|(peer, _)| *peer).collect();
        for peer in news {
            let Some(parked) = self.parked.remove(&peer) else { continue };
            let from = self.progress.get(&peer).map_or(Index(0), |progress| progress.matched);
            self.answer_fetch((peer, parked.ticket), from, out);
        }
    }

    /// A fetch has waited long enough: it gets an answer without news.
    pub(crate) fn on_fetch_expired(&mut self, peer: Peer, ticket: u64, out: &mut Output<E, S>) {
        if self.role == Role::Leader && self.parked.get(&peer).is_some_and(|parked| parked.ticket == ticket) {
            self.parked.remove(&peer);
            let from = self.progress.get(&peer).map_or(Index(0), |progress| progress.matched);
            self.answer_fetch((peer, ticket), from, out);
        }
    }

    pub(crate) fn on_fetched(
        &mut self,
        (from, ticket): (Peer, u64),
        term: Term,
        what: Pulled<E>,
        out: &mut Output<E, S>,
    ) {
        if term > self.term {
            return self.become_follower(term, None, out);
        }
        if self.leader != Some(from) || term < self.term || self.role != Role::Follower || ticket != self.tickets {
            return;
        }
        match what {
            Pulled::NotLeader => {
                self.leader = None;
                out.changed = true;
                return;
            }
            Pulled::Diverging(end, _) => {
                // K-L4 for the metadata: what the leader does not have goes.
                let end = end.min(Index(self.log.last().0.0.saturating_sub(1))).max(self.log.base());
                assert!(end >= self.commit, "Raft leader completeness: a committed entry would be truncated");
                self.log.truncate(end);
                self.know_members();
            }
            Pulled::Entries { previous, entries, commit } => {
                if previous == self.log.last() {
                    for entry in entries.iter() {
                        self.log.append(entry.clone());
                    }
                    out.flush |= !entries.is_empty();
                    self.commit = self.commit.max(commit.min(self.log.last().0));
                }
            }
        }
        self.suspects = false;
        out.restart_timer = true;
        self.fetch(out);
    }
}
