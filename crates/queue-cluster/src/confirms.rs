//! Publisher confirms: what queues answered about published messages, and how clients are told.

use crate::Fx;
use crate::desk::{ChannelId, QueueId};
use crate::frame::Reply;
use crate::server::Server;

impl Server {
    /// R-C1, R-C2: a message is confirmed once every queue has it, and refused if one refuses.
    pub fn queue_answered(&mut self, id: ChannelId, queue: QueueId, number: u64, taken: bool) {
        let Some(channel) = self.live(id) else { return };
        let Some(unconfirmed) = channel.unconfirmed.get_mut(&number) else { return };
        unconfirmed.waiting.retain(|other| *other != queue);
        unconfirmed.refused |= !taken;
        if unconfirmed.waiting.is_empty() {
            let taken = !unconfirmed.refused;
            channel.unconfirmed.remove(&number);
            channel.done.push((number, taken));
            self.confirming.push(id);
        }
    }

    /// Sends what was confirmed in this event: one multiple confirm up to the first that is still open, the others
    /// one by one (R-C1).
    pub fn send_confirms(&mut self, fx: &mut Fx<'_>) {
        while let Some(id) = self.confirming.pop() {
            let Some(channel) = self.live(id) else { continue };
            if let [(tag, taken)] = channel.done[..] {
                channel.done.clear();
                self.reply(id, Reply::Confirm { tag, multiple: false, taken }, fx);
                continue;
            }
            let mut done = std::mem::take(&mut channel.done);
            done.sort_unstable();
            let open = channel.unconfirmed.keys().next().copied().unwrap_or(u64::MAX);
            for wanted in [true, false] {
                let mine = done.iter().filter(|(_, taken)| *taken == wanted).map(|(number, _)| *number);
                // A multiple answer must not cover what is answered otherwise.
                let other =
                    done.iter().find(|(_, taken)| *taken != wanted).map_or(open, |(number, _)| (*number).min(open));
                let (covered, single): (Vec<u64>, Vec<u64>) = mine.partition(|number| *number < other);
                if let Some(last) = covered.last() {
                    let reply = Reply::Confirm { tag: *last, multiple: covered.len() > 1, taken: wanted };
                    self.reply(id, reply, fx);
                }
                for number in single {
                    self.reply(id, Reply::Confirm { tag: number, multiple: false, taken: wanted }, fx);
                }
            }
        }
    }
}
