//! A picture of one cluster: rectangles, texts and paths with names, ready for any painter.

use serde::Serialize;

/// A rectangle, in CSS pixels.
#[derive(Copy, Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct Rect {
    /// Left.
    pub x: f32,
    /// Top.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

impl Rect {
    /// The right edge.
    #[must_use]
    pub fn x_end(self) -> f32 {
        self.x + self.w
    }

    /// The middle.
    #[must_use]
    pub fn center(self) -> (f32, f32) {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }
}

/// One shape; `class` names its style in `stage.css`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
#[serde(tag = "shape", rename_all = "lowercase")]
pub enum Shape {
    /// A rectangle with rounded corners.
    Rect {
        /// Left.
        x: f32,
        /// Top.
        y: f32,
        /// Width.
        w: f32,
        /// Height.
        h: f32,
        /// Radius of the corners.
        r: f32,
        /// Its style.
        class: &'static str,
    },
    /// A line of text; `y` is its baseline.
    Text {
        /// Where it is anchored.
        x: f32,
        /// The baseline.
        y: f32,
        /// The text, plain.
        text: String,
        /// Its style.
        class: &'static str,
        /// `start`, `middle` or `end`.
        anchor: &'static str,
    },
    /// A path in SVG's language.
    Path {
        /// The path.
        d: String,
        /// Its style.
        class: &'static str,
    },
}

/// A place on a face that says more than it shows: its title while the pointer rests on it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct Tip {
    /// Where.
    pub place: Rect,
    /// What it says.
    pub text: String,
    /// The partition (`orders-0`) or queue that is shown there; empty if it is none.
    pub of: String,
}

/// A node with its face.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct Card {
    /// The node's name.
    pub name: String,
    /// `server`, `controller`, `producer` or `consumer`.
    pub role: &'static str,
    /// `running`, `stopping`, `stopped`, `paused`, `killed` or `powered-off`.
    pub health: &'static str,
    /// All that the face shows, in a sentence for a screen reader.
    pub says: String,
    /// Where.
    pub place: Rect,
    /// What is drawn, in order; coordinates are the stage's.
    pub shapes: Vec<Shape>,
    /// Whether it has nothing to do with what is in focus.
    pub faded: bool,
    /// `leads`, or `transacts` of a producer with a transaction to end; else empty.
    pub does: &'static str,
    /// What parts of it say in full, the narrowest last.
    pub tips: Vec<Tip>,
}

/// A link between two nodes, drawn under the cards.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct Link {
    /// One end's name.
    pub from: String,
    /// The other end's name.
    pub to: String,
    /// `open`, `slow` (or losing), `cut` or `cut-one-way`.
    pub state: &'static str,
    /// Whether it has nothing to do with what is in focus.
    pub faded: bool,
    /// Its path in SVG's language.
    pub d: String,
}

/// So many on a way that they flow: drawn as one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct Stream {
    /// Where from.
    pub from: String,
    /// Where to.
    pub to: String,
    /// All of it in words.
    pub says: String,
    /// Its rate, to stand by it; empty where there is no room.
    pub label: String,
    /// The label's middle.
    pub x: f32,
    /// The label's baseline.
    pub y: f32,
}

/// A picture of one cluster at one time, without what flies.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct Picture {
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
    /// The settings that matter, in a line.
    pub caption: String,
    /// Links.
    pub links: Vec<Link>,
    /// Nodes.
    pub cards: Vec<Card>,
    /// Streams of what flies.
    pub streams: Vec<Stream>,
}

/// Draws into a list of shapes.
#[derive(Debug, Default)]
pub(crate) struct Pen {
    pub shapes: Vec<Shape>,
}

/// How wide a text is at a size, in CSS pixels: by the widest of the usual system fonts, so that what fits here fits
/// everywhere.
pub(crate) fn width_of(text: &str, size: f32) -> f32 {
    let em = |letter: char| match letter {
        'i' | 'j' | 'l' => 0.28,
        ' ' | '.' | ',' | '·' | ':' | '\'' => 0.32,
        'f' | 't' | 'r' | '-' | '(' | ')' | 'I' => 0.4,
        's' | 'c' | 'k' | 'v' | 'x' | 'y' | 'z' => 0.56,
        'm' | 'M' | 'W' | '…' | '@' => 1.0,
        'w' | 'A'..='Z' => 0.78,
        letter if letter.is_ascii() => 0.635,
        _ => 0.8,
    };
    text.chars().map(em).sum::<f32>() * size
}

impl Pen {
    pub fn rect(&mut self, place: Rect, r: f32, class: &'static str) {
        if let Shape::Rect { x, y, w, h, class, .. } = Pen::one(place, class) {
            self.shapes.push(Shape::Rect { x, y, w, h, r, class });
        }
    }

    /// A rectangle on its own.
    pub fn one(place: Rect, class: &'static str) -> Shape {
        let round = |v: f32| (v * 10.0).round() / 10.0;
        let Rect { x, y, w, h } = place;
        Shape::Rect { x: round(x), y: round(y), w: round(w.max(0.0)), h: round(h.max(0.0)), r: 5.0, class }
    }

    pub fn text(&mut self, x: f32, y: f32, text: impl Into<String>, class: &'static str, anchor: &'static str) {
        self.shapes.push(Shape::Text { x: x.round(), y: y.round(), text: text.into(), class, anchor });
    }

    pub fn path(&mut self, d: String, class: &'static str) {
        self.shapes.push(Shape::Path { d, class });
    }
}

/// Cuts a text to a width, with an ellipsis where something is missing.
pub(crate) fn fitted(text: &str, width: f32, size: f32) -> String {
    if width_of(text, size) <= width {
        return text.to_owned();
    }
    let mut kept: String = text.to_owned();
    while kept.chars().count() > 1 && width_of(&kept, size) + size > width {
        kept.pop();
    }
    format!("{}…", kept.trim_end_matches([' ', '·']))
}
