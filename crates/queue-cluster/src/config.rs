//! What a cluster of queues is made of: settings under the brokers' own names.

use crate::policy::Policy;
use crate::script::Operation;
use crate::value::Table;
use sim::{LinkProfile, MachineProfile, Nanos, Time};

/// Which version's rules hold.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Rules {
    /// RabbitMQ 3.10: classic queues of version 1, no delivery limit, requeue to the back of a quorum queue.
    V3_10,
    /// RabbitMQ 4.2: classic queues of version 2, a delivery limit of 20.
    #[default]
    V4_2,
}

/// The kind of an exchange.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExchangeKind {
    /// The binding's key equals the routing key.
    Direct,
    /// Every binding.
    Fanout,
    /// Patterns with `*` and `#`.
    Topic,
    /// By headers.
    Headers,
    /// `x-consistent-hash`: the routing key's hash chooses one binding; the binding's key is its weight.
    ConsistentHash,
}

impl ExchangeKind {
    /// By the broker's name for it.
    #[must_use]
    pub fn named(name: &str) -> Option<ExchangeKind> {
        Some(match name {
            "direct" => ExchangeKind::Direct,
            "fanout" => ExchangeKind::Fanout,
            "topic" => ExchangeKind::Topic,
            "headers" => ExchangeKind::Headers,
            "x-consistent-hash" => ExchangeKind::ConsistentHash,
            _ => return None,
        })
    }

    /// The broker's name for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ExchangeKind::Direct => "direct",
            ExchangeKind::Fanout => "fanout",
            ExchangeKind::Topic => "topic",
            ExchangeKind::Headers => "headers",
            ExchangeKind::ConsistentHash => "x-consistent-hash",
        }
    }
}

/// An exchange that exists from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeSpec {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: ExchangeKind,
    /// Whether it outlives a restart of all nodes.
    pub durable: bool,
    /// Its arguments, such as `alternate-exchange`.
    pub arguments: Table,
}

/// A queue that exists from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSpec {
    /// Its name.
    pub name: String,
    /// Whether it outlives a restart of its node.
    pub durable: bool,
    /// Its arguments: `x-queue-type` (classic, quorum, stream), `x-max-length`, `x-message-ttl`, ….
    pub arguments: Table,
    /// The node that declares it: the home of a classic queue, and the first leader of a quorum queue (the
    /// client-local leader locator). `None` spreads queues over the nodes in turn (the balanced locator).
    pub node: Option<u16>,
}

/// A binding that exists from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingSpec {
    /// The exchange that routes.
    pub source: String,
    /// The queue or exchange that gets the messages.
    pub destination: String,
    /// Whether `destination` is an exchange.
    pub to_exchange: bool,
    /// The key, pattern or weight.
    pub routing_key: String,
    /// Arguments, such as `x-match`.
    pub arguments: Table,
}

/// What a publishing client does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublisherSettings {
    /// The node that it connects to first; `None` spreads clients over the nodes in turn.
    pub node: Option<u16>,
    /// The exchange that it publishes to; empty is the default exchange.
    pub exchange: String,
    /// The routing key. `{key}` stands for the message's key (`key-3`; empty without a key), `{index}` for its index.
    pub routing_key: String,
    /// Whether it asks for publisher confirms (R-C1).
    pub confirms: bool,
    /// How many messages may be unconfirmed at a time; 0 is no limit. Ignored without confirms.
    pub max_unconfirmed: u32,
    /// Whether an unroutable message comes back (R-X7).
    pub mandatory: bool,
    /// Whether messages are persistent (delivery_mode 2, R-Q1).
    pub persistent: bool,
    /// Message priority, if any.
    pub priority: Option<u8>,
    /// Per-message expiration in milliseconds, if any (R-T1).
    pub expiration: Option<u64>,
    /// Whether unconfirmed messages are sent again on a new connection (R-C5: libraries do not, applications should).
    pub resend_unconfirmed: bool,
    /// How long after a refusal (nack) the message is sent again; `None` gives it up.
    pub retry_refused: Option<Nanos>,
}

impl Default for PublisherSettings {
    fn default() -> Self {
        PublisherSettings {
            node: None,
            exchange: String::new(),
            routing_key: String::new(),
            confirms: true,
            max_unconfirmed: 200,
            mandatory: false,
            persistent: true,
            priority: None,
            expiration: None,
            resend_unconfirmed: true,
            retry_refused: None,
        }
    }
}

