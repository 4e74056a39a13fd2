//! What comes back of actions is recorded once, and what failed is said again at most once, by a channel that
//! was left.

use super::check::Evidence;
use super::driver::{Failure, failure};
use super::evidence::{Said, What};
use super::workload::Kind;
use std::collections::{BTreeMap, BTreeSet, HashSet};

pub(super) fn all(evidence: &Evidence<'_>) -> Result<(), Failure> {
    recorded_once(evidence)?;
    fallbacks(evidence)
}

/// Who told an outcome of an action first, and whoever else may have.
#[derive(Default)]
struct Told<'a> {
    /// The first event that told it and was not refused.
    first: Option<&'a str>,
    /// Those before it that were refused: one that was recorded, handed out again and by then too old for its
    /// customer's journal is refused as well.
    refused: Vec<&'a str>,
}

/// The outcomes in the log are those that events told of what had been sent: each kind of each once, by the first
/// event that told it.
fn recorded_once(evidence: &Evidence<'_>) -> Result<(), Failure> {
    let law = "an outcome is recorded once";
    let said: BTreeMap<&str, &Said> = evidence.said().map(|said| (&*said.id, said)).collect();
    let dead: HashSet<u64> = evidence.dead.iter().map(|dead| dead.sequence).collect();
    let mut told: BTreeMap<(&str, &str), Told<'_>> = BTreeMap::new();
    for event in evidence.published {
        let (Kind::Outcome(outcome), Some((customer, action))) = (event.kind, &event.about) else {
            continue;
        };
        let was_sent = said
            .get(&**action)
            .is_some_and(|said| !said.is_held_out && said.customer == *customer);
        if was_sent {
            let told = told.entry((action, outcome.word())).or_default();
            if !dead.contains(&event.sequence) {
                told.first.get_or_insert(&event.id);
            } else if told.first.is_none() {
                told.refused.push(&event.id);
            }
        }
    }
    for entry in &evidence.log {
        let What::Reported(reported) = &entry.what else {
            continue;
        };
        let key = (&*reported.decision, &*reported.outcome);
        let by = told.remove(&key).is_some_and(|told| {
            told.first == Some(&*reported.event) || told.refused.contains(&&*reported.event)
        });
        if !by {
            let what = format!(
                "{key:?} is recorded twice, or event {} did not tell it first",
                reported.event
            );
            return Err(failure(law, what));
        }
    }
    match told.iter().find(|(_, told)| told.first.is_some()) {
        Some((key, told)) => Err(failure(law, format!("event {:?} told {key:?}", told.first))),
        None => Ok(()),
    }
}

/// What stands in for something that failed says the same to the same customer by a channel that was left, after
/// the failure was recorded, and nothing else does.
fn fallbacks(evidence: &Evidence<'_>) -> Result<(), Failure> {
    let law = "what failed is said again once, by a channel that was left";
    let mut said: BTreeMap<&str, &Said> = BTreeMap::new();
    let mut failed: BTreeSet<&str> = BTreeSet::new();
    let mut stood_in: BTreeSet<&str> = BTreeSet::new();
    for entry in &evidence.log {
        match &entry.what {
            What::Reported(reported) if reported.outcome == "failed" => {
                failed.insert(&reported.decision);
            }
            What::Said(now) => {
                if let Some(id) = &now.fallback_of {
                    let fits = said
                        .get(&**id)
                        .is_some_and(|before| is_the_same(before, now));
                    if !fits || !failed.contains(&**id) || !stood_in.insert(id) {
                        let what = format!("{now:?} stands in for {:?}", said.get(&**id));
                        return Err(failure(law, what));
                    }
                }
                said.insert(&now.id, now);
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_the_same(before: &Said, now: &Said) -> bool {
    let words = |said: &Said| {
        let Said {
            customer,
            rule,
            step,
            entry,
            variant,
            code,
            cost,
            is_held_out,
            ..
        } = said.clone();
        (
            customer,
            rule,
            step,
            entry,
            variant,
            code,
            cost,
            is_held_out,
        )
    };
    words(before) == words(now)
        && !before.is_held_out
        && before.channels_left.contains(&now.channel)
}
