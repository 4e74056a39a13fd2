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

/// The outcomes in the log are those that events told of what had been sent: each kind of each once, by the first
/// event that told it.
fn recorded_once(evidence: &Evidence<'_>) -> Result<(), Failure> {
    let law = "an outcome is recorded once";
    let said: BTreeMap<&str, &Said> = evidence.said().map(|said| (&*said.id, said)).collect();
    let dead: HashSet<u64> = evidence.dead.iter().map(|dead| dead.sequence).collect();
    let mut expected: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for event in evidence.published {
        let (Kind::Outcome(outcome), Some((customer, action))) = (event.kind, &event.about) else {
            continue;
        };
        let was_sent = said
            .get(&**action)
            .is_some_and(|said| !said.is_held_out && said.customer == *customer);
        if was_sent && !dead.contains(&event.sequence) {
            let key = (&**action, outcome.word());
            expected.entry(key).or_insert(&event.id);
        }
    }
    let mut found: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for entry in &evidence.log {
        let What::Reported(reported) = &entry.what else {
            continue;
        };
        let key = (&*reported.decision, &*reported.outcome);
        if found.insert(key, &reported.event).is_some() {
            return Err(failure(law, format!("{key:?} is recorded twice")));
        }
    }
    match expected
        .iter()
        .find(|(key, event)| found.get(*key) != Some(event))
    {
        Some((key, event)) => {
            let what = format!("event {event} told {key:?}; found {:?}", found.get(key));
            Err(failure(law, what))
        }
        None => match found.iter().find(|(key, _)| !expected.contains_key(*key)) {
            Some(odd) => Err(failure(law, format!("nobody told {odd:?}"))),
            None => Ok(()),
        },
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
