//! The picture as SVG: both clusters side by side, with what flies, ready to be printed.

use crate::flights::{FlightRow, Sight, flights};
use crate::layout::{Curve, point};
use crate::picture::{Card, Link, Picture, Rect, Shape, Tip};
use crate::{Which, layout, picture};
use player::{Player, report};
use sim::Nanos;
use std::fmt::Write as _;

/// The styles of a stage, for pages that show one.
pub const STYLE: &str = include_str!("stage.css");
const THEMES: &str = include_str!("themes.css");
const HEAD: f32 = 64.0;
const FOOT: f32 = 64.0;

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A figure of the run at the playhead, `width` × `height`, in the dark or the light theme.
#[must_use]
pub fn figure(player: &mut Player, width: f32, height: f32, dark: bool) -> String {
    let theme = if dark { "dark" } else { "light" };
    let title = player.document().title.clone();
    let at = player.at();
    let outcome = report(player);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         class=\"{theme}\" role=\"img\" font-family=\"system-ui, sans-serif\">\n<title>{} at {at}</title>\n<style>{THEMES}{STYLE}</style>\n{HATCH}\n\
         <rect width=\"{width}\" height=\"{height}\" style=\"fill:var(--ground)\"/>\n",
        escaped(&title)
    );
    let sides = [(Which::Log, "log", "Log"), (Which::Queue, "queue", "Queues")];
    let present = sides.iter().filter(|(which, ..)| layout(player, *which, 1.0, 1.0).is_some()).count().max(1);
    let stage_width = width / present as f32;
    let mut left = 0.0;
    for (which, class, name) in sides {
        let Some(layout) = layout(player, which, stage_width, height - HEAD - FOOT) else { continue };
        let Some(picture) = picture(player, which, &layout) else { continue };
        let mut rows = Vec::new();
        flights(player, which, &layout, Sight { wrecks: Nanos::millis(400), most: 2_000 }, &mut rows);
        let words = outcome.clusters.get(class).map_or("", |cluster| cluster.verdict.as_str());
        let _ = write!(
            text,
            "<g class=\"stage {class}\" transform=\"translate({left} 0)\">\n\
             <text x=\"16\" y=\"28\" style=\"font-size:16px;font-weight:650\" class=\"leads\">{name}</text>\n\
             <text x=\"16\" y=\"48\" class=\"quiet\">{}</text>\n\
             <text x=\"16\" y=\"{}\" style=\"font-size:16px;font-weight:650\">{}</text>\n<g transform=\"translate(0 {HEAD})\">\n",
            escaped(&picture.caption),
            height - 26.0,
            escaped(words)
        );
        stage(&mut text, &picture);
        for row in &rows {
            flight(&mut text, row);
        }
        text.push_str("</g>\n</g>\n");
        left += stage_width;
    }
    let _ = write!(
        text,
        "<text x=\"{}\" y=\"28\" text-anchor=\"end\" style=\"fill:var(--quiet);font-size:14px\">{at}</text>\n</svg>\n",
        width - 16.0
    );
    text
}

/// The hatching of what is with consumers.
const HATCH: &str = "<defs><pattern id=\"hatch-queue\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\" \
    patternTransform=\"rotate(45)\"><path d=\"M0 0v4\" style=\"stroke:var(--queue);stroke-width:2.4\"/></pattern>\
    <pattern id=\"hatch-quiet\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
    <path d=\"M0 0v4\" style=\"stroke:var(--faint);stroke-width:1.6\"/></pattern></defs>";

fn stage(text: &mut String, picture: &Picture) {
    for Link { state, d, .. } in &picture.links {
        let class = if *state == "open" {
            "link"
        } else if *state == "cut" {
            "link cut"
        } else {
            "link cut-one-way"
        };
        let _ = writeln!(text, "<path class=\"{class}\" d=\"{d}\"/>");
    }
    for Card { says, shapes, tips, .. } in &picture.cards {
        let _ = writeln!(text, "<g><title>{}</title>", escaped(says));
        shapes.iter().for_each(|shape| draw(text, shape));
        for Tip { place: Rect { x, y, w, h }, text: words } in tips {
            let place = format!("x=\"{x:.0}\" y=\"{y:.0}\" width=\"{w:.0}\" height=\"{h:.0}\"");
            let _ = writeln!(text, "<rect class=\"tip\" {place}><title>{}</title></rect>", escaped(words));
        }
        text.push_str("</g>\n");
    }
}

