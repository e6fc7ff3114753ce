//! `cargo run --release -p bench`: the kernel's benchmarks, one JSON object on stdout.
#![allow(clippy::disallowed_types, reason = "a benchmark measures wall time")]

use std::time::Instant;

fn best_of<T>(runs: u32, mut run: impl FnMut() -> T) -> (f64, T) {
    let mut best: Option<(f64, T)> = None;
    for _ in 0..runs {
        let from = Instant::now();
        let value = run();
        let seconds = from.elapsed().as_secs_f64();
        if best.as_ref().is_none_or(|(least, _)| seconds < *least) {
            best = Some((seconds, value));
        }
    }
    best.unwrap_or_else(|| unreachable!("at least one run"))
}

fn main() {
    let (seconds, run) = best_of(5, || bench::mm1(1, 5_000_000));
    let rate = run.events as f64 / seconds;
    let mut text = format!("{{\"mm1\": {{\"events_per_s\": {rate:.0}, \"mean_stay_milli\": {}}}", run.mean_stay_milli);
    text.push_str(", \"hold_ns\": {");
    for (n, pending) in [16u64, 256, 4_096, 65_536].into_iter().enumerate() {
        let (seconds, _) = best_of(3, || bench::hold(1, pending, 3_000_000));
        let comma = if n == 0 { "" } else { ", " };
        text.push_str(&format!("{comma}\"{pending}\": {:.1}", seconds * 1e9 / 3_000_000.0));
    }
    println!("{text}}}}}");
}
