// M/M/1 on simcore: one component that emits its events to itself.
use serde::Serialize;
use simcore::{cast, Event, EventHandler, Simulation, SimulationContext};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

#[path = "dice.rs"]
mod dice;
use dice::{Dice, GAP, SERVICE};

#[derive(Clone, Serialize)]
struct Arrive {}

#[derive(Clone, Serialize)]
struct Depart {}

struct Server {
    context: SimulationContext,
    arrivals: Dice,
    services: Dice,
    waiting: VecDeque<f64>,
    to_come: u64,
    stay: f64,
}

impl Server {
    fn serve(&mut self) {
        let service = self.services.exponential(SERVICE);
        self.context.emit_self(Depart {}, service);
    }

    fn arrive(&mut self) {
        self.to_come -= 1;
        if self.to_come > 0 {
            let gap = self.arrivals.exponential(GAP);
            self.context.emit_self(Arrive {}, gap);
        }
        self.waiting.push_back(self.context.time());
        if self.waiting.len() == 1 {
            self.serve();
        }
    }

    fn depart(&mut self) {
        let since = self.waiting.pop_front().expect("who departs was there");
        self.stay += self.context.time() - since;
        if !self.waiting.is_empty() {
            self.serve();
        }
    }
}

impl EventHandler for Server {
    fn on(&mut self, event: Event) {
        cast!(match event.data {
            Arrive {} => {
                self.arrive()
            }
            Depart {} => {
                self.depart()
            }
        })
    }
}

fn main() {
    let customers = dice::customers();
    let from = Instant::now();
    let mut simulation = Simulation::new(1);
    let context = simulation.create_context("server");
    let server = Rc::new(RefCell::new(Server {
        context,
        arrivals: Dice::new(1),
        services: Dice::new(2),
        waiting: VecDeque::new(),
        to_come: customers,
        stay: 0.0,
    }));
    simulation.add_handler("server", server.clone());
    server.borrow().context.emit_self(Arrive {}, GAP);
    simulation.step_until_no_events();
    let stay = server.borrow().stay;
    dice::tell(from, stay / customers as f64);
}
