//! Rule tests: read with every fault told, played through the engine, and told so that a marketer
//! can mend what is wrong.

use crate::kit::desk::{compile, sources};
use onscene::rule_tests::{self, Environment, TestResult, Workplace, coverage};
use onscene::rules::{RuleSet, Sources, render};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const SCHEMA: &str = "[attributes]\ntier = \"text\"\n";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden/rule_tests")
}

/// Holds a text against the golden one beside `path`.
#[track_caller]
fn golden(path: &Path, shown: &str) {
    let golden = path.with_extension("").with_extension("txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, shown).unwrap();
    } else {
        let known = std::fs::read_to_string(&golden).unwrap_or_default();
        assert!(
            known == shown,
            "{} is now:\n{shown}\nUPDATE_GOLDEN=1 takes it over",
            golden.display()
        );
    }
}

/// The results of all tests of some files.
fn results(files: &[(&str, &str)]) -> Vec<TestResult> {
    let sources = sources(files);
    let set = RuleSet::compile(&sources).unwrap_or_else(|faults| panic!("{}", render(&faults)));
    run_all(&sources, &set)
}

fn run_all(sources: &Sources, set: &RuleSet) -> Vec<TestResult> {
    let (tests, faults) = rule_tests::read(sources, set);
    assert!(faults.is_empty(), "{}", render(&faults));
    let environment = Environment::default();
    let workplace = Workplace {
        sources,
        set,
        environment: &environment,
    };
    let results = tests
        .iter()
        .map(|file| rule_tests::run(file, workplace, |_| true));
    results.flatten().collect()
}

/// One test of a rule: what it says in its file, and whether it passes.
#[track_caller]
fn passes(rule: &str, test: &str) -> bool {
    let results = results(&[
        ("schema.toml", SCHEMA),
        ("r.rhai", rule),
        (
            "r.test.toml",
            &format!("{EVENTS}[[test]]\nname = \"it\"\n{test}\n"),
        ),
    ]);
    assert_eq!(results.len(), 1);
    if let Some(failure) = &results[0].failure {
        assert!(failure.faults.is_empty(), "{}", results[0].report());
    }
    results[0].failure.is_none()
}

const EVENTS: &str = r#"[events.paid]
type = "merchant.checkout"
data = { stage = "paid", amount = "100", currency = "CNY", merchant = { id = "M1" } }
"#;

#[test]
fn a_failing_test_is_told_line_by_line_with_its_reason_and_its_places() {
    let path = folder().join("coupon.test.toml");
    let file = |name: &str| std::fs::read_to_string(folder().join(name)).unwrap();
    let files = [
        ("schema.toml", SCHEMA.to_owned()),
        ("lib/habits.rhai", file("habits.rhai")),
        ("coupon.rhai", file("coupon.rhai")),
        ("coupon.test.toml", file("coupon.test.toml")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, &**text)).collect();
    let mut shown = String::new();
    for result in results(&files) {
        let word = if result.failure.is_some() {
            "FAIL"
        } else {
            "PASS"
        };
        writeln!(shown, "{word} {}\n\n{}", result.name, result.report()).unwrap();
        assert_eq!(
            result.name.starts_with("right"),
            result.failure.is_none(),
            "{shown}"
        );
    }
    golden(&path, &shown);
}

#[test]
fn a_faulty_test_file_is_told_with_line_caret_and_hint() {
    let rule = crate::kit::desk::rule("");
    let words =
        "[words]\nsegment = [\"family\"]\ncategory = [\"dining\", \"travel\"]\ntier = [\"gold\"]\n";
    let schema = format!("{SCHEMA}age = \"number\"\n{words}");
    for name in [
        "faulty-keys",
        "faulty-syntax",
        "faulty-nothing",
        "faulty-expectation",
        "faulty-customer",
        "faulty-brackets",
    ] {
        let path = folder().join(format!("{name}.test.toml"));
        let text = std::fs::read_to_string(&path).unwrap();
        let test = format!("{name}.test.toml");
        let files = [
            ("schema.toml", &*schema),
            (&*format!("{name}.rhai"), &*rule),
            (&*test, &*text),
        ];
        let set = compile(&files).unwrap();
        let (tests, faults) = rule_tests::read(&sources(&files), &set);
        assert!(tests.is_empty() && !faults.is_empty());
        assert!(
            faults
                .iter()
                .all(|fault| fault.line.is_some() && fault.hint.is_some())
        );
        golden(&path, &render(&faults));
    }
}

