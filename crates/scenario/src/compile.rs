//! From a document to what the engines take: settings checked, names resolved, bounds held.

use crate::document::{ArrivalsPart, Document, LinkPart, MachinePart};
use crate::orders::{self, Step};
use crate::read::Refusal;
use crate::{joins, log_part, queue_part};
use sim::workload::{Arrivals, ConsumerSpec, Problem, ProducerSpec, Workload};
use sim::{Latency, LinkProfile, MachineProfile, Nanos, Time};
use std::collections::BTreeSet;

/// What a document may ask for at the most.
pub mod bounds {
    /// Servers of one kind.
    pub const NODES: u16 = 10;
    /// Producers, and consumers.
    pub const CLIENTS: usize = 100;
    /// Partitions of all topics.
    pub const PARTITIONS: u32 = 300;
    /// Queues.
    pub const QUEUES: usize = 100;
    /// Bindings, and exchanges.
    pub const BINDINGS: usize = 500;
    /// Nanoseconds that a link may become slower by: a minute.
    pub const LINK_DELAY: u64 = 60_000_000_000;
    /// Messages a second from one producer.
    pub const RATE_PER_SECOND: u64 = 1_000_000;
    /// Seconds of a run.
    pub const SECONDS: u64 = 24 * 3_600;
    /// Messages in a whole run, of all producers at their first rates.
    pub const MESSAGES: u64 = 100_000_000;
    /// Orders on the tape.
    pub const ORDERS: usize = 10_000;
    /// Steps of scripted connections.
    pub const STEPS: usize = 10_000;
    /// Bytes of a message.
    pub const MESSAGE: u64 = 16 << 20;
    /// Records of one transaction.
    pub const TRANSACTION_RECORDS: u32 = 1_000_000;
    /// Branches of a document.
    pub const BRANCHES: usize = 20;
    /// Characters of a branch's name.
    pub const BRANCH_NAME: u64 = 60;
    /// Characters of a name.
    pub const NAME: usize = 255;
}

/// What a player plays.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The seed of all chance.
    pub seed: u64,
    /// The run's end.
    pub end: Time,
    /// The clients.
    pub workload: Workload,
    /// The log cluster's settings.
    pub log: Option<log_cluster::Config>,
    /// The queue cluster's settings.
    pub queue: Option<queue_cluster::Config>,
    /// Links between clients and servers; those between servers are in the settings.
    pub client_link: LinkProfile,
    /// The tape, in the order of its times.
    pub tape: Vec<Step>,
    /// What is accepted, and does less or something else than one may think.
    pub remarks: Vec<Problem>,
}

/// Gathers problems.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    pub problems: Vec<Problem>,
}

impl Checker {
    pub fn refuse(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem { path: path.into(), message: message.into() });
    }

    /// Refuses `value` if it is not between `low` and `high`.
    pub fn within(&mut self, path: &str, what: &str, value: u64, low: u64, high: u64) -> bool {
        let fits = (low..=high).contains(&value);
        if !fits {
            self.refuse(path, format!("expected {low} to {high} {what}, found {value}"));
        }
        fits
    }
}

/// Checks the branches of a document: each with its tape in the place of the document's is a document that can be played.
///
/// # Errors
/// Everything that is wrong with them, by its place.
pub fn check_branches(document: &Document) -> Result<(), Refusal> {
    let mut check = Checker::default();
    check.within("branches", "branches", document.branches.len() as u64, 0, bounds::BRANCHES as u64);
    for (place, branch) in document.branches.iter().take(bounds::BRANCHES).enumerate() {
        let path = format!("branches[{place}]");
        check.within(&format!("{path}.name"), "characters", branch.name.chars().count() as u64, 1, bounds::BRANCH_NAME);
        if branch.at.0 > document.length.0 {
            check.refuse(format!("{path}.at"), "is after the end of the run");
        }
        let played = Document { tape: branch.tape.clone(), branches: Vec::new(), ..document.clone() };
        // What is wrong with the document beside its tape is told of the document itself.
        let wrong = compile(&played).err().map_or(Vec::new(), |refusal| refusal.0);
        for problem in wrong.into_iter().filter(|problem| problem.path.starts_with("tape")) {
            check.refuse(format!("{path}.{}", problem.path), problem.message);
        }
    }
    if check.problems.is_empty() { Ok(()) } else { Err(Refusal(check.problems)) }
}

