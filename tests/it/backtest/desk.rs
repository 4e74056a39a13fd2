//! History in files: the number of threads changes nothing, and what comes out is what `replay` says.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use onscene::backtest::{self, Report, Setup};
use onscene::clock::{DAY, Millis};
use onscene::decode::Decoder;
use onscene::money::Money;
use onscene::replay::{Line, Replay};
use onscene::rules::{RuleSet, Sources};
use onscene::simulate::{Simulation, SimulationSettings};
use onscene::state::JournalLimits;

use super::{rule, write};
use crate::kit::Folder;
use crate::kit::desk::time;

const SEED: u64 = 5;

/// A day of simulated customers, an event a line.
fn history(events: usize) -> String {
    let start = time("2026-11-22T00:00:00+08:00");
    let settings = SimulationSettings {
        customers: 150,
        warmup_days: 20,
        ..SimulationSettings::new(SEED, start)
    };
    let mut simulation = Simulation::new(settings);
    let mut all: Vec<Vec<u8>> = simulation.opening().map(|event| event.payload).collect();
    let between = DAY / Millis::try_from(events).unwrap();
    let mut at = start;
    for _ in 0..events {
        at += between;
        all.push(simulation.next(at).payload);
    }
    let lines = all
        .into_iter()
        .map(|payload| String::from_utf8(payload).unwrap());
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// Rules that compete for what is scarce, wait, and speak to everybody at once. `share` of the amount is what the
/// first one gives.
fn rules(folder: &Folder, share: &str) -> Arc<RuleSet> {
    let schema = std::fs::read_to_string("rules/schema.toml").unwrap();
    let everybody = |on: &str, terms: &str| {
        format!(
            "const RULE = #{{ on: \"{on}\", channels: [\"inapp\"], {terms} }};\n\
             fn when(event, customer) {{ customer.count(\"merchant.checkout\", \"30d\") >= 2 }}\n\
             fn action(event, customer) {{ #{{ kind: \"message\", code: \"ALL\", cost: 3 }} }}\n"
        )
    };
    let scarce =
        "budget: #{ total: 400, daily: 300 }, group: \"till\", priority: 60, cap: \"2 per 7d\"";
    let plain = "group: \"till\", holdout: 20, cooldown: \"1h\", variants: #{ a: 30, b: 70 }";
    let waits = "delay: \"10m\", cooldown: \"2h\", budget: #{ daily: 1000000 }";
    let still =
        "fn still(event, customer) { customer.count(\"merchant.checkout\", \"10m\") < 3 }\n";
    write(
        folder.path(),
        &[
            ("schema.toml", schema),
            (
                "scarce.rhai",
                rule(scarce, "event.amount >= 20", "SCARCE", share),
            ),
            (
                "plain.rhai",
                rule(plain, "customer.spend(\"7d\") > 100", "PLAIN", "1"),
            ),
            (
                "waits.rhai",
                rule(waits, "event.stage == \"started\"", "WAITS", "2") + still,
            ),
            (
                "goal.rhai",
                everybody("broadcast.goal", "budget: #{ total: 120 }, fresh: \"1h\""),
            ),
            (
                "daily.rhai",
                everybody("timer.daily", "hours: \"09:30-20:00\""),
            ),
        ],
    );
    let sources = Sources::read(folder.path()).unwrap();
    Arc::new(
        RuleSet::compile(&sources).unwrap_or_else(|f| panic!("{}", onscene::rules::render(&f))),
    )
}

fn setup(rules: Arc<RuleSet>, against: Option<Arc<RuleSet>>, threads: usize) -> Setup {
    Setup {
        rules,
        against,
        decoder: Decoder::default(),
        journal: JournalLimits::default(),
        zone: TimeZone::get("Asia/Shanghai").unwrap(),
        partitions: 16,
        threads,
        from: None,
        to: None,
        examples: 2,
    }
}

fn run(setup: &Setup, file: &str) -> Report {
    let mut told = 0;
    let report = backtest::files(setup, &[file.to_owned()], &mut |progress| {
        told = progress.events
    });
    let report = report.unwrap();
    assert_eq!(told, report.events.decided + report.events.before);
    report
}

/// What `replay` sends by each rule, and what that costs.
fn replayed(folder: &Folder, history: &str) -> BTreeMap<String, (u64, Money)> {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let limits = JournalLimits::default();
    let rules = RuleSet::compile(&Sources::read(folder.path()).unwrap()).unwrap();
    let mut replay = Replay::new(Decoder::default(), rules, limits, zone, false);
    let mut sent: BTreeMap<String, (u64, Money)> = BTreeMap::new();
    let mut take = |line: Line| {
        assert_eq!(line.errors.len(), 0);
        for decision in line.decisions {
            if decision.verdict.word() == "sent" {
                let own = sent.entry(decision.rule.to_string()).or_default();
                own.0 += 1;
                own.1 = own.1.saturating_add(decision.body.cost.unwrap_or_default());
            }
        }
    };
    for (number, line) in (1..).zip(history.lines()) {
        take(replay.line(number, line.as_bytes()));
    }
    sent
}

#[test]
fn the_findings_are_the_same_to_the_byte_on_any_number_of_threads_and_those_of_replay() {
    let (folder, old, new) = (Folder::new(), Folder::new(), Folder::new());
    let history = history(4_000);
    let file = folder.path().join("history.ndjson");
    std::fs::write(&file, &history).unwrap();
    let file = file.to_str().unwrap();
    let before = rules(&old, "event.amount / 10");
    let after = rules(&new, "event.amount / 5");
    let one = run(&setup(after.clone(), Some(before.clone()), 1), file);
    let json = serde_json::to_string(&one).unwrap();
    for threads in [2, 3, 7] {
        let other = run(&setup(after.clone(), Some(before.clone()), threads), file);
        assert_eq!(
            serde_json::to_string(&other).unwrap(),
            json,
            "{threads} threads"
        );
    }
    let expected = replayed(&old, &history);
    let got: BTreeMap<String, (u64, String)> = one
        .rules
        .iter()
        .filter(|line| line.figures.before.sent > 0)
        .map(|line| {
            let figures = &line.figures.before;
            (line.rule.clone(), (figures.sent, figures.cost.clone()))
        })
        .collect();
    let expected: BTreeMap<String, (u64, String)> = expected
        .into_iter()
        .map(|(rule, (sent, cost))| (rule, (sent, cost.to_string())))
        .collect();
    assert_eq!(got, expected);
    for rule in ["scarce", "plain", "waits", "goal", "daily"] {
        assert!(expected.contains_key(rule), "{rule}: {expected:?}");
    }
    // The first one runs out of money, so another order would have been seen.
    let silenced = |rule: &str| {
        let mut verdicts = one.verdicts.iter();
        let own = verdicts.find(|line| line.rule == rule && line.verdict == "budget");
        own.map_or(0, |line| line.before.unwrap())
    };
    assert!(
        silenced("scarce") > 100 && silenced("goal") > 10,
        "{:?}",
        one.verdicts
    );
    assert!(one.differences.lost > 0 && one.differences.changed > 0);
}

#[test]
fn equal_rules_differ_nowhere_and_what_comes_before_the_period_does_not_count() {
    let (folder, rules_folder) = (Folder::new(), Folder::new());
    let file = folder.path().join("history.ndjson");
    std::fs::write(&file, history(2_000)).unwrap();
    let file = file.to_str().unwrap();
    let rules = rules(&rules_folder, "1");
    let all = run(&setup(rules.clone(), Some(rules.clone()), 2), file);
    assert!(all.same > 100, "{}", all.same);
    assert_eq!(all.differences.all(), 0);
    let (from, to) = (
        time("2026-11-22T08:00:00+08:00"),
        time("2026-11-22T16:00:00+08:00"),
    );
    let part = |from: Option<Millis>, to: Option<Millis>| {
        let setup = Setup {
            from,
            to,
            ..setup(rules.clone(), Some(rules.clone()), 2)
        };
        run(&setup, file)
    };
    let (first, middle, last) = (
        part(None, Some(from)),
        part(Some(from), Some(to)),
        part(Some(to), None),
    );
    assert!(first.same > 0 && middle.same > 0 && last.same > 0);
    assert_eq!(first.same + middle.same + last.same, all.same);
    let events = |report: &Report| report.events.decided;
    assert_eq!(
        events(&first) + events(&middle) + events(&last),
        events(&all)
    );
    assert_eq!(middle.events.before, first.events.decided);
}

#[test]
fn a_history_that_no_rule_set_takes_is_refused_and_counted() {
    let (folder, rules_folder) = (Folder::new(), Folder::new());
    let file = folder.path().join("history.ndjson");
    std::fs::write(&file, "{\"specversion\":\"1.0\"}\n\nnothing\n").unwrap();
    let rules = rules(&rules_folder, "1");
    let report = run(&setup(rules, None, 2), file.to_str().unwrap());
    assert_eq!((report.events.decided, report.events.refused), (0, 2));
    assert!(
        report
            .events
            .first_refusal
            .unwrap()
            .contains("line 1 of all")
    );
    assert_eq!(report.before, None);
}
