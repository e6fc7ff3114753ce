//! A cluster of queues by RabbitMQ's rules.
