//! Native conditions mean what Rhai means: random conditions, events and customers, with and without them.

mod people;
mod write;

use crate::kit::desk::{Desk, sources};
use onscene::clock::{DAY, HOUR, MINUTE, Millis, SECOND};
use onscene::decode::Decoder;
use onscene::event::Event;
use onscene::partition::Output;
use onscene::policy::{Pause, Signed, Switches};
use onscene::replay::Replay;
use onscene::rules::{Extent, Rule, RuleError, RuleSet, Source, Sources, Standing, Subject};
use onscene::simulate::{Simulation, SimulationSettings};
use onscene::state::{Customer, JournalLimits};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use write::{LIBRARY, Random, SCHEMA, Writer};

/// Conditions that are read as one rule set.
const BATCH: usize = 100;
/// How many events each condition is asked about.
const EVENTS: usize = 10;

fn standing<'a>(desk: &'a Desk, event: &'a Event, customer: &'a Arc<Customer>) -> Standing<'a> {
    Standing {
        id: &event.customer,
        customer,
        customers: &desk.customers,
        time: event.time,
        index: 0,
    }
}

/// The value or the error, and whether a window crossed the edge of the journal.
fn asked(
    set: &RuleSet,
    rule: &Rule,
    event: &Event,
    standing: Standing<'_>,
) -> (Result<bool, RuleError>, bool) {
    let moment = set.moment(Subject::Event(event), standing);
    let held = set.when(rule, &moment);
    (held, moment.crossed_trimmed_edge())
}

#[derive(Default)]
struct Tally {
    triples: usize,
    conditions: usize,
    whole: usize,
    partly: usize,
    held: usize,
    failed: usize,
    trimmed: usize,
}

/// Random conditions as one set: those that Rhai can parse.
fn batch(desk: &Desk, random: &mut Random) -> RuleSet {
    let mut files = sources(&[("lib/lib.rhai", LIBRARY)]);
    for number in 0..BATCH {
        let body = Writer::new(random).body();
        let text = format!(
            "fn when(event, customer) {{ {body} }}\nfn action(event, customer) {{ #{{ kind: \"offer\", code: \"CODE\" }} }}"
        );
        files.rules.push(Source {
            path: format!("r{number:03}.rhai").into(),
            text: text.into(),
        });
    }
    desk.rules.unchecked(&files).unwrap()
}

fn compare(desk: &Desk, set: &RuleSet, events: &[Event], tally: &mut Tally, random: &mut Random) {
    let plain = set.clone().plain();
    for rule in set.rules() {
        tally.conditions += 1;
        match set.extent(rule) {
            Extent::Whole => tally.whole += 1,
            Extent::Conjuncts(_) => tally.partly += 1,
            Extent::None => {}
        }
    }
    for _ in 0..EVENTS {
        let event = &events[random.below(events.len())];
        let customer = desk.customers.get(event.customer.as_str()).unwrap();
        let standing = standing(desk, event, &customer);
        // Answers of one rule are kept for the next.
        let shared = set.moment(Subject::Event(event), standing);
        for rule in set.rules() {
            let expected = asked(&plain, rule, event, standing);
            let found = asked(set, rule, event, standing);
            assert_eq!(found, expected, "{}", rule.file);
            assert_eq!(set.when(rule, &shared), expected.0, "{}", rule.file);
            tally.triples += 1;
            tally.held += usize::from(expected.0 == Ok(true));
            tally.failed += usize::from(expected.0.is_err());
            tally.trimmed += usize::from(expected.1);
        }
    }
}

#[test]
fn native_conditions_say_what_rhai_says() {
    let triples = std::env::var("ONSCENE_NATIVE_TRIPLES");
    let triples: usize = triples.map_or(10_000, |text| text.parse().unwrap());
    let seed = std::env::var("ONSCENE_SEED_FIRST").map_or(1, |text| text.parse().unwrap());
    let mut random = Random(seed);
    let desk = people::desk(&mut random, 60, SCHEMA);
    let events = people::events(&mut random, &desk, 240);
    let mut tally = Tally::default();
    while tally.triples < triples {
        let set = batch(&desk, &mut random);
        compare(&desk, &set, &events, &mut tally, &mut random);
    }
    println!(
        "result: {} triples of condition, event and customer (seed {seed}) agree: {} of {} conditions wholly native, {} \
         in part; {} held, {} failed, {} crossed an edge",
        tally.triples,
        tally.whole,
        tally.conditions,
        tally.partly,
        tally.held,
        tally.failed,
        tally.trimmed
    );
    // A test that only saw one kind of answer would show nothing.
    assert!(
        tally.whole * 2 > tally.conditions,
        "most conditions are native"
    );
    assert!(
        tally.held > triples / 50 && tally.failed > triples / 50 && tally.trimmed > triples / 50
    );
}

/// Every third rule paused until a time.
fn paused(set: &RuleSet, until: Millis) -> Switches {
    let signed = Signed {
        by: "me".into(),
        reason: "to see".into(),
        at: 0,
    };
    let names = set.rules().iter().step_by(3);
    let pauses = names.map(|rule| {
        let until = Some(until);
        let signed = signed.clone();
        ((*rule.terms.name).into(), Pause { until, signed })
    });
    Switches {
        revision: 1,
        rules: pauses.collect(),
        ..Switches::default()
    }
}

