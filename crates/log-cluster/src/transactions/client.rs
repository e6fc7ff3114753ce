//! A producing application that uses transactions: when it begins and ends them is the lab's notion, the rest is the
//! producer's client (K-X3 to K-X5).

use crate::client::Fx;
use crate::config::{ProducerClient, TransactionPlan, millis};
use crate::error::Code;
use crate::producer::{Asked, Producer};
use crate::rpc::{ClientWake, Request, Ticket, Wake};
use crate::shared_queue::SharedQueue;
use crate::transactions::{TransactionRequest, TransactionResponse};
use crate::view::ProducerTransactionsView;
use sim::story::{FlightKind, Life, Look, MarkKind, MessageId, Note, Rule};
use sim::workload::Fresh;
use sim::{Alarm, Nanos, Time};
use std::rc::Rc;

/// What a transactional producer asked a coordinator.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum TransactionAsk {
    Coordinator,
    Init,
    /// Whether to commit.
    End(bool),
}

/// Where the application is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has not begun.
    Idle,
    /// It wants an id and an epoch (`initTransactions`).
    Initializing,
    /// No transaction is open.
    Ready,
    /// A transaction is open.
    Open,
    /// It hangs, and the transaction stays open.
    Hung,
    /// It waits for the end: a commit or not.
    Ending(bool),
    /// It was fenced, and has ended.
    Over,
}

/// A producer's transactions.
#[derive(Clone, Debug)]
pub(crate) struct Transactional {
    pub id: Rc<str>,
    plan: TransactionPlan,
    timeout: Nanos,
    pub stage: Stage,
    coordinator: Option<u16>,
    /// How many transactions it has begun.
    pub begun: u32,
    /// What it has sent in the open one.
    pub records: Vec<MessageId>,
    /// What it will send once it may.
    pub waiting: SharedQueue<Fresh>,
    /// A batch failed while the application hung: it will have to abort.
    failed: bool,
    not_before: Time,
    /// Tells the alarms of one stage from the next.
    number: u32,
    plan_alarm: Option<Alarm>,
}

impl Transactional {
    pub fn new(client: &ProducerClient) -> Option<Box<Transactional>> {
        let id = client.config.transactional_id.as_deref()?;
        Some(Box::new(Transactional {
            id: id.into(),
            plan: client.transactions.clone(),
            timeout: millis(client.config.transaction_timeout_ms),
            stage: Stage::Idle,
            coordinator: None,
            begun: 0,
            records: Vec::new(),
            waiting: SharedQueue::default(),
            failed: false,
            not_before: Time::ZERO,
            number: 0,
            plan_alarm: None,
        }))
    }

    /// A new life of the application: nothing is left but the plan.
    pub fn renew(&mut self) {
        (self.stage, self.coordinator, self.begun) = (Stage::Idle, None, 0);
        self.records.clear();
        self.waiting.clear();
        self.failed = false;
        self.not_before = Time::ZERO;
        self.number = self.number.wrapping_add(1);
        self.plan_alarm = None;
    }

    /// Whether everything is to be sent at once.
    pub fn hurries(&self) -> bool {
        matches!(self.stage, Stage::Ending(_))
    }

    /// Whether nothing keeps the application from ending.
    pub fn is_done(&self) -> bool {
        match self.stage {
            Stage::Hung | Stage::Over => true,
            Stage::Idle | Stage::Initializing | Stage::Ready => self.waiting.is_empty(),
            Stage::Open | Stage::Ending(_) => false,
        }
    }

    /// For those who look on.
    pub fn view(&self) -> ProducerTransactionsView {
        ProducerTransactionsView {
            id: self.id.to_string(),
            stage: self.stage,
            begun: self.begun,
            records: self.records.len() as u32,
            waiting: self.waiting.len() as u32,
        }
    }

    fn is_last_record(&self) -> bool {
        self.plan.records > 0 && self.records.len() >= self.plan.records as usize
    }
}

impl Producer {
    /// The application begins with its source.
    pub(crate) fn arm_transactions(&mut self, begin: Time, fx: &mut Fx<'_>) {
        if let Some(own) = &mut self.transactions {
            own.number = own.number.wrapping_add(1);
            fx.wake_at(begin.max(fx.now()), Wake::Client(ClientWake::Transaction(own.number)));
        }
    }

