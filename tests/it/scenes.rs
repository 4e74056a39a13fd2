//! The scene library on simulated traffic: each of the sixteen scenes has its moment, and its rules
//! speak at it, day and night, with delays, journeys, broadcasts and daily timers.

use crate::kit::desk::time;
use onscene::action::{Decision, Verdict};
use onscene::clock::{Millis, SECOND};
use onscene::decode::Decoder;
use onscene::replay::{Line, Replay};
use onscene::rule_tests::{self, Environment, Workplace, coverage};
use onscene::rules::{RuleSet, Sources, render};
use onscene::simulate::{ReceivedAction, Simulation, SimulationSettings};
use onscene::state::JournalLimits;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// As in SCENES.md's table, in its order.
const SCENES: [&str; 16] = [
    "win-the-payment",
    "large-outflow",
    "credit-at-the-till",
    "points-as-money",
    "small-merchant",
    "bills",
    "health",
    "campus",
    "abroad",
    "neighbourhood",
    "race-day",
    "hot-event",
    "fresh-money",
    "falling-asleep",
    "abandoned-basket",
    "long-tail",
];
/// Rules that say nothing on purpose, or not at this time of the year.
const SILENT: [&str; 2] = ["campus/freshman-package", "large-outflow/unknown-reason"];
/// A Sunday evening, so that the next morning is hours away.
const START: &str = "2026-11-22T20:00:00+08:00";
/// Fifty hours of traffic: a race that was registered for at the beginning is over by then.
const EVENTS: i64 = 18_000;
const DISTANCE: Millis = 10 * SECOND;

fn rules() -> RuleSet {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let sources = Sources::read(&folder).unwrap();
    RuleSet::compile(&sources).unwrap_or_else(|faults| panic!("{}", render(&faults)))
}

/// The shipped rules, and what they said to simulated customers who answered.
struct Run {
    replay: Replay,
    simulation: Simulation,
    sequence: u64,
    start: Millis,
    sent: Vec<Decision>,
}

impl Run {
    fn take(&mut self, payload: &[u8]) {
        self.sequence += 1;
        let line = self.replay.line(self.sequence, payload);
        assert_eq!(line.rejection, None, "{}", String::from_utf8_lossy(payload));
        self.note(line);
    }

    fn note(&mut self, line: Line) {
        assert_eq!(line.errors, [], "a shipped rule fails on simulated traffic");
        let is_sent = |decision: &Decision| decision.verdict == Verdict::Sent;
        for decision in line.decisions.into_iter().filter(is_sent) {
            if decision.decided_at < self.start {
                continue;
            }
            let id = decision.id.to_string();
            let action = ReceivedAction {
                id: &id,
                customer: decision.customer.as_str(),
                kind: &decision.body.kind,
                code: decision.body.code.as_deref().unwrap_or_default(),
            };
            self.simulation.respond(&action, decision.decided_at);
            self.sent.push(decision);
        }
    }
}

fn run() -> Run {
    let start = time(START);
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    let limits = JournalLimits::default();
    let mut run = Run {
        replay: Replay::new(Decoder::default(), rules(), limits, zone, false),
        simulation: Simulation::new(SimulationSettings {
            customers: 300,
            ..SimulationSettings::new(7, start)
        }),
        sequence: 0,
        start,
        sent: Vec::new(),
    };
    // Customer by customer, as the simulator tells it.
    let past: Vec<_> = run.simulation.opening().collect();
    for event in past {
        run.take(&event.payload);
    }
    for nth in 0..EVENTS {
        let event = run.simulation.next(start + nth * DISTANCE);
        run.take(&event.payload);
    }
    run
}

#[test]
fn every_scene_and_every_rule_speaks_on_simulated_traffic() {
    let run = run();
    let rules = rules();
    let scene_of: BTreeMap<&str, &str> = rules
        .rules()
        .iter()
        .map(|rule| (&*rule.terms.name, rule.terms.scene.as_deref().unwrap()))
        .collect();
    let mut said: BTreeMap<(&str, u32), u64> = BTreeMap::new();
    for decision in &run.sent {
        *said.entry((&decision.rule, decision.step)).or_default() += 1;
    }
    let scenes: BTreeSet<&str> = said.keys().map(|(rule, _)| scene_of[rule]).collect();
    let silent: Vec<_> = SCENES.iter().filter(|s| !scenes.contains(*s)).collect();
    assert!(silent.is_empty(), "{silent:?} are silent: {said:#?}");
    for rule in scene_of.keys().filter(|rule| !SILENT.contains(rule)) {
        assert!(
            said.contains_key(&(*rule, 0)),
            "{rule} is silent: {said:#?}"
        );
    }
    for (journey, steps) in [
        ("race-day/marathon", 3),
        ("bills/reminder", 2),
        ("health/visit", 2),
    ] {
        for step in 0..steps {
            assert!(
                said.contains_key(&(journey, step)),
                "{journey}, step {step}"
            );
        }
    }
}

#[test]
fn the_table_of_scenes_names_every_rule_with_its_scene_and_its_events() {
    let rules = rules();
    let text = include_str!("../../docs/scenes.md");
    let (_, rows) = text.split_once("|---|---|---|---|---|\n").unwrap();
    let rows = rows.lines().take_while(|line| line.starts_with('|'));
    let mut named = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [number, rule, _, _, types] = cells[..] else {
            panic!("five columns: {row}");
        };
        let name = rule.trim_matches('`');
        let rule = rules.rule(name).unwrap_or_else(|| panic!("no rule {name}"));
        let scene = SCENES[number.parse::<usize>().unwrap() - 1];
        assert_eq!(rule.terms.scene.as_deref(), Some(scene), "{row}");
        let types: Vec<&str> = types.split(", ").map(|t| t.trim_matches('`')).collect();
        assert_eq!(
            *types[0], *rule.terms.on[0],
            "the first is the trigger: {row}"
        );
        for kind in types {
            let declared = rules.schema().event_type(kind).is_some();
            assert!(declared || kind == "timer.daily", "{kind} in {row}");
        }
        named.insert(name);
    }
    let shipped: BTreeSet<&str> = rules.rules().iter().map(|r| &*r.terms.name).collect();
    assert_eq!(named, shipped);
}

#[test]
fn every_shipped_rule_has_tests_in_which_each_part_of_its_conditions_decides() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let sources = Sources::read(&folder).unwrap();
    let set = rules();
    let environment = Environment::default();
    let workplace = Workplace {
        sources: &sources,
        set: &set,
        environment: &environment,
    };
    let (files, faults) = rule_tests::read(&sources, &set);
    assert!(faults.is_empty(), "{}", render(&faults));
    let tested: BTreeSet<&str> = files.iter().map(|file| &*file.rule).collect();
    let shipped: BTreeSet<&str> = set.rules().iter().map(|r| &*r.terms.name).collect();
    assert_eq!(tested, shipped);
    for file in &files {
        for part in coverage(file, workplace) {
            let (rule, text) = (&file.rule, &part.text);
            assert!(part.denied && part.held, "{rule}: {text} decides nothing");
        }
    }
}

#[test]
fn the_shipped_rules_are_sixteen_scenes_in_folders_of_their_names() {
    let rules = rules();
    let scenes: BTreeSet<&str> = rules
        .rules()
        .iter()
        .map(|rule| rule.terms.scene.as_deref().unwrap())
        .collect();
    assert_eq!(scenes, SCENES.into());
    for rule in rules.rules() {
        let (folder, _) = rule.terms.name.split_once('/').unwrap();
        assert_eq!(Some(folder), rule.terms.scene.as_deref());
    }
}
