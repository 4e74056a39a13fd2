//! What a backtest found, for people and machines.

use super::causes::Cause;
use serde::Serialize;
use std::collections::BTreeMap;

/// All that is found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The generation of the rules that were tried.
    pub generation: String,
    /// What they are compared with: generations by the number of their decisions; absent if with nothing.
    pub before: Option<BTreeMap<String, u64>>,
    /// Whether they are compared with what was decided live.
    pub is_live: bool,
    /// When the period begins; absent: with the first event.
    pub from: Option<String>,
    /// The first moment that does not belong to it; absent: it ends with the last event.
    pub to: Option<String>,
    /// What was known before it.
    pub start: String,
    /// What became of the events.
    pub events: Events,
    /// Decisions that are the same on both sides.
    pub same: u64,
    /// Decisions that are not.
    pub differences: Differences,
    /// Why decisions differ from those made live, as far as the log tells.
    pub causes: BTreeMap<Cause, u64>,
    /// Whom they reach.
    pub customers: Customers,
    /// By rule, in order.
    pub rules: Vec<RuleLine>,
    /// How often each rule got each verdict.
    pub verdicts: Vec<Verdicts>,
    /// What budgets spent on each day.
    pub budgets: Vec<Budget>,
    /// How often customers are spoken to.
    pub pressure: Sides<Pressure>,
    /// The first differences of each rule and kind.
    pub examples: Vec<Difference>,
}

/// Something before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sides<T> {
    /// What was decided, or what the rules say that are compared with.
    pub before: T,
    /// What the rules say that are tried.
    pub after: T,
}

/// What became of the events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Events {
    /// Of the period.
    pub decided: u64,
    /// Before the period, from which the state was put together.
    pub before: u64,
    /// Seen before.
    pub duplicates: u64,
    /// Imported: known, and answered by nobody.
    pub imported: u64,
    /// Refused by the rules that are tried.
    pub refused: u64,
    /// Refused live, and therefore passed over.
    pub refused_live: u64,
    /// The first line that was refused, and why.
    pub first_refusal: Option<String>,
}

/// How many decisions differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// Only after.
    pub gained: u64,
    /// Only before.
    pub lost: u64,
    /// On both sides, but not the same.
    pub changed: u64,
}

impl Differences {
    /// All of them.
    #[must_use]
    pub fn all(self) -> u64 {
        self.gained + self.lost + self.changed
    }
}

/// How many customers are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Customers {
    /// Who are spoken to.
    pub spoken_to: Sides<u64>,
    /// Who get an offer that they did not get.
    pub gaining: u64,
    /// Who do not get one that they got.
    pub losing: u64,
    /// Who get another one.
    pub changing: u64,
}

/// What a rule did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Actions sent.
    pub sent: u64,
    /// Decided and not delivered: held out, or in shadow mode.
    pub withheld: u64,
    /// Cost of what was sent, in base currency.
    pub cost: String,
    /// Value of what was sent, in base currency.
    pub value: String,
    /// Conversions.
    pub converted: u64,
    /// Failures of the rule; live ones are not in the log.
    pub errors: u64,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleLine {
    /// Its name.
    pub rule: String,
    /// What it did.
    pub figures: Sides<Figures>,
    /// What differs.
    pub differences: Differences,
}

/// How often a rule got a verdict. What was decided live is known of actions alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdicts {
    /// The rule.
    pub rule: String,
    /// The verdict.
    pub verdict: &'static str,
    /// Before; absent if it is not known.
    pub before: Option<u64>,
    /// After.
    pub after: u64,
}

/// What a budget spent on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// The rule.
    pub rule: String,
    /// The calendar day in the engine's time zone.
    pub day: String,
    /// How much, in base currency.
    pub spent: Sides<String>,
}

/// How often customers are spoken to in a week, from Monday to Sunday.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pressure {
    /// How many weeks of customers have so many messages; those without any are not counted.
    pub weeks: BTreeMap<u32, u64>,
    /// The most.
    pub most: u32,
    /// At most so many in half of them.
    pub median: u32,
    /// At most so many in 99 of 100.
    pub p99: u32,
}

/// What kind of difference it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Only after.
    Gained,
    /// Only before.
    Lost,
    /// On both sides, but not the same.
    Changed,
}

/// One decision that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its id.
    pub id: String,
    /// What kind of difference it is.
    pub change: Change,
    /// The rule.
    pub rule: String,
    /// To whom.
    pub customer: String,
    /// When, in policy time.
    pub at: String,
    /// What it answers: type and id.
    pub trigger: (String, String),
    /// What differs, by name.
    pub fields: Vec<&'static str>,
    /// Why, if it is compared with what was decided live.
    pub cause: Option<Cause>,
    /// What was said before; absent if nothing was.
    pub before: Option<Told>,
    /// What is said after; absent if nothing is.
    pub after: Option<Told>,
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// `sent`; or why the customer does not get it: `holdout`, `control` (the control group of all rules), `shadow`.
    pub verdict: String,
    /// By which channel.
    pub channel: String,
    /// In which variant.
    pub variant: String,
    /// The code in its body.
    pub code: Option<String>,
    /// The value in its body, in base currency.
    pub value: Option<String>,
    /// The cost in its body, in base currency.
    pub cost: Option<String>,
}
