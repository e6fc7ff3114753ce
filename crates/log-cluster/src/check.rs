//! What Kafka refuses, with its reasons.

use crate::config::{
    Acks, Config, ConsumerClient, ConsumerConfig, Controllers, GroupProtocol, ProducerConfig, TopicSpec,
};
use crate::layout::{OFFSETS_TOPIC, SHARE_TOPIC, TRANSACTIONS_TOPIC};
use sim::workload::Problem;

/// Where problems are gathered.
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, path: &str, message: String) {
        self.0.push(Problem { path: path.to_owned(), message });
    }
}

impl Config {
    /// Looks for what Kafka would refuse, and for what cannot be.
    ///
    /// # Errors
    /// All that was found, each with its place and Kafka's reason.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        let mut found = Problems(Vec::new());
        self.check_nodes(&mut found);
        self.check_broker(&mut found);
        for (index, topic) in self.topics.iter().enumerate() {
            self.check_topic(&format!("topics[{index}]"), topic, &mut found);
        }
        for (index, producer) in self.producers.iter().enumerate() {
            let path = format!("producers[{index}]");
            self.check_subscription(&format!("{path}.topic"), &producer.topic, &mut found);
            check_producer(&format!("{path}.config"), &producer.config, &mut found);
            self.check_transactions(&format!("{path}.config"), &producer.config, &mut found);
        }
        for (index, consumer) in self.consumers.iter().enumerate() {
            let path = format!("consumers[{index}]");
            for topic in &consumer.topics {
                self.check_subscription(&format!("{path}.topics"), topic, &mut found);
            }
            self.check_consumer(&format!("{path}.config"), &consumer.config, &mut found);
            found.0.extend(crate::share::consumer_problems(&path, consumer));
            let other = |it: &ConsumerClient| it.share.is_some() != consumer.share.is_some();
            let same = |it: &ConsumerClient| it.config.group_id == consumer.config.group_id;
            if self.consumers[..index].iter().any(|it| same(it) && other(it)) {
                let message = format!("group {} is of the other kind already", consumer.config.group_id);
                found.add(&format!("{path}.config.group.id"), message);
            }
            if let Some(forward) = &consumer.forward {
                self.check_subscription(&format!("{path}.forward.topic"), &forward.topic, &mut found);
                let config = ProducerConfig {
                    transactional_id: Some(forward.transactional_id.clone()),
                    transaction_timeout_ms: forward.transaction_timeout_ms,
                    ..ProducerConfig::default()
                };
                self.check_transactions(&format!("{path}.forward"), &config, &mut found);
                if consumer.topics.contains(&forward.topic) {
                    let message = format!("{} would be read by who writes to it, for ever", forward.topic);
                    found.add(&format!("{path}.forward.topic"), message);
                }
            }
        }
        if found.0.is_empty() { Ok(()) } else { Err(found.0) }
    }

    fn check_nodes(&self, found: &mut Problems) {
        if !(1..=100).contains(&self.brokers) {
            found.add("brokers", format!("expected 1 to 100 brokers, found {}", self.brokers));
        }
        let (Controllers::Dedicated(count) | Controllers::Combined(count)) = self.controllers;
        if !matches!(count, 1 | 3 | 5) {
            found.add("controllers", format!("expected 1, 3 or 5 controllers, found {count}"));
        }
        if matches!(self.controllers, Controllers::Combined(_)) && count > self.brokers {
            found.add("controllers", format!("{count} brokers cannot be controllers: there are {}", self.brokers));
        }
    }

    fn check_broker(&self, found: &mut Problems) {
        let broker = &self.broker;
        if broker.broker_heartbeat_interval_ms.saturating_mul(2) > broker.broker_session_timeout_ms {
            let message = "broker.heartbeat.interval.ms must be at most half of broker.session.timeout.ms";
            found.add("broker.broker.heartbeat.interval.ms", message.to_owned());
        }
        if broker.replica_fetch_wait_max_ms > broker.replica_lag_time_max_ms {
            let message = "replica.fetch.wait.max.ms must always be at most replica.lag.time.max.ms, \
                           to prevent in-sync sets from shrinking all the time";
            found.add("broker.replica.fetch.wait.max.ms", message.to_owned());
        }
        if broker.group_min_session_timeout_ms > broker.group_max_session_timeout_ms {
            let message = "group.min.session.timeout.ms must be at most group.max.session.timeout.ms";
            found.add("broker.group.min.session.timeout.ms", message.to_owned());
        }
        self.check_consumer_groups(found);
        found.0.extend(self.share_problems());
        let factor = broker.offsets_topic_replication_factor;
        if !self.consumers.is_empty() && factor > i64::from(self.brokers) {
            let message = format!(
                "offsets.topic.replication.factor is {factor} and there are {} brokers: __consumer_offsets could \
                 never be created, and no group could find its coordinator",
                self.brokers
            );
            found.add("broker.offsets.topic.replication.factor", message);
        }
    }

    /// What a broker demands of its settings of consumer groups.
    fn check_consumer_groups(&self, found: &mut Problems) {
        let b = &self.broker;
        let mut between = |name: &str, value: i64, least: (&str, i64), most: (&str, i64)| {
            if value < least.1 {
                let message = format!("{name} must be greater than or equal to {}", least.0);
                found.add(&format!("broker.{name}"), message);
            }
            if value > most.1 {
                found.add(&format!("broker.{name}"), format!("{name} must be less than or equal to {}", most.0));
            }
        };
        between(
            "group.consumer.session.timeout.ms",
            b.group_consumer_session_timeout_ms,
            ("group.consumer.min.session.timeout.ms", b.group_consumer_min_session_timeout_ms),
            ("group.consumer.max.session.timeout.ms", b.group_consumer_max_session_timeout_ms),
        );
        between(
            "group.consumer.heartbeat.interval.ms",
            b.group_consumer_heartbeat_interval_ms,
            ("group.consumer.min.heartbeat.interval.ms", b.group_consumer_min_heartbeat_interval_ms),
            ("group.consumer.max.heartbeat.interval.ms", b.group_consumer_max_heartbeat_interval_ms),
        );
        if b.group_consumer_heartbeat_interval_ms >= b.group_consumer_session_timeout_ms {
            let message = "group.consumer.heartbeat.interval.ms must be less than group.consumer.session.timeout.ms";
            found.add("broker.group.consumer.heartbeat.interval.ms", message.to_owned());
        }
    }

    /// K-X3: what brokers and client demand of a transactional producer.
    fn check_transactions(&self, path: &str, producer: &ProducerConfig, found: &mut Problems) {
        if producer.transactional_id.is_none() {
            return;
        }
        if !producer.is_idempotent() {
            let message = "Cannot set a transactional.id without also enabling idempotence.".to_owned();
            found.add(&format!("{path}.transactional.id"), message);
        }
        let (timeout, most) = (producer.transaction_timeout_ms, self.broker.transaction_max_timeout_ms);
        if !(1..=most).contains(&timeout) {
            let message = format!(
                "INVALID_TRANSACTION_TIMEOUT: {timeout} is more than transaction.max.timeout.ms={most} of the brokers, \
                 or not positive"
            );
            found.add(&format!("{path}.transaction.timeout.ms"), message);
        }
        let factor = self.broker.transaction_state_log_replication_factor;
        if factor > i64::from(self.brokers) {
            let message = format!(
                "transaction.state.log.replication.factor is {factor} and there are {} brokers: __transaction_state \
                 could never be created, and no producer could begin a transaction",
                self.brokers
            );
            found.add("broker.transaction.state.log.replication.factor", message);
        }
    }

    fn check_topic(&self, path: &str, topic: &TopicSpec, found: &mut Problems) {
        let name = &topic.name;
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.len() > 249 || name == "." || name == ".." || !name.chars().all(legal) {
            let message = format!("\"{name}\" is no topic name: 1 to 249 ASCII letters, digits, '.', '_' and '-'");
            found.add(&format!("{path}.name"), message);
        }
        if [OFFSETS_TOPIC, TRANSACTIONS_TOPIC, SHARE_TOPIC].contains(&name.as_str()) {
            found.add(&format!("{path}.name"), format!("{name} is the brokers' own"));
        }
        if self.topics.iter().filter(|other| other.name == *name).count() > 1 {
            found.add(&format!("{path}.name"), format!("topic {name} already exists"));
        }
        if !(1..=1_000).contains(&topic.partitions) {
            let message = format!("number of partitions must be 1 to 1000 here, found {}", topic.partitions);
            found.add(&format!("{path}.partitions"), message);
        }
        let brokers = self.brokers.saturating_sub(self.spare);
        if topic.replication_factor == 0 || topic.replication_factor > brokers {
            // K-E9: the placer refuses with INVALID_REPLICATION_FACTOR.
            let message = format!(
                "INVALID_REPLICATION_FACTOR: The target replication factor of {} cannot be reached because only \
                 {brokers} broker(s) are registered.",
                topic.replication_factor
            );
            found.add(&format!("{path}.replication_factor"), message);
        }
        self.check_tier(path, topic, found);
        self.check_assignment(path, topic, found);
    }

    /// K-Z1
    fn check_tier(&self, path: &str, topic: &TopicSpec, found: &mut Problems) {
        let (own, b) = (&topic.config, &self.broker);
        if !own.remote_storage_enable.unwrap_or(false) {
            return;
        }
        let mut refuse = |name: &str, message: &str| found.add(&format!("{path}.{name}"), message.to_owned());
        if !b.remote_log_storage_system_enable {
            let message = "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote \
                           log storage. (remote.log.storage.system.enable)";
            refuse("remote.storage.enable", message);
        }
        if own.cleanup_policy.unwrap_or(b.log_cleanup_policy).compacts() {
            refuse("remote.storage.enable", "Remote log storage is unsupported for the compacted topics.");
        }
        let above = |local: Option<i64>, all: i64| all != -1 && local.is_some_and(|local| local == -1 || local > all);
        if above(own.local_retention_ms, own.retention_ms.unwrap_or(b.log_retention_ms)) {
            refuse("local.retention.ms", "Value must not be more than property retention.ms value.");
        }
        if above(own.local_retention_bytes, own.retention_bytes.unwrap_or(b.log_retention_bytes)) {
            refuse("local.retention.bytes", "Value must not be more than property retention.bytes value.");
        }
    }

    fn check_assignment(&self, path: &str, topic: &TopicSpec, found: &mut Problems) {
        let lists = &topic.replica_assignment;
        if lists.is_empty() {
            return;
        }
        let brokers = self.brokers.saturating_sub(self.spare);
        let path = format!("{path}.replica_assignment");
        if lists.len() != topic.partitions as usize {
            found.add(&path, format!("expected {} lists of replicas, found {}", topic.partitions, lists.len()));
        }
        for list in lists {
            let known = list.iter().all(|broker| (1..=brokers).contains(broker));
            let twice = list.iter().enumerate().any(|(index, broker)| list[..index].contains(broker));
            if list.len() != usize::from(topic.replication_factor) || !known || twice {
                let message = format!(
                    "INVALID_REPLICA_ASSIGNMENT: {list:?} is not {} different brokers of 1 to {brokers}",
                    topic.replication_factor
                );
                found.add(&path, message);
            }
        }
    }

    fn check_subscription(&self, path: &str, topic: &str, found: &mut Problems) {
        if !self.topics.iter().any(|known| known.name == topic) {
            found.add(path, format!("there is no topic {topic}"));
        }
    }

    fn check_consumer(&self, path: &str, consumer: &ConsumerConfig, found: &mut Problems) {
        let (session, broker) = (consumer.session_timeout_ms, &self.broker);
        let (least, most) = (broker.group_min_session_timeout_ms, broker.group_max_session_timeout_ms);
        if !(least..=most).contains(&session) && consumer.group_protocol == GroupProtocol::Classic {
            let message = format!(
                "INVALID_SESSION_TIMEOUT: {session} is not within group.min.session.timeout.ms={least} and \
                 group.max.session.timeout.ms={most}"
            );
            found.add(&format!("{path}.session.timeout.ms"), message);
        }
        check_protocol(path, consumer, found);
        if consumer.heartbeat_interval_ms >= session {
            let message = "heartbeat.interval.ms must be less than session.timeout.ms".to_owned();
            found.add(&format!("{path}.heartbeat.interval.ms"), message);
        }
        if consumer.group_id.is_empty() {
            found.add(&format!("{path}.group.id"), "a consumer that subscribes needs a group.id".to_owned());
        }
    }
}

