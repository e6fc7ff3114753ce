//! What all faces have in common: the card, its head, its health.

use crate::picture::{Card, Pen, Rect, fitted};
use sim::workload::{NodeInfo, Role};
use sim::{Health, Nanos, Time};

/// A node's face in the making.
pub(crate) struct Face<'a> {
    pub pen: Pen,
    pub place: Rect,
    node: &'a NodeInfo,
    health: Health,
    says: Vec<String>,
}

/// How a health is called.
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

fn health_words(health: Health) -> &'static str {
    match health {
        Health::Running => "running",
        Health::Stopping => "stopping",
        Health::Stopped => "stopped",
        Health::Paused => "paused",
        Health::Killed => "killed",
        Health::PoweredOff => "power off",
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
    /// A card with its name; `badge` says its role unless its health says more. `since` is when it went down.
    pub fn new(node: &'a NodeInfo, place: Rect, health: Health, now: Time, since: Option<Time>) -> Face<'a> {
        let mut face = Face { pen: Pen::default(), place, node, health, says: vec![node.name.clone()] };
        let class = match health {
            Health::Running => "card",
            Health::Stopping => "card stopping",
            Health::Paused => "card paused",
            Health::Stopped | Health::Killed => "card dead",
            Health::PoweredOff => "card off",
        };
        face.pen.rect(place, 6.0, class);
        let (top, class) = if node.role == Role::Controller { (15.0, "name small") } else { (19.0, "name") };
        face.pen.text(place.x + 10.0, place.y + top, fitted(&node.name, place.w - 14.0, 12.5), class, "start");
        if health != Health::Running {
            let down = since.map(|since| now.since(since)).filter(|down| *down > Nanos::ZERO);
            let words = match down {
                Some(down) => format!("{} · {down}", health_words(health)),
                None => health_words(health).to_owned(),
            };
            face.says.push(words.clone());
            if face.is_tall() {
                face.pen.text(place.x + 10.0, place.y + 35.0, fitted(&words, place.w - 20.0, 12.0), "danger", "start");
            } else {
                face.pen.text(
                    place.x + place.w - 8.0,
                    place.y + 19.0,
                    fitted(&words, place.w * 0.6, 12.0),
                    "danger",
                    "end",
                );
            }
        }
        face
    }

    fn is_tall(&self) -> bool {
        self.place.w < 180.0 && self.place.h > 44.0
    }

    /// Whether the process exists.
    pub fn is_alive(&self) -> bool {
        self.health.is_alive()
    }

    /// Where rows begin under the head.
    pub fn body(&self) -> f32 {
        self.place.y + if self.is_tall() { 44.0 } else { 30.0 }
    }

    /// Adds to what the face says in words.
    pub fn say(&mut self, words: impl Into<String>) {
        self.says.push(words.into());
    }

    /// A badge at the right of the head, or under the name where the card is narrow.
    pub fn badge(&mut self, words: &str, class: &'static str) {
        if self.health != Health::Running {
            return;
        }
        self.says.push(words.to_owned());
        let Rect { x, y, w, .. } = self.place;
        if self.is_tall() {
            // No pill under the name: the words alone, in the colour of what they mean.
            let class = if class == "badge filled" { "leads" } else { class };
            self.pen.text(x + 10.0, y + 35.0, fitted(words, w - 20.0, 12.0), class, "start");
            return;
        }
        let room = w - 34.0 - self.node.name.len() as f32 * 7.6;
        let words = fitted(words, room, 12.0);
        if class == "badge filled" || class == "badge" {
            let width = words.chars().count() as f32 * 6.9 + 18.0;
            let pill = if class == "badge" { "pill" } else { "pill filled" };
            self.pen.rect(Rect { x: x + w - 8.0 - width, y: y + 7.0, w: width, h: 18.0 }, 9.0, pill);
            self.pen.text(x + w - 8.0 - width / 2.0, y + 20.0, words, class, "middle");
        } else {
            self.pen.text(x + w - 10.0, y + 19.0, words, class, "end");
        }
    }

    /// A line of small text in the body.
    pub fn line(&mut self, row: usize, words: &str, class: &'static str) {
        let y = self.place.y + 36.0 + row as f32 * 15.0;
        if y < self.place.y + self.place.h - 2.0 {
            self.pen.text(self.place.x + 10.0, y, fitted(words, self.place.w - 16.0, 12.0), class, "start");
        }
    }

    /// A line at the foot of the card, if there is room under two lines of the body.
    pub fn foot(&mut self, words: &str) {
        let y = self.place.y + self.place.h - 9.0;
        if !words.is_empty() && self.place.h >= 74.0 && self.is_alive() {
            self.pen.text(self.place.x + 10.0, y, fitted(words, self.place.w - 16.0, 12.0), "quiet", "start");
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
        }
    }
}
