//! Settings of the queue cluster's servers and clients, by the broker's names where it has one.

use crate::compile::Checker;
use crate::document::QueuePart;
use crate::read::suggest;
use crate::units::{Size, Span};
use queue_cluster::{Config, MetadataStore, PartitionHandling, ServerSettings};
use serde_json::Value;
use sim::Nanos;

/// Spans, and where they go.
fn spans(config: &mut Config) -> [(&'static str, &mut Nanos); 12] {
    let (server, client) = (&mut config.server, &mut config.client);
    [
        ("net_ticktime", &mut server.net_ticktime),
        ("heartbeat", &mut server.heartbeat),
        ("consumer_timeout", &mut server.consumer_timeout),
        ("channel_tick_interval", &mut server.channel_tick),
        ("memory_monitor_interval", &mut server.memory_monitor),
        ("aten_poll", &mut server.aten_poll),
        ("aten_suspects", &mut server.aten_suspects),
        ("khepri_default_timeout", &mut server.metadata_timeout),
        ("queue_cost", &mut server.queue_cost),
        ("ack_cost", &mut server.ack_cost),
        ("recovery_interval", &mut client.recovery_interval),
        ("connect_timeout", &mut client.connect_timeout),
    ]
}

/// Sizes, and where they go.
fn sizes(config: &mut Config) -> [(&'static str, &mut u64); 4] {
    let server = &mut config.server;
    [
        ("total_memory", &mut server.total_memory),
        ("base_memory", &mut server.base_memory),
        ("disk_free", &mut server.disk_free),
        ("disk_free_limit.absolute", &mut server.disk_free_limit),
    ]
}

/// Every setting with its default as one would write it.
pub(crate) fn defaults() -> Vec<(&'static str, String)> {
    let mut config = Config::default();
    let server = &config.server;
    let others: Vec<_> = OTHERS.map(|name| (name, default_of(name, server))).into();
    let spans: Vec<_> = spans(&mut config).map(|(name, span)| (name, Span(*span).to_string())).into();
    let sizes: Vec<_> = sizes(&mut config).map(|(name, size)| (name, Size(*size).to_string())).into();
    spans.into_iter().chain(sizes).chain(others).collect()
}

/// The default of one of the others.
fn default_of(name: &str, server: &ServerSettings) -> String {
    match name {
        "quorum_commands_soft_limit" => server.quorum_commands_soft_limit.to_string(),
        "quorum_cluster_size" => server.quorum_cluster_size.to_string(),
        "quorum_queue.default_delivery_limit" => server.quorum_delivery_limit.unwrap_or(-1).to_string(),
        "credit_flow_default_credit" => format!("[{}, {}]", server.credit.0, server.credit.1),
        "vm_memory_high_watermark.relative" => format!("0.{:02}", server.memory_watermark_percent),
        "khepri_db" => (server.metadata_store == MetadataStore::Khepri).to_string(),
        "cluster_partition_handling" => "ignore".to_owned(),
        _ => String::new(),
    }
}

/// All that is neither a span nor a size.
const OTHERS: [&str; 9] = [
    "quorum_commands_soft_limit",
    "quorum_cluster_size",
    "quorum_queue.default_delivery_limit",
    "credit_flow_default_credit",
    "vm_memory_high_watermark.relative",
    "khepri_db",
    "cluster_partition_handling",
    "cluster_partition_handling.pause_if_all_down.nodes",
    "cluster_partition_handling.pause_if_all_down.recover",
];

/// Reads the part's settings into the engine's.
pub(crate) fn settings(part: &QueuePart, config: &mut Config, check: &mut Checker) {
    for (name, value) in &part.config {
        let path = format!("queue.config.{name}");
        if let Some((_, place)) = spans(config).into_iter().find(|(known, _)| known == name) {
            match value.as_str().map(Span::parse) {
                Some(Ok(span)) => *place = span.0,
                Some(Err(message)) => check.refuse(path, message),
                None => check.refuse(path, format!("expected a span such as \"5s\", found {value}")),
            }
        } else if let Some((_, place)) = sizes(config).into_iter().find(|(known, _)| known == name) {
            match value.as_str().map(Size::parse) {
                Some(Ok(size)) => *place = size.0,
                Some(Err(message)) => check.refuse(path, message),
                None => check.refuse(path, format!("expected a size such as \"50MB\", found {value}")),
            }
        } else if OTHERS.contains(&name.as_str()) {
            other(name, &path, value, config, check);
        } else {
            let known: Vec<&str> =
                spans(config).map(|(n, _)| n).into_iter().chain(sizes(config).map(|(n, _)| n)).chain(OTHERS).collect();
            check.refuse(path, suggest(format!("`{name}` is not known here"), name, known));
        }
    }
    handling(part, config, check);
}

fn other(name: &str, path: &str, value: &Value, config: &mut Config, check: &mut Checker) {
    let server = &mut config.server;
    match name {
        "quorum_commands_soft_limit" | "quorum_cluster_size" => {
            let number = value.as_u64().unwrap_or(0);
            if check.within(path, "as a number", number, 1, 10_000) {
                match name {
                    "quorum_cluster_size" => server.quorum_cluster_size = number.min(10) as u16,
                    _ => server.quorum_commands_soft_limit = number as u32,
                }
            }
        }
        // R-U5: -1 is no limit.
        "quorum_queue.default_delivery_limit" => match value.as_i64() {
            Some(limit) if (-1..=1_000_000).contains(&limit) => server.quorum_delivery_limit = Some(limit as i32),
            _ => check.refuse(path, format!("expected -1 to 1000000, found {value}")),
        },
        "credit_flow_default_credit" => {
            let numbers = value.as_array().map(|list| list.iter().map(Value::as_u64).collect::<Vec<_>>());
            match numbers.as_deref() {
                Some([Some(first @ 1..=1_000_000), Some(after @ 1..=1_000_000)]) if after <= first => {
                    server.credit = (*first as u32, *after as u32);
                }
                _ => check.refuse(path, format!("expected two numbers such as [400, 200], found {value}")),
            }
        }
        "vm_memory_high_watermark.relative" => match value.as_f64() {
            Some(part) if part > 0.0 && part <= 1.0 => {
                // A whole percent: engines know no fractions.
                server.memory_watermark_percent = (part * 100.0 + 0.5) as u64;
            }
            _ => check.refuse(path, format!("expected a part of the memory such as 0.6, found {value}")),
        },
        "khepri_db" => match value.as_bool() {
            Some(true) if config.rules < queue_cluster::Rules::V4_2 => {
                check.refuse(path, "Khepri came with 4.0: 3.10 keeps its metadata in Mnesia");
            }
            Some(true) => server.metadata_store = MetadataStore::Khepri,
            Some(false) => server.metadata_store = MetadataStore::Mnesia,
            None => check.refuse(path, format!("expected true or false, found {value}")),
        },
        // Read together.
        _ => {}
    }
}

fn handling(part: &QueuePart, config: &mut Config, check: &mut Checker) {
    const PATH: &str = "queue.config.cluster_partition_handling";
    let named = |name: &str| part.config.get(&format!("cluster_partition_handling{name}"));
    let strategies = ["ignore", "pause_minority", "pause_if_all_down", "autoheal"];
    let strategy = named("").map(|value| value.as_str().unwrap_or("").to_owned());
    config.server.partition_handling = match strategy.as_deref() {
        None | Some("ignore") => PartitionHandling::Ignore,
        Some("pause_minority") => PartitionHandling::PauseMinority,
        Some("autoheal") => PartitionHandling::Autoheal,
        Some("pause_if_all_down") => {
            let listed = named(".pause_if_all_down.nodes").and_then(Value::as_array).cloned().unwrap_or_default();
            let mut nodes = Vec::new();
            for value in &listed {
                let number = value.as_u64().unwrap_or(0);
                let path = format!("{PATH}.pause_if_all_down.nodes");
                if check.within(&path, "as a node's number", number, 1, part.nodes.into()) {
                    nodes.push(number as u16 - 1);
                }
            }
            if nodes.is_empty() {
                check.refuse(format!("{PATH}.pause_if_all_down.nodes"), "expected the numbers of nodes such as [1]");
            }
            let autoheal = match named(".pause_if_all_down.recover").map(|value| value.as_str().unwrap_or("")) {
                None | Some("ignore") => false,
                Some("autoheal") => true,
                Some(other) => {
                    let message = format!("expected `ignore` or `autoheal`, found `{other}`");
                    check.refuse(format!("{PATH}.pause_if_all_down.recover"), message);
                    false
                }
            };
            PartitionHandling::PauseIfAllDown { nodes, autoheal }
        }
        Some(other) => {
            let message = format!("expected one of {}, found `{other}`", strategies.join(", "));
            check.refuse(PATH, suggest(message, other, strategies));
            PartitionHandling::Ignore
        }
    };
}
