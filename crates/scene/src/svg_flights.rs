//! What flies as SVG: each kind by its own shape, as the painters draw it.

use crate::flights::{BINS, FlightRow, HUES, StreamKind, StreamRow};
use crate::layout::{Curve, point};
use std::fmt::Write as _;

const NEUTRAL: &str = "var(--neutral-flight)";

fn colour(hue: u32) -> String {
    let [r, g, b] = HUES[hue as usize % 8];
    if hue == 255 { NEUTRAL.to_owned() } else { format!("#{r:02x}{g:02x}{b:02x}") }
}

fn curve_of([a, b, c, d, e, f]: [f32; 6]) -> Curve {
    [(a, b), (c, d), (e, f)]
}

/// Which way a curve goes at a part of it, in degrees.
fn turn(curve: &Curve, part: f32) -> f32 {
    let (ahead, behind) = (point(curve, (part + 0.02).min(1.0)), point(curve, (part - 0.02).max(0.0)));
    libm::atan2f(ahead.1 - behind.1, ahead.0 - behind.0).to_degrees()
}

/// A count as a capsule has room for it.
fn shown(count: u32) -> String {
    if count >= 1_000 { format!("{}k", count / 1_000) } else { count.to_string() }
}

/// A stream: a piece for each place of it, as strong as it is dense there.
pub(crate) fn stream(text: &mut String, row: &StreamRow) {
    let curve = curve_of(row.curve);
    let (colour, width) = (colour(row.look >> 4 & 255), row.half * 2.0);
    for bin in 0..BINS {
        let at = |part: f32| point(&curve, (bin as f32 + part) / BINS as f32);
        let ((x, y), (to_x, to_y), (mid_x, mid_y)) = (at(0.0), at(1.0), at(0.5));
        let line = format!("d=\"M{x:.1} {y:.1}L{to_x:.1} {to_y:.1}\" stroke=\"{colour}\"");
        let strength = 0.15 + 0.6 * row.density_at(bin);
        let _ = match row.kind() {
            StreamKind::Messages => {
                write!(text, "<path {line} stroke-width=\"{width:.1}\" stroke-opacity=\"{strength:.2}\"/>")
            }
            StreamKind::Other => write!(
                text,
                "<path {line} stroke-width=\"{width:.1}\" stroke-dasharray=\"3 2\" stroke-opacity=\"{strength:.2}\"/>"
            ),
            StreamKind::Copies => write!(
                text,
                "<path {line} stroke-width=\"{:.1}\" stroke-opacity=\"{:.2}\"/><path {line} stroke-opacity=\"{strength:.2}\"/>",
                width + 2.0,
                strength / 3.0
            ),
            StreamKind::Answers => write!(
                text,
                "<path transform=\"translate({mid_x:.1} {mid_y:.1}) rotate({:.0})\" d=\"M-2 -3L1 0L-2 3\" fill=\"none\" \
                 stroke=\"{colour}\" stroke-width=\"1.4\" stroke-opacity=\"{strength:.2}\"/>",
                turn(&curve, (bin as f32 + 0.5) / BINS as f32)
            ),
        };
    }
    text.push('\n');
}