/// What a consuming client does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSettings {
    /// The node that it connects to first; `None` spreads clients over the nodes in turn.
    pub node: Option<u16>,
    /// The queue that it consumes.
    pub queue: String,
    /// basic.qos; 0 is unlimited (R-P1).
    pub prefetch_count: u16,
    /// Whether the limit is shared by the channel.
    pub global: bool,
    /// Whether messages count as acknowledged once sent.
    pub no_ack: bool,
    /// basic.consume's `exclusive`.
    pub exclusive: bool,
    /// Consumer priority (`x-priority`).
    pub priority: i32,
    /// Acknowledges only every how-many-th message, with multiple=true; 0 and 1 acknowledge each by itself.
    pub ack_every: u32,
    /// Rejects every how-many-th message instead of acknowledging it; 0 never.
    pub reject_every: u32,
    /// Whether a rejected message is requeued.
    pub requeue: bool,
    /// Where a stream consumer begins (`x-stream-offset`): first, last, next or a number.
    pub stream_offset: Option<String>,
}

impl Default for ConsumerSettings {
    fn default() -> Self {
        ConsumerSettings {
            node: None,
            queue: String::new(),
            prefetch_count: 100,
            global: false,
            no_ack: false,
            exclusive: false,
            priority: 0,
            ack_every: 1,
            reject_every: 0,
            requeue: true,
            stream_offset: None,
        }
    }
}

/// What a node does when it loses sight of others (`cluster_partition_handling`, R-N2). Without effect where metadata
/// is in Khepri (R-N3).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum PartitionHandling {
    /// Both sides carry on, and somebody restarts one of them by hand.
    #[default]
    Ignore,
    /// A node that sees no more than half of the cluster stops serving until it does.
    PauseMinority,
    /// A node that sees none of these stops serving until it does; what follows a partition nevertheless.
    PauseIfAllDown {
        /// The nodes, from 0.
        nodes: Vec<u16>,
        /// Whether the sides that went on are healed as by `autoheal`; else ignored.
        autoheal: bool,
    },
    /// When all nodes see each other again, the sides with fewer clients restart and take over the winner's metadata.
    Autoheal,
}

impl PartitionHandling {
    /// Whether sides that ran apart are healed by restarting all but one (R-N2).
    #[must_use]
    pub fn heals(&self) -> bool {
        matches!(self, PartitionHandling::Autoheal | PartitionHandling::PauseIfAllDown { autoheal: true, .. })
    }
}

/// Where exchanges, queues and bindings are kept.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum MetadataStore {
    /// Each running node has them; a partition makes two of them (R-N2).
    Mnesia,
    /// Agreed on by a majority (R-N3): the default of new 4.2 clusters.
    Khepri,
}

/// Which classic queues are mirrored, by a policy's `ha-mode` (R-M8; removed in 4.0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HaMode {
    /// On every node.
    All,
    /// On so many nodes.
    Exactly(u16),
}

/// When a mirror that has not all messages may take over (`ha-promote-on-failure`, `ha-promote-on-shutdown`, R-M8).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Promote {
    /// Whatever it lacks is lost.
    Always,
    /// Only a synchronised one; else the queue is down until its home is back.
    WhenSynced,
}

/// Mirroring of one classic queue (R-M8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirroring {
    /// How many copies.
    pub mode: HaMode,
    /// `ha-sync-mode`: whether a new mirror is given what the queue already holds.
    pub automatic_sync: bool,
    /// After a failure. Default `always`.
    pub on_failure: Promote,
    /// After a stop in good order. Default `when-synced`.
    pub on_shutdown: Promote,
}

impl Mirroring {
    /// How many copies a queue has in a cluster of so many nodes, with its home.
    #[must_use]
    pub fn copies(&self, nodes: u16) -> u16 {
        match self.mode {
            HaMode::All => nodes,
            HaMode::Exactly(count) => count.clamp(1, nodes.max(1)),
        }
    }
}

impl Default for Mirroring {
    fn default() -> Self {
        Mirroring {
            mode: HaMode::All,
            automatic_sync: false,
            on_failure: Promote::Always,
            on_shutdown: Promote::WhenSynced,
        }
    }
}

