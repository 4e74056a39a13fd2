//! The laws, recomputed from what the streams hold.

pub(super) use super::evidence::Evidence;

use super::driver::{Failure, failure};
use super::evidence::{Change, Said, What};
use super::outcomes;
use super::waiting;
use super::workload::Kind;
use super::world::World;
use crate::audit::{Links, Record};
use crate::clock::{Millis, SECOND};
use crate::nats::{LogMessage, StoredEvent};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

pub(super) use super::oracle::oracle;

/// Every law that a log and its events show.
pub(super) fn all(evidence: &Evidence<'_>) -> Result<(), Failure> {
    chain(evidence)?;
    ids(evidence)?;
    switches(evidence)?;
    waiting::all(evidence)?;
    repetitions(evidence)?;
    dead(evidence)?;
    fresh(evidence)?;
    frequencies(evidence)?;
    groups(evidence)?;
    budgets(evidence)?;
    outcomes::all(evidence)?;
    if evidence.plan.is_patient && !evidence.plan.pauses_rules {
        complete(evidence)?;
    }
    Ok(())
}

/// Law 3: between an engine's owner record and the next one, nobody else writes.
fn chain(evidence: &Evidence<'_>) -> Result<(), Failure> {
    let mut owners: HashMap<u16, &str> = HashMap::new();
    for entry in &evidence.log {
        if matches!(entry.what, What::Owner) {
            owners.insert(entry.partition, &entry.owner);
        }
        let owner = owners.get(&entry.partition).copied().unwrap_or("nobody");
        if owner != entry.owner {
            let what = format!(
                "message {} of partition {} is by {}, but {owner} owns it",
                entry.sequence, entry.partition, entry.owner
            );
            return Err(failure("only the owner extends a log", what));
        }
    }
    Ok(())
}

/// Each message of a partition's log carries a link that follows from the one before it.
pub(super) fn links(log: &[LogMessage]) -> Result<(), Failure> {
    let mut links = Links::default();
    for message in log {
        let record = Record::of(message).filter(|record| record.link().is_some());
        let follows = record.map_or_else(
            || Err(format!("message {} carries no link", message.sequence)),
            |record| links.follow(&record).map_err(|fault| fault.to_string()),
        );
        follows
            .map_err(|what| failure("every message of a log follows the one before it", what))?;
    }
    Ok(())
}

/// Law 6: nothing stands in the log twice.
fn ids(evidence: &Evidence<'_>) -> Result<(), Failure> {
    let mut known: HashMap<(u16, &str), u64> = HashMap::new();
    for entry in &evidence.log {
        if let Some(first) = known.insert((entry.partition, &entry.id), entry.sequence) {
            let what = format!("{} is message {first} and {}", entry.id, entry.sequence);
            return Err(failure("exactly one entry per id", what));
        }
    }
    let mut answers: BTreeSet<(&str, &str, &str, u64)> = BTreeSet::new();
    for said in evidence.said() {
        if !answers.insert((&said.customer, &said.trigger, &said.rule, said.step)) {
            let what = format!(
                "{} answers {} twice to {}",
                said.rule, said.trigger, said.customer
            );
            return Err(failure("exactly one action per decision", what));
        }
    }
    Ok(())
}

