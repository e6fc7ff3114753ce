//! Kafka's error codes, as far as they are answered here.

/// An error code.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are Kafka's own")]
pub enum Code {
    NotLeaderOrFollower,
    FencedLeaderEpoch,
    UnknownLeaderEpoch,
    NotEnoughReplicas,
    NotEnoughReplicasAfterAppend,
    RequestTimedOut,
    OffsetOutOfRange,
    OutOfOrderSequence,
    InvalidProducerEpoch,
    MessageTooLarge,
    CoordinatorNotAvailable,
    NotCoordinator,
    RebalanceInProgress,
    IllegalGeneration,
    UnknownMemberId,
    InconsistentGroupProtocol,
    NotController,
    StaleBrokerEpoch,
    DuplicateBrokerRegistration,
    InvalidUpdateVersion,
    IneligibleReplica,
    InvalidRequest,
    NetworkException,
    Timeout,
    ProducerFenced,
    ConcurrentTransactions,
    InvalidTxnState,
    InvalidProducerIdMapping,
    InvalidTransactionTimeout,
    TransactionCoordinatorFenced,
}

impl Code {
    /// Kafka's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Code::NotLeaderOrFollower => "NOT_LEADER_OR_FOLLOWER",
            Code::FencedLeaderEpoch => "FENCED_LEADER_EPOCH",
            Code::UnknownLeaderEpoch => "UNKNOWN_LEADER_EPOCH",
            Code::NotEnoughReplicas => "NOT_ENOUGH_REPLICAS",
            Code::NotEnoughReplicasAfterAppend => "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
            Code::RequestTimedOut => "REQUEST_TIMED_OUT",
            Code::OffsetOutOfRange => "OFFSET_OUT_OF_RANGE",
            Code::OutOfOrderSequence => "OUT_OF_ORDER_SEQUENCE_NUMBER",
            Code::InvalidProducerEpoch => "INVALID_PRODUCER_EPOCH",
            Code::MessageTooLarge => "MESSAGE_TOO_LARGE",
            Code::CoordinatorNotAvailable => "COORDINATOR_NOT_AVAILABLE",
            Code::NotCoordinator => "NOT_COORDINATOR",
            Code::RebalanceInProgress => "REBALANCE_IN_PROGRESS",
            Code::IllegalGeneration => "ILLEGAL_GENERATION",
            Code::UnknownMemberId => "UNKNOWN_MEMBER_ID",
            Code::InconsistentGroupProtocol => "INCONSISTENT_GROUP_PROTOCOL",
            Code::NotController => "NOT_CONTROLLER",
            Code::StaleBrokerEpoch => "STALE_BROKER_EPOCH",
            Code::DuplicateBrokerRegistration => "DUPLICATE_BROKER_REGISTRATION",
            Code::InvalidUpdateVersion => "INVALID_UPDATE_VERSION",
            Code::IneligibleReplica => "INELIGIBLE_REPLICA",
            Code::InvalidRequest => "INVALID_REQUEST",
            Code::NetworkException => "NETWORK_EXCEPTION",
            Code::Timeout => "TimeoutException",
            Code::ProducerFenced => "PRODUCER_FENCED",
            Code::ConcurrentTransactions => "CONCURRENT_TRANSACTIONS",
            Code::InvalidTxnState => "INVALID_TXN_STATE",
            Code::InvalidProducerIdMapping => "INVALID_PRODUCER_ID_MAPPING",
            Code::InvalidTransactionTimeout => "INVALID_TRANSACTION_TIMEOUT",
            Code::TransactionCoordinatorFenced => "TRANSACTION_COORDINATOR_FENCED",
        }
    }
}
