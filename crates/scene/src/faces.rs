//! What all faces have in common: the card, its head, its health; and what gives way where a card is small.

use crate::picture::{Card, Pen, Rect, Tip, fitted, width_of};
use player::say;
use sim::workload::{NodeInfo, Role};
use sim::{Health, Nanos, Time};

/// Lower cards have everything in one line: the name, the field, the badge.
const LOW: f32 = 50.0;
/// Sizes of type.
const NAME: f32 = 14.0;
const TEXT: f32 = 12.0;

/// A node's face in the making.
pub(crate) struct Face<'a> {
    pub pen: Pen,
    pub place: Rect,
    node: &'a NodeInfo,
    health: Health,
    says: Vec<String>,
    tips: Vec<Tip>,
    /// See [`Card::does`].
    pub does: &'static str,
    /// How much of the head is taken on its left and on its right.
    head: (f32, f32),
    /// Whether the line under the name is taken.
    under: bool,
}

/// A health's code.
pub(crate) fn health_name(health: Health) -> &'static str {
    match health {
        Health::Running => "running",
        Health::Stopping => "stopping",
        Health::Stopped => "stopped",
        Health::Paused => "paused",
        Health::Killed => "killed",
        Health::PoweredOff => "powered-off",
    }
}

/// How a health is called.
pub(crate) fn health_words(health: Health) -> &'static str {
    match health {
        Health::Running => say!("running"),
        Health::Stopping => say!("stopping"),
        Health::Stopped => say!("stopped"),
        Health::Paused => say!("paused"),
        Health::Killed => say!("killed"),
        Health::PoweredOff => say!("power off"),
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Server => "server",
        Role::Controller => "controller",
        Role::Producer(_) => "producer",
        Role::Consumer(_) => "consumer",
    }
}