#[test]
fn tests_without_a_rule_are_told_with_the_rule_that_may_be_meant() {
    let rule = crate::kit::desk::rule("");
    let files = [
        ("third-visit.rhai", &*rule),
        ("thrid-visit.test.toml", "[[test]]\n"),
    ];
    let (_, faults) = rule_tests::read(&sources(&files), &compile(&files).unwrap());
    assert_eq!(faults.len(), 1);
    assert!(
        faults[0].message.contains("no rule `thrid-visit.rhai`"),
        "{}",
        faults[0].message
    );
    assert!(
        faults[0]
            .hint
            .as_ref()
            .unwrap()
            .contains("third-visit.test.toml")
    );
}

#[test]
fn numbers_are_compared_by_their_value_however_they_are_written() {
    let rule = |value: &str| {
        crate::kit::desk::rule("").replace("code: \"CODE\"", &format!("value: {value}"))
    };
    let expected =
        |value: &str| format!("event = \"paid\"\nexpect = {{ body = {{ value = {value} }} }}");
    let found = rule("event.amount * 0.1285");
    for equal in ["12.85", "12.850", "\"12.85\"", "1.285e1"] {
        assert!(passes(&found, &expected(equal)), "{equal}");
    }
    for other in [
        "12.8500000000000000001",
        "12.8",
        "\"12.86\"",
        "true",
        "\"x\"",
        "[12.85]",
    ] {
        assert!(!passes(&found, &expected(other)), "{other}");
    }
    // Text that looks like a number is text.
    let found = rule("\"12.850\"");
    assert!(passes(&found, &expected("\"12.850\"")));
    assert!(!passes(&found, &expected("\"12.85\"")));
    assert!(!passes(&found, &expected("12.85")));
}

#[test]
fn a_customer_is_found_who_draws_what_the_test_asks_for() {
    let rule = crate::kit::desk::rule("holdout: 3, rollout: 4, variants: #{ a: 1, b: 99 },");
    assert!(passes(&rule, "event = \"paid\"\nexpect = \"sent\""));
    assert!(passes(&rule, "event = \"paid\"\nexpect = \"holdout\""));
    assert!(passes(&rule, "event = \"paid\"\nexpect = \"rollout\""));
    for variant in ["a", "b"] {
        let sent = format!(
            "variant = \"{variant}\"\nevent = \"paid\"\nexpect = {{ variant = \"{variant}\" }}"
        );
        assert!(passes(&rule, &sent), "{variant}");
        let held = format!(
            "holdout = true\n{}",
            sent.replace("{ var", "{ verdict = \"holdout\", var")
        );
        assert!(passes(&rule, &held), "{variant}");
    }
    assert!(!passes(
        &rule,
        "holdout = true\nevent = \"paid\"\nexpect = \"sent\""
    ));
}

#[test]
fn other_rules_and_the_contact_policy_take_part_when_the_test_says_so() {
    let rule = crate::kit::desk::rule;
    let low = rule("group: \"g\", priority: 1,");
    let test = |with: &str, expected: &str| {
        format!(
            "{EVENTS}[[test]]\nname = \"it\"\n{with}\nevent = \"paid\"\nexpect = \"{expected}\"\n"
        )
    };
    let passes = |test: &str| {
        let high = rule("group: \"g\", priority: 99, holdout: 50,");
        let results = results(&[
            ("a/high.rhai", &*high),
            ("low.rhai", &*low),
            ("low.test.toml", test),
        ]);
        results[0].failure.is_none()
    };
    assert!(passes(&test("", "sent")));
    assert!(passes(&test("with = \"a/high\"", "arbitration")));
    let quiet = "policy = \"\"\"\n[quiet_hours]\nhours = \"11:00-13:00\"\n\"\"\"";
    assert!(passes(&test(quiet, "quiet_hours")));
    assert!(passes(&test(
        &quiet.replace("11:00-13:00", "13:00-14:00"),
        "sent"
    )));
}

#[test]
fn foreign_amounts_need_a_rate_which_a_test_may_bring() {
    let rule = crate::kit::desk::rule_when("", "event.amount == 710");
    let event = "event = { use = \"paid\", data = { currency = \"USD\" } }\nexpect = \"sent\"";
    assert!(passes(
        &rule,
        &format!("rates = {{ USD = \"7.10\" }}\n{event}")
    ));
    assert!(!passes(
        &rule,
        &format!("rates = {{ USD = \"7.11\" }}\n{event}")
    ));
}

#[test]
fn a_conversion_can_be_expected() {
    let rule = crate::kit::desk::rule_when("within: \"1h\",", "event.amount >= 100")
        + "fn converted(event, customer, decision) { event.type == \"offer.accepted\" || event.amount == 7 }\n";
    let after = |after: &str, amount: u32, converted: bool| {
        format!(
            "event = \"paid\"\nexpect = \"sent\"\n[[test.then]]\nafter = \"{after}\"\nevent = {{ use = \"paid\", data = {{ amount = {amount} }} }}\nexpect = \"condition\"\nconverted = {converted}"
        )
    };
    assert!(passes(&rule, &after("59m", 7, true)));
    assert!(!passes(&rule, &after("59m", 7, false)));
    assert!(passes(&rule, &after("59m", 8, false)));
    assert!(passes(&rule, &after("61m", 7, false)));
}

