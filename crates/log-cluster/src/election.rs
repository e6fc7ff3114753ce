//! How a partition changes: elections, in-sync sets and eligible leader replicas (K-E1 to K-E6).
//!
//! Pure functions from a partition's state to its next one. The active controller calls them, and the recordings of
//! Kafka's own class are held against the very same ones.

/// A partition as the metadata has it. Brokers are named by their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionState {
    /// All replicas, the preferred leader first.
    pub replicas: Vec<u16>,
    /// Those of them that a reassignment brings.
    pub adding: Vec<u16>,
    /// Those of them that go once a reassignment is complete.
    pub removing: Vec<u16>,
    /// Those in sync.
    pub isr: Vec<u16>,
    /// Eligible leader replicas: not in sync, and yet known to have all that is committed.
    pub elr: Vec<u16>,
    /// The leader that a partition without leader and without candidates had last.
    pub last_known_elr: Vec<u16>,
    /// Who leads.
    pub leader: Option<u16>,
    /// Whether its leader came by an unclean election and has not said that it recovered.
    pub recovering: bool,
    /// Counts every change of the leader (K-E6).
    pub leader_epoch: i32,
    /// Counts every change.
    pub partition_epoch: i32,
}

impl PartitionState {
    /// A new partition, led by the first of its in-sync replicas.
    #[must_use]
    pub fn new(replicas: Vec<u16>, isr: Vec<u16>) -> PartitionState {
        let leader = isr.first().copied();
        PartitionState {
            replicas,
            adding: Vec::new(),
            removing: Vec::new(),
            isr,
            elr: Vec::new(),
            last_known_elr: Vec::new(),
            leader,
            recovering: false,
            leader_epoch: 0,
            partition_epoch: 0,
        }
    }
}

/// Which kind of election is held (K-E2, K-E3).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Election {
    /// A leader that lost nothing, or none.
    Online,
    /// The first replica, if it would be a valid leader.
    Preferred,
    /// Any that is at work, if there is no valid one.
    Unclean,
}

/// What happened to a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A broker was fenced, or hands over its leaderships.
    Fenced(u16),
    /// A broker is at work again.
    Unfenced(u16),
    /// A broker came back without having stopped in good order.
    UncleanShutdown(u16),
    /// The leader proposes another in-sync set.
    AlterIsr(Vec<u16>),
    /// An election of this kind is asked for.
    Elect(Election),
    /// Other replicas are wanted, in this order.
    Reassign(Vec<u16>),
    /// A reassignment is given up: what it was to bring goes.
    CancelReassignment,
}

/// What a change is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules<'a> {
    /// Whether eligible leader replicas are kept (K-E8).
    pub elr_enabled: bool,
    /// Whether the topic allows unclean elections.
    pub unclean_enabled: bool,
    /// The topic's `min.insync.replicas`.
    pub min_isr: usize,
    /// K-E1: brokers that are registered, unfenced and not shutting down, after the change.
    pub active: &'a [u16],
}

/// The next state of a partition; `None` if nothing changes (K-E6: then there is no record of it).
#[must_use]
pub fn change(before: &PartitionState, what: &Change, rules: &Rules<'_>) -> Option<PartitionState> {
    let mut election = if rules.unclean_enabled { Election::Unclean } else { Election::Online };
    let mut target = Target::of(before);
    let mut recovering = before.recovering;
    match what {
        Change::Fenced(broker) => {
            target.isr.retain(|replica| replica != broker);
            target.out = Some(*broker);
        }
        Change::UncleanShutdown(broker) => {
            target.isr.retain(|replica| replica != broker);
            target.out = Some(*broker);
            target.unclean_out = Some(*broker);
        }
        Change::Unfenced(_) => {}
        Change::AlterIsr(isr) => {
            target.isr.clone_from(isr);
            // K-E4: the leader's own word ends the recovery.
            recovering = false;
        }
        Change::Elect(kind) => election = *kind,
        Change::Reassign(to) => target.reassign(to),
        Change::CancelReassignment => target.cancel_reassignment(),
    }
    target.complete_reassignment();
    let chooser = Chooser { before, rules, target: &target };
    let elr = chooser.next_elr();
    target.elr = elr;
    let chooser = Chooser { before, rules, target: &target };
    let (leader, unclean) = chooser.elect(election);
    let mut after = before.clone();
    after.recovering = recovering;
    after.elr.clone_from(&target.elr);
    // K-E6: the leader's field is written when the leader changes, and when replicas go.
    let dropped = before.replicas.iter().any(|replica| !target.replicas.contains(replica));
    if dropped || leader != before.leader {
        after.leader_epoch += 1;
    }
    after.replicas.clone_from(&target.replicas);
    after.adding.clone_from(&target.adding);
    after.removing.clone_from(&target.removing);
    if leader != before.leader {
        after.leader = leader;
        if let Some(elected) = leader {
            if unclean {
                target.isr = vec![elected];
                after.elr.clear();
                after.recovering = true;
            } else if target.isr.is_empty() {
                // K-E4: an eligible replica that leads is the in-sync set.
                target.isr = vec![elected];
                after.elr.retain(|replica| *replica != elected);
            }
        }
    }
    // K-E5: without eligible replicas an in-sync set never becomes empty.
    if !target.isr.is_empty() || rules.elr_enabled {
        after.isr = target.isr;
    }
    if rules.elr_enabled {
        note_last_leader(before, &mut after);
    } else {
        after.elr.clear();
    }
    if after == *before {
        return None;
    }
    after.partition_epoch += 1;
    Some(after)
}

