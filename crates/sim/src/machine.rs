//! Machines: cores, lanes (what runs on one core at a time), and a disk with a page cache. What is written and what
//! is flushed are kept apart; what is visible is the broker's affair.

use crate::{Nanos, Time};

/// What a machine can do. Profiles are data; see the scenario crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineProfile {
    /// Cores, at least 1.
    pub cores: u16,
    /// Bytes a second to the disk; 0 for unlimited.
    pub disk_bytes_per_second: u64,
    /// What a flush (fsync) costs beside the bytes.
    pub flush: Nanos,
    /// Bytes a second of the network card; 0 for unlimited.
    pub network_bytes_per_second: u64,
}

impl Default for MachineProfile {
    /// Assumed: a four-core cloud machine with an SSD of 400 MB/s, 2 ms a flush, and a 10 Gbit/s card.
    fn default() -> Self {
        MachineProfile {
            cores: 4,
            disk_bytes_per_second: 400_000_000,
            flush: Nanos::millis(2),
            network_bytes_per_second: 1_250_000_000,
        }
    }
}

/// How much slower than its profile a machine is now, in percent; 100 is as built.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Slowness {
    /// Of the processor.
    pub cpu: u32,
    /// Of the disk.
    pub disk: u32,
    /// Of the network: scales the latency of every link of this machine.
    pub network: u32,
}

impl Default for Slowness {
    fn default() -> Self {
        Slowness { cpu: 100, disk: 100, network: 100 }
    }
}

/// The state of one machine.
#[derive(Clone, Debug)]
pub struct Machine {
    profile: MachineProfile,
    /// How slow it is now.
    pub slowness: Slowness,
    core_free: Vec<Time>,
    lane_free: Vec<Time>,
    disk_free: Time,
    dirty: u64,
    cpu_busy: Nanos,
    disk_busy: Nanos,
}

impl Machine {
    /// An idle machine.
    #[must_use]
    pub fn new(profile: MachineProfile) -> Machine {
        let cores = usize::from(profile.cores.max(1));
        Machine {
            profile,
            slowness: Slowness::default(),
            core_free: vec![Time::ZERO; cores],
            lane_free: Vec::new(),
            disk_free: Time::ZERO,
            dirty: 0,
            cpu_busy: Nanos::ZERO,
            disk_busy: Nanos::ZERO,
        }
    }

    /// What the machine was built as.
    #[must_use]
    pub fn profile(&self) -> &MachineProfile {
        &self.profile
    }

    /// Processor time used so far, over all cores.
    #[must_use]
    pub fn cpu_busy(&self) -> Nanos {
        self.cpu_busy
    }

    /// Time that the disk was busy so far.
    #[must_use]
    pub fn disk_busy(&self) -> Nanos {
        self.disk_busy
    }

    /// Bytes in the page cache that no flush has taken up.
    #[must_use]
    pub fn dirty(&self) -> u64 {
        self.dirty
    }

    /// Books `cost` of work on `lane`, which does one thing at a time, on whichever core is free first.
    /// Answers when it will be finished.
    pub fn book_work(&mut self, now: Time, lane: u16, cost: Nanos) -> Time {
        let lane = usize::from(lane);
        if self.lane_free.len() <= lane {
            self.lane_free.resize(lane + 1, Time::ZERO);
        }
        let ready = now.max(self.lane_free[lane]);
        let mut core = 0;
        for (index, free) in self.core_free.iter().enumerate() {
            // The core that falls idle last before the lane is ready, so that none waits for a lane; else the first free.
            let best = self.core_free[core];
            if (*free <= ready && (best > ready || *free > best)) || (best > ready && *free < best) {
                core = index;
            }
        }
        let cost = cost.percent(u64::from(self.slowness.cpu));
        let end = ready.max(self.core_free[core]) + cost;
        self.lane_free[lane] = end;
        self.core_free[core] = end;
        self.cpu_busy += cost;
        end
    }

    /// When `lane` will have finished what is booked on it.
    #[must_use]
    pub fn lane_free(&self, lane: u16) -> Time {
        self.lane_free.get(usize::from(lane)).copied().unwrap_or(Time::ZERO)
    }

    /// Writes to the page cache: no time passes.
    pub fn write(&mut self, bytes: u64) {
        self.dirty += bytes;
    }

    /// Books a flush of `bytes` of what was written. Answers when they are on the disk.
    pub fn book_flush(&mut self, now: Time, bytes: u64) -> Time {
        let bytes = bytes.min(self.dirty);
        self.dirty -= bytes;
        let cost = (Nanos::to_move(bytes, self.profile.disk_bytes_per_second) + self.profile.flush)
            .percent(u64::from(self.slowness.disk));
        let end = now.max(self.disk_free) + cost;
        self.disk_free = end;
        self.disk_busy += cost;
        end
    }

    /// Forgets all booked work: the process or the power is gone.
    pub fn abandon(&mut self, now: Time, power_lost: bool) {
        self.core_free.fill(now);
        self.lane_free.clear();
        if power_lost {
            self.disk_free = now;
            self.dirty = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lane_does_one_thing_at_a_time_and_lanes_share_the_cores() {
        let mut machine = Machine::new(MachineProfile { cores: 2, ..MachineProfile::default() });
        let ms = Nanos::millis;
        assert_eq!(machine.book_work(Time::ZERO, 0, ms(4)), Time::ZERO + ms(4));
        assert_eq!(machine.book_work(Time::ZERO, 0, ms(4)), Time::ZERO + ms(8));
        assert_eq!(machine.book_work(Time::ZERO, 1, ms(1)), Time::ZERO + ms(1));
        assert_eq!(machine.cpu_busy(), ms(9));
    }

    #[test]
    fn a_flush_takes_the_bytes_and_the_seek_and_flushes_queue_up() {
        let profile =
            MachineProfile { disk_bytes_per_second: 1_000_000, flush: Nanos::millis(5), ..MachineProfile::default() };
        let mut machine = Machine::new(profile);
        machine.write(10_000);
        assert_eq!(machine.book_flush(Time::ZERO, 10_000), Time::ZERO + Nanos::millis(15));
        assert_eq!(machine.book_flush(Time::ZERO, 0), Time::ZERO + Nanos::millis(20));
        machine.slowness.disk = 1000;
        assert_eq!(machine.book_flush(Time::ZERO, 0), Time::ZERO + Nanos::millis(70));
    }
}
