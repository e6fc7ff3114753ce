//! What there is to see: where nodes sit, what they show, what flies between them; and the same as SVG.
//!
//! It must never know a browser, nor change what it looks at: a picture is a function of a state, a time and a size.
//! Held by the tests in `tests/pictures.rs`.

mod faces;
mod flights;
mod focus;
mod fold;
mod graph;
mod graph_log;
mod graph_queue;
mod inspect;
mod inspect_log;
mod inspect_queue;
mod layout;
mod log_faces;
mod picture;
mod queue_faces;
mod space_time;
mod streams;
mod subtitles;
mod svg;
mod svg_flights;
mod waits;

pub use flights::{BINS, CROWD, FlightRow, Flying, HUES, Sight, StreamKind, StreamRow, flights};
pub use focus::{Focus, focuses};
pub use graph::{Figure, Graph, GraphEdge, GraphNode, graph};
pub use inspect::{Fact, inspect};
pub use layout::{Curve, Layout, point};
pub use picture::{Card, Link, Picture, Rect, Shape, Stream, Tip};
pub use space_time::{SpaceTime, Spot, Window, message_name, space_time};
pub use svg::{STYLE, figure};
pub use waits::{Wait, waits};

use player::{Cluster, Player, Side, say};
use queue_cluster::{MetadataStore, PartitionHandling};
use sim::story::MarkKind;
use sim::workload::{NodeInfo, Role};
use sim::{Nanos, NodeId, Time};

/// Which cluster.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The log cluster.
    Log,
    /// The queue cluster.
    Queue,
}

/// The layout of a cluster on a stage; `None` if the document has no such cluster.
#[must_use]
pub fn layout(player: &Player, which: Which, width: f32, height: f32) -> Option<Layout> {
    layout_of(player, which, (width, height), 1.0, None)
}

/// The layout of a cluster on a stage `zoom` times as large as what is seen of it at once, with something in focus: what
/// does not belong to it is left out of servers, and the rest has its room.
#[must_use]
pub fn layout_of(player: &Player, which: Which, size: (f32, f32), zoom: f32, focus: Option<Focus>) -> Option<Layout> {
    let state = player.state();
    let compiled = player.compiled();
    let is_seen = |topic: &str| focus.as_ref().is_none_or(|focus| focus.has_topic(player, topic));
    let mut layout = match which {
        Which::Log => state.log.as_ref().map(|side| {
            let topics = compiled.log.iter().flat_map(|config| &config.topics).filter(|topic| is_seen(&topic.name));
            let replicas: usize = topics.map(|t| t.partitions as usize * usize::from(t.replication_factor)).sum();
            let brokers = compiled.log.as_ref().map_or(1, |config| usize::from(config.brokers.max(1)));
            Layout::zoomed(side.cluster.nodes(), replicas.div_ceil(brokers), size, zoom)
        }),
        Which::Queue => state.queue.as_ref().map(|side| {
            let queues = compiled.queue.iter().flat_map(|config| &config.queues);
            let queues = queues.filter(|queue| is_seen(&queue.name)).count();
            Layout::zoomed(side.cluster.nodes(), queues.max(1), size, zoom)
        }),
    }?;
    if let Some(focus) = &focus {
        let ids = (0..layout.nodes() as u16).map(NodeId);
        layout.faded = ids.map(|node| !focus.has_client(player, which, node)).collect();
    }
    layout.focus = focus;
    Some(layout)
}

/// A layout made anew for the nodes that there are now: as large, as much zoomed, and with the same in focus.
#[must_use]
pub fn relaid(player: &Player, which: Which, layout: &Layout) -> Option<Layout> {
    layout_of(player, which, (layout.width, layout.height), layout.zoom, layout.focus.clone())
}

/// The picture of a cluster at the playhead; `None` if the document has no such cluster.
#[must_use]
pub fn picture(player: &Player, which: Which, layout: &Layout) -> Option<Picture> {
    let mut flying = Flying::default();
    flights(player, which, layout, Sight { wrecks: Nanos::ZERO, most: 0, crowd: CROWD }, &mut flying);
    picture_of(player, which, layout, &flying)
}

/// The same for whom has looked for what flies already.
#[must_use]
pub fn picture_of(player: &Player, which: Which, layout: &Layout, flying: &Flying) -> Option<Picture> {
    let state = player.state();
    let subtitles = subtitles::Subtitles::of(player);
    let (caption, mut cards, links) = match which {
        Which::Log => {
            let side = state.log.as_ref()?;
            let cards = log_faces::cards(side, &seen_topics(player, layout), layout, &subtitles, state.at, &|node| {
                down_since(side, node)
            });
            (log_caption(player), cards, links(side.cluster.world(), side.cluster.nodes(), layout))
        }
        Which::Queue => {
            let side = state.queue.as_ref()?;
            let cards = queue_faces::cards(side, layout, &subtitles, state.at, &|node| down_since(side, node));
            (queue_caption(player), cards, links(side.cluster.world(), side.cluster.nodes(), layout))
        }
    };
    for (card, faded) in cards.iter_mut().zip(&layout.faded) {
        card.faded = *faded;
    }
    let streams = streams::streams(player, which, layout, &flying.streams);
    Some(Picture { width: layout.width, height: layout.height, caption, links, cards, streams })
}