/// Checks a document and makes of it what the engines take.
///
/// # Errors
/// Everything that is wrong with it, by its place.
pub fn compile(document: &Document) -> Result<Compiled, Refusal> {
    let mut check = Checker::default();
    let (document, late) = joins::widen(document, &mut check);
    let document = &*document;
    check.within("title", "characters", document.title.chars().count() as u64, 0, 200);
    check.within("about", "characters", document.about.chars().count() as u64, 0, 2_000);
    let seconds = document.length.0.0.div_ceil(1_000_000_000);
    check.within("length", "seconds", seconds, 1, bounds::SECONDS);
    if document.log.is_none() && document.queue.is_none() {
        check.refuse("", "there is no cluster: give `log`, `queue` or both");
    }
    let workload = workload(document, seconds, &mut check);
    let servers = link("network.servers", &document.network.servers, &mut check);
    let client_link = link("network.clients", &document.network.clients, &mut check);
    let machine = machine(&document.machine, &mut check);
    let names: Vec<&str> = workload.producers.iter().map(|p| p.name.as_str()).collect();
    let consumers: Vec<&str> = workload.consumers.iter().map(|c| c.name.as_str()).collect();
    let log = document.log.as_ref().map(|part| {
        let mut config = log_part::config(part, &names, &consumers, &mut check);
        (config.link, config.machine, config.late) = (servers, machine.clone(), late);
        check_engine("log", config.check(), &mut check);
        config
    });
    let queue = document.queue.as_ref().map(|part| {
        let mut config = queue_part::config(part, &names, &consumers, &mut check);
        (config.link, config.machine, config.late) = (servers, machine.clone(), late);
        check_engine("queue", config.check(), &mut check);
        config
    });
    let tape = orders::tape(document, &workload, &mut check);
    if !check.problems.is_empty() {
        return Err(Refusal(check.problems));
    }
    let place = |part: &str, remark: Problem| Problem { path: format!("{part}.{}", remark.path), ..remark };
    let of_log = log.iter().flat_map(log_cluster::Config::remarks).map(|remark| place("log", remark));
    let of_queue = queue.iter().flat_map(queue_cluster::Config::remarks).map(|remark| place("queue", remark));
    let remarks = of_log.chain(of_queue).collect();
    Ok(Compiled { seed: document.seed, end: document.length.time(), workload, log, queue, client_link, tape, remarks })
}

fn check_engine(part: &str, checked: Result<(), Vec<Problem>>, check: &mut Checker) {
    for problem in checked.err().into_iter().flatten() {
        check.refuse(format!("{part}.{}", problem.path), problem.message);
    }
}

