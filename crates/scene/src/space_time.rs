//! The space-time diagram: nodes as lanes, time from left to right, what is sent as arrows from lane to lane.

use crate::Which;
use crate::faces::health_words;
use crate::picture::{Pen, Shape, fitted};
use player::{Arrow, Cluster, LifeStep, Player, Side, SideTrace, say, words};
use serde::Serialize;
use sim::story::{FlightKind, Life, MarkKind, MessageId};
use sim::workload::NodeInfo;
use sim::{Health, NodeId, Time};

/// Which window, how large, and whose life.
#[derive(Copy, Clone, Debug)]
pub struct Window {
    /// From when.
    pub from: Time,
    /// To when.
    pub to: Time,
    /// Width in CSS pixels.
    pub width: f32,
    /// The message whose life is drawn over the rest.
    pub of: Option<MessageId>,
}

/// Something in the diagram that can be pointed at.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct Spot {
    /// What it is, in words.
    pub says: String,
    /// When it begins, in nanoseconds of the run.
    pub at: f64,
    /// The path to be hit.
    pub d: String,
    /// The path's style.
    pub class: &'static str,
    /// The first message that it carries or tells of: producer and sequence; empty if none.
    pub message: Vec<u32>,
}

/// A diagram, ready for any painter.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct SpaceTime {
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
    /// Where the lanes begin.
    pub left: f32,
    /// The window, in nanoseconds of the run.
    pub from: f64,
    /// Its end: earlier than asked for if there was too much in it.
    pub to: f64,
    /// Lanes, grid and labels.
    pub shapes: Vec<Shape>,
    /// Arrows, steps and marks.
    pub spots: Vec<Spot>,
    /// Kinds of traffic left out, as there was too much of it; empty if none.
    pub left_out: String,
}

const TOP: f32 = 26.0;
const LANE: f32 = 34.0;
const RIGHT: f32 = 16.0;
/// More arrows than these are not told apart: what carries no message goes first.
const MOST: usize = 1_200;
/// No more of a window is played than this.
const TRACED: usize = 40_000;

/// The diagram of a window of a cluster's run; `None` if the document has no such cluster.
#[must_use]
pub fn space_time(player: &Player, which: Which, window: Window) -> Option<SpaceTime> {
    let state = player.furthest();
    let to = window.to.min(player.known()).max(window.from);
    match which {
        Which::Log => {
            let side = state.log.as_ref()?;
            let trace = player.trace(window.from, to, TRACED);
            Some(diagram(player, side, true, &trace.log, Window { to: trace.to, ..window }))
        }
        Which::Queue => {
            let side = state.queue.as_ref()?;
            let trace = player.trace(window.from, to, TRACED);
            Some(diagram(player, side, false, &trace.queue, Window { to: trace.to, ..window }))
        }
    }
}

/// Lanes and the way from times to places.
struct Sheet<'a> {
    nodes: &'a [NodeInfo],
    lanes: Vec<NodeId>,
    window: Window,
    left: f32,
}

impl Sheet<'_> {
    fn x(&self, at: Time) -> f32 {
        let span = self.window.to.since(self.window.from).0.max(1) as f64;
        let part = (at.0 as f64 - self.window.from.0 as f64) / span;
        self.left + (part * f64::from(self.window.width - self.left - RIGHT)) as f32
    }

    fn y(&self, node: NodeId) -> f32 {
        let lane = self.lanes.iter().position(|known| *known == node).unwrap_or(0);
        TOP + LANE * (lane as f32 + 0.5)
    }

    fn height(&self) -> f32 {
        TOP + LANE * self.lanes.len() as f32 + 8.0
    }

    fn name(&self, node: NodeId) -> &str {
        self.nodes.get(node.index()).map_or("", |node| node.name.as_str())
    }
}

fn diagram<C: Cluster>(player: &Player, side: &Side<C>, log: bool, trace: &SideTrace, window: Window) -> SpaceTime {
    let nodes = side.cluster.nodes();
    let rank = |node: &NodeInfo| match node.role {
        sim::workload::Role::Producer(_) => 0,
        sim::workload::Role::Server => 1,
        sim::workload::Role::Controller => 2,
        sim::workload::Role::Consumer(_) => 3,
    };
    let mut lanes: Vec<&NodeInfo> = nodes.iter().collect();
    lanes.sort_by_key(|node| (rank(node), node.id));
    let left = if window.width < 520.0 { 100.0 } else { 116.0 };
    let sheet = Sheet { nodes, lanes: lanes.iter().map(|node| node.id).collect(), window, left };
    let mut spots = Vec::new();
    let mut shapes = grid(&sheet);
    for node in &sheet.lanes {
        lane(&sheet, *node, side.cluster.course(*node), &mut shapes, &mut spots);
    }
    let left_out = arrows(player, &sheet, trace, &mut spots);
    steps(player, &sheet, trace, log, &mut spots);
    for mark in side.marks.iter().filter(|mark| (window.from..=window.to).contains(&mark.at)) {
        if mark.kind == MarkKind::Change {
            continue;
        }
        let (x, y) = (sheet.x(mark.at), sheet.y(mark.node));
        let d = format!("M{x:.1} {:.1}v{:.1}M{:.1} {y:.1}h8", y - 13.0, 26.0, x - 4.0);
        let class = if mark.kind == MarkKind::Fault { "event fault" } else { "event election" };
        let says = format!("{} ({})", words::sentence(mark), mark.rule.0);
        spots.push(Spot { says, at: mark.at.0 as f64, d, class, message: Vec::new() });
    }
    SpaceTime {
        width: window.width,
        height: sheet.height(),
        left,
        from: window.from.0 as f64,
        to: window.to.0 as f64,
        shapes,
        spots,
        left_out,
    }
}

