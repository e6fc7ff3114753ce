//! The lines of one producer's messages in shared pages. A page whose messages are all done is packed to about a fourth
//! of its size, without loss; whatever still changes in it unpacks it again.

use crate::ledger::Record;
use sim::Time;
use std::collections::VecDeque;
use std::rc::Rc;

const PAGE: usize = 512;

#[derive(Clone, Debug)]
enum Page {
    Open(Rc<Vec<Record>>),
    Packed(Rc<[u8]>),
}

/// A growing list of lines whose clones share their pages.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    pages: Vec<Page>,
    len: usize,
    /// Full pages that are open, in the order in which they are looked at.
    open: VecDeque<u32>,
    /// Counts messages that are done with; every so often a page is looked at.
    done: usize,
}

impl Lines {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn push(&mut self, record: Record) {
        if self.len.is_multiple_of(PAGE) {
            let full = self.pages.len().checked_sub(1);
            self.open.extend(full.map(|page| page as u32));
            self.pages.push(Page::Open(Rc::new(Vec::with_capacity(PAGE))));
        }
        if let Some(Page::Open(page)) = self.pages.last_mut() {
            Rc::make_mut(page).push(record);
            self.len += 1;
        }
    }

    pub fn get(&self, index: usize) -> Option<Record> {
        match self.pages.get(index / PAGE)? {
            Page::Open(page) => page.get(index % PAGE).copied(),
            Page::Packed(bytes) => unpack(bytes).nth(index % PAGE),
        }
    }

    /// The line at `index`, to be changed.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut Record> {
        let page = self.pages.get_mut(index / PAGE)?;
        if let Page::Packed(bytes) = page {
            *page = Page::Open(Rc::new(unpack(bytes).collect()));
            self.open.push_back((index / PAGE) as u32);
        }
        match page {
            Page::Open(page) => Rc::make_mut(page).get_mut(index % PAGE),
            Page::Packed(_) => None,
        }
    }

    /// A message was processed or set aside. Twice in a page's worth of them a full page is looked at, and packed if all
    /// of it is done: more often than pages come, so that few that are done wait.
    pub fn count_done(&mut self) {
        self.done += 1;
        if !self.done.is_multiple_of(PAGE / 2) {
            return;
        }
        let Some(number) = self.open.pop_front() else { return };
        match &mut self.pages[number as usize] {
            page @ Page::Open(_) if page.is_done() => page.pack(),
            _ => self.open.push_back(number),
        }
    }

    /// All lines, with their places.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Record)> {
        (0..).zip(self.pages.iter().flat_map(Page::iter))
    }

    /// The lines from `start` on, with their places, but for those in packed pages: they are all done.
    pub fn iter_open(&self, start: usize) -> impl Iterator<Item = (usize, &Record)> {
        let first = start / PAGE;
        let open = (first..).zip(self.pages.iter().skip(first)).filter_map(|(number, page)| match page {
            Page::Open(page) => Some((number * PAGE, page)),
            Page::Packed(_) => None,
        });
        let lines = open.flat_map(|(place, page)| (place..).zip(page.iter()));
        lines.skip_while(move |(place, _)| *place < start)
    }
}

impl Page {
    fn is_done(&self) -> bool {
        matches!(self, Page::Open(page) if page.iter().all(|r| r.processed.is_some() || r.is_set_aside()))
    }

    fn pack(&mut self) {
        if let Page::Open(page) = self {
            *self = Page::Packed(pack(page).into());
        }
    }

    fn iter(&self) -> Box<dyn Iterator<Item = Record> + '_> {
        match self {
            Page::Open(page) => Box::new(page.iter().copied()),
            Page::Packed(bytes) => Box::new(unpack(bytes)),
        }
    }
}

const ACKNOWLEDGED: u8 = 1;
const DELIVERED: u8 = 2;
const PROCESSED: u8 = 4;
/// Delivered once and processed once, by the reader in the highest three bits.
const PLAIN: u8 = 8;

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 128 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = take_byte(bytes)?;
        number |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Some(number);
        }
        shift += 7;
    }
}

