//! The report: what is written as JSON, and what tables and pictures are made of.

use crate::clock::{Millis, format_rfc3339};
use crate::money::Money;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// The version of the JSON.
pub const VERSION: u32 = 1;

/// A report of a period.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of this format.
    pub version: u32,
    /// The currency of every amount.
    pub currency: String,
    /// The first moment of the period, if it has one.
    #[serde(serialize_with = "moment")]
    pub from: Option<Millis>,
    /// The first moment after it, if it has one.
    #[serde(serialize_with = "moment")]
    pub to: Option<Millis>,
    /// How many decisions of the log it is made of.
    pub decisions: u64,
    /// Policy time of the first of them.
    #[serde(serialize_with = "moment")]
    pub first: Option<Millis>,
    /// Policy time of the last.
    #[serde(serialize_with = "moment")]
    pub last: Option<Millis>,
    /// With what probability an interval holds, at all looks at once.
    #[serde(serialize_with = "rounded")]
    pub confidence: f64,
    /// Who is credited with a conversion that followed several decisions.
    pub attribution: &'static str,
    /// Whether proposals that did not go out at once are among what was read.
    pub has_silenced: bool,
    /// All rules together, against the control group of all rules.
    pub programme: Option<Uplift>,
    /// By scene.
    pub scenes: Vec<SceneReport>,
    /// By rule.
    pub rules: Vec<RuleReport>,
}

/// The rules of a scene together.
#[derive(Clone, Debug, Serialize)]
pub struct SceneReport {
    /// The scene.
    pub scene: String,
    /// Its rules that said something.
    pub rules: Vec<String>,
    /// What they said and what came of it.
    pub figures: Figures,
    /// Customers who got anything of it against the control group of all rules.
    pub over_control: Option<Uplift>,
}

/// One rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleReport {
    /// The rule.
    pub rule: String,
    /// Its scene, if it is known.
    pub scene: Option<String>,
    /// How often each word stands in what was read about proposals that did not go out.
    pub silenced: BTreeMap<String, u64>,
    /// All variants together.
    pub figures: Figures,
    /// Each variant.
    pub variants: Vec<VariantReport>,
    /// Customers it was sent to against its own control group.
    pub over_holdout: Option<Uplift>,
    /// Customers it was sent to against the control group of all rules.
    pub over_control: Option<Uplift>,
    /// Whether the groups have the sizes that they should have, if the rules of today are known.
    pub sizes: Option<Sizes>,
    /// How the uplift over the own control group came to be known.
    pub over_time: Vec<Point>,
    /// Customers it was sent to, compared attribute by attribute; what tells most comes first.
    pub attributes: Vec<Attribute>,
    /// What a reader must know before believing any of it.
    pub warnings: Vec<String>,
}

/// The sizes of the groups of a rule's experiment, each customer counted once.
#[derive(Clone, Debug, Serialize)]
pub struct Sizes {
    /// Each group.
    pub groups: Vec<GroupSize>,
    /// How well they fit; it may be looked at at any time.
    pub p_value: f64,
    /// Whether they are wrong (sample-ratio mismatch): then no comparison of them is to be believed.
    pub mismatch: bool,
}

/// The size of one group.
#[derive(Clone, Debug, Serialize)]
pub struct GroupSize {
    /// `control`, `holdout`, or the variant.
    pub group: String,
    /// How many customers it has.
    pub customers: u64,
    /// The part of all that it should have.
    #[serde(serialize_with = "rounded")]
    pub share: f64,
}

/// One variant of a rule.
#[derive(Clone, Debug, Serialize)]
pub struct VariantReport {
    /// The variant.
    pub variant: String,
    /// What it said and what came of it.
    pub figures: Figures,
    /// Customers who got it against the rule's control group.
    pub over_holdout: Option<Uplift>,
}

/// A count for each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sides {
    /// Sent.
    pub sent: u64,
    /// In the rule's own control group.
    pub held_out: u64,
    /// In the control group of all rules.
    pub control: u64,
    /// In shadow mode.
    pub shadow: u64,
}

/// What was said and what came of it. Unless it says otherwise, each number counts journeys that were sent: a
/// decision with all its steps and repetitions on other channels is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Proposals that what was read knows of: journeys, and those that ended without a word.
    pub proposals: u64,
    /// Journeys, by side.
    pub journeys: Sides,
    /// Actions that were sent: a journey may have several.
    pub actions: u64,
    /// Reached the device.
    pub delivered: u64,
    /// Failed on every channel that was tried.
    pub failed: u64,
    /// Were looked at.
    pub opened: u64,
    /// The customer said yes.
    pub accepted: u64,
    /// The customer said no.
    pub declined: u64,
    /// The coupon was used.
    pub redeemed: u64,
    /// The customer wants no more of these.
    pub unsubscribed: u64,
    /// Did what they were for, by side.
    pub converted: Sides,
    /// Converting events that say no amount; they are missing in the value.
    pub conversions_without_value: u64,
    /// What the converting events of those that were sent brought, whoever else spoke to the customer.
    #[serde(serialize_with = "money")]
    pub value_won: Money,
    /// What was sent cost.
    #[serde(serialize_with = "money")]
    pub cost: Money,
    /// Value over cost, if anything was spent. It is no proof: some would have come anyway.
    #[serde(serialize_with = "maybe_rounded")]
    pub return_on_spend: Option<f64>,
    /// Conversions that are credited to it.
    #[serde(serialize_with = "rounded")]
    pub attributed_conversions: f64,
    /// Value that is credited to it.
    #[serde(serialize_with = "money")]
    pub attributed_value: Money,
}