/// For each topic, whether its replicas are shown.
fn seen_topics(player: &Player, layout: &Layout) -> Vec<bool> {
    let topics = player.compiled().log.iter().flat_map(|config| &config.topics);
    let is_seen = |name: &str| layout.focus.as_ref().is_none_or(|focus| focus.has_topic(player, name));
    topics.map(|topic| is_seen(&topic.name)).collect()
}

/// The nodes of a cluster.
pub(crate) fn nodes(player: &Player, which: Which) -> &[NodeInfo] {
    let state = player.state();
    match which {
        Which::Log => state.log.as_ref().map_or(&[], |side| side.cluster.nodes()),
        Which::Queue => state.queue.as_ref().map_or(&[], |side| side.cluster.nodes()),
    }
}

/// Whether a server has no way to any other server.
fn is_cut_off<P: sim::Process>(world: &sim::World<P>, nodes: &[NodeInfo], node: NodeId) -> bool {
    let mut others = nodes.iter().filter(|other| other.role == Role::Server && other.id != node).peekable();
    others.peek().is_some() && others.all(|other| world.is_cut(node, other.id) && world.is_cut(other.id, node))
}

/// When a node was last ordered to be anything but running.
fn down_since<C: Cluster>(side: &Side<C>, node: NodeId) -> Option<Time> {
    let of_node = |mark: &&sim::story::Mark| mark.kind == MarkKind::Fault && mark.node == node;
    side.marks.iter().rev().find(of_node).map(|mark| mark.at)
}

fn links<P: sim::Process>(world: &sim::World<P>, nodes: &[NodeInfo], layout: &Layout) -> Vec<Link> {
    let name = |node: NodeId| nodes.get(node.index()).map(|node| node.name.clone()).unwrap_or_default();
    // Controllers talk to everyone: their links are drawn only where they are cut.
    let quiet = |node: NodeId| nodes.get(node.index()).is_some_and(|info| info.role == Role::Controller);
    let mut pairs: Vec<(NodeId, NodeId)> = world.connections().filter(|(a, b)| !quiet(*a) && !quiet(*b)).collect();
    pairs.extend(world.cuts().map(|(a, b)| (a.min(b), a.max(b))));
    pairs.sort_unstable();
    pairs.dedup();
    let link = |(a, b): (NodeId, NodeId)| {
        let state = match (world.is_cut(a, b), world.is_cut(b, a)) {
            (false, false) if world.worse().any(|(link, _)| link == (a, b) || link == (b, a)) => "slow",
            (false, false) => "open",
            (true, true) => "cut",
            _ => "cut-one-way",
        };
        Link { from: name(a), to: name(b), state, faded: layout.is_faded(a, b), d: layout::path(&layout.curve(a, b)) }
    };
    pairs.into_iter().map(link).collect()
}

fn log_caption(player: &Player) -> String {
    let Some(config) = &player.compiled().log else { return String::new() };
    let topic = config.topics.first();
    let min_isr = topic.and_then(|topic| topic.config.min_insync_replicas).unwrap_or(config.broker.min_insync_replicas);
    let factor = topic.map_or(0, |topic| topic.replication_factor);
    let acks = player.document().log.as_ref().and_then(|log| log.producer.get("acks"));
    let acks = acks.map_or("all".to_owned(), |acks| acks.as_str().map_or(acks.to_string(), str::to_owned));
    say!("Kafka 4.2 rules · replication {} · acks={} · min.insync.replicas={}", factor, acks, min_isr)
}

fn queue_caption(player: &Player) -> String {
    let (Some(part), Some(config)) = (&player.document().queue, &player.compiled().queue) else { return String::new() };
    let kind = config.queues.first().and_then(|queue| queue.arguments.get("x-queue-type"));
    let kind = kind.and_then(|kind| kind.as_text()).unwrap_or("classic");
    let mirrored = config.queues.first().and_then(|queue| config.mirroring_of(&queue.name, &queue.arguments)).is_some();
    let kind = if mirrored { say!("{}, mirrored", kind) } else { kind.to_owned() };
    let confirms = if config.publishers.iter().any(|p| p.confirms) { say!("confirms") } else { say!("no confirms") };
    let prefetch = config.consumers.first().map_or(0, |consumer| consumer.prefetch_count);
    let handling = match config.server.partition_handling {
        _ if config.server.metadata_store == MetadataStore::Khepri => "",
        PartitionHandling::Ignore => " · Mnesia, ignore",
        PartitionHandling::PauseMinority => " · pause_minority",
        PartitionHandling::PauseIfAllDown { .. } => " · pause_if_all_down",
        PartitionHandling::Autoheal => " · autoheal",
    };
    say!("RabbitMQ {} rules · {} · {} · prefetch {}{}", part.rules, kind, confirms, prefetch, handling)
}
