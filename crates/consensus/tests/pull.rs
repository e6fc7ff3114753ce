//! Groups that replicate by pull, with messages lost and late and members that crash: at most one leader a term, what is
//! committed stays, and all agree on it.

use consensus::{Index, Input, Message, Options, Output, Peer, Raft, Role, Term};
use std::collections::BTreeMap;

type Member = Raft<u64, Vec<u64>>;

/// A small generator of its own, so that the crate needs none.
struct Lots(u64);

impl Lots {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

struct Group {
    members: Vec<Member>,
    mail: Vec<(Peer, Peer, Message<u64, Vec<u64>>)>,
    parked: Vec<(Peer, Peer, u64)>,
    leaders: BTreeMap<u64, Peer>,
    committed: BTreeMap<u64, (u64, Option<u64>)>,
}

impl Group {
    fn new() -> Group {
        let voters: Vec<Peer> = (0..3).collect();
        let options = Options { pull: true, ..Options::default() };
        let members = voters.iter().map(|me| Raft::new(*me, voters.clone(), options)).collect();
        Group { members, mail: Vec::new(), parked: Vec::new(), leaders: BTreeMap::new(), committed: BTreeMap::new() }
    }

    fn give(&mut self, seed: u64, to: Peer, input: Input<u64, Vec<u64>>) {
        let member = &mut self.members[usize::from(to)];
        let mut out = Output::default();
        member.handle(input, &mut out);
        while let Some((Index(index), entry)) = member.next_committed() {
            let came = (entry.term.0, entry.command);
            let known = *self.committed.entry(index).or_insert(came);
            assert_eq!(known, came, "seed {seed}: state machine safety: entry {index} at {to}");
        }
        if member.role() == Role::Leader {
            let known = *self.leaders.entry(member.term().0).or_insert(to);
            assert_eq!(known, to, "seed {seed}: election safety");
        }
        self.mail.extend(out.send.into_iter().map(|(peer, message)| (to, peer, message)));
        self.parked.extend(out.park.into_iter().map(|(peer, ticket)| (to, peer, ticket)));
    }

    /// One thing happens, drawn by lot; with `calm` nothing breaks.
    fn step(&mut self, seed: u64, lots: &mut Lots, calm: bool) {
        let who = lots.below(3) as Peer;
        match lots.below(100) {
            0..60 if !self.mail.is_empty() => {
                let place = if calm { 0 } else { lots.below(self.mail.len().min(6) as u64) as usize };
                let (from, to, message) = self.mail.remove(place);
                if calm || lots.below(20) > 0 {
                    self.give(seed, to, Input::Received(from, message));
                }
            }
            0..75 => {
                let written = self.members[usize::from(who)].written();
                self.give(seed, who, Input::Flushed(written));
            }
            75..82 => {
                let leader = (0..3).find(|peer| self.members[usize::from(*peer)].role() == Role::Leader);
                if let Some(leader) = leader {
                    self.give(seed, leader, Input::Propose(lots.below(1_000_000)));
                }
            }
            82..88 => self.give(seed, who, Input::Heartbeat),
            88..92 if !self.parked.is_empty() => {
                let (leader, peer, ticket) = self.parked.remove(0);
                self.give(seed, leader, Input::FetchExpired(peer, ticket));
            }
            92..94 if !calm => self.give(seed, who, Input::ElectionTimeout),
            94 if !calm => self.give(seed, who, Input::CheckQuorum),
            95 if !calm => {
                let power = lots.below(2) == 0;
                self.members[usize::from(who)].crash(power);
                self.mail.retain(|(from, to, _)| *from != who && *to != who);
            }
            _ => {}
        }
    }
}

#[test]
fn by_pull_nothing_that_was_agreed_on_is_lost() {
    let (mut agreed, mut terms) = (0, 0);
    for seed in 1u64..=400 {
        let (mut group, mut lots) = (Group::new(), Lots(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        group.give(seed, 0, Input::ElectionTimeout);
        for _ in 0..3_000 {
            group.step(seed, &mut lots, false);
        }
        // Once nothing breaks any more, somebody leads and all come to agree.
        let leads = |group: &Group| group.members.iter().any(|member| member.role() == Role::Leader);
        for round in 0..60 {
            if !leads(&group) {
                group.give(seed, round % 3, Input::ElectionTimeout);
            }
            for _ in 0..200 {
                group.step(seed, &mut lots, true);
            }
        }
        let newest = group.members.iter().map(|member| member.term().0).max().unwrap();
        let leader = group.members.iter().find(|member| member.role() == Role::Leader && member.term().0 == newest);
        assert!(leader.is_some(), "seed {seed}: nobody leads");
        let commits: Vec<u64> = group.members.iter().map(|member| member.commit().0).collect();
        let (least, most) = (commits.iter().min().unwrap(), commits.iter().max().unwrap());
        assert!(most - least < 60, "seed {seed}: {commits:?}");
        agreed += most;
        terms += newest;
    }
    assert!(agreed > 20_000 && terms > 4_000, "too little happened: {agreed} entries, {terms} terms");
}

#[test]
fn k_q2_a_candidate_that_lost_waits_for_the_rest_of_its_timeout() {
    let options = Options { pull: true, ..Options::default() };
    let mut member: Member = Raft::new(0, (0..3).collect(), options);
    let mut give = |input| {
        let mut out = Output::default();
        member.handle(input, &mut out);
        (member.role(), out.restart_timer)
    };
    let refused = |from| Input::Received(from, Message::VoteReply { term: Term(1), granted: false });
    assert_eq!(give(Input::ElectionTimeout), (Role::PreCandidate, true));
    let promised = Message::PreVoteReply { term: Term(1), granted: true };
    assert_eq!(give(Input::Received(1, promised)), (Role::Candidate, true));
    // Two refusals of three are the end of it, but the timer runs on (4.1 and later).
    assert_eq!([give(refused(1)), give(refused(2))], [(Role::Candidate, false); 2]);
    assert_eq!(give(Input::ElectionTimeout), (Role::PreCandidate, true), "and asks for promises first");
}
