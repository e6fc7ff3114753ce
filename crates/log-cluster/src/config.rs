//! What a cluster of logs is made of: its brokers, topics and clients, all under Kafka's names.

pub use crate::choices::{
    Acks, CleanupPolicy, GroupProtocol, IsolationLevel, MigrationPolicy, PartitionerClass, TimestampType,
};
pub use crate::group_settings::{OffsetReset, ServerAssignor, ServerAssignors, Strategies, Strategy};
use crate::settings::{Ratio, settings};
pub use crate::share::{AcknowledgementMode, AcquireMode, GroupConfig, ShareConfig, SharePlan, ShareReset};
use sim::{LinkProfile, MachineProfile, Nanos};
use std::collections::BTreeMap;

const INT_MAX: i64 = i32::MAX as i64;
const MAX: i64 = i64::MAX;

settings! {
    /// Settings of brokers and controllers; one for the whole cluster.
    BrokerConfig {
        /// A batch is committed only while at least so many replicas are in sync (K-A2, K-A5).
        min_insync_replicas: i64 = 1, "min.insync.replicas", 1..INT_MAX;
        /// Whether a replica that is not in sync may lead when no other is left.
        unclean_leader_election_enable: bool = false, "unclean.leader.election.enable";
        /// How often the controller looks for leaderless partitions that an unclean election would help.
        unclean_leader_election_interval_ms: i64 = 300_000, "unclean.leader.election.interval.ms", 1..INT_MAX;
        /// Whether the controller keeps eligible leader replicas (K-E8).
        eligible_leader_replicas: bool = true, "eligible.leader.replicas";
        /// How long a follower may lag behind and stay in sync (K-R3).
        replica_lag_time_max_ms: i64 = 30_000, "replica.lag.time.max.ms", 1..MAX;
        /// How long a follower's fetch waits for data.
        replica_fetch_wait_max_ms: i64 = 500, "replica.fetch.wait.max.ms", 0..INT_MAX;
        /// How many bytes a follower's fetch waits for.
        replica_fetch_min_bytes: i64 = 1, "replica.fetch.min.bytes", 0..INT_MAX;
        /// Bytes of one partition in one answer to a follower.
        replica_fetch_max_bytes: i64 = 1_048_576, "replica.fetch.max.bytes", 0..INT_MAX;
        /// Bytes in one answer to a follower.
        replica_fetch_response_max_bytes: i64 = 10_485_760, "replica.fetch.response.max.bytes", 0..INT_MAX;
        /// How long a follower waits after a failed fetch.
        replica_fetch_backoff_ms: i64 = 1_000, "replica.fetch.backoff.ms", 0..INT_MAX;
        /// How often the high watermark is written down.
        replica_high_watermark_checkpoint_interval_ms: i64 = 5_000, "replica.high.watermark.checkpoint.interval.ms", 1..MAX;
        /// The greatest batch that a broker takes.
        message_max_bytes: i64 = 1_048_588, "message.max.bytes", 0..INT_MAX;
        /// How often a broker shows a sign of life to the controller.
        broker_heartbeat_interval_ms: i64 = 2_000, "broker.heartbeat.interval.ms", 1..INT_MAX;
        /// How long a broker tries to register before it gives up and ends (K-Q9).
        initial_broker_registration_timeout_ms: i64 = 60_000, "initial.broker.registration.timeout.ms", 0..INT_MAX;
        /// How long a broker may be silent before it is fenced (K-Q4).
        broker_session_timeout_ms: i64 = 9_000, "broker.session.timeout.ms", 1..INT_MAX;
        /// How long a controller waits for an election; up to twice that, at random (K-Q2).
        controller_quorum_election_timeout_ms: i64 = 1_000, "controller.quorum.election.timeout.ms", 1..INT_MAX;
        /// Twice as long as the last of the successors of a controller that stops waits before it stands (K-Q8).
        controller_quorum_election_backoff_max_ms: i64 = 1_000, "controller.quorum.election.backoff.max.ms", 0..INT_MAX;
        /// How long a controller may go without hearing the active one (K-Q2).
        controller_quorum_fetch_timeout_ms: i64 = 2_000, "controller.quorum.fetch.timeout.ms", 1..INT_MAX;
        /// How long the active controller gathers what it has to write down (K-Q1).
        controller_quorum_append_linger_ms: i64 = 25, "controller.quorum.append.linger.ms", 0..INT_MAX;
        /// How long a broker waits for a controller's answer (K-R6).
        controller_quorum_request_timeout_ms: i64 = 2_000, "controller.quorum.request.timeout.ms", 1..INT_MAX;
        /// How long it waits before it asks another one (K-R6).
        controller_quorum_retry_backoff_ms: i64 = 20, "controller.quorum.retry.backoff.ms", 0..INT_MAX;
        /// How many bytes of records controllers read before they write the metadata down as a whole (K-Q10).
        metadata_log_max_record_bytes_between_snapshots: i64 = 20_971_520, "metadata.log.max.record.bytes.between.snapshots", 1..MAX;
        /// How long controllers go at most before they do so; 0 for any time (K-Q10).
        metadata_log_max_snapshot_interval_ms: i64 = 3_600_000, "metadata.log.max.snapshot.interval.ms", 0..MAX;
        /// How often the active controller writes a record that says nothing; 0 for never (K-Q1).
        metadata_max_idle_interval_ms: i64 = 500, "metadata.max.idle.interval.ms", 0..INT_MAX;
        /// Whether leadership is given back to the preferred replicas from time to time (K-E7).
        auto_leader_rebalance_enable: bool = true, "auto.leader.rebalance.enable";
        /// How often that is looked at.
        leader_imbalance_check_interval_seconds: i64 = 300, "leader.imbalance.check.interval.seconds", 1..MAX;
        /// Whether a broker that stops hands its leaderships over first (K-Q6).
        controlled_shutdown_enable: bool = true, "controlled.shutdown.enable";
        /// How long a new group waits for more members (K-G2).
        group_initial_rebalance_delay_ms: i64 = 3_000, "group.initial.rebalance.delay.ms", 0..INT_MAX;
        /// The shortest session that a consumer may ask for.
        group_min_session_timeout_ms: i64 = 6_000, "group.min.session.timeout.ms", 1..INT_MAX;
        /// The longest session that a consumer may ask for.
        group_max_session_timeout_ms: i64 = 1_800_000, "group.max.session.timeout.ms", 1..INT_MAX;
        /// How many members a group may have.
        group_max_size: i64 = INT_MAX, "group.max.size", 1..INT_MAX;
        /// How long a member of a consumer group may be silent (K-G7).
        group_consumer_session_timeout_ms: i64 = 45_000, "group.consumer.session.timeout.ms", 1..INT_MAX;
        /// The shortest session that a group may be given.
        group_consumer_min_session_timeout_ms: i64 = 45_000, "group.consumer.min.session.timeout.ms", 1..INT_MAX;
        /// The longest session that a group may be given.
        group_consumer_max_session_timeout_ms: i64 = 60_000, "group.consumer.max.session.timeout.ms", 1..INT_MAX;
        /// How often members of consumer groups show signs of life (K-G7).
        group_consumer_heartbeat_interval_ms: i64 = 5_000, "group.consumer.heartbeat.interval.ms", 1..INT_MAX;
        /// The shortest interval that a group may be given.
        group_consumer_min_heartbeat_interval_ms: i64 = 5_000, "group.consumer.min.heartbeat.interval.ms", 1..INT_MAX;
        /// The longest interval that a group may be given.
        group_consumer_max_heartbeat_interval_ms: i64 = 15_000, "group.consumer.max.heartbeat.interval.ms", 1..INT_MAX;
        /// How coordinators share partitions out, the default first (K-S6).
        group_consumer_assignors: ServerAssignors = ServerAssignors::default(), "group.consumer.assignors";
        /// How many members a consumer group may have.
        group_consumer_max_size: i64 = INT_MAX, "group.consumer.max.size", 1..INT_MAX;
        /// Whether a group with members may go from one protocol to the other (K-G11).
        group_consumer_migration_policy: MigrationPolicy = MigrationPolicy::Bidirectional, "group.consumer.migration.policy";
        /// How long committed offsets are kept that no member has a use for (K-O3).
        offsets_retention_minutes: i64 = 10_080, "offsets.retention.minutes", 1..INT_MAX;
        /// How often coordinators look for such offsets (K-O3).
        offsets_retention_check_interval_ms: i64 = 600_000, "offsets.retention.check.interval.ms", 1..MAX;
        /// Partitions of the topic of committed offsets (K-G1).
        offsets_topic_num_partitions: i64 = 50, "offsets.topic.num.partitions", 1..INT_MAX;
        /// Replicas of the topic of committed offsets.
        offsets_topic_replication_factor: i64 = 3, "offsets.topic.replication.factor", 1..32_767;
        /// How long a commit of offsets may wait for its replicas (K-O1).
        offsets_commit_timeout_ms: i64 = 5_000, "offsets.commit.timeout.ms", 1..INT_MAX;
        /// Partitions of the topic of transactions' states (K-X1).
        transaction_state_log_num_partitions: i64 = 50, "transaction.state.log.num.partitions", 1..INT_MAX;
        /// Replicas of the topic of transactions' states.
        transaction_state_log_replication_factor: i64 = 3, "transaction.state.log.replication.factor", 1..32_767;
        /// Replicas of that topic that have to be in sync for a change of state.
        transaction_state_log_min_isr: i64 = 2, "transaction.state.log.min.isr", 1..INT_MAX;
        /// The longest timeout that a transactional producer may ask for.
        transaction_max_timeout_ms: i64 = 900_000, "transaction.max.timeout.ms", 1..INT_MAX;
        /// How often coordinators look for transactions that took too long (K-X6).
        transaction_abort_timed_out_transaction_cleanup_interval_ms: i64 = 10_000, "transaction.abort.timed.out.transaction.cleanup.interval.ms", 1..INT_MAX;
        /// How long an id without a transaction is kept (K-X2).
        transactional_id_expiration_ms: i64 = 604_800_000, "transactional.id.expiration.ms", 1..INT_MAX;
        /// How often coordinators look for such ids.
        transaction_remove_expired_transaction_cleanup_interval_ms: i64 = 3_600_000, "transaction.remove.expired.transaction.cleanup.interval.ms", 1..INT_MAX;
        /// How soon a leader asks the coordinator again while an earlier transaction is being completed (K-X4).
        add_partitions_to_txn_retry_backoff_ms: i64 = 20, "add.partitions.to.txn.retry.backoff.ms", 0..INT_MAX;
        /// How long it goes on asking before it tells the producer.
        add_partitions_to_txn_retry_backoff_max_ms: i64 = 100, "add.partitions.to.txn.retry.backoff.max.ms", 0..INT_MAX;
        /// The size at which a segment is closed (K-D1).
        log_segment_bytes: i64 = 1_073_741_824, "log.segment.bytes", 1_048_576..INT_MAX;
        /// The age at which a segment is closed (K-D1).
        log_roll_ms: i64 = 604_800_000, "log.roll.ms", 1..MAX;
        /// By how much earlier a segment may be closed, by lot, so that not all are at once (K-D1).
        log_roll_jitter_ms: i64 = 0, "log.roll.jitter.ms", 0..MAX;
        /// How many bytes of a segment lie between two entries of its index at the least (K-D1).
        log_index_interval_bytes: i64 = 4_096, "log.index.interval.bytes", 0..INT_MAX;
        /// The size of a segment's index; when it is full, the segment is closed (K-D1).
        log_index_size_max_bytes: i64 = 10_485_760, "log.index.size.max.bytes", 4..INT_MAX;
        /// How long messages are kept; -1 for ever (K-D2).
        log_retention_ms: i64 = 604_800_000, "log.retention.ms", -1..MAX;
        /// How many bytes a partition keeps; -1 for any number (K-D2).
        log_retention_bytes: i64 = -1, "log.retention.bytes", -1..MAX;
        /// Whose clock a record's timestamp is of (K-D3).
        log_message_timestamp_type: TimestampType = TimestampType::Create, "log.message.timestamp.type";
        /// How far a producer's timestamp may lie behind the broker's clock (K-D3).
        log_message_timestamp_before_max_ms: i64 = MAX, "log.message.timestamp.before.max.ms", 0..MAX;
        /// How far a producer's timestamp may lie ahead of the broker's clock (K-D3).
        log_message_timestamp_after_max_ms: i64 = 3_600_000, "log.message.timestamp.after.max.ms", 0..MAX;
        /// How often logs are looked through for what may be deleted.
        log_retention_check_interval_ms: i64 = 300_000, "log.retention.check.interval.ms", 1..MAX;
        /// Whether topics may use remote storage (K-Z1).
        remote_log_storage_system_enable: bool = false, "remote.log.storage.system.enable";
        /// How often leaders look what there is to copy to remote storage (K-Z1).
        remote_log_manager_task_interval_ms: i64 = 30_000, "remote.log.manager.task.interval.ms", 1..MAX;
        /// How long the brokers' own disks keep messages of such topics; -2: as long as they are kept at all (K-Z1).
        log_local_retention_ms: i64 = -2, "log.local.retention.ms", -2..MAX;
        /// How many bytes of a partition they keep; -2: as many as are kept at all (K-Z1).
        log_local_retention_bytes: i64 = -2, "log.local.retention.bytes", -2..MAX;
        /// What becomes of old records (K-D2, K-D5).
        log_cleanup_policy: CleanupPolicy = CleanupPolicy::Delete, "log.cleanup.policy";
        /// How long the cleaner rests when it finds nothing to compact (K-D5).
        log_cleaner_backoff_ms: i64 = 15_000, "log.cleaner.backoff.ms", 0..MAX;
        /// The least share of a log that is not compacted yet, for it to be compacted (K-D5).
        log_cleaner_min_cleanable_ratio: Ratio = Ratio::HALF, "log.cleaner.min.cleanable.ratio";
        /// How long a record stays as it is at the least (K-D5).
        log_cleaner_min_compaction_lag_ms: i64 = 0, "log.cleaner.min.compaction.lag.ms", 0..MAX;
        /// How long a record waits for a compaction at the most (K-D5).
        log_cleaner_max_compaction_lag_ms: i64 = MAX, "log.cleaner.max.compaction.lag.ms", 1..MAX;
        /// How long tombstones stay once they were compacted (K-D6).
        log_cleaner_delete_retention_ms: i64 = 86_400_000, "log.cleaner.delete.retention.ms", 0..MAX;
        /// Messages after which a log is flushed (K-F1).
        log_flush_interval_messages: i64 = MAX, "log.flush.interval.messages", 1..MAX;
        /// The longest that a message stays unflushed; unset for no limit (K-F1).
        log_flush_interval_ms: Option<i64> = None, "log.flush.interval.ms", 0..MAX;
        /// How long a producer's sequence numbers are remembered (K-I3).
        producer_id_expiration_ms: i64 = 86_400_000, "producer.id.expiration.ms", 1..INT_MAX;
    }
}

