//! The engines for the page: one opaque handle of about a dozen calls. Nothing calls back.
//!
//! It must never compute anything that a run depends on: it hands over what the player and the scene say. Held by the
//! wall's tests in `www/test/wall`.

mod hand;
#[cfg(feature = "bench")]
mod measure;
mod painter;
mod parts;
mod understand;
mod view;

use painter::Painter;
use player::Player;
use scenario::link;
use scene::{Flying, Layout, Which};
use serde::Serialize;
use sim::Time;
use wasm_bindgen::prelude::*;
use web_sys::HtmlCanvasElement;

/// Makes panics readable in the console. Called once, when the package is loaded.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

fn to_js(value: &impl Serialize) -> JsValue {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).unwrap_or(JsValue::NULL)
}

fn refusal(refusal: &scenario::Refusal) -> JsError {
    JsError::new(&refusal.to_string())
}

/// Above so many bytes of memory, fewer states are kept to seek back to: a browser on a phone may end a page of more.
const AMPLE_MEMORY: usize = 300 << 20;
const FEW_STATES: usize = 32;

/// What the engines have taken so far; it never shrinks.
fn memory_bytes() -> usize {
    #[cfg(target_arch = "wasm32")]
    let pages = core::arch::wasm32::memory_size(0);
    #[cfg(not(target_arch = "wasm32"))]
    let pages = 0;
    pages << 16
}

fn time(nanos: f64) -> Time {
    Time(if nanos.is_finite() { nanos.max(0.0) as u64 } else { u64::MAX })
}

#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
struct Opened {
    document: String,
    digest: Option<String>,
}

/// Takes the words of another language for what the engines say: a template on a line, its translation on the next, and
/// so on. What a run comes to does not depend on it.
#[wasm_bindgen]
pub fn speak(words: &str) {
    player::say::speak(words);
}

/// Reads a share link's fragment: `{document, digest}`, the document as text.
///
/// # Errors
/// A sentence, if the link is damaged.
#[wasm_bindgen(js_name = readLink)]
pub fn read_link(fragment: &str) -> Result<JsValue, JsError> {
    let link = link::decode(fragment).map_err(|error| refusal(&error))?;
    let digest = link.digest.map(|digest| format!("{digest:016x}"));
    Ok(to_js(&Opened { document: scenario::write(&link.document), digest }))
}

/// Makes a document of a transcript of a real broker, so that it can be played. `null` if the text is none.
///
/// # Errors
/// A sentence, if the text is a transcript that cannot be played.
#[wasm_bindgen(js_name = readTranscript)]
pub fn read_transcript(text: &str) -> Result<Option<String>, JsError> {
    conform::document_of(text).map_err(|message| JsError::new(&message))
}

#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
struct ProgressOut {
    at: f64,
    events: f64,
    arrived: bool,
}

fn progress(progress: player::Progress) -> JsValue {
    let (at, events) = (progress.at.0 as f64, progress.events as f64);
    to_js(&ProgressOut { at, events, arrived: progress.arrived })
}

#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
struct MarkOut {
    at: f64,
    cluster: &'static str,
    kind: &'static str,
    what: String,
    /// The values in its sentence: what it is about, among others.
    values: Vec<String>,
    node: String,
    rule: &'static str,
}

/// One cluster's stage: where its nodes sit, and what paints its flights.
#[derive(Default)]
struct Stage {
    layout: Option<Layout>,
    /// What is seen of it; all where nothing else is asked for.
    view: Option<scene::Rect>,
    painter: Option<Painter>,
    flying: Flying,
    /// Of when that is, until it has been painted.
    flown: Option<Seen>,
    /// For how long what was lost stayed when it was last painted, in nanoseconds of the run.
    wrecks: f64,
}

/// What there is to be seen on a stage: at which time, after how many events, with what was lost so long ago.
type Seen = (Time, u64, f64);

