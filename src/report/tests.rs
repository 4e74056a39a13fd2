use super::fact::{Converted, Said, Trait};
use super::*;
use crate::event::OutcomeKind;
use crate::money::Money;
use crate::partitioning::CustomerId;
use crate::state::DecisionId;

fn id(number: u128) -> DecisionId {
    DecisionId(number.to_be_bytes())
}

fn money(units: i64) -> Money {
    Money::from_ten_thousandths(units * 10_000)
}

fn customer(number: u32) -> CustomerId {
    CustomerId::new(&format!("C{number}")).unwrap()
}

fn said(number: u128, rule: &str, of: u32, side: Side, at: i64) -> Said {
    Said {
        id: id(number),
        entry: id(number),
        customer: customer(of),
        rule: rule.into(),
        scene: None,
        variant: "default".into(),
        side,
        cost: Some(money(3)),
        at,
    }
}

fn converted(decision: u128, event: u64, value: Option<i64>, at: i64) -> Fact {
    Fact::Converted(Converted {
        decision: id(decision),
        event,
        value: value.map(money),
        at,
    })
}

fn outcome(decision: u128, outcome: OutcomeKind) -> Fact {
    Fact::Outcome {
        decision: id(decision),
        outcome,
    }
}

fn report(facts: impl IntoIterator<Item = Fact>) -> Report {
    of(facts, Period::default(), Model::LastTouch)
}

fn of(facts: impl IntoIterator<Item = Fact>, period: Period, model: Model) -> Report {
    let mut fold = Fold::new(period, None);
    for fact in facts {
        fold.take(fact);
    }
    fold.report(&Plan::default(), model, "CNY", None)
}

#[test]
fn what_was_sent_is_counted_with_its_cost_and_what_was_held_out_costs_nothing() {
    let report = report([
        Fact::Said(said(1, "a", 1, Side::Treated, 10)),
        Fact::Said(said(2, "a", 2, Side::HeldOut, 20)),
        Fact::Said(said(3, "a", 3, Side::Control, 30)),
        Fact::Said(said(4, "a", 4, Side::Shadow, 40)),
        outcome(1, OutcomeKind::Delivered),
        outcome(1, OutcomeKind::Delivered),
        outcome(1, OutcomeKind::Accepted),
        outcome(99, OutcomeKind::Accepted),
        converted(1, 7, Some(100), 50),
        converted(2, 8, Some(90), 60),
    ]);
    let figures = report.rules[0].figures;
    let sides = (figures.journeys.sent, figures.journeys.held_out);
    assert_eq!(sides, (1, 1));
    assert_eq!((figures.journeys.control, figures.journeys.shadow), (1, 1));
    assert_eq!((figures.delivered, figures.accepted), (1, 1));
    assert_eq!((figures.value_won, figures.cost), (money(100), money(3)));
    assert_eq!((figures.converted.sent, figures.converted.held_out), (1, 1));
    let over_holdout = report.rules[0].over_holdout.as_ref().unwrap();
    assert_eq!(over_holdout.verdict, "too few customers to say");
}

#[test]
fn a_message_on_another_channel_and_the_steps_of_a_journey_are_one_journey() {
    let later = |number, entry, at| {
        Fact::Said(Said {
            entry: id(entry),
            ..said(number, "a", 1, Side::Treated, at)
        })
    };
    let report = report([
        Fact::Said(said(1, "a", 1, Side::Treated, 10)),
        outcome(1, OutcomeKind::Failed),
        later(2, 1, 11),
        outcome(2, OutcomeKind::Delivered),
        // Two of its messages are converted by the same event, which brings its amount once.
        converted(1, 7, Some(100), 50),
        converted(2, 7, Some(100), 50),
    ]);
    let figures = report.rules[0].figures;
    assert_eq!((figures.journeys.sent, figures.actions), (1, 2));
    assert_eq!((figures.delivered, figures.failed), (1, 0));
    assert_eq!((figures.cost, figures.value_won), (money(6), money(100)));
    assert_eq!(figures.attributed_value, money(100));
}

