//! Stories of the kernel: what two processes see of each other's death, silence and sleep.

use sim::story::{FlightKind, Look};
use sim::{
    Crash, Effects, Event, Fingerprint, Hangup, Health, LinkProfile, MachineProfile, Nanos, NodeId, Process, Slowness,
    Time, World,
};

/// Says what it sees, with the milliseconds, and greets its peers every 10 ms while connected.
#[derive(Clone, Debug, Default)]
struct Chatter {
    peer: Option<NodeId>,
    greets: bool,
    /// Says hello as soon as a connection is open.
    hails: bool,
    said: u32,
    diary: Vec<String>,
    durable: u32,
    written: u32,
}

#[derive(Clone, Debug)]
struct Hello(u32);

#[derive(Clone, Debug)]
enum Wake {
    Greet,
    Flushed(u32),
}

#[derive(Clone, Debug)]
struct Write;

impl Fingerprint for Hello {
    fn fingerprint(&self) -> u64 {
        u64::from(self.0)
    }
}

impl Fingerprint for Wake {
    fn fingerprint(&self) -> u64 {
        match self {
            Wake::Greet => 1,
            Wake::Flushed(n) => 2 | u64::from(*n) << 8,
        }
    }
}

impl Fingerprint for Write {
    fn fingerprint(&self) -> u64 {
        1
    }
}

impl Process for Chatter {
    type Message = Hello;
    type Wake = Wake;
    type Order = Write;

    fn on_event(&mut self, event: Event<Self>, fx: &mut Effects<'_, Self>) {
        let ms = fx.now().0 / 1_000_000;
        match event {
            Event::Started => {
                self.diary.push(format!("{ms}: started with {}", self.durable));
                self.peer.into_iter().for_each(|peer| fx.connect(peer));
            }
            Event::Connected(peer) => {
                self.diary.push(format!("{ms}: connected to {}", peer.0));
                if self.hails {
                    fx.send(peer, Hello(99), 100, Look::plain(FlightKind::Control));
                }
                if self.greets {
                    fx.wake_in(Nanos::millis(10), Wake::Greet);
                }
            }
            Event::Disconnected(peer, why) => self.diary.push(format!("{ms}: lost {}: {why:?}", peer.0)),
            Event::Received(_, hello) => self.diary.push(format!("{ms}: hello {}", hello.0)),
            Event::Woke(Wake::Greet) => {
                let Some(peer) = self.peer else { return };
                self.said += 1;
                if fx.send(peer, Hello(self.said), 100, Look::plain(FlightKind::Heartbeat)) {
                    fx.wake_in(Nanos::millis(10), Wake::Greet);
                }
            }
            Event::Woke(Wake::Flushed(n)) => self.durable = n,
            Event::Ordered(Write) => {
                self.written += 1;
                fx.write(4_096);
                fx.flush(4_096, Wake::Flushed(self.written));
            }
            Event::StopRequested => fx.exit(),
        }
    }

    fn on_crash(&mut self, crash: Crash) {
        if crash == Crash::Kill {
            self.durable = self.written;
        }
        self.written = self.durable;
    }
}

const A: NodeId = NodeId(0);
const B: NodeId = NodeId(1);

fn two() -> World<Chatter> {
    let a = Chatter { peer: Some(B), greets: true, ..Chatter::default() };
    let machine = MachineProfile::default();
    let mut world = World::new(1, vec![(a, machine.clone()), (Chatter::default(), machine)], LinkProfile::default());
    world.start(B);
    world.start(A);
    world
}

fn at(ms: u64) -> Time {
    Time::ZERO + Nanos::millis(ms)
}

fn diary(world: &World<Chatter>, node: NodeId) -> Vec<&str> {
    world.process(node).diary.iter().map(String::as_str).collect()
}

#[test]
fn x_1_a_killed_process_resets_its_connections_at_once() {
    let mut world = two();
    world.run_until(at(25));
    world.crash(B, Crash::Kill);
    world.run_until(at(100));
    assert_eq!(diary(&world, A), ["0: started with 0", "1: connected to 1", "25: lost 1: Reset"]);
    assert_eq!(diary(&world, B), ["0: started with 0", "0: connected to 0", "11: hello 1", "21: hello 2"]);
    assert_eq!(world.health(B), Health::Killed);
}

#[test]
fn x_1_a_machine_without_power_is_silent_and_resets_what_it_does_not_know_when_it_is_back() {
    let mut world = two();
    world.run_until(at(25));
    world.crash(B, Crash::PowerLoss);
    world.run_until(at(5_000));
    assert_eq!(diary(&world, A).len(), 2, "nothing tells A: {:?}", diary(&world, A));
    world.start(B);
    world.run_until(at(20_000));
    // The first greeting into the silence was at 31 ms; it is tried again after 0.2, 0.6, 1.4, 3, 6.2 s …
    assert_eq!(diary(&world, A)[2..], ["6232: lost 1: Reset"]);
}

