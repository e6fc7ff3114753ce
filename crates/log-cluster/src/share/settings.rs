//! Settings of share groups, under Kafka's names.

use crate::config::{BrokerConfig, IsolationLevel, millis};
use crate::settings::{settings, words};
use sim::Nanos;

const INT_MAX: i64 = i32::MAX as i64;

words! {
    /// Who acknowledges records (K-H5).
    AcknowledgementMode {
        /// The next poll, all as accepted.
        Implicit = "implicit",
        /// The application, each.
        Explicit = "explicit",
    }
}

words! {
    /// How many records one fetch acquires.
    AcquireMode {
        /// Whole batches, until there are as many as `max.poll.records` or more.
        BatchOptimized = "batch_optimized",
        /// No more than `max.poll.records`.
        RecordLimit = "record_limit",
    }
}

words! {
    /// Where a share group begins.
    ShareReset {
        /// At the end.
        Latest = "latest",
        /// At the beginning.
        Earliest = "earliest",
    }
}

settings! {
    /// Brokers' settings of share groups.
    ShareConfig {
        /// How long a member may be silent.
        session_timeout_ms: i64 = 45_000, "group.share.session.timeout.ms", 1..INT_MAX;
        /// The shortest session that a group may be given.
        min_session_timeout_ms: i64 = 45_000, "group.share.min.session.timeout.ms", 1..INT_MAX;
        /// The longest session that a group may be given.
        max_session_timeout_ms: i64 = 60_000, "group.share.max.session.timeout.ms", 1..INT_MAX;
        /// How often members show signs of life.
        heartbeat_interval_ms: i64 = 5_000, "group.share.heartbeat.interval.ms", 1..INT_MAX;
        /// The shortest interval that a group may be given.
        min_heartbeat_interval_ms: i64 = 5_000, "group.share.min.heartbeat.interval.ms", 1..INT_MAX;
        /// The longest interval that a group may be given.
        max_heartbeat_interval_ms: i64 = 15_000, "group.share.max.heartbeat.interval.ms", 1..INT_MAX;
        /// How many members a group may have.
        max_size: i64 = 200, "group.share.max.size", 1..1_000;
        /// How long a member has a record for itself (K-H2).
        record_lock_duration_ms: i64 = 30_000, "group.share.record.lock.duration.ms", 1_000..3_600_000;
        /// The shortest lock that a group may be given.
        min_record_lock_duration_ms: i64 = 15_000, "group.share.min.record.lock.duration.ms", 1_000..30_000;
        /// The longest lock that a group may be given.
        max_record_lock_duration_ms: i64 = 60_000, "group.share.max.record.lock.duration.ms", 30_000..3_600_000;
        /// How often a record is delivered at the most (K-H3).
        delivery_count_limit: i64 = 5, "group.share.delivery.count.limit", 2..10;
        /// The least such limit.
        min_delivery_count_limit: i64 = 2, "group.share.min.delivery.count.limit", 2..5;
        /// The greatest such limit.
        max_delivery_count_limit: i64 = 10, "group.share.max.delivery.count.limit", 5..25;
        /// How many records of a partition are in flight at the most (K-H1).
        partition_max_record_locks: i64 = 2_000, "group.share.partition.max.record.locks", 100..10_000;
        /// The least such limit.
        min_partition_max_record_locks: i64 = 100, "group.share.min.partition.max.record.locks", 100..2_000;
        /// The greatest such limit.
        max_partition_max_record_locks: i64 = 4_000, "group.share.max.partition.max.record.locks", 2_000..10_000;
        /// Partitions of the topic of share groups' states (K-H4).
        state_topic_num_partitions: i64 = 50, "share.coordinator.state.topic.num.partitions", 1..INT_MAX;
        /// Replicas of that topic.
        state_topic_replication_factor: i64 = 3, "share.coordinator.state.topic.replication.factor", 1..32_767;
        /// Replicas of that topic that have to be in sync for a write.
        state_topic_min_isr: i64 = 2, "share.coordinator.state.topic.min.isr", 1..INT_MAX;
        /// How long a write to it may wait for its replicas.
        write_timeout_ms: i64 = 5_000, "share.coordinator.write.timeout.ms", 1..INT_MAX;
    }
}

