//! What is done to the engines in a seed.

use super::faults::Faults;
use super::random::Random;
use crate::clock::{HOUR, Millis, SECOND};
use crate::state::JournalLimits;

/// The conditions of a seed.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) partitions: u16,
    /// Milliseconds of the broker's clock for one of the runtime's.
    pub(super) rate: Millis,
    pub(super) operations: u64,
    /// Whether old triggers may act, so that it is known which ones must.
    pub(super) is_patient: bool,
    /// Whether other rules go live in between.
    pub(super) swaps_rules: bool,
    /// Whether rules are paused and resumed in between.
    pub(super) pauses_rules: bool,
    /// Whether the broker's clock may be set back.
    pub(super) sets_clock_back: bool,
    pub(super) faults: Faults,
    /// What a customer's journal holds: in some seeds so little that events are too old for it.
    pub(super) journal: JournalLimits,
    /// How often a partition takes a checkpoint, in the runtime's milliseconds; `None`: never.
    pub(super) checkpoint_interval: Option<Millis>,
    /// How many of each partition are kept.
    pub(super) checkpoints_kept: usize,
    /// How many machines engines are started on, each with a disk of its own.
    pub(super) machines: usize,
    /// The longest wait between two operations, in the runtime's milliseconds.
    wait: u64,
    /// How often each trouble comes, in a thousand operations.
    crash: u32,
    start: u32,
    leave: u32,
    stop: u32,
    outage: u32,
    jump: u32,
    skew: u32,
}

/// One thing that is done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Publish,
    /// SIGKILL.
    Crash,
    /// Another engine, also while the former ones run.
    Start,
    /// SIGTERM.
    Leave,
    /// SIGSTOP for so long.
    Stop(u64),
    Outage(u64),
    /// The broker's clock and everybody's are set.
    Jump(Millis),
    /// One engine's clock is set.
    Skew(Millis),
    SwapRules,
    /// A rule is paused, or resumed if it is.
    Switch,
}

impl Plan {
    /// Whether events may be older than a journal reaches back.
    pub(super) fn trims_journals(&self) -> bool {
        self.journal != JournalLimits::default()
    }

    pub(super) fn draw(random: &mut Random) -> Self {
        let faults = Faults::draw(random);
        let mut often = |most: u64| {
            let is_absent = random.chance(400);
            let drawn = u32::try_from(random.within(1..most)).unwrap();
            if is_absent { 0 } else { drawn }
        };
        Self {
            crash: often(80),
            start: often(60),
            leave: often(30),
            stop: often(60),
            outage: often(40),
            jump: often(30),
            skew: often(30),
            partitions: u16::try_from(random.within(2..5)).unwrap(),
            rate: Millis::try_from(random.within(5..60)).unwrap(),
            operations: random.within(30..110),
            is_patient: random.chance(800),
            swaps_rules: random.chance(250),
            pauses_rules: random.chance(250),
            sets_clock_back: random.chance(100),
            checkpoint_interval: random
                .chance(750)
                .then(|| Millis::try_from(random.within(5..250)).unwrap()),
            checkpoints_kept: random.index(3) + 1,
            machines: random.index(2) + 1,
            journal: match random.chance(150) {
                true => JournalLimits {
                    entries_max: random.index(9) + 3,
                    ..JournalLimits::default()
                },
                false => JournalLimits::default(),
            },
            wait: *random.pick(&[4, 12, 30]),
            faults,
        }
    }

    /// What comes next, and how long it takes until then.
    pub(super) fn next(&self, random: &mut Random) -> (u64, Operation) {
        let wait = random.within(0..self.wait);
        let mut left = u32::try_from(random.within(0..1_000)).unwrap();
        let mut is = |per_mille: u32| {
            let is = left < per_mille;
            left = left.saturating_sub(per_mille);
            is
        };
        let operation = if is(self.crash) {
            Operation::Crash
        } else if is(self.start) {
            Operation::Start
        } else if is(self.leave) {
            Operation::Leave
        } else if is(self.stop) {
            Operation::Stop(random.within(10..300))
        } else if is(self.outage) {
            Operation::Outage(random.within(5..200))
        } else if is(self.jump) {
            Operation::Jump(self.jump(random))
        } else if is(self.skew) {
            Operation::Skew(Millis::try_from(random.within(0..8_000)).unwrap() - 4_000)
        } else if self.swaps_rules && is(60) {
            Operation::SwapRules
        } else if self.pauses_rules && is(80) {
            Operation::Switch
        } else {
            Operation::Publish
        };
        (wait, operation)
    }

    fn jump(&self, random: &mut Random) -> Millis {
        let seconds = Millis::try_from(random.within(1..90)).unwrap();
        match random.within(0..8) {
            0 => HOUR,
            1..4 if self.sets_clock_back => -seconds * SECOND,
            _ => seconds * SECOND,
        }
    }
}
