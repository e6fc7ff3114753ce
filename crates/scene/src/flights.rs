//! What flies, as rows that a painter reads where they lie: single flights, and streams where there are too many.

use crate::Which;
use crate::layout::{Curve, Layout};
use bytemuck::{Pod, Zeroable};
use player::Player;
use sim::story::{FlightKind, Look};
use sim::{Flight, Nanos, NodeId, Time, Wreck};

/// The hues of messages, by key (Okabe and Ito's eight, told apart by most eyes), as in `stage.css`.
pub const HUES: [[u8; 3]; 8] = [
    [0xe6, 0x9f, 0x00],
    [0x56, 0xb4, 0xe9],
    [0x00, 0x9e, 0x73],
    [0xf0, 0xe4, 0x42],
    [0x00, 0x72, 0xb2],
    [0xd5, 0x5e, 0x00],
    [0xcc, 0x79, 0xa7],
    [0x99, 0x99, 0x99],
];
/// From so many of a kind on a way on, they are drawn as a stream: a way is some hundred pixels long and a message nine
/// wide, so that each place of it is covered many times over, and no eye follows one any more.
pub const CROWD: u32 = 200;
/// Places of a stream whose density is told apart.
pub const BINS: usize = 16;
/// About so many pixels of a stream to one of its own that is drawn on it.
const RIDER: f32 = 22.0;

/// A flight's row. Times are in milliseconds from the playhead: what left is before 0, what arrives is after it.
#[derive(Copy, Clone, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct FlightRow {
    /// The curve: from, by, to.
    pub curve: [f32; 6],
    /// When it left.
    pub sent: f32,
    /// When it arrives; for what was lost, when it would have.
    pub due: f32,
    /// Kind (4 bits), hue (8), attempt (3), lost (1), count (15), faded (1), from the lowest bit.
    pub look: u32,
    /// For what was lost: where it stopped, as a part of its way; else -1.
    pub stopped: f32,
}

/// A stream's row: all that flies of a kind on a way, but for what is drawn by itself.
#[derive(Copy, Clone, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct StreamRow {
    /// The curve: from, by, to.
    pub curve: [f32; 6],
    /// Half its width in pixels: by its rate, on a logarithmic scale.
    pub half: f32,
    /// [`StreamKind`] (4 bits) and hue (8) from the lowest bit; a hue of 255 is neutral or mixed.
    pub look: u32,
    /// How dense it is at each of sixteen places along its way, of 255: bytes from the lowest on.
    pub density: [u32; BINS / 4],
    /// Messages a second; flights a second where they carry none.
    pub rate: f32,
    /// How many fly.
    pub flying: u32,
    /// From which node to which.
    pub ends: [u16; 2],
}

impl StreamRow {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> StreamKind {
        match self.look & 15 {
            0 => StreamKind::Messages,
            1 => StreamKind::Copies,
            2 => StreamKind::Answers,
            _ => StreamKind::Other,
        }
    }

    /// How dense it is at a place along its way, 0 to 1.
    #[must_use]
    pub fn density_at(&self, bin: usize) -> f32 {
        f32::from(self.density.get(bin / 4).map_or(0, |four| (four >> (8 * (bin % 4))) as u8)) / 255.0
    }
}

/// The kinds of streams, each with a form of its own.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// Messages of producers and to consumers: a solid band.
    Messages,
    /// Messages to followers: a hollow band.
    Copies,
    /// Answers, acknowledgements and commits: chevrons.
    Answers,
    /// Requests, signs of life and metadata: dashes.
    Other,
}

impl StreamKind {
    fn of(kind: FlightKind) -> StreamKind {
        match kind {
            FlightKind::Produce | FlightKind::Deliver => StreamKind::Messages,
            FlightKind::Replicate => StreamKind::Copies,
            FlightKind::Ack | FlightKind::Commit => StreamKind::Answers,
            _ => StreamKind::Other,
        }
    }
}

/// How much is to be seen.
#[derive(Copy, Clone, Debug)]
pub struct Sight {
    /// How long what was lost stays.
    pub wrecks: Nanos,
    /// At most so many rows.
    pub most: usize,
    /// More than so many of a kind on a way are a stream; usually [`CROWD`].
    pub crowd: u32,
}

