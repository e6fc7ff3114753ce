//! Recordings of Kafka's assignors (K-S1 to K-S8).

use crate::kafka::{Check, numbers};
use log_cluster::assignor::{self, Candidate, Part, Racks};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The share assignor's answer hangs on the hash codes of the topics' ids, which the recordings do not tell. They
/// agree if the ids follow one another, from a hash code like this: the bits that choose among 32 bins are given by the
/// recordings, the others stand for any.
const TOPIC_ID_HASH: u32 = 0x0018_0000;

/// Replays one assignment; `None` if it is not understood.
pub(crate) fn replay(value: &Value) -> Option<Vec<Check>> {
    let name = value.get("assignor")?.as_str()?;
    // Topics by their places in the order of their names; those that are not there, or no more, come last.
    let topics = topics(value)?;
    let count = |topic: &&str| value["partitions"].get(topic).map_or(Some(0), |count| Some(count.as_u64()? as u32));
    let counts: Vec<u32> = topics.iter().map(count).collect::<Option<_>>()?;
    let place = |topic: &str| topics.iter().position(|known| *known == topic).map(|place| place as u32);
    let order = value.get("member_iteration_order")?.as_array()?;
    let members: Vec<Candidate> = order
        .iter()
        .map(|id| {
            let member = value.get("members")?.get(id.as_str()?)?;
            let wanted = member.get("topics")?.as_array()?.iter();
            Some(Candidate {
                id: id.as_str()?.to_owned(),
                instance: member.get("instance").and_then(Value::as_str).map(str::to_owned),
                topics: wanted.filter_map(|topic| place(topic.as_str()?)).collect(),
                owned: owned(member, &place)?,
                generation: member.get("generation").and_then(Value::as_i64).unwrap_or(-1) as i32,
                rack: None,
            })
        })
        .collect::<Option<_>>()?;
    let topic_order: Vec<u32> = match value.get("topic_iteration_order") {
        Some(order) => order.as_array()?.iter().filter_map(|topic| place(topic.as_str()?)).collect(),
        None => (0..topics.len() as u32).collect(),
    };
    let racks = Racks::default();
    let hashes: Vec<u32> = topics.iter().map(|topic| assignor::text_hash(topic)).collect();
    let (shares, by_topic) = match name {
        "range" => (assignor::range(&counts, &members, &racks), false),
        "roundrobin" => (assignor::round_robin(&counts, &members), false),
        "sticky" => (assignor::sticky(&counts, &members, &racks, &hashes), false),
        "cooperative-sticky" => (assignor::cooperative_sticky(&counts, &members, &racks, &hashes), false),
        "server-range" => (assignor::server_range(&counts, &members), true),
        "server-uniform" => (assignor::server_uniform(&counts, &members, &topic_order), true),
        "share-simple" => {
            let hashes: Vec<u32> = (TOPIC_ID_HASH..).take(topics.len()).collect();
            (assignor::share_simple(&counts, &members, &topic_order, &hashes), true)
        }
        _ => return None,
    };
    let expected = value.get("assignment")?.as_object()?;
    let checks = members.iter().zip(shares).map(|(member, mut share)| {
        share.sort_unstable();
        let came = if by_topic { show_by_topic(&share, &topics) } else { show(&share, &topics) };
        let empty = if by_topic { json!({}) } else { json!([]) };
        let expected = expected.get(&member.id).cloned().unwrap_or(empty);
        Check { step: format!("{name}: the share of {}", member.id), expected: sorted(expected), came }
    });
    Some(checks.collect())
}

/// The names of all topics that there are, in order, and of those that members subscribed to or own beside them.
fn topics(value: &Value) -> Option<Vec<&str>> {
    let there: BTreeSet<&str> = value.get("partitions")?.as_object()?.keys().map(String::as_str).collect();
    let mut others: BTreeSet<&str> = BTreeSet::new();
    for member in value.get("members")?.as_object()?.values() {
        others.extend(member.get("topics")?.as_array()?.iter().filter_map(Value::as_str));
        others.extend(
            member.get("owned").and_then(Value::as_array).into_iter().flatten().filter_map(|it| it[0].as_str()),
        );
        others
            .extend(member.get("current").and_then(Value::as_object).into_iter().flatten().map(|(it, _)| it.as_str()));
    }
    let others: Vec<&str> = others.into_iter().filter(|topic| !there.contains(topic)).collect();
    Some(there.into_iter().chain(others).collect())
}

fn owned(member: &Value, place: &dyn Fn(&str) -> Option<u32>) -> Option<Vec<Part>> {
    if let Some(list) = member.get("owned") {
        let part = |item: &Value| Some((place(item.get(0)?.as_str()?)?, item.get(1)?.as_u64()? as u32));
        return Some(list.as_array()?.iter().filter_map(part).collect());
    }
    let mut parts = Vec::new();
    for (topic, partitions) in member.get("current")?.as_object()? {
        if let Some(topic) = place(topic) {
            parts.extend(numbers::<u32>(partitions)?.into_iter().map(|partition| (topic, partition)));
        }
    }
    Some(parts)
}

/// Shares are sets: compared in one order.
fn sorted(mut value: Value) -> Value {
    if let Some(list) = value.as_array_mut() {
        list.sort_by_key(|part| (part[0].as_str().unwrap_or("").to_owned(), part[1].as_i64()));
    } else if let Some(topics) = value.as_object_mut() {
        for list in topics.values_mut().filter_map(Value::as_array_mut) {
            list.sort_by_key(Value::as_i64);
        }
        topics.retain(|_, list| list.as_array().is_some_and(|list| !list.is_empty()));
    }
    value
}

fn show(share: &[Part], topics: &[&str]) -> Value {
    share.iter().map(|(topic, partition)| json!([topics[*topic as usize], partition])).collect()
}

fn show_by_topic(share: &[Part], topics: &[&str]) -> Value {
    let mut lists: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (topic, partition) in share {
        lists.entry(topics[*topic as usize]).or_default().push(*partition);
    }
    json!(lists)
}
