// M/M/1 on nexosim: one model that schedules its own events, on one thread (more threads only cost here).
use nexosim::model::{schedulable, Context, Model};
use nexosim::ports::{event_slot, EventSinkReader, EventSource, Output, SinkState};
use nexosim::simulation::{Mailbox, SimInit, SimulationError};
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

#[path = "dice.rs"]
mod dice;
use dice::{Dice, GAP, SERVICE};

#[derive(Serialize, Deserialize)]
struct Server {
    done: Output<f64>,
    #[serde(skip, default = "fresh")]
    arrivals: Dice,
    #[serde(skip, default = "fresh")]
    services: Dice,
    waiting: VecDeque<MonotonicTime>,
    to_come: u64,
    customers: u64,
    stay: f64,
}

// The model has to be serializable; it never is serialized here.
fn fresh() -> Dice {
    Dice::new(1)
}

// Nothing may be scheduled for this very instant.
fn later(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds).max(Duration::from_nanos(1))
}

#[Model]
impl Server {
    fn open(&mut self, _: (), context: &Context<Self>) {
        self.come(context);
    }

    fn come(&mut self, context: &Context<Self>) {
        let gap = later(self.arrivals.exponential(GAP));
        context.schedule_event(gap, schedulable!(Self::arrive), ()).expect("a time to come");
    }

    fn serve(&mut self, context: &Context<Self>) {
        let service = later(self.services.exponential(SERVICE));
        context.schedule_event(service, schedulable!(Self::depart), ()).expect("a time to come");
    }

    #[nexosim(schedulable)]
    fn arrive(&mut self, _: (), context: &Context<Self>) {
        self.to_come -= 1;
        if self.to_come > 0 {
            self.come(context);
        }
        self.waiting.push_back(context.time());
        if self.waiting.len() == 1 {
            self.serve(context);
        }
    }

    #[nexosim(schedulable)]
    async fn depart(&mut self, _: (), context: &Context<Self>) {
        let since = self.waiting.pop_front().expect("who departs was there");
        self.stay += context.time().duration_since(since).as_secs_f64();
        if !self.waiting.is_empty() {
            self.serve(context);
        } else if self.to_come == 0 {
            self.done.send(self.stay / self.customers as f64).await;
        }
    }
}

fn main() -> Result<(), SimulationError> {
    let customers = dice::customers();
    let from = Instant::now();
    let mut server = Server {
        done: Output::default(),
        arrivals: Dice::new(1),
        services: Dice::new(2),
        waiting: VecDeque::new(),
        to_come: customers,
        customers,
        stay: 0.0,
    };
    let mailbox = Mailbox::new();
    let mut bench = SimInit::with_num_threads(1);
    let (sink, mut done) = event_slot(SinkState::Enabled);
    server.done.connect_sink(sink);
    let open = EventSource::new().connect(Server::open, &mailbox).register(&mut bench);
    let mut simulation = bench.add_model(server, mailbox, "server").init(MonotonicTime::EPOCH)?;
    simulation.process_event(&open, ())?;
    simulation.run()?;
    dice::tell(from, done.try_read().expect("the last customer departed"));
    Ok(())
}
