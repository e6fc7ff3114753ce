//! The player: plays a document, seeks in it, takes orders, and says what it came to.
//!
//! It must never let how it is driven change what is played: slices, seeks and clones all lead to one digest. Held by
//! the tests in `tests/one_digest.rs`.

mod report;
mod side;
mod state;
pub mod words;

pub use report::{Report, kind as mark_kind, report};
pub use side::{BUCKET, Bucket, Cluster, Side};
pub use state::State;

use scenario::tape::TapeOrder;
use scenario::units::Span;
use scenario::{Compiled, Document, Refusal};
use sim::story::Mark;
use sim::{Nanos, Time};

/// How far a call came.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The playhead.
    pub at: Time,
    /// Events played so far in this run.
    pub events: u64,
    /// Whether the time asked for was reached.
    pub arrived: bool,
}

/// At most so many keyframes are kept; then every second one is dropped and they are taken half as often.
const KEYFRAMES: usize = 64;

/// Plays a document.
#[derive(Clone, Debug)]
pub struct Player {
    document: Document,
    compiled: Compiled,
    state: State,
    /// The run played on to its end, for the marks that lie ahead.
    ahead: State,
    /// States to begin a seek from, by their times; the first is the start.
    keyframes: Vec<State>,
    keyframe_every: u64,
    /// The tapes before each order given by hand, newest last: also what an order in the past cut off.
    history: Vec<Vec<TapeOrder>>,
}

impl Player {
    /// A player at the start of a run.
    ///
    /// # Errors
    /// What is wrong with the document.
    pub fn new(document: Document) -> Result<Player, Refusal> {
        let compiled = scenario::compile(&document)?;
        let state = State::new(&compiled);
        let keyframes = vec![state.clone()];
        Ok(Player {
            document,
            compiled,
            ahead: state.clone(),
            state,
            keyframes,
            keyframe_every: 5_000,
            history: Vec::new(),
        })
    }

    /// The document, with all orders that were given.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// What was made of it.
    #[must_use]
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// The state at the playhead.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The state at the playhead, for questions that keep notes (verdicts).
    pub fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// The playhead.
    #[must_use]
    pub fn at(&self) -> Time {
        self.state.at
    }

    /// The end of the run.
    #[must_use]
    pub fn end(&self) -> Time {
        self.compiled.end
    }

