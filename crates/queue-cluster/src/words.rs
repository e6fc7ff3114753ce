//! The sentences of marks.

/// The marks' sentences, by code.
pub const WORDS: &[(&str, &str)] = &[
    ("leader-elected", "{0}: {1} leads, term {2}"),
    ("leader-lost", "{0}: no leader any more"),
    ("queue-down", "{0}: its home node is down"),
    ("node-lost", "{0} is no longer seen"),
    ("node-seen", "{0} is seen"),
    ("client-connected", "connected to {0}"),
    ("client-disconnected", "lost the connection to {0}"),
    ("channel-closed", "channel closed: {0} {1}"),
    ("connection-closed", "connection closed: {0} {1}"),
    ("publish-refused", "{0} refused a message"),
    ("consumer-cancelled", "{0} was cancelled by the broker"),
    ("active-consumer", "{0}: {1} is the active consumer"),
    ("consumers-returned", "{0}: messages of {1} return to the queue"),
    ("queue-deleted", "{0} is deleted"),
    ("cycle-dropped", "{0}: a message that goes in circles is dropped"),
    ("delivery-limit", "{0}: a message reached the delivery limit"),
    ("queue-crashed", "{0}: its process crashed"),
];
