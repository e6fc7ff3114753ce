//! The work that both clusters are given: who produces what when, and how long its processing takes.
//!
//! Arrivals and keys come from streams of dice that are named after the producer alone, so both clusters, and two runs
//! with different settings, see the same messages with the same keys at the same times.

use crate::hand::Hand;
use crate::story::MessageId;
use crate::{Dice, Fingerprint, Nanos, Time};

/// Distribution of a duration.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Duration {
    /// Always the same.
    Constant(Nanos),
    /// Evenly spread, both ends included.
    Uniform(Nanos, Nanos),
    /// Exponential with this mean.
    Exponential(Nanos),
}

impl Duration {
    /// One duration.
    pub fn sample(self, dice: &mut Dice) -> Nanos {
        match self {
            Duration::Constant(d) => d,
            Duration::Uniform(low, high) => dice.between(low, high),
            Duration::Exponential(mean) => dice.exponential(mean),
        }
    }

    /// The mean.
    #[must_use]
    pub fn mean(self) -> Nanos {
        match self {
            Duration::Constant(d) | Duration::Exponential(d) => d,
            Duration::Uniform(low, high) => Nanos((low.0 + high.0) / 2),
        }
    }
}

/// How arrivals are spread.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Default)]
pub enum Arrivals {
    /// At equal distances.
    #[default]
    Steady,
    /// At random (a Poisson process).
    Poisson,
}

/// An application that produces messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerSpec {
    /// Its name, unique among the clients.
    pub name: String,
    /// Messages in a thousand seconds; 0 produces nothing until its rate is changed.
    pub rate_milli: u64,
    /// How arrivals are spread.
    pub arrivals: Arrivals,
    /// How many different keys; 0 for messages without a key.
    pub keys: u32,
    /// Bytes of a message's value.
    pub bytes: u32,
    /// It stops after this many messages; `None` goes on.
    pub limit: Option<u32>,
    /// When it begins.
    pub start: Time,
}

/// An application that consumes messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSpec {
    /// Its name, unique among the clients.
    pub name: String,
    /// How long it works on one message.
    pub processing: Duration,
    /// When it begins.
    pub start: Time,
    /// It settles nothing by itself, and polls only when it is told to.
    pub by_hand: bool,
}

/// All clients.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Workload {
    /// Who produces.
    pub producers: Vec<ProducerSpec>,
    /// Who consumes.
    pub consumers: Vec<ConsumerSpec>,
}

/// A message as its application hands it over. The key's text is `key-<key>`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// Its identity.
    pub id: MessageId,
    /// Its key's index; `None` when it has no key.
    pub key: Option<u32>,
    /// Bytes of its value.
    pub bytes: u32,
    /// Whether it has no value: a tombstone (logs only).
    pub null: bool,
}

/// A producer's stream of messages.
#[derive(Clone, Debug)]
pub struct Source {
    spec: ProducerSpec,
    producer: u16,
    next: u32,
    due: Time,
    arrivals: Dice,
    keys: Dice,
}

impl Source {
    /// The stream of the how-many-th producer of the workload.
    #[must_use]
    pub fn new(seed: u64, producer: u16, spec: &ProducerSpec) -> Source {
        let dice = |name| Dice::named(seed, name, &[u64::from(producer)]);
        let mut source = Source {
            spec: spec.clone(),
            producer,
            next: 0,
            due: Time::NEVER,
            arrivals: dice("arrivals"),
            keys: dice("keys"),
        };
        source.schedule(spec.start);
        source
    }

    /// What it was made of, with the present rate.
    #[must_use]
    pub fn spec(&self) -> &ProducerSpec {
        &self.spec
    }

    /// How many messages it has yielded.
    #[must_use]
    pub fn produced(&self) -> u32 {
        self.next
    }

    /// When the next message is due; `None` if none will come at the present rate.
    #[must_use]
    pub fn due(&self) -> Option<Time> {
        (self.due != Time::NEVER).then_some(self.due)
    }

    fn schedule(&mut self, from: Time) {
        let over = self.spec.limit.is_some_and(|limit| self.next >= limit);
        if over || self.spec.rate_milli == 0 {
            self.due = Time::NEVER;
            return;
        }
        let gap = Nanos((1_000_000_000_000 / self.spec.rate_milli).max(1));
        self.due = from
            + match self.spec.arrivals {
                Arrivals::Steady => gap,
                Arrivals::Poisson => self.arrivals.exponential(gap),
            };
    }

    fn make(&mut self) -> Fresh {
        let id = MessageId { producer: self.producer, sequence: self.next };
        self.next += 1;
        let key = (self.spec.keys > 0).then(|| self.keys.below(u64::from(self.spec.keys)) as u32);
        Fresh { id, key, bytes: self.spec.bytes, null: false }
    }

