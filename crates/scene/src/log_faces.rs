//! Faces of the log cluster: brokers with their replicas, controllers, producers, consumers.

use crate::faces::Face;
use crate::fold::{Cell, Fold, Part, fold, grid};
use crate::layout::Layout;
use crate::picture::{Card, Rect, fitted};
use crate::subtitles::Subtitles;
use log_cluster::LogCluster;
use log_cluster::view::{
    BrokerView, ConsumerView, MemberState, ProducerTransactionsView, Registration, ReplicaView, Stage, View,
};
use player::{Side, say};
use sim::workload::{NodeInfo, Role};
use sim::{NodeId, Time};

/// The least number of offsets that a strip shows.
const WINDOW: u64 = 48;

/// All cards of the cluster.
pub(crate) fn cards(
    side: &Side<LogCluster>,
    seen: &[bool],
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
            Role::Server => {
                if crate::is_cut_off(world, side.cluster.nodes(), node.id) {
                    face.cut_off();
                }
                broker(&mut face, node.id, &view, seen);
            }
            Role::Controller => controller(&mut face, node.id, &view),
            Role::Producer(index) => producer(&mut face, index, &view, subtitles),
            Role::Consumer(index) => consumer(&mut face, index, &view, subtitles),
        }
        face.card()
    };
    side.cluster.nodes().iter().map(face).collect()
}

/// A partition's short name: `p0` where there is one topic, else `orders-0`.
fn label(view: &View, topic: u32, partition: u32) -> String {
    let users = view.topics.iter().filter(|topic| !topic.internal).count();
    match view.topics.get(topic as usize) {
        Some(topic) if users > 1 || topic.internal => format!("{}-{partition}", topic.name),
        _ => format!("p{partition}"),
    }
}

/// A replica's partition by its full name, whatever it is called in short.
fn full_name(view: &View, replica: &ReplicaView) -> String {
    let topic = view.topics.get(replica.topic as usize).map_or("", |topic| topic.name.as_str());
    format!("{topic}-{}", replica.partition)
}

fn broker(face: &mut Face<'_>, node: NodeId, view: &View, seen: &[bool]) {
    let Some(broker) = view.servers.iter().find(|server| server.node == node).and_then(|s| s.broker.as_ref()) else {
        return;
    };
    let in_focus = |name: &str| {
        let users = view.topics.iter().filter(|topic| !topic.internal);
        users.zip(seen).find(|(topic, _)| topic.name == name).is_none_or(|(_, seen)| *seen)
    };
    let user = |replica: &&ReplicaView| {
        view.topics.get(replica.topic as usize).is_some_and(|topic| !topic.internal && in_focus(&topic.name))
    };
    let led = led_by(view, node);
    match broker.registration {
        _ if !face.is_alive() => {}
        Registration::Fenced => {
            face.fenced_head();
            face.badge(&[say!("fenced")], "badge fenced");
        }
        Registration::ControlledShutdown => {
            face.badge(&[say!("shutting down"), say!("leaving")], "badge fenced");
        }
        Registration::Unregistered => {
            face.fenced_head();
            face.badge(&[say!("not registered"), say!("unknown")], "badge fenced");
        }
        Registration::Active if led.is_empty() => face.badge(&[say!("follower")], "quiet"),
        Registration::Active => {
            let short = say!("leads {}", led.len());
            let long = if led.len() > 4 { short.clone() } else { say!("leads {}", led.join(" · ")) };
            face.badge(&[&long, &short], "badge filled");
        }
    }
    say_waits(face, broker);
    let replicas: Vec<&ReplicaView> = broker.replicas.iter().filter(user).collect();
    let top = view_end(view);
    let window = window(view, top);
    let field = face.field();
    match fold(replicas.len(), field) {
        Fold::Rows(row) => {
            for (index, replica) in replicas.iter().enumerate() {
                let y = field.y + index as f32 * row;
                strip(face, view, replica, Rect { y, h: row, ..field }, (top.saturating_sub(window), window));
            }
        }
        Fold::Grid(..) => {
            let parts: Vec<_> = replicas.iter().map(|replica| part(face, view, replica)).collect();
            grid(face, field, &parts);
        }
    }
    say_transactions(face, node, view);
    say_groups(face, node, view);
    say_shares(face, node, view);
}

/// A replica as a cell.
fn part(face: &Face<'_>, view: &View, replica: &ReplicaView) -> Cell {
    let part = match (face.is_alive(), replica.is_leader, replica.in_sync) {
        (false, ..) => Part::Offline,
        (true, true, _) => Part::Leads,
        (true, false, true) => Part::Follows,
        (true, false, false) => Part::Behind,
    };
    Cell {
        part,
        name: replica.partition.to_string(),
        says: words_of(face, &label(view, replica.topic, replica.partition), replica),
        of: full_name(view, replica),
    }
}

