//! What of a log lies in remote storage (K-Z1). It outlives the brokers, and all replicas share it.

use super::{Entry, Log, Segment, segment_end};
use sim::{Nanos, Time};
use std::rc::Rc;

/// Segments in remote storage, oldest first.
#[derive(Clone, Debug, Default)]
pub struct RemoteSegments(Vec<Segment>);

impl RemoteSegments {
    /// The offset after the last one.
    fn end(&self) -> u64 {
        self.0.last().map_or(0, segment_end)
    }
}

impl Log {
    /// The first offset on the broker's own disk.
    pub fn local_start(&self) -> u64 {
        if self.remote.0.is_empty() {
            return self.start; // Offsets may be missing at the front of a compacted log.
        }
        let first = self.segments.iter().flat_map(|segment| segment.entries.iter()).next();
        first.map_or(self.end, |entry| entry.base.max(self.start))
    }

    /// What there is in remote storage.
    pub fn remote(&self) -> Option<Rc<RemoteSegments>> {
        (!self.remote.0.is_empty()).then(|| self.remote.clone())
    }

    /// The first closed segment below `limit` that was not copied: where it ends, and its bytes.
    pub fn to_copy(&self, limit: u64) -> Option<(u64, u64)> {
        let closed = self.segments.len().checked_sub(1)?;
        let copied = self.remote.end();
        let next = self.segments.iter().take(closed).find(|segment| segment_end(segment) > copied)?;
        let end = segment_end(next);
        (end <= limit).then_some((end, next.bytes))
    }

    /// The segment that ends there was copied.
    pub fn mark_copied(&mut self, end: u64) {
        let segment = self.segments.iter().find(|segment| segment_end(segment) == end);
        if let Some(segment) = segment.filter(|_| end > self.remote.end()).cloned() {
            Rc::make_mut(&mut self.remote).0.push(segment);
        }
    }

    /// A follower learns what its leader copied.
    pub fn learn_remote(&mut self, remote: &Rc<RemoteSegments>) {
        if remote.end() <= self.end && remote.end() >= self.remote.end() {
            self.remote = remote.clone();
        }
    }

    /// K-L5: a new replica begins where the leader's own disk begins; what comes before is in remote storage.
    pub fn restart_behind(&mut self, local_start: u64, remote: Rc<RemoteSegments>) {
        self.restart_at(local_start);
        let first = remote.0.first().and_then(|segment| segment.entries.get(0)).map(|entry| entry.base);
        self.start = first.unwrap_or(local_start).min(local_start);
        self.remote = remote;
    }

    /// Entries from `offset` on that are in remote storage only.
    pub(super) fn read_remote(&self, offset: u64) -> impl Iterator<Item = &Entry> {
        let local = self.local_start();
        let segments = if offset < local { &self.remote.0[..] } else { &[] };
        let behind = segments.partition_point(|segment| segment_end(segment) <= offset);
        let entries = segments[behind..].iter().flat_map(|segment| segment.entries.iter());
        entries.skip_while(move |entry| entry.end() <= offset).take_while(move |entry| entry.base < local)
    }

    /// Segments that are in remote storage only.
    pub(super) fn remote_only(&self) -> impl Iterator<Item = &Segment> {
        let local = self.local_start();
        self.remote.0.iter().filter(move |segment| segment_end(segment) <= local)
    }

    pub(super) fn forget_remote(&mut self, start: u64) {
        if self.remote.0.first().is_some_and(|segment| segment_end(segment) <= start) {
            Rc::make_mut(&mut self.remote).0.retain(|segment| segment_end(segment) > start);
        }
    }

    /// K-Z1: deletes segments from the broker's own disk that were copied and are older or more than is to be kept
    /// there. Answers whether any was.
    pub fn expire_local(&mut self, now: Time, retention: Option<Nanos>, bytes: Option<u64>) -> bool {
        let copied = self.remote.end();
        let mut any = false;
        while self.segments.len() > 1
            && let Some(segment) = self.segments.front()
        {
            let old = retention.is_some_and(|keep| now.since(segment.last_time) > keep);
            let large = bytes.is_some_and(|keep| self.bytes.saturating_sub(segment.bytes) >= keep);
            if segment_end(segment) > copied || !(old || large) {
                break;
            }
            self.bytes -= segment.bytes;
            self.segments.pop_front();
            any = true;
        }
        any
    }
}
