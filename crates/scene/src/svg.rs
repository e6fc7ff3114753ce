//! The picture as SVG: both clusters side by side, with what flies, ready to be printed.

use crate::flights::{CROWD, Flying, Sight, StreamRow, flights};
use crate::picture::{Card, Link, Picture, Rect, Shape, Stream, Tip};
use crate::svg_flights::{flight, stream};
use crate::{Which, layout, picture};
use player::{Player, report, say};
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
    let at = say::number(player.at());
    let outcome = report(player);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         class=\"{theme}\" role=\"img\" font-family=\"system-ui, sans-serif\">\n<title>{}</title>\n<style>{THEMES}{STYLE}</style>\n{HATCH}\n\
         <rect width=\"{width}\" height=\"{height}\" style=\"fill:var(--ground)\"/>\n",
        escaped(&say!("{} at {}", title, at))
    );
    let sides = [(Which::Log, "log", say!("Log")), (Which::Queue, "queue", say!("Queues"))];
    let present = sides.iter().filter(|(which, ..)| layout(player, *which, 1.0, 1.0).is_some()).count().max(1);
    let stage_width = width / present as f32;
    let mut left = 0.0;
    for (which, class, name) in sides {
        let Some(layout) = layout(player, which, stage_width, height - HEAD - FOOT) else { continue };
        let Some(picture) = picture(player, which, &layout) else { continue };
        let mut flying = Flying::default();
        let sight = Sight { wrecks: Nanos::millis(400), most: 2_000, crowd: CROWD };
        flights(player, which, &layout, sight, &mut flying);
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
        stage(&mut text, &picture, &flying.streams);
        flying.rows.iter().for_each(|row| flight(&mut text, row));
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

fn stage(text: &mut String, picture: &Picture, streams: &[StreamRow]) {
    for Link { state, d, .. } in &picture.links {
        let class = if *state == "open" { "" } else { state };
        let _ = writeln!(text, "<path class=\"{}\" d=\"{d}\"/>", format!("link {class}").trim_end());
    }
    streams.iter().for_each(|row| stream(text, row));
    for Stream { label, x, y, .. } in picture.streams.iter().filter(|stream| !stream.label.is_empty()) {
        let _ = writeln!(text, "<text class=\"rate\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{label}</text>");
    }
    for Card { says, shapes, tips, .. } in &picture.cards {
        let _ = writeln!(text, "<g><title>{}</title>", escaped(says));
        shapes.iter().for_each(|shape| draw(text, shape));
        for Tip { place: Rect { x, y, w, h }, text: words, .. } in tips {
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
