//! Where nodes sit, and the paths between them.
//!
//! On a wide stage producers stand left, servers in the middle, consumers right; on a narrow one they stand above, in
//! the middle and below, if there is the height for three rows. The same workload sits at the same height in both
//! clusters.

use crate::focus::Focus;
use crate::picture::Rect;
use sim::workload::{NodeInfo, Role};
use sim::{Flight, NodeId};

/// Narrower stages are laid out from top to bottom.
const NARROW: f32 = 520.0;
/// Lower ones have no room for servers between rows of clients: they are laid out from left to right, however narrow.
const SHORT: f32 = 370.0;
/// The least width on which clients and servers stand beside each other.
const LEAST: f32 = 300.0;
/// On stages as broad as this there is room for both ways: rows are for those that are at least `ROWS` high.
const BROAD: f32 = 460.0;
const ROWS: f32 = 420.0;
const MARGIN: f32 = 12.0;

/// Places and paths of one stage.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// The stage's width.
    pub width: f32,
    /// The stage's height.
    pub height: f32,
    /// What is in focus, if anything is.
    pub focus: Option<Focus>,
    /// Which nodes have nothing to do with it, by their places; empty if nothing is in focus.
    pub(crate) faded: Vec<bool>,
    /// Many times as large as what is seen of it at once.
    pub(crate) zoom: f32,
    /// How tall a server wants to be.
    tall: f32,
    /// Whether it is laid out from left to right.
    wide: bool,
    places: Vec<Rect>,
    servers: Vec<NodeId>,
    controllers: Vec<NodeId>,
}

/// A curve: from, by, to. What flies is between the ends in proportion to its time.
pub type Curve = [(f32, f32); 3];

/// Spreads `count` boxes of at most `most` over a length, with at least `gap` between.
fn spread(count: usize, length: f32, most: f32, gap: f32) -> impl Fn(usize) -> (f32, f32) {
    let n = count.max(1) as f32;
    let size = ((length - gap * (n - 1.0)) / n).min(most).max(8.0);
    let space = (length - size * n) / n;
    move |index| ((size + space) * index as f32 + space / 2.0, size)
}

impl Layout {
    /// Whether a way between two nodes has nothing to do with what is in focus.
    pub(crate) fn is_faded(&self, from: NodeId, to: NodeId) -> bool {
        [from, to].iter().any(|node| self.faded.get(node.index()).is_some_and(|faded| *faded))
    }

    /// Lays out the nodes of a cluster on a stage; a server shows so many rows, partitions or queues.
    #[must_use]
    pub fn new(nodes: &[NodeInfo], rows: usize, width: f32, height: f32) -> Layout {
        Layout::zoomed(nodes, rows, (width, height), 1.0)
    }

    /// The same, `zoom` times as large as what is seen of it at once: cards have more room, and show more.
    #[must_use]
    pub fn zoomed(nodes: &[NodeInfo], rows: usize, (width, height): (f32, f32), zoom: f32) -> Layout {
        let of = |wanted: fn(Role) -> bool| nodes.iter().filter(move |node| wanted(node.role)).map(|node| node.id);
        let servers: Vec<NodeId> = of(|role| role == Role::Server).collect();
        let controllers: Vec<NodeId> = of(|role| role == Role::Controller).collect();
        let producers: Vec<NodeId> = of(|role| matches!(role, Role::Producer(_))).collect();
        let consumers: Vec<NodeId> = of(|role| matches!(role, Role::Consumer(_))).collect();
        // Five rows at their full height, more of them thinner, and beyond that what is there.
        let tall = (44.0 + (24.0 * rows as f32).min((16.0 * rows as f32).max(124.0))).clamp(68.0, 300.0 * zoom);
        let mut layout = Layout {
            width,
            height,
            focus: None,
            faded: Vec::new(),
            zoom,
            wide: [(NARROW, f32::INFINITY), (BROAD, ROWS), (LEAST, SHORT)]
                .iter()
                .any(|(least, below)| width >= least * zoom && height < below * zoom),
            tall,
            places: vec![Rect::default(); nodes.len()],
            servers,
            controllers: controllers.clone(),
        };
        if layout.wide {
            layout.in_columns(&controllers, &producers, &consumers);
        } else {
            layout.in_rows(&controllers, &producers, &consumers);
        }
        layout
    }