/// What is switched off says nothing from the message on that says so.
fn switches(evidence: &Evidence<'_>) -> Result<(), Failure> {
    let mut paused: HashMap<u16, &BTreeSet<String>> = HashMap::new();
    for entry in &evidence.log {
        match &entry.what {
            What::Switched(rules) => {
                paused.insert(entry.partition, rules);
            }
            What::Said(said) => {
                let paused = paused.get(&entry.partition);
                if paused.is_some_and(|rules| rules.contains(&said.rule)) {
                    let what = format!("message {} is of {}", entry.sequence, said.rule);
                    return Err(failure("a rule that is paused says nothing", what));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What is published again leads to nothing.
fn repetitions(evidence: &Evidence<'_>) -> Result<(), Failure> {
    let repeats: HashSet<u64> = evidence
        .published
        .iter()
        .filter(|event| event.is_repeat)
        .map(|event| event.sequence)
        .collect();
    match evidence
        .said()
        .find(|said| repeats.contains(&said.trigger_sequence))
    {
        Some(said) => {
            let what = format!("{} answers event {}", said.rule, said.trigger_sequence);
            Err(failure("publishing again changes nothing", what))
        }
        None => Ok(()),
    }
}

/// Law 10: what is refused is kept with its reason, and nothing else is refused.
fn dead(evidence: &Evidence<'_>) -> Result<(), Failure> {
    let law = "bad input is kept and named";
    let mut kept: BTreeMap<u64, &str> = BTreeMap::new();
    for dead in &evidence.dead {
        kept.insert(dead.sequence, &dead.reason);
    }
    for event in evidence.published {
        let expected = match event.kind {
            Kind::Bad(reason) => Some(reason),
            _ => None,
        };
        let found = kept.get(&event.sequence).copied();
        let may_be_old = evidence.plan.trims_journals() && expected.is_none();
        if found != expected && !(may_be_old && found == Some("too_old")) {
            let what = format!(
                "event {} is kept as {found:?}, expected {expected:?}",
                event.sequence
            );
            return Err(failure(law, what));
        }
    }
    Ok(())
}

/// Law 8, by the clock of the engine that decided.
fn fresh(evidence: &Evidence<'_>) -> Result<(), Failure> {
    for said in evidence.said() {
        let fresh = match (&*said.rule, evidence.plan.is_patient) {
            ("brief", _) => 2 * SECOND,
            (_, false) => 3 * SECOND,
            (_, true) => continue,
        };
        let age = said.decided_at - said.time;
        if age > fresh {
            let what = format!("{} spoke {age} ms after {}", said.rule, said.trigger);
            return Err(failure("a stale trigger never acts", what));
        }
    }
    Ok(())
}

/// How often a rule may begin to speak to a customer, and within what.
const FREQUENCIES: [(&str, usize, Millis); 5] = [
    ("win-rich", 1, 15 * SECOND),
    ("quiet", 1, 4 * SECOND),
    ("win-plain", 3, 40 * SECOND),
    ("race", 2, 90 * SECOND),
    ("absence", 2, 60 * SECOND),
];

/// What a rule began for a customer, by its entry: when it entered, and when it spoke.
type Entries<'a> = BTreeMap<&'a str, (Millis, Millis)>;

/// Caps and cooldowns: they are looked at when a rule enters, that is when it speaks or begins to wait with it. What began
/// to wait and ended in silence does not count.
fn frequencies(evidence: &Evidence<'_>) -> Result<(), Failure> {
    if evidence.plan.sets_clock_back {
        return Ok(());
    }
    let mut armed: HashMap<&str, Millis> = HashMap::new();
    for entry in &evidence.log {
        if let What::Waits(waits) = &entry.what
            && let Change::Armed(_) = waits.change
        {
            armed.entry(&waits.entry).or_insert(waits.at);
        }
    }
    let mut begun: BTreeMap<(&str, &str), Entries<'_>> = BTreeMap::new();
    for said in evidence.said() {
        let entered = armed.get(&*said.entry).copied();
        let times = (entered.unwrap_or(said.policy_time), said.policy_time);
        let entries = begun.entry((&said.customer, &said.rule)).or_default();
        entries.entry(&said.entry).or_insert(times);
    }
    for ((customer, rule), entries) in begun {
        let Some((_, most, window)) = FREQUENCIES.iter().find(|(name, _, _)| *name == rule) else {
            continue;
        };
        let mut times: Vec<(Millis, Millis)> = entries.into_values().collect();
        times.sort_unstable();
        for (at, (entered, _)) in times.iter().enumerate() {
            // What had spoken by then counts from when it did, what still waited from when it began to.
            let counted = |(began, spoke): &&(Millis, Millis)| {
                let since = if spoke <= entered { spoke } else { began };
                *since > entered - window
            };
            if times[..at].iter().filter(counted).count() >= *most {
                let what = format!("{rule} entered for {customer} and spoke at {times:?}");
                return Err(failure("caps and cooldowns hold", what));
            }
        }
    }
    Ok(())
}

/// At most one rule of a group answers an event.
fn groups(evidence: &Evidence<'_>) -> Result<(), Failure> {
    let mut winners: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for said in evidence.said().filter(|said| said.rule.starts_with("win-")) {
        let winner = winners.insert((&said.customer, &said.trigger), &said.rule);
        if let Some(winner) = winner
            && winner != said.rule
        {
            let what = format!("{winner} and {} answer {}", said.rule, said.trigger);
            return Err(failure("one of a group answers", what));
        }
    }
    Ok(())
}

/// Law 7, also while engines take partitions from each other.
fn budgets(evidence: &Evidence<'_>) -> Result<(), Failure> {
    let limits = [("coupon", 60), ("goal", 25), ("merchant", 20)];
    let mut spent: BTreeMap<(&str, Option<&str>), Decimal> = BTreeMap::new();
    // What stands in for something that failed was paid for with that.
    let pays = |said: &&Said| !said.is_held_out && said.fallback_of.is_none();
    for said in evidence.said().filter(pays) {
        let limited = limits.iter().any(|(rule, _)| *rule == said.rule);
        if let Some(cost) = said.cost.filter(|_| limited) {
            let account = (&*said.rule, said.account.as_deref());
            *spent.entry(account).or_default() += cost;
        }
    }
    for ((rule, account), sum) in spent {
        let limit = limits.iter().find(|(name, _)| *name == rule);
        if limit.is_some_and(|(_, limit)| sum > Decimal::from(*limit)) {
            let what = format!("{rule} has spent {sum} for {account:?}");
            return Err(failure("a budget is never overspent", what));
        }
    }
    Ok(())
}

/// What must be answered is: at once, and after a delay.
fn complete(evidence: &Evidence<'_>) -> Result<(), Failure> {
    let mut answered: HashSet<(&str, &str)> = HashSet::new();
    for Said { rule, trigger, .. } in evidence.said() {
        answered.insert((rule, trigger));
    }
    let dead: HashSet<u64> = evidence.dead.iter().map(|dead| dead.sequence).collect();
    let first = evidence.published.iter().filter(|event| !event.is_repeat);
    for event in first.filter(|event| !dead.contains(&event.sequence)) {
        let rule = match event.kind {
            Kind::Started => "always",
            Kind::Paid => "later",
            _ => continue,
        };
        if !answered.contains(&(rule, &*event.id)) {
            let what = format!("{rule} does not answer event {}", event.sequence);
            return Err(failure("nothing is lost", what));
        }
    }
    Ok(())
}

/// The events that a partition reads.
pub(super) fn is_for(event: &StoredEvent, partition: u16) -> bool {
    event.subject.starts_with(&format!("scene.in.{partition}."))
        || event.subject.starts_with("scene.broadcast.")
}

/// Up to where each partition's events are done, as its log says.
pub(super) fn through(world: &World, partitions: u16) -> Vec<u64> {
    let done = |partition| {
        let log = world.partition_log(partition, 0);
        log.filter_map(|message| {
            let number = |name: &str| message.headers.get(name)?.parse::<u64>().ok();
            if message.headers.get("Onscene-Kind") == Some("through") {
                let record: serde_json::Value = serde_json::from_slice(&message.payload).ok()?;
                return record["through"].as_u64();
            }
            let after = number("Onscene-After").or_else(|| number("Onscene-Trigger"));
            // What answers an event tells that it is done when all of the event's entries are there.
            let part = message.headers.get("Onscene-Part");
            let is_last = part.is_none_or(|part| {
                let (at, of) = part.split_once('/').unwrap();
                at.parse::<u64>().unwrap() + 1 == of.parse::<u64>().unwrap()
            });
            after.filter(|_| is_last)
        })
        .max()
        .unwrap_or(0)
    };
    (0..partitions).map(done).collect()
}

/// Whether every event is done.
pub(super) fn is_done(world: &World, partitions: u16) -> bool {
    let through = through(world, partitions);
    (0..partitions).zip(through).all(|(partition, through)| {
        let mut latest = world.events.iter().rev();
        let last = latest.find(|event| is_for(event, partition));
        last.is_none_or(|event| event.sequence <= through)
    })
}

/// How many entries of a log say what was decided.
pub(super) fn said(world: &World) -> usize {
    let kinds = world.log.iter();
    kinds
        .filter(|message| {
            let kind = message.headers.get("Onscene-Kind");
            !matches!(kind, Some("owner" | "through"))
        })
        .count()
}

/// When something waits until, after a change.
pub(super) fn due(change: Change) -> Option<Millis> {
    match change {
        Change::Armed(due) | Change::Moved(due) => Some(due),
        Change::Ended => None,
    }
}
