// M/M/1 on desru: events are boxed closures over one shared state.
use desru::EventScheduler;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

#[path = "dice.rs"]
mod dice;
use dice::{Dice, GAP, SERVICE};

struct Server {
    arrivals: Dice,
    services: Dice,
    waiting: VecDeque<f64>,
    to_come: u64,
    stay: f64,
}

type Shared = Rc<RefCell<Server>>;

fn serve(scheduler: &mut EventScheduler, shared: &Shared) {
    let service = shared.borrow_mut().services.exponential(SERVICE);
    let again = shared.clone();
    let action = move |scheduler: &mut EventScheduler| {
        depart(scheduler, &again);
        None
    };
    scheduler.timeout(service, Some(Box::new(action)), None);
}

fn come(scheduler: &mut EventScheduler, shared: &Shared) {
    let gap = shared.borrow_mut().arrivals.exponential(GAP);
    let again = shared.clone();
    let action = move |scheduler: &mut EventScheduler| {
        arrive(scheduler, &again);
        None
    };
    scheduler.timeout(gap, Some(Box::new(action)), None);
}

fn arrive(scheduler: &mut EventScheduler, shared: &Shared) {
    let (more, idle) = {
        let mut server = shared.borrow_mut();
        server.to_come -= 1;
        server.waiting.push_back(scheduler.current_time);
        (server.to_come > 0, server.waiting.len() == 1)
    };
    if more {
        come(scheduler, shared);
    }
    if idle {
        serve(scheduler, shared);
    }
}

fn depart(scheduler: &mut EventScheduler, shared: &Shared) {
    let more = {
        let mut server = shared.borrow_mut();
        let since = server.waiting.pop_front().expect("who departs was there");
        server.stay += scheduler.current_time - since;
        !server.waiting.is_empty()
    };
    if more {
        serve(scheduler, shared);
    }
}

fn main() {
    let customers = dice::customers();
    let from = Instant::now();
    let (arrivals, services) = (Dice::new(1), Dice::new(2));
    let server = Server { arrivals, services, waiting: VecDeque::new(), to_come: customers, stay: 0.0 };
    let shared = Rc::new(RefCell::new(server));
    let mut scheduler = EventScheduler::new();
    come(&mut scheduler, &shared);
    // Its log of all events would grow without bound; the filter keeps it empty, in the engine's favour.
    scheduler.run(Box::new(|_| false), Some(Box::new(|_, _| false)));
    let stay = shared.borrow().stay;
    dice::tell(from, stay / customers as f64);
}