/// Timings and costs of a server node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// What a queue's process works on one message in or out. Assumed: 88,534 msg/s through one classic queue (T-4).
    pub queue_cost: Nanos,
    /// What a queue's process works on an acknowledgement or another small thing. Assumed.
    pub ack_cost: Nanos,
    /// Bytes on the wire and on the disk beside a message's body. Assumed.
    pub overhead_bytes: u32,
    /// How often the operating system looks for old pages. Linux: vm.dirty_writeback_centisecs = 500.
    pub writeback: Nanos,
    /// How old a page gets before it is written back. Linux: vm.dirty_expire_centisecs = 3000.
    pub writeback_age: Nanos,
    /// `quorum_commands_soft_limit`: unconfirmed commands of a channel before its connection is in flow.
    pub quorum_commands_soft_limit: u32,
    /// `quorum_cluster_size`: members of a new quorum queue.
    pub quorum_cluster_size: u16,
    /// `default_delivery_limit` of quorum queues; negative is none. 20 from 4.0 on, none before.
    pub quorum_delivery_limit: Option<i32>,
    /// How often aten looks for nodes that fell silent (R-U2: poll interval 1000 ms).
    pub aten_poll: Nanos,
    /// After how much silence aten suspects a node. It adapts to what it has seen; recorded with 3.10.8: 7.9 to 8.6 s
    /// from a leader that is frozen to the first confirm of the next.
    pub aten_suspects: Nanos,
    /// `net_ticktime`: after how much silence a node is taken for down (R-N1).
    pub net_ticktime: Nanos,
    /// The heartbeat that server and clients agree on; 0 is none (R-M6).
    pub heartbeat: Nanos,
    /// `consumer_timeout` (R-K6).
    pub consumer_timeout: Nanos,
    /// How often nodes try to reach each other again. Assumed.
    pub reconnect: Nanos,
    /// `cluster_partition_handling`.
    pub partition_handling: PartitionHandling,
    /// Where metadata is kept.
    pub metadata_store: MetadataStore,
    /// How long an operation on metadata waits for a majority before it fails (Khepri's default timeout: 30 s).
    pub metadata_timeout: Nanos,
    /// What a node takes to see to it that another one is down: to refuse what was sent there, to delete what lived
    /// there. Half of it where the other one has said so by stopping in good order. Recorded with 3.10.8: 26 to 56 ms
    /// after kill -9, 16 to 34 ms after a stop.
    pub node_down: Nanos,
    /// How often a paused node looks for the others (rabbit_node_monitor: 1000 ms).
    pub down_ping: Nanos,
    /// How often a channel looks whether an acknowledgement is overdue (`channel_tick_interval`: 60 s).
    pub channel_tick: Nanos,
    /// A machine's memory. Assumed: 4 GiB.
    pub total_memory: u64,
    /// What a node takes without any message. Assumed: 100 MB.
    pub base_memory: u64,
    /// `vm_memory_high_watermark.relative` in percent: 60 from 4.0 on, 40 before (R-M4).
    pub memory_watermark_percent: u64,
    /// Free bytes on a node's disk in the beginning. Assumed: 50 GB.
    pub disk_free: u64,
    /// `disk_free_limit`: 50 MB (R-M4).
    pub disk_free_limit: u64,
    /// How often memory and disk are looked at: memory_monitor_interval 2500 ms, disk at most each 10 s.
    pub memory_monitor: Nanos,
    /// `credit_flow_default_credit`: what a process may send before it hears back, and after how many it hears (R-M3).
    pub credit: (u32, u32),
    /// How many log entries a quorum queue keeps before it takes a snapshot. Assumed: 4096 (ra's default interval).
    pub snapshot_every: u64,
}

