//! Faces of the queue cluster: nodes with their queues, publishers, consumers with their windows.

use crate::faces::Face;
use crate::layout::Layout;
use crate::picture::{Card, Rect, fitted};
use crate::subtitles::Subtitles;
use player::Side;
use queue_cluster::{ConsumerView, MemberView, NodeView, Observed, QueueCluster, QueueKind, QueueView, View};
use sim::story::MessageId;
use sim::workload::{NodeInfo, Role};
use sim::{NodeId, Time};

/// How many cells a stack has at the most.
const CELLS: u64 = 16;
/// The hues of messages, by key.
const HUES: [&str; 8] = ["hue-0", "hue-1", "hue-2", "hue-3", "hue-4", "hue-5", "hue-6", "hue-7"];

/// All cards of the cluster.
pub(crate) fn cards(
    side: &Side<QueueCluster>,
    layout: &Layout,
    subtitles: &Subtitles,
    now: Time,
    since: &dyn Fn(NodeId) -> Option<Time>,
) -> Vec<Card> {
    let view = side.cluster.view();
    let world = side.cluster.world();
    let face = |node: &NodeInfo| {
        let mut face = Face::new(node, layout.place(node.id), world.health(node.id), now, since(node.id));
        match node.role {
            Role::Server | Role::Controller => server(&mut face, node.id, &view),
            Role::Producer(u16::MAX) => scripted(&mut face, node.id, side),
            Role::Producer(index) => publisher(&mut face, index, &view, subtitles),
            Role::Consumer(index) => consumer(&mut face, index, &view, side, subtitles),
        }
        face.card()
    };
    side.cluster.nodes().iter().map(face).collect()
}

/// A queue as this node has it: where it leads or is at home, or as a member.
enum Part<'a> {
    Home(&'a QueueView),
    Mirror(&'a QueueView, bool),
    Member(&'a QueueView, &'a MemberView),
}

fn server(face: &mut Face<'_>, node: NodeId, view: &View) {
    let part = |queue| part_of(queue, node);
    let parts: Vec<Part<'_>> = view.queues.iter().filter_map(part).collect();
    let leads: Vec<&str> =
        parts.iter().filter_map(|part| if let Part::Home(q) = part { Some(q.name.as_str()) } else { None }).collect();
    let trouble = view.nodes.iter().find(|seen| seen.id == node).and_then(trouble_of);
    if let Some(words) = trouble.filter(|_| face.is_alive()) {
        face.badge(&words, "warning");
    } else if face.is_alive() {
        match parts.first() {
            _ if leads.len() > 3 => face.badge(&format!("leads {}", leads.len()), "badge filled"),
            Some(Part::Home(queue)) if queue.kind == QueueKind::Quorum => {
                let term = queue.members.iter().find(|m| m.node == node).map_or(0, |m| m.term);
                face.badge(&format!("leader · term {term}"), "badge filled");
            }
            Some(Part::Home(_)) => face.badge("home", "badge filled"),
            Some(Part::Mirror(_, true)) => face.badge("mirror", "quiet"),
            Some(Part::Mirror(_, false)) => face.badge("mirror, not synchronised", "warning"),
            Some(Part::Member(..)) => face.badge("follower", "quiet"),
            None => face.badge("no queue here", "quiet"),
        }
    }
    let most = view.queues.iter().map(|queue| queue.ready + queue.unacked).max().unwrap_or(0);
    let body = face.body();
    let room = face.place.y + face.place.h - body - 6.0;
    let row = (room / parts.len().max(1) as f32).clamp(4.0, 30.0);
    for (index, part) in parts.iter().enumerate() {
        let y = body + index as f32 * row;
        if y + row > face.place.y + face.place.h {
            break;
        }
        match part {
            Part::Home(queue) => stack(face, queue, most, y, row),
            Part::Member(queue, member) => copy(face, queue, member, y, row),
            Part::Mirror(queue, synced) => mirror(face, queue, *synced, y, row),
        }
    }
}

/// What is the matter with a node that is alive, in a few words; the worst first.
fn trouble_of(node: &NodeView) -> Option<String> {
    if node.paused_by_strategy {
        return Some("does not serve".to_owned());
    }
    if !node.alarms.is_empty() {
        return Some(format!("{} alarm", node.alarms.join(" and ")));
    }
    (!node.apart.is_empty()).then(|| "ran apart".to_owned())
}

/// A mirror's line: whether it could take over.
fn mirror(face: &mut Face<'_>, queue: &QueueView, synced: bool, y: f32, row: f32) {
    let (label, place, has_text) = row_parts(face, y, row);
    let bar = Rect { y: place.y + place.h / 2.0 - 4.0, h: 8.0_f32.min(place.h), ..place };
    face.pen.rect(bar, 2.0, if synced { "log-part follower" } else { "log" });
    if has_text && label > 0.0 {
        let baseline = y + row / 2.0 + 4.0;
        face.pen.text(face.place.x + 10.0, baseline, fitted(&queue.name, label - 4.0, 12.0), "label", "start");
    }
    face.say(format!("{}: mirror, {}", queue.name, if synced { "synchronised" } else { "not synchronised" }));
}

fn part_of(queue: &QueueView, node: NodeId) -> Option<Part<'_>> {
    if queue.leader == Some(node) {
        return Some(Part::Home(queue));
    }
    if let Some((_, synced)) = queue.mirrors.iter().find(|(mirror, _)| *mirror == node) {
        return Some(Part::Mirror(queue, *synced));
    }
    let member = queue.members.iter().find(|member| member.node == node)?;
    Some(Part::Member(queue, member))
}

