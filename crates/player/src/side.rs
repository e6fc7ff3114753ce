//! One cluster at play, with its ledger, its marks and its series.

use crate::gauge::{self, Gauge, Latencies};
use crate::trace::LifeStep;
use log_cluster::AdminOrder;
use log_cluster::LogCluster;
use log_cluster::election::Election;
use queue_cluster::{QueueCluster, ServerOrder};
use referee::{Ledger, Verdict};
use scenario::{Deed, Part};
use sim::story::{Life, Mark, MarkKind, MessageId, Note, Objection, Rule};
use sim::workload::Role;
use sim::workload::{ClientOrder, NodeInfo};
use sim::{Crash, Flight, Health, Nanos, NodeId, Pages, Slowness, Time, Wreck};

/// What a player needs of a cluster.
pub trait Cluster: Clone {
    /// When its next event is due.
    fn next_time(&self) -> Option<Time>;
    /// Plays its next event if that is due by `limit`.
    fn step(&mut self, limit: Time) -> Option<Time>;
    /// Moves its clock to a time before its next event.
    fn arrive(&mut self, at: Time);
    /// Hands over what its processes told.
    fn take_notes(&mut self, hear: &mut dyn FnMut(Time, NodeId, Note));
    /// Its nodes.
    fn nodes(&self) -> &[NodeInfo];
    /// How a node has been, each from when on; before the first it was not there yet.
    fn course(&self, node: NodeId) -> &[(Time, Health)];
    /// Visits every message that a reader can still get.
    fn held(&self, visit: &mut dyn FnMut(u8, MessageId));
    /// From now on keeps account of what is sent.
    fn keep_journal(&mut self);
    /// What was sent since the last call, each with the messages that it carries.
    fn take_journal(&mut self) -> Vec<(Flight, Vec<MessageId>)>;
    /// What is in the air.
    fn flights(&self) -> Vec<Flight>;
    /// What was lost lately.
    fn wrecks(&self) -> Vec<Wreck>;
    /// How it stands at this moment, in numbers.
    fn gauge(&self) -> Gauge;
    /// The digest of its events.
    fn digest(&self) -> u64;
    /// How many events it played.
    fn events(&self) -> u64;
    /// Does what is ordered.
    fn act(&mut self, deed: &Deed);
    /// Why an order makes no sense at this moment, in a sentence that says what to do.
    fn objection(&self, deed: &Deed) -> Option<Objection>;
}

macro_rules! cluster {
    ($name:ty, $held_gauge:path, $order_server:expr) => {
        impl Cluster for $name {
            fn next_time(&self) -> Option<Time> {
                self.world().next_time()
            }

            #[inline]
            fn step(&mut self, limit: Time) -> Option<Time> {
                self.world_mut().step(limit)
            }

            fn arrive(&mut self, at: Time) {
                self.world_mut().arrive(at);
            }

            #[inline]
            fn take_notes(&mut self, hear: &mut dyn FnMut(Time, NodeId, Note)) {
                for (at, node, note) in self.world_mut().take_notes() {
                    hear(at, node, note);
                }
            }

            fn nodes(&self) -> &[NodeInfo] {
                <$name>::nodes(self)
            }

            fn course(&self, node: NodeId) -> &[(Time, Health)] {
                self.world().course(node)
            }

            fn held(&self, visit: &mut dyn FnMut(u8, MessageId)) {
                <$name>::held(self, visit);
            }

            fn keep_journal(&mut self) {
                self.world_mut().keep_journal();
            }

            fn take_journal(&mut self) -> Vec<(Flight, Vec<MessageId>)> {
                let sent = self.world_mut().take_journal();
                sent.into_iter().map(|sent| (sent.flight, <$name>::carried(&sent.message))).collect()
            }

            fn flights(&self) -> Vec<Flight> {
                self.world().flights().collect()
            }

            fn wrecks(&self) -> Vec<Wreck> {
                self.world().wrecks().collect()
            }

            fn gauge(&self) -> Gauge {
                let mut gauge = $held_gauge(&self.view());
                for node in self.nodes().iter().filter(|node| matches!(node.role, Role::Server)) {
                    let machine = self.world().machine(node.id);
                    gauge.servers += 1;
                    gauge.cores += u32::from(machine.profile().cores);
                    gauge.cpu_busy += machine.cpu_busy().0;
                    gauge.disk_busy += machine.disk_busy().0;
                }
                gauge
            }

            fn digest(&self) -> u64 {
                self.world().digest()
            }

            fn events(&self) -> u64 {
                self.world().events()
            }

            fn objection(&self, deed: &Deed) -> Option<Objection> {
                match deed {
                    Deed::Client(order) => <$name>::objection(self, order),
                    _ => None,
                }
            }

            fn act(&mut self, deed: &Deed) {
                if let Deed::QueueServer(name, _) | Deed::LogServer(name, _) = deed {
                    let order_server: fn(&mut $name, NodeId, &Deed) = $order_server;
                    if let Some(node) = self.nodes().iter().find(|node| node.name == *name).map(|node| node.id) {
                        order_server(self, node, deed);
                    }
                    return;
                }
                if let Deed::Client(order) = deed {
                    // The document's check has found the client; an order to a dead one does nothing.
                    let _ = self.order(order);
                    return;
                }
                let nodes = <$name>::nodes(self);
                let find = |name: &String| nodes.iter().find(|node| node.name == *name).map(|node| node.id);
                let targets = Targets::of(deed, nodes, find);
                targets.act(deed, self.world_mut());
            }
        }
    };
}