#[test]
fn a_period_has_the_journeys_that_began_in_it_with_what_came_of_them_later() {
    let step = |number, entry, at| {
        Fact::Said(Said {
            entry: id(entry),
            ..said(number, "a", 9, Side::Treated, at)
        })
    };
    let facts = || {
        [
            Fact::Said(said(1, "a", 1, Side::Treated, 10)),
            Fact::Said(said(2, "a", 2, Side::Treated, 20)),
            // A later step of what began before, also of what waited before.
            step(4, 3, 21),
            Fact::Said(said(5, "a", 3, Side::Treated, 30)),
            converted(1, 6, Some(1), 22),
            converted(2, 7, Some(100), 90),
        ]
    };
    let period = Period {
        from: Some(15),
        to: Some(30),
    };
    let report = of(facts(), period, Model::LastTouch);
    let figures = report.rules[0].figures;
    assert_eq!((figures.journeys.sent, figures.value_won), (1, money(100)));
    // Two halves add up to the whole.
    let halves = [(None, Some(20)), (Some(20), None)].map(|(from, to)| {
        let report = of(facts(), Period { from, to }, Model::LastTouch);
        report.rules[0].figures.journeys.sent
    });
    assert_eq!(halves, [1, 2]);
}

#[test]
fn a_journey_that_only_waited_is_a_proposal_and_one_that_spoke_later_is_counted_once() {
    let waits = |entry, at| Fact::Waits {
        entry: id(entry),
        rule: "a".into(),
        at,
    };
    let silenced = |entry: Option<u128>, verdict: &str| Fact::Silenced {
        entry: entry.map(id),
        rule: "a".into(),
        verdict: verdict.into(),
        at: 12,
    };
    let report = report([
        waits(1, 10),
        silenced(Some(1), "still"),
        waits(2, 10),
        Fact::Said(Said {
            entry: id(2),
            ..said(3, "a", 1, Side::Treated, 13)
        }),
        silenced(None, "cap"),
        silenced(None, "deferred"),
    ]);
    let rule = &report.rules[0];
    assert_eq!((rule.figures.proposals, rule.figures.journeys.sent), (3, 1));
    let words: Vec<(&str, u64)> = rule.silenced.iter().map(|(w, n)| (&**w, *n)).collect();
    assert_eq!(words, [("cap", 1), ("still", 1)]);
}

#[test]
fn a_conversion_is_credited_to_who_spoke_last_or_first_or_to_all_and_adds_up() {
    let facts = || {
        [
            Fact::Said(said(1, "a", 1, Side::Treated, 10)),
            Fact::Said(said(2, "b", 1, Side::Treated, 20)),
            Fact::Said(said(3, "c", 1, Side::HeldOut, 30)),
            converted(1, 7, Some(100), 50),
            converted(2, 7, Some(100), 50),
            converted(3, 7, Some(100), 50),
        ]
    };
    let credited = |model| {
        let report = of(facts(), Period::default(), model);
        let rules = report.rules.iter();
        rules
            .map(|rule| rule.figures.attributed_value)
            .collect::<Vec<_>>()
    };
    let [none, half, all] = [0, 50, 100].map(money);
    assert_eq!(credited(Model::LastTouch), [none, all, none]);
    assert_eq!(credited(Model::FirstTouch), [all, none, none]);
    assert_eq!(credited(Model::Linear), [half, half, none]);
}

#[test]
fn a_report_of_one_rule_knows_that_another_spoke_last() {
    let mut fold = Fold::new(Period::default(), Some("a"));
    for fact in [
        Fact::Said(said(1, "a", 1, Side::Treated, 10)),
        Fact::Said(said(2, "b", 1, Side::Treated, 20)),
        converted(1, 7, Some(100), 50),
        converted(2, 7, Some(100), 50),
    ] {
        fold.take(fact);
    }
    let report = fold.report(&Plan::default(), Model::LastTouch, "CNY", None);
    assert_eq!((report.rules.len(), report.decisions), (1, 1));
    let figures = report.rules[0].figures;
    assert_eq!(figures.value_won, money(100));
    assert_eq!(figures.attributed_value, money(0));
}