impl Stage {
    /// Looks for what flies, unless a picture has just been made of the same.
    fn look(&mut self, player: &Player, which: Which, wrecks: f64) {
        let state = player.state();
        let seen = (state.at, state.events(), wrecks);
        let Some(layout) = self.layout.as_ref().filter(|_| self.flown != Some(seen)) else { return };
        scene::flights(player, which, layout, painter::sight(wrecks), &mut self.flying);
        self.flown = Some(seen);
    }

    /// The picture of it, with the streams that were found.
    fn picture(&self, player: &Player, which: Which) -> JsValue {
        let layout = self.layout.as_ref();
        let picture = layout.and_then(|layout| scene::picture_of(player, which, layout, &self.flying));
        picture.map_or(JsValue::NULL, |picture| to_js(&picture))
    }
}

/// A run in the page.
#[wasm_bindgen]
pub struct Lab {
    player: Player,
    stages: [Stage; 2],
    followed: Option<player::Followed>,
}

fn which(side: u8) -> Which {
    if side == 0 { Which::Log } else { Which::Queue }
}

impl Lab {
    /// Makes room for who has joined, and takes back that of who is not to join any more.
    fn relayout(&mut self) {
        for (side, stage) in (0u8..).zip(&mut self.stages) {
            let old = stage.layout.take();
            stage.layout = old.and_then(|layout| scene::relaid(&self.player, which(side), &layout));
            stage.flown = None;
        }
    }
}

#[wasm_bindgen]
impl Lab {
    /// Opens a document's text.
    ///
    /// # Errors
    /// What is wrong with it, a line for each place.
    #[wasm_bindgen(constructor)]
    pub fn new(document: &str) -> Result<Lab, JsError> {
        let document = scenario::read(document).map_err(|error| refusal(&error))?;
        let mut player = Player::new(document).map_err(|error| refusal(&error))?;
        // A first visit plays on while the code that copies states is still on its way.
        player.keep_states(false);
        Ok(Lab { player, stages: [Stage::default(), Stage::default()], followed: None })
    }

    /// What is accepted in the document, and does less or something else than one may think: a sentence each.
    pub fn remarks(&self) -> Vec<String> {
        self.player.compiled().remarks.iter().map(|remark| format!("{}: {}", remark.path, remark.message)).collect()
    }

    /// The document's text, with all orders that were given.
    pub fn document(&self) -> String {
        scenario::write(self.player.document())
    }

    /// The playhead, in nanoseconds.
    #[wasm_bindgen(getter)]
    pub fn at(&self) -> f64 {
        self.player.at().0 as f64
    }

    /// The run's end, in nanoseconds.
    #[wasm_bindgen(getter)]
    pub fn end(&self) -> f64 {
        self.player.end().0 as f64
    }

    /// How far the run is known, in nanoseconds.
    #[wasm_bindgen(getter)]
    pub fn known(&self) -> f64 {
        self.player.known().0 as f64
    }

    /// The digest up to the playhead: sixteen hex digits.
    pub fn digest(&self) -> String {
        format!("{:016x}", self.player.digest())
    }

    /// The digest of the whole run, once it is known.
    #[wasm_bindgen(js_name = endDigest)]
    pub fn end_digest(&self) -> Option<String> {
        self.player.end_digest().map(|digest| format!("{digest:016x}"))
    }

    /// Plays on to a time, in nanoseconds, with about so many events at the most: `{at, events, arrived}`.
    pub fn advance(&mut self, to: f64, events_max: u32) -> JsValue {
        progress(self.player.advance(time(to), u64::from(events_max)))
    }

    /// Plays one event: `{at, events, arrived}`.
    pub fn step(&mut self) -> JsValue {
        progress(self.player.step())
    }

    /// Goes to a time, back or forth: `{at, events, arrived}`.
    pub fn seek(&mut self, to: f64, events_max: u32) -> JsValue {
        progress(self.player.seek(time(to), u64::from(events_max)))
    }

