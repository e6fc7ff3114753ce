//! The forms of a queue's arguments, of publishers and of consumers, by RabbitMQ's names.

use crate::forms::FormSetting;
use crate::queue_settings;

/// A queue's arguments: name, default, what it does, and the least and the greatest value of a number.
type Row = (&'static str, &'static str, &'static str, Option<(i64, i64)>);

const LARGEST: i64 = i64::MAX;

const ARGUMENTS: &[Row] = &[
    ("x-queue-type", "classic", "classic, quorum or stream (R-Q2, R-U1, R-S1).", None),
    (
        "x-max-length",
        "",
        "How many ready messages it holds; unacknowledged ones do not count (R-T3).",
        Some((0, LARGEST)),
    ),
    (
        "x-max-length-bytes",
        "",
        "How many bytes of bodies it holds; of a stream, what retention keeps (R-T3, R-S3).",
        Some((0, LARGEST)),
    ),
    (
        "x-overflow",
        "drop-head",
        "drop-head, reject-publish or, of classic queues, reject-publish-dlx: what a full queue does (R-T3).",
        None,
    ),
    (
        "x-message-ttl",
        "",
        "How long a message may wait, in milliseconds; it goes when it is at the head (R-T1).",
        Some((0, 315_360_000_000)),
    ),
    (
        "x-expires",
        "",
        "After how long without use the queue is deleted, in milliseconds (R-T2).",
        Some((1, 315_360_000_000)),
    ),
    ("x-max-priority", "", "The highest priority of a classic queue (R-M1).", Some((1, 255))),
    ("x-dead-letter-exchange", "", "Where messages go that expired, were rejected or found no room (R-T4).", None),
    ("x-dead-letter-routing-key", "", "With which key they go there; unset: with their own (R-T4).", None),
    (
        "x-dead-letter-strategy",
        "at-most-once",
        "at-most-once, or of quorum queues at-least-once, with reject-publish (R-U8).",
        None,
    ),
    ("x-single-active-consumer", "false", "Whether one consumer gets all until it goes (R-P6).", None),
    (
        "x-delivery-limit",
        "20",
        "How often a quorum queue delivers a message again; 20 since 4.0, no limit before (R-U5).",
        None,
    ),
    ("x-quorum-initial-group-size", "", "How many members a quorum queue or stream begins with (R-U1).", Some((1, 99))),
    ("x-max-age", "", "How old a stream's segments get, as 7D or 12h (R-S3).", None),
    ("x-stream-max-segment-size-bytes", "500000000", "The size of a stream's segments (R-S3).", Some((0, LARGEST))),
];

const PUBLISHER: &[Row] = &[
    ("confirms", "true", "Whether it asks for publisher confirms (R-C1).", None),
    (
        "max_unconfirmed",
        "200",
        "How many messages may be unconfirmed; 0 is no limit. The application's own.",
        Some((0, 4_294_967_295)),
    ),
    ("mandatory", "false", "Whether a message that no queue gets comes back (R-X7).", None),
    ("persistent", "true", "Whether messages are persistent, delivery_mode 2 (R-Q1).", None),
    ("priority", "", "The messages' priority (R-M1, R-U6).", Some((0, 255))),
    ("expiration", "", "The messages' own time to live, as 5s (R-T1).", None),
    (
        "resend_unconfirmed",
        "true",
        "Whether what is unconfirmed is sent again on a new connection. The application's own.",
        None,
    ),
    ("retry_refused", "", "After how long a refused message is sent again; unset: never. The application's own.", None),
];

const CONSUMER: &[Row] = &[
    ("prefetch_count", "100", "How many messages may be unacknowledged; 0 is no limit (R-P1).", Some((0, 65_535))),
    ("no_ack", "false", "Whether messages count as acknowledged once sent (R-P1).", None),
    ("exclusive", "false", "Whether it must be the queue's only consumer (R-P6).", None),
    ("x-priority", "0", "Its priority among the queue's consumers (R-M2).", None),
    (
        "ack_every",
        "1",
        "Acknowledges every how-many-th message, with multiple=true. The application's own.",
        Some((1, 4_294_967_295)),
    ),
    (
        "reject_every",
        "0",
        "Rejects every how-many-th message; 0 none. The application's own.",
        Some((0, 4_294_967_295)),
    ),
    ("requeue", "true", "Whether what it rejects goes back to the queue (R-K2).", None),
    ("x-stream-offset", "", "Where a stream is read from: first, last, next or a number (R-S2).", None),
];

/// What the settings of servers and clients do, by their names.
const SERVERS: &[(&str, &str)] = &[
    ("net_ticktime", "After how much silence a node is taken for down by the others (R-N1)."),
    ("heartbeat", "The heartbeat that servers and clients agree on; 0s is none (R-M6)."),
    ("consumer_timeout", "How long a delivery may stay unacknowledged before it costs its channel (R-K6)."),
    ("channel_tick_interval", "How often a channel looks whether an acknowledgement is overdue (R-K6)."),
    ("memory_monitor_interval", "How often memory is looked at; disks at most each 10 s (R-M4)."),
    ("aten_poll", "How often the failure detector looks for nodes that fell silent (R-U2)."),
    (
        "aten_suspects",
        "After how much silence the failure detector suspects a node; recorded: 7.9 to 8.6 s in all (R-U2).",
    ),
    ("khepri_default_timeout", "How long a change of metadata waits for a majority before it fails (R-N3)."),
    ("queue_cost", "What a queue's process works on one message in or out. Assumed, not a setting of the broker."),
    ("ack_cost", "What a queue's process works on an acknowledgement. Assumed, not a setting of the broker."),
    ("recovery_interval", "The wait before a client opens a lost connection again (R-M7)."),
    ("connect_timeout", "How long a client waits for a connection before it tries the next node. Assumed (R-M7)."),
    ("total_memory", "The memory of a node's machine. Assumed (R-M4)."),
    ("base_memory", "What a node takes without any message. Assumed (R-M4)."),
    ("disk_free", "Free bytes on a node's disk in the beginning. Assumed (R-M4)."),
    ("disk_free_limit.absolute", "With less than this free, no connection that publishes is read from (R-M4)."),
    ("quorum_commands_soft_limit", "Unconfirmed commands of a channel to a quorum queue before it is in flow (R-M3)."),
    ("quorum_cluster_size", "How many members a new quorum queue gets (R-U1)."),
    (
        "quorum_queue.default_delivery_limit",
        "How often a quorum queue delivers a message again; -1 is no limit, as before 4.0 (R-U5).",
    ),
    (
        "credit_flow_default_credit",
        "What a process may send another before it hears back, and after how many it hears (R-M3).",
    ),
    (
        "vm_memory_high_watermark.relative",
        "With more than this part of the memory in use, no connection that publishes is read from; 0.4 before 4.0 (R-M4).",
    ),
    ("khepri_db", "Whether metadata is kept in Khepri, which needs a majority, or in Mnesia (R-N2, R-N3)."),
    ("cluster_partition_handling", "What nodes with Mnesia do in a partition (R-N2)."),
    (
        "cluster_partition_handling.pause_if_all_down.nodes",
        "The numbers of the nodes of which one must be seen, as [1, 2] (R-N2).",
    ),
    (
        "cluster_partition_handling.pause_if_all_down.recover",
        "What nodes do that were not paused and ran apart all the same; unset: ignore (R-N2).",
    ),
];

/// The words that a setting takes, if they are few.
fn values(name: &str, default: &str) -> &'static [&'static str] {
    match name {
        "x-queue-type" => &["classic", "quorum", "stream"],
        "x-overflow" => &["drop-head", "reject-publish", "reject-publish-dlx"],
        "x-dead-letter-strategy" => &["at-most-once", "at-least-once"],
        "x-stream-offset" => &["first", "last", "next"],
        "cluster_partition_handling" => &["ignore", "pause_minority", "pause_if_all_down", "autoheal"],
        "cluster_partition_handling.pause_if_all_down.recover" => &["ignore", "autoheal"],
        _ if default == "true" || default == "false" => &["true", "false"],
        _ => &[],
    }
}

/// All of them.
pub(crate) fn queue_forms() -> impl Iterator<Item = FormSetting> {
    let servers = queue_settings::defaults().into_iter().map(|(name, default)| FormSetting {
        part: "queue.config",
        name,
        about: SERVERS.iter().find(|(known, _)| *known == name).map_or("", |(_, about)| about),
        least: None,
        most: None,
        values: values(name, &default).to_vec(),
        live: false,
        default,
    });
    let parts = [("queue.queues[].arguments", ARGUMENTS), ("queue.publisher", PUBLISHER), ("queue.consumer", CONSUMER)];
    let rows = parts.into_iter().flat_map(|(part, rows)| {
        rows.iter().map(move |&(name, default, about, range)| FormSetting {
            part,
            name,
            default: default.to_owned(),
            about,
            least: range.map(|(least, _)| least),
            most: range.map(|(_, most)| most).filter(|most| *most != LARGEST),
            values: values(name, default).to_vec(),
            live: false,
        })
    });
    servers.chain(rows)
}
