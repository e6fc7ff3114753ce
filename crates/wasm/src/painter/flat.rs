//! Flights in 2D, for browsers without WebGL2.

use super::{HUES, theme};
use scene::{FlightRow, point};
use std::f64::consts::TAU;
use web_sys::CanvasRenderingContext2d;

fn css([r, g, b]: [u8; 3]) -> String {
    format!("rgb({r} {g} {b})")
}

/// Paints the rows in device pixels of `size`.
pub(crate) fn paint(context: &CanvasRenderingContext2d, rows: &[FlightRow], size: (u32, u32), scale: f32, dark: bool) {
    let _ = context.set_transform(1.0, 0.0, 0.0, 1.0, 0.0, 0.0);
    context.clear_rect(0.0, 0.0, f64::from(size.0), f64::from(size.1));
    let colours = theme(dark);
    for row in rows {
        let c = row.curve;
        let curve = [(c[0], c[1]), (c[2], c[3]), (c[4], c[5])];
        let lost = row.stopped >= 0.0;
        let span = (row.due - row.sent).max(1e-6);
        let part = if lost { row.stopped } else { (-row.sent / span).clamp(0.0, 1.0) };
        let (x, y) = point(&curve, part);
        let (ahead, behind) = (point(&curve, (part + 0.02).min(1.0)), point(&curve, (part - 0.02).max(0.0)));
        let (dx, dy) = (ahead.0 - behind.0, ahead.1 - behind.1);
        let length = (dx * dx + dy * dy).sqrt().max(1e-6);
        let (cos, sin) = (dx / length, dy / length);
        let s = f64::from(scale);
        let turned = |cos: f32, sin: f32| {
            let (cos, sin) = (f64::from(cos) * s, f64::from(sin) * s);
            let _ = context.set_transform(cos, sin, -sin, cos, f64::from(x) * s, f64::from(y) * s);
        };
        let hue = (row.look >> 4) & 255;
        let fill = if hue == 255 { colours[0] } else { HUES[hue as usize % 8] };
        context.set_fill_style_str(&css(fill));
        context.set_line_width(1.6);
        context.begin_path();
        let kind = row.look & 15;
        match kind {
            _ if lost => {
                turned(1.0, 0.0);
                context.set_stroke_style_str(&css(colours[3]));
                line(context, &[(-4.0, -4.0), (4.0, 4.0)]);
                line(context, &[(4.0, -4.0), (-4.0, 4.0)]);
                context.stroke();
            }
            0..=2 if row.look >> 16 > 1 => {
                turned(1.0, 0.0);
                capsule(context, row.look >> 16);
            }
            0..=2 => {
                turned(cos, sin);
                let _ = context.arc(0.0, 0.0, if kind == 2 { 3.0 } else { 4.5 }, 0.0, TAU);
                context.fill();
            }
            3 | 9 => {
                turned(cos, sin);
                context.set_stroke_style_str(&css(colours[1]));
                line(context, &[(-3.0, -4.0), (3.0, 0.0), (-3.0, 4.0)]);
                context.stroke();
            }
            4 => {
                turned(1.0, 0.0);
                context.set_stroke_style_str(&css(colours[2]));
                context.rect(-4.0, -4.0, 8.0, 8.0);
                line(context, &[(-4.0, 4.0), (4.0, -4.0)]);
                context.stroke();
            }
            _ => {
                turned(cos, sin);
                context.set_stroke_style_str(&css(colours[0]));
                line(context, &[(-4.0, 0.0), (4.0, 0.0)]);
                context.stroke();
            }
        }
        if (row.look >> 12) & 7 > 0 {
            context.begin_path();
            context.set_stroke_style_str(&css(colours[1]));
            let _ = context.arc(0.0, 0.0, 8.0, 0.0, TAU);
            context.stroke();
        }
    }
}

fn line(context: &CanvasRenderingContext2d, points: &[(f64, f64)]) {
    for (index, (x, y)) in points.iter().enumerate() {
        if index == 0 { context.move_to(*x, *y) } else { context.line_to(*x, *y) }
    }
}

fn capsule(context: &CanvasRenderingContext2d, count: u32) {
    let text = if count >= 1_000 { format!("{}k", count / 1_000) } else { count.to_string() };
    let half = 4.0 + 3.2 * text.len() as f64;
    let _ = context.round_rect_with_f64(-half, -7.0, 2.0 * half, 14.0, 7.0);
    context.fill();
    context.set_fill_style_str("#0d1116");
    context.set_font("650 10px system-ui, sans-serif");
    context.set_text_align("center");
    let _ = context.fill_text(&text, 0.0, 3.5);
}