settings! {
    /// Settings of one topic; what is unset is the brokers'.
    TopicConfig {
        /// As the brokers' setting of that name.
        min_insync_replicas: Option<i64> = None, "min.insync.replicas", 1..INT_MAX;
        /// As the brokers' setting of that name.
        unclean_leader_election_enable: Option<bool> = None, "unclean.leader.election.enable";
        /// The greatest batch.
        max_message_bytes: Option<i64> = None, "max.message.bytes", 0..INT_MAX;
        /// The size at which a segment is closed (K-D1).
        segment_bytes: Option<i64> = None, "segment.bytes", 1_048_576..INT_MAX;
        /// The age at which a segment is closed (K-D1).
        segment_ms: Option<i64> = None, "segment.ms", 1..MAX;
        /// By how much earlier a segment may be closed, by lot (K-D1).
        segment_jitter_ms: Option<i64> = None, "segment.jitter.ms", 0..MAX;
        /// How many bytes of a segment lie between two entries of its index at the least (K-D1).
        index_interval_bytes: Option<i64> = None, "index.interval.bytes", 0..INT_MAX;
        /// The size of a segment's index; when it is full, the segment is closed (K-D1).
        segment_index_bytes: Option<i64> = None, "segment.index.bytes", 4..INT_MAX;
        /// How long messages are kept; -1 for ever (K-D2).
        retention_ms: Option<i64> = None, "retention.ms", -1..MAX;
        /// How many bytes a partition keeps; -1 for any number (K-D2).
        retention_bytes: Option<i64> = None, "retention.bytes", -1..MAX;
        /// Whose clock a record's timestamp is of (K-D3).
        message_timestamp_type: Option<TimestampType> = None, "message.timestamp.type";
        /// How far a producer's timestamp may lie behind the broker's clock (K-D3).
        message_timestamp_before_max_ms: Option<i64> = None, "message.timestamp.before.max.ms", 0..MAX;
        /// How far a producer's timestamp may lie ahead of the broker's clock (K-D3).
        message_timestamp_after_max_ms: Option<i64> = None, "message.timestamp.after.max.ms", 0..MAX;
        /// Whether closed segments are copied to remote storage (K-Z1).
        remote_storage_enable: Option<bool> = None, "remote.storage.enable";
        /// How long the brokers' own disks keep messages; -2: as long as they are kept at all (K-Z1).
        local_retention_ms: Option<i64> = None, "local.retention.ms", -2..MAX;
        /// How many bytes the brokers' own disks keep; -2: as many as are kept at all (K-Z1).
        local_retention_bytes: Option<i64> = None, "local.retention.bytes", -2..MAX;
        /// What becomes of old records; unset: as the brokers' `log.cleanup.policy` (K-D2, K-D5).
        cleanup_policy: Option<CleanupPolicy> = None, "cleanup.policy";
        /// The least share of the log that is not compacted yet, for it to be compacted (K-D5).
        min_cleanable_dirty_ratio: Option<Ratio> = None, "min.cleanable.dirty.ratio";
        /// How long a record stays as it is at the least (K-D5).
        min_compaction_lag_ms: Option<i64> = None, "min.compaction.lag.ms", 0..MAX;
        /// How long a record waits for a compaction at the most (K-D5).
        max_compaction_lag_ms: Option<i64> = None, "max.compaction.lag.ms", 1..MAX;
        /// How long tombstones stay once they were compacted (K-D6).
        delete_retention_ms: Option<i64> = None, "delete.retention.ms", 0..MAX;
        /// Messages after which the log is flushed (K-F1).
        flush_messages: Option<i64> = None, "flush.messages", 1..MAX;
        /// The longest that a message stays unflushed (K-F1).
        flush_ms: Option<i64> = None, "flush.ms", 0..MAX;
    }
}