/// Steps the same events against the same rules, by the index and one after another.
fn step_both(seed: u64, steps: usize) -> BTreeMap<&'static str, u64> {
    let [mut indexed, mut single] = [0, 1].map(|_| people::desk(&mut Random(seed), 20, SCHEMA));
    let mut random = Random(seed ^ 1);
    let set = batch(&indexed, &mut random);
    let plain = set.clone().plain();
    let mut seen = BTreeMap::new();
    for step in 0..steps {
        let customer = format!("C{}", random.below(20));
        let at = people::START + MINUTE * i64::try_from(step * 7).unwrap();
        let event = people::any(&mut random, &format!("step-{step}"), &customer, at);
        let now = at + [0, 2 * SECOND, 3 * MINUTE, 2 * DAY][random.below(4)];
        if step == steps / 2 {
            // Some rules are paused for an hour, the others go on.
            let switches = Arc::new(paused(&set, at + HOUR));
            indexed.partition.control(switches.clone(), at);
            single.partition.control(switches, at);
        }
        let input = [indexed.input(&event)];
        let found = indexed.partition.step(&input, now, &set);
        let expected = single.partition.step(&input, now, &plain);
        assert!(found.quiet.is_empty());
        assert_eq!(
            found.verdicts, expected.verdicts,
            "seed {seed}, step {step}"
        );
        assert_eq!(found.trimmed_windows, expected.trimmed_windows);
        let rest = |output: &Output| {
            let parts = (
                &output.entries,
                &output.errors,
                &output.quarantined,
                &output.silenced,
            );
            format!("{parts:?}")
        };
        assert_eq!(rest(&found), rest(&expected), "seed {seed}, step {step}");
        for ((_, verdict), times) in &found.verdicts {
            *seen.entry(verdict.word()).or_default() += times;
        }
    }
    seen
}

#[test]
fn an_index_gives_every_rule_the_verdict_that_it_gets_alone() {
    let seeds = std::env::var("ONSCENE_NATIVE_SETS").map_or(8, |text| text.parse().unwrap());
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 1..=seeds {
        for (verdict, times) in step_both(seed, 120) {
            *seen.entry(verdict).or_default() += times;
        }
    }
    println!("result: {seeds} rule sets stepped by index and one rule after another: {seen:?}");
    for verdict in [
        "paused",
        "schedule",
        "audience",
        "rollout",
        "stale",
        "condition",
        "error",
        "quarantine",
        "sent",
    ] {
        assert!(seen.contains_key(verdict), "{verdict}: {seen:?}");
    }
}

fn shipped() -> Sources {
    Sources::read(Path::new("rules")).unwrap()
}

#[test]
fn nearly_all_shipped_conditions_are_native() {
    let set = RuleSet::compile(&shipped()).unwrap();
    let mut whole = 0;
    for rule in set.rules() {
        let extent = set.extent(rule);
        println!("{:<40} {extent:?}", rule.terms.name);
        whole += usize::from(extent == Extent::Whole);
    }
    println!(
        "result: {whole} of {} shipped conditions are wholly native",
        set.rules().len()
    );
    assert!(set.rules().len() - whole <= 1, "one asks for a table");
}

/// Everything that a replay of simulated traffic puts out.
fn replayed(rules: RuleSet, seed: u64, events: i64) -> String {
    let settings = SimulationSettings {
        customers: 200,
        ..SimulationSettings::new(seed, people::START)
    };
    let mut simulation = Simulation::new(settings);
    let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
    let mut replay = Replay::new(
        Decoder::default(),
        rules,
        JournalLimits::default(),
        zone,
        true,
    );
    let mut lines: Vec<Vec<u8>> = simulation
        .opening()
        .map(|event| event.payload.to_vec())
        .collect();
    lines.extend((0..events).map(|number| {
        simulation
            .next(people::START + number * 20)
            .payload
            .to_vec()
    }));
    let mut out = String::new();
    for (number, line) in (1..).zip(&lines) {
        let mut line = replay.line(number, line);
        for decision in &line.decisions {
            out += std::str::from_utf8(&decision.to_cloudevent()).unwrap();
            out.push('\n');
        }
        let mut verdicts: Vec<_> = line.verdicts().clone().into_iter().collect();
        verdicts.sort_by_key(|((rule, verdict), _)| (rule.clone(), verdict.word()));
        out += &format!("{:?} {:?} {verdicts:?}\n", line.silenced, line.errors);
    }
    out
}

#[test]
fn a_replay_is_the_same_byte_for_byte_with_and_without_native_conditions() {
    let minutes = std::env::var("ONSCENE_NATIVE_MINUTES");
    let events = minutes.map_or(2_000, |minutes| minutes.parse::<i64>().unwrap() * 60 * 50);
    let set = RuleSet::compile(&shipped()).unwrap();
    let native = replayed(set.clone(), 7, events);
    let plain = replayed(set.plain(), 7, events);
    assert!(native == plain, "replays differ");
    let decisions = native.lines().filter(|line| line.starts_with('{')).count();
    println!(
        "result: {events} events replayed, {decisions} decisions, {} bytes alike",
        native.len()
    );
    assert!(decisions > 10);
}
