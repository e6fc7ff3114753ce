//! A message's life in words: each step, and what it waited for before it.

use sim::story::Life;

/// What a step is called, in the words of a cluster.
#[must_use]
pub fn step(life: Life, log: bool) -> &'static str {
    match life {
        Life::Produced { .. } => "handed over by its application",
        Life::Stored if log => "appended to the log",
        Life::Stored => "put into the queue",
        Life::Acknowledged if log => "acknowledged to its producer",
        Life::Acknowledged => "confirmed to its publisher",
        Life::Refused => "refused, and given up by its producer",
        Life::Delivered { redelivered: true, .. } => "delivered again",
        Life::Delivered { .. } => "delivered",
        Life::Processed { .. } => "processed",
        Life::Settled { .. } if log => "committed: its group goes on behind it",
        Life::Settled { .. } => "acknowledged by its consumer",
        Life::DeadLettered => "moved to the dead letters",
        Life::Aborted => "taken back with its transaction",
        Life::Dropped => "dropped by a rule",
        Life::Deleted => "deleted from the log",
    }
}

/// What a message waits for between two steps; empty where nothing in particular.
#[must_use]
pub fn wait(before: Life, after: Life, log: bool) -> &'static str {
    match (before, after) {
        (Life::Produced { .. }, Life::Stored) if log => {
            "for its batch (linger.ms, batch.size), and the way to the leader"
        }
        (Life::Produced { .. }, Life::Stored) => "for the way to the queue, and for its process",
        (Life::Stored, Life::Acknowledged) if log => "for the replicas that acks asks for, and the way back",
        (Life::Stored, Life::Acknowledged) => "until the queue may confirm it, and for the way back",
        (Life::Stored | Life::Acknowledged, Life::Delivered { .. }) if log => {
            "for the high watermark to pass it, and for the consumer's next fetch"
        }
        (Life::Stored | Life::Acknowledged, Life::Delivered { .. }) => {
            "for its turn, and for room in a prefetch window"
        }
        (Life::Delivered { .. }, Life::Processed { .. }) => "in its consumer's hands, behind those before it",
        (Life::Processed { .. }, Life::Settled { .. }) if log => "for the next commit",
        (Life::Processed { .. }, Life::Settled { .. }) => "for the acknowledgement's way",
        (Life::Delivered { .. } | Life::Processed { .. }, Life::Delivered { .. }) if log => {
            "until its group read it again, from the last commit"
        }
        (Life::Delivered { .. } | Life::Processed { .. }, Life::Delivered { .. }) => {
            "until its queue gave it out again"
        }
        _ => "",
    }
}
