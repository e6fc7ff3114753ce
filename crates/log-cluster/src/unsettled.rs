//! What a consumer has worked on and does not know to be committed: runs of records rather than each by itself, since
//! five seconds of them may be a million.

use crate::shared_queue::SharedQueue;
use sim::story::MessageId;

/// Records behind each other, with messages of one producer that follow each other.
#[derive(Copy, Clone, Debug)]
struct Run {
    offset: u64,
    first: MessageId,
    count: u32,
}

impl Run {
    fn id(&self, place: u32) -> MessageId {
        MessageId { sequence: self.first.sequence.wrapping_add(place), ..self.first }
    }
}

/// Records in the order in which they were worked on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unsettled(SharedQueue<Run>);

impl Unsettled {
    /// Takes up `count` records from `offset` on, with as many messages from `first` on.
    pub fn push(&mut self, offset: u64, first: MessageId, count: u32) {
        match self.0.back_mut() {
            Some(last) if offset == last.offset + u64::from(last.count) && first == last.id(last.count) => {
                last.count += count;
            }
            _ => self.0.push_back(Run { offset, first, count }),
        }
    }

    /// Drops the first records, if they lie before an offset: the first of their messages, and how many.
    pub fn pop_before(&mut self, offset: u64) -> Option<(MessageId, u32)> {
        let run = *self.0.front()?;
        let before = offset.saturating_sub(run.offset);
        if before >= u64::from(run.count) {
            self.0.pop_front();
            return Some((run.first, run.count));
        }
        let before = before as u32;
        if before == 0 {
            return None;
        }
        if let Some(left) = self.0.front_mut() {
            *left = Run { offset, first: run.id(before), count: run.count - before };
        }
        Some((run.first, before))
    }

    /// All of them: offset and message.
    pub fn iter(&self) -> impl Iterator<Item = (u64, MessageId)> {
        self.0.iter().flat_map(|run| (0..run.count).map(|place| (run.offset + u64::from(place), run.id(place))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_grow_and_are_cut_where_a_commit_ends() {
        let id = |producer, sequence| MessageId { producer, sequence };
        let mut unsettled = Unsettled::default();
        unsettled.push(10, id(1, 5), 3);
        unsettled.push(13, id(1, 8), 1);
        unsettled.push(14, id(2, 9), 1);
        unsettled.push(16, id(2, 10), 1);
        let all = [(10, id(1, 5)), (11, id(1, 6)), (12, id(1, 7)), (13, id(1, 8)), (14, id(2, 9)), (16, id(2, 10))];
        assert_eq!(unsettled.iter().collect::<Vec<_>>(), all);
        assert_eq!(unsettled.pop_before(10), None);
        assert_eq!((unsettled.pop_before(12), unsettled.pop_before(12)), (Some((id(1, 5), 2)), None));
        assert_eq!(unsettled.iter().collect::<Vec<_>>(), all[2..]);
        let settled = [unsettled.pop_before(16), unsettled.pop_before(16), unsettled.pop_before(16)];
        assert_eq!(settled, [Some((id(1, 7), 2)), Some((id(2, 9), 1)), None]);
        assert_eq!(unsettled.pop_before(17), Some((id(2, 10), 1)));
        assert_eq!(unsettled.pop_before(18), None);
    }
}