/// The label, the cells' place and the number's place of a row.
fn row_parts(face: &Face<'_>, y: f32, row: f32) -> (f32, Rect, bool) {
    let wide = face.place.w >= 180.0;
    let has_text = row >= 13.0;
    let label = if has_text { if wide { 66.0 } else { 0.0 } } else { 0.0 };
    let number = if has_text && wide { 40.0 } else { 0.0 };
    let height = (row - 8.0).clamp(3.0, 18.0);
    let place = Rect {
        x: face.place.x + 10.0 + label,
        y: y + (row - height) / 2.0,
        w: face.place.w - 20.0 - label - number,
        h: height,
    };
    (label, place, has_text)
}

/// What waits and what is with consumers, cell by cell.
fn stack(face: &mut Face<'_>, queue: &QueueView, most: u64, y: f32, row: f32) {
    let (label, place, has_text) = row_parts(face, y, row);
    let each = most.div_ceil(CELLS).max(1);
    let width = place.w / CELLS as f32;
    let (unacked, total) = (queue.unacked.div_ceil(each), (queue.unacked + queue.ready).div_ceil(each));
    for cell in 0..CELLS {
        let class = match cell {
            _ if !queue.available => "cell unavailable",
            n if n < unacked => "cell unacked",
            n if n < total => "cell ready",
            _ => "cell",
        };
        face.pen.rect(Rect { x: place.x + cell as f32 * width, w: width - 2.0, ..place }, 1.5, class);
    }
    if has_text {
        let baseline = y + row / 2.0 + 4.0;
        if label > 0.0 {
            face.pen.text(
                face.place.x + 10.0,
                baseline,
                fitted(&queue.name, label - 4.0, 12.0),
                "label leads",
                "start",
            );
        }
        let end = face.place.x + face.place.w - 10.0;
        if face.place.w >= 180.0 {
            face.pen.text(end, baseline, player::words::grouped(queue.ready + queue.unacked), "number", "end");
        }
    }
    let state = if queue.available { "" } else { ", not available" };
    face.say(format!("{}: {} ready, {} unacked{state}", queue.name, queue.ready, queue.unacked));
    if queue.dead_letters > 0 {
        face.say(format!("{} dead letters wait for their target", queue.dead_letters));
    }
}

/// A follower's copy: how far its log is behind the leader's.
fn copy(face: &mut Face<'_>, queue: &QueueView, member: &MemberView, y: f32, row: f32) {
    let (label, place, has_text) = row_parts(face, y, row);
    let top = queue.members.iter().map(|other| other.log_end).max().unwrap_or(0);
    let window = (queue.members.iter().map(|m| top - m.log_end).max().unwrap_or(0) * 3 / 2).max(48).next_power_of_two();
    let from = top.saturating_sub(window);
    let part = |index: u64| (index.saturating_sub(from) as f32 / window as f32).min(1.0) * place.w;
    let bar = Rect { y: place.y + place.h / 2.0 - 4.0, h: 8.0_f32.min(place.h), ..place };
    face.pen.rect(bar, 2.0, "log");
    face.pen.rect(Rect { w: part(member.commit.min(member.log_end)), ..bar }, 2.0, "log-part follower");
    let committed = part(member.commit.min(member.log_end));
    face.pen.rect(
        Rect { x: bar.x + committed, w: part(member.log_end) - committed, ..bar },
        1.0,
        "log-part follower open",
    );
    if has_text {
        let baseline = y + row / 2.0 + 4.0;
        if label > 0.0 {
            face.pen.text(face.place.x + 10.0, baseline, fitted(&queue.name, label - 4.0, 12.0), "label", "start");
        }
        if face.place.w >= 180.0 {
            let end = face.place.x + face.place.w - 10.0;
            face.pen.text(end, baseline, player::words::grouped(member.log_end), "number quiet", "end");
        }
    }
    face.say(format!(
        "{}: follows in term {}, log end {}, commit {}",
        queue.name, member.term, member.log_end, member.commit
    ));
}