// The document's check has found the server; an order to a dead one does nothing.
cluster!(LogCluster, gauge::of_log, |cluster, node, deed| {
    if let Deed::LogServer(_, order) = deed {
        let _ = cluster.administer(node, order.clone());
    }
});
cluster!(QueueCluster, gauge::of_queue, |cluster, node, deed| {
    if let Deed::QueueServer(_, order) = deed {
        let _ = cluster.order_server(node, order.clone());
    }
});

/// The nodes that an order is about.
struct Targets {
    node: Option<NodeId>,
    links: Vec<(NodeId, NodeId)>,
}

impl Targets {
    fn of(deed: &Deed, nodes: &[NodeInfo], find: impl Fn(&String) -> Option<NodeId>) -> Targets {
        let mut targets = Targets { node: None, links: Vec::new() };
        match deed {
            Deed::Kill(name)
            | Deed::PowerOff(name)
            | Deed::Pause(name)
            | Deed::Resume(name)
            | Deed::Stop(name)
            | Deed::Start(name)
            | Deed::Join { name, .. }
            | Deed::Slow(name, ..) => targets.node = find(name),
            Deed::Links { from, to, one_way, .. } | Deed::Worsen { from, to, one_way, .. } => {
                targets.add_links(from, to, *one_way, nodes, &find)
            }
            Deed::HealAll | Deed::Client(_) | Deed::QueueServer(..) | Deed::LogServer(..) => {}
        }
        targets
    }

    fn add_links(
        &mut self,
        from: &[String],
        to: &[String],
        one_way: bool,
        nodes: &[NodeInfo],
        find: impl Fn(&String) -> Option<NodeId>,
    ) {
        let from: Vec<NodeId> = from.iter().filter_map(&find).collect();
        let rest = || nodes.iter().map(|node| node.id).filter(|id| !from.contains(id)).collect();
        let to: Vec<NodeId> = if to.is_empty() { rest() } else { to.iter().filter_map(&find).collect() };
        for a in &from {
            for b in to.iter().filter(|b| *b != a) {
                self.links.push((*a, *b));
                if !one_way {
                    self.links.push((*b, *a));
                }
            }
        }
    }

