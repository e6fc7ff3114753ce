//! What the page asks to understand a run: charts, the space-time diagram, the life of a message.

use crate::{Lab, time, to_js, which};
use player::{BUCKET, Cluster, Fate, Gauge, Side};
use scene::{Which, Window};
use serde::Serialize;
use sim::Time;
use sim::story::MessageId;
use wasm_bindgen::prelude::*;

#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
struct StepOut {
    /// In nanoseconds of the run.
    at: f64,
    node: String,
    what: &'static str,
    rule: &'static str,
    /// What it waited for since the step before; empty where nothing in particular.
    wait: &'static str,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
struct LifeOut {
    /// The message's name.
    name: String,
    /// The key's number.
    key: u32,
    steps: Vec<StepOut>,
    /// How far it was followed, in nanoseconds.
    until: f64,
    /// Whether that is as far as the run is known.
    done: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
struct MessageOut {
    producer: u16,
    sequence: u32,
    name: String,
    key: u32,
    /// When it was handed over, in nanoseconds.
    produced: f64,
}

fn fate(name: &str) -> Option<Fate> {
    Some(match name {
        "processed" => Fate::Processed,
        "outstanding" => Fate::Outstanding,
        "duplicated" => Fate::Duplicated,
        "reordered" => Fate::Reordered,
        "lost" => Fate::Lost,
        "gone" => Fate::Gone,
        "refused" => Fate::Refused,
        "dead-lettered" => Fate::DeadLettered,
        "dropped" => Fate::Dropped,
        "aborted" => Fate::Aborted,
        _ => return None,
    })
}

fn of_fate<C: Cluster>(side: &Side<C>, wanted: Fate, limit: usize) -> Vec<(MessageId, u32, Time)> {
    let ids = side.ledger.of_fate(wanted, limit, &mut |visit| side.cluster.held(visit));
    ids.into_iter().filter_map(|id| side.ledger.record(id).map(|record| (id, record.key, record.produced))).collect()
}

/// Thirteen numbers a bucket.
fn chart<C: Cluster>(side: &Side<C>, numbers: &mut Vec<f64>) {
    let mut before = Gauge::default();
    let empty = player::Bucket::default();
    let buckets = side.series.iter().count().max(side.gauges.iter().count());
    let mut series = side.series.iter();
    let mut latencies = side.latencies.iter();
    let mut gauges = side.gauges.iter();
    let mut backlog = 0;
    for _ in 0..buckets {
        let bucket = series.next();
        let quantiles = latencies.next();
        let gauge = gauges.next();
        backlog = bucket.filter(|bucket| **bucket != empty).map_or(backlog, |bucket| bucket.backlog);
        let bucket = bucket.copied().unwrap_or_default();
        let millis = |thousandth| {
            quantiles.and_then(|known| known.quantile(thousandth)).map_or(f64::NAN, |nanos| nanos as f64 / 1e6)
        };
        numbers.extend([bucket.produced, bucket.acknowledged, bucket.processed].map(f64::from));
        numbers.extend([500, 990, 999].map(millis));
        numbers.push(backlog as f64);
        match gauge {
            None => numbers.extend([f64::NAN; 6]),
            Some(gauge) => {
                let span = BUCKET.0 as f64;
                let cpu = (gauge.cpu_busy - before.cpu_busy) as f64 / span / f64::from(gauge.cores.max(1));
                let disk = (gauge.disk_busy - before.disk_busy) as f64 / span / f64::from(gauge.servers.max(1));
                let window = if gauge.window == 0 { f64::NAN } else { gauge.window as f64 };
                numbers.extend([gauge.held as f64, window, gauge.lag as f64, cpu * 100.0, disk * 100.0]);
                numbers.push(f64::from(gauge.servers));
                before = *gauge;
            }
        }
    }
}

#[wasm_bindgen]
impl Lab {
    /// A cluster's charts as far as the run is known, a bucket of a quarter of a second after the other, thirteen
    /// numbers each: produced, acknowledged, processed (messages); p50, p99, p99.9 of the time to process (ms);
    /// backlog, held by consumers, their window, lag (messages); processors and disks at work (%); servers. What is not
    /// known or has no limit is NaN.
    pub fn chart(&self, side: u8) -> js_sys::Float64Array {
        let state = self.player.furthest();
        let mut numbers = Vec::new();
        match which(side) {
            Which::Log => state.log.iter().for_each(|side| chart(side, &mut numbers)),
            Which::Queue => state.queue.iter().for_each(|side| chart(side, &mut numbers)),
        }
        js_sys::Float64Array::from(numbers.as_slice())
    }

    /// The space-time diagram of a window, `null` if there is no such cluster. With a sequence of -1 no message's life
    /// is drawn over it.
    #[wasm_bindgen(js_name = spaceTime)]
    pub fn space_time(&self, side: u8, from: f64, to: f64, width: f32, producer: u16, sequence: f64) -> JsValue {
        let of = (sequence >= 0.0).then_some(MessageId { producer, sequence: sequence as u32 });
        let window = Window { from: time(from), to: time(to), width, of };
        scene::space_time(&self.player, which(side), window).map_or(JsValue::NULL, |diagram| to_js(&diagram))
    }