#[test]
fn what_a_customer_is_and_was_comes_from_the_file_and_the_test_over_it() {
    let rule = crate::kit::desk::rule_when(
        "",
        "customer.tier == \"gold\" && customer.in_segment(\"a\") && customer.locale == \"en\" \
         && customer.since(\"offer.opened\") == 864000 && customer.consents(\"push\")",
    );
    let right = "customer = { segments = [\"a\"], attributes = { tier = \"gold\" }, locale = \"en\", first_seen = \"10d\", consents = { push = true } }";
    let rest = "\nevent = \"paid\"\nexpect = \"sent\"";
    assert!(passes(&rule, &format!("{right}{rest}")));
    for (word, other) in [
        ("gold", "silver"),
        ("locale =", "without = [\"tier\"], locale ="),
        ("\"a\"", "\"b\""),
        ("\"en\"", "\"zh-CN\""),
        ("10d", "9d"),
    ] {
        assert!(
            !passes(&rule, &format!("{}{rest}", right.replace(word, other))),
            "{other}"
        );
    }
}

#[test]
fn coverage_says_which_part_of_a_condition_never_decided() {
    let rule = crate::kit::desk::rule_when(
        "",
        "let least = 100; event.stage == \"paid\" && event.amount >= least && (event.merchant.id == \"M1\" || false) && event.currency == \"CNY\"",
    );
    let test = format!(
        "{EVENTS}[[test]]\nname = \"yes\"\nevent = \"paid\"\nexpect = \"sent\"\n\
         [[test]]\nname = \"no\"\nevent = {{ use = \"paid\", data = {{ amount = 99 }} }}\nexpect = \"condition\"\n\
         [[test]]\nname = \"neither\"\nevent = {{ use = \"paid\", data = {{ stage = \"started\", merchant = {{ id = \"M2\" }} }} }}\nexpect = \"condition\"\n"
    );
    let sources = sources(&[("r.rhai", &rule), ("r.test.toml", &test)]);
    let set = RuleSet::compile(&sources).unwrap();
    let (tests, _) = rule_tests::read(&sources, &set);
    let environment = Environment::default();
    let workplace = Workplace {
        sources: &sources,
        set: &set,
        environment: &environment,
    };
    let parts = coverage(&tests[0], workplace);
    let told: Vec<(&str, bool, bool)> = parts
        .iter()
        .map(|part| (&*part.text, part.denied, part.held))
        .collect();
    assert_eq!(
        told,
        [
            ("event.stage == \"paid\"", true, true),
            ("event.amount >= least", true, true),
            ("event.merchant.id == \"M1\" || false", false, true),
            ("event.currency == \"CNY\"", false, true),
        ]
    );
}

#[test]
fn watched_conditions_mean_what_they_meant() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rules");
    let sources = Sources::read(&folder).unwrap();
    let set = RuleSet::compile(&sources).unwrap_or_else(|faults| panic!("{}", render(&faults)));
    let (watched, probes) = set.probed(&sources, "");
    let is_watched = |rule: &onscene::rules::Rule| probes.function(&rule.file, "when").is_some();
    assert!(set.rules().iter().all(|rule| is_watched(rule)));
    let plain = run_all(&sources, &set);
    let results = run_all(&sources, &watched);
    assert_eq!(plain.len(), results.len());
    for result in results {
        assert!(
            result.failure.is_none(),
            "{} {}\n{}",
            result.rule,
            result.name,
            result.report()
        );
    }
    assert_eq!(probes.take().is_empty(), plain.is_empty());
}

#[test]
fn a_function_that_fails_where_nobody_expects_it_fails_the_test() {
    let rule = crate::kit::desk::rule_when("", "event.stage == \"paid\"")
        + "fn converted(event, customer, decision) { event.direction == \"out\" }\n";
    let follow_up = "event = \"paid\"\nexpect = \"sent\"\n[[test.then]]\nafter = \"1m\"\n\
        event = { use = \"paid\", data = { stage = \"started\" } }\nexpect = \"condition\"";
    assert!(!passes(&rule, follow_up));
    let mended = rule.replace(
        "event.direction",
        "event.type == \"account.movement\" && event.direction",
    );
    assert!(passes(&mended, follow_up));
    // Where it is expected, it is fine.
    let throwing = crate::kit::desk::rule_when("", "throw \"no\"");
    assert!(passes(&throwing, "event = \"paid\"\nexpect = \"error\""));
    assert!(!passes(
        &throwing,
        "event = \"paid\"\nexpect = \"condition\""
    ));
}
