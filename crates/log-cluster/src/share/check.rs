//! What Kafka refuses of share groups and their members.

use crate::config::{Config, ConsumerClient, ConsumerConfig};
use sim::workload::Problem;

/// What a share consumer's client does not take; one that is set to its default goes unnoticed.
const UNSUPPORTED: [&str; 9] = [
    "auto.offset.reset",
    "enable.auto.commit",
    "group.instance.id",
    "isolation.level",
    "partition.assignment.strategy",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "group.protocol",
    "group.remote.assignor",
];
/// What only a share consumer has a use for.
const OWN: [&str; 2] = ["share.acknowledgement.mode", "share.acquire.mode"];

impl Config {
    /// Looks for what Kafka would refuse of the brokers' settings of share groups, and of groups'.
    pub(crate) fn share_problems(&self) -> Vec<Problem> {
        let place = |(name, message): (&str, String)| Problem { path: format!("broker.{name}"), message };
        let mut found: Vec<Problem> = self.share.problems().into_iter().map(place).collect();
        for (group, own) in &self.groups {
            let mut within = |name: &str, value: Option<i64>, least: i64, most: i64| {
                let path = format!("groups.{group}.{name}");
                if value.is_some_and(|value| value < least) {
                    let message = format!("{name} must be greater than or equal to group.{}", min(name));
                    found.push(Problem { path, message });
                } else if value.is_some_and(|value| value > most) {
                    let message = format!("{name} must be less than or equal to group.{}", max(name));
                    found.push(Problem { path, message });
                }
            };
            let (least, most) = (self.share.min_record_lock_duration_ms, self.share.max_record_lock_duration_ms);
            within("share.record.lock.duration.ms", own.share_record_lock_duration_ms, least, most);
            let (least, most) = (self.share.min_delivery_count_limit, self.share.max_delivery_count_limit);
            within("share.delivery.count.limit", own.share_delivery_count_limit, least, most);
        }
        let (factor, brokers) = (self.share.state_topic_replication_factor, i64::from(self.brokers));
        if factor > brokers && self.consumers.iter().any(|consumer| consumer.share.is_some()) {
            let message = format!(
                "share.coordinator.state.topic.replication.factor is {factor} and there are {brokers} brokers: \
                 __share_group_state could never be created, and no share group could keep its progress"
            );
            let path = "broker.share.coordinator.state.topic.replication.factor".to_owned();
            found.push(Problem { path, message });
        }
        found
    }
}

fn min(name: &str) -> String {
    name.replacen("share.", "share.min.", 1)
}

fn max(name: &str) -> String {
    name.replacen("share.", "share.max.", 1)
}

/// What the client refuses of a consumer.
pub(crate) fn consumer_problems(path: &str, client: &ConsumerClient) -> Vec<Problem> {
    let (consumer, usual) = (&client.config, ConsumerConfig::default());
    let set = |name: &&&str| consumer.get(name) != usual.get(name);
    let problem = |name: &&str, message: String| Problem { path: format!("{path}.config.{name}"), message };
    let Some(plan) = &client.share else {
        let unused = |name: &&str| problem(name, format!("{name} is for share consumers only"));
        return OWN.iter().filter(set).map(unused).collect();
    };
    let refused = |name: &&str| problem(name, format!("{name} cannot be set when using a share group."));
    let mut found: Vec<Problem> = UNSUPPORTED.iter().filter(set).map(refused).collect();
    let explicit = consumer.share_acknowledgement_mode == crate::config::AcknowledgementMode::Explicit;
    let says = plan.release_every + plan.reject_every + plan.forget_every > 0;
    if says && !explicit {
        let message = "an application says more than that it is done only with share.acknowledgement.mode=explicit";
        found.push(Problem { path: format!("{path}.share"), message: message.to_owned() });
    }
    if client.forward.is_some() {
        let message = "a share consumer has no offsets that a transaction could take in";
        found.push(Problem { path: format!("{path}.forward"), message: message.to_owned() });
    }
    found
}
