//! The player: plays a document, seeks in it, takes orders, and says what it came to.
//!
//! It must never let how it is driven change what is played: slices, seeks and clones all lead to one digest. Held by
//! the tests in `tests/one_digest.rs`.

mod gauge;
pub mod life;
mod report;
pub mod say;
mod side;
mod state;
mod trace;
pub mod words;

pub use gauge::{Gauge, Latencies};
pub use referee::Fate;
pub use report::{Report, kind as mark_kind, report};
pub use side::{BUCKET, Bucket, Cluster, Side};
pub use state::State;
pub use trace::{Arrow, Followed, LifeStep, SideTrace, Trace};

use scenario::document::BranchPart;
use scenario::tape::{TapeOrder, Verb};
use scenario::units::Span;
use scenario::{Compiled, Document, Refusal};
use sim::story::Mark;
use sim::workload::Problem;
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

/// At most so many keyframes are kept; then every second one is dropped and they are taken half as often. Of a run of a
/// million events they are 10,000 events apart, which a page plays within a frame or two.
const KEYFRAMES: usize = 128;

/// Plays a document.
#[derive(Clone, Debug)]
pub struct Player {
    document: Document,
    compiled: Compiled,
    state: State,
    /// The run played on towards its end, for the marks that lie ahead; none before the first look.
    ahead: Option<State>,
    /// States to begin a seek from, by their times; the first is the start.
    keyframes: Vec<State>,
    keyframes_most: usize,
    keyframe_every: u64,
    /// Whether states are kept on the way.
    keeps: bool,
    /// The tapes before each order given by hand, newest last: also what an order in the past cut off.
    history: Vec<Vec<TapeOrder>>,
    /// The tapes that were taken back, newest last.
    undone: Vec<Vec<TapeOrder>>,
}

impl Player {
    /// A player at the start of a run.
    ///
    /// # Errors
    /// What is wrong with the document.
    pub fn new(document: Document) -> Result<Player, Refusal> {
        let compiled = scenario::compile(&document)?;
        let state = State::new(&compiled);
        // Made twice instead of copied: a page that is just opening has not got the code that copies yet.
        let keyframes = vec![State::new(&compiled)];
        Ok(Player {
            document,
            compiled,
            ahead: None,
            state,
            keyframes,
            keyframes_most: KEYFRAMES,
            keyframe_every: 5_000,
            keeps: true,
            history: Vec::new(),
            undone: Vec::new(),
        })
    }

    /// Whether states are kept on the way, to seek back to; without them a seek back plays from the start. They are,
    /// unless this says otherwise; a look ahead keeps them in any case, and from then on.
    pub fn keep_states(&mut self, keeps: bool) {
        self.keeps = keeps;
    }

