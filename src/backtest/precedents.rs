//! What the log says of draws and broadcasts, for whoever decides the same again: which draws were paid for, and
//! behind which event a broadcast or a daily trigger came to how many customers.
//!
//! Live, partitions race for a scarce budget, and a broadcast goes through customers while their events go on. Who was
//! first is nobody's decision, and no rule's: it is taken from the log, like the time at which an event was stored.

use super::causes::Live;
use crate::durable::LogItem;
use crate::partition::{self, Logged, SweepKey, Sweeping, TimerChange};
use crate::rules::RuleSet;
use crate::state::DecisionId;
use foldhash::fast::RandomState;
use jiff::tz::TimeZone;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Those of one partition.
#[derive(Debug, Default)]
pub(super) struct Precedents(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Decisions that were paid for and have not been asked for yet.
    paid: HashSet<DecisionId, RandomState>,
    /// Journeys of which a step was refused for want of money.
    refused: HashSet<DecisionId, RandomState>,
    /// Whether what is not among those was refused.
    hold: bool,
    /// Whether broadcasts are taken as the log says.
    lead: bool,
    /// How broadcasts and daily triggers went on.
    courses: HashMap<SweepKey, Course>,
}

/// How a broadcast or a daily trigger went on.
#[derive(Debug, Default)]
struct Course {
    /// In the log's order.
    stages: VecDeque<Stage>,
    /// How often it had been begun before.
    run: u32,
}

/// How far a broadcast or a daily trigger had come.
#[derive(Clone, Copy, Debug)]
struct Stage {
    /// Behind this event.
    after: u64,
    /// So many customers had been surveyed or served.
    taken: u64,
    /// How often it had been begun before.
    run: u32,
}

/// What is to be done next about what is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Onward {
    /// Take so many customers.
    Take(usize),
    /// Begin again: the engine did, after a crash.
    Anew,
    /// It went on behind a later event.
    Later,
}

impl Precedents {
    /// Takes a message of the log, in its order.
    pub(super) fn take(&self, live: &Live, rules: &RuleSet, zone: &TimeZone) {
        let LogItem::Entry { logged, place } = &live.item else {
            return;
        };
        match logged {
            Logged::Decision(decision) => {
                let budget = rules.rule(&decision.rule).map(|rule| &rule.terms.budget);
                if budget.is_some_and(Option::is_some) && decision.draw(zone).is_some() {
                    self.lock().paid.insert(decision.id);
                }
            }
            Logged::Timer(record) => {
                if let TimerChange::Ended { verdict } | TimerChange::Moved { verdict, .. } =
                    &record.change
                    && verdict == crate::action::Verdict::Budget.word()
                {
                    self.lock().refused.insert(record.entry);
                }
            }
            Logged::Progress(record) => {
                let stage = Stage {
                    after: place.after,
                    taken: record.taken,
                    run: record.run,
                };
                self.course(&record.key, |course| course.stages.push_back(stage));
            }
            Logged::Sweep(record) if record.done => {
                self.course(&record.key, |course| {
                    // Whoever was left was taken then.
                    let stage = Stage {
                        after: place.after,
                        taken: u64::MAX,
                        run: course.stages.back().map_or(course.run, |stage| stage.run),
                    };
                    course.stages.push_back(stage);
                });
            }
            _ => {}
        }
    }

    /// Says whether all is known of what is decided from here on.
    pub(super) fn set_hold(&self, hold: bool) {
        self.lock().hold = hold;
    }

    /// Says whether broadcasts are taken as the log says from here on.
    pub(super) fn set_lead(&self, lead: bool) {
        self.lock().lead = lead;
    }

    /// What is to be done about what is under way when the partition stands behind an event; at the end of history, all.
    pub(super) fn onward(&self, sweeping: &Sweeping, position: u64, at_end: bool) -> Onward {
        let mut known = self.lock();
        let course = known.courses.entry(sweeping.key.clone()).or_default();
        while let Some(stage) = course.stages.front() {
            if stage.after > position && !at_end {
                return Onward::Later;
            }
            let is_anew = stage.run > course.run;
            course.run = stage.run;
            if is_anew && sweeping.taken > 0 {
                return Onward::Anew;
            }
            if stage.taken == u64::MAX {
                known.courses.remove(&sweeping.key);
                return Onward::Take(usize::MAX);
            }
            if stage.taken > sweeping.taken {
                let more = stage.taken - sweeping.taken;
                return Onward::Take(usize::try_from(more).unwrap_or(usize::MAX));
            }
            course.stages.pop_front();
        }
        if at_end {
            return Onward::Take(usize::MAX);
        }
        Onward::Later
    }

