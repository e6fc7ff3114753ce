//! The state of a stream: a log that reading does not shorten (R-S1 to R-S3).

use crate::arguments::{QueueArguments, age};
use crate::config::Rules;
use crate::desk::{Answer, Ask, ChannelId, ConsumeRequest, ConsumerId, Desk, Handed};
use crate::fifo::Fifo;
use crate::message::Body;
use crate::value::{Table, Value};
use sim::story::Life;
use sim::{Nanos, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Bytes of a segment (R-S3).
const SEGMENT: u64 = 500_000_000;

/// What the writer gathers into one chunk. Assumed: osiris writes what is in its mailbox, which is what a client has
/// sent at once.
const CHUNK: Nanos = Nanos::millis(1);

/// Whether the arguments of basic.consume say of a place in a stream what can be understood (R-S1).
pub fn is_offset(arguments: &Table) -> bool {
    match arguments.get("x-stream-offset") {
        None | Some(Value::Int(_)) => true,
        Some(Value::Text(text)) => matches!(&**text, "first" | "last" | "next") || age(text).is_some(),
        Some(_) => false,
    }
}

/// A reader of a stream.
#[derive(Clone, Debug)]
pub struct Reader {
    pub request: Rc<ConsumeRequest>,
    next: u64,
    /// The chunk that it has got something of.
    chunk: Option<u64>,
    /// What it may still get; below 0 where a chunk was longer.
    credit: i64,
    /// What it got and has not acknowledged.
    out: BTreeSet<u64>,
}

/// A stream.
#[derive(Clone, Debug)]
pub struct Stream {
    pub arguments: Rc<QueueArguments>,
    first: u64,
    /// Where the newest chunk begins, and since when it is gathered.
    chunk: u64,
    chunk_since: Time,
    /// The messages, each with the time at which it was taken and the place where its chunk begins.
    log: Fifo<(Time, u64, Body)>,
    /// Bytes of the whole segments before the last, oldest first, with the offset after each and its newest time.
    segments: Vec<(u64, u64, Time)>,
    segment_bytes: u64,
    pub readers: BTreeMap<ConsumerId, Reader>,
    /// Numbers what is handed out.
    next_id: u64,
}

impl Stream {
    pub fn new(arguments: Rc<QueueArguments>) -> Stream {
        Stream {
            arguments,
            first: 0,
            chunk: 0,
            chunk_since: Time::ZERO,
            log: Fifo::default(),
            segments: Vec::new(),
            segment_bytes: 0,
            readers: BTreeMap::new(),
            next_id: 1,
        }
    }

    pub fn len(&self) -> u64 {
        self.log.len()
    }

    /// Messages that the stream holds, and their bytes.
    pub fn size(&self) -> (u64, u64) {
        let closed: u64 = self.segments.iter().map(|(bytes, ..)| bytes).sum();
        (self.len(), closed + self.segment_bytes)
    }

    pub fn messages(&self) -> impl Iterator<Item = &Body> {
        self.log.iter().map(|(.., body)| body)
    }

    fn end(&self) -> u64 {
        self.first + self.log.len()
    }

    /// Applies one command.
    pub fn handle(&mut self, ask: &Ask, desk: &mut Desk<'_>) {
        match ask {
            Ask::Publish { confirm, body, .. } => {
                desk.life(body, Life::Stored, "R-S1");
                self.append(desk.now, body.clone());
                if let Some((channel, number)) = confirm {
                    desk.answer(*channel, Answer::Confirmed(*number));
                }
                self.serve(desk);
            }
            Ask::Consume { channel, request } => {
                desk.answer(*channel, Answer::ConsumeOk { tag: request.tag.clone() });
                let reader = Reader {
                    request: request.clone(),
                    next: self.start(request, desk.now),
                    chunk: None,
                    credit: i64::from(request.prefetch),
                    out: BTreeSet::new(),
                };
                self.readers.insert((*channel, request.tag.clone()), reader);
                self.serve(desk);
            }
            Ask::Cancel { channel, tag } => {
                self.readers.remove(&(*channel, tag.clone()));
                desk.answer(*channel, Answer::CancelOk { tag: tag.clone() });
            }
            // R-S2: an acknowledgement only gives credit.
            Ask::Ack { channel, ids } => {
                self.give_credit(*channel, ids);
                self.serve(desk);
            }
            // R-S2: a stream takes nothing back and buries nothing.
            Ask::Requeue { channel, .. } | Ask::Reject { channel, .. } => {
                desk.answer(*channel, Answer::Failed { tag: None, code: 540 });
            }
            Ask::Get { channel, .. } => desk.answer(*channel, Answer::Failed { tag: None, code: 540 }),
            Ask::Delete { channel, if_unused, if_empty } => {
                if (*if_unused && !self.readers.is_empty()) || (*if_empty && self.len() > 0) {
                    desk.answer(*channel, Answer::Failed { tag: None, code: 406 });
                } else {
                    desk.out.push(crate::desk::Out::DeleteMe);
                }
            }
            Ask::Down { channel } => self.readers.retain(|(other, _), _| other != channel),
            Ask::Purge { channel } => desk.answer(*channel, Answer::Failed { tag: None, code: 540 }),
            Ask::Stat { channel, passive } => {
                // The 3.10.8 recordings count one less than there are, and no consumers.
                let short = u64::from(desk.rules < Rules::V4_2);
                let messages = self.len().saturating_sub(short);
                desk.answer(*channel, Answer::Stat { passive: *passive, messages, consumers: 0 });
            }
            Ask::NodeDown { node } => self.readers.retain(|(channel, _), _| channel.node != *node),
            Ask::Configure(arguments) => {
                self.arguments = arguments.clone();
                self.retain(desk.now);
            }
            Ask::NodeUp { .. }
            | Ask::Tick
            | Ask::Resume { .. }
            | Ask::Granted { .. }
            | Ask::Limit { .. }
            | Ask::Change(_)
            | Ask::Carried { .. } => {}
        }
    }

    fn append(&mut self, now: Time, body: Body) {
        self.segment_bytes += u64::from(body.bytes);
        // R-S1: what comes within a moment is one chunk.
        if now.since(self.chunk_since) > CHUNK || self.log.is_empty() {
            self.chunk_since = now;
            self.chunk = self.end();
        }
        self.log.push_back((now, self.chunk, body));
        let segment = if self.arguments.segment_bytes == 0 { SEGMENT } else { self.arguments.segment_bytes };
        if self.segment_bytes >= segment {
            self.segments.push((self.segment_bytes, self.end(), now));
            self.segment_bytes = 0;
            self.retain(now);
        }
    }

    /// R-S3: looked at when a segment closes; whole segments go, and one always stays.
    fn retain(&mut self, now: Time) {
        let (max, age) = (self.arguments.max_length_bytes, self.arguments.max_age);
        while self.segments.len() > 1 {
            let all: u64 = self.segments.iter().map(|(bytes, ..)| bytes).sum();
            let old = age.is_some_and(|age| now.since(self.segments[0].2) > age);
            if !old && max.is_none_or(|max| all <= max) {
                return;
            }
            let (_, end, _) = self.segments.remove(0);
            while self.first < end {
                self.log.pop_front();
                self.first += 1;
            }
        }
    }

    /// R-S1: where a consumer begins: reading starts with a whole chunk, and what lies before the place is left out.
    fn start(&self, request: &ConsumeRequest, now: Time) -> u64 {
        match request.arguments.get("x-stream-offset") {
            Some(Value::Int(n)) => (*n).max(0) as u64,
            Some(Value::Text(text)) => match &**text {
                "first" => self.first,
                "last" => self.chunk.max(self.first),
                "next" => self.end(),
                other => match age(other) {
                    // An interval: from the first message that is not older.
                    Some(back) => {
                        let older = |(at, ..): &&(Time, u64, Body)| now.since(*at) > back;
                        self.first + self.log.iter().take_while(older).count() as u64
                    }
                    None => other.parse().unwrap_or(self.first),
                },
            },
            _ => self.end(),
        }
        .max(self.first)
    }

    /// To the readers that were handed these.
    fn give_credit(&mut self, channel: ChannelId, ids: &[u64]) {
        let readers = self.readers.iter_mut().filter(|((other, _), _)| *other == channel);
        for (_, reader) in readers {
            reader.credit += ids.iter().filter(|id| reader.out.remove(id)).count() as i64;
        }
    }

    fn serve(&mut self, desk: &mut Desk<'_>) {
        let end = self.end();
        for ((channel, tag), reader) in &mut self.readers {
            while reader.next < end {
                // R-S3: what retention has taken away is jumped over.
                reader.next = reader.next.max(self.first);
                let Some((_, chunk, body)) = self.log.get(reader.next - self.first) else { break };
                // R-S2: a chunk that is begun is sent whole, whatever the credit.
                if reader.credit <= 0 && reader.chunk != Some(*chunk) {
                    break;
                }

                let handed = Handed {
                    id: self.next_id,
                    body: body.clone(),
                    redelivered: false,
                    delivery_count: None,
                    stream_offset: Some(reader.next),
                    needs_ack: true,
                };
                reader.chunk = Some(*chunk);
                reader.out.insert(self.next_id);
                self.next_id += 1;
                reader.credit -= 1;
                reader.next += 1;
                desk.out.push(crate::desk::Out::Answer(*channel, Answer::Deliver { tag: tag.clone(), handed }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn r_s3_whole_segments_go_and_one_stays() {
        let arguments = QueueArguments { max_length_bytes: Some(1_200_000_000), ..QueueArguments::default() };
        let mut stream = Stream::new(Rc::new(arguments));
        let body = Rc::new(Message { bytes: 100_000_000, ..blank() });
        (0..14).for_each(|_| stream.append(Time::ZERO, body.clone()));
        assert_eq!((stream.first, stream.len()), (0, 14), "two closed segments are within the limit");
        (0..6).for_each(|_| stream.append(Time::ZERO, body.clone()));
        assert_eq!((stream.first, stream.len()), (10, 10), "with four closed ones the two oldest go");
    }

    #[test]
    fn r_s3_old_segments_go_when_another_closes() {
        let arguments = QueueArguments { max_age: age("1h"), segment_bytes: 1000, ..QueueArguments::default() };
        let mut stream = Stream::new(Rc::new(arguments));
        let append = |stream: &mut Stream, minute: u64| {
            let body = Message { bytes: 500, ..blank() };
            stream.append(Time::ZERO + Nanos::secs(60 * minute), Rc::new(body));
        };
        (0..6).for_each(|n| append(&mut stream, n));
        append(&mut stream, 90);
        assert_eq!(stream.len(), 7, "nothing goes before a segment closes");
        append(&mut stream, 90);
        assert_eq!((stream.first, stream.len()), (6, 2), "all that is older than an hour, in whole segments");
    }

    #[test]
    fn r_s1_an_interval_begins_at_the_first_message_that_is_not_older() {
        let mut stream = Stream::new(Rc::new(QueueArguments::default()));
        (0..10).for_each(|n| stream.append(Time::ZERO + Nanos::secs(n), Rc::new(blank())));
        let request = |offset: &str| ConsumeRequest {
            tag: "r".into(),
            prefetch: 1,
            no_ack: false,
            exclusive: false,
            priority: 0,
            limited: false,
            arguments: [("x-stream-offset".to_string(), offset.into())].into(),
        };
        let now = Time::ZERO + Nanos::secs(10);
        let start = |offset: &str| stream.start(&request(offset), now);
        assert_eq!(["3s", "first", "next", "last", "4"].map(start), [7, 0, 10, 9, 4]);
    }

    fn blank() -> Message {
        Message {
            id: None,
            key: None,
            text: "".into(),
            bytes: 1,
            hue: 255,
            exchange: "".into(),
            routing_key: "s".into(),
            persistent: true,
            priority: None,
            expiration: None,
            more: None,
        }
    }
}
