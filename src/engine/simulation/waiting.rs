//! What waits: it begins once, is due when it was said to be, ends once, and nothing that is due is forgotten.

use super::check::{Evidence, due, is_for};
use super::driver::{Failure, failure};
use super::evidence::{Change, Entry, Said, Waits, What};
use crate::clock::Millis;
use std::collections::{BTreeMap, BTreeSet};

const LAW: &str = "what waits begins and ends once";

/// What is known of one journey.
#[derive(Debug, Default)]
struct Journeys<'a> {
    /// When each is due that waits.
    waiting: BTreeMap<&'a str, Millis>,
    ended: BTreeSet<&'a str>,
    /// The journey of each decision.
    entries: BTreeMap<&'a str, &'a str>,
    /// What waits to stand in for each decision that failed.
    fallbacks: BTreeMap<&'a str, &'a str>,
}

/// Rules that never speak at once.
const PATIENT: [&str; 3] = ["later", "absence", "merchant"];

pub(super) fn all(evidence: &Evidence<'_>) -> Result<(), Failure> {
    let mut journeys = Journeys::default();
    for entry in &evidence.log {
        match &entry.what {
            What::Said(said) => journeys.said(evidence, entry, said)?,
            What::Waits(waits) => journeys.changed(evidence, entry, waits)?,
            What::Converted(decision) => {
                if let Some(journey) = journeys.entries.get(&**decision).copied() {
                    journeys.waiting.remove(journey);
                    journeys.ended.insert(journey);
                }
            }
            What::Switched(_) | What::Owner | What::Other | What::Reported(_) => {}
        }
    }
    let forgotten = journeys.waiting.iter();
    let mut forgotten = forgotten.filter(|(_, due)| **due < evidence.now);
    match forgotten.next() {
        Some((journey, due)) => {
            let what = format!("{journey} was due at {due}, it is {}", evidence.now);
            Err(failure("what is due comes", what))
        }
        None => Ok(()),
    }
}

impl<'a> Journeys<'a> {
    fn said(
        &mut self,
        evidence: &Evidence<'_>,
        entry: &Entry,
        said: &'a Said,
    ) -> Result<(), Failure> {
        if let Some(failed) = &said.fallback_of {
            // At once, or as it was said to wait; its journey goes on beside it.
            let waited = self.fallbacks.get(&**failed);
            let due = waited.and_then(|entry| self.waiting.remove(entry));
            return due.map_or(Ok(()), |due| fires(evidence, entry, due, said.policy_time));
        }
        self.entries.insert(&said.id, &said.entry);
        let waited = self.waiting.remove(&*said.entry);
        if waited.is_none() && PATIENT.contains(&&*said.rule) {
            let what = format!("{} speaks of {} without waiting", said.rule, said.trigger);
            return Err(failure(LAW, what));
        }
        if let Some(due) = waited {
            fires(evidence, entry, due, said.policy_time)?;
        } else if said.step > 0 {
            let what = format!("{} step {} did not wait", said.rule, said.step);
            return Err(failure(LAW, what));
        }
        if let Some(next) = said.next {
            self.waiting.insert(&said.entry, next);
        }
        Ok(())
    }

    fn changed(
        &mut self,
        evidence: &Evidence<'_>,
        entry: &Entry,
        waits: &'a Waits,
    ) -> Result<(), Failure> {
        if let Some(failed) = &waits.for_failed {
            self.fallbacks.insert(failed, &waits.entry);
        }
        let waited = self.waiting.remove(&*waits.entry);
        let is_armed = matches!(waits.change, Change::Armed(_));
        if waited.is_some() == is_armed {
            let what = format!("{waits:?} came to what waited until {waited:?}");
            return Err(failure(LAW, what));
        }
        if self.ended.contains(&*waits.entry) {
            return Err(failure(LAW, format!("{waits:?} came to what had ended")));
        }
        if let (Some(due), Change::Moved(_)) = (waited, waits.change) {
            fires(evidence, entry, due, waits.at)?;
        }
        match due(waits.change) {
            Some(due) => {
                self.waiting.insert(&waits.entry, due);
            }
            None => {
                self.ended.insert(&waits.entry);
            }
        }
        Ok(())
    }
}

/// Law 1 for timers: it fires at its time, and every event stored before that has been stepped.
fn fires(evidence: &Evidence<'_>, entry: &Entry, due: Millis, at: Millis) -> Result<(), Failure> {
    let law = "a timer fires when it is due";
    if at != due {
        let what = format!("{} was due at {due} and fired at {at}", entry.id);
        return Err(failure(law, what));
    }
    if evidence.plan.sets_clock_back {
        return Ok(());
    }
    let mut later = evidence
        .events
        .iter()
        .zip(evidence.published)
        .skip(usize::try_from(entry.after).unwrap());
    // What is refused is not stepped.
    let missed = later.find(|(event, published)| {
        let mut dead = evidence.dead.iter();
        let is_stepped = !dead.any(|dead| dead.sequence == published.sequence);
        is_stepped && event.stored_at < due && is_for(event, entry.partition)
    });
    match missed {
        Some((event, _)) => {
            let what = format!(
                "{} fired after event {}, though event {} had been stored before",
                entry.id, entry.after, event.sequence
            );
            Err(failure(law, what))
        }
        None => Ok(()),
    }
}
