//! What Kafka refuses of share groups and their members.

use super::Pulse;
use crate::config::{Config, ConsumerClient, ConsumerConfig, GroupConfig};
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
            let problem = |(name, message): (&str, String)| Problem { path: format!("groups.{group}.{name}"), message };
            found.extend(self.group_problems(own).into_iter().map(problem));
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

    /// GroupConfig.java: a group's settings lie within the brokers' bounds, and a session is longer than an interval.
    fn group_problems(&self, own: &GroupConfig) -> Vec<(&'static str, String)> {
        let (b, s) = (&self.broker, &self.share);
        let mut found = Vec::new();
        let mut within = |name: &'static str, value: Option<i64>, least: i64, most: i64| {
            if value.is_some_and(|value| value < least) {
                found.push((name, format!("{name} must be greater than or equal to {}", bound(name, "min"))));
            } else if value.is_some_and(|value| value > most) {
                found.push((name, format!("{name} must be less than or equal to {}", bound(name, "max"))));
            }
        };
        let (least, most) = (b.group_consumer_min_heartbeat_interval_ms, b.group_consumer_max_heartbeat_interval_ms);
        within("consumer.heartbeat.interval.ms", own.consumer_heartbeat_interval_ms, least, most);
        let (least, most) = (b.group_consumer_min_session_timeout_ms, b.group_consumer_max_session_timeout_ms);
        within("consumer.session.timeout.ms", own.consumer_session_timeout_ms, least, most);
        let (least, most) = (s.min_heartbeat_interval_ms, s.max_heartbeat_interval_ms);
        within("share.heartbeat.interval.ms", own.share_heartbeat_interval_ms, least, most);
        let (least, most) = (s.min_session_timeout_ms, s.max_session_timeout_ms);
        within("share.session.timeout.ms", own.share_session_timeout_ms, least, most);
        let (least, most) = (s.min_record_lock_duration_ms, s.max_record_lock_duration_ms);
        within("share.record.lock.duration.ms", own.share_record_lock_duration_ms, least, most);
        let (least, most) = (s.min_delivery_count_limit, s.max_delivery_count_limit);
        within("share.delivery.count.limit", own.share_delivery_count_limit, least, most);
        let mut longer = |session: &'static str, pulse: Pulse, interval: &str, set: bool| {
            if set && pulse.session <= pulse.interval {
                found.push((session, format!("{session} must be greater than {interval}")));
            }
        };
        let set = own.consumer_session_timeout_ms.or(own.consumer_heartbeat_interval_ms).is_some();
        longer("consumer.session.timeout.ms", own.consumer_pulse(b), "consumer.heartbeat.interval.ms", set);
        let set = own.share_session_timeout_ms.or(own.share_heartbeat_interval_ms).is_some();
        longer("share.session.timeout.ms", own.share_pulse(s), "share.heartbeat.interval.ms", set);
        found
    }
}

/// The brokers' bound of a group's setting.
fn bound(name: &str, which: &str) -> String {
    let (kind, rest) = name.split_once('.').unwrap_or((name, ""));
    format!("group.{kind}.{which}.{rest}")
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
