//! Dead-lettering (R-T4 to R-T6).

use crate::arguments::QueueArguments;
use crate::config::Rules;
use crate::desk::QueueId;
use crate::message::{Body, Death, Message, More, Reason};
use crate::routing;
use crate::topology::Topology;
use std::rc::Rc;

/// What became of a dead message.
#[derive(Debug, Default)]
pub struct Burial {
    /// The message as it goes on, and the queues that get it.
    pub on: Option<(Body, Vec<QueueId>)>,
    /// Queues that it was not put into because it goes in circles.
    pub circles: Vec<QueueId>,
}

/// Makes a dead message into what goes on, and routes it.
pub fn bury(
    topology: &Topology,
    queue: &Rc<str>,
    arguments: &QueueArguments,
    body: &Body,
    reason: Reason,
    rules: Rules,
) -> Burial {
    // R-T4: without an exchange of that name it is gone.
    let Some(exchange) = arguments.dead_letter_exchange.clone() else { return Burial::default() };
    let message = with_death(queue, &exchange, arguments.dead_letter_routing_key.clone(), body, reason, rules);
    let Some(targets) = routing::route(topology, &message) else { return Burial::default() };
    let circle = |target: &QueueId| {
        let name = topology.queues.get(target).map(|record| &record.name);
        reason != Reason::Rejected && name.is_some_and(|name| goes_in_circles(message.deaths(), name))
    };
    let (circles, targets): (Vec<_>, Vec<_>) = targets.iter().copied().partition(circle);
    Burial { on: (!targets.is_empty()).then(|| (Rc::new(message), targets)), circles }
}

/// R-T5: one entry for each queue and reason, the newest first; a repetition counts up and moves to the front.
fn with_death(
    queue: &Rc<str>,
    exchange: &Rc<str>,
    key: Option<Rc<str>>,
    body: &Body,
    reason: Reason,
    rules: Rules,
) -> Message {
    let mut more = body.more.as_deref().cloned().unwrap_or_default();
    if rules < Rules::V4_2 {
        // 3.10 grouped the entries anew each time, and turned their order around as it did (recorded).
        more.deaths.reverse();
    }
    let known = more.deaths.iter().position(|death| death.queue == *queue && death.reason == reason);
    let death = match known {
        Some(at) => {
            let death = more.deaths.remove(at);
            Death { count: death.count + 1, ..death }
        }
        None => Death {
            queue: queue.clone(),
            reason,
            count: 1,
            exchange: body.exchange.clone(),
            routing_keys: body.routing_keys(),
        },
    };
    more.deaths.insert(0, death);
    if key.is_some() {
        // R-T4: with a key of its own, the other keys that the sender selected do not count any more.
        more.headers.remove("CC");
    }
    Message {
        exchange: exchange.clone(),
        routing_key: key.unwrap_or_else(|| body.routing_key.clone()),
        // R-T4: its own expiration would kill it again at once.
        expiration: None,
        more: Some(Rc::new(More { ..more })),
        ..Message::clone(body)
    }
}

/// R-T6: it was in this queue before, and nobody rejected it since.
fn goes_in_circles(deaths: &[Death], target: &Rc<str>) -> bool {
    let Some(found) = deaths.iter().position(|death| death.queue == *target) else { return false };
    deaths[..=found].iter().all(|death| death.reason != Reason::Rejected)
}
