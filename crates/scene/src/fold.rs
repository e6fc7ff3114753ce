//! How detail folds where a card is small: strips with numbers, thin strips, a grid of cells with counts in words.

use crate::faces::Face;
use crate::picture::{Rect, width_of};
use player::say;

/// How rows are shown.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) enum Fold {
    /// A strip each, as high as this; from 14 on with its name and number.
    Rows(f32),
    /// A cell each: its side, and how many there are in a line.
    Grid(f32, usize),
}

/// What a cell says by its form.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Leads, or is at home: filled.
    Leads,
    /// Follows in sync: outlined.
    Follows,
    /// Follows and is behind: hatched.
    Behind,
    /// Not there: crossed.
    Offline,
}

/// Thinner strips cannot be told apart.
const THINNEST: f32 = 7.0;

/// How so many rows are shown in a field.
pub(crate) fn fold(rows: usize, field: Rect) -> Fold {
    let row = field.h / rows.max(1) as f32;
    if row >= THINNEST && field.w >= 40.0 {
        return Fold::Rows(row.min(26.0));
    }
    let fits = |side: f32| (field.w / side).floor() * (field.h / side).floor() >= rows as f32;
    let side = (3u8..=22).rev().map(f32::from).find(|side| fits(*side)).unwrap_or(3.0);
    Fold::Grid(side, ((field.w / side).floor() as usize).max(1))
}

/// The counts of the parts in words: `34 lead, 66 follow`.
pub(crate) fn counts(parts: &[Part]) -> String {
    let of = |wanted: Part| parts.iter().filter(|part| **part == wanted).count();
    let named = [Part::Leads, Part::Follows, Part::Behind, Part::Offline];
    let words = named.map(|part| match of(part) {
        0 => String::new(),
        count => match part {
            Part::Leads => say!("{} lead", count),
            Part::Follows => say!("{} follow", count),
            Part::Behind => say!("{} out of sync", count),
            Part::Offline => say!("{} offline", count),
        },
    });
    words.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ")
}

/// A partition or queue as a cell.
pub(crate) struct Cell {
    pub part: Part,
    /// A name of a few letters.
    pub name: String,
    /// All of it in words.
    pub says: String,
    /// Its full name.
    pub of: String,
}

/// A field of cells.
pub(crate) fn grid(face: &mut Face<'_>, mut field: Rect, parts: &[Cell]) {
    let kinds: Vec<Part> = parts.iter().map(|cell| cell.part).collect();
    let words = counts(&kinds);
    if field.h >= 40.0 && width_of(&words, 12.0) <= field.w {
        face.pen.text(field.x, field.y + 12.0, words.as_str(), "quiet", "start");
        field = Rect { y: field.y + 20.0, h: field.h - 20.0, ..field };
    }
    face.say(words);
    let Fold::Grid(side, across) = fold(parts.len().max((field.h / THINNEST) as usize + 1), field) else { return };
    for (index, Cell { part, name, says, of }) in parts.iter().enumerate() {
        let (x, y) = (field.x + (index % across) as f32 * side, field.y + (index / across) as f32 * side);
        let gap = if side > 8.0 { 2.0 } else { 1.0 };
        let cell = Rect { x, y, w: side - gap, h: side - gap };
        if cell.y + cell.h > face.place.y + face.place.h {
            break;
        }
        let class = match part {
            Part::Leads => "bit lead",
            Part::Follows => "bit follow",
            Part::Behind => "bit behind",
            Part::Offline => "bit offline",
        };
        face.pen.rect(cell, (side / 8.0).floor(), class);
        if *part == Part::Offline {
            let (a, b) = (side - gap, side - gap);
            face.pen.path(format!("M{x:.1} {y:.1}l{a:.1} {b:.1}m{:.1} 0l{a:.1} {:.1}", -a, -b), "cross");
        }
        if side >= 20.0 && width_of(name, 11.0) < side - 3.0 {
            let class = if *part == Part::Leads { "bit-name lead" } else { "bit-name" };
            face.pen.text(x + (side - gap) / 2.0, y + side / 2.0 + 3.0, name.as_str(), class, "middle");
        }
        face.tip_of(cell, says.clone(), of.clone());
        if matches!(part, Part::Behind) && parts.len() <= 400 {
            face.say(says.clone());
        }
    }
}
