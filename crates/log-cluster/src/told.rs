//! What is told of a batch's messages: in runs, since most batches are messages of one producer that follow each other.

use crate::client::Fx;
use crate::log::{Batch, Payload, Row};
use sim::story::{Life, MessageId, Note, Rule};

impl Batch {
    /// Tells the same of all messages from the `skip`-th offset on.
    pub(crate) fn tell(&self, skip: usize, life: Life, rule: Rule, fx: &mut Fx<'_>) {
        if let Payload::Messages(producer, rows) = &self.payload {
            let rows = &rows[skip.min(rows.len())..];
            let mut run = |rows: &[Row]| {
                let first = MessageId { producer: *producer, sequence: rows[0].sequence };
                fx.note_run(first, rows.len() as u32, life, rule);
            };
            if follow_each_other(rows) {
                run(rows);
            } else {
                rows.chunk_by(|row, next| row.sequence.wrapping_add(1) == next.sequence).for_each(run);
            }
        } else {
            self.messages(skip).for_each(|(id, _)| fx.note(Note::Life(id, life, rule)));
        }
    }
}

/// Whether there are rows, each the next of its producer. In one sweep without a branch: this is most batches.
fn follow_each_other(rows: &[Row]) -> bool {
    let first = rows.first().map_or(0, |row| row.sequence);
    let astray = (0..).zip(rows).fold(0, |astray, (place, row)| astray | (row.sequence ^ first.wrapping_add(place)));
    !rows.is_empty() && astray == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_and_a_step_back_are_seen() {
        let follow = |sequences: &[u32]| {
            let rows: Vec<Row> = sequences.iter().map(|sequence| Row::new(*sequence, None, false)).collect();
            follow_each_other(&rows)
        };
        assert!(follow(&[7]) && follow(&[7, 8, 9]));
        assert!(!follow(&[]) && !follow(&[7, 9]) && !follow(&[7, 8, 8]) && !follow(&[8, 7]));
    }
}