    /// The digest of everything up to the playhead.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.state.digest()
    }

    /// Plays on to `to`, but not past the end, with at most `events_max` events.
    pub fn advance(&mut self, to: Time, events_max: u64) -> Progress {
        let to = to.min(self.compiled.end);
        let mut left = events_max;
        while left > 0 {
            let chunk = left.min(self.keyframe_every);
            let played = self.state.play(&self.compiled.tape, to, chunk);
            left -= played.min(left);
            if played < chunk {
                break;
            }
            let state = self.state.clone();
            self.keep(state);
        }
        let next_due = self.state.at < to;
        Progress { at: self.state.at, events: self.state.events(), arrived: !next_due }
    }

    /// Plays one event, or carries out one order of the tape.
    pub fn step(&mut self) -> Progress {
        let moved = self.state.step(&self.compiled.tape, self.compiled.end);
        if !moved {
            self.state.play(&self.compiled.tape, self.compiled.end, u64::MAX);
        }
        Progress { at: self.state.at, events: self.state.events(), arrived: moved }
    }

    /// Goes to `to`, back or forth: from the nearest state kept before it, with at most `events_max` events.
    /// Where it does not arrive, further calls of [`Player::advance`] do.
    pub fn seek(&mut self, to: Time, events_max: u64) -> Progress {
        let to = to.min(self.compiled.end);
        let after = self.keyframes.partition_point(|state| state.at <= to);
        // The first keyframe is the start, so there is one; of the same instant a state may be half played.
        let nearest = &self.keyframes[after.saturating_sub(1)];
        if to < self.state.at || nearest.at > self.state.at {
            self.state = nearest.clone();
        }
        self.advance(to, events_max)
    }

    fn keep(&mut self, state: State) {
        let place = self.keyframes.partition_point(|kept| kept.events() < state.events());
        if self.keyframes.get(place).is_some_and(|kept| kept.events() < state.events() + self.keyframe_every / 2) {
            return;
        }
        self.keyframes.insert(place, state);
        if self.keyframes.len() > KEYFRAMES {
            let mut place = 0;
            self.keyframes.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.keyframe_every *= 2;
        }
    }

    /// Plays ahead of the playhead towards the end, so that the marks to come are known. Answers whether all is known.
    pub fn look_ahead(&mut self, events_max: u64) -> bool {
        if self.ahead.at < self.state.at {
            self.ahead = self.state.clone();
        }
        let mut left = events_max;
        while left > 0 {
            let chunk = left.min(self.keyframe_every);
            let played = self.ahead.play(&self.compiled.tape, self.compiled.end, chunk);
            left -= played.min(left);
            if played < chunk {
                break;
            }
            let state = self.ahead.clone();
            self.keep(state);
        }
        self.ahead.at >= self.compiled.end
    }

    /// How far the run was played, by the playhead or ahead of it.
    #[must_use]
    pub fn known(&self) -> Time {
        self.ahead.at.max(self.state.at)
    }

    /// The digest of the whole run, once it was played to its end.
    #[must_use]
    pub fn end_digest(&self) -> Option<u64> {
        let end = self.compiled.end;
        [&self.ahead, &self.state].into_iter().find(|state| state.at >= end).map(State::digest)
    }

    /// The furthest state that was played.
    #[must_use]
    pub fn furthest(&self) -> &State {
        if self.ahead.at >= self.state.at { &self.ahead } else { &self.state }
    }

    /// All marks known so far, also those ahead: (`log` or `queue`, mark), by time.
    #[must_use]
    pub fn marks(&self) -> Vec<(&'static str, Mark)> {
        let furthest = self.furthest();
        let log = furthest.log.iter().flat_map(|side| side.marks.iter()).map(|mark| ("log", mark.clone()));
        let queue = furthest.queue.iter().flat_map(|side| side.marks.iter()).map(|mark| ("queue", mark.clone()));
        let mut marks: Vec<(&'static str, Mark)> = log.chain(queue).collect();
        marks.sort_by_key(|(_, mark)| mark.at);
        marks
    }

    /// Carries out an order at the playhead and writes it on the tape. What the tape held after this time is cut off
    /// and kept for [`Player::undo`].
    ///
    /// # Errors
    /// What is wrong with the order.
    pub fn order(&mut self, mut order: TapeOrder) -> Result<(), Refusal> {
        // An order comes after everything that happens at its time.
        self.state.play(&self.compiled.tape, self.state.at, u64::MAX);
        let at = self.state.at;
        order.at = Span(Nanos(at.0));
        scenario::resolve(&self.document, &self.compiled.workload, &order)?;
        self.history.push(self.document.tape.clone());
        self.document.tape.retain(|kept| kept.at.time() <= at);
        self.document.tape.push(order);
        self.retape()?;
        self.keyframes.retain(|state| state.at < at);
        self.state.play(&self.compiled.tape, at, u64::MAX);
        self.ahead = self.state.clone();
        Ok(())
    }

    /// Takes the last order given by hand back: the tape is as it was before, with what the order had cut off.
    /// The playhead stays. False if there is nothing to take back.
    pub fn undo(&mut self) -> bool {
        let at = self.state.at;
        let Some(tape) = self.history.pop() else { return false };
        self.document.tape = tape;
        if self.retape().is_err() {
            return false;
        }
        self.keyframes.truncate(1);
        self.state = self.keyframes[0].clone();
        self.state.play(&self.compiled.tape, at, u64::MAX);
        self.ahead = self.state.clone();
        true
    }

    fn retape(&mut self) -> Result<(), Refusal> {
        self.compiled.tape = scenario::compile(&self.document)?.tape;
        Ok(())
    }
}
