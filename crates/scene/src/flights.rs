//! What flies, as rows that a painter reads where they lie.

use crate::Which;
use crate::layout::Layout;
use player::Player;
use sim::story::Look;
use sim::{Flight, Nanos, Time, Wreck};

/// A flight's row. Times are in milliseconds from the playhead: what left is before 0, what arrives is after it.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
#[repr(C)]
pub struct FlightRow {
    /// The curve: from, by, to.
    pub curve: [f32; 6],
    /// When it left.
    pub sent: f32,
    /// When it arrives; for what was lost, when it would have.
    pub due: f32,
    /// Kind (4 bits), hue (8), attempt (3), lost (1), count (16), from the lowest bit.
    pub look: u32,
    /// For what was lost: where it stopped, as a part of its way; else -1.
    pub stopped: f32,
}

/// How much is to be seen.
#[derive(Copy, Clone, Debug)]
pub struct Sight {
    /// How long what was lost stays.
    pub wrecks: Nanos,
    /// At most so many rows.
    pub most: usize,
}

fn packed(look: Look, lost: bool) -> u32 {
    let attempt = u32::from(look.attempt.min(7));
    u32::from(look.kind as u8)
        | u32::from(look.hue) << 4
        | attempt << 12
        | u32::from(lost) << 15
        | u32::from(look.count) << 16
}

fn row(layout: &Layout, flight: &Flight, now: Time) -> FlightRow {
    let [a, b, c] = layout.way(flight);
    let ms = |at: Time| (i128::from(at.0) - i128::from(now.0)) as f32 / 1e6;
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
    FlightRow { look: packed(wreck.flight.look, true), stopped, ..row(layout, &wreck.flight, now) }
}

/// The rows of a cluster at the playhead, written into `rows`.
pub fn flights(player: &Player, which: Which, layout: &Layout, sight: Sight, rows: &mut Vec<FlightRow>) {
    rows.clear();
    let state = player.state();
    match which {
        Which::Log => state.log.iter().for_each(|side| fill(side.cluster.world(), layout, state.at, sight, rows)),
        Which::Queue => state.queue.iter().for_each(|side| fill(side.cluster.world(), layout, state.at, sight, rows)),
    }
}

fn fill<P: sim::Process>(world: &sim::World<P>, layout: &Layout, now: Time, sight: Sight, rows: &mut Vec<FlightRow>) {
    rows.extend(world.flights().take(sight.most).map(|flight| row(layout, &flight, now)));
    let room = sight.most.saturating_sub(rows.len());
    let fresh = world.wrecks().filter(|wreck| wreck.at <= now && now.since(wreck.at) <= sight.wrecks);
    rows.extend(fresh.take(room).map(|wreck| wreck_row(layout, &wreck, now)));
}