impl ServerSettings {
    /// The defaults of a version.
    #[must_use]
    pub fn of(rules: Rules) -> ServerSettings {
        ServerSettings {
            queue_cost: Nanos::micros(9),
            ack_cost: Nanos::micros(2),
            overhead_bytes: 60,
            writeback: Nanos::secs(5),
            writeback_age: Nanos::secs(30),
            quorum_commands_soft_limit: 32,
            quorum_cluster_size: 3,
            quorum_delivery_limit: if rules >= Rules::V4_2 { Some(20) } else { None },
            aten_poll: Nanos::millis(1000),
            aten_suspects: Nanos::millis(7200),
            net_ticktime: Nanos::secs(60),
            heartbeat: Nanos::secs(60),
            consumer_timeout: Nanos::millis(1_800_000),
            reconnect: Nanos::millis(500),
            partition_handling: PartitionHandling::Ignore,
            metadata_store: if rules >= Rules::V4_2 { MetadataStore::Khepri } else { MetadataStore::Mnesia },
            metadata_timeout: Nanos::secs(30),
            node_down: Nanos::millis(40),
            down_ping: Nanos::secs(1),
            channel_tick: Nanos::secs(60),
            total_memory: 4 << 30,
            base_memory: 100_000_000,
            memory_watermark_percent: if rules >= Rules::V4_2 { 60 } else { 40 },
            disk_free: 50_000_000_000,
            disk_free_limit: 50_000_000,
            memory_monitor: Nanos::millis(2500),
            credit: (400, 200),
            snapshot_every: 4096,
        }
    }
}

/// Timings of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// The wait before a lost connection is opened again. Java and .NET: 5 s (R-M7).
    pub recovery_interval: Nanos,
    /// How long an application waits for a connection before it tries the next node. Assumed.
    pub connect_timeout: Nanos,
    /// What it takes to negotiate a connection once it stands, until channels can be opened. Recorded with 3.10.8 on
    /// one machine: 4 to 12 ms.
    pub handshake: Nanos,
}

impl Default for ClientSettings {
    fn default() -> Self {
        ClientSettings {
            recovery_interval: Nanos::secs(5),
            connect_timeout: Nanos::secs(10),
            handshake: Nanos::millis(8),
        }
    }
}

/// A cluster of queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many server nodes.
    pub nodes: u16,
    /// Which version's rules.
    pub rules: Rules,
    /// Exchanges beside the predeclared ones.
    pub exchanges: Vec<ExchangeSpec>,
    /// Queues; a consumer's reader is its queue's place here.
    pub queues: Vec<QueueSpec>,
    /// Bindings.
    pub bindings: Vec<BindingSpec>,
    /// Policies.
    pub policies: Vec<Policy>,
    /// One for each producer of the workload, in order.
    pub publishers: Vec<PublisherSettings>,
    /// One for each consumer of the workload, in order.
    pub consumers: Vec<ConsumerSettings>,
    /// Timings and costs of the servers.
    pub server: ServerSettings,
    /// Timings of the clients.
    pub client: ClientSettings,
    /// The servers' machines.
    pub machine: MachineProfile,
    /// All links.
    pub link: LinkProfile,
    /// Operations of scripted connections, at their times.
    pub script: Vec<(Time, Operation)>,
    /// Scripted connections beside those that the script names, for operations given while the run goes.
    pub connections: Vec<String>,
    /// How many of the producers and of the consumers, the last ones, join when they are started.
    pub late: (usize, usize),
}

impl Default for Config {
    fn default() -> Self {
        Config::of(Rules::default())
    }
}

impl Config {
    /// A queue's arguments with what its policy adds.
    #[must_use]
    pub fn arguments_of(&self, name: &str, table: &Table) -> Table {
        Policy::with(&self.policies, name, table, self.rules)
    }

    /// The mirroring that a policy gives a classic queue of this name, before 4.0 (R-M8).
    #[must_use]
    pub fn mirroring_of(&self, name: &str, table: &Table) -> Option<Mirroring> {
        Policy::mirroring_of(&self.policies, name, table, self.rules)
    }

    /// Three nodes of a version, without queues.
    #[must_use]
    pub fn of(rules: Rules) -> Config {
        Config {
            nodes: 3,
            rules,
            exchanges: Vec::new(),
            queues: Vec::new(),
            bindings: Vec::new(),
            policies: Vec::new(),
            publishers: Vec::new(),
            consumers: Vec::new(),
            server: ServerSettings::of(rules),
            client: ClientSettings::default(),
            machine: MachineProfile::default(),
            link: LinkProfile::default(),
            script: Vec::new(),
            connections: Vec::new(),
            late: (0, 0),
        }
    }
}
