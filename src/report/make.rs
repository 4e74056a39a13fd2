//! A fold, made into a report.

use super::attribution::{Credit, credits};
use super::fact::Side;
use super::figures::figures;
use super::fold::Fold;
use super::model::{Figures, Report, RuleReport, SceneReport, Sizes, VERSION, VariantReport};
use super::over_time::over_time;
use super::people::{Group, People, Person, people};
use super::sizes::sizes;
use super::traits;
use super::units::{Book, Unit};
use super::uplift::uplift;
use crate::money::Money;
use crate::policy::{self, Arm};
use crate::statistics::ConfidenceSequence;
use crate::terms::{AttributionModel as Model, ContactPolicy, Percent, Terms};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// In how many experiments an interval may be wrong, however often it is looked at.
const ALPHA: f64 = 0.05;

/// What rules ask for, as far as a report is better for knowing it.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// By the rule's name.
    pub rules: BTreeMap<Box<str>, Planned>,
    /// Who is credited, unless it is asked otherwise.
    pub attribution: Model,
}

/// What a rule asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Planned {
    /// Its scene.
    pub scene: Option<Arc<str>>,
    /// How many customers are held out.
    pub holdout: Percent,
    /// The parts of its experiment, and the share of customers that each should have.
    pub arms: Vec<(Arm, f64)>,
}

impl Plan {
    /// What these rules ask for.
    #[must_use]
    pub fn of<'a>(rules: impl Iterator<Item = &'a Terms>, policy: &ContactPolicy) -> Self {
        let planned = |terms: &Terms| Planned {
            scene: terms.scene.clone(),
            holdout: terms.holdout,
            arms: policy::arms(terms, policy),
        };
        Self {
            attribution: policy.attribution,
            rules: rules
                .map(|terms| ((*terms.name).into(), planned(terms)))
                .collect(),
        }
    }
}

impl Fold {
    /// The report of what was taken so far. `scene` leaves out the rules of others.
    #[must_use]
    pub fn report(&self, plan: &Plan, model: Model, currency: &str, scene: Option<&str>) -> Report {
        let sequence = ConfidenceSequence::new(ALPHA);
        let credits = credits(self, model);
        let scene_of = |book: &Book| {
            let planned = plan.rules.get(&*book.rule);
            let scene = book.scene.clone();
            scene.or_else(|| planned.and_then(|planned| planned.scene.clone()))
        };
        let mut books: Vec<(&Book, Credit, Option<Arc<str>>)> = (self.books.iter().zip(credits))
            .map(|(book, credit)| (book, credit, scene_of(book)))
            .filter(|(book, _, of)| {
                let is_asked_for = scene.is_none_or(|scene| of.as_deref() == Some(scene))
                    && self.rule.as_deref().is_none_or(|rule| rule == &*book.rule);
                is_asked_for && self.proposals(book) > 0
            })
            .collect();
        books.sort_by(|one, other| one.0.rule.cmp(&other.0.rule));
        let units = || books.iter().flat_map(|(book, _, _)| &book.units);
        let (treated, control) = against_control(&people(units()));
        Report {
            version: VERSION,
            currency: currency.to_owned(),
            from: self.period.from,
            to: self.period.to,
            decisions: books.iter().map(|(book, _, _)| book.decisions).sum(),
            first: books.iter().filter_map(|(book, _, _)| book.first).min(),
            last: books.iter().filter_map(|(book, _, _)| book.last).max(),
            confidence: 1.0 - sequence.alpha(),
            attribution: model.word(),
            has_silenced: books.iter().any(|(book, _, _)| book.silenced_at_once > 0),
            programme: uplift(&sequence, &treated, &control, cost(units())),
            scenes: self.scenes(&books, &sequence),
            rules: (books.iter())
                .map(|(book, credit, scene)| {
                    let planned = plan.rules.get(&*book.rule);
                    self.rule(book, *credit, scene.as_deref(), planned, &sequence)
                })
                .collect(),
        }
    }

    fn scenes(
        &self,
        books: &[(&Book, Credit, Option<Arc<str>>)],
        sequence: &ConfidenceSequence,
    ) -> Vec<SceneReport> {
        let names: BTreeSet<&Arc<str>> = books
            .iter()
            .filter_map(|(_, _, scene)| scene.as_ref())
            .collect();
        let names = names.into_iter();
        names
            .map(|name| {
                let of_scene = || {
                    let all = books.iter();
                    all.filter(move |(_, _, scene)| scene.as_ref() == Some(name))
                };
                let units = || of_scene().flat_map(|(book, _, _)| &book.units);
                let mut figures = figures(units());
                let mut proposals = 0;
                for (book, credit, _) in of_scene() {
                    add_credit(&mut figures, *credit);
                    proposals += self.proposals(book);
                }
                figures.proposals = proposals;
                let (treated, control) = against_control(&people(units()));
                SceneReport {
                    scene: name.to_string(),
                    rules: of_scene()
                        .map(|(book, _, _)| book.rule.to_string())
                        .collect(),
                    over_control: uplift(sequence, &treated, &control, cost(units())),
                    figures,
                }
            })
            .collect()
    }

