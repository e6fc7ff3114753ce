//! Faces of the queue cluster: nodes with their queues, publishers, consumers with their windows.

use crate::faces::Face;
use crate::fold::{self, Cell, Fold, fold, grid};
use crate::layout::Layout;
use crate::picture::{Card, Rect, fitted};
use crate::subtitles::Subtitles;
use player::{Side, say};
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
            Role::Server | Role::Controller => {
                if crate::is_cut_off(world, side.cluster.nodes(), node.id) {
                    face.cut_off();
                }
                server(&mut face, node.id, &view, layout);
            }
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

fn server(face: &mut Face<'_>, node: NodeId, view: &View, layout: &Layout) {
    let part = |queue| part_of(queue, node);
    let in_focus = |queue: &&QueueView| layout.focus.as_ref().is_none_or(|focus| focus.name == queue.name);
    let parts: Vec<Part<'_>> = view.queues.iter().filter(in_focus).filter_map(part).collect();
    let leads: Vec<&str> =
        parts.iter().filter_map(|part| if let Part::Home(q) = part { Some(q.name.as_str()) } else { None }).collect();
    let trouble = view.nodes.iter().find(|seen| seen.id == node).and_then(trouble_of);
    if let Some(words) = trouble.filter(|_| face.is_alive()) {
        face.badge(&[&words], "warning");
    } else if face.is_alive() {
        match parts.first() {
            _ if leads.len() > 3 => face.badge(&[&say!("leads {}", leads.len())], "badge filled"),
            Some(Part::Home(queue)) if queue.kind == QueueKind::Quorum => {
                let term = queue.members.iter().find(|m| m.node == node).map_or(0, |m| m.term);
                face.badge(&[&say!("leader · term {}", term), say!("leader")], "badge filled");
            }
            Some(Part::Home(_)) => face.badge(&[say!("home")], "badge filled"),
            Some(Part::Mirror(_, true)) => face.badge(&[say!("mirror")], "quiet"),
            Some(Part::Mirror(_, false)) => {
                face.badge(&[say!("mirror, not synchronised"), say!("not synchronised")], "warning");
            }
            Some(Part::Member(..)) => face.badge(&[say!("follower")], "quiet"),
            None => face.badge(&[say!("no queue here")], "quiet"),
        }
    }
    let most = view.queues.iter().map(|queue| queue.ready + queue.unacked).max().unwrap_or(0);
    let field = face.field();
    if parts.iter().any(|part| matches!(part, Part::Member(_, member) if member.candidate)) {
        face.candidate();
    }
    let Fold::Rows(row) = fold(parts.len(), field) else {
        let cells: Vec<_> = parts.iter().map(|part| cell_of(face, part)).collect();
        return grid(face, field, &cells);
    };
    for (index, part) in parts.iter().enumerate() {
        let place = Rect { y: field.y + index as f32 * row, h: row, ..field };
        match part {
            Part::Home(queue) => stack(face, queue, most, place),
            Part::Member(queue, member) => copy(face, queue, member, place),
            Part::Mirror(queue, synced) => mirror(face, queue, *synced, place),
        }
    }
}

/// A queue as a cell.
fn cell_of(face: &Face<'_>, part: &Part<'_>) -> Cell {
    let (kind, queue, words) = match part {
        Part::Home(queue) if queue.available => (fold::Part::Leads, queue, stack_words(queue)),
        Part::Home(queue) => (fold::Part::Offline, queue, stack_words(queue)),
        Part::Member(queue, member) => (fold::Part::Follows, queue, member_words(queue, member)),
        Part::Mirror(queue, true) => (fold::Part::Follows, queue, mirror_words(queue, true)),
        Part::Mirror(queue, false) => (fold::Part::Behind, queue, mirror_words(queue, false)),
    };
    let kind = if face.is_alive() { kind } else { fold::Part::Offline };
    Cell { part: kind, name: queue.name.clone(), says: words, of: queue.name.clone() }
}

fn stack_words(queue: &QueueView) -> String {
    let words = say!("{}: {} ready, {} unacked", queue.name, queue.ready, queue.unacked);
    if queue.available { words } else { format!("{words}, {}", say!("not available")) }
}

fn member_words(queue: &QueueView, member: &MemberView) -> String {
    say!(
        "{}: follows in term {}, log end {}, commit {}, flushed {}",
        queue.name,
        member.term,
        member.log_end,
        member.commit,
        member.flushed
    )
}

fn mirror_words(queue: &QueueView, synced: bool) -> String {
    let words = if synced { say!("mirror, synchronised") } else { say!("mirror, not synchronised") };
    format!("{}: {words}", queue.name)
}