    fn act<P: sim::Process>(&self, deed: &Deed, world: &mut sim::World<P>) {
        match (deed, self.node) {
            (Deed::Kill(_), Some(node)) => world.crash(node, Crash::Kill),
            (Deed::PowerOff(_), Some(node)) => world.crash(node, Crash::PowerLoss),
            (Deed::Pause(_), Some(node)) => world.pause(node),
            (Deed::Resume(_), Some(node)) => world.resume(node),
            (Deed::Stop(_), Some(node)) => world.stop(node),
            (Deed::Start(_) | Deed::Join { .. }, Some(node)) => world.start(node),
            (Deed::Slow(_, part, percent), Some(node)) => {
                let slowness = world.machine(node).slowness;
                world.slow(node, slowed(slowness, *part, *percent));
            }
            (Deed::Links { cut, .. }, _) => {
                for (from, to) in &self.links {
                    if *cut {
                        world.cut(*from, *to);
                        continue;
                    }
                    world.heal(*from, *to);
                    if world.worse().any(|(link, _)| link == (*from, *to)) {
                        world.worsen(*from, *to, Nanos::ZERO, 0);
                    }
                }
            }
            (Deed::Worsen { delay, loss_per_million, .. }, _) => {
                for (from, to) in &self.links {
                    world.worsen(*from, *to, *delay, *loss_per_million);
                }
            }
            (Deed::HealAll, _) => {
                for ((from, to), _) in world.worse().collect::<Vec<_>>() {
                    world.worsen(from, to, Nanos::ZERO, 0);
                }
                for (from, to) in world.cuts().collect::<Vec<_>>() {
                    world.heal(from, to);
                }
            }
            _ => {}
        }
    }
}

fn slowed(slowness: Slowness, part: Part, percent: u32) -> Slowness {
    match part {
        Part::Disk => Slowness { disk: percent, ..slowness },
        Part::Network => Slowness { network: percent, ..slowness },
        Part::Cpu => Slowness { cpu: percent, ..slowness },
    }
}

/// How long one bucket of a series is.
pub const BUCKET: Nanos = Nanos::millis(250);

/// What happened within one bucket of time.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Messages produced.
    pub produced: u32,
    /// Messages acknowledged to their producers.
    pub acknowledged: u32,
    /// Messages processed for the first time.
    pub processed: u32,
    /// The sum of their latencies.
    pub latency_sum: u64,
    /// The greatest of them.
    pub latency_max: u64,
    /// Messages on their way when the last of these was told: produced, not processed, not set aside.
    pub backlog: u64,
}

/// A cluster with all that is kept of its run.
#[derive(Clone, Debug)]
pub struct Side<C> {
    /// The cluster.
    pub cluster: C,
    /// What became of its messages.
    pub ledger: Ledger,
    /// Its marks, in the order of their times.
    pub marks: Pages<Mark>,
    /// Its series, a bucket for each [`BUCKET`] of time.
    pub series: Pages<Bucket>,
    /// The latencies of each bucket.
    pub latencies: Pages<Latencies>,
    /// How the cluster stood at the end of each bucket.
    pub gauges: Pages<Gauge>,
    /// Each step in a message's life, while somebody keeps account of them.
    pub(crate) steps: Option<Vec<LifeStep>>,
}

impl<C: Cluster> Side<C> {
    pub(crate) fn new(cluster: C) -> Side<C> {
        let mut side = Side {
            cluster,
            ledger: Ledger::new(),
            marks: Pages::default(),
            series: Pages::default(),
            latencies: Pages::default(),
            gauges: Pages::default(),
            steps: None,
        };
        side.listen();
        side
    }

    /// Takes down what the processes told.
    fn listen(&mut self) {
        let Side { cluster, ledger, marks, series, latencies, steps, .. } = self;
        cluster.take_notes(&mut |at, node, note| match note {
            Note::Mark(mark) => marks.push(*mark),
            Note::Life(id, life, rule) => {
                if let Some(steps) = steps {
                    steps.push(LifeStep { at, node, id, life, rule });
                }
                let place = (at.0 / BUCKET.0) as usize;
                while series.len() <= place {
                    series.push(Bucket::default());
                    latencies.push(Latencies::default());
                }
                let before = ledger.counts().acknowledged;
                let latency = ledger.hear(at, id, life);
                let Some(bucket) = series.get_mut(place) else { return };
                bucket.produced += u32::from(matches!(life, Life::Produced { .. }));
                bucket.acknowledged += (ledger.counts().acknowledged - before) as u32;
                if let Some(latency) = latency {
                    bucket.processed += 1;
                    bucket.latency_sum += latency.0;
                    bucket.latency_max = bucket.latency_max.max(latency.0);
                    latencies.get_mut(place).into_iter().for_each(|latencies| latencies.add(latency));
                }
                bucket.backlog = ledger.counts().on_their_way();
            }
        });
    }