/// All that flies in a cluster; kept from one look to the next for its room.
#[derive(Clone, Debug, Default)]
pub struct Flying {
    /// Single flights.
    pub rows: Vec<FlightRow>,
    /// Streams, to be drawn under them.
    pub streams: Vec<StreamRow>,
    ways: Vec<Way>,
    /// For each pair of nodes, which of the ways it is: its place and one, or 0.
    places: Vec<u32>,
}

/// What flies from one node to another, one for each kind of stream.
#[derive(Clone, Debug)]
struct Way {
    pair: usize,
    ends: [u16; 2],
    curve: Curve,
    /// Whether it has nothing to do with what is in focus.
    faded: bool,
    counts: [u32; 4],
    crowds: [Option<Box<Crowd>>; 4],
}

/// What becomes a stream.
#[derive(Clone, Debug)]
struct Crowd {
    /// One in so many is drawn on it: a power of two, less one.
    sieve: u64,
    rate: f32,
    flying: u32,
    bins: [u32; BINS],
    hues: [u32; 9],
}

/// What has nothing to do with what is in focus is drawn faded: this bit of a row's look.
const FADED: u32 = 1 << 31;

fn packed(look: Look, lost: bool) -> u32 {
    let attempt = u32::from(look.attempt.min(7));
    u32::from(look.kind as u8)
        | u32::from(look.hue) << 4
        | attempt << 12
        | u32::from(lost) << 15
        | u32::from(look.count.min(0x7fff)) << 16
}

fn row([a, b, c]: &Curve, flight: &Flight, now: Time) -> FlightRow {
    let ms = |at: Time| at.0.wrapping_sub(now.0) as i64 as f32 / 1e6;
    FlightRow {
        curve: [a.0, a.1, b.0, b.1, c.0, c.1],
        sent: ms(flight.sent),
        due: ms(flight.due),
        look: packed(flight.look, false),
        stopped: -1.0,
    }
}

fn wreck_row(layout: &Layout, wreck: &Wreck, now: Time) -> FlightRow {
    let way = wreck.flight.due.since(wreck.flight.sent).0.max(1);
    let gone = wreck.at.since(wreck.flight.sent).0.min(way);
    // What never left is shown a little on its way, off the card that sent it.
    let stopped = (gone as f32 / way as f32).clamp(0.12, 0.94);
    let faded = if layout.is_faded(wreck.flight.from, wreck.flight.to) { FADED } else { 0 };
    let look = packed(wreck.flight.look, true) | faded;
    FlightRow { look, stopped, ..row(&layout.way(&wreck.flight), &wreck.flight, now) }
}

/// What one looks for is drawn one by one, in whatever crowd: refusals, and what was sent again.
fn is_rare(look: Look) -> bool {
    look.kind == FlightKind::Refuse || look.attempt > 0
}

