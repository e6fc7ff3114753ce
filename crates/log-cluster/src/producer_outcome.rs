//! What becomes of a producer's batches: acknowledged, tried again, or given up (K-P4, K-I4).

use crate::accumulator::Bundle;
use crate::client::Fx;
use crate::config::millis;
use crate::dialer::backoff;
use crate::error::Code;
use crate::producer::{Asked, Producer};
use sim::Time;
use sim::story::{Life, MarkKind, MessageId, Note, Rule};

impl Producer {
    /// A batch was answered, or its connection was lost (K-P4).
    pub(crate) fn settle(&mut self, mut bundle: Bundle, result: Result<u64, Code>, fx: &mut Fx<'_>) {
        self.muted.remove(&bundle.partition);
        let code = match result {
            Ok(_) => {
                self.retry_told = None;
                self.ids.acknowledged(bundle.partition, bundle.stamp(), bundle.count());
                // What is within a transaction is acknowledged with its commit.
                if let Some(batch) = bundle.sealed.as_ref().filter(|_| self.transactions.is_none()) {
                    batch.tell(0, Life::Acknowledged, Rule("K-A1"), fx);
                }
                return self.finish(&bundle);
            }
            Err(code) => code,
        };
        if matches!(code, Code::NotLeaderOrFollower | Code::FencedLeaderEpoch | Code::UnknownLeaderEpoch) {
            self.client.refresh(fx);
        }
        if code == Code::MessageTooLarge && bundle.count() > 1 {
            self.ids.split(bundle.partition, bundle.stamp(), bundle.count());
            for half in bundle.split().into_iter().rev() {
                self.gathered.put_back(half);
            }
            return;
        }
        let now = fx.now();
        let too_old = now.since(bundle.created) >= millis(self.config.delivery_timeout_ms);
        let tries_left = i64::from(bundle.attempts) <= self.config.retries;
        let final_codes = [
            Code::MessageTooLarge,
            Code::InvalidRecord,
            Code::InvalidTimestamp,
            Code::InvalidProducerEpoch,
            Code::InvalidTxnState,
            Code::InvalidProducerIdMapping,
        ];
        let hopeless = code == Code::OutOfOrderSequence
            && self.ids.is_hopeless(bundle.partition, bundle.stamp(), bundle.renumbered);
        let retriable = !(final_codes.contains(&code) || hopeless && self.transactions.is_some());
        if too_old || !tries_left || !retriable {
            return self.give_up(bundle, if too_old { Code::Timeout } else { code }, fx);
        }
        if hopeless {
            self.raise_epoch(bundle.partition, Some(&mut bundle), fx);
        } else if self.retry_told != Some(code) && code != Code::ConcurrentTransactions {
            self.retry_told = Some(code);
            let values = vec![self.client.layout.name(fx.me().0), code.name().to_owned()];
            let rule = if code == Code::OutOfOrderSequence { "K-I3" } else { "K-P4" };
            fx.mark(MarkKind::Refusal, "producer-retries", values, Rule(rule));
        }
        let waits = &self.client.waits;
        bundle.rests = now + backoff(waits.retry, waits.retry_most, bundle.attempts.saturating_sub(1), fx);
        self.gathered.put_back(bundle);
    }

    /// K-I4: the sequences of a partition begin anew, under a higher epoch.
    pub(crate) fn raise_epoch(&mut self, partition: u32, other: Option<&mut Bundle>, fx: &mut Fx<'_>) {
        let epoch = self.ids.raise(partition);
        let mut all: Vec<&mut Bundle> = Vec::new();
        for asked in self.client.all_waiting_mut() {
            if let Asked::Batches(bundles) = asked {
                all.extend(bundles.iter_mut().filter(|bundle| bundle.partition == partition));
            }
        }
        all.extend(self.gathered.queues[partition as usize].iter_mut().filter(|bundle| bundle.sealed.is_some()));
        all.extend(other);
        all.sort_by_key(|bundle| bundle.stamp().map(|stamp| stamp.first));
        for bundle in all {
            let stamp = self.ids.stamp(partition, bundle.count());
            bundle.restamp(stamp);
        }
        let values = vec![self.client.layout.name(fx.me().0), epoch.to_string()];
        fx.mark(MarkKind::Change, "producer-epoch", values, Rule("K-I4"));
    }

    fn give_up(&mut self, bundle: Bundle, code: Code, fx: &mut Fx<'_>) {
        self.ids.given_up(bundle.partition, bundle.stamp());
        self.finish(&bundle);
        self.refuse(&bundle.messages(self.index), code, fx);
    }

    /// The application is told that these will not be sent.
    pub(crate) fn refuse(&mut self, messages: &[MessageId], code: Code, fx: &mut Fx<'_>) {
        for id in messages {
            fx.note(Note::Life(*id, Life::Refused, Rule("K-P4")));
        }
        let name = self.client.layout.name(fx.me().0);
        let values = vec![name, messages.len().to_string(), code.name().to_owned()];
        fx.mark(MarkKind::Refusal, "producer-gives-up", values, Rule("K-P4"));
        self.fail_transaction(fx);
    }

    pub(crate) fn next_expiry(&self) -> Option<Time> {
        let limit = millis(self.config.delivery_timeout_ms);
        let under_way = self.client.all_waiting().filter_map(|asked| match asked {
            Asked::Batches(bundles) => bundles.iter().map(|bundle| bundle.created).min(),
            Asked::ProducerId | Asked::Transaction(_) => None,
        });
        let heads = self.gathered.queues.iter().filter_map(|queue| queue.front().map(|head| head.created));
        heads.chain(under_way).min().map(|created| created + limit)
    }

    /// The same, and remembers that until then there is no need to look again: what comes later expires later.
    pub(crate) fn look_for_expiry(&mut self, now: Time) -> Option<Time> {
        let at = self.next_expiry();
        self.none_expires_before = at.unwrap_or(now + millis(self.config.delivery_timeout_ms));
        at
    }

    /// K-P4: what is older than `delivery.timeout.ms` is given up, under way or not.
    pub(crate) fn expire(&mut self, fx: &mut Fx<'_>) {
        let now = fx.now();
        let limit = millis(self.config.delivery_timeout_ms);
        if self.none_expires_before > now || self.look_for_expiry(now).is_none_or(|at| at > now) {
            return;
        }
        let old = |bundle: &Bundle| now.since(bundle.created) >= limit;
        let mut expired = Vec::new();
        for queue in &mut self.gathered.queues {
            while queue.front().is_some_and(old) {
                expired.extend(queue.pop_front());
            }
        }
        for asked in self.client.all_waiting_mut() {
            if let Asked::Batches(bundles) = asked {
                expired.extend(bundles.extract_if(.., |bundle| old(bundle)));
            }
        }
        for bundle in expired {
            self.give_up(bundle, Code::Timeout, fx);
        }
    }
}