/// K-E5: the last leader is written down when a partition becomes leaderless, and forgotten once it has one.
fn note_last_leader(before: &PartitionState, after: &mut PartitionState) {
    let emptied = after.isr.is_empty() && !before.isr.is_empty();
    match before.leader {
        Some(leader) if emptied => after.last_known_elr = vec![leader],
        _ if after.leader.is_some() => after.last_known_elr.clear(),
        _ => {}
    }
}

/// What the replicas, the in-sync set and the eligible replicas would become.
struct Target {
    replicas: Vec<u16>,
    adding: Vec<u16>,
    removing: Vec<u16>,
    isr: Vec<u16>,
    elr: Vec<u16>,
    out: Option<u16>,
    unclean_out: Option<u16>,
}

/// What is in `all` and not in `other`, in ascending order.
fn without(all: &[u16], other: &[u16]) -> Vec<u16> {
    let mut rest: Vec<u16> = all.iter().copied().filter(|replica| !other.contains(replica)).collect();
    rest.sort_unstable();
    rest
}

impl Target {
    fn of(state: &PartitionState) -> Target {
        Target {
            replicas: state.replicas.clone(),
            adding: state.adding.clone(),
            removing: state.removing.clone(),
            isr: state.isr.clone(),
            elr: state.elr.clone(),
            out: None,
            unclean_out: None,
        }
    }

    /// K-E10: the new replicas come first, those that are to go stay behind them until all new ones are in sync.
    fn reassign(&mut self, to: &[u16]) {
        self.removing = without(&self.replicas, to);
        self.adding = without(to, &self.replicas);
        self.replicas = to.iter().chain(&self.removing).copied().collect();
    }

    /// K-E10
    fn cancel_reassignment(&mut self) {
        let adding = std::mem::take(&mut self.adding);
        self.removing.clear();
        self.replicas.retain(|replica| !adding.contains(replica));
        self.isr.retain(|replica| !adding.contains(replica));
        if self.isr.is_empty() {
            self.isr.extend(self.replicas.first());
        }
    }

    /// K-E10: a reassignment is complete once all replicas that stay are in sync.
    fn complete_reassignment(&mut self) {
        if self.adding.is_empty() && self.removing.is_empty() {
            return;
        }
        let stays = |replica: &&u16| !self.removing.contains(replica);
        let replicas: Vec<u16> = self.replicas.iter().filter(stays).copied().collect();
        let isr: Vec<u16> = self.isr.iter().filter(stays).copied().collect();
        if !isr.is_empty() && replicas.iter().all(|replica| isr.contains(replica)) {
            (self.replicas, self.isr) = (replicas, isr);
            (self.adding, self.removing) = (Vec::new(), Vec::new());
        }
    }
}

struct Chooser<'a> {
    before: &'a PartitionState,
    rules: &'a Rules<'a>,
    target: &'a Target,
}

impl Chooser<'_> {
    /// K-E1.
    fn acceptable(&self, replica: u16) -> bool {
        self.target.out != Some(replica) && self.rules.active.contains(&replica)
    }

    /// K-E1.
    fn valid(&self, replica: u16) -> bool {
        let (isr, elr) = (&self.target.isr, &self.target.elr);
        let eligible = self.rules.elr_enabled && isr.is_empty() && elr.contains(&replica);
        (isr.contains(&replica) || eligible) && self.acceptable(replica)
    }

    /// K-E4: who is eligible after the change, before any election.
    fn next_elr(&self) -> Vec<u16> {
        let min_isr = self.rules.min_isr.min(self.target.replicas.len());
        if !self.rules.elr_enabled || self.target.isr.len() >= min_isr {
            return Vec::new();
        }
        let mut next: Vec<u16> = self.before.elr.iter().chain(&self.before.isr).copied().collect();
        let stays = |replica: &u16| self.target.replicas.contains(replica) && !self.target.isr.contains(replica);
        next.retain(|replica| stays(replica) && self.target.unclean_out != Some(*replica));
        next.sort_unstable();
        next.dedup();
        next
    }

    /// K-E2, K-E3: who leads after the change, and whether that is unclean.
    fn elect(&self, election: Election) -> (Option<u16>, bool) {
        let replicas = &self.target.replicas;
        let preferred = replicas.first().copied().filter(|_| election == Election::Preferred);
        if let Some(first) = preferred.filter(|replica| self.valid(*replica)) {
            return (Some(first), false);
        }
        if let Some(leader) = self.before.leader.filter(|leader| self.valid(*leader)) {
            return (Some(leader), false);
        }
        if let Some(first) = replicas.iter().copied().find(|replica| self.valid(*replica)) {
            return (Some(first), false);
        }
        let nobody = self.target.isr.is_empty() && self.target.elr.is_empty();
        if self.rules.elr_enabled
            && nobody
            && let [last] = self.before.last_known_elr[..]
            && self.acceptable(last)
        {
            return (Some(last), true);
        }
        let any = replicas.iter().copied().find(|replica| self.acceptable(*replica));
        match any.filter(|_| election == Election::Unclean) {
            Some(first) => (Some(first), true),
            None => (None, false),
        }
    }
}
