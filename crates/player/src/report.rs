//! The report of a run, in the form that `brokerlab run --json` prints.

use crate::side::{Cluster, Side};
use crate::{Player, say, words};
use serde::Serialize;
use std::collections::BTreeMap;

/// A run's outcome so far.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct Report {
    /// Sixteen hex digits.
    pub digest: String,
    /// Events played.
    pub events: u64,
    /// The playhead, in milliseconds.
    pub until_ms: f64,
    /// By cluster: `log`, `queue`.
    pub clusters: BTreeMap<&'static str, ClusterReport>,
}

/// A cluster's outcome so far.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct ClusterReport {
    /// Messages handed over by applications.
    pub produced: u64,
    /// Acknowledged to their producers.
    pub acknowledged: u64,
    /// Delivered at least once.
    pub delivered: u64,
    /// Processed at least once.
    pub processed: u64,
    /// Acknowledged, not processed, and held nowhere any more.
    pub lost: u64,
    /// Processed more than once by one reader.
    pub duplicated: u64,
    /// Processed after a later message of the same key.
    pub reordered: u64,
    /// On their way.
    pub outstanding: u64,
    /// Refused for good.
    pub refused: u64,
    /// Gone without a promise.
    pub gone: u64,
    /// Moved to a dead-letter target.
    pub dead_lettered: u64,
    /// Dropped by a rule.
    pub dropped: u64,
    /// Taken back with the transactions that they were sent in.
    pub aborted: u64,
    /// From produced to processed.
    pub latency_ms: LatencyReport,
    /// The verdict in words.
    pub verdict: String,
    /// What is to be added to it.
    pub notes: Vec<String>,
    /// Faults, elections, refusals and changes.
    pub marks: Vec<MarkReport>,
}

/// Percentiles, in milliseconds; null where nothing was processed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct LatencyReport {
    /// The median.
    pub p50: Option<f64>,
    /// 99 %.
    pub p99: Option<f64>,
    /// 99.9 %.
    pub p999: Option<f64>,
}

/// A mark.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct MarkReport {
    /// When, in milliseconds.
    pub at_ms: f64,
    /// What, in words.
    pub what: String,
    /// On which node.
    pub node: String,
    /// By which rule.
    pub rule: &'static str,
    /// `fault`, `election`, `refusal` or `change`.
    pub kind: &'static str,
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

/// A mark's kind as a word.
#[must_use]
pub fn kind(kind: sim::story::MarkKind) -> &'static str {
    match kind {
        sim::story::MarkKind::Fault => "fault",
        sim::story::MarkKind::Election => "election",
        sim::story::MarkKind::Refusal => "refusal",
        sim::story::MarkKind::Change => "change",
    }
}

/// What the cluster's acknowledgement is called.
pub(crate) fn promise(log: bool) -> &'static str {
    if log { say!("acknowledged") } else { say!("confirmed") }
}

fn cluster<C: Cluster>(name: &'static str, side: &mut Side<C>) -> ClusterReport {
    let verdict = side.verdict();
    let (headline, notes) = words::verdict(&verdict, name == "log");
    let nodes = side.cluster.nodes();
    let mark = |mark: &sim::story::Mark| MarkReport {
        at_ms: millis(mark.at.0),
        what: words::sentence(mark),
        node: nodes.get(mark.node.index()).map(|node| node.name.clone()).unwrap_or_default(),
        rule: mark.rule.0,
        kind: kind(mark.kind),
    };
    let marks = side.marks.iter().map(mark).collect();
    let (counts, latency) = (verdict.counts, |value: Option<u64>| value.map(millis));
    ClusterReport {
        produced: counts.produced,
        acknowledged: counts.acknowledged,
        delivered: counts.delivered,
        processed: counts.processed,
        lost: verdict.lost,
        duplicated: counts.duplicated,
        reordered: counts.reordered,
        outstanding: verdict.outstanding,
        refused: counts.refused,
        gone: verdict.gone,
        dead_lettered: counts.dead_lettered,
        dropped: counts.dropped,
        aborted: counts.aborted,
        latency_ms: LatencyReport { p50: latency(verdict.p50), p99: latency(verdict.p99), p999: latency(verdict.p999) },
        verdict: headline,
        notes,
        marks,
    }
}

/// Says what a run came to at the playhead.
#[must_use]
pub fn report(player: &mut Player) -> Report {
    let state = player.state_mut();
    let (digest, events, at) = (state.digest(), state.events(), state.at);
    let mut clusters = BTreeMap::new();
    if let Some(side) = &mut state.log {
        clusters.insert("log", cluster("log", side));
    }
    if let Some(side) = &mut state.queue {
        clusters.insert("queue", cluster("queue", side));
    }
    Report { digest: format!("{digest:016x}"), events, until_ms: millis(at.0), clusters }
}
