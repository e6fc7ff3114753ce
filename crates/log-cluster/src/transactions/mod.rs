//! Transactions (K-X1 to K-X7): their coordinators, what logs know of them, and their use by applications.

mod call;
mod client;
mod completion;
mod coordinator;
mod forward;
mod index;
mod offsets;
mod state;
mod verify;
mod wire;

pub(crate) use call::{Ask, Transactions};
pub use client::Stage;
pub(crate) use client::{TransactionAsk, Transactional};
pub(crate) use forward::{Forward, ForwardAsk};
pub use index::{Aborted, Marker};
pub(crate) use index::{Index, passes, readable};
pub use offsets::Offsets;
pub(crate) use state::Transaction;
pub use state::{TransactionRecord, TransactionState};
pub use wire::{TransactionRequest, TransactionResponse, TransactionWake};
