//! Raft as a pure state machine.
