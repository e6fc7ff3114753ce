//! Transactions of a channel: publishes and acknowledgements that wait for a commit (R-C6).

use crate::Fx;
use crate::connection::{Said, Unacked};
use crate::desk::ChannelId;
use crate::frame::Method;
use crate::message::Body;
use crate::server::Server;

impl Server {
    pub fn transact(&mut self, id: ChannelId, method: &Method, fx: &mut Fx<'_>) {
        let Some(channel) = self.live(id) else { return };
        let confirms = channel.confirms;
        match (method, &mut channel.tx) {
            (Method::TxSelect, _) if confirms => {
                self.close_channel(id, 406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode", fx);
            }
            (Method::TxSelect, tx) => {
                tx.get_or_insert_default();
            }
            (Method::TxCommit, Some(tx)) => {
                let tx = std::mem::take(tx);
                for (mandatory, body) in tx.publishes {
                    self.publish(id, mandatory, body, fx);
                }
                for (said, unacked) in tx.said {
                    self.settle(id, unacked, said, fx);
                }
            }
            (Method::TxRollback, Some(tx)) => {
                // What was said of deliveries was not said.
                let tx = std::mem::take(tx);
                for unacked in tx.said.into_iter().flat_map(|(_, unacked)| unacked) {
                    channel.unacked.insert(unacked.number, unacked);
                }
            }
            _ => self.close_channel(id, 406, "PRECONDITION_FAILED - channel is not transactional", fx),
        }
    }

    pub fn hold_publish(&mut self, id: ChannelId, mandatory: bool, body: Body) {
        if let Some(tx) = self.live(id).and_then(|channel| channel.tx.as_mut()) {
            tx.publishes.push((mandatory, body));
        }
    }

    /// Tells the queues what was said of deliveries, now or at the commit.
    pub fn settle_or_hold(&mut self, id: ChannelId, unacked: Vec<Unacked>, said: Said, fx: &mut Fx<'_>) {
        match self.live(id).and_then(|channel| channel.tx.as_mut()) {
            Some(tx) => tx.said.push((said, unacked)),
            None => self.settle(id, unacked, said, fx),
        }
    }
}
