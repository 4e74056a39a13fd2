//! What a rule file promises about itself, apart from its functions: when it may speak, to whom, how
//! often. Vocabulary shared by rules and policy.

mod contact_policy;
mod percent;

use crate::clock::{DAY, MINUTE, Millis};
use crate::money::Money;
use crate::state::Window;
use jiff::civil::{Date, Time};
use std::sync::Arc;

pub use contact_policy::{
    Arbitration, AttributionModel, ChannelOrder, ConsentDefaults, ContactPolicy, ControlGroup,
    CustomerList, Exclusions, Household, Limit, Lists, Mention, Per, PolicyError, QuietHours,
    Scope, Subject, Surroundings,
};
pub use percent::Percent;

/// The validated `RULE` map of a rule file.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// The rule's name: its path without `.rhai`.
    pub name: Arc<str>,
    /// Event types it listens to.
    pub on: Vec<Arc<str>>,
    /// The scene it belongs to.
    pub scene: Option<Arc<str>>,
    /// First day, in the customer's time zone.
    pub starts: Option<Date>,
    /// First day on which it no longer speaks.
    pub ends: Option<Date>,
    /// Hours of the day, in the customer's time zone.
    pub hours: Option<Hours>,
    /// Days of the week.
    pub days: Days,
    /// Any of these segments; empty for everybody.
    pub audience: Vec<Box<str>>,
    /// In order of preference.
    pub channels: Vec<Box<str>>,
    /// What it is for, if that needs a consent of its own.
    pub purpose: Option<Box<str>>,
    /// Higher goes first.
    pub priority: i64,
    /// At most one of a group for one event.
    pub group: Option<Box<str>>,
    /// Silence after it spoke, per customer.
    pub cooldown: Option<Window>,
    /// How often it may speak, per customer.
    pub cap: Option<Cap>,
    /// How many customers are held out of it, to compare with.
    pub holdout: Percent,
    /// How many customers it is rolled out to.
    pub rollout: Percent,
    /// What its draws are salted with instead of its name.
    pub salt: Option<Box<str>>,
    /// Variants and their weights; at least one.
    pub variants: Vec<(Box<str>, u32)>,
    /// A trigger older than this never acts; of a timer, one that was due longer ago.
    pub fresh: Millis,
    /// What its actions may cost in all.
    pub budget: Option<Budget>,
    /// What becomes of it in quiet hours.
    pub quiet: Quiet,
    /// How long after an action a conversion is put down to it.
    pub within: Millis,
    /// How long it waits between `when` and `still`.
    pub delay: Option<Millis>,
    /// The steps of a journey; none for a rule that speaks once.
    pub steps: Vec<StepTime>,
    /// Whether it goes live only in a text that a second person has approved.
    pub approval: bool,
}

/// The trigger of rules that are tried once a day for each customer.
pub const DAILY: &str = "timer.daily";
/// What the triggers of the engine's own begin with.
pub const TIMER_PREFIX: &str = "timer.";
/// What the types of broadcasts begin with.
pub const BROADCAST_PREFIX: &str = "broadcast.";

/// Default of `priority`.
pub const PRIORITY_DEFAULT: i64 = 50;
/// Default of `fresh`.
pub const FRESH_DEFAULT: Millis = MINUTE;
/// Default of `within`.
pub const WITHIN_DEFAULT: Millis = DAY;

impl Terms {
    /// A rule that says nothing of itself: no event, no channel, and every default.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            on: Vec::new(),
            scene: None,
            starts: None,
            ends: None,
            hours: None,
            days: Days::ALL,
            audience: Vec::new(),
            channels: Vec::new(),
            purpose: None,
            priority: PRIORITY_DEFAULT,
            group: None,
            cooldown: None,
            cap: None,
            holdout: Percent::NONE,
            rollout: Percent::ALL,
            salt: None,
            variants: vec![("default".into(), 1)],
            fresh: FRESH_DEFAULT,
            budget: None,
            quiet: Quiet::Drop,
            within: WITHIN_DEFAULT,
            delay: None,
            steps: Vec::new(),
            approval: false,
        }
    }

    /// The local time at which a rule for [`DAILY`] is tried: when its hours begin, else 10:00.
    /// `None` for other rules.
    #[must_use]
    pub fn daily_at(&self) -> Option<Time> {
        let is_daily = self.on.iter().any(|kind| &**kind == DAILY);
        is_daily.then(|| {
            self.hours
                .map_or(Time::constant(10, 0, 0, 0), |hours| hours.from())
        })
    }

    /// Whether something of it is decided later than at its trigger.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.delay.is_some() || !self.steps.is_empty()
    }
}

