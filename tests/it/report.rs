//! Reports as people and machines read them.

use crate::kit::Random;
use onscene::event::OutcomeKind;
use onscene::money::Money;
use onscene::partitioning::CustomerId;
use onscene::report::fact::{Converted, Said, Trait};
use onscene::report::{Fact, Fold, Model, Period, Plan, Report, Side, csv, picture, table};
use onscene::state::DecisionId;
use std::path::Path;

mod a_a;
mod live;
mod trial;

/// 2026-11-01T00:00:00Z
const START: i64 = 1_793_491_200_000;
const DAY: i64 = 86_400_000;

/// A month of two rules. The first lets 24 % convert instead of 20 %, and more of the variant `rich`; nobody
/// of the second is held out.
fn month() -> Vec<Fact> {
    let mut random = Random::new(5);
    let mut facts = Vec::new();
    for number in 0..12_000_u32 {
        let customer = CustomerId::new(&format!("C{number}")).unwrap();
        let at = START + i64::from(number) * 30 * DAY / 12_000;
        let tier = random.pick(&["basic", "gold", "platinum"]);
        facts.push(Fact::Profile {
            customer: customer.clone(),
            since: at - DAY,
            traits: vec![
                ("tier".into(), Some(Trait::Word(tier.into()))),
                (
                    "age".into(),
                    Some(Trait::Number((18 + random.below(60)) as f64)),
                ),
            ],
        });
        let rich = random.below(2) == 0;
        let side = match random.below(10) {
            0 | 1 => Side::HeldOut,
            2 => Side::Control,
            _ => Side::Treated,
        };
        let decision = said(
            number.into(),
            &customer,
            ("win-the-payment/checkout", rich),
            side,
            at,
        );
        let more = match (side, rich) {
            (Side::Treated, true) => 6,
            (Side::Treated, false) => 2,
            _ => 0,
        };
        answers(&mut facts, &mut random, &decision, 11 + tier.len() + more);
        if number % 5 == 0 {
            let id = 1_000_000 + u128::from(number);
            let decision = said(
                id,
                &customer,
                ("bills/reminder", true),
                Side::Treated,
                at + 5,
            );
            answers(&mut facts, &mut random, &decision, 40);
        }
    }
    for (rule, verdict) in [("bills/reminder", "cap"), ("bills/reminder", "quiet_hours")] {
        facts.push(Fact::Silenced {
            entry: None,
            rule: rule.into(),
            verdict: verdict.into(),
            at: START,
        });
    }
    facts
}

fn said(id: u128, customer: &CustomerId, (rule, rich): (&str, bool), side: Side, at: i64) -> Said {
    let id = DecisionId(id.to_be_bytes());
    let scene = rule.split('/').next().unwrap();
    Said {
        id,
        entry: id,
        customer: customer.clone(),
        rule: rule.into(),
        scene: Some(scene.into()),
        variant: match (scene, rich) {
            ("bills", _) => "default".into(),
            (_, true) => "rich".into(),
            (_, false) => "plain".into(),
        },
        side,
        cost: Some(Money::from_ten_thousandths(if rich {
            25_000
        } else {
            12_500
        })),
        at,
    }
}

/// What a customer does about a decision: of a hundred, so many convert.
fn answers(facts: &mut Vec<Fact>, random: &mut Random, said: &Said, percent: usize) {
    let decision = said.id;
    facts.push(Fact::Said(said.clone()));
    let mut outcome = |outcome| facts.push(Fact::Outcome { decision, outcome });
    if said.side == Side::Treated {
        if random.below(100) < 3 {
            outcome(OutcomeKind::Failed);
            return;
        }
        outcome(OutcomeKind::Delivered);
        if random.below(100) < 70 {
            outcome(OutcomeKind::Opened);
            match random.below(10) {
                0..=3 => outcome(OutcomeKind::Accepted),
                4 => outcome(OutcomeKind::Declined),
                _ => {}
            }
        }
    }
    if random.below(100) < percent {
        facts.push(Fact::Converted(Converted {
            decision,
            event: u64::try_from(u128::from_be_bytes(decision.0)).unwrap(),
            value: Some(Money::from_ten_thousandths(
                800_000 + random.below(400) as i64 * 1_000,
            )),
            at: said.at + 60_000,
        }));
    }
}

fn report(rule: Option<&str>) -> Report {
    let mut fold = Fold::new(Period::default(), rule);
    for fact in month() {
        fold.take(fact);
    }
    fold.report(&Plan::default(), Model::LastTouch, "CNY", None)
}

fn assert_golden(name: &str, shown: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/report");
    let file = folder.join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&file, shown).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        golden == shown,
        "{name} is now:\n{shown}\nUPDATE_GOLDEN=1 takes it over"
    );
}

#[test]
fn a_month_is_shown_as_tables() {
    assert_golden("month.txt", &table::text(&report(None)));
}

#[test]
fn a_month_is_written_for_machines() {
    let report = report(Some("bills/reminder"));
    let json = serde_json::to_string_pretty(&report).unwrap();
    assert_golden("month.json", &format!("{json}\n"));
    assert_golden("month.csv", &csv::csv(&self::report(None)));
}

#[test]
fn a_month_is_drawn() {
    assert_golden("month.svg", &picture::svg(&report(None)));
}

#[test]
fn a_report_does_not_depend_on_the_order_in_which_partitions_are_read() {
    let facts = month();
    let (early, late): (Vec<Fact>, Vec<Fact>) = facts.into_iter().partition(|fact| match fact {
        Fact::Said(said) => said.id.0[15] % 2 == 0,
        Fact::Outcome { decision, .. } => decision.0[15] % 2 == 0,
        Fact::Converted(converted) => converted.decision.0[15] % 2 == 0,
        _ => true,
    });
    let mut fold = Fold::new(Period::default(), None);
    for fact in late.into_iter().chain(early) {
        fold.take(fact);
    }
    let other = fold.report(&Plan::default(), Model::LastTouch, "CNY", None);
    let json = |report: &Report| serde_json::to_string(report).unwrap();
    assert_eq!(json(&other), json(&report(None)));
}