    /// Plays ahead for the marks to come. True once the whole run is known.
    #[wasm_bindgen(js_name = lookAhead)]
    pub fn look_ahead(&mut self, events_max: u32) -> bool {
        if memory_bytes() > AMPLE_MEMORY {
            self.player.keep_at_most(FEW_STATES);
        }
        self.player.look_ahead(u64::from(events_max))
    }

    /// Carries out orders (a JSON list, without `at`) at the playhead, all or none, and writes them on the tape.
    ///
    /// # Errors
    /// What is wrong with the first that is refused.
    pub fn order(&mut self, orders: &str) -> Result<(), JsError> {
        let mut list: Vec<serde_json::Value> =
            serde_json::from_str(orders).map_err(|error| JsError::new(&error.to_string()))?;
        for value in &mut list {
            value["at"] = "0s".into();
        }
        let orders = serde_json::from_value(list.into()).map_err(|error| JsError::new(&error.to_string()))?;
        self.player.orders(orders).map_err(|error| refusal(&error))?;
        self.relayout();
        Ok(())
    }

    /// Takes the last order back. False if there is none.
    pub fn undo(&mut self) -> bool {
        let undone = self.player.undo();
        self.relayout();
        undone
    }

    /// The fragment of a share link, with the digest of the whole run if it is known.
    pub fn link(&self) -> String {
        link::encode(self.player.document(), self.player.end_digest())
    }

    /// All marks known, also those ahead, by time: `[{at, cluster, kind, what, values, node, rule}]`.
    pub fn marks(&self) -> JsValue {
        let state = self.player.furthest();
        let name = |cluster: &str, node: sim::NodeId| {
            let log = state.log.as_ref().filter(|_| cluster == "log").map(|side| side.cluster.nodes());
            let queue = state.queue.as_ref().filter(|_| cluster == "queue").map(|side| side.cluster.nodes());
            log.or(queue).and_then(|nodes| nodes.get(node.index())).map(|node| node.name.clone()).unwrap_or_default()
        };
        let mark = |(cluster, mark): (&'static str, sim::story::Mark)| MarkOut {
            at: mark.at.0 as f64,
            cluster,
            kind: player::mark_kind(mark.kind),
            what: player::words::sentence(&mark),
            node: name(cluster, mark.node),
            rule: mark.rule.0,
            values: mark.values,
        };
        to_js(&self.player.marks().into_iter().map(mark).collect::<Vec<_>>())
    }

    /// The outcome at the playhead, in the form of `brokerlab run --json` but without the marks.
    pub fn report(&mut self) -> JsValue {
        let mut report = player::report(&mut self.player);
        report.clusters.values_mut().for_each(|cluster| cluster.marks.clear());
        to_js(&report)
    }

    /// A cluster's series up to the playhead, five numbers a bucket: produced, acknowledged, processed, the mean and
    /// the greatest time to process in milliseconds.
    pub fn series(&self, side: u8) -> js_sys::Float64Array {
        let state = self.player.state();
        let series = match which(side) {
            Which::Log => state.log.as_ref().map(|side| &side.series),
            Which::Queue => state.queue.as_ref().map(|side| &side.series),
        };
        let mut numbers = Vec::new();
        for bucket in series.iter().flat_map(|series| series.iter()) {
            let mean = bucket.latency_sum as f64 / f64::from(bucket.processed.max(1)) / 1e6;
            let counts = [bucket.produced, bucket.acknowledged, bucket.processed].map(f64::from);
            numbers.extend(counts.into_iter().chain([mean, bucket.latency_max as f64 / 1e6]));
        }
        js_sys::Float64Array::from(numbers.as_slice())
    }

    /// Lays a cluster out on a stage of this size, in CSS pixels. False if the document has no such cluster.
    pub fn layout(&mut self, side: u8, width: f32, height: f32) -> bool {
        let layout = scene::layout(&self.player, which(side), width, height);
        let stage = &mut self.stages[usize::from(side != 0)];
        stage.layout = layout;
        stage.flown = None;
        stage.view = None;
        stage.layout.is_some()
    }

