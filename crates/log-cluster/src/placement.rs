//! Where the controller places the replicas of a new topic (K-E9).

use sim::Dice;

/// A broker that may be given replicas.
#[derive(Clone, Debug)]
pub(crate) struct Usable {
    pub id: u16,
    pub rack: Option<String>,
    pub fenced: bool,
}

/// Brokers in turn; each round begins one further than the last.
#[derive(Clone, Debug, Default)]
struct Ring {
    brokers: Vec<u16>,
    taken: usize,
    offset: usize,
    round: u32,
}

impl Ring {
    fn begin(&mut self, dice: &mut Dice) {
        self.brokers.sort_unstable();
        if !self.brokers.is_empty() {
            let start = dice.below(self.brokers.len() as u64) as usize;
            self.brokers.rotate_left(start);
        }
    }

    fn shuffle(&mut self, dice: &mut Dice) {
        for last in (1..self.brokers.len()).rev() {
            self.brokers.swap(last, dice.below(last as u64 + 1) as usize);
        }
    }

    fn next(&mut self, round: u32) -> Option<u16> {
        let count = self.brokers.len();
        if self.round != round && count > 0 {
            self.round = round;
            self.taken = 0;
            self.offset = (self.offset + 1) % count;
        }
        if self.taken >= count {
            return None;
        }
        self.taken += 1;
        Some(self.brokers[(self.taken - 1 + self.offset) % count])
    }
}

#[derive(Clone, Debug, Default)]
struct Rack {
    name: Option<String>,
    unfenced: Ring,
    fenced: Ring,
}

/// The replicas of each partition: the leader on an unfenced broker of one rack after the other, the others from rack to
/// rack behind it; after as many partitions as brokers at work the order is shuffled. Empty where that cannot be done.
pub(crate) fn place(brokers: &[Usable], partitions: u32, factor: u16, dice: &mut Dice) -> Vec<Vec<u16>> {
    let at_work = brokers.iter().filter(|broker| !broker.fenced).count();
    if at_work == 0 || usize::from(factor) > brokers.len() {
        return Vec::new();
    }
    let mut racks: Vec<Rack> = Vec::new();
    for broker in brokers {
        let known = racks.iter().position(|rack| rack.name == broker.rack);
        let place = known.unwrap_or_else(|| {
            racks.push(Rack { name: broker.rack.clone(), ..Rack::default() });
            racks.len() - 1
        });
        let rack = &mut racks[place];
        if broker.fenced { &mut rack.fenced } else { &mut rack.unfenced }.brokers.push(broker.id);
    }
    racks.sort_by(|a, b| a.name.cmp(&b.name));
    for rack in &mut racks {
        rack.fenced.begin(dice);
        rack.unfenced.begin(dice);
    }
    let mut offset = if racks.len() > 1 { dice.below(racks.len() as u64) as usize } else { 0 };
    let (mut round, mut placed) = (0, Vec::new());
    for _ in 0..partitions {
        if round as usize == at_work && at_work > 1 {
            for last in (1..racks.len()).rev() {
                racks.swap(last, dice.below(last as u64 + 1) as usize);
            }
            for rack in &mut racks {
                rack.unfenced.shuffle(dice);
                rack.fenced.shuffle(dice);
            }
            round = 0;
        }
        offset %= racks.len();
        placed.push(one(&mut racks, offset, round, usize::from(factor)));
        round += 1;
        offset += 1;
    }
    placed
}

/// One partition's replicas, the first from the rack at `offset` or the next one with a broker at work.
fn one(racks: &mut [Rack], offset: usize, round: u32, factor: usize) -> Vec<u16> {
    let count = racks.len();
    let mut first = offset;
    let leader = loop {
        match racks[first].unfenced.next(round) {
            Some(broker) => break broker,
            None => first = (first + 1) % count,
        }
    };
    let (mut replicas, mut place, mut skip) = (vec![leader], offset, Some(first));
    while replicas.len() < factor {
        // The leader's rack has had its turn in the first pass.
        if skip == Some(place) {
            skip = None;
        } else {
            let rack = &mut racks[place];
            let next = rack.unfenced.next(round).or_else(|| rack.fenced.next(round));
            replicas.extend(next);
        }
        place = (place + 1) % count;
    }
    replicas
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usable(racks: &[&str]) -> Vec<Usable> {
        (0u16..).zip(racks).map(|(id, rack)| Usable { id, rack: Some((*rack).to_owned()), fenced: false }).collect()
    }

    #[test]
    fn k_e9_replicas_are_spread_over_racks() {
        for seed in 0..200 {
            let brokers = usable(&["a", "a", "b", "b", "c", "c"]);
            let placed = place(&brokers, 12, 3, &mut Dice::named(seed, "placement", &[]));
            let mut leads = [0; 6];
            for replicas in &placed {
                let mut racks: Vec<_> = replicas.iter().map(|id| &brokers[usize::from(*id)].rack).collect();
                racks.sort();
                racks.dedup();
                assert_eq!(racks.len(), 3, "{placed:?}");
                leads[usize::from(replicas[0])] += 1;
            }
            assert!(leads.iter().all(|count| (1..=4).contains(count)), "{placed:?}");
        }
    }

    #[test]
    fn k_e9_a_fenced_broker_leads_nothing_and_too_few_brokers_are_refused() {
        let mut brokers = usable(&["a", "a", "b"]);
        brokers[2].fenced = true;
        for seed in 0..50 {
            let placed = place(&brokers, 5, 3, &mut Dice::named(seed, "placement", &[]));
            assert!(placed.iter().all(|replicas| replicas[0] != 2 && replicas.len() == 3), "{placed:?}");
        }
        assert!(place(&brokers, 5, 4, &mut Dice::named(1, "placement", &[])).is_empty());
    }
}
