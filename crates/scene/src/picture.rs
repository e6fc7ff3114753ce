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
}

/// A link between two nodes, drawn under the cards.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export, export_to = "../../../www/src/gen/"))]
pub struct Link {
    /// One end's name.
    pub from: String,
    /// The other end's name.
    pub to: String,
    /// `open`, `cut` or `cut-one-way`.
    pub state: &'static str,
    /// Its path in SVG's language.
    pub d: String,
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
}

/// Draws into a list of shapes.
#[derive(Debug, Default)]
pub(crate) struct Pen {
    pub shapes: Vec<Shape>,
}

/// About how wide a letter is, as a part of the size of the type.
const LETTER: f32 = 0.56;

impl Pen {
    pub fn rect(&mut self, place: Rect, r: f32, class: &'static str) {
        let round = |v: f32| (v * 10.0).round() / 10.0;
        let Rect { x, y, w, h } = place;
        self.shapes.push(Shape::Rect { x: round(x), y: round(y), w: round(w.max(0.0)), h: round(h), r, class });
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
    let room = (width / (size * LETTER)).max(1.0) as usize;
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}
