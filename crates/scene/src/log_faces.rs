//! Faces of the log cluster: brokers with their replicas, controllers, producers, consumers.

use crate::faces::Face;
use crate::layout::Layout;
use crate::picture::{Card, Rect, fitted};
use crate::subtitles::Subtitles;
use log_cluster::LogCluster;
use log_cluster::view::{
    BrokerView, ConsumerView, MemberState, ProducerTransactionsView, Registration, ReplicaView, Stage, View,
};
use player::Side;
use sim::workload::{NodeInfo, Role};
use sim::{NodeId, Time};

/// The least number of offsets that a strip shows.
const WINDOW: u64 = 48;

/// All cards of the cluster.
pub(crate) fn cards(
    side: &Side<LogCluster>,
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
            Role::Server => broker(&mut face, node.id, &view),
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

fn broker(face: &mut Face<'_>, node: NodeId, view: &View) {
    let Some(broker) = view.servers.iter().find(|server| server.node == node).and_then(|s| s.broker.as_ref()) else {
        return;
    };
    let user = |replica: &&ReplicaView| view.topics.get(replica.topic as usize).is_some_and(|topic| !topic.internal);
    let led = led_by(view, node);
    match broker.registration {
        _ if !face.is_alive() => {}
        Registration::Fenced => face.badge("fenced", "badge fenced"),
        Registration::ControlledShutdown => face.badge("shutting down", "badge fenced"),
        Registration::Unregistered => face.badge("not registered", "badge fenced"),
        Registration::Active if led.is_empty() => face.badge("follower", "quiet"),
        Registration::Active => {
            let words =
                if led.len() > 4 { format!("leads {}", led.len()) } else { format!("leads {}", led.join(" · ")) };
            face.badge(&words, "badge filled");
        }
    }
    let replicas: Vec<&ReplicaView> = broker.replicas.iter().filter(user).collect();
    let top = view_end(view);
    let window = window(view, top);
    let body = face.body();
    let room = face.place.y + face.place.h - body - 6.0;
    let row = (room / replicas.len().max(1) as f32).clamp(4.0, 24.0);
    for (index, replica) in replicas.iter().enumerate() {
        let y = body + index as f32 * row;
        if y + row > face.place.y + face.place.h {
            break;
        }
        strip(face, view, replica, y, row, (top.saturating_sub(window), window));
    }
    say_waits(face, broker);
    say_transactions(face, node, view);
    say_groups(face, node, view);
    say_shares(face, node, view);
}

/// The windows of share groups that a broker keeps.
fn say_shares(face: &mut Face<'_>, node: NodeId, view: &View) {
    for share in view.shares.iter().filter(|share| share.leader == node) {
        let place = label(view, share.topic, share.partition);
        face.say(format!(
            "keeps {place} for share group {}: in flight from {} to {}, {} acquired, {} released",
            share.group, share.start, share.end, share.acquired, share.available
        ));
    }
}

/// The groups that a broker coordinates, with those members that are not settled.
fn say_groups(face: &mut Face<'_>, node: NodeId, view: &View) {
    for group in view.groups.iter().filter(|group| group.coordinator == Some(node) && !group.members.is_empty()) {
        let settled = group.members.iter().filter(|member| member.state == "Stable").count();
        let counted = if group.protocol == "classic" { "generation" } else { "epoch" };
        face.say(format!(
            "coordinates {}: {} protocol, {}, {counted} {}, {settled} of {} members stable",
            group.name,
            group.protocol,
            group.state,
            group.generation,
            group.members.len()
        ));
    }
}

/// The transactions that a broker coordinates, as far as they are not over.
fn say_transactions(face: &mut Face<'_>, node: NodeId, view: &View) {
    for transaction in view.transactions.iter().filter(|one| one.coordinator == Some(node)) {
        let Some(state) = transaction.state.filter(|_| !transaction.partitions.is_empty()) else { continue };
        let names: Vec<String> = transaction.partitions.iter().map(|(topic, p)| label(view, *topic, *p)).collect();
        face.say(format!("transaction of {}: {}, in {}", transaction.id, state.name(), names.join(", ")));
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
        face.say(format!("{} produce requests wait for replicas", broker.waiting_produces));
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
fn strip(face: &mut Face<'_>, view: &View, replica: &ReplicaView, y: f32, row: f32, (from, window): (u64, u64)) {
    let name = label(view, replica.topic, replica.partition);
    let wide = face.place.w >= 180.0;
    let has_text = row >= 13.0;
    let (label_width, number_width) = match (has_text, wide) {
        (false, _) => (0.0, 0.0),
        (true, true) => (if name.len() > 3 { 66.0 } else { 26.0 }, 44.0),
        (true, false) => (20.0, 0.0),
    };
    let height = (row - 6.0).clamp(3.0, 11.0);
    let bar = Rect {
        x: face.place.x + 10.0 + label_width,
        y: y + (row - height) / 2.0,
        w: face.place.w - 20.0 - label_width - number_width,
        h: height,
    };
    let part = |offset: u64| (offset.saturating_sub(from) as f32 / window as f32).min(1.0) * bar.w;
    let (committed, end) = (part(replica.high_watermark.min(replica.log_end)), part(replica.log_end));
    let class = match (replica.is_leader, replica.in_sync && face.is_alive()) {
        (_, false) => ["log out-of-sync", "log-part behind", "log-part behind open"],
        (true, true) => ["log", "log-part", "log-part open"],
        (false, true) => ["log", "log-part follower", "log-part follower open"],
    };
    face.pen.rect(bar, 2.0, class[0]);
    face.pen.rect(Rect { w: committed, ..bar }, 2.0, class[1]);
    face.pen.rect(Rect { x: bar.x + committed, w: end - committed, ..bar }, 1.0, class[2]);
    let mark = bar.x + committed;
    face.pen.path(format!("M{mark:.1} {:.1}v{:.1}", bar.y - 2.0, bar.h + 4.0), "watermark");
    let stable = bar.x + part(replica.last_stable.min(replica.log_end));
    if stable < mark && face.is_alive() {
        face.pen.path(format!("M{stable:.1} {:.1}v{:.1}", bar.y - 2.0, bar.h + 4.0), "watermark stable");
    }
    if has_text {
        let class = if replica.is_leader { "label leads" } else { "label" };
        let baseline = y + row / 2.0 + 4.0;
        face.pen.text(face.place.x + 10.0, baseline, fitted(&name, label_width, 12.0), class, "start");
        if number_width > 0.0 {
            let end = face.place.x + face.place.w - 10.0;
            face.pen.text(end, baseline, player::words::grouped(replica.log_end), "number", "end");
        }
    }
    if !face.is_alive() {
        face.say(format!("{name}: {} on its disk", replica.log_end));
        return;
    }
    let role = if replica.is_leader { "leads" } else { "follows" };
    let sync = if replica.in_sync { "in sync" } else { "not in sync" };
    face.say(format!("{name} {role}, {sync}, log end {}, high watermark {}", replica.log_end, replica.high_watermark));
    if replica.open_transactions > 0 || replica.last_stable < replica.high_watermark {
        let (open, stable) = (replica.open_transactions, replica.last_stable);
        face.say(format!("{open} open transactions, last stable offset {stable}"));
    }
}

fn controller(face: &mut Face<'_>, node: NodeId, view: &View) {
    let Some(controller) = view.servers.iter().find(|s| s.node == node).and_then(|s| s.controller.as_ref()) else {
        return;
    };
    if face.is_alive() {
        let (x, y) = (face.place.x, face.place.y);
        let (words, class) = if controller.is_active {
            ("active".to_owned(), "leads small")
        } else {
            (format!("epoch {}", controller.epoch), "quiet small")
        };
        face.pen.text(x + 10.0, y + 30.0, fitted(&words, face.place.w - 14.0, 12.0), class, "start");
        face.say(words);
    }
}

fn producer(face: &mut Face<'_>, index: u16, view: &View, subtitles: &Subtitles) {
    let Some(producer) = view.producers.get(usize::from(index)) else { return };
    if !face.is_alive() {
        return;
    }
    face.foot(subtitles.rate(index));
    let mut words = Vec::new();
    let mut add = |count: u32, what: &str| {
        if count > 0 {
            words.push(format!("{count} {what}"));
        }
    };
    add(producer.buffered, "buffered");
    add(producer.in_flight, "in flight");
    add(producer.blocked, "blocked");
    if let Some(transactions) = &producer.transactions {
        add(transactions.waiting, "in hand");
        words.insert(0, stage(transactions));
    }
    let words = if words.is_empty() { vec!["idle".to_owned()] } else { words };
    for (row, line) in words.iter().enumerate() {
        face.line(row, line, "quiet");
    }
    face.say(words.join(", "));
}

/// Where a producer is with its transactions.
fn stage(transactions: &ProducerTransactionsView) -> String {
    let (number, records) = (transactions.begun, transactions.records);
    match transactions.stage {
        Stage::Idle => "no transactions yet".to_owned(),
        Stage::Initializing => "initTransactions".to_owned(),
        Stage::Ready => format!("{number} transactions"),
        Stage::Open => format!("transaction {number}: {records}"),
        Stage::Hung => format!("hangs in transaction {number}"),
        Stage::Ending(true) => format!("commits {records}"),
        Stage::Ending(false) => format!("aborts {records}"),
        Stage::Over => "fenced".to_owned(),
    }
}

fn consumer(face: &mut Face<'_>, index: u16, view: &View, subtitles: &Subtitles) {
    let Some(consumer) = view.consumers.get(usize::from(index)) else { return };
    if !face.is_alive() {
        return;
    }
    face.foot(subtitles.processing(index));
    let state = match consumer.state {
        MemberState::Unjoined => Some("not in the group"),
        MemberState::Joining => Some("joining the group"),
        MemberState::Syncing => Some("waits for its share"),
        MemberState::Reconciling if consumer.assigned.is_empty() => Some("takes up its share"),
        MemberState::Stable if consumer.assigned.is_empty() => Some("no partition"),
        MemberState::Stable | MemberState::Reconciling => None,
    };
    match state {
        Some(words) => {
            face.line(0, words, "quiet");
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
        face.line(0, &names.join(" "), "label");
        face.line(1, &format!("{} acquired", consumer.buffered), "quiet");
        return face.say(format!("shares {}, {} acquired, {again} again", names.join(", "), consumer.buffered));
    }
    let lag: u64 = consumer.assigned.iter().map(|a| a.lag).sum();
    let class = if lag > 20 { "warning" } else { "quiet" };
    face.line(0, &names.join(" "), "label");
    face.line(1, &format!("lag {} · {} held", player::words::grouped(lag), consumer.buffered), class);
    face.say(format!("reads {}, lag {lag}, {} buffered", names.join(", "), consumer.buffered));
}
