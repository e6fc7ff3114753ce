//! basic.qos, and the limit that the consumers of a channel share (R-P1). The limit is kept on the channel's node: queues
//! that live elsewhere ask it for room, message by message.

use crate::Fx;
use crate::desk::{Ask, ChannelId, Limiter, QueueId};
use crate::server::Server;

impl Server {
    pub fn qos(&mut self, id: ChannelId, size: u32, count: u16, global: bool, fx: &mut Fx<'_>) {
        // R-P1: a limit by size does not exist.
        if size > 0 {
            return self.close_connection(id.client, 540, "NOT_IMPLEMENTED - prefetch_size != 0", fx);
        }
        let Some(channel) = self.live(id) else { return };
        if !global {
            // R-P1: for consumers that start later on this channel. A limit that they shared is over.
            channel.prefetch = u32::from(count);
            channel.limited = false;
            let Some(limiter) = self.limiters.get_mut(&id) else { return };
            limiter.limit = 0;
            let released = limiter.release();
            return self.resume_in_turn(id, released, fx);
        }
        channel.limited = count > 0;
        let held = channel.unacked.values().filter(|unacked| unacked.tag.is_some()).count() as u32;
        let mut queues: Vec<QueueId> = channel.subscriptions.values().map(|subscription| subscription.queue).collect();
        queues.dedup();
        let limiter = self.limiters.entry(id).or_insert_with(|| Limiter { volume: held, ..Limiter::default() });
        limiter.limit = u32::from(count);
        let released = if limiter.is_full() { Vec::new() } else { limiter.release() };
        for queue in queues {
            self.ask(queue, Ask::Limit { channel: id }, None, fx);
        }
        self.resume_in_turn(id, released, fx);
    }

    /// Messages that count are acknowledged, or were not sent after all.
    pub fn give_room(&mut self, id: ChannelId, count: u32, fx: &mut Fx<'_>) {
        let Some(limiter) = self.limiters.get_mut(&id) else { return };
        let resumed = limiter.acknowledged(count);
        self.resume_in_turn(id, resumed, fx);
    }

    /// A queue on another node asks whether it may send one more. Its process waits for the answer.
    pub fn asked_for_room(&mut self, id: ChannelId, queue: QueueId, fx: &mut Fx<'_>) {
        let alive = self.live(id).is_some();
        let granted = alive && self.limiters.get_mut(&id).is_none_or(|limiter| limiter.can_send(queue, true));
        self.ask(queue, Ask::Granted { channel: id, granted }, None, fx);
    }

    /// The channel's shared limit has room again: the queues that waited go on one after the other, as the first may
    /// take up all the room that there is. What a queue was given back comes before.
    fn resume_in_turn(&mut self, id: ChannelId, queues: Vec<QueueId>, fx: &mut Fx<'_>) {
        let Some(limiter) = self.limiters.get_mut(&id) else { return };
        limiter.turns.extend(queues);
        if !limiter.resuming {
            self.resume_next(id, fx);
        }
    }

    /// The next of the queues that waited goes on. Those on other nodes are not waited for.
    pub fn resume_next(&mut self, id: ChannelId, fx: &mut Fx<'_>) {
        while let Some(limiter) = self.limiters.get_mut(&id) {
            let next = limiter.turns.pop_front();
            limiter.resuming = next.is_some_and(|queue| self.classics.contains_key(&queue));
            let here = limiter.resuming;
            let Some(queue) = next else { return };
            self.ask(queue, Ask::Resume { channel: id }, None, fx);
            if here {
                return;
            }
        }
    }
}
