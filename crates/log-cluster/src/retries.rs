//! Requests of a client that failed rest before they are asked again.

use crate::client::{Fx, Waits};
use crate::dialer::backoff;
use crate::rpc::{ClientWake, Wake};
use sim::Time;

/// How often a kind of request failed in a row, and until when it rests: each time about twice as long, up to
/// `retry.backoff.max.ms` (RequestState.java, AbstractCoordinator.java).
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Rest {
    failures: u32,
    until: Time,
}

impl Rest {
    pub fn is_over(&self, now: Time) -> bool {
        self.until <= now
    }

    /// It failed, and is asked again after a while.
    pub fn failed(&mut self, waits: &Waits, fx: &mut Fx<'_>) {
        self.until = fx.now() + backoff(waits.retry, waits.retry_most, self.failures, fx);
        self.failures += 1;
        fx.wake_at(self.until, Wake::Client(ClientWake::Retry(0)));
    }

    pub fn succeeded(&mut self) {
        *self = Rest::default();
    }
}