/// Settings that belong to the other protocol; one that is set to its default goes unnoticed.
fn check_protocol(path: &str, consumer: &ConsumerConfig, found: &mut Problems) {
    let usual = ConsumerConfig::default();
    let (other, names) = match consumer.group_protocol {
        GroupProtocol::Classic => ("CLASSIC", &["group.remote.assignor"][..]),
        GroupProtocol::Consumer => {
            ("CONSUMER", &["partition.assignment.strategy", "heartbeat.interval.ms", "session.timeout.ms"][..])
        }
    };
    for name in names.iter().filter(|name| consumer.get(name) != usual.get(name)) {
        found.add(&format!("{path}.{name}"), format!("{name} cannot be set when group.protocol={other}"));
    }
}

/// K-P5: what a producer's settings demand of each other.
fn check_producer(path: &str, producer: &ProducerConfig, found: &mut Problems) {
    let least = producer.linger_ms.saturating_add(producer.request_timeout_ms);
    if producer.delivery_timeout_ms < least {
        let message = format!(
            "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms, which is {least}"
        );
        found.add(&format!("{path}.delivery.timeout.ms"), message);
    }
    if !producer.is_idempotent() {
        return;
    }
    if producer.retries == 0 {
        let message = "must set retries to non-zero when using the idempotent producer".to_owned();
        found.add(&format!("{path}.retries"), message);
    }
    if producer.max_in_flight_requests_per_connection > 5 {
        let message = "must set max.in.flight.requests.per.connection to at most 5 to use the idempotent producer";
        found.add(&format!("{path}.max.in.flight.requests.per.connection"), message.to_owned());
    }
    if producer.acks != Acks::All {
        let message = "must set acks to all in order to use the idempotent producer".to_owned();
        found.add(&format!("{path}.acks"), message);
    }
}