/// A step of the grid: one, two or five of a power of ten, so that there are four to ten of them.
fn grid_step(span: u64) -> u64 {
    let mut step = 1;
    loop {
        for times in [1, 2, 5] {
            if span / (step * times) <= 8 {
                return step * times;
            }
        }
        step *= 10;
    }
}

fn grid(sheet: &Sheet<'_>) -> Vec<Shape> {
    let mut pen = Pen::default();
    let window = sheet.window;
    let step = grid_step(window.to.since(window.from).0.max(1));
    let mut at = window.from.0.div_ceil(step) * step;
    while at <= window.to.0 {
        let x = sheet.x(Time(at));
        pen.path(format!("M{x:.1} {TOP}V{:.1}", sheet.height() - 8.0), "grid");
        let label = match step {
            ..1_000_000 => say::number(format_args!("{:.3} ms", at as f64 / 1e6)),
            1_000_000..1_000_000_000 => say::number(format_args!("{:.3} s", at as f64 / 1e9)),
            _ => format!("{} s", at / 1_000_000_000),
        };
        pen.text(x, 16.0, label, "quiet small", "middle");
        at += step;
    }
    for node in &sheet.lanes {
        let name = fitted(sheet.name(*node), sheet.left - 12.0, 12.0);
        pen.text(sheet.left - 8.0, sheet.y(*node) + 4.0, name, "lane-name", "end");
    }
    pen.shapes
}

/// A node's lane, as it has been: a line while it runs, a spot of its own while it does not, nothing before it joins.
fn lane(sheet: &Sheet<'_>, node: NodeId, course: &[(Time, Health)], shapes: &mut Vec<Shape>, spots: &mut Vec<Spot>) {
    let mut pen = Pen::default();
    let window = sheet.window;
    let ends = course.iter().skip(1).map(|(at, _)| *at).chain([Time::NEVER]);
    for ((from, health), to) in course.iter().zip(ends) {
        if *from > window.to || to < window.from || to == *from {
            continue;
        }
        let (x0, x1) = (sheet.x((*from).max(window.from)), sheet.x(to.min(window.to)));
        let d = format!("M{x0:.1} {:.1}H{x1:.1}", sheet.y(node));
        let class = match health {
            Health::Running | Health::Stopping => {
                pen.path(d, "lane");
                continue;
            }
            Health::Paused => "lane paused",
            Health::Stopped | Health::Killed | Health::PoweredOff => "lane down",
        };
        let (name, state) = (sheet.name(node), health_words(*health));
        let says = match to {
            Time::NEVER => format!("{name}: {state}"),
            to => say!("{}: {}, for {}", name, state, say::number(to.since(*from))),
        };
        spots.push(Spot { says, at: from.0 as f64, d, class, message: Vec::new() });
    }
    shapes.extend(pen.shapes);
}

fn kind_words(kind: FlightKind) -> (&'static str, &'static str) {
    match kind {
        FlightKind::Produce => (say!("messages"), "arrow produce"),
        FlightKind::Deliver => (say!("messages"), "arrow deliver"),
        FlightKind::Replicate => (say!("copies"), "arrow replicate"),
        FlightKind::Ack => (say!("an acknowledgement"), "arrow ack"),
        FlightKind::Refuse => (say!("a refusal"), "arrow refuse"),
        FlightKind::Fetch => (say!("a request for more"), "arrow fetch"),
        FlightKind::Heartbeat => (say!("a sign of life"), "arrow quiet"),
        FlightKind::Vote => (say!("a vote"), "arrow vote"),
        FlightKind::Control => (say!("metadata or membership"), "arrow quiet"),
        FlightKind::Commit => (say!("a commit of progress"), "arrow ack"),
    }
}

/// How much an arrow tells: what tells least is left out first.
fn weight(kind: FlightKind) -> u8 {
    match kind {
        FlightKind::Heartbeat | FlightKind::Control => 0,
        FlightKind::Fetch => 1,
        FlightKind::Ack | FlightKind::Commit => 2,
        FlightKind::Replicate => 3,
        FlightKind::Produce | FlightKind::Deliver => 4,
        FlightKind::Refuse | FlightKind::Vote => 5,
    }
}

