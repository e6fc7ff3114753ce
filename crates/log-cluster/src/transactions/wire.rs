//! What transactions are talked about with.

use crate::error::Code;
use crate::layout::Slot;
use crate::transactions::{Marker, Offsets};
use sim::Nanos;
use std::rc::Rc;

/// What is asked about a transaction.
#[derive(Clone, Debug)]
pub enum TransactionRequest {
    /// For the coordinator of a `transactional.id` (K-X1).
    FindCoordinator,
    /// To begin as its producer: the timeout of its transactions (K-X3).
    Init(Nanos),
    /// Of a leader, on behalf of a producer that sent it batches: that these partitions belong to the transaction
    /// (K-X4). Names the producer's id and epoch.
    AddPartitions(u64, u16, Rc<[Slot]>),
    /// To end the transaction of a producer's id and epoch: to commit it, or not (K-X5).
    End(u64, u16, bool),
    /// To take a group's progress into the transaction (K-X7); of the group's coordinator.
    CommitOffsets(Rc<Offsets>),
    /// Of a coordinator: to write the end of a transaction into these partitions (K-X5).
    WriteMarkers(Marker, Rc<[Slot]>),
}

/// What is answered about a transaction.
#[derive(Clone, Debug)]
pub enum TransactionResponse {
    /// The coordinator.
    Coordinator(Result<u16, Code>),
    /// The producer's id and its epoch from now on.
    Identity(Result<(u64, u16), Code>),
    /// Whether the partitions belong to the transaction now.
    Added(Result<(), Code>),
    /// Whether progress is part of the transaction now.
    Offsets(Result<(), Code>),
    /// For each partition whether the marker is in all replicas in sync.
    Written(Vec<(Slot, Result<(), Code>)>),
}

/// Timers of what a broker does about transactions.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum TransactionWake {
    /// Look for transactions that took too long.
    Scan,
    /// Look for ids that have expired.
    Expire,
    /// Go on with the end of a transaction, by the place of its id.
    Complete(u32),
    /// Ask the coordinator again for this connection's batches.
    Verify(u16),
}