/// The same bits for a flight as long as it flies, and as good as any for another.
fn lot(flight: &Flight) -> u64 {
    (flight.sent.0 ^ flight.due.0.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

fn length([a, b, c]: &Curve) -> f32 {
    let leg = |p: &(f32, f32), q: &(f32, f32)| {
        let (dx, dy) = (p.0 - q.0, p.1 - q.1);
        (dx * dx + dy * dy).sqrt()
    };
    (leg(a, b) + leg(b, c) + leg(a, c)) / 2.0
}

impl Crowd {
    fn of(flying: u32, curve: &Curve) -> Crowd {
        let riders = (length(curve) / RIDER).max(1.0) as u32;
        let sieve = u64::from((flying / riders).max(1).next_power_of_two()) - 1;
        Crowd { sieve, rate: 0.0, flying: 0, bins: [0; BINS], hues: [0; 9] }
    }

    /// Takes a flight in. Each is in the air for its span, so that the sum of the inverse spans of what is in the air at
    /// any time is how many leave a second.
    fn take(&mut self, flight: &Flight, now: Time) {
        let span = (flight.due.0.saturating_sub(flight.sent.0) as f32).max(1.0);
        let part = now.0.saturating_sub(flight.sent.0) as f32 / span;
        self.rate += f32::from(flight.look.count.max(1)) * 1e9 / span;
        self.flying += 1;
        self.bins[((part * BINS as f32) as usize).min(BINS - 1)] += 1;
        let hue = flight.look.hue;
        self.hues[if hue == 255 { 8 } else { usize::from(hue % 8) }] += 1;
    }

    fn row(&self, kind: usize, way: &Way) -> StreamRow {
        let [a, b, c] = way.curve;
        let most = self.bins.iter().copied().max().unwrap_or(1).max(1);
        let mut density = [0; BINS / 4];
        for (bin, count) in self.bins.iter().enumerate() {
            density[bin / 4] |= (count * 255 / most / if way.faded { 4 } else { 1 }) << (8 * (bin % 4));
        }
        // Nine in ten of one hue give it to the stream.
        let hue = self.hues[..8].iter().position(|count| count * 10 >= self.flying * 9).map_or(255, |hue| hue as u32);
        StreamRow {
            curve: [a.0, a.1, b.0, b.1, c.0, c.1],
            half: half_width(self.rate),
            look: kind as u32 | hue << 4,
            density,
            rate: self.rate,
            flying: self.flying,
            ends: way.ends,
        }
    }
}

/// Half a stream's width: a pixel at a hundred a second, and more with each ten times as many. The two directions of a
/// way are seven apart, so that they never touch.
fn half_width(rate: f32) -> f32 {
    (1.0 + 0.6 * libm::log10f(rate.max(1.0) / 100.0)).clamp(0.8, 3.4)
}

/// What flies in a cluster at the playhead, written into `flying`.
pub fn flights(player: &Player, which: Which, layout: &Layout, sight: Sight, flying: &mut Flying) {
    flying.rows.clear();
    flying.streams.clear();
    let state = player.state();
    match which {
        Which::Log => state.log.iter().for_each(|side| flying.fill(side.cluster.world(), layout, state.at, sight)),
        Which::Queue => state.queue.iter().for_each(|side| flying.fill(side.cluster.world(), layout, state.at, sight)),
    }
}

impl Flying {
    /// Which of the ways leads from one node to another, found or made.
    fn way(&mut self, from: NodeId, to: NodeId, layout: &Layout) -> usize {
        let pair = from.index() * layout.nodes() + to.index();
        let Some(place) = self.places.get_mut(pair) else { return 0 };
        if *place == 0 {
            let (ends, curve, faded) = ([from.0, to.0], layout.curve(from, to), layout.is_faded(from, to));
            self.ways.push(Way { pair, ends, curve, faded, counts: [0; 4], crowds: [const { None }; 4] });
            *place = self.ways.len() as u32;
        }
        *place as usize - 1
    }

    /// Counts what flies on each way; answers how many there are in all.
    fn count<P: sim::Process>(&mut self, world: &sim::World<P>, layout: &Layout) {
        self.ways.iter().for_each(|way| self.places[way.pair] = 0);
        self.ways.clear();
        self.places.resize(layout.nodes() * layout.nodes(), 0);
        for flight in world.flights().filter(|flight| !is_rare(flight.look)) {
            let way = self.way(flight.from, flight.to, layout);
            self.ways[way].counts[StreamKind::of(flight.look.kind) as usize] += 1;
        }
    }

    fn fill<P: sim::Process>(&mut self, world: &sim::World<P>, layout: &Layout, now: Time, sight: Sight) {
        self.count(world, layout);
        for way in &mut self.ways {
            for (count, crowd) in way.counts.iter().zip(&mut way.crowds) {
                *crowd = (*count > sight.crowd).then(|| Box::new(Crowd::of(*count, &way.curve)));
            }
        }
        for flight in world.flights() {
            let way = self.way(flight.from, flight.to, layout);
            let Some(Way { curve, crowds, faded, .. }) = self.ways.get_mut(way) else { continue };
            if let Some(crowd) = &mut crowds[StreamKind::of(flight.look.kind) as usize]
                && !is_rare(flight.look)
            {
                crowd.take(&flight, now);
                if lot(&flight) & crowd.sieve != 0 {
                    continue;
                }
            }
            if self.rows.len() < sight.most {
                let row = row(curve, &flight, now);
                self.rows.push(FlightRow { look: row.look | if *faded { FADED } else { 0 }, ..row });
            }
        }
        for way in &self.ways {
            let crowds = way.crowds.iter().enumerate();
            self.streams.extend(crowds.filter_map(|(kind, crowd)| Some(crowd.as_ref()?.row(kind, way))));
        }
        self.streams.sort_by_key(|stream| (stream.ends, stream.look & 15));
        let room = sight.most.saturating_sub(self.rows.len());
        let fresh = world.wrecks().filter(|wreck| wreck.at <= now && now.since(wreck.at) <= sight.wrecks);
        self.rows.extend(fresh.take(room).map(|wreck| wreck_row(layout, &wreck, now)));
    }
}