/// What is the matter with a node that is alive, in a few words; the worst first.
fn trouble_of(node: &NodeView) -> Option<String> {
    if node.paused_by_strategy {
        return Some(say!("does not serve").to_owned());
    }
    if !node.alarms.is_empty() {
        return Some(alarm_words(node).to_owned());
    }
    (!node.apart.is_empty()).then(|| say!("ran apart").to_owned())
}

fn alarm_words(node: &NodeView) -> &'static str {
    match node.alarms[..] {
        ["memory"] => say!("memory alarm"),
        ["disk"] => say!("disk alarm"),
        _ => say!("memory and disk alarm"),
    }
}

/// A mirror's line: whether it could take over.
fn mirror(face: &mut Face<'_>, queue: &QueueView, synced: bool, row: Rect) {
    let place = row_parts(face, row, (&queue.name, "label"), None);
    let bar = Rect { y: place.y + place.h / 2.0 - 4.0_f32.min(place.h / 2.0), h: 8.0_f32.min(place.h), ..place };
    face.pen.rect(bar, 2.0, if synced { "log-part follower" } else { "log" });
    face.tip_of(row, mirror_words(queue, synced), queue.name.clone());
    face.say(mirror_words(queue, synced));
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

/// Writes a row's label and number where there is room for them; the place between is the cells'.
fn row_parts(face: &mut Face<'_>, row: Rect, (name, class): (&str, &'static str), number: Option<u64>) -> Rect {
    let wide = row.w >= 150.0 && row.h >= 13.0;
    let (label, end) = if wide { (66.0, 40.0) } else { (0.0, 0.0) };
    if wide {
        let baseline = row.y + row.h / 2.0 + 4.0;
        face.pen.text(row.x, baseline, fitted(name, label - 4.0, 12.0), class, "start");
        if let Some(number) = number {
            let class = if class == "label leads" { "number" } else { "number quiet" };
            face.pen.text(row.x_end(), baseline, player::words::grouped(number), class, "end");
        }
    }
    let height = (row.h - 8.0).clamp(3.0, 18.0);
    Rect { x: row.x + label, y: row.y + (row.h - height) / 2.0, w: row.w - label - end, h: height }
}

/// What waits and what is with consumers, cell by cell.
fn stack(face: &mut Face<'_>, queue: &QueueView, most: u64, row: Rect) {
    let place = row_parts(face, row, (&queue.name, "label leads"), Some(queue.ready + queue.unacked));
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
        let gap = if width > 4.0 { 2.0 } else { 0.5 };
        face.pen.rect(Rect { x: place.x + cell as f32 * width, w: width - gap, ..place }, 1.5, class);
    }
    let scale = if each > 1 { say!("; a cell is {} messages", each) } else { String::new() };
    face.tip_of(row, format!("{}{scale}", stack_words(queue)), queue.name.clone());
    face.say(stack_words(queue));
    if queue.dead_letters > 0 {
        face.say(say!("{} dead letters wait for their target", queue.dead_letters));
    }
}

/// A follower's copy: how far its log is behind the leader's.
fn copy(face: &mut Face<'_>, queue: &QueueView, member: &MemberView, row: Rect) {
    let place = row_parts(face, row, (&queue.name, "label"), Some(member.log_end));
    let top = queue.members.iter().map(|other| other.log_end).max().unwrap_or(0);
    let window = (queue.members.iter().map(|m| top - m.log_end).max().unwrap_or(0) * 3 / 2).max(48).next_power_of_two();
    let from = top.saturating_sub(window);
    let part = |index: u64| (index.saturating_sub(from) as f32 / window as f32).min(1.0) * place.w;
    let bar = Rect { y: place.y + place.h / 2.0 - 4.0_f32.min(place.h / 2.0), h: 8.0_f32.min(place.h), ..place };
    let (committed, end) = (part(member.commit.min(member.log_end)), part(member.log_end));
    face.pen.rect(bar, 2.0, "log");
    face.pen.rect(Rect { w: committed, ..bar }, 2.0, "log-part follower");
    face.pen.rect(Rect { x: bar.x + committed, w: end - committed, ..bar }, 1.0, "log-part follower open");
    let flushed = part(member.flushed.min(member.log_end));
    if row.h >= 13.0 && flushed > 1.0 {
        face.pen.rect(Rect { y: bar.y + bar.h + 1.5, w: flushed, h: 1.5, ..bar }, 0.0, "flushed");
    }
    face.tip_of(row, member_words(queue, member), queue.name.clone());
    face.say(member_words(queue, member));
}

