//! A restart at any point: what the log holds is folded, the rest is decided, and together it is what
//! one uninterrupted run decides.

use crate::kit::desk::{Desk, NOON, event, profile, time};
use onscene::clock::{DAY, HOUR, MINUTE, Millis};
use onscene::durable::{Checkpoint, Cut, LogItem, Recovery, checkpoint};
use onscene::partition::{CutCustomers, Input, LogEntry, Logged};
use onscene::state::{Delivery, Draw, Ledger};
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
    run_saving(acts, None).0
}

/// Before which event a checkpoint is begun, and how many customers are written between two events.
#[derive(Clone, Copy, Debug)]
struct Save {
    before: usize,
    slice: usize,
}

/// A checkpoint's bytes, and how many entries were in the log when it was begun.
type Saved = (Vec<u8>, usize);

/// The same, taking a checkpoint on the way.
fn run_saving(
    acts: &[(Millis, Act)],
    save: Option<Save>,
) -> ((Vec<Input>, Vec<LogEntry>, Millis), Option<Saved>) {
    let mut desk = desk();
    let (mut inputs, mut entries) = (Vec::new(), Vec::new());
    let mut last = time(NOON);
    let mut saved: Option<Saved> = None;
    let mut cut: Option<(CutCustomers, Vec<u8>)> = None;
    for (number, (at, act)) in acts.iter().enumerate() {
        if save.is_some_and(|save| save.before == number) {
            let (rest, customers) = desk.partition.begin_cut();
            let bytes = checkpoint::head(&Cut {
                partition: 0,
                partitions: 1,
                through: number as u64,
                log: 0,
                log_id: String::new(),
                taken_at: *at,
                version: String::new(),
                rest,
            });
            saved = Some((bytes, entries.len()));
            cut = Some((customers, Vec::new()));
        }
        if let (Some(save), Some((customers, part))) = (save, &mut cut) {
            customers.write(save.slice, part);
        }
        let event = json_of(number, *at, act, &desk);
        let input = desk.input(&event);
        inputs.push(input.clone());
        entries.extend(desk.partition.step(&[input], *at, &desk.rules).entries);
        entries.extend(desk.sweep(*at).entries);
        last = *at;
    }
    let end = last + 2 * DAY;
    entries.extend(finish(&mut desk, end));
    if let (Some((bytes, _)), Some((customers, part))) = (&mut saved, &mut cut) {
        customers.write(usize::MAX, part);
        if !part.is_empty() {
            bytes.extend(checkpoint::block(part));
        }
        let end = checkpoint::end(customers.written(), bytes.len() as u64);
        bytes.extend(end);
    }
    ((inputs, entries, end), saved)
}

/// The clock goes on without events. Time passes as it does live: later than what is due.
fn finish(desk: &mut Desk, end: Millis) -> Vec<LogEntry> {
    let mut entries = desk.partition.advance(end, end, &desk.rules).entries;
    entries.extend(desk.sweep(end).entries);
    entries
}

/// The same after a crash that left these entries in the log, and perhaps a checkpoint.
fn resume(inputs: &[Input], log: &[LogEntry], saved: Option<&Saved>, end: Millis) -> Vec<LogEntry> {
    let mut desk = desk();
    let ledger = Arc::new(Ledger::default());
    let mut recovery = Recovery::default();
    let (mut inputs, mut from) = (inputs, 0);
    if let Some((bytes, entries)) = saved {
        let checkpoint = Checkpoint::check(bytes.clone()).unwrap();
        checkpoint.restore(&mut desk.partition).unwrap();
        let through = checkpoint.cut().through;
        recovery = Recovery::from(through);
        inputs = &inputs[usize::try_from(through).unwrap()..];
        from = *entries;
    }
    for (number, entry) in log.iter().enumerate() {
        let (logged, place) = (entry.logged(), entry.place());
        if let Logged::Decision(decision) = &logged
            && let (Some(cost), true) = (decision.cost, decision.delivery == Delivery::Sent)
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
        if number >= from {
            recovery.take(LogItem::Entry { logged, place });
        }
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
    // How far a broadcast had come when is not decided by anybody.
    let decided = |entry: &&LogEntry| !matches!(entry, LogEntry::Progress(_));
    entries.iter().filter(decided).map(one).collect()
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
        let again = resume(&inputs, &log[..written], None, end);
        prop_assert_eq!(essence(&again), essence(&log[written..]));
    }

    /// The same from a checkpoint that was taken while events went on, one or two customers at a time: it is of
    /// the moment when it was begun.
    #[test]
    fn a_restart_from_a_checkpoint_goes_on_where_the_log_ends(
        acts in acts(),
        begun in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        slice in 0..3_usize,
    ) {
        let acts = events(&acts);
        let save = Save { before: begun.index(acts.len()), slice };
        let ((inputs, log, end), saved) = run_saving(&acts, Some(save));
        let from = saved.as_ref().map_or(0, |(_, entries)| *entries);
        let written = from + cut.index(log.len() + 1 - from);
        let again = resume(&inputs, &log[..written], saved.as_ref(), end);
        prop_assert_eq!(essence(&again), essence(&log[written..]));
    }
}
