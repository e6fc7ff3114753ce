//! The settings that a document can hold, for forms: names, defaults, bounds, what they do.

use crate::queue_forms::queue_forms;
use log_cluster::config::{BrokerConfig, ConsumerConfig, ProducerConfig, TopicConfig};
use log_cluster::settings::SettingInfo;

/// Where in a document a setting belongs.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FormSetting {
    /// The path of its map in a document: `log.producer`; that of a topic's is `log.topics[].config`, of a queue's
    /// `queue.queues[].arguments`.
    pub part: &'static str,
    /// The broker's name for it.
    pub name: &'static str,
    /// The default, as one would write it; empty when unset.
    pub default: String,
    /// What it does, in a sentence; empty where its name says it all.
    pub about: &'static str,
    /// The least value, if it has one.
    pub least: Option<i64>,
    /// The greatest value, if it has one.
    pub most: Option<i64>,
    /// The words that it takes, if they are few; of a list, those that it is made of.
    pub values: Vec<&'static str>,
    /// Whether an order can change it while it runs.
    pub live: bool,
}

/// All settings, by their parts.
#[must_use]
pub fn form_settings() -> Vec<FormSetting> {
    let parts: [(&'static str, Vec<SettingInfo>); 4] = [
        ("log.producer", ProducerConfig::settings()),
        ("log.consumer", ConsumerConfig::settings()),
        ("log.broker", BrokerConfig::settings()),
        ("log.topics[].config", TopicConfig::settings()),
    ];
    let log = parts.into_iter().flat_map(|(part, settings)| {
        settings.into_iter().map(move |setting| FormSetting {
            part,
            name: setting.name,
            default: setting.default,
            about: setting.about,
            least: setting.range.map(|(least, _)| least),
            most: setting.range.map(|(_, most)| most).filter(|most| *most != i64::MAX),
            // An empty word is what is unset.
            values: setting.words.iter().copied().filter(|word| !word.is_empty()).collect(),
            live: match part {
                "log.topics[].config" => log_cluster::LIVE_TOPIC_SETTINGS.contains(&setting.name),
                "log.broker" => log_cluster::LIVE_BROKER_SETTINGS.contains(&setting.name),
                _ => false,
            },
        })
    });
    log.chain(queue_forms()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_of_the_log_cluster_is_one_that_it_takes() {
        for setting in form_settings() {
            let taken = match setting.part {
                "log.producer" => ProducerConfig::default().set(setting.name, &setting.default),
                "log.consumer" => ConsumerConfig::default().set(setting.name, &setting.default),
                "log.broker" => BrokerConfig::default().set(setting.name, &setting.default),
                "log.topics[].config" => TopicConfig::default().set(setting.name, &setting.default),
                _ => Ok(()),
            };
            assert_eq!(taken, Ok(()), "{}", setting.name);
        }
    }

    #[test]
    fn forms_have_all_arguments_that_queues_know() {
        let all = form_settings();
        let has = |name: &str| all.iter().any(|s| s.part == "queue.queues[].arguments" && s.name == name);
        // What is only checked, and compared when a queue is declared again: it changes nothing else here.
        let without = ["x-queue-mode", "x-queue-version", "x-queue-leader-locator"];
        for name in queue_cluster::QUEUE_ARGUMENTS {
            assert_eq!(has(name), !without.contains(name), "{name}");
        }
    }

    #[test]
    fn publishers_and_consumers_take_every_value_that_their_forms_name() {
        for setting in form_settings() {
            let value = match setting.default.parse::<serde_json::Value>() {
                Ok(value) => value,
                Err(_) => continue,
            };
            let part = serde_json::json!({ setting.name: value });
            let taken = match setting.part {
                "queue.publisher" => serde_json::from_value::<crate::document::PublisherPart>(part).map(drop),
                "queue.consumer" => serde_json::from_value::<crate::document::QueueConsumerPart>(part).map(drop),
                _ => continue,
            };
            assert!(taken.is_ok(), "{}: {taken:?}", setting.name);
        }
    }

    #[test]
    fn forms_know_what_the_brokers_documentation_says() {
        let all = form_settings();
        let find =
            |name: &str| all.iter().find(|setting| setting.name == name).map(|s| (s.default.as_str(), s.least, s.most));
        assert_eq!(find("linger.ms"), Some(("5", Some(0), None)));
        assert_eq!(find("net_ticktime"), Some(("1min", None, None)));
        assert!(all.iter().all(|setting| !setting.about.is_empty()));
        let values = |name: &str| all.iter().find(|setting| setting.name == name).map(|setting| setting.values.clone());
        assert_eq!(values("acks"), Some(vec!["0", "1", "all"]));
        assert_eq!(values("x-queue-type"), Some(vec!["classic", "quorum", "stream"]));
        assert_eq!(values("exclusive"), Some(vec!["true", "false"]));
    }
}
