//! Settings that are one of a few words.

use crate::settings::words;

words! {
    /// How many replicas must have a batch before its producer is answered (K-A1).
    Acks {
        /// None: there is no answer.
        None = "0",
        /// The leader.
        Leader = "1",
        /// All in-sync replicas.
        All = "all" | "-1",
    }
}

words! {
    /// How a partition is chosen.
    PartitionerClass {
        /// By the key's hash, and sticky without a key (K-T1, K-T3).
        Default = "" | "default",
        /// One record each in turn (K-T5).
        RoundRobin = "RoundRobinPartitioner" | "org.apache.kafka.clients.producer.RoundRobinPartitioner",
        /// By the key's CRC32, and at random without a key: librdkafka's default, which Java's client does not have (K-T5).
        ConsistentRandom = "consistent_random",
    }
}

words! {
    /// What a consumer gets of transactions (K-X6).
    IsolationLevel {
        /// All records, of open and of aborted transactions as well.
        ReadUncommitted = "read_uncommitted",
        /// Records up to the last stable offset, without those of aborted transactions.
        ReadCommitted = "read_committed",
    }
}

words! {
    /// How a group keeps its members together.
    GroupProtocol {
        /// Join and sync, one member assigns (K-G2).
        Classic = "classic" | "CLASSIC",
        /// Signs of life only; the coordinator assigns (K-G7).
        Consumer = "consumer" | "CONSUMER",
    }
}

words! {
    /// What becomes of old records (K-D2, K-D5).
    CleanupPolicy {
        /// Segments are deleted by age and size.
        Delete = "delete",
        /// Of each key the newest record stays.
        Compact = "compact",
        /// Both.
        Both = "compact,delete" | "delete,compact",
        /// Nothing: they stay for ever (4.2: an empty list).
        Keep = "",
    }
}

impl CleanupPolicy {
    /// Whether segments are deleted by age and size.
    #[must_use]
    pub fn deletes(self) -> bool {
        matches!(self, CleanupPolicy::Delete | CleanupPolicy::Both)
    }

    /// Whether of each key the newest record stays.
    #[must_use]
    pub fn compacts(self) -> bool {
        matches!(self, CleanupPolicy::Compact | CleanupPolicy::Both)
    }
}

words! {
    /// Whose clock a record's timestamp is of (K-D3).
    TimestampType {
        /// The producer's.
        Create = "CreateTime",
        /// The broker's that appended it.
        Append = "LogAppendTime",
    }
}

words! {
    /// Whether a group with members may go from one protocol to the other (K-G11).
    MigrationPolicy {
        /// Either way.
        Bidirectional = "bidirectional",
        /// From the classic protocol to the consumer protocol.
        Upgrade = "upgrade",
        /// From the consumer protocol to the classic one.
        Downgrade = "downgrade",
        /// Not at all.
        Disabled = "disabled",
    }
}

impl MigrationPolicy {
    /// Whether a classic group may become a consumer group.
    #[must_use]
    pub fn upgrades(self) -> bool {
        matches!(self, MigrationPolicy::Bidirectional | MigrationPolicy::Upgrade)
    }

    /// Whether a consumer group may become a classic one.
    #[must_use]
    pub fn downgrades(self) -> bool {
        matches!(self, MigrationPolicy::Bidirectional | MigrationPolicy::Downgrade)
    }
}
