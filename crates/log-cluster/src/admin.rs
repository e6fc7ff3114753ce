//! What an administrator asks for while the cluster runs: other replicas, elections (K-E7, K-E10).

use crate::broker::{Broker, Fx};
use crate::controller::Controller;
use crate::election::{Change, Election, PartitionState, change};
use crate::error::Code;
use crate::image::Record;
use crate::layout::Slot;
use crate::placement::place;
use crate::rpc::{ControlRequest, ControlResponse, Ticket};
use sim::story::{MarkKind, Rule};
use sim::workload::ClientOrder;

/// What a node is told from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// A client.
    Client(ClientOrder),
    /// A broker, by an administrator's tool; it passes it on to the active controller.
    Admin(AdminOrder),
    /// To a share consumer whose application does nothing by itself.
    Share(crate::share::ShareOrder),
}

/// An administrator's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminOrder {
    /// `kafka-reassign-partitions`: a partition's replicas, by the brokers' numbers (`broker-1` is 1), the preferred
    /// leader first; none: the reassignment under way is given up.
    Reassign {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The brokers.
        replicas: Vec<u16>,
    },
    /// `kafka-leader-election`: for all partitions of a topic, or of all topics.
    ElectLeaders {
        /// The topic.
        topic: Option<String>,
        /// `Preferred` or `Unclean`.
        kind: Election,
    },
    /// `kafka-topics --alter --partitions`: a topic gets more partitions (K-T2).
    CreatePartitions {
        /// The topic.
        topic: String,
        /// How many it is to have.
        count: u32,
    },
    /// `kafka-configs --alter --entity-type topics`, or `brokers` with `--entity-default` or `--entity-name`: a setting
    /// is another from now on (K-T6, K-T7).
    SetConfig {
        /// The topic; none: the brokers.
        topic: Option<String>,
        /// The one broker, by its number (`broker-1` is 1); none: all brokers.
        broker: Option<u16>,
        /// Kafka's name for the setting.
        setting: String,
        /// Its value, as one writes it; empty: `--delete-config`.
        value: String,
    },
}

impl AdminOrder {
    /// What it asks for, in a word or two.
    fn what(&self) -> String {
        match self {
            AdminOrder::Reassign { topic, partition, .. } => format!("reassignment of {topic}-{partition}"),
            AdminOrder::ElectLeaders { .. } => "election of leaders".to_owned(),
            AdminOrder::SetConfig { topic, broker, setting, value } => {
                let one = broker.map(|number| format!("broker-{number}"));
                format!("{setting}={value} of {}", topic.as_ref().or(one.as_ref()).map_or("the brokers", |name| name))
            }
            AdminOrder::CreatePartitions { topic, count } => format!("{count} partitions of {topic}"),
        }
    }

    /// The rule by which it is done or refused.
    fn rule(&self) -> Rule {
        Rule(match self {
            AdminOrder::Reassign { .. } => "K-E10",
            AdminOrder::ElectLeaders { .. } => "K-E7",
            AdminOrder::CreatePartitions { .. } => "K-T2",
            AdminOrder::SetConfig { topic: Some(_), .. } => "K-T6",
            AdminOrder::SetConfig { .. } => "K-T7",
        })
    }
}

impl Broker {
    /// The administrator's tool has this broker as its bootstrap server.
    pub(crate) fn on_admin(&mut self, order: AdminOrder, fx: &mut Fx<'_>) {
        self.control.admin_asks.push((order, None));
        self.pump_control(fx);
    }

    pub(crate) fn admin_answered(&mut self, ticket: Ticket, result: Result<(), Code>, fx: &mut Fx<'_>) {
        let asks = &mut self.control.admin_asks;
        let Some(place) = asks.iter().position(|(_, asked)| *asked == Some(ticket)) else { return };
        let (order, _) = asks.remove(place);
        if let Err(code) = result {
            let values = vec![order.what(), code.name().to_owned()];
            fx.mark(MarkKind::Refusal, "admin-refused", values, order.rule());
        }
    }

    /// Whether the controller was asked with this ticket for what an administrator wants.
    pub(crate) fn waits_for_admin(&self, ticket: Ticket) -> bool {
        self.control.admin_asks.iter().any(|(_, asked)| *asked == Some(ticket))
    }

    pub(crate) fn pump_admin(&mut self, fx: &mut Fx<'_>) {
        for place in 0..self.control.admin_asks.len() {
            if self.control.admin_asks[place].1.is_none() {
                let request = ControlRequest::Admin(Box::new(self.control.admin_asks[place].0.clone()));
                self.control.admin_asks[place].1 = self.ask_controller(request, fx);
            }
        }
    }
}

