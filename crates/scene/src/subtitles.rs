//! What clients do now: rates and processing times, as the document has them and the orders so far have changed them.

use player::{Player, say};
use scenario::Deed;
use scenario::units::{Rate, Span};
use sim::hand::Hand;
use sim::workload::{ClientOrder, Duration};

/// A line for each client.
pub(crate) struct Subtitles {
    rates: Vec<String>,
    processing: Vec<String>,
    by_hand: Vec<bool>,
}

fn rate(milli: u64) -> String {
    say!("{} msg/s", say::number(Rate(milli).to_string().trim_end_matches("/s")))
}

fn processing(duration: Duration) -> String {
    match duration {
        Duration::Constant(d) => say!("{} each", say::number(d)),
        Duration::Uniform(low, high) => say!("{} to {} each", say::number(low), say::number(high)),
        Duration::Exponential(mean) => say!("about {} each", say::number(Span(mean))),
    }
}

impl Subtitles {
    pub fn of(player: &Player) -> Subtitles {
        let workload = &player.compiled().workload;
        let mut subtitles = Subtitles {
            rates: workload.producers.iter().map(|p| rate(p.rate_milli)).collect(),
            processing: workload.consumers.iter().map(|c| processing(c.processing)).collect(),
            by_hand: workload.consumers.iter().map(|c| c.by_hand).collect(),
        };
        for step in player.compiled().tape.iter().take(player.state().orders) {
            match &step.deed {
                Deed::Client(ClientOrder::SetRate { producer, rate_milli }) => {
                    subtitles.set_rate(*producer, *rate_milli);
                }
                Deed::Client(ClientOrder::SetProcessing { consumer, processing: duration }) => {
                    if let Some(line) = subtitles.processing.get_mut(usize::from(*consumer)) {
                        *line = processing(*duration);
                    }
                }
                Deed::Client(ClientOrder::Hand { consumer, hand: hand @ (Hand::Take | Hand::LetGo) }) => {
                    if let Some(led) = subtitles.by_hand.get_mut(usize::from(*consumer)) {
                        *led = *hand == Hand::Take;
                    }
                }
                _ => {}
            }
        }
        subtitles
    }

    fn set_rate(&mut self, producer: u16, rate_milli: u64) {
        if let Some(line) = self.rates.get_mut(usize::from(producer)) {
            *line = rate(rate_milli);
        }
    }

    /// How much a producer produces.
    pub fn rate(&self, producer: u16) -> &str {
        self.rates.get(usize::from(producer)).map_or("", String::as_str)
    }

    /// How long a consumer works on a message.
    pub fn processing(&self, consumer: u16) -> &str {
        if self.by_hand.get(usize::from(consumer)) == Some(&true) {
            return say!("by hand");
        }
        self.processing.get(usize::from(consumer)).map_or("", String::as_str)
    }
}