impl ShareConfig {
    /// What a broker refuses: a setting, and its message.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let mut within = |name: &'static str, value: i64, least: i64, most: i64| {
            let (head, tail) = name.split_at("group.share.".len());
            if value < least {
                found.push((name, format!("{name} must be greater than or equal to {head}min.{tail}")));
            }
            if value > most {
                found.push((name, format!("{head}max.{tail} must be greater than or equal to {name}")));
            }
        };
        let s = self;
        let (least, most) = (s.min_session_timeout_ms, s.max_session_timeout_ms);
        within("group.share.session.timeout.ms", s.session_timeout_ms, least, most);
        let (least, most) = (s.min_heartbeat_interval_ms, s.max_heartbeat_interval_ms);
        within("group.share.heartbeat.interval.ms", s.heartbeat_interval_ms, least, most);
        let (least, most) = (s.min_record_lock_duration_ms, s.max_record_lock_duration_ms);
        within("group.share.record.lock.duration.ms", s.record_lock_duration_ms, least, most);
        let (least, most) = (s.min_delivery_count_limit, s.max_delivery_count_limit);
        within("group.share.delivery.count.limit", s.delivery_count_limit, least, most);
        let (least, most) = (s.min_partition_max_record_locks, s.max_partition_max_record_locks);
        within("group.share.partition.max.record.locks", s.partition_max_record_locks, least, most);
        if s.heartbeat_interval_ms >= s.session_timeout_ms {
            let name = "group.share.heartbeat.interval.ms";
            found.push((name, format!("{name} must be less than group.share.session.timeout.ms")));
        }
        found
    }
}

settings! {
    /// Settings of one group.
    GroupConfig {
        /// How long a member of a consumer group may be silent; unset: as the brokers have it (K-G7).
        consumer_session_timeout_ms: Option<i64> = None, "consumer.session.timeout.ms", 1..INT_MAX;
        /// How often members of a consumer group show signs of life; unset: as the brokers have it (K-G7).
        consumer_heartbeat_interval_ms: Option<i64> = None, "consumer.heartbeat.interval.ms", 1..INT_MAX;
        /// How long a member of a share group may be silent; unset: as the brokers have it (K-H2).
        share_session_timeout_ms: Option<i64> = None, "share.session.timeout.ms", 1..INT_MAX;
        /// How often members of a share group show signs of life; unset: as the brokers have it (K-H2).
        share_heartbeat_interval_ms: Option<i64> = None, "share.heartbeat.interval.ms", 1..INT_MAX;
        /// Where a share group begins in a partition that nothing is known of (K-H1).
        share_auto_offset_reset: ShareReset = ShareReset::Latest, "share.auto.offset.reset";
        /// How long a member of a share group has a record for itself; unset: as the brokers have it (K-H2).
        share_record_lock_duration_ms: Option<i64> = None, "share.record.lock.duration.ms", 1_000..3_600_000;
        /// How often a share group is delivered a record at the most; unset: as the brokers have it (K-H3).
        share_delivery_count_limit: Option<i64> = None, "share.delivery.count.limit", 2..25;
        /// What a share group gets of transactions (K-X6).
        share_isolation_level: IsolationLevel = IsolationLevel::ReadUncommitted, "share.isolation.level";
    }
}

/// How a coordinator keeps the members of a group.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Pulse {
    /// How long a member may be silent.
    pub session: Nanos,
    /// How often it shows a sign of life.
    pub interval: Nanos,
}

impl GroupConfig {
    /// Of a consumer group (K-G7).
    pub(crate) fn consumer_pulse(&self, brokers: &BrokerConfig) -> Pulse {
        let session = self.consumer_session_timeout_ms.unwrap_or(brokers.group_consumer_session_timeout_ms);
        let interval = self.consumer_heartbeat_interval_ms.unwrap_or(brokers.group_consumer_heartbeat_interval_ms);
        Pulse { session: millis(session), interval: millis(interval) }
    }

    /// Of a share group.
    pub(crate) fn share_pulse(&self, brokers: &ShareConfig) -> Pulse {
        let session = self.share_session_timeout_ms.unwrap_or(brokers.session_timeout_ms);
        let interval = self.share_heartbeat_interval_ms.unwrap_or(brokers.heartbeat_interval_ms);
        Pulse { session: millis(session), interval: millis(interval) }
    }

    pub(crate) fn lock(&self, brokers: &ShareConfig) -> Nanos {
        millis(self.share_record_lock_duration_ms.unwrap_or(brokers.record_lock_duration_ms))
    }

    pub(crate) fn deliveries(&self, brokers: &ShareConfig) -> u16 {
        let limit = self.share_delivery_count_limit.unwrap_or(brokers.delivery_count_limit);
        u16::try_from(limit).unwrap_or(u16::MAX)
    }
}
