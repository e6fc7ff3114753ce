//! The ledger of every message, and its verdicts.
