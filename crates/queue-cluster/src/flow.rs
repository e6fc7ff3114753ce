//! Which connections are read from: commands of replicated queues (R-U3), credit of classic queues (R-M3), alarms
//! (R-M4), heartbeats (R-M6) and acknowledgements that are overdue (R-K6).

use crate::Fx;
use crate::connection::Connection;
use crate::desk::{ChannelId, QueueId};
use crate::frame::Wake;
use crate::server::Server;
use sim::{Nanos, NodeId};

impl Server {
    pub fn client_connected(&mut self, client: NodeId, fx: &mut Fx<'_>) {
        self.next_channel += 1;
        let serial = u64::from(self.boot) << 32 | u64::from(self.next_channel);
        self.connections.insert(client, Connection::new(fx.now(), serial));
        let agreed = self.config.server.heartbeat;
        if agreed > Nanos::ZERO {
            fx.wake_in(agreed, Wake::HeartbeatCheck(client, serial));
        }
    }

    /// R-M6: looked at every agreed time; the second look that finds nothing new closes the connection.
    pub fn check_heartbeat(&mut self, client: NodeId, serial: u64, fx: &mut Fx<'_>) {
        let agreed = self.config.server.heartbeat;
        let Some(connection) = self.connections.get_mut(&client).filter(|known| known.serial == serial) else { return };
        // While the server does not read it does not look either.
        if connection.heard > connection.checked || connection.in_flow || connection.blocked {
            connection.checked = connection.heard;
            connection.unchanged = 0;
        } else {
            connection.unchanged += 1;
        }
        if connection.unchanged >= 2 {
            self.connection_gone(client, fx);
            return fx.disconnect(client);
        }
        fx.wake_in(agreed, Wake::HeartbeatCheck(client, serial));
    }

    /// R-K6: a message that is not acknowledged in time costs the channel; each looks once a minute.
    pub fn channel_tick(&mut self, id: ChannelId, fx: &mut Fx<'_>) {
        let (now, limit) = (fx.now(), self.config.server.consumer_timeout);
        let Some(channel) = self.live(id) else { return };
        let oldest = channel.unacked.values().next();
        if oldest.is_some_and(|unacked| now.since(unacked.since) > limit) {
            let reason = "PRECONDITION_FAILED - delivery acknowledgement on channel timed out";
            return self.close_channel(id, 406, reason, fx);
        }
        fx.wake_in(self.config.server.channel_tick, Wake::ChannelTick(id));
    }

    /// R-M3: the channel sends the queue one message more; without credit left its connection is not read from.
    pub fn spend_credit(&mut self, id: ChannelId, queue: QueueId) {
        let (first, _) = self.config.server.credit;
        let Some(channel) = self.live(id) else { return };
        let place = channel.credits.iter().position(|(known, _)| *known == queue).unwrap_or_else(|| {
            channel.credits.push((queue, first));
            channel.credits.len() - 1
        });
        let left = &mut channel.credits[place].1;
        *left = left.saturating_sub(1);
        if *left == 0
            && let Some(connection) = self.connections.get_mut(&id.client)
        {
            connection.in_flow = true;
        }
    }

    /// The queue has worked off what the channel sent before.
    pub fn credit_came(&mut self, id: ChannelId, queue: QueueId, count: u32, fx: &mut Fx<'_>) {
        let Some(channel) = self.live(id) else { return };
        let known = channel.credits.iter_mut().find(|(known, _)| *known == queue);
        let was_spent = known.is_some_and(|(_, left)| {
            *left += count;
            *left == count
        });
        if was_spent {
            self.read_on(id.client, fx);
        }
    }

    /// A queue is gone, or its node: what was sent there is not waited for.
    pub fn forget_credit(&mut self, gone: &[QueueId], fx: &mut Fx<'_>) {
        let mut freed = Vec::new();
        for (client, connection) in &mut self.connections {
            for channel in connection.channels.values_mut() {
                let before = channel.credits.len();
                channel.credits.retain(|(queue, _)| !gone.contains(queue));
                if channel.credits.len() < before {
                    freed.push(*client);
                }
            }
        }
        for client in freed {
            self.read_on(client, fx);
        }
    }

    /// R-Q3: the channel has sent to a node that has just gone: it waits until the node is known to be down.
    pub fn stick(&mut self, id: ChannelId) {
        if let Some(channel) = self.live(id) {
            channel.stuck = true;
        }
        if let Some(connection) = self.connections.get_mut(&id.client) {
            connection.in_flow = true;
        }
    }

    pub fn unstick(&mut self, fx: &mut Fx<'_>) {
        let stuck = |connection: &Connection| connection.channels.values().any(|channel| channel.stuck);
        let clients: Vec<NodeId> =
            self.connections.iter().filter(|(_, c)| stuck(c)).map(|(client, _)| *client).collect();
        for client in clients {
            if let Some(connection) = self.connections.get_mut(&client) {
                connection.channels.values_mut().for_each(|channel| channel.stuck = false);
            }
            self.read_on(client, fx);
        }
    }

    /// A command of the channel to a replicated queue is applied: the connection may be read again (R-U3).
    pub fn command_done(&mut self, id: ChannelId, fx: &mut Fx<'_>) {
        if let Some(channel) = self.live(id) {
            channel.commands = channel.commands.saturating_sub(1);
        }
        self.read_on(id.client, fx);
    }

    /// Reads what waits in a connection's socket, as far as nothing holds it up.
    pub fn read_on(&mut self, client: NodeId, fx: &mut Fx<'_>) {
        let limit = self.config.server.quorum_commands_soft_limit;
        loop {
            let Some(connection) = self.connections.get_mut(&client) else { return };
            let spent = |channel: &crate::connection::Channel| {
                channel.stuck || channel.commands >= limit || channel.credits.iter().any(|(_, left)| *left == 0)
            };
            connection.in_flow = connection.channels.values().any(spent);
            if connection.in_flow || connection.blocked || connection.closing {
                return;
            }
            let Some((number, method)) = connection.unread.pop_front() else { return };
            self.on_method(client, number, method, fx);
        }
    }
}
