//! A message's life in words: each step, and what it waited for before it.

use crate::say;
use sim::story::Life;

/// What a step is called, in the words of a cluster.
#[must_use]
pub fn step(life: Life, log: bool) -> &'static str {
    match life {
        Life::Produced { .. } => say!("handed over by its application"),
        Life::Stored if log => say!("appended to the log"),
        Life::Stored => say!("put into the queue"),
        Life::Acknowledged if log => say!("acknowledged to its producer"),
        Life::Acknowledged => say!("confirmed to its publisher"),
        Life::Refused => say!("refused, and given up by its producer"),
        Life::Delivered { redelivered: true, .. } => say!("delivered again"),
        Life::Delivered { .. } => say!("delivered"),
        Life::Processed { .. } => say!("processed"),
        Life::Settled { .. } if log => say!("committed: its group goes on behind it"),
        Life::Settled { .. } => say!("acknowledged by its consumer"),
        Life::DeadLettered => say!("moved to the dead letters"),
        Life::Aborted => say!("taken back with its transaction"),
        Life::Dropped => say!("dropped by a rule"),
        Life::Deleted => say!("deleted from the log"),
    }
}

/// What a message waits for between two steps; empty where nothing in particular.
#[must_use]
pub fn wait(before: Life, after: Life, log: bool) -> &'static str {
    match (before, after) {
        (Life::Produced { .. }, Life::Stored) if log => {
            say!("for its batch (linger.ms, batch.size), and the way to the leader")
        }
        (Life::Produced { .. }, Life::Stored) => say!("for the way to the queue, and for its process"),
        (Life::Stored, Life::Acknowledged) if log => say!("for the replicas that acks asks for, and the way back"),
        (Life::Stored, Life::Acknowledged) => say!("until the queue may confirm it, and for the way back"),
        (Life::Stored | Life::Acknowledged, Life::Delivered { .. }) if log => {
            say!("for the high watermark to pass it, and for the consumer's next fetch")
        }
        (Life::Stored | Life::Acknowledged, Life::Delivered { .. }) => {
            say!("for its turn, and for room in a prefetch window")
        }
        (Life::Delivered { .. }, Life::Processed { .. }) => say!("in its consumer's hands, behind those before it"),
        (Life::Processed { .. }, Life::Settled { .. }) if log => say!("for the next commit"),
        (Life::Processed { .. }, Life::Settled { .. }) => say!("for the acknowledgement's way"),
        (Life::Delivered { .. } | Life::Processed { .. }, Life::Delivered { .. }) if log => {
            say!("until its group read it again, from the last commit")
        }
        (Life::Delivered { .. } | Life::Processed { .. }, Life::Delivered { .. }) => {
            say!("until its queue gave it out again")
        }
        _ => "",
    }
}
