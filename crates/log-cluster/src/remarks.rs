//! What Kafka accepts, and what somebody who wrote it should know.

use crate::config::{Acks, Config, ConsumerConfig, OffsetReset, ProducerConfig, ShareReset, TopicSpec};
use sim::workload::Problem;

impl Config {
    /// What is accepted here as Kafka accepts it, and does less or something else than one may think: each with its
    /// place and a sentence.
    #[must_use]
    pub fn remarks(&self) -> Vec<Problem> {
        let mut remarks = Vec::new();
        let mut say = |path: String, message: String| remarks.push(Problem { path, message });
        for (place, topic) in self.topics.iter().enumerate() {
            self.of_topic(&format!("topics[{place}]"), topic, &mut say);
        }
        for (place, client) in self.producers.iter().enumerate() {
            of_producer(&format!("producers[{place}]"), &client.config, &mut say);
            let topic = self.topics.iter().find(|topic| topic.name == client.topic);
            if let Some(topic) = topic.filter(|topic| self.min_isr(topic) > 1 && client.config.acks != Acks::All) {
                // K-A2, K-A5
                let message = format!(
                    "min.insync.replicas={} of {} binds acks=all only: what is sent with acks={} is stored with fewer in \
                     sync, and cannot be read until enough are in sync again",
                    self.min_isr(topic),
                    topic.name,
                    if client.config.acks == Acks::Leader { "1" } else { "0" }
                );
                say(format!("producers[{place}].acks"), message);
            }
        }
        for (place, client) in self.consumers.iter().enumerate() {
            let path = format!("consumers[{place}]");
            if client.share.is_none() {
                of_consumer(&path, &client.config, &mut say);
                continue;
            }
            let group = self.groups.get(&client.config.group_id).cloned().unwrap_or_default();
            if group.share_auto_offset_reset == ShareReset::Latest {
                // K-H1
                let message = "share.auto.offset.reset of a share group is latest: it skips what was written before its \
                               first member's first fetch";
                say(format!("{path}.group.id"), message.to_owned());
            }
        }
        if self.broker.broker_heartbeat_interval_ms.saturating_mul(3) > self.broker.broker_session_timeout_ms {
            let message = "two lost heartbeats end a broker's session: it will be fenced without having failed";
            say("broker.broker.heartbeat.interval.ms".to_owned(), message.to_owned());
        }
        remarks
    }

    fn min_isr(&self, topic: &TopicSpec) -> i64 {
        topic.config.min_insync_replicas.unwrap_or(self.broker.min_insync_replicas)
    }

    fn of_topic(&self, path: &str, topic: &TopicSpec, say: &mut dyn FnMut(String, String)) {
        let (min_isr, factor) = (self.min_isr(topic), i64::from(topic.replication_factor));
        if min_isr > factor {
            // K-A2
            let message = format!(
                "{min_isr} is more than the replication factor: accepted, and counts as {factor}, so that every replica \
                 has to be in sync for acks=all and none may be missing"
            );
            say(format!("{path}.min.insync.replicas"), message);
        } else if factor > 1 && min_isr == factor {
            let message = "as many as there are replicas: with one of them away acks=all is refused";
            say(format!("{path}.min.insync.replicas"), message.to_owned());
        } else if factor > 1 && min_isr == 1 {
            // K-A6
            let message = "1: acks=all is satisfied by the leader alone once the others are out of sync";
            say(format!("{path}.min.insync.replicas"), message.to_owned());
        }
        if topic.config.unclean_leader_election_enable.unwrap_or(self.broker.unclean_leader_election_enable) {
            // K-E2
            let message = "true: a replica that is behind may lead, and what it lacks is lost";
            say(format!("{path}.unclean.leader.election.enable"), message.to_owned());
        }
    }
}

fn of_producer(path: &str, producer: &ProducerConfig, say: &mut dyn FnMut(String, String)) {
    if producer.enable_idempotence.is_none() && !producer.is_idempotent() {
        // K-P5
        let message = "unset, and acks or retries forbid it: idempotence is off without a word, so that a retry may write \
                       a record twice or out of order";
        say(format!("{path}.enable.idempotence"), message.to_owned());
    }
    if producer.acks == Acks::None {
        // K-A1
        let message = "0: nothing is acknowledged, and a record counts as sent once it left the client";
        say(format!("{path}.acks"), message.to_owned());
    }
}

fn of_consumer(path: &str, consumer: &ConsumerConfig, say: &mut dyn FnMut(String, String)) {
    if consumer.auto_offset_reset == OffsetReset::Latest {
        // K-C5
        let message = "latest: a group without a committed offset skips what was written before its first assignment";
        say(format!("{path}.auto.offset.reset"), message.to_owned());
    }
    if consumer.heartbeat_interval_ms.saturating_mul(3) > consumer.session_timeout_ms {
        let message = "more than a third of session.timeout.ms: two lost heartbeats end the session";
        say(format!("{path}.heartbeat.interval.ms"), message.to_owned());
    }
}