settings! {
    /// Settings of a producer.
    ProducerConfig {
        /// What an acknowledgement waits for (K-A1).
        acks: Acks = Acks::All, "acks";
        /// The size of a batch (K-P1).
        batch_size: i64 = 16_384, "batch.size", 0..INT_MAX;
        /// How long a batch waits for more records (K-P2).
        linger_ms: i64 = 5, "linger.ms", 0..MAX;
        /// All that may wait to be sent (K-P1).
        buffer_memory: i64 = 33_554_432, "buffer.memory", 0..MAX;
        /// How long sending may block for memory or metadata (K-P1).
        max_block_ms: i64 = 60_000, "max.block.ms", 0..MAX;
        /// The greatest request (K-P3).
        max_request_size: i64 = 1_048_576, "max.request.size", 0..INT_MAX;
        /// How often a batch is tried again (K-P4).
        retries: i64 = INT_MAX, "retries", 0..INT_MAX;
        /// Unanswered requests to one broker (K-P4).
        max_in_flight_requests_per_connection: i64 = 5, "max.in.flight.requests.per.connection", 1..INT_MAX;
        /// When a batch is given up (K-P4).
        delivery_timeout_ms: i64 = 120_000, "delivery.timeout.ms", 0..INT_MAX;
        /// How long one request may take.
        request_timeout_ms: i64 = 30_000, "request.timeout.ms", 0..INT_MAX;
        /// The wait before the first retry; it doubles.
        retry_backoff_ms: i64 = 100, "retry.backoff.ms", 0..MAX;
        /// The longest wait before a retry.
        retry_backoff_max_ms: i64 = 1_000, "retry.backoff.max.ms", 0..MAX;
        /// The wait before the first attempt to connect again; it doubles.
        reconnect_backoff_ms: i64 = 50, "reconnect.backoff.ms", 0..MAX;
        /// The longest wait before an attempt to connect again.
        reconnect_backoff_max_ms: i64 = 1_000, "reconnect.backoff.max.ms", 0..MAX;
        /// Whether brokers drop what was sent twice; unset: if nothing forbids it (K-P5).
        enable_idempotence: Option<bool> = None, "enable.idempotence";
        /// Makes the producer transactional: of those with the same id the latest fences the others (K-X3).
        transactional_id: Option<String> = None, "transactional.id";
        /// How long a transaction may stay open before its coordinator aborts it (K-X6).
        transaction_timeout_ms: i64 = 60_000, "transaction.timeout.ms", 0..INT_MAX;
        /// How a partition is chosen; consistent_random is the default of librdkafka, not of Java's client (K-T5).
        partitioner_class: PartitionerClass = PartitionerClass::Default, "partitioner.class";
        /// Whether busy partitions get less (K-T4).
        partitioner_adaptive_partitioning_enable: bool = true, "partitioner.adaptive.partitioning.enable";
        /// After how long a broker that takes nothing is left out; 0 for never (K-T4).
        partitioner_availability_timeout_ms: i64 = 0, "partitioner.availability.timeout.ms", 0..MAX;
        /// Whether keys are ignored.
        partitioner_ignore_keys: bool = false, "partitioner.ignore.keys";
        /// How old the client's knowledge of the cluster may get.
        metadata_max_age_ms: i64 = 300_000, "metadata.max.age.ms", 0..MAX;
    }
}