/// A flight, by the shape of its kind.
pub(crate) fn flight(text: &mut String, row: &FlightRow) {
    let curve = curve_of(row.curve);
    let span = (row.due - row.sent).max(1e-6);
    let lost = row.stopped >= 0.0;
    let part = if lost { row.stopped } else { (-row.sent / span).clamp(0.0, 1.0) };
    let (x, y) = point(&curve, part);
    let angle = turn(&curve, part);
    let (kind, hue, attempt, count) =
        (row.look & 15, (row.look >> 4) & 255, (row.look >> 12) & 7, row.look >> 16 & 0x7fff);
    let fill = colour(hue);
    let faded = if row.look >> 31 == 1 { " opacity=\"0.25\"" } else { "" };
    let _ = write!(text, "<g transform=\"translate({x:.1} {y:.1})\"{faded}>");
    let mut half = 4.5;
    let _ = match kind {
        _ if lost => {
            write!(text, "<path d=\"M-4 -4L4 4M4 -4L-4 4\" style=\"stroke:var(--danger);stroke-width:2;fill:none\"/>")
        }
        0..=2 if count > 1 => {
            let label = shown(count);
            half = 4.0 + 3.2 * label.len() as f32;
            capsule(text, (half, angle), &label, (&fill, kind == 2))
        }
        2 => write!(
            text,
            "<g transform=\"rotate({angle:.0})\"><path d=\"M-11 0h9\" style=\"stroke:{NEUTRAL};stroke-width:1.2\"/>\
             <circle r=\"3.2\" fill=\"{fill}\" fill-opacity=\"0.5\"/></g>"
        ),
        0 | 1 => write!(text, "<circle r=\"4.5\" fill=\"{fill}\"/>"),
        3 | 9 => chevron(text, angle, (hue < 255).then_some(&fill)),
        4 => {
            let inside = if hue == 255 { "none" } else { &fill };
            write!(
                text,
                "<path d=\"M-4 -4h8v8h-8zM-4 4L4 -4\" fill=\"{inside}\" fill-opacity=\"0.5\" \
                 style=\"stroke:var(--warning);stroke-width:1.6\"/>"
            )
        }
        _ => {
            let (reach, width) = (if kind == 6 { 2.5 } else { 4.0 }, if kind == 7 { 2.6 } else { 1.6 });
            write!(
                text,
                "<path transform=\"rotate({angle:.0})\" d=\"M-{reach} 0h{}\" style=\"stroke:{NEUTRAL};stroke-width:{width}\"/>",
                reach * 2.0
            )
        }
    };
    if attempt > 0 && !lost {
        ring(text, half, attempt);
    }
    text.push_str("</g>\n");
}

/// A batch; of a copy at half strength, with a tail.
fn capsule(text: &mut String, (half, angle): (f32, f32), label: &str, (fill, copy): (&str, bool)) -> std::fmt::Result {
    let (strength, ink) = if copy { (0.4, "var(--text)") } else { (1.0, "#0d1116") };
    if copy {
        let from = half + 8.0;
        write!(
            text,
            "<path transform=\"rotate({angle:.0})\" d=\"M-{from:.1} 0h8\" style=\"stroke:{NEUTRAL};stroke-width:1.2\"/>"
        )?;
    }
    write!(
        text,
        "<rect x=\"{:.1}\" y=\"-7\" width=\"{:.1}\" height=\"14\" rx=\"7\" fill=\"{fill}\" fill-opacity=\"{strength}\"/>\
         <text y=\"4\" text-anchor=\"middle\" style=\"fill:{ink};font-size:10px;font-weight:650\">{label}</text>",
        -half,
        half * 2.0
    )
}

/// An answer: in the text's colour, and under it the message's hue if it has one, so that it is lighter than the message.
fn chevron(text: &mut String, angle: f32, hue: Option<&String>) -> std::fmt::Result {
    let form = format!("transform=\"rotate({angle:.0})\" d=\"M-2.5 -3.8L2.5 0L-2.5 3.8\"");
    if let Some(hue) = hue {
        write!(text, "<path {form} fill=\"none\" stroke=\"{hue}\" stroke-width=\"1.8\"/>")?;
    }
    let strength = if hue.is_some() { 0.45 } else { 1.0 };
    write!(text, "<path {form} style=\"stroke:var(--text);stroke-opacity:{strength};stroke-width:1.8;fill:none\"/>")
}

/// The ring of what was sent before, with how often from the second time on.
fn ring(text: &mut String, half: f32, attempt: u32) {
    let line = "style=\"fill:none;stroke:var(--text);stroke-width:1.6\"";
    let _ = if half > 4.5 {
        let (from, width) = (half + 2.0, half * 2.0 + 4.0);
        write!(text, "<rect x=\"-{from:.1}\" y=\"-9\" width=\"{width:.1}\" height=\"18\" rx=\"9\" {line}/>")
    } else {
        write!(text, "<circle r=\"8\" {line}/>")
    };
    if attempt > 1 {
        let x = half.max(5.0) + 4.0;
        let _ = write!(text, "<text x=\"{x:.1}\" y=\"-6\" style=\"font-size:10px;font-weight:650\">{attempt}</text>");
    }
}