/// A replica in words, with all its marks.
fn words_of(face: &Face<'_>, name: &str, replica: &ReplicaView) -> String {
    if !face.is_alive() {
        return say!("{}: {} on its disk", name, replica.log_end);
    }
    let role = if replica.is_leader { say!("{} leads", name) } else { say!("{} follows", name) };
    let sync = if replica.in_sync { say!("in sync") } else { say!("not in sync") };
    let (end, high, flushed) = (replica.log_end, replica.high_watermark, replica.flushed);
    format!("{role}, {sync}, {}", say!("log end {}, high watermark {}, flushed {}", end, high, flushed))
}

/// The windows of share groups that a broker keeps.
fn say_shares(face: &mut Face<'_>, node: NodeId, view: &View) {
    for share in view.shares.iter().filter(|share| share.leader == node) {
        let place = label(view, share.topic, share.partition);
        face.say(say!(
            "keeps {} for share group {}: in flight from {} to {}, {} acquired, {} released",
            place,
            share.group,
            share.start,
            share.end,
            share.acquired,
            share.available
        ));
    }
}

/// The groups that a broker coordinates, with those members that are not settled.
fn say_groups(face: &mut Face<'_>, node: NodeId, view: &View) {
    for group in view.groups.iter().filter(|group| group.coordinator == Some(node) && !group.members.is_empty()) {
        let settled = group.members.iter().filter(|member| member.state == "Stable").count();
        let classic = group.protocol == "classic";
        let counted =
            if classic { say!("generation {}", group.generation) } else { say!("epoch {}", group.generation) };
        face.say(say!(
            "coordinates {}: {} protocol, {}, {}, {} of {} members stable",
            group.name,
            group.protocol,
            group.state,
            counted,
            settled,
            group.members.len()
        ));
    }
}

/// The transactions that a broker coordinates, as far as they are not over.
fn say_transactions(face: &mut Face<'_>, node: NodeId, view: &View) {
    for transaction in view.transactions.iter().filter(|one| one.coordinator == Some(node)) {
        let Some(state) = transaction.state.filter(|_| !transaction.partitions.is_empty()) else { continue };
        let names: Vec<String> = transaction.partitions.iter().map(|(topic, p)| label(view, *topic, *p)).collect();
        face.say(say!("transaction of {}: {}, in {}", transaction.id, state.name(), names.join(", ")));
    }
}

fn led_by(view: &View, node: NodeId) -> Vec<String> {
    let topics = (0u32..).zip(&view.topics).filter(|(_, topic)| !topic.internal);
    topics
        .flat_map(|(place, topic)| topic.partitions.iter().map(move |partition| (place, partition)))
        .filter(|(_, partition)| partition.leader == Some(node))
        .map(|(place, partition)| label(view, place, partition.partition))
        .collect()
}

fn say_waits(face: &mut Face<'_>, broker: &BrokerView) {
    if broker.waiting_produces > 0 {
        let count = broker.waiting_produces;
        face.note(&say!("{} wait", count), say!("{} produce requests wait for replicas", count));
    }
}

fn view_end(view: &View) -> u64 {
    let replicas = view.servers.iter().filter_map(|server| server.broker.as_ref()).flat_map(|broker| &broker.replicas);
    replicas.filter(|replica| !view.topics[replica.topic as usize].internal).map(|r| r.log_end).max().unwrap_or(0)
}

/// How many offsets the strips show: enough for the replica that lags most, in steps of two.
fn window(view: &View, top: u64) -> u64 {
    let replicas = view.servers.iter().filter_map(|server| server.broker.as_ref()).flat_map(|broker| &broker.replicas);
    let users = replicas.filter(|replica| !view.topics[replica.topic as usize].internal);
    let least = users.map(|replica| replica.log_end).min().unwrap_or(0);
    ((top - least) * 3 / 2).max(WINDOW).next_power_of_two()
}

