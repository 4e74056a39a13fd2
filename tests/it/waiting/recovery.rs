//! A restart at any point: what the log holds is folded, the rest is decided, and together it is what
//! one uninterrupted run decides.

use crate::kit::desk::{Desk, NOON, event, profile, time};
use onscene::clock::{DAY, HOUR, MINUTE, Millis};
use onscene::durable::{LogItem, Recovery};
use onscene::partition::{Input, LogEntry, Logged};
use onscene::state::{Draw, Ledger};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

const FILES: [(&str, &str); 6] = [
    (
        "policy.toml",
        "[quiet_hours]\nhours = \"22:00-08:00\"\nchannels = [\"sms\"]\n",
    ),
    (
        "schema.toml",
        "[events.\"broadcast.goal\"]\nteam = \"text\"\n",
    ),
    (
        "absence.rhai",
        r#"
const RULE = #{ on: "merchant.checkout", channels: ["push"], delay: "10m", cooldown: "1h", fresh: "30d" };
fn when(event, customer) { event.stage == "started" }
fn still(event, customer) { customer.count("merchant.checkout", "10m", #{ stage: "paid" }) == 0 }
fn action(event, customer) { #{ kind: "offer", code: "A" } }
"#,
    ),
    (
        "journey.rhai",
        r#"
const RULE = #{
    on: "merchant.checkout", channels: ["push"], cap: "2 per 2h", fresh: "30d", group: "g", within: "3h",
    steps: [#{ after: "0s" }, #{ after: "30m" }, #{ after: "2h" }], holdout: 30,
};
fn when(event, customer) { event.stage == "paid" }
fn action(event, customer, variant, step) { #{ kind: "offer", code: `J${step}`, value: event.amount } }
fn converted(event, customer, decision) { event.type == "merchant.checkout" && event.stage == "refunded" }
"#,
    ),
    (
        "night.rhai",
        r#"
const RULE = #{ on: "merchant.checkout", channels: ["sms"], quiet: "defer", fresh: "30d", priority: 90, group: "g", rollout: 60 };
fn when(event, customer) { event.amount >= 50 }
fn action(event, customer) { if event.amount > 90 { () } else { #{ kind: "offer", code: "N" } } }
"#,
    ),
    (
        "goal.rhai",
        r#"
const RULE = #{ on: "broadcast.goal", channels: ["push"], fresh: "30d", budget: #{ total: 7, daily: 5 } };
fn when(event, customer) { customer.count("merchant.checkout", "30d") > 0 }
fn action(event, customer) { #{ kind: "offer", code: "G", cost: 1.5 } }
"#,
    ),
];

#[derive(Clone, Debug)]
enum Act {
    Checkout(u8, &'static str, u32),
    Decline(u8),
    Zone(u8),
    Goal,
    Daily,
}

fn acts() -> impl Strategy<Value = Vec<(Millis, Act)>> {
    let stages = prop_oneof![Just("started"), Just("paid"), Just("refunded")];
    let act = prop_oneof![
        12 => (0..4_u8, stages, 1..120_u32).prop_map(|(c, s, a)| Act::Checkout(c, s, a)),
        2 => (0..4_u8).prop_map(Act::Decline),
        1 => (0..4_u8).prop_map(Act::Zone),
        1 => Just(Act::Goal),
        1 => Just(Act::Daily),
    ];
    let gap = prop_oneof![0..5 * MINUTE, 0..HOUR, Just(0), 0..DAY];
    proptest::collection::vec((gap, act), 1..40)
}

/// The events as JSON with their store times. A decline is of whatever was said last to the customer.
fn events(acts: &[(Millis, Act)]) -> Vec<(Millis, Act)> {
    let mut at = time(NOON);
    let later = acts.iter().map(|(gap, act)| {
        at += gap;
        (at, act.clone())
    });
    later.collect()
}

fn json_of(number: usize, at: Millis, act: &Act, desk: &Desk) -> Value {
    let id = format!("e{number}");
    match act {
        Act::Checkout(customer, stage, amount) => event(
            "merchant.checkout",
            &id,
            &format!("C{customer}"),
            at,
            json!({"stage": stage, "amount": amount.to_string(), "currency": "CNY", "merchant": {"id": "M"}}),
        ),
        Act::Decline(customer) => {
            let customer = format!("C{customer}");
            let known = desk.customers.get(&customer);
            let last = known.and_then(|c| c.contacts.all().last().map(|c| c.id.to_string()));
            let data = json!({"action": last.unwrap_or_else(|| "0".repeat(32))});
            event("offer.declined", &id, &customer, at, data)
        }
        Act::Zone(customer) => {
            let zone = json!({"time_zone": "Europe/Berlin"});
            profile(&id, &format!("C{customer}"), at, zone)
        }
        Act::Goal | Act::Daily => json!({
            "specversion": "1.0", "id": id, "source": "test", "type": "broadcast.goal",
            "time": onscene::clock::format_rfc3339(at), "data": {"team": "home"},
        }),
    }
}

fn desk() -> Desk {
    Desk::new(&FILES)
}

/// One uninterrupted run: its inputs, and what it wrote.
fn run(acts: &[(Millis, Act)]) -> (Vec<Input>, Vec<LogEntry>, Millis) {
    let mut desk = desk();
    let (mut inputs, mut entries) = (Vec::new(), Vec::new());
    let mut last = time(NOON);
    for (number, (at, act)) in acts.iter().enumerate() {
        let event = json_of(number, *at, act, &desk);
        let input = desk.input(&event);
        inputs.push(input.clone());
        entries.extend(desk.partition.step(&[input], *at, &desk.rules).entries);
        entries.extend(desk.sweep(*at).entries);
        last = *at;
    }
    let end = last + 2 * DAY;
    entries.extend(finish(&mut desk, end));
    (inputs, entries, end)
}

/// The clock goes on without events. Time passes as it does live: later than what is due.
fn finish(desk: &mut Desk, end: Millis) -> Vec<LogEntry> {
    let mut entries = desk.partition.advance(end, end, &desk.rules).entries;
    entries.extend(desk.sweep(end).entries);
    entries
}

/// The same after a crash that left the first `written` entries in the log.
fn resume(inputs: &[Input], log: &[LogEntry], end: Millis) -> Vec<LogEntry> {
    let mut desk = desk();
    let ledger = Arc::new(Ledger::default());
    let mut recovery = Recovery::default();
    for entry in log {
        let (logged, place) = (entry.logged(), entry.place());
        if let Logged::Decision(decision) = &logged
            && let (Some(cost), false) = (decision.cost, decision.holdout)
        {
            ledger.add(
                0,
                &Draw {
                    rule: decision.rule.clone(),
                    account: None,
                    day: onscene::policy::local_day(
                        decision.at,
                        &jiff::tz::TimeZone::get("Asia/Shanghai").unwrap(),
                    ),
                    cost,
                },
            );
        }
        recovery.take(LogItem::Entry { logged, place });
    }
    desk.partition.spend_from(ledger);
    let mut entries = Vec::new();
    for input in inputs {
        recovery.before(input.sequence, &mut desk.partition);
        if input.sequence <= recovery.through() {
            desk.partition.fold(input);
            continue;
        }
        let mut input = input.clone();
        input.already = recovery.already(input.sequence);
        let at = input.stored_at;
        // What a crash left of a broadcast is taken up as soon as events flow again.
        entries.extend(desk.sweep(at).entries);
        entries.extend(desk.partition.step(&[input], at, &desk.rules).entries);
        entries.extend(desk.sweep(at).entries);
    }
    recovery.finish(&mut desk.partition);
    entries.extend(desk.sweep(end).entries);
    entries.extend(finish(&mut desk, end));
    entries
}

/// What an entry decides, without what may differ: which clock it was decided by.
fn essence(entries: &[LogEntry]) -> Vec<String> {
    let one = |entry: &LogEntry| match entry {
        LogEntry::Decision(d) => format!(
            "{} {} {} {:?} {:?} {} {:?} {}",
            d.id,
            d.rule,
            d.customer.as_str(),
            d.verdict,
            d.next,
            d.policy_time,
            d.part,
            d.after
        ),
        other => format!("{other:?}"),
    };
    entries.iter().map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Wherever the log ends, what comes after it is the same again: nothing is said twice, nothing is
    /// left out, nothing is overspent.
    #[test]
    fn a_restart_after_any_entry_goes_on_where_the_log_ends(
        acts in acts(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (inputs, log, end) = run(&events(&acts));
        let written = cut.index(log.len() + 1);
        let again = resume(&inputs, &log[..written], end);
        prop_assert_eq!(essence(&again), essence(&log[written..]));
    }
}
