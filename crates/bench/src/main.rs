//! `cargo run --release -p bench [scenario.json]`: the kernel's and the queue cluster's benchmarks and one run of a
//! document, one JSON object on stdout. Each is played a few times and the best counts: what else the machine does can
//! only slow a run down.
//!
//! `cargo run --release -p bench play NAME COUNT` plays one of them once, and tells the peak of its memory: for a look
//! at that alone, or at its instructions.
#![allow(clippy::disallowed_types, reason = "a benchmark measures wall time")]

use bench::queues::{self, Load};
use player::Player;
use std::time::Instant;

const CUSTOMERS: u64 = 2_000_000;
const HOLDS: u64 = 2_000_000;
const MESSAGES: u32 = 1_000_000;
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

fn queue_cluster() -> String {
    let one = |(load, name): &(Load, &str)| {
        let (seconds, passed) = best_of(1, || queues::open(*load, MESSAGES), queues::play);
        let (rate, events, digest) = (f64::from(MESSAGES) / seconds, passed.events, passed.digest);
        format!("\"{name}\": {{\"messages_per_s\": {rate:.0}, \"events\": {events}, \"digest\": \"{digest:016x}\"}}")
    };
    format!("\"queues\": {{{}}}", Load::ALL.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// The most memory that this process ever had, as Linux tells it; `null` elsewhere.
fn peak_bytes() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map_or_else(|| "null".to_owned(), |kib| (kib * 1_024).to_string())
}

fn play_one(name: &str, count: &str) -> Result<String, String> {
    let count: u32 = count.parse().map_err(|error| format!("{count}: {error}"))?;
    let from = Instant::now();
    let events = match (name, Load::named(name)) {
        ("mm1", _) => bench::mm1(1, u64::from(count)).events,
        (_, Some(load)) => queues::play(&mut queues::open(load, count)).events,
        (_, None) => return Err(format!("{name}: no such benchmark")),
    };
    let (seconds, peak) = (from.elapsed().as_secs_f64(), peak_bytes());
    let rate = f64::from(count) / seconds;
    Ok(format!("{{\"events\": {events}, \"per_s\": {rate:.0}, \"peak_bytes\": {peak}}}"))
}

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, name, count] = &arguments[..]
        && command == "play"
    {
        println!("{}", play_one(name, count)?);
        return Ok(());
    }
    let mut parts = vec![kernel(), queue_cluster()];
    if let Some(path) = arguments.first() {
        parts.push(document(path)?);
    }
    println!("{{{}}}", parts.join(", "));
    Ok(())
}