/// How much more those did who were spoken to. It counts customers, each once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Uplift {
    /// Those who were spoken to.
    pub treated: GroupFigures,
    /// Those who were not.
    pub held_out: GroupFigures,
    /// The difference of the shares that converted; `None` while there are too few customers.
    pub conversion: Option<Compared>,
    /// The difference of the value per customer.
    pub value_per_customer: Option<Compared>,
    /// What would be missing if nobody had been spoken to.
    pub incremental: Option<Incremental>,
    /// What may be said.
    pub verdict: &'static str,
}

/// One side of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GroupFigures {
    /// Customers.
    pub customers: u64,
    /// Of them, those who converted.
    pub converted: u64,
    /// Their share.
    #[serde(serialize_with = "rounded")]
    pub rate: f64,
    /// What one brought on average.
    #[serde(serialize_with = "rounded")]
    pub value_per_customer: f64,
}

/// A difference of two sides.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// One less the other.
    pub absolute: Bounds,
    /// One over the other, less 1; `None` while the other may be zero.
    pub relative: Option<Bounds>,
    /// At what error level zero would be excluded by now.
    #[serde(serialize_with = "rounded")]
    pub p_value: f64,
}

/// What would be missing if nobody had been spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Incremental {
    /// Customers who converted for it.
    pub conversions: Bounds,
    /// What they brought.
    pub value: Option<Bounds>,
    /// That over what speaking cost.
    pub return_on_spend: Option<Bounds>,
}

/// An estimate, and between which numbers the truth lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bounds {
    /// The estimate.
    #[serde(serialize_with = "rounded")]
    pub estimate: f64,
    /// The least that is compatible with what was seen.
    #[serde(serialize_with = "rounded")]
    pub low: f64,
    /// The most.
    #[serde(serialize_with = "rounded")]
    pub high: f64,
}

impl Bounds {
    /// The same in another unit, which must not turn it round.
    #[must_use]
    pub fn map(self, unit: impl Fn(f64) -> f64) -> Self {
        Self {
            estimate: unit(self.estimate),
            low: unit(self.low),
            high: unit(self.high),
        }
    }
}

/// What was known at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The moment.
    #[serde(serialize_with = "instant")]
    pub at: Millis,
    /// Customers who had been spoken to.
    pub treated: u64,
    /// Of them, those who had converted.
    pub treated_converted: u64,
    /// Customers held out.
    pub held_out: u64,
    /// Of them, those who had converted.
    pub held_out_converted: u64,
    /// The uplift then; `None` while there were too few customers.
    pub absolute: Option<Bounds>,
}

/// An attribute of customers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// How strongly it goes together with converting, from 0 to 1 (Cramér's V, corrected).
    #[serde(serialize_with = "rounded")]
    pub strength: f64,
    /// Customers by what it is.
    pub groups: Vec<TraitGroup>,
}

/// Customers with the same value of an attribute.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraitGroup {
    /// The value, or the values.
    pub group: String,
    /// Of those it was sent to, who converted.
    pub converted: u64,
    /// Who did not.
    pub not_converted: u64,
    /// Which part of all who converted they are.
    #[serde(serialize_with = "rounded")]
    pub share_of_converted: f64,
    /// Which part of all who did not.
    #[serde(serialize_with = "rounded")]
    pub share_of_not_converted: f64,
    /// Which part of them converted.
    #[serde(serialize_with = "rounded")]
    pub rate: f64,
    /// Customers of the group who were held out.
    pub held_out: u64,
    /// Of them, who converted all the same.
    pub held_out_converted: u64,
}

fn money<S: Serializer>(amount: &Money, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(amount)
}

/// Six decimals: beyond them, machines may differ in how they take logarithms.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn rounded<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((number * 1e6).round() / 1e6)
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn maybe_rounded<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => rounded(number, serializer),
        None => serializer.serialize_none(),
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn instant<S: Serializer>(at: &Millis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_rfc3339(*at))
}

#[expect(clippy::ref_option, reason = "the signature that serde asks for")]
fn moment<S: Serializer>(at: &Option<Millis>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => instant(at, serializer),
        None => serializer.serialize_none(),
    }
}