    /// The picture of a cluster at the playhead, without what flies; `null` before [`Lab::layout`].
    pub fn picture(&mut self, side: u8) -> JsValue {
        let stage = &mut self.stages[usize::from(side != 0)];
        // What one looks at may have changed without a time or an event in between.
        stage.flown = None;
        stage.look(&self.player, which(side), stage.wrecks);
        stage.picture(&self.player, which(side))
    }

    /// The run's figure as SVG.
    pub fn figure(&mut self, width: f32, height: f32, dark: bool) -> String {
        scene::figure(&mut self.player, width, height, dark)
    }

    /// Gives a cluster's stage a canvas to paint its flights on. Answers how: `webgl2` or `2d`.
    ///
    /// # Errors
    /// A sentence, if the browser gives no context at all.
    pub fn attach(&mut self, side: u8, canvas: HtmlCanvasElement) -> Result<String, JsError> {
        let painter = Painter::new(canvas).map_err(|message| JsError::new(&message))?;
        let name = painter.name().to_owned();
        self.stages[usize::from(side != 0)].painter = Some(painter);
        Ok(name)
    }

    /// Gives a canvas and its context back.
    pub fn detach(&mut self, side: u8) {
        self.stages[usize::from(side != 0)].painter = None;
    }

    /// Paints a cluster's flights at the playhead. `scale` is the device's pixels a CSS pixel, `wrecks` how long what
    /// was lost stays, in nanoseconds of the run. Answers how many were painted; nothing, if the canvas is to be asked
    /// again, as it is not ready yet.
    ///
    /// # Errors
    /// The words of the graphics driver, if it refused what paints.
    pub fn paint(&mut self, side: u8, scale: f32, dark: bool, wrecks: f64) -> Result<Option<u32>, JsError> {
        let stage = &mut self.stages[usize::from(side != 0)];
        stage.wrecks = wrecks;
        let ready = stage.painter.as_mut().map(Painter::is_ready).transpose();
        if ready.map_err(|message| JsError::new(&message))? != Some(true) {
            return Ok(None);
        }
        stage.look(&self.player, which(side), wrecks);
        stage.flown = None;
        let (Some(layout), Some(painter)) = (&stage.layout, &mut stage.painter) else { return Ok(None) };
        painter.paint(&stage.flying, stage.view.unwrap_or(view::whole(layout)), scale, dark);
        Ok(Some((stage.flying.rows.len() + stage.flying.streams.len()) as u32))
    }
}

/// Plays the M/M/1 benchmark; answers the events played.
#[cfg(feature = "bench")]
#[wasm_bindgen(js_name = benchMm1)]
pub fn bench_mm1(customers: u32) -> f64 {
    bench::mm1(1, u64::from(customers)).events as f64
}

/// Plays the hold model; answers a sum that depends on all of it.
#[cfg(feature = "bench")]
#[wasm_bindgen(js_name = benchHold)]
pub fn bench_hold(pending: u32, holds: u32) -> f64 {
    bench::hold(1, u64::from(pending), u64::from(holds)) as f64
}

/// A cluster under a load, ready to be played.
#[cfg(feature = "bench")]
#[wasm_bindgen(js_name = BenchLoad)]
pub struct BenchLoad {
    ready: bench::Ready,
}

#[cfg(feature = "bench")]
#[wasm_bindgen(js_class = BenchLoad)]
impl BenchLoad {
    /// Opens a load by its name, such as `quorum` or `steady`.
    ///
    /// # Errors
    /// A sentence, if there is no such load.
    #[wasm_bindgen(constructor)]
    pub fn new(name: &str, messages: u32) -> Result<BenchLoad, JsError> {
        bench::Ready::open(name, messages).map(|ready| BenchLoad { ready }).map_err(|error| JsError::new(&error))
    }

    /// Plays it to its end; answers the digest.
    pub fn play(&mut self) -> String {
        format!("{:016x}", self.ready.play().digest)
    }
}