settings! {
    /// Settings of a consumer.
    ConsumerConfig {
        /// The group that it is a member of.
        group_id: String = "group".to_owned(), "group.id";
        /// How its group is kept together.
        group_protocol: GroupProtocol = GroupProtocol::Classic, "group.protocol";
        /// How its group shares partitions out (K-G5).
        partition_assignment_strategy: Strategies = Strategies::default(), "partition.assignment.strategy";
        /// How the coordinator shares partitions out in a consumer group; unset: as the broker likes best (K-S6).
        group_remote_assignor: Option<ServerAssignor> = None, "group.remote.assignor";
        /// Makes the member a static one: a name that outlives its process (K-G6).
        group_instance_id: Option<String> = None, "group.instance.id";
        /// The rack that it is in: the group's leader gives it what lies there, if the strategy knows racks (K-S1).
        client_rack: Option<String> = None, "client.rack";
        /// What it gets of transactions (K-X6).
        isolation_level: IsolationLevel = IsolationLevel::ReadUncommitted, "isolation.level";
        /// Who acknowledges, in a share group (K-H5).
        share_acknowledgement_mode: AcknowledgementMode = AcknowledgementMode::Implicit, "share.acknowledgement.mode";
        /// How many records one fetch acquires, in a share group.
        share_acquire_mode: AcquireMode = AcquireMode::BatchOptimized, "share.acquire.mode";
        /// How many bytes a fetch waits for (K-C1).
        fetch_min_bytes: i64 = 1, "fetch.min.bytes", 0..INT_MAX;
        /// How long a fetch waits (K-C1).
        fetch_max_wait_ms: i64 = 500, "fetch.max.wait.ms", 0..INT_MAX;
        /// Bytes in one answer.
        fetch_max_bytes: i64 = 52_428_800, "fetch.max.bytes", 0..INT_MAX;
        /// Bytes of one partition in one answer.
        max_partition_fetch_bytes: i64 = 1_048_576, "max.partition.fetch.bytes", 0..INT_MAX;
        /// Records that one poll returns (K-C3).
        max_poll_records: i64 = 500, "max.poll.records", 1..INT_MAX;
        /// The longest time between two polls (K-C4).
        max_poll_interval_ms: i64 = 300_000, "max.poll.interval.ms", 1..INT_MAX;
        /// How long it may be silent (K-G3).
        session_timeout_ms: i64 = 45_000, "session.timeout.ms", 1..INT_MAX;
        /// How often it shows a sign of life (K-G3).
        heartbeat_interval_ms: i64 = 3_000, "heartbeat.interval.ms", 1..INT_MAX;
        /// Where it begins without a committed offset (K-C5).
        auto_offset_reset: OffsetReset = OffsetReset::Latest, "auto.offset.reset";
        /// Whether polls commit by themselves (K-O2). If not, this application commits after each polled batch.
        enable_auto_commit: bool = true, "enable.auto.commit";
        /// How often they do.
        auto_commit_interval_ms: i64 = 5_000, "auto.commit.interval.ms", 0..INT_MAX;
        /// How long one request may take.
        request_timeout_ms: i64 = 30_000, "request.timeout.ms", 0..INT_MAX;
        /// The wait before the first retry; it doubles.
        retry_backoff_ms: i64 = 100, "retry.backoff.ms", 0..MAX;
        /// The longest wait before a retry.
        retry_backoff_max_ms: i64 = 1_000, "retry.backoff.max.ms", 0..MAX;
        /// The wait before the first attempt to connect again; it doubles.
        reconnect_backoff_ms: i64 = 50, "reconnect.backoff.ms", 0..MAX;
        /// The longest wait before an attempt to connect again.
        reconnect_backoff_max_ms: i64 = 1_000, "reconnect.backoff.max.ms", 0..MAX;
        /// How old the client's knowledge of the cluster may get.
        metadata_max_age_ms: i64 = 300_000, "metadata.max.age.ms", 0..MAX;
    }
}