    /// Plays everything up to and including `limit`; answers how many events that was.
    pub(crate) fn play(&mut self, limit: Time) -> u64 {
        let mut played = 0;
        loop {
            self.sample(limit);
            if self.cluster.step(limit).is_none() {
                return played;
            }
            played += 1;
            self.listen();
        }
    }

    /// Plays the next event, due by `limit`.
    pub(crate) fn play_one(&mut self, limit: Time) {
        self.sample(limit);
        self.cluster.step(limit);
        self.listen();
    }

    /// Takes down how the cluster stood at the end of each bucket that is over before the next event: at events and
    /// not between slices, so that how a run is driven changes nothing.
    fn sample(&mut self, limit: Time) {
        // Most slices end before the bucket does: they need not ask for the next event.
        if (limit.0 / BUCKET.0) as usize <= self.gauges.len() {
            return;
        }
        let Some(next) = self.cluster.next_time().filter(|next| *next <= limit) else { return };
        if (next.0 / BUCKET.0) as usize <= self.gauges.len() {
            return;
        }
        let gauge = self.cluster.gauge();
        while self.gauges.len() < (next.0 / BUCKET.0) as usize {
            self.gauges.push(gauge);
        }
    }

    pub(crate) fn act(&mut self, at: Time, deed: &Deed) {
        if let Deed::Client(order @ ClientOrder::Hand { .. }) = deed
            && let Some(why) = self.cluster.objection(deed)
        {
            let node = self.cluster.nodes().iter().find(|node| node.role == order.role());
            let node = node.map_or(NodeId::default(), |node| node.id);
            let (code, mut values) = ("hand-refused", vec![why.says.to_owned()]);
            values.extend(why.values);
            return self.marks.push(Mark { at, kind: MarkKind::Refusal, node, code, values, rule: Rule("X-3") });
        }
        self.mark_fault(at, deed);
        self.cluster.act(deed);
        self.listen();
    }

