//! Flights in 2D, for browsers without WebGL2.

use super::theme;
use scene::{BINS, FlightRow, Flying, HUES, Rect, StreamKind, StreamRow, point};
use std::f64::consts::TAU;
use web_sys::CanvasRenderingContext2d;

fn css([r, g, b]: [u8; 3]) -> String {
    format!("rgb({r} {g} {b})")
}

/// Paints what flies on a part of a stage in device pixels of `size`.
pub(crate) fn paint(
    context: &CanvasRenderingContext2d,
    flying: &Flying,
    (size, view): ((u32, u32), Rect),
    scale: f32,
    dark: bool,
) {
    let _ = context.set_transform(1.0, 0.0, 0.0, 1.0, 0.0, 0.0);
    context.clear_rect(0.0, 0.0, f64::from(size.0), f64::from(size.1));
    let colours = theme(dark);
    let s = f64::from(scale);
    let _ = context.set_transform(s, 0.0, 0.0, s, -f64::from(view.x) * s, -f64::from(view.y) * s);
    flying.streams.iter().for_each(|row| stream(context, row, colours));
    flying.rows.iter().for_each(|row| flight(context, row, colours, (s, view)));
    let _ = context.set_transform(1.0, 0.0, 0.0, 1.0, 0.0, 0.0);
}

fn colour(hue: u32, colours: [[u8; 3]; 4]) -> String {
    css(if hue == 255 { colours[0] } else { HUES[hue as usize % 8] })
}

