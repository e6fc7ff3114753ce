//! `cargo run --release -p bench [scenario.json]`: the kernel's benchmarks and one run of a document, one JSON object
//! on stdout. Each is played a few times and the best counts: what else the machine does can only slow a run down.
#![allow(clippy::disallowed_types, reason = "a benchmark measures wall time")]

use player::Player;
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

fn main() -> Result<(), String> {
    let mut parts = vec![kernel()];
    if let Some(path) = std::env::args().nth(1) {
        parts.push(document(&path)?);
    }
    println!("{{{}}}", parts.join(", "));
    Ok(())
}
