//! A budget of which each sum must be granted first: a step stops where one is missing, takes nothing of
//! what it stopped at, and goes on as if nothing had had to be waited for.

use crate::kit::Random;
use crate::kit::desk::{Desk, NOON, checkout, event, time};
use onscene::action::Verdict;
use onscene::clock::{DAY, HOUR, MINUTE, Millis};
use onscene::money::Money;
use onscene::partition::{Input, LogEntry, Output, Partition};
use onscene::policy;
use onscene::state::{
    AccountKey, Answer, Claim, ClaimKind, Drawn, GrantTerms, GrantsEntry, JournalLimits, Ledger,
    Limits, Sight, Want,
};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

const FILES: [(&str, &str); 6] = [
    (
        "schema.toml",
        "[events.\"broadcast.goal\"]\nteam = \"text\"\n",
    ),
    (
        "first.rhai",
        r#"
const RULE = #{
    on: "merchant.checkout", channels: ["push"], fresh: "30d", group: "g", priority: 90, within: "1d",
    budget: #{ total: 60, daily: 25 },
};
fn when(event, customer) { event.amount > 20 }
fn action(event, customer) { #{ kind: "offer", code: "F", cost: event.amount / 10 } }
fn converted(event, customer, decision) { event.amount > 90 }
"#,
    ),
    (
        "journey.rhai",
        r#"
const RULE = #{
    on: "merchant.checkout", channels: ["push"], fresh: "30d", group: "g", cooldown: "1h",
    steps: [#{ after: "0s" }, #{ after: "30m" }], budget: #{ daily: 9, per: "merchant" },
};
fn when(event, customer) { true }
fn action(event, customer, variant, step) {
    #{ kind: "offer", code: "J", merchant: event.merchant.id, cost: 2 + step }
}
"#,
    ),
    (
        "late.rhai",
        r#"
const RULE = #{
    on: "merchant.checkout", channels: ["push"], fresh: "30d", delay: "10m", cooldown: "10m",
    budget: #{ total: 30 },
};
fn when(event, customer) { true }
fn still(event, customer) { event.amount > 10 }
fn action(event, customer) { #{ kind: "offer", code: "L", cost: 3 } }
"#,
    ),
    (
        "always.rhai",
        r#"
const RULE = #{ on: "merchant.checkout", channels: ["push"], fresh: "30d" };
fn when(event, customer) { event.amount > 60 || customer.count("merchant.checkout", "1d") > 2 }
fn action(event, customer) { #{ kind: "offer", code: "A" } }
"#,
    ),
    (
        "goal.rhai",
        r#"
const RULE = #{ on: "broadcast.goal", channels: ["push"], fresh: "30d", budget: #{ total: 12, daily: 5 } };
fn when(event, customer) { customer.count("merchant.checkout", "30d") > 0 }
fn action(event, customer) { #{ kind: "offer", code: "G", cost: 1.5 } }
"#,
    ),
];

/// A desk, and who grants what its partition waits for.
struct Parking {
    desk: Desk,
    ledger: Arc<Ledger>,
    entries: HashMap<AccountKey, (GrantsEntry, Limits)>,
    waits: usize,
}

impl Parking {
    fn new() -> Self {
        let mut desk = Desk::new(&FILES);
        let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
        let ledger = Arc::new(Ledger::by_grant());
        desk.partition = Partition::new(desk.customers.clone(), JournalLimits::default(), zone)
            .listing_silenced()
            .sharing(0, ledger.clone(), Arc::default());
        Self {
            desk,
            ledger,
            entries: HashMap::new(),
            waits: 0,
        }
    }

    /// Grants what is waited for, or says that there is nothing left.
    fn grant(&mut self, want: &Want) {
        self.waits += 1;
        let key = want.draw.key();
        let (entry, _) = self.entries.entry(key.clone()).or_default();
        let own = BTreeMap::from([(0, 1)]);
        let terms = GrantTerms {
            limits: Limits::of(&want.budget),
            own: &own,
            // So many that little more is granted than was asked for.
            partitions: 64,
            release: false,
        };
        let claim = Claim {
            partition: 0,
            day: want.draw.day,
            cost: want.draw.cost,
            kind: ClaimKind::Draw,
        };
        let plan = self.ledger.plan(&key, entry, &[claim], terms, Sight::Fresh);
        assert_ne!(plan.answers, [Answer::Wait], "there is nobody else");
        if let Some(write) = &plan.write {
            *entry = write.clone();
            self.ledger.planned(&key, &plan);
        }
    }

    /// Adds what a step did, and grants what it stopped for; returns how many inputs are done with, if it did.
    fn take(&mut self, mut output: Output, all: &mut Output) -> Option<usize> {
        let parked = output.parked.take();
        all.append(output);
        let parked = parked?;
        self.grant(&parked.want);
        Some(parked.inputs)
    }

    fn step(&mut self, inputs: &[Input], now: Millis, all: &mut Output) {
        let mut rest = inputs;
        loop {
            let output = self.desk.partition.step(rest, now, &self.desk.rules);
            match self.take(output, all) {
                Some(done) => rest = &rest[done..],
                None => return,
            }
        }
    }

    fn advance(&mut self, to: Millis, all: &mut Output) {
        loop {
            let output = self.desk.partition.advance(to, to, &self.desk.rules);
            if self.take(output, all).is_none() {
                return;
            }
        }
    }

    fn sweep(&mut self, now: Millis, all: &mut Output) {
        loop {
            while self.desk.partition.is_sweeping() {
                let output = self.desk.partition.sweep(3, now, &self.desk.rules);
                self.take(output, all);
            }
            let Some((key, demands)) = self.desk.partition.demands() else {
                return;
            };
            let granted = policy::allot(&demands, |at| {
                loop {
                    let demand = &demands[at];
                    match self.ledger.draw(0, &demand.draw, &demand.budget) {
                        Drawn::Paid => return true,
                        Drawn::Exhausted => return false,
                        Drawn::Wanting => self.grant(&Want {
                            draw: demand.draw.clone(),
                            budget: demand.budget.clone(),
                        }),
                    }
                }
            });
            self.desk.partition.grant(&key, &granted);
        }
    }
}

/// Batches of events with their times.
fn batches(random: &mut Random, desk: &mut Desk) -> Vec<(Millis, Vec<Input>)> {
    let mut at = time(NOON);
    let mut number = 0;
    let mut batches = Vec::new();
    for _ in 0..random.below(12) {
        at += i64::try_from(random.below(100)).unwrap() * MINUTE;
        let mut inputs = Vec::new();
        for _ in 0..=random.below(6) {
            number += 1;
            at += 1;
            let id = format!("e{number}");
            let customer = format!("C{}", random.below(4));
            let data = json!({
                "stage": "paid", "amount": (random.below(120) + 1).to_string(), "currency": "CNY",
                "merchant": {"id": format!("M{}", random.below(2))},
            });
            let json = if random.chance(8) {
                json!({
                    "specversion": "1.0", "id": id, "source": "test", "type": "broadcast.goal",
                    "time": onscene::clock::format_rfc3339(at), "data": {"team": "home"},
                })
            } else {
                event("merchant.checkout", &id, &customer, at, data)
            };
            inputs.push(desk.input(&json));
        }
        batches.push((at, inputs));
    }
    batches
}

#[test]
fn what_waits_for_grants_is_decided_as_if_nothing_had_to_be_waited_for() {
    let mut waits = 0;
    for seed in 0..120 {
        let mut random = Random::new(seed);
        let (mut free, mut parking) = (Desk::new(&FILES), Parking::new());
        let batches = batches(&mut random, &mut free);
        let (mut expected, mut found) = (Output::default(), Output::default());
        let mut last = time(NOON);
        for (at, inputs) in &batches {
            expected.append(free.partition.step(inputs, *at, &free.rules));
            expected.append(free.sweep(*at));
            parking.step(inputs, *at, &mut found);
            parking.sweep(*at, &mut found);
            last = *at;
        }
        let end = last + DAY + HOUR;
        expected.append(free.partition.advance(end, end, &free.rules));
        expected.append(free.sweep(end));
        parking.advance(end, &mut found);
        parking.sweep(end, &mut found);
        // How far a broadcast had come when depends on what waits.
        for output in [&mut found, &mut expected] {
            let entries = &mut output.entries;
            entries.retain(|entry| !matches!(entry, LogEntry::Progress(_)));
        }
        assert_eq!(found.entries, expected.entries, "seed {seed}");
        assert_eq!(found.verdicts, expected.verdicts, "seed {seed}");
        assert_eq!(found.silenced, expected.silenced, "seed {seed}");
        for rule in ["first", "journey", "late", "goal"] {
            assert!(
                parking.ledger.spent(rule) <= parking.ledger.granted(rule),
                "{rule}"
            );
            let spent: Money = sent(&found, rule);
            assert_eq!(
                parking.ledger.spent(rule),
                spent,
                "{rule}: nothing is drawn in vain"
            );
        }
        waits += parking.waits;
    }
    assert!(waits > 1_000, "{waits}");
}

fn sent(output: &Output, rule: &str) -> Money {
    let costs = output
        .decisions()
        .filter(|d| &*d.rule == rule && d.verdict == Verdict::Sent);
    costs.fold(Money::ZERO, |sum, decision| {
        sum.saturating_add(decision.body.cost.unwrap_or_default())
    })
}

#[test]
fn an_event_that_waits_leaves_nothing_behind_and_those_before_it_stand() {
    let mut parking = Parking::new();
    let at = time(NOON);
    let small = checkout("1", "C1", at);
    let mut large = checkout("2", "C2", at + 1);
    large["data"]["amount"] = "100".into();
    let mut small = small;
    small["data"]["amount"] = "5".into();
    let inputs = [parking.desk.input(&small), parking.desk.input(&large)];
    let mut output = parking
        .desk
        .partition
        .step(&inputs, at + 1, &parking.desk.rules);
    // Of the first event a journey wants to speak; of the second, nothing is looked at yet.
    let parked = output.parked.take().unwrap();
    assert_eq!((parked.inputs, &*parked.want.draw.rule), (0, "journey"));
    assert!(output.entries.is_empty() && output.verdicts.is_empty());
    assert!(parking.desk.customers.get("C2").is_none());
    let journal = parking
        .desk
        .customers
        .get("C1")
        .unwrap()
        .journal
        .entries()
        .len();
    assert_eq!(journal, 1, "it is applied");
    parking.grant(&parked.want);
    let mut output = parking
        .desk
        .partition
        .step(&inputs, at + 1, &parking.desk.rules);
    let journal = parking
        .desk
        .customers
        .get("C1")
        .unwrap()
        .journal
        .entries()
        .len();
    assert_eq!(journal, 1, "once");
    let parked = output.parked.take().unwrap();
    assert_eq!((parked.inputs, &*parked.want.draw.rule), (1, "first"));
    let said: Vec<&str> = output.decisions().map(|d| &*d.rule).collect();
    assert_eq!(said, ["journey"]);
    let all_of_the_first = output.entries.iter().all(|entry| entry.place().after == 1);
    assert!(all_of_the_first);
    assert!(
        !output
            .entries
            .iter()
            .any(|e| matches!(e, LogEntry::Quarantine(_)))
    );
}