    pub(crate) fn transaction_woke(&mut self, number: u32, fx: &mut Fx<'_>) {
        let Some(own) = &mut self.transactions else { return };
        match own.stage {
            Stage::Idle if own.number == number => own.stage = Stage::Initializing,
            Stage::Open if own.number == number => self.finish_transaction(fx),
            Stage::Hung if own.number == number => {
                let commit = !own.failed;
                self.end_transaction(commit, fx);
            }
            _ => {}
        }
        self.pump(fx);
    }

    /// A record is handed over: it belongs to the open transaction, or begins one; else it waits. Answers whether the
    /// transaction ends with it.
    pub(crate) fn take_part(&mut self, fresh: &Fresh, fx: &mut Fx<'_>) -> Option<bool> {
        let Some(own) = &mut self.transactions else { return Some(false) };
        match own.stage {
            Stage::Ready => {
                own.stage = Stage::Open;
                own.begun += 1;
                own.number = own.number.wrapping_add(1);
                if let Some(every) = own.plan.every {
                    let wake = Wake::Client(ClientWake::Transaction(own.number));
                    own.plan_alarm = Some(fx.wake_in(every, wake));
                }
            }
            Stage::Open => {}
            _ => {
                own.waiting.push_back(*fresh);
                return None;
            }
        }
        own.records.push(fresh.id);
        Some(own.is_last_record())
    }

    /// The plan says that the transaction ends now: it commits, aborts, or hangs.
    pub(crate) fn finish_transaction(&mut self, fx: &mut Fx<'_>) {
        let Some(own) = &mut self.transactions else { return };
        if let Some(alarm) = own.plan_alarm.take() {
            fx.cancel(alarm);
        }
        if own.begun == own.plan.hang_at {
            own.stage = Stage::Hung;
            own.number = own.number.wrapping_add(1);
            if let Some(wait) = own.plan.hang_for {
                fx.wake_in(wait, Wake::Client(ClientWake::Transaction(own.number)));
            }
            let values = vec![self.client.layout.name(fx.me().0)];
            fx.mark(MarkKind::Change, "application-hangs", values, Rule("K-X6"));
            return;
        }
        let aborts = own.plan.abort_every > 0 && own.begun.is_multiple_of(own.plan.abort_every);
        self.end_transaction(!aborts, fx);
    }

    /// `commitTransaction` or `abortTransaction`. What is aborted and was not sent is not sent any more.
    pub(crate) fn end_transaction(&mut self, commit: bool, fx: &mut Fx<'_>) {
        let Some(own) = &mut self.transactions else { return };
        if !matches!(own.stage, Stage::Open | Stage::Hung | Stage::Ending(_)) {
            return;
        }
        if let Some(alarm) = own.plan_alarm.take() {
            fx.cancel(alarm);
        }
        own.stage = Stage::Ending(commit);
        own.failed = false;
        if !commit {
            self.blocked.clear();
            for bundle in self.gathered.drop_unsent() {
                self.finish(&bundle);
            }
        }
    }

    /// A batch failed: the transaction can only be aborted.
    pub(crate) fn fail_transaction(&mut self, fx: &mut Fx<'_>) {
        match &mut self.transactions {
            Some(own) if own.stage == Stage::Hung => own.failed = true,
            _ => self.end_transaction(false, fx),
        }
    }

    /// Asks what is to be asked now.
    pub(crate) fn pump_transactions(&mut self, fx: &mut Fx<'_>) {
        let Some(own) = &self.transactions else { return };
        if own.stage == Stage::Open && self.closing {
            self.end_transaction(true, fx);
        }
        let flushed = self.gathered.is_empty() && self.blocked.is_empty() && self.under_way() == 0;
        let Some(own) = &self.transactions else { return };
        let ask = match own.stage {
            Stage::Initializing => TransactionAsk::Init,
            Stage::Ending(commit) if flushed => TransactionAsk::End(commit),
            _ => return,
        };
        if fx.now() < own.not_before || self.client.all_waiting().any(|asked| matches!(asked, Asked::Transaction(_))) {
            return;
        }
        self.ask_coordinator(ask, fx);
    }