fn arrows(player: &Player, sheet: &Sheet<'_>, trace: &SideTrace, spots: &mut Vec<Spot>) -> String {
    let mut least = 0;
    let told = |least: u8| trace.arrows.iter().filter(move |arrow| weight(arrow.flight.look.kind) >= least);
    while least < 5 && told(least).count() > MOST {
        least += 1;
    }
    let mine = |arrow: &Arrow| sheet.window.of.is_some_and(|id| arrow.carries.contains(&id));
    let all = trace.arrows.iter().filter(|arrow| weight(arrow.flight.look.kind) >= least || mine(arrow));
    // What belongs to the message in question lies on top.
    let (over, under): (Vec<&Arrow>, Vec<&Arrow>) = all.partition(|arrow| mine(arrow));
    spots.extend(under.into_iter().map(|arrow| spot(player, sheet, arrow, false)));
    spots.extend(over.into_iter().map(|arrow| spot(player, sheet, arrow, true)));
    match least {
        0 => String::new(),
        1 => say!("signs of life and metadata").to_owned(),
        2 => say!("signs of life, metadata, requests for more").to_owned(),
        3 => say!("all but messages, their copies, refusals and votes").to_owned(),
        4 => say!("all but messages, refusals and votes").to_owned(),
        _ => say!("all but refusals and votes").to_owned(),
    }
}

fn spot(player: &Player, sheet: &Sheet<'_>, arrow: &Arrow, mine: bool) -> Spot {
    let flight = arrow.flight;
    let (x0, y0, mut x1, mut y1) =
        (sheet.x(flight.sent), sheet.y(flight.from), sheet.x(flight.due), sheet.y(flight.to));
    if let Some(lost) = arrow.lost {
        let way = flight.due.since(flight.sent).0.max(1) as f32;
        let part = (lost.since(flight.sent).0 as f32 / way).clamp(0.15, 0.9);
        (x1, y1) = (x0 + (x1 - x0) * part, y0 + (y1 - y0) * part);
    }
    let mut d = format!("M{x0:.1} {y0:.1}L{x1:.1} {y1:.1}");
    if arrow.lost.is_some() {
        d.push_str(&format!("M{:.1} {:.1}l8 8m0 -8l-8 8", x1 - 4.0, y1 - 4.0));
    } else {
        let (dx, dy) = (x1 - x0, y1 - y0);
        let length = libm::sqrtf(dx * dx + dy * dy).max(1.0);
        let (ux, uy) = (dx / length * 6.0, dy / length * 6.0);
        let (ax, ay) = (x1 - ux - uy * 0.5, y1 - uy + ux * 0.5);
        let (bx, by) = (x1 - ux + uy * 0.5, y1 - uy - ux * 0.5);
        d.push_str(&format!("M{ax:.1} {ay:.1}L{x1:.1} {y1:.1}L{bx:.1} {by:.1}"));
    }
    let (what, class) = kind_words(flight.look.kind);
    let class = match (mine, arrow.lost) {
        (true, _) => "arrow mine",
        (false, Some(_)) => "arrow lost",
        (false, None) => class,
    };
    let first = arrow.carries.iter().find(|id| sheet.window.of == Some(**id)).or(arrow.carries.first());
    let count = match arrow.carries.len() {
        0 => what.to_owned(),
        1 => say!("message {}", first.map_or(String::new(), |id| message_name(player, *id))),
        many => say!("{} {} from {}", many, what, first.map_or(String::new(), |id| message_name(player, *id))),
    };
    let end = if arrow.lost.is_some() {
        say!("lost on its way").to_owned()
    } else {
        say::number(flight.due.since(flight.sent))
    };
    let says = say!("{} to {}: {}, {}", sheet.name(flight.from), sheet.name(flight.to), count, end);
    let message = first.map_or(Vec::new(), |id| vec![u32::from(id.producer), id.sequence]);
    Spot { says, at: flight.sent.0 as f64, d, class, message }
}

fn steps(player: &Player, sheet: &Sheet<'_>, trace: &SideTrace, log: bool, spots: &mut Vec<Spot>) {
    let Some(id) = sheet.window.of else { return };
    let mine = |step: &&LifeStep| step.id == id && !matches!(step.life, Life::Deleted);
    for step in trace.steps.iter().filter(mine) {
        let (x, y) = (sheet.x(step.at), sheet.y(step.node));
        let d = format!("M{:.1} {y:.1}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0", x - 5.0);
        let says = format!("{}: {} ({})", message_name(player, id), player::life::step(step.life, log), step.rule.0);
        spots.push(Spot {
            says,
            at: step.at.0 as f64,
            d,
            class: "step",
            message: vec![u32::from(id.producer), id.sequence],
        });
    }
}

/// A message's name: its producer's, and its number from 1.
#[must_use]
pub fn message_name(player: &Player, id: MessageId) -> String {
    let producer = player.compiled().workload.producers.get(usize::from(id.producer));
    format!("{} #{}", producer.map_or("producer", |producer| producer.name.as_str()), u64::from(id.sequence) + 1)
}