    fn in_columns(&mut self, controllers: &[NodeId], producers: &[NodeId], consumers: &[NodeId]) {
        let (width, height) = (self.width, self.height);
        let narrow = width < NARROW * self.zoom;
        let (least_client, least_air, least_server) = if narrow { (78.0, 20.0, 80.0) } else { (96.0, 44.0, 150.0) };
        let client = (width * 0.18).clamp(least_client, 136.0 * self.zoom);
        let air = (width * if narrow { 0.07 } else { 0.13 }).clamp(least_air, 120.0 * self.zoom);
        let server = (width - 2.0 * (MARGIN + client + air)).clamp(least_server, 340.0 * self.zoom);
        let left = (width - server) / 2.0;
        // Clients stand over the controllers' row where there is none, too: so they stand alike in both clusters.
        let clients_room = height - 2.0 * MARGIN - 58.0;
        let room = if controllers.is_empty() { height - 2.0 * MARGIN } else { clients_room };
        let servers = self.servers.clone();
        let gap = match servers.len() {
            0..=3 if height < SHORT * self.zoom => 12.0,
            0..=3 => 30.0,
            4 | 5 => 16.0,
            _ => 8.0,
        };
        let at = spread(servers.len(), room, self.tall, gap);
        for (index, node) in servers.iter().enumerate() {
            let (y, h) = at(index);
            self.places[node.index()] = Rect { x: left, y: MARGIN + y, w: server, h };
        }
        let broad = if narrow { width } else { server + air }.min(width - 2.0 * MARGIN);
        let at = spread(controllers.len(), broad, 112.0, 8.0);
        for (index, node) in controllers.iter().enumerate() {
            let (x, w) = at(index);
            self.places[node.index()] = Rect { x: (width - broad) / 2.0 + x, y: height - MARGIN - 38.0, w, h: 38.0 };
        }
        for (clients, x) in [(producers, MARGIN), (consumers, width - MARGIN - client)] {
            let at = spread(clients.len(), clients_room, 84.0, if clients.len() > 8 { 4.0 } else { 10.0 });
            for (index, node) in clients.iter().enumerate() {
                let (y, h) = at(index);
                self.places[node.index()] = Rect { x, y: MARGIN + y, w: client, h };
            }
        }
    }

    fn in_rows(&mut self, controllers: &[NodeId], producers: &[NodeId], consumers: &[NodeId]) {
        let (width, height) = (self.width, self.height);
        let room = width - 2.0 * MARGIN;
        let foot = if controllers.is_empty() { 0.0 } else { 50.0 };
        // Clients in as many rows as their names need; more rows are lower ones.
        let rows_of = |clients: &[NodeId]| clients.len().div_ceil(((room / 68.0 / self.zoom) as usize).max(1)).max(1);
        let high = |clients: &[NodeId]| match rows_of(clients) {
            1 => 74.0,
            rows => (rows as f32 * 40.0 - 6.0).min(height * 0.22),
        };
        for (clients, y) in [(producers, MARGIN), (consumers, height - MARGIN - high(consumers))] {
            let rows = rows_of(clients);
            let across = clients.len().div_ceil(rows);
            let (at, down) = (spread(across, room, 136.0 * self.zoom, 6.0), spread(rows, high(clients), 74.0, 6.0));
            for (index, node) in clients.iter().enumerate() {
                let ((x, w), (down, h)) = (at(index % across), down(index / across));
                self.places[node.index()] = Rect { x: MARGIN + x, y: y + down, w, h };
            }
        }
        let air = if self.servers.len() > 4 || rows_of(producers) > 1 { 30.0 } else { 56.0 };
        let top = MARGIN + high(producers) + air;
        let bottom = height - MARGIN - high(consumers) - air - foot;
        let servers = self.servers.clone();
        let across = match servers.len() {
            count @ 0..=3 => count,
            4 => 2,
            5 | 6 => 3,
            _ => 4,
        };
        let at = spread(across, room, 170.0 * self.zoom, if across > 3 { 8.0 } else { 14.0 });
        let rows = servers.len().div_ceil(across.max(1));
        let down = spread(rows, bottom - top, self.tall + 16.0, if rows > 2 { 10.0 } else { 20.0 });
        for (index, node) in servers.iter().enumerate() {
            let ((x, w), (y, h)) = (at(index % across), down(index / across));
            self.places[node.index()] = Rect { x: MARGIN + x, y: top + y, w, h };
        }
        let at = spread(controllers.len(), room, 112.0, 6.0);
        for (index, node) in controllers.iter().enumerate() {
            let (x, w) = at(index);
            self.places[node.index()] = Rect { x: MARGIN + x, y: bottom + 10.0, w, h: 38.0 };
        }
    }