    fn ask_coordinator(&mut self, ask: TransactionAsk, fx: &mut Fx<'_>) {
        let Some(own) = &self.transactions else { return };
        let (id, look) = (own.id.clone(), Look::plain(FlightKind::Control));
        let Some(coordinator) = own.coordinator else {
            let layout = self.client.layout.clone();
            if let Some(broker) = layout.broker_nodes().find(|broker| self.client.is_reachable(broker.0, fx)) {
                let request = Request::Transaction(id, TransactionRequest::FindCoordinator);
                let asked = Asked::Transaction(TransactionAsk::Coordinator);
                self.client.ask(broker.0, request, asked, 60, look, fx);
            } else {
                self.client.refresh(fx);
                self.try_transaction_later(false, fx);
            }
            return;
        };
        let request = match (ask, self.ids.identity()) {
            (TransactionAsk::End(commit), Some((producer, epoch))) => TransactionRequest::End(producer, epoch, commit),
            _ => TransactionRequest::Init(own.timeout),
        };
        let request = Request::Transaction(id, request);
        if self.client.ask(coordinator, request, Asked::Transaction(ask), 80, look, fx).is_none() {
            // It is being called; perhaps another one is the coordinator by then.
            self.try_transaction_later(true, fx);
        }
    }

    pub(crate) fn try_transaction_later(&mut self, elsewhere: bool, fx: &mut Fx<'_>) {
        let wait = self.client.waits.retry;
        if let Some(own) = &mut self.transactions {
            if elsewhere {
                own.coordinator = None;
            }
            own.not_before = fx.now() + wait;
            fx.wake_in(wait, Wake::Client(ClientWake::Transaction(0)));
        }
    }

    pub(crate) fn on_transaction(&mut self, ticket: Ticket, response: TransactionResponse, fx: &mut Fx<'_>) {
        let Some(Asked::Transaction(ask)) = self.client.answered(ticket, fx) else { return };
        let Some(own) = &mut self.transactions else { return };
        match (response, ask) {
            (TransactionResponse::Coordinator(Ok(broker)), _) => {
                own.coordinator = Some(broker);
                self.client.want(broker, fx);
            }
            (TransactionResponse::Identity(Ok((id, epoch))), TransactionAsk::Init) => {
                self.ids.renew(id, epoch);
                self.begin_next(fx);
            }
            (TransactionResponse::Identity(Ok((id, epoch))), TransactionAsk::End(commit)) => {
                self.ids.renew(id, epoch);
                let (life, rule) = if commit { (Life::Acknowledged, "K-X5") } else { (Life::Aborted, "K-X5") };
                for record in std::mem::take(&mut own.records) {
                    fx.note(Note::Life(record, life, Rule(rule)));
                }
                self.begin_next(fx);
            }
            (TransactionResponse::Identity(Err(code)), _) => match code {
                Code::ConcurrentTransactions | Code::CoordinatorNotAvailable => self.try_transaction_later(false, fx),
                Code::NotCoordinator => self.try_transaction_later(true, fx),
                _ => self.fenced(code, fx),
            },
            (TransactionResponse::Coordinator(Err(_)), _) => {
                self.client.refresh(fx);
                self.try_transaction_later(true, fx);
            }
            _ => {}
        }
    }

    /// A transaction is over, or the first one may begin: what waited is handed over.
    fn begin_next(&mut self, fx: &mut Fx<'_>) {
        let Some(own) = &mut self.transactions else { return };
        own.stage = Stage::Ready;
        while let Some(own) = &mut self.transactions
            && matches!(own.stage, Stage::Ready | Stage::Open)
            && let Some(fresh) = own.waiting.pop_front()
        {
            self.hand_over(fresh, fx);
        }
    }

    /// K-X3: fatal. Nothing more can be sent as this producer; the application ends.
    fn fenced(&mut self, code: Code, fx: &mut Fx<'_>) {
        let values = vec![self.client.layout.name(fx.me().0), code.name().to_owned()];
        fx.mark(MarkKind::Refusal, "producer-fenced", values, Rule("K-X3"));
        let mut open: Vec<MessageId> = Vec::new();
        self.held(&mut |id| open.push(id));
        if let Some(own) = &mut self.transactions {
            open.append(&mut own.records);
            own.waiting.clear();
            own.stage = Stage::Over;
        }
        open.sort_unstable();
        open.dedup();
        for id in open {
            fx.note(Note::Life(id, Life::Refused, Rule("K-X3")));
        }
        self.blocked.clear();
        fx.exit();
    }
}
