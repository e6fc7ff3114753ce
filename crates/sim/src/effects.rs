//! What a process can do.

use crate::story::{Life, Look, Mark, MarkKind, MessageId, Note, Rule};
use crate::world::{Alarm, Kit, NodeId, Process, Scheduled};
use crate::{Dice, Nanos, Time};

/// What a process can do in answer to an event.
#[derive(Debug)]
pub struct Effects<'a, P: Process> {
    pub(crate) kit: &'a mut Kit<P>,
    pub(crate) me: NodeId,
    pub(crate) exiting: bool,
}

impl<P: Process> Effects<'_, P> {
    /// Which node this process is.
    #[must_use]
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// The time of the event.
    #[must_use]
    pub fn now(&self) -> Time {
        self.kit.now
    }

    /// The dice of this process.
    pub fn dice(&mut self) -> &mut Dice {
        &mut self.kit.nodes[self.me.index()].dice
    }

    /// Remembers something for later.
    pub fn wake_at(&mut self, at: Time, wake: P::Wake) -> Alarm {
        let life = self.kit.nodes[self.me.index()].life;
        self.kit.wheel.push(at, Scheduled::Wake { node: self.me, life, wake })
    }

    /// Remembers something for after a while.
    pub fn wake_in(&mut self, wait: Nanos, wake: P::Wake) -> Alarm {
        self.wake_at(self.kit.now + wait, wake)
    }

    /// Forgets what was to be remembered. Harmless if it has come already.
    pub fn cancel(&mut self, alarm: Alarm) {
        self.kit.wheel.cancel(alarm);
    }

    /// Does `cost` of work on a core; `wake` comes when it is done. A lane does one thing at a time, in order.
    pub fn work(&mut self, lane: u16, cost: Nanos, wake: P::Wake) {
        let end = self.kit.nodes[self.me.index()].machine.book_work(self.kit.now, lane, cost);
        self.wake_at(end, wake);
    }

    /// When the work booked on a lane will be done; in the past if it is idle.
    #[must_use]
    pub fn lane_free(&self, lane: u16) -> Time {
        self.kit.nodes[self.me.index()].machine.lane_free(lane)
    }

    /// Writes bytes to the page cache.
    pub fn write(&mut self, bytes: u64) {
        self.kit.nodes[self.me.index()].machine.write(bytes);
    }

    /// Flushes `bytes` of what was written (fsync); `wake` comes when they are on the disk.
    pub fn flush(&mut self, bytes: u64, wake: P::Wake) {
        let end = self.kit.nodes[self.me.index()].machine.book_flush(self.kit.now, bytes);
        self.wake_at(end, wake);
    }

    /// Opens a connection; [`Event::Connected`] or [`Event::Disconnected`] follows. Nothing happens if one is open.
    pub fn connect(&mut self, peer: NodeId) {
        self.kit.connect(self.me, peer);
    }

    /// Closes the connection, or gives up opening it. The peer learns of it; this process gets no event.
    pub fn disconnect(&mut self, peer: NodeId) {
        self.kit.disconnect(self.me, peer);
    }

    /// Whether this process sees an open connection to `peer`. It may be dead without knowing.
    #[must_use]
    pub fn is_connected(&self, peer: NodeId) -> bool {
        self.kit.is_open(self.me, peer)
    }

    /// Sends a message over the open connection. False if there is none: then nothing was sent.
    pub fn send(&mut self, peer: NodeId, message: P::Message, bytes: u32, look: Look) -> bool {
        self.kit.send(self.me, peer, message, bytes, look)
    }

    /// Tells the observers something.
    pub fn note(&mut self, note: Note) {
        self.kit.notes.push((self.kit.now, self.me, 1, note));
    }

    /// Tells the observers the same of `count` messages of one producer that follow each other, `first` being the first
    /// of them: as if it were told of each in its turn.
    pub fn note_run(&mut self, first: MessageId, count: u32, life: Life, rule: Rule) {
        self.kit.notes.push((self.kit.now, self.me, count, Note::Life(first, life, rule)));
    }

    /// Tells the observers of something that belongs on the time line.
    pub fn mark(&mut self, kind: MarkKind, code: &'static str, values: Vec<String>, rule: Rule) {
        let mark = Mark { at: self.kit.now, kind, node: self.me, code, values, rule };
        self.note(Note::Mark(Box::new(mark)));
    }

    /// Ends this process in good order, after this event. Connections are closed.
    pub fn exit(&mut self) {
        self.exiting = true;
    }
}
