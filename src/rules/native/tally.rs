//! Verdicts of rules that had nothing to say, counted without touching each of them at each event.
//!
//! Nearly every rule gets `condition` at nearly every event. So it is counted how many events there were of a type,
//! and of each rule how often it got something else.

use super::Index;
use crate::action::Verdict;
use std::collections::HashMap;
use std::sync::Arc;

/// So many single notes are put together.
const NOTES_MAX: usize = 4_096;

/// What rules got instead of `condition`; `None` where that is counted elsewhere.
type Other = Option<Verdict>;

/// Verdicts of all rules that listen, by type of event.
#[derive(Debug, Default)]
pub struct Tally {
    kinds: Vec<Kind>,
}

#[derive(Debug)]
struct Kind {
    index: Arc<Index>,
    events: u64,
    notes: Vec<(u32, Other)>,
    /// By the number of the rule.
    sums: Vec<(Other, Vec<u64>)>,
}

impl Tally {
    /// Counts an event, at which the rules noted in what is returned got something else than `condition`.
    pub(crate) fn event(&mut self, index: &Arc<Index>) -> Notes<'_> {
        let kind = self.kind(index);
        kind.events += 1;
        Notes(kind)
    }

    fn kind(&mut self, index: &Arc<Index>) -> &mut Kind {
        let known = self.kinds.iter();
        let at = known
            .into_iter()
            .position(|kind| Arc::ptr_eq(&kind.index, index));
        let at = at.unwrap_or_else(|| {
            self.kinds.push(Kind {
                index: index.clone(),
                events: 0,
                notes: Vec::new(),
                sums: Vec::new(),
            });
            self.kinds.len() - 1
        });
        &mut self.kinds[at]
    }

    /// Of how many types of event.
    #[must_use]
    pub fn kinds(&self) -> usize {
        self.kinds.len()
    }

    /// How often rules got a verdict other than `condition`.
    #[must_use]
    pub fn times(&self, verdict: Verdict) -> u64 {
        let kinds = self.kinds.iter();
        kinds.map(|kind| kind.times(Some(verdict))).sum()
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.kinds.clear();
    }

    /// Adds what was counted later.
    pub(crate) fn append(&mut self, later: Self) {
        for mut more in later.kinds {
            let kind = self.kind(&more.index);
            kind.events += more.events;
            kind.notes.append(&mut more.notes);
            for (other, sums) in more.sums {
                let own = kind.sums(other);
                own.iter_mut()
                    .zip(sums)
                    .for_each(|(own, more)| *own += more);
            }
            kind.shorten();
        }
    }

    /// How often each rule got each verdict, by type of event: the rules' index, the rule's number in it, and so on.
    pub fn totals(&self) -> impl Iterator<Item = (&Arc<Index>, u32, Verdict, u64)> {
        let kinds = self.kinds.iter();
        kinds.flat_map(|kind| {
            let totals = kind.totals();
            totals.map(|(rule, verdict, times)| (&kind.index, rule, verdict, times))
        })
    }

    /// Adds it all to counts by rule and verdict.
    pub(crate) fn settle(&mut self, verdicts: &mut HashMap<(Arc<str>, Verdict), u64>) {
        for (index, rule, verdict, times) in self.totals() {
            let name = index.name(rule).clone();
            *verdicts.entry((name, verdict)).or_default() += times;
        }
        self.clear();
    }
}

/// Takes notes of one event.
pub(crate) struct Notes<'q>(&'q mut Kind);

impl Notes<'_> {
    /// Notes what a rule got.
    pub(crate) fn got(&mut self, rule: u32, other: Other) {
        self.0.notes.push((rule, other));
        self.0.shorten();
    }
}

impl Kind {
    fn sums(&mut self, other: Other) -> &mut Vec<u64> {
        sum(&mut self.sums, other, self.index.rules().len())
    }

    fn shorten(&mut self) {
        if self.notes.len() < NOTES_MAX {
            return;
        }
        for (rule, other) in std::mem::take(&mut self.notes) {
            self.sums(other)[rule as usize] += 1;
        }
    }

    fn times(&self, other: Other) -> u64 {
        let notes = self.notes.iter().filter(|(_, noted)| *noted == other);
        let noted: u64 = notes.map(|_| 1).sum();
        let sums = self.sums.iter().filter(|(summed, _)| *summed == other);
        noted + sums.flat_map(|(_, sums)| sums).sum::<u64>()
    }

    /// The sums, notes included.
    fn all_sums(&self) -> Vec<(Other, Vec<u64>)> {
        let mut sums = self.sums.clone();
        for (rule, other) in &self.notes {
            sum(&mut sums, *other, self.index.rules().len())[*rule as usize] += 1;
        }
        sums
    }

    fn totals(&self) -> impl Iterator<Item = (u32, Verdict, u64)> + use<> {
        let mut sums = self.all_sums();
        let mut conditions = vec![self.events; self.index.rules().len()];
        for (_, others) in &sums {
            let pairs = conditions.iter_mut().zip(others);
            pairs.for_each(|(condition, others)| *condition -= others);
        }
        sums.push((Some(Verdict::Condition), conditions));
        let counted = sums
            .into_iter()
            .filter_map(|(verdict, sums)| Some((verdict?, sums)));
        counted.flat_map(|(verdict, sums)| {
            let rules = (0..).zip(sums).filter(|(_, times)| *times > 0);
            rules.map(move |(rule, times)| (rule, verdict, times))
        })
    }
}

fn sum(sums: &mut Vec<(Other, Vec<u64>)>, other: Other, rules: usize) -> &mut Vec<u64> {
    let known = sums.iter().position(|(known, _)| *known == other);
    let at = known.unwrap_or_else(|| {
        sums.push((other, vec![0; rules]));
        sums.len() - 1
    });
    &mut sums[at].1
}
