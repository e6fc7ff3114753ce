//! A cluster of logs by Kafka's rules.
