//! Mutants: what is altered, and whether the tests of the rules we ship notice.

use crate::kit::desk::sources;
use onscene::rule_tests::{self, Environment, Fate, Mutation, Workplace, score};
use onscene::rules::{RuleSet, Sources, render};
use std::path::PathBuf;

/// What percentage of the mutants of our own rules their tests must notice.
const SCORE_MIN: u32 = 90;

fn compiled(sources: &Sources) -> RuleSet {
    RuleSet::compile(sources).unwrap_or_else(|faults| panic!("{}", render(&faults)))
}

/// Every mutant as `function: before → after`.
fn told(sources: &Sources) -> Vec<String> {
    let mutants = compiled(sources).mutants(sources);
    let told = mutants
        .iter()
        .map(|m| format!("{}: {} → {}", m.function, m.before, m.after));
    told.collect()
}

/// The mutants of one condition on checkouts.
fn of_condition(condition: &str) -> Vec<String> {
    let rule = crate::kit::desk::rule_when("", condition);
    let schema = "[attributes]\nage = \"number\"\ntier = \"text\"\ncity = \"text\"\n";
    let told = told(&sources(&[("schema.toml", schema), ("r.rhai", &rule)])).into_iter();
    told.map(|mutant| mutant.strip_prefix("when: ").unwrap().to_owned())
        .collect()
}

#[test]
fn operators_constants_fields_and_functions_are_altered() {
    assert_eq!(
        of_condition("event.amount >= 100"),
        [
            "event.amount >= 100 → true",
            ">= → <",
            ">= → >",
            "100 → 101",
            "100 → 99"
        ]
    );
    assert_eq!(
        of_condition("event.stage in [\"paid\", \"refunded\"] && !event.merchant.partner"),
        [
            "event.stage in [\"paid\", \"refunded\"] → true",
            "stage → currency",
            "in → !in",
            "\"paid\", → ",
            ", \"refunded\" → ",
            "&& → ||",
            "! → ",
            "!event.merchant.partner → true",
        ]
    );
    assert_eq!(
        of_condition("customer.spend(\"dining\", \"30d\") < -0.50 || customer.tier != \"gold\""),
        [
            "customer.spend(\"dining\", \"30d\") < -0.50 → false",
            "spend → average",
            "\"dining\" → \"dining~\"",
            "\"30d\" → \"15d\"",
            "\"30d\" → \"60d\"",
            "< → <=",
            "< → >=",
            "0.50 → 0.49",
            "0.50 → 0.51",
            "|| → &&",
            "customer.tier != \"gold\" → false",
            "tier → city",
            "!= → ==",
            "\"gold\" → \"gold~\"",
        ]
    );
    assert_eq!(
        of_condition("customer.count(\"offer.opened\", \"1h\") + event.amount == 0"),
        [
            "customer.count(\"offer.opened\", \"1h\") + event.amount == 0 → true",
            "\"offer.opened\" → \"offer.redeemed\"",
            "\"1h\" → \"2h\"",
            "\"1h\" → \"30m\"",
            "+ → -",
            "== → !=",
            "0 → -1",
            "0 → 1",
        ]
    );
}

#[test]
fn what_nothing_could_notice_is_left_out() {
    // Beside a comparison that is false for `()` anyway, its guard changes nothing.
    let guarded = of_condition("customer.age != () && customer.age >= 18");
    assert!(
        !guarded.contains(&"customer.age != () → true".to_owned()),
        "{guarded:#?}"
    );
    let alone = of_condition("customer.age != () && event.amount >= 18");
    assert!(
        alone.contains(&"customer.age != () → true".to_owned()),
        "{alone:#?}"
    );
    let compared = of_condition("customer.spend(\"1d\") == 0");
    assert!(
        !compared.contains(&"spend → average".to_owned()),
        "{compared:#?}"
    );
}

#[test]
fn functions_that_conditions_call_are_altered_once_for_all_who_call_them() {
    let rule = |condition: &str| {
        crate::kit::desk::rule_when("", condition)
            + "fn own(event) { event.amount > 1 }\nfn unused(event) { event.amount > 2 }\n"
    };
    let library = "fn a(event) { b(event) }\nfn b(event) { event.amount < 3 }\nfn c(event) { event.amount < 4 }\n";
    let sources = sources(&[
        ("lib/l.rhai", library),
        ("p.rhai", &rule("own(event) && l::a(event)")),
        ("q.rhai", &rule("l::b(event)")),
    ]);
    let mutants = compiled(&sources).mutants(&sources);
    let of = |function: &str| -> Vec<&onscene::rules::Mutant> {
        mutants
            .iter()
            .filter(|mutant| mutant.function == function)
            .collect()
    };
    assert_eq!(of("own").len(), 4);
    assert!(of("unused").is_empty() && of("c").is_empty() && of("action").is_empty());
    assert_eq!(of("b").len(), 4);
    assert!(
        of("b")
            .iter()
            .all(|mutant| *mutant.rules == ["p".into(), "q".into()])
    );
}

#[test]
fn the_tests_of_the_rules_we_ship_notice_when_a_condition_changes() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rules");
    let sources = Sources::read(&folder).unwrap();
    let set = compiled(&sources);
    let (files, faults) = rule_tests::read(&sources, &set);
    assert!(faults.is_empty(), "{}", render(&faults));
    let environment = Environment::default();
    let workplace = Workplace {
        sources: &sources,
        set: &set,
        environment: &environment,
    };
    for file in &files {
        for result in rule_tests::run(file, workplace, |_| true) {
            assert!(
                result.failure.is_none(),
                "{} {}\n{}",
                result.rule,
                result.name,
                result.report()
            );
        }
    }
    let mutation = Mutation::new(&files, workplace, |_| true);
    let mutants = mutation.mutants();
    assert!(mutants.len() > 300, "only {} mutants", mutants.len());
    let fates: Vec<Fate> = mutants.iter().map(|mutant| mutation.fate(mutant)).collect();
    let survivors = mutants
        .iter()
        .zip(&fates)
        .filter(|(_, fate)| **fate == Fate::Survived);
    let survivors: Vec<String> = survivors
        .map(|(m, _)| {
            format!(
                "{}:{}:{}: {} → {}",
                m.file, m.line, m.column, m.before, m.after
            )
        })
        .collect();
    let percent = score(&fates);
    println!(
        "{} mutants, {percent} % noticed; not noticed:\n{}",
        mutants.len(),
        survivors.join("\n")
    );
    assert!(
        percent >= SCORE_MIN,
        "{percent} %, not noticed:\n{}",
        survivors.join("\n")
    );
}