fn draw(text: &mut String, shape: &Shape) {
    let _ = match shape {
        Shape::Rect { x, y, w, h, r, class } => {
            writeln!(text, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{r}\"/>")
        }
        Shape::Text { x, y, text: words, class, anchor } => {
            writeln!(
                text,
                "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>",
                escaped(words)
            )
        }
        Shape::Path { d, class } => writeln!(text, "<path class=\"{class}\" d=\"{d}\"/>"),
    };
}

/// A flight, by the shape of its kind.
fn flight(text: &mut String, row: &FlightRow) {
    let c = row.curve;
    let curve: Curve = [(c[0], c[1]), (c[2], c[3]), (c[4], c[5])];
    let span = (row.due - row.sent).max(1e-6);
    let lost = row.stopped >= 0.0;
    let part = if lost { row.stopped } else { (-row.sent / span).clamp(0.0, 1.0) };
    let (x, y) = point(&curve, part);
    let ahead = point(&curve, (part + 0.02).min(1.0));
    let behind = point(&curve, (part - 0.02).max(0.0));
    let angle = libm::atan2f(ahead.1 - behind.1, ahead.0 - behind.0).to_degrees();
    let (kind, hue, count) = (row.look & 15, (row.look >> 4) & 255, row.look >> 16);
    let fill = if hue == 255 {
        "style=\"fill:var(--neutral-flight)\"".to_owned()
    } else {
        format!("class=\"hue-{}\"", hue % 8)
    };
    let _ = write!(text, "<g transform=\"translate({x:.1} {y:.1})\">");
    let _ = match kind {
        _ if lost => {
            write!(text, "<path d=\"M-4 -4L4 4M4 -4L-4 4\" style=\"stroke:var(--danger);stroke-width:2;fill:none\"/>")
        }
        0..=2 if count > 1 => {
            let width = 14.0 + 6.0 * (count as f32).log10_floor();
            write!(
                text,
                "<rect x=\"{:.1}\" y=\"-7\" width=\"{width:.1}\" height=\"14\" rx=\"7\" {fill}/><text y=\"4\" text-anchor=\"middle\" \
                 style=\"fill:#0d1116;font-size:10px;font-weight:650\">{count}</text>",
                -width / 2.0
            )
        }
        2 => write!(
            text,
            "<g transform=\"rotate({angle:.0})\"><path d=\"M-10 0h10\" style=\"stroke:var(--neutral-flight)\"/><circle r=\"3\" {fill}/></g>"
        ),
        0 | 1 => write!(text, "<circle r=\"4.5\" {fill}/>"),
        3 | 9 => write!(
            text,
            "<path transform=\"rotate({angle:.0})\" d=\"M-3 -4L3 0L-3 4\" style=\"stroke:var(--text);stroke-width:1.6;fill:none\"/>"
        ),
        4 => write!(
            text,
            "<path d=\"M-4 -4h8v8h-8zM-4 4L4 -4\" style=\"stroke:var(--warning);stroke-width:1.6;fill:none\"/>"
        ),
        _ => write!(
            text,
            "<path transform=\"rotate({angle:.0})\" d=\"M-4 0h8\" style=\"stroke:var(--neutral-flight);stroke-width:1.6\"/>"
        ),
    };
    let _ = match (row.look >> 12) & 7 {
        0 => Ok(()),
        _ => write!(text, "<circle r=\"8\" style=\"fill:none;stroke:var(--text)\"/>"),
    };
    text.push_str("</g>\n");
}

trait Log10Floor {
    fn log10_floor(self) -> f32;
}

impl Log10Floor for f32 {
    /// How many digits follow the first.
    fn log10_floor(self) -> f32 {
        let (mut rest, mut digits) = (self, 0.0);
        while rest >= 10.0 {
            rest /= 10.0;
            digits += 1.0;
        }
        digits
    }
}