impl<'a> Face<'a> {
    /// A card with its name and its health. `since` is when it went down.
    pub fn new(node: &'a NodeInfo, place: Rect, health: Health, now: Time, since: Option<Time>) -> Face<'a> {
        let says = vec![node.name.clone()];
        let head = (0.0, 0.0);
        let pen = Pen::default();
        let mut face = Face { pen, place, node, health, says, tips: Vec::new(), does: "", head, under: false };
        let class = match health {
            Health::Running => "card",
            Health::Stopping => "card stopping",
            Health::Paused => "card paused",
            Health::Stopped | Health::Killed => "card dead",
            Health::PoweredOff => "card off",
        };
        face.pen.rect(place, 6.0, class);
        face.name();
        if health != Health::Running {
            let down = since.map(|since| now.since(since)).filter(|down| *down > Nanos::ZERO);
            let words = health_words(health);
            let long = down.map_or(words.to_owned(), |down| format!("{words} · {}", say::number(down)));
            if health == Health::Paused {
                face.paused_mark();
            }
            let glyphs = if health == Health::Paused { "" } else { words };
            face.put_badge(&[&long, words, glyphs], "danger");
        }
        face
    }

    fn name(&mut self) {
        let Rect { x, y, w, .. } = self.place;
        let small = self.node.role == Role::Controller || self.place.h < 26.0;
        let (size, class) = if small { (TEXT, "name small") } else { (NAME, "name") };
        let words = fitted(&self.node.name, w - 14.0, size);
        if words != self.node.name {
            self.tip(Rect { h: 24.0_f32.min(self.place.h), ..self.place }, self.node.name.clone());
        }
        self.head.0 = 10.0 + width_of(&words, size);
        let base = if self.is_low() { y + self.place.h / 2.0 + 4.5 } else { y + if small { 16.0 } else { 19.0 } };
        self.pen.text(x + 10.0, base, words, class, "start");
    }

    /// Two bars after the name.
    fn paused_mark(&mut self) {
        let (x, y) = (self.place.x + self.head.0 + 7.0, self.head_middle());
        self.pen.path(format!("M{x:.1} {:.1}v10M{:.1} {:.1}v10", y - 5.0, x + 5.0, y - 5.0), "mark warning");
        self.head.0 += 18.0;
    }

    /// A link in two halves after the name: it is cut off from all the others.
    pub fn cut_off(&mut self) {
        let (x, y) = (self.place.x + self.head.0 + 7.0, self.head_middle());
        let words = say!("cut off from all other servers");
        self.says.push(words.to_owned());
        self.tip(Rect { x, y: y - 7.0, w: 22.0, h: 14.0 }, words.to_owned());
        self.pen.path(
            format!("M{x:.1} {y:.1}h6M{:.1} {y:.1}h6M{:.1} {:.1}l5 8", x + 14.0, x + 7.5, y - 4.0),
            "mark danger",
        );
        self.head.0 += 28.0;
    }

    /// A hatched head: it is there, and not trusted with anything.
    pub fn fenced_head(&mut self) {
        let Rect { x, y, w, h } = self.place;
        self.pen
            .shapes
            .insert(1, Pen::one(Rect { x: x + 1.0, y: y + 1.0, w: w - 2.0, h: 26.0_f32.min(h - 2.0) }, "head"));
    }

    /// A dotted border: it wants to lead.
    pub fn candidate(&mut self) {
        self.pen.rect(self.place, 6.0, "candidate");
        self.says.push(say!("candidate").to_owned());
    }

    fn is_low(&self) -> bool {
        self.place.h < LOW && self.node.role != Role::Controller
    }

    fn head_middle(&self) -> f32 {
        self.place.y + if self.is_low() { self.place.h / 2.0 } else { 15.0 }
    }

    /// Whether the process exists.
    pub fn is_alive(&self) -> bool {
        self.health.is_alive()
    }

    /// Where rows and cells go: under the head, or between the name and the badge of a low card.
    pub fn field(&self) -> Rect {
        let Rect { x, y, w, h } = self.place;
        if self.is_low() {
            let x = x + self.head.0 + 10.0;
            return Rect { x, y: y + 4.0, w: self.place.x_end() - self.head.1 - 8.0 - x, h: h - 8.0 };
        }
        let top = if self.under { 42.0 } else { 28.0 };
        Rect { x: x + 10.0, y: y + top, w: w - 20.0, h: h - top - 6.0 }
    }

    /// Adds to what the face says in words.
    pub fn say(&mut self, words: impl Into<String>) {
        self.says.push(words.into());
    }

    /// What a place says in full.
    pub fn tip(&mut self, place: Rect, text: String) {
        self.tip_of(place, text, String::new());
    }

    /// What a place says of the partition or queue that it shows.
    pub fn tip_of(&mut self, place: Rect, text: String, of: String) {
        self.tips.push(Tip { place, text, of });
    }

    /// Says something on the face and in the tip of the head.
    pub fn note(&mut self, short: &str, long: String) {
        let width = width_of(short, TEXT) + 12.0;
        let right = self.place.x_end() - self.head.1 - 6.0;
        // In a low card the field between name and badge comes first.
        let needed = width + if self.is_low() { 110.0 } else { 12.0 };
        if self.place.w - self.head.0 - self.head.1 > needed && !self.under {
            let middle = self.head_middle();
            let place = Rect { x: right - width, y: middle - 8.0, w: width, h: 16.0 };
            self.pen.rect(place, 3.0, "wait");
            self.pen.text(right - width / 2.0, middle + 4.0, short, "quiet", "middle");
            self.tip(place, long.clone());
            self.head.1 += width + 6.0;
        }
        self.says.push(long);
    }

    /// A badge: the longest of the given words that fit, at the right of the head or under the name.
    pub fn badge(&mut self, words: &[&str], class: &'static str) {
        if self.health == Health::Running {
            if class == "badge filled" {
                self.does = "leads";
            }
            self.put_badge(words, class);
        }
    }

    fn put_badge(&mut self, words: &[&str], class: &'static str) {
        let Some(full) = words.first() else { return };
        self.says.push((*full).to_owned());
        let Rect { x, y, w, .. } = self.place;
        let filled = class == "badge filled";
        let around = if filled { 18.0 } else { 2.0 };
        let room = w - self.head.0 - 18.0 - around;
        let fits = |room: f32| words.iter().copied().find(|words| width_of(words, TEXT + 0.5) <= room);
        let beside = fits(room);
        let roomy = !self.is_low() && self.place.h >= 44.0 && self.node.role != Role::Controller;
        if roomy && beside.is_none_or(|beside| beside != *full && self.place.h >= 90.0) {
            // No pill under the name: the words alone, in the colour of what they mean.
            let class = if filled { "leads" } else { class };
            let words = fits(w - 20.0).unwrap_or_default();
            self.pen.text(x + 10.0, y + 35.0, words, class, "start");
            self.under = true;
            if words != *full {
                self.tip(Rect { x, y: y + 24.0, w, h: 16.0 }, (*full).to_owned());
            }
            return;
        }
        let words = beside.unwrap_or_default();
        let (middle, width) = (self.head_middle(), width_of(words, TEXT + 0.5) + around);
        let place = Rect { x: x + w - 8.0 - width, y: middle - 9.0, w: width, h: 18.0 };
        if words.is_empty() {
            self.tip(Rect { x, y, w, h: 24.0_f32.min(self.place.h) }, (*full).to_owned());
            return;
        }
        if filled {
            self.pen.rect(place, 9.0, "pill filled");
        }
        self.pen.text(x + w - 9.0 - width / 2.0, middle + 4.0, words, class, "middle");
        if words != *full {
            self.tip(place, (*full).to_owned());
        }
        self.head.1 = width + 8.0;
    }

    /// A line of small text in the body: the longest of the given words that fit. A low card has room for the first
    /// line only, at its right.
    pub fn line(&mut self, row: usize, words: &[&str], class: &'static str) {
        let Some(full) = words.first().filter(|words| !words.is_empty()) else { return };
        let Rect { x, y, w, h } = self.place;
        let room = if self.is_low() { w - self.head.0 - 20.0 } else { w - 18.0 };
        let fits = words.iter().find(|words| width_of(words, TEXT) <= room);
        let shown = fits.map_or_else(|| fitted(full, room, TEXT), |words| (*words).to_owned());
        let place = Rect { x, y: y + 25.0 + row as f32 * 15.0, w, h: 15.0 };
        if self.is_low() {
            if row > 0 || room < 26.0 {
                return;
            }
            self.pen.text(x + w - 8.0, y + h / 2.0 + 4.0, shown.as_str(), class, "end");
            self.head.1 = width_of(&shown, TEXT) + 8.0;
        } else if place.y + 13.0 < y + h {
            self.pen.text(x + 10.0, place.y + 11.0, shown.as_str(), class, "start");
        } else {
            return;
        }
        if shown != **full {
            self.tip(if self.is_low() { self.place } else { place }, (*full).to_owned());
        }
    }

    /// A line at the foot of the card, if there is room under two lines of the body.
    pub fn foot(&mut self, words: &str) {
        let y = self.place.y + self.place.h - 9.0;
        if !words.is_empty() && self.is_alive() {
            if self.place.h >= 74.0 {
                self.pen.text(self.place.x + 10.0, y, fitted(words, self.place.w - 16.0, TEXT), "quiet", "start");
            }
            self.says.push(words.to_owned());
        }
    }

    /// The finished card.
    pub fn card(self) -> Card {
        Card {
            name: self.node.name.clone(),
            role: role_name(self.node.role),
            health: health_name(self.health),
            says: self.says.join(", "),
            place: self.place,
            shapes: self.pen.shapes,
            faded: false,
            tips: self.tips,
            does: self.does,
        }
    }
}