    /// The life of a message, followed by about so many events more with each call, until it is done: as far as the run
    /// is known. `null` if there is no such message.
    pub fn life(&mut self, side: u8, producer: u16, sequence: u32, events_max: u32) -> JsValue {
        let (log, id) = (side == 0, MessageId { producer, sequence });
        let kept = self.followed.take().filter(|followed| followed.is_of(&self.player, log, id));
        let Some(mut followed) = kept.or_else(|| self.player.follow(log, id)) else { return JsValue::NULL };
        let done = followed.go_on(&self.player, self.player.known(), u64::from(events_max));
        let trace = self.followed.insert(followed).trace();
        let state = self.player.furthest();
        let nodes = match which(side) {
            Which::Log => state.log.as_ref().map(|side| side.cluster.nodes()),
            Which::Queue => state.queue.as_ref().map(|side| side.cluster.nodes()),
        };
        let record = match which(side) {
            Which::Log => state.log.as_ref().and_then(|side| side.ledger.record(id)),
            Which::Queue => state.queue.as_ref().and_then(|side| side.ledger.record(id)),
        };
        let name = |node: sim::NodeId| {
            nodes.and_then(|nodes| nodes.get(node.index())).map(|node| node.name.clone()).unwrap_or_default()
        };
        let told = if log { &trace.log.steps } else { &trace.queue.steps };
        let mut before = None;
        let step = |step: &player::LifeStep| {
            let wait = before.map_or("", |before| player::life::wait(before, step.life, log));
            before = Some(step.life);
            let what = player::life::step(step.life, log);
            StepOut { at: step.at.0 as f64, node: name(step.node), what, rule: step.rule.0, wait }
        };
        let steps = told.iter().map(step).collect();
        to_js(&LifeOut {
            name: scene::message_name(&self.player, id),
            key: record.map_or(0, |record| record.key),
            steps,
            until: trace.to.0 as f64,
            done,
        })
    }

    /// The first messages of a fate at the playhead, such as `lost`: `[{producer, sequence, name, key, produced}]`.
    /// Empty for a fate that there is not.
    pub fn messages(&self, side: u8, wanted: &str, limit: u32) -> JsValue {
        let state = self.player.state();
        let found = match (which(side), fate(wanted)) {
            (_, None) => Vec::new(),
            (Which::Log, Some(wanted)) => {
                state.log.as_ref().map(|side| of_fate(side, wanted, limit as usize)).unwrap_or_default()
            }
            (Which::Queue, Some(wanted)) => {
                state.queue.as_ref().map(|side| of_fate(side, wanted, limit as usize)).unwrap_or_default()
            }
        };
        let message = |(id, key, produced): (MessageId, u32, Time)| MessageOut {
            producer: id.producer,
            sequence: id.sequence,
            name: scene::message_name(&self.player, id),
            key,
            produced: produced.0 as f64,
        };
        to_js(&found.into_iter().map(message).collect::<Vec<_>>())
    }
}

#[wasm_bindgen]
impl Lab {
    /// Writes the tape anew; its JSON is a list of orders with their times. The playhead stays.
    ///
    /// # Errors
    /// What is wrong with it; the old tape is kept then.
    #[wasm_bindgen(js_name = setTape)]
    pub fn set_tape(&mut self, tape: &str) -> Result<(), JsError> {
        let tape = serde_json::from_str(tape).map_err(|error| JsError::new(&error.to_string()))?;
        self.player.set_tape(tape).map_err(|error| crate::refusal(&error))?;
        self.relayout();
        Ok(())
    }

    /// Keeps other tapes with the document; their JSON is a list of `{name, at, tape}`. Nothing that is played changes.
    ///
    /// # Errors
    /// What is wrong with them; those before are kept then.
    #[wasm_bindgen(js_name = setBranches)]
    pub fn set_branches(&mut self, branches: &str) -> Result<(), JsError> {
        let branches = serde_json::from_str(branches).map_err(|error| JsError::new(&error.to_string()))?;
        self.player.set_branches(branches).map_err(|error| crate::refusal(&error))
    }

    /// Does again what was taken back last. False if there is nothing.
    pub fn redo(&mut self) -> bool {
        let redone = self.player.redo();
        self.relayout();
        redone
    }
}

/// What is wrong with a document's text, a line for each place; empty if nothing is.
#[wasm_bindgen(js_name = checkDocument)]
pub fn check_document(text: &str) -> String {
    let checked = scenario::read(text).and_then(|document| scenario::compile(&document).map(|_| ()));
    checked.err().map_or(String::new(), |refusal| refusal.to_string())
}

#[wasm_bindgen]
impl Lab {
    /// What is waited for at the playhead: `[{cluster, says, until, rule}]`.
    pub fn waits(&self) -> JsValue {
        to_js(&scene::waits(&self.player))
    }

    /// What stands of a thing at the playhead: `[{name, value, rule}]`, `null` if there is no such thing; see
    /// [`scene::inspect`].
    pub fn inspect(&self, side: u8, kind: &str, name: &str) -> JsValue {
        scene::inspect(&self.player, which(side), kind, name).map_or(JsValue::NULL, |facts| to_js(&facts))
    }

    /// A cluster's topology at the playhead as a graph, `null` if there is no such cluster.
    pub fn graph(&self, side: u8) -> JsValue {
        scene::graph(&self.player, which(side)).map_or(JsValue::NULL, |graph| to_js(&graph))
    }
}