    /// Keeps at most so many states (at least the start) from now on, where memory is short; a seek takes longer then.
    pub fn keep_at_most(&mut self, states: usize) {
        self.keyframes_most = states.max(1);
        while self.keyframes.len() > self.keyframes_most {
            self.thin_out();
        }
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
            if let Some(place) = self.place_to_keep(self.state.events()).filter(|_| self.keeps) {
                self.keep(place, self.state.clone());
            }
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

    /// Where a state after so many events goes among those kept; none if it is too near to one.
    fn place_to_keep(&self, events: u64) -> Option<usize> {
        let place = self.keyframes.partition_point(|kept| kept.events() < events);
        let apart = |place: usize, least: u64| {
            self.keyframes.get(place).is_none_or(|kept| kept.events().abs_diff(events) >= least)
        };
        (apart(place.wrapping_sub(1), self.keyframe_every) && apart(place, self.keyframe_every / 2)).then_some(place)
    }

    fn keep(&mut self, place: usize, state: State) {
        self.keyframes.insert(place, state);
        if self.keyframes.len() > self.keyframes_most {
            self.thin_out();
        }
    }

    /// Drops every second keyframe, but never the first.
    fn thin_out(&mut self) {
        let mut place = 0;
        self.keyframes.retain(|_| {
            place += 1;
            place % 2 == 1
        });
        self.keyframe_every *= 2;
    }

    /// Plays ahead of the playhead towards the end, so that the marks to come are known. Answers whether all is known.
    pub fn look_ahead(&mut self, events_max: u64) -> bool {
        self.keeps = true;
        let mut ahead = match self.ahead.take() {
            Some(ahead) if ahead.at >= self.state.at => ahead,
            _ => self.state.clone(),
        };
        let mut left = events_max;
        while left > 0 {
            let chunk = left.min(self.keyframe_every);
            let played = ahead.play(&self.compiled.tape, self.compiled.end, chunk);
            left -= played.min(left);
            if played < chunk {
                break;
            }
            if let Some(place) = self.place_to_keep(ahead.events()) {
                self.keep(place, ahead.clone());
            }
        }
        let all = ahead.at >= self.compiled.end;
        self.ahead = Some(ahead);
        all
    }

    /// How far the run was played, by the playhead or ahead of it.
    #[must_use]
    pub fn known(&self) -> Time {
        self.furthest().at
    }

    /// The digest of the whole run, once it was played to its end.
    #[must_use]
    pub fn end_digest(&self) -> Option<u64> {
        let end = self.compiled.end;
        self.ahead.iter().chain([&self.state]).find(|state| state.at >= end).map(State::digest)
    }

    /// The furthest state that was played.
    #[must_use]
    pub fn furthest(&self) -> &State {
        self.ahead.as_ref().filter(|ahead| ahead.at >= self.state.at).unwrap_or(&self.state)
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
        if order.order == Verb::AddClient {
            let mut tape = self.document.tape.clone();
            tape.retain(|kept| kept.at.time() <= at);
            tape.push(order);
            return self.set_tape(tape);
        }
        let step = scenario::resolve(&self.document, &self.compiled.workload, &order)?;
        if let Some(objection) = self.state.objection(&step) {
            let message = words::objection(&objection);
            return Err(Refusal(vec![Problem { path: "order".to_owned(), message }]));
        }
        self.history.push(self.document.tape.clone());
        self.undone.clear();
        self.document.tape.retain(|kept| kept.at.time() <= at);
        self.document.tape.push(order);
        self.retape()?;
        self.forget_from(at);
        self.state.play(&self.compiled.tape, at, u64::MAX);
        self.ahead = None;
        Ok(())
    }

    /// Carries out several orders at the playhead as one change: one step of [`Player::undo`] takes all back.
    ///
    /// # Errors
    /// What is wrong with the first that is refused; none is carried out then.
    pub fn orders(&mut self, orders: Vec<TapeOrder>) -> Result<(), Refusal> {
        let (tape, steps) = (self.document.tape.clone(), self.history.len());
        let undone = self.undone.clone();
        for order in orders {
            if let Err(refusal) = self.order(order) {
                self.replace_tape(tape)?;
                self.history.truncate(steps);
                self.undone = undone;
                return Err(refusal);
            }
        }
        self.history.truncate(steps + 1);
        Ok(())
    }

    /// Writes the tape anew: orders moved, changed, muted, added or gone. The playhead stays.
    ///
    /// # Errors
    /// What is wrong with the tape; the old one is kept then.
    pub fn set_tape(&mut self, tape: Vec<TapeOrder>) -> Result<(), Refusal> {
        let before = self.document.tape.clone();
        self.replace_tape(tape)?;
        self.history.push(before);
        self.undone.clear();
        Ok(())
    }

    /// Keeps other tapes with the document. What is played stays as it is.
    ///
    /// # Errors
    /// What is wrong with them; those before are kept then.
    pub fn set_branches(&mut self, branches: Vec<BranchPart>) -> Result<(), Refusal> {
        let before = std::mem::replace(&mut self.document.branches, branches);
        let checked = scenario::check_branches(&self.document);
        if checked.is_err() {
            self.document.branches = before;
        }
        checked
    }

    /// Takes the last change of the tape back: it is as it was before, with what an order had cut off.
    /// The playhead stays. False if there is nothing to take back.
    pub fn undo(&mut self) -> bool {
        let Some(tape) = self.history.pop() else { return false };
        self.undone.push(self.document.tape.clone());
        self.replace_tape(tape).is_ok()
    }

    /// Does again what was taken back last. False if there is nothing.
    pub fn redo(&mut self) -> bool {
        let Some(tape) = self.undone.pop() else { return false };
        self.history.push(self.document.tape.clone());
        self.replace_tape(tape).is_ok()
    }

    fn replace_tape(&mut self, tape: Vec<TapeOrder>) -> Result<(), Refusal> {
        let before = std::mem::replace(&mut self.document.tape, tape);
        self.document.tape.sort_by_key(|order| order.at.time());
        if let Err(refusal) = self.retape() {
            self.document.tape = before;
            return Err(refusal);
        }
        let at = self.state.at;
        // What was played before the first difference stays as it is.
        let (old, new) = (&before, &self.document.tape);
        let gone = old.iter().filter(|order| !new.contains(order));
        let come = new.iter().filter(|order| !old.contains(order));
        let first = gone.chain(come).map(|order| order.at.time()).min().unwrap_or(Time::ZERO);
        let joining = |tape: &[TapeOrder]| -> Vec<TapeOrder> {
            tape.iter().filter(|order| order.order == Verb::AddClient).cloned().collect()
        };
        // Who joins later is there from the start.
        self.forget_from(if joining(old) == joining(new) { first } else { Time::ZERO });
        self.state = self.keyframes[self.keyframes.len() - 1].clone();
        self.state.play(&self.compiled.tape, at, u64::MAX);
        self.ahead = None;
        Ok(())
    }

    /// The latest state kept at or before `at`; there is one, as the first is the start.
    pub(crate) fn state_before(&self, at: Time) -> State {
        let kept = self.keyframes.partition_point(|state| state.at <= at);
        let nearest = &self.keyframes[kept.saturating_sub(1)];
        if self.state.at <= at && self.state.at > nearest.at { self.state.clone() } else { nearest.clone() }
    }

    /// Drops the states that are not true any more once the tape is another from `at` on; the start is made anew.
    fn forget_from(&mut self, at: Time) {
        self.keyframes.retain(|state| state.at < at);
        if self.keyframes.is_empty() {
            self.keyframes.push(State::new(&self.compiled));
        }
    }

    fn retape(&mut self) -> Result<(), Refusal> {
        self.compiled = scenario::compile(&self.document)?;
        Ok(())
    }
}
