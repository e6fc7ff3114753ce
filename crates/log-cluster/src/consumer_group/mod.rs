//! Groups by the consumer protocol (KIP-848, K-G7 to K-G9): what members and coordinator tell each other, the group as
//! its coordinator keeps it, and the member.

mod coordinator;
mod group;
mod member;
mod migration;
mod reconcile;
mod target;

pub use group::Written;
pub(crate) use group::{ConsumerGroup, Member};
pub(crate) use member::Modern;

use crate::config::ServerAssignor;
use crate::layout::Slot;
use sim::Nanos;
use std::rc::Rc;

/// The epoch that a member leaves with (K-G9).
pub(crate) const LEAVES: i32 = -1;
/// The epoch that a static member leaves with for a while (K-G9).
pub(crate) const LEAVES_FOR_A_WHILE: i32 = -2;

/// A member as it names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// Its id.
    pub id: Rc<str>,
    /// `group.instance.id`, if it is a static one.
    pub instance: Option<Rc<str>>,
}

/// A member's sign of life, and what it tells with it.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// The member.
    pub who: Who,
    /// The epoch that it knows: 0 to join, [`LEAVES`] or [`LEAVES_FOR_A_WHILE`].
    pub epoch: i32,
    /// All about itself, when it joins.
    pub about: Option<About>,
    /// What it owns, if that has changed since it last told.
    pub owned: Option<Vec<Slot>>,
}

/// What a member says about itself when it joins.
#[derive(Clone, Debug)]
pub struct About {
    /// `max.poll.interval.ms`: how long it may take to give partitions up.
    pub rebalance: Nanos,
    /// Topics, by their places among all topics.
    pub topics: Vec<u32>,
    /// The coordinator's assignor that it asks for.
    pub assignor: Option<ServerAssignor>,
}

/// The coordinator's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    /// The member's epoch.
    pub epoch: i32,
    /// When the next sign of life is due.
    pub interval: Nanos,
    /// What the member may own, if that has changed.
    pub assignment: Option<Vec<Slot>>,
}