/// Who keeps the cluster's metadata.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Controllers {
    /// Nodes of their own: 1, 3 or 5.
    Dedicated(u16),
    /// The first 1, 3 or 5 brokers, beside their work as brokers.
    Combined(u16),
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions it has from the start.
    pub partitions: u32,
    /// How many it may grow to while it runs; 0 for no more than it has (K-T2).
    pub room: u32,
    /// How many replicas of each.
    pub replication_factor: u16,
    /// The replicas of each partition, by the brokers' numbers (`broker-1` is 1); empty: the controller places them
    /// (K-E9).
    pub replica_assignment: Vec<Vec<u16>>,
    /// Its settings.
    pub config: TopicConfig,
}

impl TopicSpec {
    /// A topic with the brokers' settings.
    #[must_use]
    pub fn new(name: &str, partitions: u32, replication_factor: u16) -> TopicSpec {
        TopicSpec {
            name: name.to_owned(),
            partitions,
            room: 0,
            replication_factor,
            replica_assignment: Vec::new(),
            config: TopicConfig::default(),
        }
    }
}

/// A producing client: where it writes, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerClient {
    /// The topic.
    pub topic: String,
    /// Its settings.
    pub config: ProducerConfig,
    /// How its application uses transactions, if it has a `transactional.id`.
    pub transactions: TransactionPlan,
    /// Every how-many-th message of its application has no value: a tombstone (K-D6); 0 for none. The lab's notion.
    pub tombstone_every: u32,
    /// How far its machine's clock is ahead of the others', which its records' timestamps tell (K-D3). The lab's notion.
    pub clock_ahead: Nanos,
}