/// A stream: a piece for each place of it, as strong as it is dense there.
fn stream(context: &CanvasRenderingContext2d, row: &StreamRow, colours: [[u8; 3]; 4]) {
    let c = row.curve;
    let curve = [(c[0], c[1]), (c[2], c[3]), (c[4], c[5])];
    let at = |part: f32| {
        let (x, y) = point(&curve, part);
        (f64::from(x), f64::from(y))
    };
    context.set_stroke_style_str(&colour(row.look >> 4 & 255, colours));
    for bin in 0..BINS {
        let strength = f64::from(0.15 + 0.6 * row.density_at(bin));
        let (from, to) = (at(bin as f32 / BINS as f32), at((bin + 1) as f32 / BINS as f32));
        let stroke = |width: f64, alpha: f64, points: &[(f64, f64)]| {
            context.set_global_alpha(alpha);
            context.set_line_width(width);
            context.begin_path();
            line(context, points);
            context.stroke();
        };
        let width = f64::from(row.half * 2.0);
        let part = |share: f64| (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
        match row.kind() {
            StreamKind::Messages => stroke(width, strength, &[from, to]),
            StreamKind::Other => stroke(width, strength, &[from, part(0.6)]),
            StreamKind::Copies => {
                stroke(width + 2.0, strength / 3.0, &[from, to]);
                stroke(1.0, strength, &[from, to]);
            }
            StreamKind::Answers => {
                let (dx, dy) = (to.0 - from.0, to.1 - from.1);
                let length = (dx * dx + dy * dy).sqrt().max(1e-6);
                let (dx, dy) = (dx / length * 3.0, dy / length * 3.0);
                let (x, y) = part(0.5);
                stroke(1.4, strength, &[(x - dx - dy, y - dy + dx), (x, y), (x - dx + dy, y - dy - dx)]);
            }
        }
    }
    context.set_global_alpha(1.0);
}

/// A flight, by the shape of its kind.
fn flight(context: &CanvasRenderingContext2d, row: &FlightRow, colours: [[u8; 3]; 4], (s, view): (f64, Rect)) {
    let c = row.curve;
    let curve = [(c[0], c[1]), (c[2], c[3]), (c[4], c[5])];
    let lost = row.stopped >= 0.0;
    let span = (row.due - row.sent).max(1e-6);
    let part = if lost { row.stopped } else { (-row.sent / span).clamp(0.0, 1.0) };
    let (x, y) = point(&curve, part);
    let (x, y) = (x - view.x, y - view.y);
    let (ahead, behind) = (point(&curve, (part + 0.02).min(1.0)), point(&curve, (part - 0.02).max(0.0)));
    let (dx, dy) = (ahead.0 - behind.0, ahead.1 - behind.1);
    let length = (dx * dx + dy * dy).sqrt().max(1e-6);
    let turned = |cos: f32, sin: f32| {
        let (cos, sin) = (f64::from(cos) * s, f64::from(sin) * s);
        let _ = context.set_transform(cos, sin, -sin, cos, f64::from(x) * s, f64::from(y) * s);
    };
    let (kind, hue, attempt, count) =
        (row.look & 15, (row.look >> 4) & 255, (row.look >> 12) & 7, row.look >> 16 & 0x7fff);
    let all = if row.look >> 31 == 1 { 0.25 } else { 1.0 };
    context.set_global_alpha(all);
    let is_capsule = kind <= 2 && count > 1 && !lost;
    context.set_fill_style_str(&colour(hue, colours));
    context.set_line_width(1.6);
    if lost || is_capsule || kind == 4 {
        turned(1.0, 0.0)
    } else {
        turned(dx / length, dy / length)
    }
    let stroke = |colour: [u8; 3], points: &[(f64, f64)]| {
        context.set_stroke_style_str(&css(colour));
        context.begin_path();
        line(context, points);
        context.stroke();
    };
    match kind {
        _ if lost => {
            stroke(colours[3], &[(-4.0, -4.0), (4.0, 4.0)]);
            stroke(colours[3], &[(4.0, -4.0), (-4.0, 4.0)]);
        }
        _ if is_capsule => {
            if kind == 2 {
                let (cos, sin, from) = (f64::from(dx / length), f64::from(dy / length), half_of(count) + 8.0);
                stroke(colours[0], &[(-from * cos, -from * sin), (0.0, 0.0)]);
            }
            capsule(context, count, (kind == 2).then_some(colours[1]), all);
        }
        0..=2 => {
            if kind == 2 {
                stroke(colours[0], &[(-11.0, 0.0), (-2.0, 0.0)]);
                context.set_global_alpha(0.5 * all);
            }
            context.begin_path();
            let _ = context.arc(0.0, 0.0, if kind == 2 { 3.2 } else { 4.5 }, 0.0, TAU);
            context.fill();
            context.set_global_alpha(all);
        }
        3 | 9 => {
            let points = [(-2.5, -3.8), (2.5, 0.0), (-2.5, 3.8)];
            if hue != 255 {
                stroke(HUES[hue as usize % 8], &points);
                context.set_global_alpha(0.45 * all);
            }
            stroke(colours[1], &points);
            context.set_global_alpha(all);
        }
        4 => {
            if hue != 255 {
                context.set_global_alpha(0.5 * all);
                context.fill_rect(-4.0, -4.0, 8.0, 8.0);
                context.set_global_alpha(all);
            }
            stroke(colours[2], &[(-4.0, 4.0), (4.0, -4.0), (4.0, 4.0), (-4.0, 4.0), (-4.0, -4.0), (4.0, -4.0)]);
        }
        _ => {
            context.set_line_width(if kind == 7 { 2.6 } else { 1.6 });
            let reach = if kind == 6 { 2.5 } else { 4.0 };
            stroke(colours[0], &[(-reach, 0.0), (reach, 0.0)]);
        }
    }
    if attempt > 0 && !lost {
        turned(1.0, 0.0);
        ring(context, if is_capsule { half_of(count) } else { 0.0 }, attempt, colours[1]);
    }
    context.set_global_alpha(1.0);
}

/// The ring of what was sent before, with how often from the second time on.
fn ring(context: &CanvasRenderingContext2d, half: f64, attempt: u32, ink: [u8; 3]) {
    context.set_line_width(1.6);
    context.set_stroke_style_str(&css(ink));
    context.begin_path();
    let _ = if half > 0.0 {
        context.round_rect_with_f64(-half - 2.0, -9.0, 2.0 * half + 4.0, 18.0, 9.0)
    } else {
        context.arc(0.0, 0.0, 8.0, 0.0, TAU)
    };
    context.stroke();
    if attempt > 1 {
        context.set_fill_style_str(&css(ink));
        context.set_font("650 10px system-ui, sans-serif");
        context.set_text_align("left");
        let _ = context.fill_text(&attempt.to_string(), half.max(5.0) + 4.0, -6.0);
    }
}

fn line(context: &CanvasRenderingContext2d, points: &[(f64, f64)]) {
    for (index, (x, y)) in points.iter().enumerate() {
        if index == 0 { context.move_to(*x, *y) } else { context.line_to(*x, *y) }
    }
}

fn shown(count: u32) -> String {
    if count >= 1_000 { format!("{}k", count / 1_000) } else { count.to_string() }
}

fn half_of(count: u32) -> f64 {
    4.0 + 3.2 * shown(count).len() as f64
}

/// A batch; of a copy, whose ink is given, at half strength.
fn capsule(context: &CanvasRenderingContext2d, count: u32, copy: Option<[u8; 3]>, all: f64) {
    let half = half_of(count);
    context.begin_path();
    let _ = context.round_rect_with_f64(-half, -7.0, 2.0 * half, 14.0, 7.0);
    context.set_global_alpha(if copy.is_some() { 0.4 * all } else { all });
    context.fill();
    context.set_global_alpha(all);
    context.set_fill_style_str(&css(copy.unwrap_or([0x0d, 0x11, 0x16])));
    context.set_font("650 10px system-ui, sans-serif");
    context.set_text_align("center");
    let _ = context.fill_text(&shown(count), 0.0, 3.5);
}