impl Controller {
    pub(crate) fn administer(&mut self, from: u16, ticket: Ticket, order: &AdminOrder, fx: &mut Fx<'_>) {
        let records = match order {
            AdminOrder::Reassign { topic, partition, replicas } => self.reassign(topic, *partition, replicas),
            AdminOrder::ElectLeaders { topic, kind } => self.elect_for(topic.as_deref(), *kind),
            AdminOrder::SetConfig { topic, broker, setting, value } => {
                self.set_config(topic.as_deref(), *broker, setting, value)
            }
            AdminOrder::CreatePartitions { topic, count } => self.add_partitions(topic, *count, fx),
        };
        match records {
            Err(code) => self.answer(from, ticket, ControlResponse::Admin(Err(code)), fx),
            Ok(records) if records.is_empty() => self.answer(from, ticket, ControlResponse::Admin(Ok(())), fx),
            Ok(records) => {
                let index = self.propose(records, fx);
                self.answer_when(index, from, ticket, ControlResponse::Admin(Ok(())), fx);
            }
        }
    }

    fn slot_of(&self, topic: &str, partition: u32) -> Result<Slot, Code> {
        let topic = self.layout.topic_named(topic).filter(|topic| partition < topic.room);
        let slot = topic.map(|topic| topic.first + partition);
        slot.filter(|slot| self.planned.partition(*slot).is_some()).ok_or(Code::UnknownTopicOrPartition)
    }

    /// K-E10
    fn reassign(&self, topic: &str, partition: u32, numbers: &[u16]) -> Result<Vec<Record>, Code> {
        let slot = self.slot_of(topic, partition)?;
        let state = self.planned.partition(slot).ok_or(Code::UnknownTopicOrPartition)?;
        let what = if numbers.is_empty() {
            self.may_cancel(slot, state)?;
            Change::CancelReassignment
        } else {
            let ids: Vec<u16> = numbers.iter().map(|number| number.wrapping_sub(1)).collect();
            let known = |id: &u16| self.planned.brokers.contains_key(id);
            let twice = (1..ids.len()).any(|place| ids[..place].contains(&ids[place]));
            if twice || !ids.iter().all(known) {
                return Err(Code::InvalidReplicaAssignment);
            }
            Change::Reassign(ids)
        };
        let active = self.planned.active();
        let next = change(state, &what, &self.rules(slot, &active));
        Ok(next.map(|next| Record::Partition(slot, next)).into_iter().collect())
    }

    /// K-T2: new partitions are placed like a new topic's; those that are there stay as they are.
    fn add_partitions(&mut self, name: &str, count: u32, fx: &mut Fx<'_>) -> Result<Vec<Record>, Code> {
        let layout = self.layout.clone();
        let topic = layout.topic_named(name).ok_or(Code::UnknownTopicOrPartition)?;
        let known = self.planned.count(topic);
        if known == 0 {
            return Err(Code::UnknownTopicOrPartition);
        }
        if count <= known || count > topic.room {
            return Err(Code::InvalidPartitions);
        }
        let placed = place(&self.usable(), count - known, topic.factor, fx.dice());
        if placed.is_empty() {
            return Err(Code::InvalidReplicationFactor);
        }
        let active = self.planned.active();
        let state = |replicas: Vec<u16>| {
            let isr = replicas.iter().copied().filter(|replica| active.contains(replica)).collect();
            PartitionState::new(replicas, isr)
        };
        let slots = topic.first + known..;
        Ok(slots.zip(placed).map(|(slot, replicas)| Record::Partition(slot, state(replicas))).collect())
    }

    fn may_cancel(&self, slot: Slot, state: &PartitionState) -> Result<(), Code> {
        if state.adding.is_empty() && state.removing.is_empty() {
            return Err(Code::NoReassignmentInProgress);
        }
        let left = state.isr.iter().any(|replica| !state.adding.contains(replica));
        if left || self.planned.topic(&self.layout, self.me, slot).unclean {
            Ok(())
        } else {
            Err(Code::InvalidReplicaAssignment)
        }
    }

    fn elect_for(&self, topic: Option<&str>, kind: Election) -> Result<Vec<Record>, Code> {
        let topics: Vec<&str> = match topic {
            Some(topic) => vec![topic],
            None => self.layout.topics.iter().map(|topic| &*topic.name).collect(),
        };
        let active = self.planned.active();
        let (mut records, mut refused) = (Vec::new(), Code::ElectionNotNeeded);
        for name in topics {
            let topic = self.layout.topic_named(name).ok_or(Code::UnknownTopicOrPartition)?;
            for slot in topic.first..topic.first + topic.room {
                let Some(state) = self.planned.partition(slot) else { continue };
                let needed = match kind {
                    Election::Preferred => state.leader != state.replicas.first().copied(),
                    Election::Online | Election::Unclean => state.leader.is_none(),
                };
                if !needed {
                    continue;
                }
                let next = change(state, &Change::Elect(kind), &self.rules(slot, &active));
                match next.filter(|next| next.leader != state.leader) {
                    Some(next) => records.push(Record::Partition(slot, next)),
                    None if kind == Election::Preferred => refused = Code::PreferredLeaderNotAvailable,
                    None => refused = Code::EligibleLeadersNotAvailable,
                }
            }
        }
        if records.is_empty() { Err(refused) } else { Ok(records) }
    }
}
