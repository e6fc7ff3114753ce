//! Plays a document: orders, seek, keyframes, metrics.