    fn rule(
        &self,
        book: &Book,
        credit: Credit,
        scene: Option<&str>,
        planned: Option<&Planned>,
        sequence: &ConfidenceSequence,
    ) -> RuleReport {
        let people = people(book.units.iter());
        let group = |of: &dyn Fn(&Person) -> bool| group(&people, of);
        let treated = group(&|person| person.side == Side::Treated);
        let held_out = group(&|person| person.side == Side::HeldOut);
        let control = group(&|person| person.side == Side::Control);
        let sizes = planned.and_then(|planned| sizes(&people, &planned.arms));
        let mut figures = figures(book.units.iter());
        add_credit(&mut figures, credit);
        figures.proposals = self.proposals(book);
        let names: BTreeSet<&Arc<str>> = book.units.iter().map(|unit| &unit.variant).collect();
        let variants = names.into_iter().map(|variant| {
            let of_variant = |unit: &&Unit| unit.variant == *variant;
            let units = || book.units.iter().filter(of_variant);
            let of = group(&|person| person.side == Side::Treated && person.variant == *variant);
            VariantReport {
                variant: variant.to_string(),
                figures: super::figures::figures(units()),
                over_holdout: uplift(sequence, &of, &held_out, cost(units())),
            }
        });
        RuleReport {
            rule: book.rule.to_string(),
            scene: scene.map(str::to_owned),
            silenced: (book.silenced.iter())
                .map(|(verdict, times)| (verdict.to_string(), *times))
                .collect(),
            variants: variants.collect(),
            over_holdout: uplift(sequence, &treated, &held_out, figures.cost),
            over_control: uplift(sequence, &treated, &control, figures.cost),
            over_time: over_time(sequence, people.values()),
            attributes: traits::compare(self, &people),
            warnings: warnings(&people, &figures, planned, sizes.as_ref()),
            sizes,
            figures,
        }
    }
}

fn add_credit(figures: &mut Figures, credit: Credit) {
    figures.attributed_conversions += credit.conversions;
    figures.attributed_value = figures.attributed_value.saturating_add(credit.value);
}

fn cost<'a>(units: impl Iterator<Item = &'a Unit>) -> Money {
    units.fold(Money::ZERO, |sum, unit| sum.saturating_add(unit.cost))
}

fn group(people: &People<'_>, of: impl Fn(&Person) -> bool) -> Group {
    let mut group = Group::default();
    // In one order, since sums of approximate numbers depend on it.
    let mut chosen: Vec<(&&crate::partitioning::CustomerId, &Person)> =
        people.iter().filter(|(_, person)| of(person)).collect();
    chosen.sort_unstable_by_key(|(customer, _)| **customer);
    for (_, person) in chosen {
        group.add(person);
    }
    group
}

/// Customers of several rules, against the control group of all: who is in it is in it for every rule, so
/// those whom some rule held out for itself belong to the others.
fn against_control(people: &People<'_>) -> (Group, Group) {
    let is_control = |person: &Person| person.side == Side::Control;
    (
        group(people, |person| !is_control(person)),
        group(people, is_control),
    )
}

fn warnings(
    people: &People<'_>,
    figures: &Figures,
    planned: Option<&Planned>,
    sizes: Option<&Sizes>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let switched = people.values().filter(|person| person.switched).count();
    if switched > 0 {
        warnings.push(format!(
            "{switched} customers were first on one side of the experiment and then on another, \
             since the control group was changed; they are counted where they were first"
        ));
    }
    if let Some(sizes) = sizes.filter(|sizes| sizes.mismatch) {
        warnings.push(format!(
            "the groups do not have the sizes that they should have (sample-ratio mismatch, p = {:.2e}): \
             believe no comparison of them until it is known why; shares that were changed in the period, \
             or a budget that ran out, are a reason",
            sizes.p_value
        ));
    }
    if figures.conversions_without_value > 0 && figures.value_won > Money::ZERO {
        warnings.push(format!(
            "{} converting events say no amount; the value is short of them",
            figures.conversions_without_value
        ));
    }
    if planned.is_some_and(|planned| planned.holdout == Percent::NONE)
        && figures.journeys.control == 0
    {
        warnings.push(
            "nobody is held out, so nothing shows what would have come without it: \
             set `holdout` in the rule, or a control group in policy.toml"
                .to_owned(),
        );
    }
    warnings
}