fn workload(document: &Document, seconds: u64, check: &mut Checker) -> Workload {
    let part = &document.workload;
    check.within("workload.producers", "producers", part.producers.len() as u64, 0, bounds::CLIENTS as u64);
    check.within("workload.consumers", "consumers", part.consumers.len() as u64, 0, bounds::CLIENTS as u64);
    let mut names = BTreeSet::new();
    let mut name = |path: String, name: &str, check: &mut Checker| {
        let server = ["broker-", "controller-", "rabbit-"].iter().any(|prefix| name.starts_with(prefix));
        if name.is_empty() || name.len() > bounds::NAME || server {
            check.refuse(
                &path,
                format!("`{name}` cannot be a client's name: expected 1 to 255 bytes, not a server's name"),
            );
        } else if !names.insert(name.to_owned()) {
            check.refuse(&path, format!("`{name}` is the name of another client already"));
        }
    };
    let mut messages = 0u64;
    let mut workload = Workload::default();
    for (index, producer) in part.producers.iter().enumerate() {
        let path = format!("workload.producers[{index}]");
        name(format!("{path}.name"), &producer.name, check);
        check.within(&format!("{path}.rate"), "messages a second", producer.rate.0 / 1_000, 0, bounds::RATE_PER_SECOND);
        check.within(&format!("{path}.size"), "bytes", producer.size.0, 1, bounds::MESSAGE);
        check.within(&format!("{path}.keys"), "keys", producer.keys.into(), 0, 1_000_000);
        let all = producer.rate.0.saturating_mul(seconds) / 1_000;
        messages = messages.saturating_add(producer.limit.map_or(all, |limit| all.min(limit.into())));
        workload.producers.push(ProducerSpec {
            name: producer.name.clone(),
            rate_milli: producer.rate.0,
            arrivals: match producer.arrivals {
                ArrivalsPart::Steady => Arrivals::Steady,
                ArrivalsPart::Poisson => Arrivals::Poisson,
            },
            keys: producer.keys,
            bytes: producer.size.0 as u32,
            limit: producer.limit,
            start: producer.start.time(),
        });
    }
    check.within("workload.producers", "messages in the whole run", messages, 0, bounds::MESSAGES);
    for (index, consumer) in part.consumers.iter().enumerate() {
        name(format!("workload.consumers[{index}].name"), &consumer.name, check);
        let (processing, start) = (consumer.processing.0, consumer.start.time());
        let (name, by_hand) = (consumer.name.clone(), consumer.by_hand);
        let own = document.log.as_ref().and_then(|log| log.clients.get(&name));
        if by_hand && own.is_some_and(|own| own.forward.is_some()) {
            let message = "commits with its transactions as it forwards: it cannot be led by hand";
            check.refuse(format!("workload.consumers[{index}].by_hand"), message);
        }
        workload.consumers.push(ConsumerSpec { name, processing, start, by_hand });
    }
    workload
}

fn link(path: &str, part: &LinkPart, check: &mut Checker) -> LinkProfile {
    let mut link = LinkProfile::default();
    check.within(&format!("{path}.loss_per_million"), "packets", part.loss_per_million.into(), 0, 500_000);
    link.loss_per_million = part.loss_per_million;
    if let Some(bandwidth) = part.bandwidth {
        check.within(&format!("{path}.bandwidth"), "bytes a second", bandwidth.0, 1_000, 1 << 40);
        link.bytes_per_second = bandwidth.0;
    }
    if let Some(latency) = part.latency {
        link.latency = match latency.0 {
            sim::workload::Duration::Constant(d) => Latency::Constant(d),
            sim::workload::Duration::Uniform(low, high) => Latency::Uniform(low, high),
            sim::workload::Duration::Exponential(mean) => Latency::Exponential { floor: Nanos::ZERO, mean },
        };
        let mean = latency.0.mean().0;
        check.within(&format!("{path}.latency"), "nanoseconds", mean, 1_000, 60_000_000_000);
    }
    link
}

fn machine(part: &MachinePart, check: &mut Checker) -> MachineProfile {
    let mut machine = MachineProfile::default();
    if let Some(cores) = part.cores {
        check.within("machine.cores", "cores", cores.into(), 1, 64);
        machine.cores = cores;
    }
    if let Some(disk) = part.disk {
        check.within("machine.disk", "bytes a second", disk.0, 1_000, 1 << 40);
        machine.disk_bytes_per_second = disk.0;
    }
    if let Some(flush) = part.flush {
        check.within("machine.flush", "nanoseconds", flush.0.0, 0, 60_000_000_000);
        machine.flush = flush.0;
    }
    machine
}