#[test]
fn customers_are_compared_once_each_and_a_planted_difference_is_found_with_its_attribute() {
    // Of those who were spoken to 30 % convert, all of them young; of those held out 10 %.
    let mut facts = Vec::new();
    for number in 0..4_000_u32 {
        let side = if number % 4 == 0 {
            Side::HeldOut
        } else {
            Side::Treated
        };
        let old = number % 3 == 0;
        facts.push(Fact::Profile {
            customer: customer(number),
            since: 0,
            traits: vec![
                (
                    "age".into(),
                    Some(Trait::Number(if old { 70.0 } else { 30.0 })),
                ),
                (
                    "name".into(),
                    Some(Trait::Word(format!("N{number}").into())),
                ),
                (
                    "city".into(),
                    Some(Trait::Word(["A", "B"][number as usize / 7 % 2].into())),
                ),
            ],
        });
        // Two journeys each: the second must not count as another customer.
        for again in 0..2 {
            let at = i64::from(number) * 1_000 + again;
            let decision = u128::from(number) * 2 + u128::try_from(again).unwrap();
            facts.push(Fact::Said(said(decision, "a", number, side, at)));
        }
        let converts = match side {
            Side::HeldOut => number % 40 == 0,
            _ => !old && number % 100 < 45,
        };
        if converts {
            let at = i64::from(number) * 1_000 + 500;
            facts.push(converted(
                u128::from(number) * 2,
                number.into(),
                Some(50),
                at,
            ));
        }
    }
    let report = report(facts);
    let rule = &report.rules[0];
    let uplift = rule.over_holdout.as_ref().unwrap();
    assert_eq!(uplift.treated.customers, 3_000);
    assert_eq!(
        (uplift.held_out.customers, uplift.held_out.converted),
        (1_000, 100)
    );
    assert_eq!(uplift.verdict, "better");
    let names: Vec<&str> = rule.attributes.iter().map(|a| &*a.name).collect();
    assert_eq!(names, ["age", "city"], "names of people are no attribute");
    assert_eq!(rule.attributes[0].groups[1].converted, 0);
    let last = rule.over_time.last().unwrap();
    assert_eq!((last.treated, last.held_out), (3_000, 1_000));
    assert_eq!(last.absolute.unwrap(), uplift.conversion.unwrap().absolute);
    let points = rule.over_time.len();
    assert!((20..=61).contains(&points), "{points} points");
}

#[test]
fn what_is_learned_of_a_customer_later_does_not_explain_what_they_did_before() {
    let tier = |since, word: &str| Fact::Profile {
        customer: customer(1),
        since,
        traits: vec![("tier".into(), Some(Trait::Word(word.into())))],
    };
    let facts = [
        tier(20, "gold"),
        Fact::Said(said(1, "a", 1, Side::Treated, 10)),
        tier(5, "basic"),
    ];
    let report = report(facts);
    assert_eq!(report.rules[0].attributes[0].groups[0].group, "basic");
}

#[test]
fn who_was_never_put_into_a_segment_is_not_in_it() {
    let diner = Fact::Profile {
        customer: customer(1),
        since: 5,
        traits: vec![("segment diner".into(), Some(Trait::Word("yes".into())))],
    };
    let report = report([
        diner,
        Fact::Said(said(1, "a", 1, Side::Treated, 10)),
        Fact::Said(said(2, "a", 2, Side::Treated, 10)),
    ]);
    let groups = report.rules[0].attributes[0].groups.iter();
    let groups: Vec<&str> = groups.map(|group| &*group.group).collect();
    assert_eq!(groups, ["yes", "no"]);
}

#[test]
fn who_is_moved_from_one_side_to_another_stays_where_they_were_and_is_told_of() {
    let report = report([
        Fact::Said(said(1, "a", 1, Side::HeldOut, 10)),
        Fact::Said(said(2, "a", 1, Side::Treated, 20)),
        Fact::Said(said(3, "a", 2, Side::Treated, 20)),
        converted(2, 7, Some(100), 50),
    ]);
    let rule = &report.rules[0];
    let uplift = rule.over_holdout.as_ref().unwrap();
    assert_eq!(
        (uplift.held_out.converted, uplift.treated.customers),
        (1, 1)
    );
    assert!(rule.warnings[0].starts_with("1 customers were first on one side"));
}
