//! A rule that fails again and again is not asked for a while: it costs time and says nothing.

use crate::clock::{HOUR, MINUTE, Millis};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many more failures than successes put a rule into quarantine.
pub(super) const FAILURES_MAX: u32 = 20;
/// How long the first time; twice as long each time after.
pub(super) const HOLD_FIRST: Millis = MINUTE;
/// How long at the most.
pub(super) const HOLD_MAX: Millis = HOUR;

#[derive(Debug)]
struct Meter {
    /// Of which text of the rule: a rule that was changed begins anew.
    digest: u64,
    /// Failures less successes.
    failures: u32,
    until: Millis,
    times: u32,
    /// Known from the log alone, which does not say whether it worked again since.
    restored: bool,
}

/// How a rule is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Until when, by the wall clock.
    pub until: Millis,
    /// How often, in a row.
    pub times: u32,
}

/// The meters of all rules that failed lately, shared by all partitions.
#[derive(Debug, Default)]
pub struct Quarantine {
    meters: Mutex<HashMap<Arc<str>, Meter>>,
    /// Whether there is any meter: nearly always not.
    any: AtomicBool,
}

impl Quarantine {
    /// Until when a rule is not asked, by the wall clock; `None` if it is.
    #[must_use]
    pub fn until(&self, rule: &str, digest: u64, now: Millis) -> Option<Millis> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        let meters = self.lock();
        let meter = meters.get(rule)?;
        (meter.digest == digest && now < meter.until).then_some(meter.until)
    }

    /// Notes a failure; tells until when the rule is in quarantine if this one put it there.
    pub fn failed(&self, rule: &Arc<str>, digest: u64, now: Millis) -> Option<Held> {
        let mut meters = self.lock();
        self.any.store(true, Ordering::Relaxed);
        let fresh = || Meter {
            digest,
            failures: 0,
            until: 0,
            times: 0,
            restored: false,
        };
        let meter = meters.entry(rule.clone()).or_insert_with(fresh);
        let is_over = meter.restored && now >= meter.until;
        if meter.digest != digest || is_over {
            *meter = fresh();
        }
        meter.failures += 1;
        if meter.failures < FAILURES_MAX || now < meter.until {
            return None;
        }
        // One more failure after the time is over puts it back for longer.
        meter.failures = FAILURES_MAX - 1;
        let hold = HOLD_FIRST
            .saturating_mul(1 << meter.times.min(10))
            .min(HOLD_MAX);
        meter.times += 1;
        meter.until = now.saturating_add(hold);
        meter.restored = false;
        Some(Held {
            until: meter.until,
            times: meter.times,
        })
    }

    /// All rules that failed lately, held or not.
    #[must_use]
    pub fn known(&self) -> Vec<Arc<str>> {
        if !self.any.load(Ordering::Relaxed) {
            return Vec::new();
        }
        self.lock().keys().cloned().collect()
    }

    /// All rules that were put here, in order, each with its text's digest.
    #[must_use]
    pub fn held(&self) -> Vec<(Arc<str>, u64, Held)> {
        let meters = self.lock();
        let held = meters.iter().filter(|(_, meter)| meter.times > 0);
        let mut held: Vec<_> = held
            .map(|(rule, meter)| {
                let (until, times) = (meter.until, meter.times);
                (rule.clone(), meter.digest, Held { until, times })
            })
            .collect();
        held.sort_by(|a, b| a.0.cmp(&b.0));
        held
    }

    /// Takes over what the log says, unless more is known.
    pub fn restore(&self, rule: &Arc<str>, digest: u64, held: Held) {
        let mut meters = self.lock();
        if meters
            .get(rule)
            .is_some_and(|meter| meter.until >= held.until)
        {
            return;
        }
        let meter = Meter {
            digest,
            failures: FAILURES_MAX - 1,
            until: held.until,
            times: held.times,
            restored: true,
        };
        meters.insert(rule.clone(), meter);
        self.any.store(true, Ordering::Relaxed);
    }

    /// Notes that a rule was asked and answered.
    pub fn succeeded(&self, rule: &str) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let mut meters = self.lock();
        let Some(meter) = meters.get_mut(rule) else {
            return;
        };
        // After a quarantine the first success clears it.
        meter.failures = if meter.times > 0 {
            0
        } else {
            meter.failures.saturating_sub(1)
        };
        if meter.failures == 0 {
            meters.remove(rule);
        }
        self.any.store(!meters.is_empty(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Meter>> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_failures_hold_a_rule_and_time_or_an_edit_brings_it_back() {
        let (quarantine, rule): (_, Arc<str>) = (Quarantine::default(), "r".into());
        for _ in 1..FAILURES_MAX {
            assert_eq!(quarantine.failed(&rule, 1, 0), None);
        }
        assert_eq!(quarantine.until("r", 1, 0), None);
        let held = |until, times| Some(Held { until, times });
        assert_eq!(quarantine.failed(&rule, 1, 0), held(HOLD_FIRST, 1));
        assert_eq!(quarantine.until("r", 1, HOLD_FIRST - 1), Some(HOLD_FIRST));
        assert_eq!(quarantine.until("r", 2, 0), None, "another text of it");
        assert_eq!(quarantine.until("r", 1, HOLD_FIRST), None, "time is over");
        let again = quarantine.failed(&rule, 1, HOLD_FIRST);
        assert_eq!(
            again,
            held(3 * HOLD_FIRST, 2),
            "one failure, and twice as long"
        );
        quarantine.succeeded("r");
        assert_eq!(quarantine.failed(&rule, 1, HOUR), None, "all is forgiven");
    }

    #[test]
    fn what_the_log_says_holds_until_its_time_is_over_and_no_longer() {
        let (quarantine, rule): (_, Arc<str>) = (Quarantine::default(), "r".into());
        let held = Held {
            until: HOUR,
            times: 3,
        };
        quarantine.restore(&rule, 1, held);
        assert_eq!(quarantine.until("r", 1, HOUR - 1), Some(HOUR));
        assert_eq!(quarantine.until("r", 2, 0), None, "another text of it");
        assert_eq!(quarantine.failed(&rule, 1, HOUR), None, "it begins anew");
        let known = Held {
            until: MINUTE,
            times: 1,
        };
        quarantine.restore(&rule, 1, held);
        quarantine.restore(&rule, 1, known);
        assert_eq!(quarantine.until("r", 1, MINUTE), Some(HOUR), "the longest");
    }

    #[test]
    fn a_rule_that_fails_now_and_then_is_left_alone() {
        let (quarantine, rule): (_, Arc<str>) = (Quarantine::default(), "r".into());
        for _ in 0..1_000 {
            assert_eq!(quarantine.failed(&rule, 1, 0), None);
            quarantine.succeeded("r");
        }
    }
}
