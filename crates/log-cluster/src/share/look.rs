//! What there is to see of share groups, and what their members can still get.

use super::calls::Key;
use super::client::ShareMember;
use super::{SharePartition, ShareReset, ShareState, Standing};
use crate::cluster::LogCluster;
use crate::image::Image;
use crate::layout::{Layout, Slot};
use crate::view::{ShareMemberView, ShareView};
use sim::NodeId;
use sim::story::MessageId;
use std::rc::Rc;

/// What is known of a window: as its leader has it, as it is written down, or nothing.
enum Known<'a> {
    Kept(&'a SharePartition),
    Written(Rc<ShareState>),
    Nothing,
}

impl Known<'_> {
    fn start(&self) -> u64 {
        match self {
            Known::Kept(window) => window.start(),
            Known::Written(state) => state.start,
            Known::Nothing => 0,
        }
    }

    fn is_finished(&self, offset: u64) -> bool {
        match self {
            Known::Kept(window) => window.is_finished(offset),
            Known::Written(state) => {
                let finished = |standing| matches!(standing, Standing::Acknowledged | Standing::Archived);
                let within = |run: &super::partition::Run| (run.first..=run.last).contains(&offset);
                offset < state.start || state.runs.iter().any(|run| within(run) && finished(run.standing))
            }
            Known::Nothing => false,
        }
    }
}

impl ShareMember {
    pub(crate) fn view(&self, layout: &Layout) -> ShareMemberView {
        let record = |got: &super::client::Got| {
            let (slot, offset) = got.place();
            (slot - layout.topic(slot).first, offset, got.count)
        };
        let answered = self.answered.map(|result| result.map_err(crate::error::Code::name));
        ShareMemberView { records: self.hand.iter().map(record).collect(), answered }
    }
}

impl LogCluster {
    fn known_window(&self, image: &Image, key: &Key) -> Known<'_> {
        let alive = |broker: u16| self.world().health(NodeId(broker)).is_alive();
        let leader = image.leader(key.1).map(|(leader, _)| leader).filter(|leader| alive(*leader));
        let kept = self.brokers().filter(|broker| Some(broker.me) == leader).find_map(|broker| {
            broker.replicas.get(&key.1)?.leads()?;
            broker.shares.parts.get(key)?.window.as_ref()
        });
        if let Some(window) = kept {
            return Known::Kept(window);
        }
        let keeper = self.brokers().find_map(|broker| broker.share_state(key).filter(|_| alive(broker.me)));
        if let Some(state) = keeper {
            return state.cloned().map_or(Known::Nothing, Known::Written);
        }
        let Some(slot) = self.layout.share_slot(&key.0, key.1) else { return Known::Nothing };
        let mut found = Known::Nothing;
        for replica in self.sources(image, slot) {
            for entry in replica.log.read(replica.log.start()) {
                if let crate::log::Payload::ShareState(group, of, state) = &entry.batch.payload
                    && (group, *of) == (&key.0, key.1)
                {
                    found = Known::Written(state.clone());
                }
            }
        }
        found
    }

    /// Visits what members of a share group can still be given of these topics' logs.
    pub(crate) fn held_by_share_group(
        &self,
        image: &Image,
        group: &str,
        topics: &[u32],
        visit: &mut dyn FnMut(MessageId),
    ) {
        let latest = self.layout.group_config(group).share_auto_offset_reset == ShareReset::Latest;
        for (slot, _) in image.all().filter(|(slot, _)| topics.contains(&self.layout.slots[*slot as usize])) {
            let known = self.known_window(image, &(group.into(), slot));
            if latest && matches!(known, Known::Nothing) {
                continue;
            }
            for replica in self.sources(image, slot) {
                for entry in replica.log.read(replica.log.start().max(known.start())) {
                    let open = entry.batch.records(0).filter(|(delta, ..)| !known.is_finished(entry.base + delta));
                    open.for_each(|(_, id, _)| visit(id));
                }
            }
        }
    }

    /// The windows of all share groups.
    pub(crate) fn share_views(&self) -> Vec<ShareView> {
        let mut views = Vec::new();
        for broker in self.brokers().filter(|broker| self.world().health(NodeId(broker.me)).is_alive()) {
            for ((group, slot), share) in &broker.shares.parts {
                let leads = broker.replicas.get(slot).is_some_and(|replica| replica.leads().is_some());
                let Some(window) = share.window.as_ref().filter(|_| leads) else { continue };
                let (acquired, available) = window.counts();
                views.push(ShareView {
                    group: group.to_string(),
                    topic: self.layout.slots[*slot as usize],
                    partition: part_of(&self.layout, *slot),
                    leader: NodeId(broker.me),
                    start: window.start(),
                    end: window.end(),
                    acquired,
                    available,
                });
            }
        }
        views.sort_by(|a, b| (&a.group, a.topic, a.partition).cmp(&(&b.group, b.topic, b.partition)));
        views
    }
}

fn part_of(layout: &Layout, slot: Slot) -> u32 {
    slot - layout.topic(slot).first
}
