//! A member's log: entries after a snapshot, and how far they are on the disk.

use crate::message::{Index, Peer, Term};
use std::collections::VecDeque;
use std::rc::Rc;

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<E> {
    /// The term of the leader that made it.
    pub term: Term,
    /// What is to be applied; `None` is a new leader's first entry, which applies to nothing.
    pub command: Option<E>,
    /// If it changes who the members are: all of them, from this entry on.
    pub members: Option<Rc<[Peer]>>,
}

/// A member's log.
#[derive(Clone, Debug)]
pub(crate) struct Log<E, S> {
    /// Place and term of the last entry that the snapshot covers.
    base: (Index, Term),
    snapshot: Option<S>,
    entries: VecDeque<Entry<E>>,
    /// Counts every change that has to be flushed.
    written: u64,
    /// How far the log reached after each change that is not flushed yet.
    pending: VecDeque<(u64, Index)>,
    durable: Index,
    /// Who the members are from which entry on: the last counts, the first is from before all entries. Never empty.
    configurations: VecDeque<(Index, Rc<[Peer]>)>,
}

impl<E: Clone, S: Clone> Log<E, S> {
    pub fn new(members: Rc<[Peer]>) -> Self {
        Log {
            configurations: VecDeque::from([(Index(0), members)]),
            base: (Index(0), Term(0)),
            snapshot: None,
            entries: VecDeque::new(),
            written: 0,
            pending: VecDeque::new(),
            durable: Index(0),
        }
    }

    pub fn base(&self) -> Index {
        self.base.0
    }

    pub fn snapshot(&self) -> Option<&S> {
        self.snapshot.as_ref()
    }

    pub fn last(&self) -> (Index, Term) {
        let term = self.entries.back().map_or(self.base.1, |entry| entry.term);
        (Index(self.base.0.0 + self.entries.len() as u64), term)
    }

    /// The members, and from which entry on.
    pub fn configuration(&self) -> (Index, &Rc<[Peer]>) {
        let last = self.configurations.len() - 1;
        let (index, members) = &self.configurations[last];
        (*index, members)
    }

    /// The members as of the snapshot.
    pub fn base_members(&self) -> Rc<[Peer]> {
        self.configurations[0].1.clone()
    }

    /// Entries after `index` are gone, and what they said of members.
    fn forget_configurations(&mut self, index: Index) {
        while self.configurations.len() > 1 && self.configurations.back().is_some_and(|(from, _)| *from > index) {
            self.configurations.pop_back();
        }
    }

    pub fn written(&self) -> u64 {
        self.written
    }

    pub fn durable(&self) -> Index {
        self.durable
    }

    pub fn get(&self, index: Index) -> Option<&Entry<E>> {
        let place = index.0.checked_sub(self.base.0.0 + 1)?;
        self.entries.get(place as usize)
    }

    /// The term of the entry at `index`; `None` if the log has no such entry, or not any more.
    pub fn term_at(&self, index: Index) -> Option<Term> {
        if index == self.base.0 { Some(self.base.1) } else { self.get(index).map(|entry| entry.term) }
    }

    pub fn range(&self, from: Index, limit: usize) -> impl Iterator<Item = &Entry<E>> {
        let start = (from.0 - self.base.0.0 - 1) as usize;
        self.entries.range(start..self.entries.len().min(start + limit))
    }

    /// Notes a change of the term or the vote.
    pub fn touch(&mut self) {
        self.written += 1;
        self.pending.push_back((self.written, self.last().0));
    }

    pub fn append(&mut self, entry: Entry<E>) {
        if let Some(members) = &entry.members {
            self.configurations.push_back((self.last().0.next(), members.clone()));
        }
        self.entries.push_back(entry);
        self.touch();
    }

    /// Drops all entries after `index`.
    pub fn truncate(&mut self, index: Index) {
        self.entries.truncate((index.0 - self.base.0.0) as usize);
        self.durable = self.durable.min(index);
        self.forget_configurations(index);
        for (_, upto) in &mut self.pending {
            *upto = (*upto).min(index);
        }
    }

    /// All changes up to the `written`-th are on the disk.
    pub fn flushed(&mut self, written: u64) {
        while let Some((change, upto)) = self.pending.front().copied()
            && change <= written
        {
            self.durable = self.durable.max(upto);
            self.pending.pop_front();
        }
    }

    /// What was not flushed is gone.
    pub fn lose_unflushed(&mut self) {
        let keep = self.durable.max(self.base.0);
        self.entries.truncate((keep.0 - self.base.0.0) as usize);
        self.pending.clear();
        self.durable = keep;
        self.forget_configurations(keep);
    }

    /// All that was written counts as flushed: the page cache survived.
    pub fn keep_written(&mut self) {
        self.flushed(u64::MAX);
    }

    /// Replaces the entries up to `index` by the state that they led to.
    pub fn compact(&mut self, index: Index, state: S) {
        let Some(term) = self.term_at(index) else { return };
        let gone = (index.0 - self.base.0.0) as usize;
        self.entries.drain(..gone);
        self.base = (index, term);
        self.snapshot = Some(state);
        while self.configurations.get(1).is_some_and(|(from, _)| *from <= index) {
            self.configurations.pop_front();
        }
    }

    /// Replaces everything by a leader's snapshot.
    pub fn restore(&mut self, last: (Index, Term), state: S, members: Rc<[Peer]>) {
        self.configurations = VecDeque::from([(last.0, members)]);
        self.entries.clear();
        self.pending.clear();
        self.base = last;
        self.snapshot = Some(state);
        self.durable = last.0;
        self.touch();
    }
}