fn publisher(face: &mut Face<'_>, index: u16, view: &View, subtitles: &Subtitles) {
    let Some(publisher) = view.publishers.get(usize::from(index)) else { return };
    if !face.is_alive() {
        return;
    }
    face.foot(subtitles.rate(index));
    let mut lines = Vec::new();
    if publisher.connected.is_none() {
        lines.push(("not connected".to_owned(), "warning"));
    } else if publisher.blocked {
        lines.push(("blocked: alarm".to_owned(), "warning"));
    } else if view.nodes.iter().any(|node| node.in_flow.contains(&publisher.id)) {
        lines.push(("in flow".to_owned(), "warning"));
    }
    if publisher.unconfirmed > 0 {
        lines.push((format!("{} unconfirmed", publisher.unconfirmed), "quiet"));
    }
    if publisher.waiting > 0 {
        lines.push((format!("{} waiting", publisher.waiting), "warning"));
    }
    if lines.is_empty() {
        lines.push(("idle".to_owned(), "quiet"));
    }
    for (row, (line, class)) in lines.iter().enumerate() {
        face.line(row, line, class);
        face.say(line.clone());
    }
}

/// A scripted connection: the last that it saw.
fn scripted(face: &mut Face<'_>, node: NodeId, side: &Side<QueueCluster>) {
    let mine = |id: NodeId| if id == node { 0 } else { usize::MAX };
    let seen = side.cluster.observed(&mine);
    let lines = ((face.place.h - 30.0) / 15.0).max(1.0) as usize;
    let last: Vec<String> = seen.iter().rev().take(lines).map(|(_, _, seen)| words_of(seen)).collect();
    if last.is_empty() {
        face.line(0, "scripted", "quiet");
    }
    for (row, words) in last.iter().enumerate() {
        face.line(row, words, if row == 0 { "label" } else { "quiet" });
        face.say(words.clone());
    }
}

/// What a client saw, in a few words.
fn words_of(seen: &Observed) -> String {
    let short = |message: &str| message.trim_end_matches('.').to_owned();
    match seen {
        Observed::Delivered { delivered, consumer, redelivered, .. } => {
            format!("{} → {consumer}{}", short(delivered), if *redelivered { " again" } else { "" })
        }
        Observed::Got { got: Some(message), .. } => format!("got {}", short(message)),
        Observed::Got { got: None, .. } => "got nothing".to_owned(),
        Observed::Confirmed { confirmed, .. } => format!("{} confirmed", short(confirmed)),
        Observed::Refused { refused, .. } => format!("{} refused", short(refused)),
        Observed::Returned { returned, code, .. } => format!("{} returned {code}", short(returned)),
        Observed::ConsumerCancelled { consumer_cancelled } => format!("{consumer_cancelled} cancelled"),
        Observed::ChannelClosed { code, .. } => format!("channel closed {code}"),
        Observed::Queue { queue, messages, .. } => format!("{queue}: {messages} ready"),
    }
}

fn hue(side: &Side<QueueCluster>, id: MessageId) -> &'static str {
    side.ledger.record(id).map_or("held", |record| HUES[record.key as usize % HUES.len()])
}

fn consumer(face: &mut Face<'_>, index: u16, view: &View, side: &Side<QueueCluster>, subtitles: &Subtitles) {
    let Some(consumer) = view.consumers.get(usize::from(index)) else { return };
    if !face.is_alive() {
        return;
    }
    face.foot(subtitles.processing(index));
    if consumer.connected.is_none() {
        face.line(0, "not connected", "warning");
        face.say("not connected");
        return;
    }
    window(face, consumer, side);
    let words = match consumer.prefetch {
        0 => format!("{} held, no limit", consumer.unacked_count),
        most => format!("{} of {most} held", consumer.unacked_count),
    };
    face.line(1, &words, "quiet");
    face.say(format!("prefetch {}, {words}", consumer.prefetch));
}

/// The prefetch window, slot by slot.
fn window(face: &mut Face<'_>, consumer: &ConsumerView, side: &Side<QueueCluster>) {
    let open = consumer.prefetch == 0;
    let slots = if open { 12 } else { consumer.prefetch.min(20) };
    let room = face.place.w - 20.0;
    let width = (room / f32::from(slots)).min(12.0);
    let height = 10.0;
    let y = face.place.y + 29.0;
    for slot in 0..slots {
        let place = Rect { x: face.place.x + 10.0 + f32::from(slot) * width, y, w: width - 2.0, h: height };
        let class = match consumer.unacked.get(usize::from(slot)) {
            Some(id) => hue(side, *id),
            None if open => "slot open",
            None => "slot",
        };
        face.pen.rect(place, 1.5, class);
    }
}