/// A replica's log, its newest part: committed, above the high watermark, and where it ends.
fn strip(face: &mut Face<'_>, view: &View, replica: &ReplicaView, place: Rect, (from, window): (u64, u64)) {
    let name = label(view, replica.topic, replica.partition);
    let (row, wide) = (place.h, place.w >= 150.0);
    let has_text = row >= 13.0;
    let (label_width, number_width) = match (has_text, wide) {
        (false, _) => (0.0, 0.0),
        (true, true) => (if name.len() > 3 { 66.0 } else { 26.0 }, 44.0),
        (true, false) => (22.0, 0.0),
    };
    let height = (row - 6.0).clamp(3.0, 11.0);
    let bar = Rect {
        x: place.x + label_width,
        y: place.y + (row - height) / 2.0,
        w: place.w - label_width - number_width,
        h: height,
    };
    let part = |offset: u64| (offset.saturating_sub(from) as f32 / window as f32).min(1.0) * bar.w;
    let (committed, end) = (part(replica.high_watermark.min(replica.log_end)), part(replica.log_end));
    let start = part(replica.log_start).min(committed);
    let class = match (replica.is_leader, replica.in_sync && face.is_alive()) {
        (_, false) => ["log out-of-sync", "log-part behind", "log-part behind open"],
        (true, true) => ["log", "log-part", "log-part open"],
        (false, true) => ["log", "log-part follower", "log-part follower open"],
    };
    let words = words_of(face, &name, replica);
    face.tip_of(place, words.clone(), full_name(view, replica));
    face.pen.rect(bar, 2.0, class[0]);
    face.pen.rect(Rect { x: bar.x + start, w: committed - start, ..bar }, 2.0, class[1]);
    face.pen.rect(Rect { x: bar.x + committed, w: end - committed, ..bar }, 1.0, class[2]);
    let tiered = part(replica.local_start);
    if tiered > start + 1.0 {
        face.pen.rect(Rect { x: bar.x + start, w: tiered - start, ..bar }, 2.0, "log-part tiered");
        let words = say!("up to offset {} in remote storage only", replica.local_start);
        face.tip(Rect { x: bar.x + start, w: tiered - start, ..bar }, words);
    }
    let flushed = part(replica.flushed.min(replica.log_end));
    if flushed > start + 1.0 && row >= 13.0 {
        face.pen.rect(Rect { x: bar.x + start, y: bar.y + bar.h + 1.5, w: flushed - start, h: 1.5 }, 0.0, "flushed");
    }
    ticks(face, replica, bar, &part);
    if has_text {
        let class = if replica.is_leader { "label leads" } else { "label" };
        let baseline = place.y + row / 2.0 + 4.0;
        face.pen.text(place.x, baseline, fitted(&name, label_width, 12.0), class, "start");
        if number_width > 0.0 {
            face.pen.text(place.x_end(), baseline, player::words::grouped(replica.log_end), "number", "end");
        }
    }
    face.say(words);
    if face.is_alive() && (replica.open_transactions > 0 || replica.last_stable < replica.high_watermark) {
        let (open, stable) = (replica.open_transactions, replica.last_stable);
        face.say(say!("{} open transactions, last stable offset {}", open, stable));
    }
}

/// The marks of a strip, each with its name while the pointer rests on it.
fn ticks(face: &mut Face<'_>, replica: &ReplicaView, bar: Rect, part: &dyn Fn(u64) -> f32) {
    let high = replica.high_watermark.min(replica.log_end);
    let mut tick = |offset: u64, class: &'static str, words: String| {
        let x = bar.x + part(offset);
        face.pen.path(format!("M{x:.1} {:.1}v{:.1}", bar.y - 2.0, bar.h + 4.0), class);
        face.tip(Rect { x: x - 4.0, y: bar.y - 3.0, w: 8.0, h: bar.h + 6.0 }, words);
    };
    if part(replica.log_end) > part(high) + 2.0 {
        tick(replica.log_end, "watermark end", say!("log end {}", replica.log_end));
    }
    if replica.last_stable < high {
        tick(replica.last_stable, "watermark stable", say!("last stable offset {}", replica.last_stable));
    }
    tick(high, "watermark", say!("high watermark {}", high));
}

fn controller(face: &mut Face<'_>, node: NodeId, view: &View) {
    let Some(controller) = view.servers.iter().find(|s| s.node == node).and_then(|s| s.controller.as_ref()) else {
        return;
    };
    if face.is_alive() {
        let (x, y) = (face.place.x, face.place.y);
        let (words, class) = if controller.is_active {
            (say!("active").to_owned(), "leads small")
        } else {
            (say!("epoch {}", controller.epoch), "quiet small")
        };
        face.pen.text(x + 10.0, y + 30.0, fitted(&words, face.place.w - 14.0, 12.0), class, "start");
        if controller.is_candidate {
            face.candidate();
        }
        face.say(words);
    }
}

