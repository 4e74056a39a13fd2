//! Trials: simulated customers of whom it is known what rules truly do, and what a report says of them.

use onscene::decode::Decoder;
use onscene::event::{Incoming, Stored};
use onscene::partition::{Input, Partition};
use onscene::report::model::RuleReport;
use onscene::report::{Fact, Fold, Model, Period, Plan, Report};
use onscene::rules::{RuleSet, Sources};
use onscene::simulate::{Decided, SimulatedEvent, Simulation, SimulationSettings, TrueEffect};
use onscene::state::{Customers, Delivery, JournalLimits};
use std::path::Path;
use std::sync::Arc;

/// The rules of the trial with what they truly do, in percent without and with their action.
pub(super) const EFFECTS: [&str; 3] = ["trial/lift=10:13", "trial/none=10:10", "trial/harm=20:16"];
const EVENTS_PER_SECOND: i64 = 500;
const START: i64 = 1_793_491_200_000;

pub(super) fn effects() -> Vec<TrueEffect> {
    EFFECTS.iter().map(|text| text.parse().unwrap()).collect()
}

pub(super) fn rules_folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trial/rules")
}

/// An engine of one partition without NATS, whose log goes straight into a report.
struct Offline {
    rules: RuleSet,
    decoder: Decoder,
    partition: Partition,
    fold: Fold,
    sequence: u64,
}

impl Offline {
    fn new() -> Self {
        let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
        Self {
            rules: RuleSet::compile(&Sources::read(&rules_folder()).unwrap()).unwrap(),
            decoder: Decoder::default(),
            partition: Partition::new(
                Arc::new(Customers::default()),
                JournalLimits::default(),
                zone,
            ),
            fold: Fold::new(Period::default(), None),
            sequence: 0,
        }
    }

    /// Steps one event, and lets the customers do what the decisions about it lead to.
    fn step(&mut self, event: SimulatedEvent, simulation: &mut Simulation) {
        self.sequence += 1;
        let stored = Stored {
            sequence: self.sequence,
            stored_at: event.time,
            subject: event.subject,
            headers: Vec::new(),
            payload: event.payload.into(),
        };
        let decoded = self.decoder.decode_offline(&stored, self.rules.schema());
        let what = decoded.unwrap();
        if let Incoming::Event(event) = &what
            && let Some(fact) = Fact::of_event(event)
        {
            self.fold.take(fact);
        }
        let input = Input {
            sequence: self.sequence,
            stored_at: event.time,
            already: 0,
            what,
        };
        let output = self.partition.step(&[input], event.time, &self.rules);
        assert!(output.errors.is_empty(), "{:?}", output.errors);
        for entry in &output.entries {
            if let Some(fact) = Fact::of_logged(&entry.logged()) {
                self.fold.take(fact);
            }
            if let Some(decision) = entry.decision() {
                simulation.decided(&Decided {
                    id: &decision.id.to_string(),
                    customer: decision.customer.as_str(),
                    rule: &decision.rule,
                    sent: decision.delivery() == Delivery::Sent,
                });
            }
        }
    }
}

/// Some minutes of simulated traffic, and its report.
fn trial(seed: u64, minutes: i64) -> Report {
    let settings = SimulationSettings {
        customers: 20_000 * u32::try_from(minutes).unwrap().min(5),
        warmup_days: 0,
        ..SimulationSettings::new(seed, START)
    };
    let mut simulation = Simulation::new(settings).with_effects(effects());
    let mut engine = Offline::new();
    let opening: Vec<SimulatedEvent> = simulation.opening().collect();
    for event in opening {
        engine.step(event, &mut simulation);
    }
    for number in 0..minutes * 60 * EVENTS_PER_SECOND {
        let event = simulation.next(START + number * 1_000 / EVENTS_PER_SECOND);
        engine.step(event, &mut simulation);
    }
    let terms = engine.rules.rules().iter().map(|rule| &rule.terms);
    let plan = Plan::of(terms, engine.rules.policy());
    engine.fold.report(&plan, Model::LastTouch, "CNY", None)
}

/// Whether a rule's truth is where the report says it is.
fn truth_is_inside(rule: &RuleReport, effect: &TrueEffect) -> bool {
    let uplift = rule.over_holdout.as_ref().unwrap();
    let [held_out, sent] = [effect.held_out, effect.sent].map(|part| f64::from(part) / 10_000.0);
    let conversion = uplift.conversion.expect("enough customers");
    let absolute = conversion.absolute;
    let relative = conversion.relative.expect("a rate above zero");
    let truth = sent / held_out - 1.0;
    println!(
        "result: {}: true {:+.4}, estimated {:+.4} [{:+.4}, {:+.4}] of {} customers and {} held out: {}",
        rule.rule,
        sent - held_out,
        absolute.estimate,
        absolute.low,
        absolute.high,
        uplift.treated.customers,
        uplift.held_out.customers,
        uplift.verdict
    );
    let inside = (absolute.low..=absolute.high).contains(&(sent - held_out));
    inside && (relative.low..=relative.high).contains(&truth)
}

#[test]
fn a_report_of_simulated_customers_has_what_rules_truly_do_within_its_intervals() {
    let minutes = std::env::var("ONSCENE_TRIAL_MINUTES");
    let minutes = minutes.map_or(1, |minutes| minutes.parse().unwrap());
    let seeds = if minutes > 1 { 2 } else { 1 };
    for seed in 1..=seeds {
        let report = trial(seed, minutes);
        for (rule, effect) in ["trial/lift", "trial/none", "trial/harm"]
            .iter()
            .zip(effects())
        {
            let rule = report
                .rules
                .iter()
                .find(|known| known.rule == *rule)
                .unwrap();
            assert!(truth_is_inside(rule, &effect), "seed {seed}: {effect:?}");
            assert!(rule.warnings.is_empty(), "{:?}", rule.warnings);
            let figures = rule.figures;
            assert_eq!(
                figures.cost.ten_thousandths(),
                5_000 * figures.actions as i64
            );
            if minutes > 1 {
                let verdict = rule.over_holdout.as_ref().unwrap().verdict;
                let expected = match effect.sent.cmp(&effect.held_out) {
                    std::cmp::Ordering::Greater => "better",
                    std::cmp::Ordering::Less => "worse",
                    std::cmp::Ordering::Equal => "not told apart yet",
                };
                assert_eq!(verdict, expected, "seed {seed}: {effect:?}");
            }
        }
    }
}