/// How an application uses transactions. These notions are the lab's, not Kafka's: there it is the application's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionPlan {
    /// It ends a transaction after so many records; 0 for no such limit.
    pub records: u32,
    /// It ends a transaction that has been open for so long; `None` for no such limit.
    pub every: Option<Nanos>,
    /// It aborts every how-many-th transaction instead of committing it; 0 for none.
    pub abort_every: u32,
    /// In its how-many-th transaction, counted from 1, it hangs instead of ending it; 0 for never.
    pub hang_at: u32,
    /// For how long it hangs; `None` for ever.
    pub hang_for: Option<Nanos>,
}

impl Default for TransactionPlan {
    fn default() -> Self {
        TransactionPlan { records: 100, every: Some(Nanos::secs(1)), abort_every: 0, hang_at: 0, hang_for: None }
    }
}

/// A consuming client: what it reads, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerClient {
    /// The topics.
    pub topics: Vec<String>,
    /// Its settings.
    pub config: ConsumerConfig,
    /// Where it writes what it has processed, if it does.
    pub forward: Option<Forwarding>,
    /// What its application does with records, if it is a share consumer: its group is a share group then.
    pub share: Option<SharePlan>,
}

/// An application that writes each record that it has processed to another topic, together with its progress in a
/// transaction for each polled batch (K-X7). The lab's notion, not Kafka's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// The topic that it writes to.
    pub topic: String,
    /// Its producer's `transactional.id`.
    pub transactional_id: String,
    /// Its producer's `transaction.timeout.ms`.
    pub transaction_timeout_ms: i64,
}