fn producer(face: &mut Face<'_>, index: u16, view: &View, subtitles: &Subtitles) {
    let Some(producer) = view.producers.get(usize::from(index)) else { return };
    if !face.is_alive() {
        return;
    }
    face.foot(subtitles.rate(index));
    // Each line with what it comes down to where there is little room.
    let mut lines: Vec<[String; 3]> = Vec::new();
    if let Some(transactions) = &producer.transactions {
        lines.push(stage(transactions));
        if matches!(transactions.stage, Stage::Idle | Stage::Ready | Stage::Open | Stage::Hung) {
            face.does = "transacts";
        }
    }
    let mut add = |count: u32, words: String, least: Option<String>| {
        if count > 0 {
            lines.push([words.clone(), words.clone(), least.unwrap_or(words)]);
        }
    };
    add(producer.buffered, say!("{} buffered", producer.buffered), None);
    add(producer.in_flight, say!("{} in flight", producer.in_flight), Some(producer.in_flight.to_string()));
    add(producer.blocked, say!("{} blocked", producer.blocked), None);
    if let Some(ProducerTransactionsView { waiting, .. }) = &producer.transactions {
        add(*waiting, say!("{} in hand", waiting), Some(waiting.to_string()));
    }
    if lines.is_empty() {
        lines.push([(); 3].map(|()| say!("idle").to_owned()));
    }
    for (row, [line, short, least]) in lines.iter().enumerate() {
        face.line(row, &[line, short, least], "quiet");
    }
    face.say(lines.into_iter().map(|[line, ..]| line).collect::<Vec<_>>().join(", "));
}

/// Where a producer is with its transactions; in short; and in a word.
fn stage(transactions: &ProducerTransactionsView) -> [String; 3] {
    let (number, records) = (transactions.begun, transactions.records);
    let words = match transactions.stage {
        Stage::Idle => say!("no transactions yet").to_owned(),
        Stage::Initializing => "initTransactions".to_owned(),
        Stage::Ready => say!("{} transactions", number),
        Stage::Open => say!("transaction {}: {}", number, records),
        Stage::Hung => {
            return [
                say!("hangs in transaction {}", number),
                say!("hangs in no. {}", number),
                say!("hangs").to_owned(),
            ];
        }
        Stage::Ending(true) => say!("commits {}", records),
        Stage::Ending(false) => say!("aborts {}", records),
        Stage::Over => say!("fenced").to_owned(),
    };
    [words.clone(), words.clone(), words]
}

fn consumer(face: &mut Face<'_>, index: u16, view: &View, subtitles: &Subtitles) {
    let Some(consumer) = view.consumers.get(usize::from(index)) else { return };
    if !face.is_alive() {
        return;
    }
    face.foot(subtitles.processing(index));
    let state = match consumer.state {
        MemberState::Unjoined => Some(say!("not in the group")),
        MemberState::Joining => Some(say!("joining the group")),
        MemberState::Syncing => Some(say!("waits for its share")),
        MemberState::Reconciling if consumer.assigned.is_empty() => Some(say!("takes up its share")),
        MemberState::Stable if consumer.assigned.is_empty() => Some(say!("no partition")),
        MemberState::Stable | MemberState::Reconciling => None,
    };
    match state {
        Some(words) => {
            face.line(0, &[words], "quiet");
            face.say(words);
        }
        None => assigned(face, view, consumer),
    }
}

fn assigned(face: &mut Face<'_>, view: &View, consumer: &ConsumerView) {
    let names: Vec<String> = consumer.assigned.iter().map(|a| label(view, a.topic, a.partition)).collect();
    if let Some(share) = &consumer.share {
        // Of a share group nobody has a place in the log.
        let again = share.records.iter().filter(|(_, _, count)| *count > 1).count();
        face.line(0, &[&names.join(" "), &say!("{} partitions", names.len())], "label");
        face.line(1, &[&say!("{} acquired", consumer.buffered)], "quiet");
        return face.say(say!("shares {}, {} acquired, {} again", names.join(", "), consumer.buffered, again));
    }
    let lag: u64 = consumer.assigned.iter().map(|a| a.lag).sum();
    let class = if lag > 20 { "warning" } else { "quiet" };
    let number = player::words::grouped(lag);
    let (lag_words, many) = (say!("lag {}", number), say!("{} partitions", names.len()));
    let held = format!("{lag_words} · {}", say!("{} held", consumer.buffered));
    if face.place.h < 50.0 {
        face.line(0, &[&format!("{lag_words} · {}", names.join(" ")), &lag_words, &number], class);
    } else {
        face.line(0, &[&names.join(" "), &many], "label");
        face.line(1, &[&held, &lag_words], class);
    }
    face.say(say!("reads {}, lag {}, {} buffered", names.join(", "), lag, consumer.buffered));
}
