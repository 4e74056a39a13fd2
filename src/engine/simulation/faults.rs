//! What may go wrong in a seed, and how often.

use super::random::Random;

/// A mistake that is made on purpose, so that it is seen to be found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Planted {
    /// None.
    #[default]
    Nothing,
    /// Writes are stored behind whatever is there.
    NoExpectation,
    /// After a doubt the log goes on behind its last message, whosever it is and whatever it says.
    TailNotRead,
    /// Records about what waits do not get into the log.
    TimerNotLogged,
    /// A checkpoint does not say which events were seen.
    DedupeForgotten,
}

/// How often what goes wrong, in a thousand; times in the runtime's milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    /// How long a request or an answer travels at the most.
    pub(super) travel: u64,
    /// A request or an answer that takes long.
    pub(super) slow: u32,
    pub(super) slow_travel: u64,
    pub(super) request_lost: u32,
    pub(super) answer_lost: u32,
    pub(super) delivered_twice: u32,
    /// The server says that it cannot now.
    pub(super) unavailable: u32,
    /// A right expectation is refused (10164 on three replicas).
    pub(super) refused_wrongly: u32,
    pub(super) no_batch: u32,
    /// The consumer of events has to be opened again.
    pub(super) reopened: u32,
    /// It then begins with some that were handed out before.
    pub(super) repeats: bool,
}

impl Faults {
    /// A network on which everything arrives.
    pub(super) const NONE: Self = Self {
        travel: 1,
        slow: 0,
        slow_travel: 1,
        request_lost: 0,
        answer_lost: 0,
        delivered_twice: 0,
        unavailable: 0,
        refused_wrongly: 0,
        no_batch: 0,
        reopened: 0,
        repeats: false,
    };

    pub(super) fn draw(random: &mut Random) -> Self {
        let mut often = |most: u64| {
            // Half of the faults are absent from a seed, so that each is also seen alone.
            let is_absent = random.chance(500);
            let drawn = u32::try_from(random.within(1..most)).unwrap();
            if is_absent { 0 } else { drawn }
        };
        Self {
            slow: often(120),
            request_lost: often(80),
            answer_lost: often(120),
            delivered_twice: often(100),
            unavailable: often(80),
            refused_wrongly: often(80),
            no_batch: often(400),
            reopened: often(150),
            travel: random.within(1..4),
            slow_travel: random.within(5..120),
            repeats: random.chance(500),
        }
    }
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    pub(super) there: u64,
    pub(super) back: u64,
    pub(super) request_lost: bool,
    pub(super) answer_lost: bool,
    /// It arrives again so much later.
    pub(super) again: Option<u64>,
    /// It is lost if whoever sent it is gone when it should arrive.
    pub(super) dies_with_sender: bool,
}

impl Fate {
    pub(super) fn draw(faults: &Faults, random: &mut Random) -> Self {
        let mut travel = || match random.chance(faults.slow) {
            true => random.within(1..faults.slow_travel.max(2)),
            false => random.within(0..faults.travel),
        };
        Self {
            there: travel(),
            back: travel(),
            request_lost: random.chance(faults.request_lost),
            answer_lost: random.chance(faults.answer_lost),
            again: random
                .chance(faults.delivered_twice)
                .then(|| random.within(0..40)),
            dies_with_sender: random.chance(500),
        }
    }
}