/// What the actions of a rule may cost, in base currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Ever.
    pub total: Option<Money>,
    /// On a calendar day of the engine's time zone.
    pub daily: Option<Money>,
    /// The key of the action's body whose values have an account each; one account if `None`.
    pub per: Option<Box<str>>,
}

/// What becomes of an action that falls into quiet hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quiet {
    /// It is not said.
    #[default]
    Drop,
    /// It waits for their end, and is looked at again then.
    Defer,
}

/// When a step of a journey is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepTime {
    /// So long after the trigger.
    After(Millis),
    /// So long before a time in the trigger's data.
    Before {
        /// How long.
        lead: Millis,
        /// The field that holds the time.
        of: Box<str>,
    },
}

/// The longest wait of a delay or a step, so that what waits can be kept.
pub const WAIT_MAX: Millis = 400 * DAY;

/// So many per rolling window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// How many.
    pub count: u32,
    /// Per what.
    pub window: Window,
}

impl Cap {
    /// Reads `3 per 30d`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (count, window) = text.split_once(" per ")?;
        let count = count.trim().parse().ok().filter(|n| *n > 0)?;
        Some(Self {
            count,
            window: Window::parse(window.trim())?,
        })
    }
}

/// Hours of a day, from one time up to another; over midnight when the first is the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    from: Time,
    /// `None` for 24:00.
    until: Option<Time>,
}

impl Hours {
    /// Reads `10:00-22:00`, `22:00-06:00` or `08:00-24:00`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (from, until) = text.split_once('-')?;
        let time = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
        };
        let from = time(from)?;
        let until = match until.trim() {
            "24:00" => None,
            until => Some(time(until)?),
        };
        (until != Some(from)).then_some(Self { from, until })
    }

    /// When they begin.
    #[must_use]
    pub fn from(self) -> Time {
        self.from
    }

    /// When they end: the first moment that is no longer part of them.
    #[must_use]
    pub fn until(self) -> Time {
        self.until.unwrap_or(Time::midnight())
    }

    /// Whether a time of day lies in them; the end is not part.
    #[must_use]
    pub fn contain(self, time: Time) -> bool {
        match self.until {
            None => time >= self.from,
            Some(until) if self.from < until => time >= self.from && time < until,
            Some(until) => time >= self.from || time < until,
        }
    }
}

/// A set of days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u8);

const DAY_NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Days {
    /// All seven.
    pub const ALL: Self = Self(0b111_1111);

    /// Reads `mon-sun`, `fri-mon` or `mon,wed,sat-sun`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let day = |name: &str| DAY_NAMES.iter().position(|d| *d == name.trim());
        let mut days = 0;
        for part in text.split(',') {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (mut at, to) = (day(from)?, day(to)?);
            loop {
                days |= 1 << at;
                if at == to {
                    break;
                }
                at = (at + 1) % 7;
            }
        }
        Some(Self(days))
    }

    /// Whether a day is among them; Monday is 0.
    #[must_use]
    pub fn contain(self, monday_zero: i8) -> bool {
        self.0 & (1 << monday_zero) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_go_over_midnight_and_end_before_their_end() {
        let at = |h, m| Time::new(h, m, 0, 0).unwrap();
        let day = Hours::parse("10:00-22:00").unwrap();
        assert!(day.contain(at(10, 0)) && day.contain(at(21, 59)) && !day.contain(at(22, 0)));
        let night = Hours::parse("22:00-06:00").unwrap();
        assert!(night.contain(at(23, 0)) && night.contain(at(5, 59)) && !night.contain(at(6, 0)));
        assert!(Hours::parse("08:00-24:00").unwrap().contain(at(23, 59)));
        for wrong in ["", "10:00", "25:00-26:00", "10:00-10:00", "10-12"] {
            assert_eq!(Hours::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn days_may_be_ranges_over_the_weekend() {
        let days = Days::parse("fri-mon,wed").unwrap();
        let which: Vec<i8> = (0..7).filter(|d| days.contain(*d)).collect();
        assert_eq!(which, [0, 2, 4, 5, 6]);
        assert_eq!(Days::parse("mon-sun"), Some(Days::ALL));
        assert_eq!(Days::parse("monday"), None);
    }

    #[test]
    fn a_cap_is_a_count_per_window() {
        assert_eq!(
            Cap::parse("3 per 30d"),
            Some(Cap {
                count: 3,
                window: Window::parse("30d").unwrap()
            })
        );
        assert_eq!(Cap::parse("0 per 30d"), None);
        assert_eq!(Cap::parse("3/30d"), None);
    }
}
