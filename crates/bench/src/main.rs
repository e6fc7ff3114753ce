//! `cargo run --release -p bench scenario.json NAME=COUNT…`: the kernel's benchmarks, the clusters' under the loads named,
//! each with so many messages, and one run of a document; one JSON object on stdout. The short ones are played a few
//! times and the best counts: what else the machine does can only slow a run down.
//!
//! `cargo run --release -p bench play NAME COUNT` plays one of them once, and tells the peak of its memory: for a look
//! at that alone, or at its instructions.
//!
//! `cargo run --release -p bench frame scenario.json SECONDS` tells what the scene takes for one frame then.
#![allow(clippy::disallowed_types, reason = "a benchmark measures wall time")]

use bench::Ready;
use player::Player;
use scene::{CROWD, Flying, Sight, Which};
use sim::{Nanos, Time};
use std::time::Instant;

const CUSTOMERS: u64 = 2_000_000;
const HOLDS: u64 = 2_000_000;
const RUNS: u32 = 2;
/// A document's run takes milliseconds, so that more of them are needed for a quiet one.
const PLAYS: u32 = 12;

fn best_of<S, T>(runs: u32, mut prepare: impl FnMut() -> S, mut run: impl FnMut(&mut S) -> T) -> (f64, T) {
    let mut best: Option<(f64, T)> = None;
    for _ in 0..runs {
        let mut prepared = prepare();
        let from = Instant::now();
        let value = run(&mut prepared);
        let seconds = from.elapsed().as_secs_f64();
        if best.as_ref().is_none_or(|(least, _)| seconds < *least) {
            best = Some((seconds, value));
        }
    }
    best.unwrap_or_else(|| unreachable!("at least one run"))
}

fn kernel() -> String {
    let (seconds, run) = best_of(RUNS, || (), |_| bench::mm1(1, CUSTOMERS));
    let rate = run.events as f64 / seconds;
    let mut text = format!("\"mm1\": {{\"events_per_s\": {rate:.0}, \"mean_stay_milli\": {}}}", run.mean_stay_milli);
    text.push_str(", \"hold_ns\": {");
    for (n, pending) in [16u64, 256, 4_096, 65_536].into_iter().enumerate() {
        let (seconds, _) = best_of(RUNS, || (), |_| bench::hold(1, pending, HOLDS));
        let comma = if n == 0 { "" } else { ", " };
        text.push_str(&format!("{comma}\"{pending}\": {:.1}", seconds * 1e9 / HOLDS as f64));
    }
    text.push('}');
    text
}

fn document(path: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let document = scenario::read(&text).map_err(|refusal| format!("{path}: {refusal}"))?;
    let opened = Player::new(document).map_err(|refusal| format!("{path}: {refusal}"))?;
    let (seconds, played) = best_of(PLAYS, || opened.clone(), bench::play);
    let (events, rate) = (played.events, played.events as f64 / seconds);
    let digest = played.digest;
    Ok(format!("\"cluster\": {{\"events\": {events}, \"events_per_s\": {rate:.0}, \"digest\": \"{digest:016x}\"}}"))
}

/// `NAME=COUNT` of each load to be played.
fn loads(wanted: &[String]) -> Result<String, String> {
    let one = |text: &String| {
        let (name, count) = text.split_once('=').ok_or_else(|| format!("{text}: NAME=COUNT is expected"))?;
        let count = number(count)?;
        let opened = Ready::open(name, count)?;
        let (seconds, passed) = best_of(1, || opened.clone(), Ready::play);
        let (rate, events, digest) = (f64::from(count) / seconds, passed.events, passed.digest);
        Ok(format!(
            "\"{name}\": {{\"messages_per_s\": {rate:.0}, \"events\": {events}, \"digest\": \"{digest:016x}\"}}"
        ))
    };
    let played: Result<Vec<String>, String> = wanted.iter().map(one).collect();
    Ok(format!("\"loads\": {{{}}}", played?.join(", ")))
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|error| format!("{text}: {error}"))
}

/// The most memory that this process ever had, as Linux tells it; `null` elsewhere.
fn peak_bytes() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map_or_else(|| "null".to_owned(), |kib| (kib * 1_024).to_string())
}

fn play_one(name: &str, count: &str) -> Result<String, String> {
    let count = number(count)?;
    let from = Instant::now();
    let events = match name {
        "mm1" => bench::mm1(1, u64::from(count)).events,
        _ => Ready::open(name, count)?.play().events,
    };
    let (seconds, peak) = (from.elapsed().as_secs_f64(), peak_bytes());
    let rate = f64::from(count) / seconds;
    Ok(format!("{{\"events\": {events}, \"per_s\": {rate:.0}, \"peak_bytes\": {peak}}}"))
}

/// What the scene takes for one frame of the queue cluster at a time of a document: the faces, and what flies with
/// streams and without.
fn frame(path: &str, seconds: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let document = scenario::read(&text).map_err(|refusal| format!("{path}: {refusal}"))?;
    let mut player = Player::new(document).map_err(|refusal| format!("{path}: {refusal}"))?;
    player.advance(Time::ZERO + Nanos::secs(u64::from(number(seconds)?)), u64::MAX);
    let layout = scene::layout(&player, Which::Queue, 700.0, 460.0).ok_or("no queue cluster")?;
    let (picture, _) = best_of(20, || (), |()| scene::picture(&player, Which::Queue, &layout));
    let mut flying = Flying::default();
    let mut fly = |crowd| {
        let sight = Sight { wrecks: Nanos::ZERO, most: 100_000, crowd };
        best_of(20, || (), |()| scene::flights(&player, Which::Queue, &layout, sight, &mut flying)).0
    };
    let (streams, single) = (fly(CROWD) * 1e3, fly(u32::MAX) * 1e3);
    let picture = picture * 1e3;
    Ok(format!("{{\"picture_ms\": {picture:.3}, \"streams_ms\": {streams:.3}, \"single_ms\": {single:.3}}}"))
}

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, path, seconds] = &arguments[..]
        && command == "frame"
    {
        println!("{}", frame(path, seconds)?);
        return Ok(());
    }
    if let [command, name, count] = &arguments[..]
        && command == "play"
    {
        println!("{}", play_one(name, count)?);
        return Ok(());
    }
    let [path, wanted @ ..] = &arguments[..] else {
        return Err("a document is expected, and loads as NAME=COUNT".to_owned());
    };
    let parts = [kernel(), loads(wanted)?, document(path)?];
    println!("{{{}}}", parts.join(", "));
    Ok(())
}
