//! Stories of Raft groups, told as transcripts: commands, and after each what every member then shows.
//! `BLESS=1 cargo test -p consensus` rewrites what is expected; read the difference.

use consensus::{Input, Message, Options, Output, Peer, Raft, Role};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

type Member = Raft<String, Vec<String>>;

/// A group on a perfect network that can be cut; disks flush when told to, or at once.
struct Group {
    members: BTreeMap<Peer, Member>,
    applied: BTreeMap<Peer, Vec<String>>,
    mail: VecDeque<(Peer, Peer, Message<String, Vec<String>>)>,
    down: BTreeSet<Peer>,
    cut: BTreeSet<Peer>,
    lazy: BTreeSet<Peer>,
}

impl Group {
    fn new(size: u16, pull: bool) -> Group {
        let voters: Vec<Peer> = (1..=size).collect();
        let options = Options { pull, ..Options::default() };
        let member = |me: &Peer| (*me, Raft::new(*me, voters.clone(), options));
        Group {
            members: voters.iter().map(member).collect(),
            applied: voters.iter().map(|me| (*me, Vec::new())).collect(),
            mail: VecDeque::new(),
            down: BTreeSet::new(),
            cut: BTreeSet::new(),
            lazy: BTreeSet::new(),
        }
    }

    fn give(&mut self, to: Peer, input: Input<String, Vec<String>>) {
        if self.down.contains(&to) {
            return;
        }
        let mut input = Some(input);
        while let Some(next) = input.take() {
            let member = self.members.get_mut(&to).unwrap();
            let mut out = Output::default();
            member.handle(next, &mut out);
            if let Some(state) = out.restored.take() {
                self.applied.insert(to, state);
            }
            while let Some((_, entry)) = member.next_committed() {
                self.applied.get_mut(&to).unwrap().extend(entry.command);
            }
            self.mail.extend(out.send.into_iter().map(|(peer, message)| (to, peer, message)));
            if out.flush && !self.lazy.contains(&to) {
                input = Some(Input::Flushed(member.written()));
            }
        }
    }

    fn settle(&mut self) {
        while let Some((from, to, message)) = self.mail.pop_front() {
            if !self.cut.contains(&from) && !self.cut.contains(&to) && !self.down.contains(&from) {
                self.give(to, Input::Received(from, message));
            }
        }
    }

    fn run(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let who = words.get(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        match words[0] {
            "timeout" => self.give(who, Input::ElectionTimeout),
            "members" => {
                let members = words[2..].iter().filter_map(|word| word.parse().ok()).collect();
                self.give(who, Input::ChangeMembers(members));
            }
            "join" => {
                self.members.insert(who, Raft::new(who, Vec::new(), Options::default()));
                self.applied.insert(who, Vec::new());
            }
            "propose" => self.give(who, Input::Propose(words[2].to_owned())),
            "heartbeat" => self.give(who, Input::Heartbeat),
            "check-quorum" => self.give(who, Input::CheckQuorum),
            "lazy-disk" => drop(self.lazy.insert(who)),
            "flush" => {
                self.lazy.remove(&who);
                let written = self.members[&who].written();
                self.give(who, Input::Flushed(written));
            }
            "cut" => drop(self.cut.insert(who)),
            "heal" => {
                self.cut.remove(&who);
                for peer in self.members.keys().copied().filter(|peer| *peer != who).collect::<Vec<_>>() {
                    self.give(who, Input::Reconnected(peer));
                    self.give(peer, Input::Reconnected(who));
                }
            }
            "kill" | "power-off" => {
                self.down.insert(who);
                let member = self.members.get_mut(&who).unwrap();
                member.crash(words[0] == "power-off");
                self.applied.insert(who, member.snapshot().cloned().unwrap_or_default());
            }
            "start" => {
                self.down.remove(&who);
                for peer in self.members.keys().copied().filter(|peer| *peer != who).collect::<Vec<_>>() {
                    self.give(peer, Input::Reconnected(who));
                }
            }
            "compact" => {
                let state = self.applied[&who].clone();
                let member = self.members.get_mut(&who).unwrap();
                member.compact(member.commit(), state);
            }
            "settle" => self.settle(),
            other => panic!("no such command: {other}"),
        }
        if !line.contains("...") {
            self.settle();
        }
        self.show()
    }

    fn show(&self) -> String {
        let mut text = String::new();
        for (me, member) in &self.members {
            let role = match member.role() {
                _ if self.down.contains(me) => "down",
                Role::Follower => "follower",
                Role::PreCandidate => "asks",
                Role::Candidate => "candidate",
                Role::Leader => "leader",
            };
            let (term, last, commit) = (member.term().0, member.last_index().0, member.commit().0);
            let applied = self.applied[me].join(" ");
            writeln!(text, "  {me} {role} term {term} log {last} commit {commit} [{applied}]").unwrap();
        }
        text
    }
}

fn play(text: &str) -> String {
    let mut group = Group::new(3, false);
    let mut played = String::new();
    for line in text.lines().filter(|line| !line.starts_with("  ")) {
        writeln!(played, "{line}").unwrap();
        if let Some(size) = line.strip_prefix("group by pull ") {
            group = Group::new(size.parse().unwrap(), true);
        } else if let Some(size) = line.strip_prefix("group ") {
            group = Group::new(size.parse().unwrap(), false);
        } else if !line.is_empty() && !line.starts_with('#') {
            played.push_str(&group.run(line));
        }
    }
    played
}

#[test]
fn the_transcripts_play_as_written() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts");
    let mut played = 0;
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for path in files {
        let expected = std::fs::read_to_string(&path).unwrap();
        let came = play(&expected);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &came).unwrap();
        } else {
            assert_eq!(came, expected, "{}", path.display());
        }
        played += 1;
    }
    assert!(played >= 6, "the transcripts are gone");
}