fn take_byte(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

/// Times as distances from those before them, which take few bytes.
fn pack(page: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(page.len() * 20);
    let mut before = 0;
    for record in page {
        let reader = record.processings.iter().position(|times| *times > 0).unwrap_or(0);
        let once = record.deliveries == 1 && record.processings[reader] == 1;
        let plain = once && record.processings[reader + 1..].iter().all(|times| *times == 0);
        let times = [record.acknowledged, record.delivered, record.processed];
        let present = (0..).zip(times).fold(0, |bits, (bit, time)| bits | u8::from(time.is_some()) << bit);
        bytes.push(present | if plain { PLAIN | (reader as u8) << 5 } else { 0 });
        bytes.push(record.flags);
        put(&mut bytes, u64::from(record.key));
        put(&mut bytes, record.produced.0.wrapping_sub(before));
        before = record.produced.0;
        times.into_iter().flatten().for_each(|time| put(&mut bytes, time.0.wrapping_sub(record.produced.0)));
        if !plain {
            bytes.push(record.deliveries);
            bytes.extend(record.processings);
        }
    }
    bytes
}

fn unpack(mut bytes: &[u8]) -> impl Iterator<Item = Record> {
    let mut before = 0u64;
    std::iter::from_fn(move || {
        let bytes = &mut bytes;
        let (shape, flags) = (take_byte(bytes)?, take_byte(bytes)?);
        let key = take(bytes)? as u32;
        let produced = before.wrapping_add(take(bytes)?);
        before = produced;
        let mut time = |bit: u8| if shape & bit == 0 { None } else { Some(Time(produced.wrapping_add(take(bytes)?))) };
        let (acknowledged, delivered, processed) = (time(ACKNOWLEDGED), time(DELIVERED), time(PROCESSED));
        let (mut deliveries, mut processings) = (1, [0; 8]);
        if shape & PLAIN == 0 {
            deliveries = take_byte(bytes)?;
            for times in &mut processings {
                *times = take_byte(bytes)?;
            }
        } else {
            processings[usize::from(shape >> 5)] = 1;
        }
        let produced = Time(produced);
        Some(Record { key, produced, acknowledged, delivered, processed, deliveries, processings, flags })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim::Dice;

    fn any_record(dice: &mut Dice, now: u64) -> Record {
        let mut time = |percent| dice.chance(percent, 100).then(|| Time(now + dice.below(1 << 30)));
        let (acknowledged, delivered, processed) = (time(90), time(95), time(98));
        let mut processings = [0; 8];
        processings[dice.below(8) as usize] = 1;
        if dice.chance(1, 5) {
            processings[dice.below(8) as usize] = dice.below(256) as u8;
        }
        let deliveries = if dice.chance(4, 5) { 1 } else { dice.below(256) as u8 };
        let (key, flags) = (dice.below(1 << 32) as u32, dice.below(32) as u8);
        Record { key, produced: Time(now), acknowledged, delivered, processed, deliveries, processings, flags }
    }

    #[test]
    fn packed_lines_come_back_as_they_were() {
        let mut dice = Dice::named(1, "lines", &[]);
        let page: Vec<Record> = (0..10_000).map(|n| any_record(&mut dice, n * 1_000_003)).collect();
        assert!(unpack(&pack(&page)).eq(page.iter().copied()));
    }

    #[test]
    fn what_is_done_is_packed_and_unpacked_when_it_changes() {
        let now = |place: usize| Time(place as u64 * 20_000);
        let mut lines = Lines::default();
        for place in 0..100 * PAGE {
            let (produced, done) = (now(place), Some(now(place + 40)));
            let (key, flags, processings) = (place as u32 % 100, 16, [1, 0, 0, 0, 0, 0, 0, 0]);
            let (acknowledged, delivered, processed) = (done, done, done.filter(|_| place != 5_000));
            let record =
                Record { key, produced, acknowledged, delivered, processed, deliveries: 1, processings, flags };
            lines.push(record);
            lines.count_done();
        }
        let size = |page: &Page| match page {
            Page::Open(page) => page.len() * size_of::<Record>(),
            Page::Packed(bytes) => bytes.len(),
        };
        assert!(lines.pages.iter().map(size).sum::<usize>() < 20 * lines.len(), "less than 20 bytes a line");
        assert_eq!(lines.open.len(), 1, "the page of the one that is not processed");
        assert_eq!(lines.iter().count(), lines.len());
        assert!(lines.iter().all(|(place, record)| record.produced == now(place)));
        let open: Vec<usize> = lines.iter_open(4_900).map(|(place, _)| place / PAGE).collect();
        assert_eq!((open.first(), open.len()), (Some(&9), 10 * PAGE - 4_900 + PAGE));

        let kept = lines.clone();
        lines.get_mut(700).unwrap().deliveries = 2;
        assert_eq!((lines.get(700).unwrap().deliveries, kept.get(700).unwrap().deliveries), (2, 1));
        assert_eq!((lines.get(701), lines.get(lines.len())), (kept.get(701), None));
    }
}