    fn course(&self, key: &SweepKey, change: impl FnOnce(&mut Course)) {
        change(self.lock().courses.entry(key.clone()).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl partition::Precedents for Precedents {
    fn paid(&self, decision: DecisionId, entry: DecisionId) -> Option<bool> {
        let mut known = self.lock();
        if known.paid.remove(&decision) {
            return Some(true);
        }
        (known.hold || known.refused.contains(&entry)).then_some(false)
    }

    fn lead(&self) -> bool {
        self.lock().lead
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::{Place, ProgressRecord, SweepRecord};
    use crate::rules::Sources;

    const KEY: SweepKey = SweepKey::Broadcast(7);

    fn live(logged: Logged, after: u64) -> Live {
        let place = Place { after, part: None };
        Live {
            stored_at: 0,
            item: LogItem::Entry { logged, place },
            told: None,
        }
    }

    fn at(taken: u64) -> Sweeping {
        let key = KEY;
        Sweeping { key, at: 0, taken }
    }

    /// Of a log in which a broadcast had come so far behind an event, begun so often before.
    fn known(stages: &[(u64, u64, u32)]) -> Precedents {
        let precedents = Precedents::default();
        for (after, taken, run) in stages {
            let record = ProgressRecord {
                key: KEY,
                at: 0,
                taken: *taken,
                run: *run,
                place: Place::default(),
            };
            take(&precedents, Logged::Progress(record), *after);
        }
        precedents
    }

    fn take(precedents: &Precedents, logged: Logged, after: u64) {
        let rules = RuleSet::compile(&Sources::default()).unwrap();
        precedents.take(&live(logged, after), &rules, &TimeZone::UTC);
    }

    #[test]
    fn customers_are_taken_behind_the_events_that_the_log_names() {
        let precedents = known(&[(7, 5, 0), (9, 8, 0)]);
        assert_eq!(precedents.onward(&at(0), 7, false), Onward::Take(5));
        assert_eq!(precedents.onward(&at(5), 8, false), Onward::Later);
        assert_eq!(precedents.onward(&at(5), 9, false), Onward::Take(3));
        // The log does not tell yet when it went on.
        assert_eq!(precedents.onward(&at(8), 9, false), Onward::Later);
        let done = SweepRecord {
            key: KEY,
            at: 0,
            done: true,
            place: Place::default(),
        };
        take(&precedents, Logged::Sweep(done), 12);
        assert_eq!(
            precedents.onward(&at(8), 12, false),
            Onward::Take(usize::MAX)
        );
    }

    #[test]
    fn what_a_crash_began_anew_begins_anew() {
        let precedents = known(&[(9, 5, 0), (12, 5, 1)]);
        assert_eq!(precedents.onward(&at(5), 9, false), Onward::Later);
        assert_eq!(precedents.onward(&at(5), 13, false), Onward::Anew);
        assert_eq!(precedents.onward(&at(0), 13, false), Onward::Take(5));
        assert_eq!(
            precedents.onward(&at(5), 13, true),
            Onward::Take(usize::MAX)
        );
    }

    #[test]
    fn a_draw_that_is_not_in_the_log_was_refused_only_where_all_of_it_is_known() {
        use partition::Precedents as _;
        let precedents = Precedents::default();
        let (paid, other) = (DecisionId([1; 16]), DecisionId([2; 16]));
        precedents.lock().paid.insert(paid);
        precedents.lock().refused.insert(other);
        assert_eq!(precedents.paid(paid, paid), Some(true));
        assert_eq!(precedents.paid(paid, paid), None, "paid for once");
        assert_eq!(precedents.paid(paid, other), Some(false));
        precedents.set_hold(true);
        assert_eq!(precedents.paid(paid, paid), Some(false));
    }
}
