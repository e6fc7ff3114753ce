//! `brokerlab`: plays documents, draws them, makes links of them, and replays recordings of real brokers.

use clap::{Args, Parser, Subcommand};
use player::{Player, report};
use scenario::link;
use scenario::units::Span;
use sim::Time;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Two deterministic broker clusters: a replicated log by Kafka's rules, queues by RabbitMQ's.
#[derive(Parser)]
#[command(name = "brokerlab", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays a document and prints the verdict and the metrics.
    Run {
        #[command(flatten)]
        played: Played,
        /// Prints one JSON object instead of words.
        #[arg(long)]
        json: bool,
    },
    /// Prints the digest of a run: sixteen hex digits.
    Digest {
        #[command(flatten)]
        played: Played,
    },
    /// Writes the picture at a time as SVG.
    Figure {
        /// The document.
        file: PathBuf,
        /// When, such as 2.5s.
        #[arg(long, value_parser = span)]
        at: Span,
        /// The picture's width.
        #[arg(long, default_value_t = 1440, value_parser = clap::value_parser!(u32).range(320..=8000))]
        width: u32,
        /// The picture's height.
        #[arg(long, default_value_t = 680, value_parser = clap::value_parser!(u32).range(240..=8000))]
        height: u32,
        /// In dark colours.
        #[arg(long)]
        dark: bool,
    },
    /// Prints the fragment of a share link that holds the document and its run's digest.
    Link {
        /// The document.
        file: PathBuf,
    },
    /// Prints the document that a link holds.
    Unlink {
        /// The link, or its fragment.
        link: String,
    },
    /// Replays recordings of real brokers and says where the engines disagree.
    Conform {
        /// Files, or folders of them.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
}

#[derive(Args)]
struct Played {
    /// The document.
    file: PathBuf,
    /// How far, such as 30s; the whole run if absent.
    #[arg(long, value_parser = span)]
    until: Option<Span>,
}

fn span(text: &str) -> Result<Span, String> {
    Span::parse(text)
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and versions are no errors; whatever else cannot be understood ends like every other error.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match carry_out(cli.command) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn read_text(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn open(file: &Path) -> Result<Player, String> {
    let text = read_text(file)?;
    let name = |refusal: scenario::Refusal| {
        refusal.to_string().lines().map(|line| format!("{}: {line}", file.display())).collect::<Vec<_>>().join("\n")
    };
    Player::new(scenario::read(&text).map_err(name)?).map_err(name)
}

fn play(played: &Played) -> Result<Player, String> {
    let mut player = open(&played.file)?;
    let until = played.until.map_or(player.end(), Span::time);
    player.advance(until, u64::MAX);
    Ok(player)
}

fn carry_out(command: Command) -> Result<ExitCode, String> {
    match command {
        Command::Run { played, json } => {
            let mut player = play(&played)?;
            for remark in &player.compiled().remarks {
                eprintln!("{}: {}: {}", played.file.display(), remark.path, remark.message);
            }
            let report = report(&mut player);
            if json {
                println!("{}", serde_json::to_string(&report).map_err(|error| error.to_string())?);
            } else {
                print_words(&report);
            }
        }
        Command::Digest { played } => println!("{:016x}", play(&played)?.digest()),
        Command::Figure { file, at, width, height, dark } => {
            let mut player = open(&file)?;
            player.advance(at.time(), u64::MAX);
            print!("{}", scene::figure(&mut player, width as f32, height as f32, dark));
        }
        Command::Link { file } => {
            let mut player = open(&file)?;
            player.advance(Time::NEVER, u64::MAX);
            println!("#{}", link::encode(player.document(), Some(player.digest())));
        }
        Command::Unlink { link } => {
            let link = link::decode(&link).map_err(|refusal| refusal.to_string())?;
            println!("{}", serde_json::to_string_pretty(&link.document).map_err(|error| error.to_string())?);
        }
        Command::Conform { paths } => return conform(&paths),
    }
    Ok(ExitCode::SUCCESS)
}

fn print_words(report: &player::Report) {
    println!("until {:.3} s, {} events, digest {}", report.until_ms / 1_000.0, report.events, report.digest);
    for (name, cluster) in &report.clusters {
        println!("\n{name}: {}", cluster.verdict);
        cluster.notes.iter().for_each(|note| println!("  {note}"));
        let count = |what: &str, n: u64| println!("  {what:<14}{:>12}", player::words::grouped(n));
        count("produced", cluster.produced);
        count("acknowledged", cluster.acknowledged);
        count("delivered", cluster.delivered);
        count("processed", cluster.processed);
        count("lost", cluster.lost);
        count("duplicated", cluster.duplicated);
        count("out of order", cluster.reordered);
        count("outstanding", cluster.outstanding);
        let shown = |ms: Option<f64>| ms.map_or("–".to_owned(), |ms| format!("{ms:.1} ms"));
        let latency = &cluster.latency_ms;
        println!(
            "  time to process: p50 {}, p99 {}, p99.9 {}",
            shown(latency.p50),
            shown(latency.p99),
            shown(latency.p999)
        );
        for mark in &cluster.marks {
            println!("  {:>10.3} s  {} ({}, {})", mark.at_ms / 1_000.0, mark.what, mark.node, mark.rule);
        }
    }
}

/// All files under the paths that may be recordings, in the order of their names.
fn recordings(path: &Path) -> Result<Vec<PathBuf>, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
    if !path.is_dir() {
        return std::fs::metadata(path).map(|_| vec![path.to_owned()]).map_err(wrong);
    }
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path).map_err(wrong)? {
        entries.push(entry.map_err(wrong)?.path());
    }
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            files.extend(recordings(&entry)?);
        } else if entry.extension().is_some_and(|ending| ending == "json" || ending == "jsonl") {
            files.push(entry);
        }
    }
    Ok(files)
}

fn conform(paths: &[PathBuf]) -> Result<ExitCode, String> {
    let (mut agree, mut all) = (0u64, 0u64);
    for path in paths {
        for file in recordings(path)? {
            let text = read_text(&file)?;
            for outcome in conform::replay(&file.display().to_string(), &text)? {
                all += 1;
                match outcome.disagreement {
                    None => agree += 1,
                    Some(found) => {
                        println!("{}: {}: {}", file.display(), outcome.name, found.step);
                        println!("  expected {}", found.expected);
                        println!("  came     {}", found.came);
                    }
                }
            }
        }
    }
    println!("conform: {agree} of {all} agree");
    Ok(if agree == all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