#[test]
fn x_1_a_cut_link_holds_up_what_is_sent_and_lets_it_through_in_order_when_it_heals() {
    let mut world = two();
    world.run_until(at(25));
    world.cut(A, B);
    world.run_until(at(65));
    assert_eq!(world.wrecks().count(), 4, "what was sent into the cut is seen to stop");
    world.heal(A, B);
    world.run_until(at(235));
    assert_eq!(diary(&world, B)[4..8], ["231: hello 3", "231: hello 4", "231: hello 5", "231: hello 6"]);
    assert_eq!(diary(&world, A).len(), 2);
}

#[test]
fn x_1_a_paused_process_keeps_its_connections_and_sees_everything_late() {
    let mut world = two();
    world.run_until(at(25));
    world.pause(B);
    world.run_until(at(65));
    assert_eq!(diary(&world, B).len(), 4);
    assert_eq!(world.messages().map(|hello| hello.0).collect::<Vec<_>>(), [3, 4, 5, 6], "they wait at its machine");
    world.resume(B);
    assert_eq!(diary(&world, B)[4..], ["65: hello 3", "65: hello 4", "65: hello 5", "65: hello 6"]);
}

#[test]
fn x_1_a_graceful_stop_closes_connections_after_what_was_sent() {
    let mut world = two();
    world.run_until(at(31));
    world.stop(A);
    world.run_until(at(60));
    assert_eq!(diary(&world, B)[4..], ["31: hello 3", "31: lost 0: Closed"]);
    assert_eq!(world.health(A), Health::Stopped);
}

#[test]
fn x_2_power_loss_takes_what_was_not_flushed_and_kill_does_not() {
    let survives = |crash| {
        let mut world = two();
        world.run_until(at(5));
        world.order(B, Write);
        world.run_until(at(20));
        world.order(B, Write);
        world.crash(B, crash);
        world.run_until(at(40));
        world.start(B);
        world.process(B).durable
    };
    assert_eq!((survives(Crash::Kill), survives(Crash::PowerLoss)), (2, 1));
}

#[test]
fn a_connection_to_a_dead_process_is_refused_and_one_to_a_dead_machine_is_tried_again() {
    let mut world = two();
    world.crash(B, Crash::Kill);
    world.run_until(at(10));
    assert_eq!(diary(&world, A)[1..], ["1: lost 1: Refused"]);

    let mut world = two();
    world.crash(B, Crash::PowerLoss);
    world.run_until(at(500));
    world.start(B);
    world.run_until(at(1_100));
    assert_eq!(diary(&world, A)[1..2], ["1001: connected to 1"]);
}

#[test]
fn a_slow_network_is_slower() {
    let mut world = two();
    world.run_until(at(5));
    world.slow(B, Slowness { network: 1_000, ..Slowness::default() });
    world.run_until(at(30));
    assert_eq!(diary(&world, B)[2..], ["16: hello 1", "26: hello 2"]);
}

/// A run with faults, played in slices of this many milliseconds.
fn digest_in_slices(slice: u64) -> (u64, u64) {
    let mut world = two();
    for ms in 0..3_000 {
        if ms % slice == 0 || [500, 700, 900, 1_500].contains(&ms) {
            world.run_until(at(ms));
        }
        match ms {
            500 => world.cut(A, B),
            700 => world.heal(A, B),
            900 => world.crash(B, Crash::PowerLoss),
            1_500 => world.start(B),
            _ => {}
        }
    }
    world.run_until(at(9_000));
    (world.digest(), world.events())
}

#[test]
fn one_digest_whatever_the_slices() {
    let whole = digest_in_slices(3_000);
    assert_eq!(digest_in_slices(1), whole);
    assert_eq!(digest_in_slices(7), whole);
}

#[test]
fn a_clone_goes_on_as_the_original_does() {
    let mut world = two();
    world.run_until(at(33));
    let mut copy = world.clone();
    for world in [&mut world, &mut copy] {
        world.crash(B, Crash::Kill);
        world.run_until(at(90));
    }
    assert_eq!(world.digest(), copy.digest());
    assert_eq!(diary(&world, A), diary(&copy, A));
    let closed = diary(&world, A).iter().any(|line| line.ends_with(&format!("{:?}", Hangup::Reset)));
    assert!(closed);
}

#[test]
fn who_is_called_may_speak_at_once_and_is_heard_when_the_caller_knows_of_the_connection() {
    let mut world = World::new(
        1,
        vec![
            (Chatter { peer: Some(NodeId(1)), ..Chatter::default() }, MachineProfile::default()),
            (Chatter { hails: true, ..Chatter::default() }, MachineProfile::default()),
        ],
        LinkProfile::default(),
    );
    world.start(NodeId(1));
    world.start(NodeId(0));
    world.run_until(at(100));
    assert_eq!(diary(&world, NodeId(0)), ["0: started with 0", "1: connected to 1", "1: hello 99"]);
    assert!(world.is_connected(NodeId(1), NodeId(0)));
}
