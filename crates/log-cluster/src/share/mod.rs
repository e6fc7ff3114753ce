//! Share groups (KIP-932, K-H1 to K-H5): the group, the window of records that each partition's leader keeps for it, the
//! coordinator that writes windows down, and the member.

mod calls;
mod check;
mod client;
mod group;
mod heartbeat;
mod leader;
mod look;
mod partition;
mod settings;
mod state;
mod wire;

pub(crate) use check::consumer_problems;
pub use client::SharePlan;
pub(crate) use client::{ShareAsk, ShareMember};
pub use group::ShareWritten;
pub(crate) use group::{ShareGroup, ShareGroupMember};
pub(crate) use leader::Shares;
pub(crate) use partition::SharePartition;
pub use partition::{Acquired, ShareState, Standing};
pub(crate) use settings::Pulse;
pub use settings::{AcknowledgementMode, AcquireMode, GroupConfig, ShareConfig, ShareReset};
pub(crate) use state::StateAsk;
pub use wire::{Ack, ShareFetch, ShareFetched, ShareOrder, ShareRequest, ShareResponse, ShareWake};