    fn mark_fault(&mut self, at: Time, deed: &Deed) {
        let (code, subject, values): (_, Option<&String>, Vec<String>) = match deed {
            Deed::Kill(node) => ("killed", Some(node), vec![node.clone()]),
            Deed::PowerOff(node) => ("powered-off", Some(node), vec![node.clone()]),
            Deed::Pause(node) => ("paused", Some(node), vec![node.clone()]),
            Deed::Resume(node) => ("resumed", Some(node), vec![node.clone()]),
            Deed::Stop(node) => ("stopped", Some(node), vec![node.clone()]),
            Deed::Start(node) => ("started", Some(node), vec![node.clone()]),
            Deed::Links { cut, from, to, .. } => {
                let to = if to.is_empty() { "all others".to_owned() } else { to.join(", ") };
                (if *cut { "cut" } else { "healed" }, from.first(), vec![from.join(", "), to])
            }
            Deed::Worsen { from, to, delay, loss_per_million, .. } => {
                let to = if to.is_empty() { "all others".to_owned() } else { to.join(", ") };
                let values = vec![from.join(", "), to, delay.to_string(), (loss_per_million / 10_000).to_string()];
                ("link-worse", from.first(), values)
            }
            Deed::Join { name, like } => ("client-added", Some(name), vec![name.clone(), like.clone()]),
            Deed::HealAll => ("healed-all", None, Vec::new()),
            Deed::Slow(node, part, percent) => {
                let part = match part {
                    Part::Disk => "disk",
                    Part::Network => "network",
                    Part::Cpu => "processor",
                };
                ("slowed", Some(node), vec![node.clone(), part.to_owned(), percent.to_string()])
            }
            Deed::Client(order) => return self.mark_client(at, order),
            Deed::QueueServer(node, order) => {
                let (code, value) = match order {
                    ServerOrder::FillDisk { free: u64::MAX } => ("disk-freed", String::new()),
                    ServerOrder::FillDisk { free } => ("disk-filled", scenario::units::Size(*free).to_string()),
                    ServerOrder::SetMemoryWatermark { percent } => ("watermark-set", percent.to_string()),
                    ServerOrder::AddMember { queue } => ("member-added", queue.clone()),
                    ServerOrder::DeleteMember { queue } => ("member-deleted", queue.clone()),
                    ServerOrder::SetPolicy(policy) => ("policy-set", policy.name.clone()),
                    ServerOrder::ClearPolicy(name) => ("policy-cleared", name.clone()),
                };
                (code, Some(node), vec![node.clone(), value])
            }
            Deed::LogServer(node, order) => {
                let (code, values) = match order {
                    AdminOrder::Reassign { topic, partition, replicas } if replicas.is_empty() => {
                        ("reassignment-cancelled", vec![format!("{topic}-{partition}")])
                    }
                    AdminOrder::Reassign { topic, partition, replicas } => {
                        let numbers: Vec<String> = replicas.iter().map(u16::to_string).collect();
                        ("reassigned", vec![format!("{topic}-{partition}"), numbers.join(", ")])
                    }
                    AdminOrder::CreatePartitions { topic, count } => {
                        ("partitions-added", vec![topic.clone(), count.to_string()])
                    }
                    AdminOrder::SetConfig { topic, broker, setting, value } => {
                        let one = broker.map(|number| format!("broker-{number}"));
                        let whose = topic.as_ref().or(one.as_ref()).map_or("all brokers", |name| name);
                        ("topic-config-set", vec![whose.to_owned(), format!("{setting}={value}")])
                    }
                    AdminOrder::ElectLeaders { topic, kind } => {
                        let code = if *kind == Election::Unclean { "elect-unclean" } else { "elect-preferred" };
                        (code, vec![topic.clone().unwrap_or_else(|| "all topics".to_owned())])
                    }
                };
                (code, Some(node), [vec![node.clone()], values].concat())
            }
        };
        let node = self.cluster.nodes().iter().find(|node| Some(&node.name) == subject);
        let node = node.map_or(NodeId::default(), |node| node.id);
        let (kind, rule) = match deed {
            Deed::Join { .. } => (MarkKind::Change, Rule("X-3")),
            _ => (MarkKind::Fault, Rule("X-1")),
        };
        self.marks.push(Mark { at, kind, node, code, values, rule });
    }

    fn mark_client(&mut self, at: Time, order: &ClientOrder) {
        let (code, role, value) = match order {
            ClientOrder::SetRate { producer, rate_milli } => {
                ("rate-set", Role::Producer(*producer), scenario::units::Rate(*rate_milli).to_string())
            }
            ClientOrder::SetProcessing { consumer, processing } => {
                ("processing-set", Role::Consumer(*consumer), scenario::units::Spread(*processing).to_string())
            }
            ClientOrder::SetPrefetch { consumer, count } => {
                ("prefetch-set", Role::Consumer(*consumer), count.to_string())
            }
            ClientOrder::FailOn { consumer, key: Some(key) } => {
                ("fails-on", Role::Consumer(*consumer), key.to_string())
            }
            ClientOrder::FailOn { consumer, key: None } => ("fails-on-none", Role::Consumer(*consumer), String::new()),
            ClientOrder::PublishOne { producer, .. } => ("published-one", Role::Producer(*producer), String::new()),
            ClientOrder::EndTransaction { producer, commit } => {
                let code = if *commit { "commit-ordered" } else { "abort-ordered" };
                (code, Role::Producer(*producer), String::new())
            }
            // What is done by hand the consumer tells itself.
            ClientOrder::Hand { .. } => return,
        };
        let Some(node) = self.cluster.nodes().iter().find(|node| node.role == role) else { return };
        let values = vec![node.name.clone(), value];
        let mark = Mark { at, kind: MarkKind::Change, node: node.id, code, values, rule: Rule("X-3") };
        self.marks.push(mark);
    }

    /// What became of the messages so far.
    #[must_use]
    pub fn verdict(&mut self) -> Verdict {
        let Side { cluster, ledger, .. } = self;
        ledger.verdict(&mut |visit| cluster.held(visit))
    }
}