    /// How many nodes there are.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.places.len()
    }

    /// Where a node sits.
    #[must_use]
    pub fn place(&self, node: NodeId) -> Rect {
        self.places.get(node.index()).copied().unwrap_or_default()
    }

    /// The way from one node to another. The two directions keep a little apart.
    #[must_use]
    pub fn curve(&self, from: NodeId, to: NodeId) -> Curve {
        let (a, b) = (self.place(from), self.place(to));
        let both_serve = self.servers.contains(&from) && self.servers.contains(&to);
        if both_serve {
            let between = |node: &&NodeId| **node != from && **node != to;
            if self.servers.iter().filter(between).any(|node| crosses(a.center(), b.center(), self.place(*node))) {
                return self.around(a, b, from < to);
            }
            return straight(edge(a, b.center()), edge(b, a.center()), 9.0);
        }
        let (upper, lower) = if a.center().1 <= b.center().1 { (a, b) } else { (b, a) };
        if self.controllers.contains(&from) != self.controllers.contains(&to) && self.is_wide() {
            // Along the gutter between the servers and their clients, so that no server is crossed.
            let gutter = self.servers.first().map_or(0.0, |node| self.place(*node).x_end()) + 34.0;
            let (high, low) = ((upper.x_end(), upper.center().1), (lower.center().0 + lower.w * 0.3, lower.y));
            let by = (gutter, (high.1 + low.1) / 2.0 + 24.0);
            return if self.controllers.contains(&to) { [high, by, low] } else { [low, by, high] };
        }
        straight(facing(a, b, self.is_wide()), facing(b, a, self.is_wide()), 3.5)
    }

    fn is_wide(&self) -> bool {
        self.wide
    }

    /// Past the servers between: on one side there, on the other side back.
    fn around(&self, a: Rect, b: Rect, forth: bool) -> Curve {
        if (a.center().1 - b.center().1).abs() >= (a.center().0 - b.center().0).abs() {
            let side = |r: Rect| (if forth { r.x } else { r.x + r.w }, r.center().1);
            let by = if forth { a.x.min(b.x) - 52.0 } else { (a.x + a.w).max(b.x + b.w) + 52.0 };
            return [side(a), (by, (a.center().1 + b.center().1) / 2.0), side(b)];
        }
        let side = |r: Rect| (r.center().0, if forth { r.y } else { r.y + r.h });
        let by = if forth { a.y.min(b.y) - 44.0 } else { (a.y + a.h).max(b.y + b.h) + 44.0 };
        [side(a), ((a.center().0 + b.center().0) / 2.0, by), side(b)]
    }

    /// The way of a flight.
    #[must_use]
    pub fn way(&self, flight: &Flight) -> Curve {
        self.curve(flight.from, flight.to)
    }
}

/// A straight way, a little to the right of the line so that the way back does not cover it.
fn straight(start: (f32, f32), end: (f32, f32), apart: f32) -> Curve {
    let (dx, dy) = (end.0 - start.0, end.1 - start.1);
    let length = (dx * dx + dy * dy).sqrt().max(1.0);
    let (ox, oy) = (-dy / length * apart, dx / length * apart);
    let (start, end) = ((start.0 + ox, start.1 + oy), (end.0 + ox, end.1 + oy));
    [start, ((start.0 + end.0) / 2.0, (start.1 + end.1) / 2.0), end]
}

/// The middle of the side of `r` that looks at `other`: left or right on a wide stage, top or bottom on a narrow one.
fn facing(r: Rect, other: Rect, wide: bool) -> (f32, f32) {
    let (x, y) = r.center();
    if wide {
        (if other.center().0 > x { r.x + r.w } else { r.x }, y)
    } else {
        (x, if other.center().1 > y { r.y + r.h } else { r.y })
    }
}

/// The point at which the line from the middle of `r` to `target` leaves `r`.
fn edge(r: Rect, target: (f32, f32)) -> (f32, f32) {
    let (cx, cy) = r.center();
    let (dx, dy) = (target.0 - cx, target.1 - cy);
    let scale_x = if dx == 0.0 { f32::INFINITY } else { (r.w / 2.0) / dx.abs() };
    let scale_y = if dy == 0.0 { f32::INFINITY } else { (r.h / 2.0) / dy.abs() };
    let scale = scale_x.min(scale_y).min(1.0);
    (cx + dx * scale, cy + dy * scale)
}

/// Whether the line from `a` to `b` runs through `r`.
fn crosses(a: (f32, f32), b: (f32, f32), r: Rect) -> bool {
    (1..16).any(|n| {
        let part = n as f32 / 16.0;
        let (x, y) = (a.0 + (b.0 - a.0) * part, a.1 + (b.1 - a.1) * part);
        x > r.x && x < r.x + r.w && y > r.y && y < r.y + r.h
    })
}