fn publisher(face: &mut Face<'_>, index: u16, view: &View, subtitles: &Subtitles) {
    let Some(publisher) = view.publishers.get(usize::from(index)) else { return };
    if !face.is_alive() {
        return;
    }
    face.foot(subtitles.rate(index));
    let mut lines = Vec::new();
    if publisher.connected.is_none() {
        lines.push((say!("not connected").to_owned(), "warning"));
    } else if publisher.blocked {
        lines.push((say!("blocked: alarm").to_owned(), "warning"));
    } else if view.nodes.iter().any(|node| node.in_flow.contains(&publisher.id)) {
        lines.push((say!("in flow").to_owned(), "warning"));
    }
    if publisher.unconfirmed > 0 {
        lines.push((say!("{} unconfirmed", publisher.unconfirmed), "quiet"));
    }
    if publisher.waiting > 0 {
        lines.push((say!("{} waiting", publisher.waiting), "warning"));
    }
    if lines.is_empty() {
        lines.push((say!("idle").to_owned(), "quiet"));
    }
    for (row, (line, class)) in lines.iter().enumerate() {
        face.line(row, &[line], class);
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
        face.line(0, &[say!("scripted")], "quiet");
    }
    for (row, words) in last.iter().enumerate() {
        face.line(row, &[words], if row == 0 { "label" } else { "quiet" });
        face.say(words.clone());
    }
}

/// What a client saw, in a few words.
fn words_of(seen: &Observed) -> String {
    let short = |message: &str| message.trim_end_matches('.').to_owned();
    match seen {
        Observed::Delivered { delivered, consumer, redelivered, .. } => {
            let words = format!("{} → {consumer}", short(delivered));
            if *redelivered { say!("{} again", words) } else { words }
        }
        Observed::Got { got: Some(message), .. } => say!("got {}", short(message)),
        Observed::Got { got: None, .. } => say!("got nothing").to_owned(),
        Observed::Confirmed { confirmed, .. } => say!("{} confirmed", short(confirmed)),
        Observed::Refused { refused, .. } => say!("{} refused", short(refused)),
        Observed::Returned { returned, code, .. } => say!("{} returned {}", short(returned), code),
        Observed::ConsumerCancelled { consumer_cancelled } => say!("{} cancelled", consumer_cancelled),
        Observed::ChannelClosed { code, .. } => say!("channel closed {}", code),
        Observed::Queue { queue, messages, .. } => say!("{}: {} ready", queue, messages),
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
        let words = say!("not connected");
        face.line(0, &[words], "warning");
        face.say(words);
        return;
    }
    let words = match consumer.prefetch {
        0 => say!("{} held, no limit", consumer.unacked_count),
        most => say!("{} of {} held", consumer.unacked_count, most),
    };
    let short = match consumer.prefetch {
        0 => say!("{} held", consumer.unacked_count),
        most => format!("{}/{most}", consumer.unacked_count),
    };
    if face.place.h < 50.0 {
        face.line(0, &[&words, &short], "quiet");
    } else {
        window(face, consumer, side);
        face.line(1, &[&words, &short], "quiet");
    }
    face.say(format!("{}, {words}", say!("prefetch {}", consumer.prefetch)));
}

/// The most slots that are drawn one by one.
const SLOTS: u16 = 24;

/// The prefetch window, slot by slot; a wide one as a bar; without a limit a tray that is open at its end.
fn window(face: &mut Face<'_>, consumer: &ConsumerView, side: &Side<QueueCluster>) {
    let place = Rect { x: face.place.x + 10.0, y: face.place.y + 27.0, w: face.place.w - 20.0, h: 10.0 };
    let held = |slot: u16| consumer.unacked.get(usize::from(slot)).map(|id| hue(side, *id));
    let words = match consumer.prefetch {
        0 => say!("prefetch 0: no limit to what it may hold").to_owned(),
        most => say!("prefetch {}: it may hold so many at a time", most),
    };
    face.tip(place, words);
    match consumer.prefetch {
        0 => {
            let Rect { x, y, w, h } = Rect { x: place.x - 2.0, y: place.y - 2.0, w: place.w, h: 14.0 };
            face.pen.path(format!("M{:.1} {y:.1}H{x:.1}v{h:.1}H{:.1}", x + w, x + w), "tray");
            for slot in 0..12 {
                let width = place.w / 12.0;
                let place = Rect { x: place.x + f32::from(slot) * width + 1.0, w: width - 2.0, ..place };
                held(slot).into_iter().for_each(|class| face.pen.rect(place, 1.5, class));
            }
        }
        slots if slots <= SLOTS => {
            let width = (place.w / f32::from(slots)).min(12.0);
            for slot in 0..slots {
                let gap = if width > 6.0 { 2.0 } else { 1.0 };
                let place = Rect { x: place.x + f32::from(slot) * width, w: width - gap, ..place };
                face.pen.rect(place, 1.5, held(slot).unwrap_or("slot"));
            }
        }
        most => {
            let part = (consumer.unacked_count as f32 / f32::from(most)).min(1.0);
            face.pen.rect(place, 2.0, "slot");
            face.pen.rect(Rect { w: place.w * part, ..place }, 2.0, "cell ready");
        }
    }
}