    /// Yields the message that is due at or before `now`, if one is.
    pub fn take_due(&mut self, now: Time) -> Option<Fresh> {
        if self.due > now {
            return None;
        }
        let due = self.due;
        let fresh = self.make();
        self.schedule(due);
        Some(fresh)
    }

    /// Yields one more message now, beside the stream.
    pub fn make_one(&mut self, key: Option<u32>, null: bool) -> Fresh {
        let fresh = self.make();
        Fresh { key: key.or(fresh.key), null, ..fresh }
    }

    /// Changes the rate from `now` on.
    pub fn set_rate(&mut self, now: Time, rate_milli: u64) {
        self.spec.rate_milli = rate_milli;
        self.schedule(now);
    }
}

/// What a user orders of a client while the run goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientOrder {
    /// Changes a producer's rate: messages in a thousand seconds.
    SetRate {
        /// The producer's place in the workload.
        producer: u16,
        /// Messages in a thousand seconds.
        rate_milli: u64,
    },
    /// Changes a consumer's processing time.
    SetProcessing {
        /// The consumer's place in the workload.
        consumer: u16,
        /// The new distribution.
        processing: Duration,
    },
    /// Changes a consumer's prefetch (queues: basic.qos; logs: max.poll.records).
    SetPrefetch {
        /// The consumer's place in the workload.
        consumer: u16,
        /// The new window; 0 is unlimited where the broker has it so.
        count: u16,
    },
    /// Has a consumer's application fail on messages of a key, or on none any more.
    FailOn {
        /// The consumer's place in the workload.
        consumer: u16,
        /// The key's index.
        key: Option<u32>,
    },
    /// Publishes one message by hand.
    PublishOne {
        /// The producer's place in the workload.
        producer: u16,
        /// The key's index; `None`: as the stream would have it.
        key: Option<u32>,
        /// Whether it has no value: a tombstone (logs only).
        null: bool,
    },
    /// Ends a producer's open transaction by hand (logs only).
    EndTransaction {
        /// The producer's place in the workload.
        producer: u16,
        /// To commit it, or to abort it.
        commit: bool,
    },
    /// Has a consumer do something by hand.
    Hand {
        /// The consumer's place in the workload.
        consumer: u16,
        /// What.
        hand: Hand,
    },
}

impl ClientOrder {
    /// Whom it is for.
    #[must_use]
    pub fn role(&self) -> Role {
        match self {
            ClientOrder::SetRate { producer, .. }
            | ClientOrder::PublishOne { producer, .. }
            | ClientOrder::EndTransaction { producer, .. } => Role::Producer(*producer),
            ClientOrder::SetProcessing { consumer, .. }
            | ClientOrder::SetPrefetch { consumer, .. }
            | ClientOrder::FailOn { consumer, .. }
            | ClientOrder::Hand { consumer, .. } => Role::Consumer(*consumer),
        }
    }
}

impl Fingerprint for ClientOrder {
    fn fingerprint(&self) -> u64 {
        match self {
            ClientOrder::SetRate { producer, rate_milli } => 1 | u64::from(*producer) << 8 | rate_milli << 24,
            ClientOrder::SetProcessing { consumer, processing } => {
                2 | u64::from(*consumer) << 8 | processing.mean().0 << 24
            }
            ClientOrder::SetPrefetch { consumer, count } => 3 | u64::from(*consumer) << 8 | u64::from(*count) << 24,
            ClientOrder::PublishOne { producer, key, null } => {
                let key = key.map_or(0, |key| u64::from(key) + 1);
                4 | u64::from(*producer) << 8 | u64::from(*null) << 24 | key << 25
            }
            ClientOrder::EndTransaction { producer, commit } => {
                5 | u64::from(*producer) << 8 | u64::from(*commit) << 24
            }
            ClientOrder::FailOn { consumer, key } => {
                7 | u64::from(*consumer) << 8 | key.map_or(0, |key| u64::from(key) + 1) << 24
            }
            ClientOrder::Hand { consumer, hand } => 6 | u64::from(*consumer) << 8 | hand.fingerprint() << 24,
        }
    }
}

/// What a node is in its cluster.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// A broker or a queue node.
    Server,
    /// A controller of the log cluster that is no broker.
    Controller,
    /// A producing client: the how-many-th of the workload.
    Producer(u16),
    /// A consuming client: the how-many-th of the workload.
    Consumer(u16),
}

/// A node's name and role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its id.
    pub id: crate::NodeId,
    /// Its name: `broker-1`, `controller-1`, `rabbit-1`, or the client's.
    pub name: String,
    /// Its role.
    pub role: Role,
}

/// A setting that a broker or client refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, from the cluster's part of the document: `topics[0].config.min.insync.replicas`.
    pub path: String,
    /// What is wrong and what was expected, in a sentence.
    pub message: String,
}