/// The point of a curve at a part of its way, 0 to 1.
#[must_use]
pub fn point(curve: &Curve, part: f32) -> (f32, f32) {
    let rest = 1.0 - part;
    let (a, b, c) = (rest * rest, 2.0 * rest * part, part * part);
    (a * curve[0].0 + b * curve[1].0 + c * curve[2].0, a * curve[0].1 + b * curve[1].1 + c * curve[2].1)
}

/// A curve in SVG's language.
#[must_use]
pub(crate) fn path(curve: &Curve) -> String {
    let [a, b, c] = curve;
    format!("M{:.1} {:.1}Q{:.1} {:.1} {:.1} {:.1}", a.0, a.1, b.0, b.1, c.0, c.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(servers: u16, controllers: u16, producers: u16, consumers: u16) -> Vec<NodeInfo> {
        let roles = (0..servers)
            .map(|_| Role::Server)
            .chain((0..controllers).map(|_| Role::Controller))
            .chain((0..producers).map(Role::Producer))
            .chain((0..consumers).map(Role::Consumer));
        (0..).zip(roles).map(|(id, role)| NodeInfo { id: NodeId(id), name: format!("n{id}"), role }).collect()
    }

    #[test]
    fn no_two_nodes_overlap_and_all_are_on_the_stage() {
        for (servers, clients) in [(1, 1), (3, 2), (5, 4), (10, 6)] {
            for (width, height) in [(700.0, 480.0), (390.0, 620.0), (960.0, 540.0), (400.0, 330.0), (340.0, 300.0)] {
                let nodes = nodes(servers, 3, clients, clients);
                let layout = Layout::new(&nodes, 3, width, height);
                for (index, node) in nodes.iter().enumerate() {
                    let a = layout.place(node.id);
                    assert!(a.x >= 0.0 && a.y >= 0.0 && a.x + a.w <= width && a.y + a.h <= height, "{a:?} in {width}");
                    for other in &nodes[index + 1..] {
                        let b = layout.place(other.id);
                        let apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
                        assert!(apart, "{servers} servers on {width} × {height}: {a:?} and {b:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn servers_of_a_short_stage_keep_room_for_their_rows() {
        for (width, height) in [(400.0, 330.0), (500.0, 340.0), (350.0, 300.0), (390.0, 400.0)] {
            let nodes = nodes(3, 3, 2, 2);
            let server = Layout::new(&nodes, 3, width, height).place(NodeId(0));
            assert!(server.h >= 50.0 && server.w >= 80.0, "{width} × {height}: {server:?}");
        }
    }

    #[test]
    fn zoomed_everything_is_where_it_was_and_has_more_room() {
        for (width, height) in [(700.0, 480.0), (390.0, 620.0)] {
            let nodes = nodes(3, 3, 2, 2);
            let whole = Layout::new(&nodes, 60, width, height);
            let zoomed = Layout::zoomed(&nodes, 60, (width * 4.0, height * 4.0), 4.0);
            for node in nodes.iter().filter(|node| node.role != Role::Controller) {
                let ((x, y), (zx, zy)) = (whole.place(node.id).center(), zoomed.place(node.id).center());
                assert!((zx / 4.0 - x).abs() < width * 0.12 && (zy / 4.0 - y).abs() < height * 0.12, "{}", node.name);
            }
            assert!(zoomed.place(NodeId(0)).h > 3.0 * whole.place(NodeId(0)).h);
        }
    }

    #[test]
    fn the_same_clients_sit_at_the_same_height_in_both_clusters() {
        let log = Layout::new(&nodes(3, 3, 2, 2), 3, 700.0, 480.0);
        let queue = Layout::new(&nodes(3, 0, 2, 2), 3, 700.0, 480.0);
        // Controllers take a foot of the stage; clients must not notice on either side but by that foot.
        assert!((log.place(NodeId(6)).y - queue.place(NodeId(3)).y).abs() < 60.0);
    }

    #[test]
    fn a_way_past_another_server_goes_around_it() {
        let layout = Layout::new(&nodes(3, 0, 1, 1), 3, 700.0, 480.0);
        let [_, by, _] = layout.curve(NodeId(0), NodeId(2));
        assert!(by.0 < layout.place(NodeId(1)).x);
        let [_, back, _] = layout.curve(NodeId(2), NodeId(0));
        assert!(back.0 > layout.place(NodeId(1)).x + layout.place(NodeId(1)).w);
    }
}
