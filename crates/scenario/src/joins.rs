//! Clients that join while it runs: an order `add-client` makes one of the settings of another. They are there from the
//! start, after all others, and nothing starts them before; so what was played before is as it was.

use crate::compile::Checker;
use crate::document::{Document, LogPart, QueuePart, Settings};
use crate::read::suggest;
use crate::tape::{TapeOrder, Verb};
use serde_json::Value;
use std::borrow::Cow;

/// How many of the producers and of the consumers, the last ones, join later.
pub(crate) type Late = (usize, usize);

/// The document with all clients that its tape lets join, and how many these are.
pub(crate) fn widen<'a>(document: &'a Document, check: &mut Checker) -> (Cow<'a, Document>, Late) {
    let mut late = (0, 0);
    if document.tape.iter().all(|order| order.order != Verb::AddClient) {
        return (Cow::Borrowed(document), late);
    }
    let mut wide = document.clone();
    for (place, order) in document.tape.iter().enumerate().filter(|(_, order)| order.order == Verb::AddClient) {
        let path = format!("tape[{place}]");
        // What is missing is told with the order itself.
        let (Some(name), Some(like)) = (&order.node, &order.like) else { continue };
        if clients(&wide).any(|known| known == name) {
            check.refuse(format!("{path}.node"), format!("`{name}` is the name of another client already"));
        } else if let Err(message) = join(&mut wide, name, like, order, &mut late) {
            let known: Vec<String> = clients(&wide).cloned().collect();
            let message = suggest(message, like, known.iter().map(String::as_str));
            check.refuse(format!("{path}.like"), message);
        }
    }
    (Cow::Owned(wide), late)
}

fn clients(document: &Document) -> impl Iterator<Item = &String> {
    let producers = document.workload.producers.iter().map(|producer| &producer.name);
    producers.chain(document.workload.consumers.iter().map(|consumer| &consumer.name))
}

fn join(wide: &mut Document, name: &str, like: &str, order: &TapeOrder, late: &mut Late) -> Result<(), String> {
    if let Some(model) = wide.workload.producers.iter().find(|known| known.name == like) {
        let mut own = model.clone();
        (own.name, own.start) = (name.to_owned(), order.at);
        own.rate = order.rate.unwrap_or(own.rate);
        wide.workload.producers.push(own);
        late.0 += 1;
    } else if let Some(model) = wide.workload.consumers.iter().find(|known| known.name == like) {
        let mut own = model.clone();
        (own.name, own.start) = (name.to_owned(), order.at);
        own.processing = order.processing.unwrap_or(own.processing);
        wide.workload.consumers.push(own);
        late.1 += 1;
    } else {
        return Err(format!("there is no client `{like}` that it could be like"));
    }
    wide.log.iter_mut().for_each(|log| log_client(log, name, like, order));
    wide.queue.iter_mut().for_each(|queue| queue_client(queue, name, like, order));
    Ok(())
}

fn log_client(part: &mut LogPart, name: &str, like: &str, order: &TapeOrder) {
    let mut own = part.clients.get(like).cloned().unwrap_or_default();
    if let Some(topic) = &order.topic {
        own.topics = vec![topic.clone()];
    }
    if let Some(group) = &order.group {
        own.config.insert("group.id".to_owned(), Value::String(group.clone()));
    }
    // Two with one identity would fence each other.
    for (identity, shared) in [("transactional.id", &part.producer), ("group.instance.id", &part.consumer)] {
        let known = |settings: &Settings| settings.get(identity).and_then(Value::as_str).map(str::to_owned);
        if let Some(id) = known(&own.config).or_else(|| known(shared)) {
            own.config.insert(identity.to_owned(), Value::String(format!("{id}-{name}")));
        }
    }
    own.forward.iter_mut().for_each(|forward| forward.transactional_id += &format!("-{name}"));
    part.clients.insert(name.to_owned(), own);
}

fn queue_client(part: &mut QueuePart, name: &str, like: &str, order: &TapeOrder) {
    let mut own = part.clients.get(like).cloned().unwrap_or_default();
    if let Some(queue) = &order.queue {
        let mut consumer = own.consumer.take().unwrap_or_else(|| part.consumer.clone());
        consumer.queue = Some(queue.clone());
        own.consumer = Some(consumer);
    }
    part.clients.insert(name.to_owned(), own);
}
