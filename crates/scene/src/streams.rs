//! Streams in words: how much flows on a way, and where it is written.

use crate::flights::{StreamKind, StreamRow};
use crate::layout::{Curve, Layout, point};
use crate::picture::{Rect, Stream, width_of};
use crate::{Which, nodes};
use player::words::grouped;
use player::{Player, say};
use sim::NodeId;

/// The size of a label's text.
const SIZE: f32 = 11.0;
/// Parts of the way at which a label may stand, the best first.
const PARTS: [f32; 7] = [0.5, 0.42, 0.58, 0.34, 0.66, 0.25, 0.75];

/// A rate in three significant figures, as one reads it.
fn rounded(rate: f32) -> u64 {
    let mut step = 1.0;
    while (rate / step).round() >= 1_000.0 {
        step *= 10.0;
    }
    ((rate / step).round() * step) as u64
}

/// How much of what flows.
fn rate_words(rate: f32, kind: StreamKind) -> String {
    let rate = grouped(rounded(rate));
    match kind {
        StreamKind::Messages | StreamKind::Copies => say!("{} msg/s", rate),
        StreamKind::Answers => say!("{} answers/s", rate),
        StreamKind::Other => say!("{} requests/s", rate),
    }
}

fn fits(place: Rect, taken: &[Rect], layout: &Layout) -> bool {
    let apart = |other: &Rect| {
        place.x_end() <= other.x
            || other.x_end() <= place.x
            || place.y + place.h <= other.y
            || other.y + other.h <= place.y
    };
    let inside =
        place.x >= 0.0 && place.y >= 0.0 && place.x_end() <= layout.width && place.y + place.h <= layout.height;
    inside && taken.iter().all(apart) && (0..layout.nodes()).all(|n| apart(&layout.place(NodeId(n as u16))))
}

fn curve_of(row: &StreamRow) -> Curve {
    let c = row.curve;
    [(c[0], c[1]), (c[2], c[3]), (c[4], c[5])]
}

fn runs_through(row: &StreamRow, place: Rect) -> bool {
    let curve = curve_of(row);
    (0..=64).any(|n| {
        let (x, y) = point(&curve, n as f32 / 64.0);
        x > place.x && x < place.x_end() && y > place.y && y < place.y + place.h
    })
}

/// Where a label finds room by its stream.
fn room(row: &StreamRow, rows: &[StreamRow], text: &str, taken: &[Rect], layout: &Layout) -> Option<Rect> {
    let curve = curve_of(row);
    let (w, h) = (width_of(text, SIZE) + 4.0, SIZE + 2.0);
    let beside = |part: f32| {
        let (x, y) = point(&curve, part);
        [-(h + 5.0), 5.0].map(|dy| Rect { x: x - w / 2.0, y: y + dy, w, h })
    };
    let free = || PARTS.into_iter().flat_map(beside).filter(|place| fits(*place, taken, layout));
    // Where no other stream runs through it, if there is such a place.
    let alone =
        |place: &Rect| rows.iter().filter(|other| other.ends != row.ends).all(|other| !runs_through(other, *place));
    free().find(alone).or_else(|| free().next())
}

/// The streams of a cluster at the playhead, in words.
pub(crate) fn streams(player: &Player, which: Which, layout: &Layout, rows: &[StreamRow]) -> Vec<Stream> {
    let name = |id: u16| nodes(player, which).get(usize::from(id)).map_or(String::new(), |node| node.name.clone());
    let mut taken = Vec::new();
    let stream = |row: &StreamRow| {
        let ([from, to], kind) = (row.ends.map(name), row.kind());
        let rate = rate_words(row.rate, kind);
        let says = format!("{from} → {to}: {rate}, {}", say!("{} in flight", grouped(u64::from(row.flying))));
        // What answers and asks is said on its link only: what they are about is what one reads.
        let wanted = matches!(kind, StreamKind::Messages | StreamKind::Copies);
        let place = Some(&rate).filter(|_| wanted).and_then(|rate| room(row, rows, rate, &taken, layout));
        let (x, y) = place.map_or((0.0, 0.0), |place| ((place.x + place.w / 2.0).round(), (place.y + SIZE).round()));
        taken.extend(place);
        Stream { from, to, says, label: place.map_or(String::new(), |_| rate), x, y }
    };
    rows.iter().map(stream).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_in_three_figures() {
        assert_eq!([7.4, 312.0, 3_124.9, 99_960.0].map(rounded), [7, 312, 3_120, 100_000]);
    }
}