/// What a broker's work costs its machine. Assumed figures of a current server where nothing else is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Costs {
    /// Of a request, whatever it carries.
    pub request: Nanos,
    /// Of a thousand bytes in a request or an answer.
    pub kilobyte: Nanos,
    /// Of a partition of its own whose state in the metadata has changed. Measured: 11 to 26 ms for 51 of them.
    pub partition: Nanos,
    /// How long remote storage takes to answer.
    pub remote_latency: Nanos,
    /// How long a thousand bytes take to remote storage.
    pub remote_kilobyte: Nanos,
}

impl Default for Costs {
    fn default() -> Self {
        Costs {
            request: Nanos::micros(20),
            kilobyte: Nanos(500),
            partition: Nanos::micros(300),
            remote_latency: Nanos::millis(50),
            remote_kilobyte: Nanos::micros(10),
        }
    }
}

/// A cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many brokers.
    pub brokers: u16,
    /// How many of them, the last ones, are not started with the others: they join when they are.
    pub spare: u16,
    /// How many of the producers and of the consumers, the last ones, join when they are started.
    pub late: (usize, usize),
    /// `broker.rack` of each broker, in order; those beyond the list have none (K-E9).
    pub racks: Vec<String>,
    /// Who keeps the metadata.
    pub controllers: Controllers,
    /// Settings of brokers and controllers.
    pub broker: BrokerConfig,
    /// Brokers' settings of share groups.
    pub share: ShareConfig,
    /// Settings of single groups, by their ids.
    pub groups: BTreeMap<String, GroupConfig>,
    /// Topics that exist from the start.
    pub topics: Vec<TopicSpec>,
    /// Producing clients, in the order of the workload's; one that is missing here is like the last, or writes to the
    /// first topic with Kafka's defaults.
    pub producers: Vec<ProducerClient>,
    /// Consuming clients, in the order of the workload's; one that is missing here is like the last, or reads the
    /// first topic with Kafka's defaults.
    pub consumers: Vec<ConsumerClient>,
    /// What brokers and controllers run on.
    pub machine: MachineProfile,
    /// What clients run on.
    pub client_machine: MachineProfile,
    /// Every link, until it is changed.
    pub link: LinkProfile,
    /// What a broker's work costs.
    pub costs: Costs,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            brokers: 3,
            spare: 0,
            late: (0, 0),
            racks: Vec::new(),
            controllers: Controllers::Dedicated(3),
            broker: BrokerConfig::default(),
            share: ShareConfig::default(),
            groups: BTreeMap::new(),
            topics: vec![TopicSpec::new("orders", 3, 3)],
            producers: Vec::new(),
            consumers: Vec::new(),
            machine: MachineProfile::default(),
            client_machine: MachineProfile::default(),
            link: LinkProfile::default(),
            costs: Costs::default(),
        }
    }
}

impl Config {
    /// The how-many-th producer's client.
    #[must_use]
    pub fn producer(&self, index: usize) -> ProducerClient {
        let found = self.producers.get(index).or(self.producers.last()).cloned();
        let topic = || self.topics.first().map(|topic| topic.name.clone()).unwrap_or_default();
        found.unwrap_or_else(|| ProducerClient { topic: topic(), ..ProducerClient::default() })
    }

    /// The how-many-th consumer's client.
    #[must_use]
    pub fn consumer(&self, index: usize) -> ConsumerClient {
        let found = self.consumers.get(index).or(self.consumers.last()).cloned();
        let topics = || self.topics.first().map(|topic| topic.name.clone()).into_iter().collect();
        found.unwrap_or_else(|| ConsumerClient { topics: topics(), ..ConsumerClient::default() })
    }
}

impl ProducerConfig {
    /// Whether sequences are used: K-P5, unset means on unless another setting forbids it.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        let possible = self.acks == Acks::All && self.retries > 0;
        self.enable_idempotence.unwrap_or(possible)
    }
}

/// A setting in milliseconds as a duration; what is negative counts as none.
pub(crate) fn millis(ms: i64) -> Nanos {
    Nanos::millis(u64::try_from(ms).unwrap_or(0))
}
