//! Running the mutants of rules on all cores.

use crate::rule_tests::{Fate, Mutation, score};
use crate::rules::Mutant;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What became of the mutants.
#[derive(Debug, serde::Serialize)]
pub(super) struct Mutants {
    pub(super) killed: usize,
    /// They could not be parsed, so they do not count.
    pub(super) invalid: usize,
    /// Percent of those that count.
    pub(super) score: u32,
    pub(super) min_score: Option<u32>,
    /// Those that no test noticed, in order of files and places.
    pub(super) survivors: Vec<Mutant>,
}

impl Mutants {
    /// Runs all of them. The result does not depend on how many threads there are.
    pub(super) fn run(mutation: &Mutation<'_>, min_score: Option<u32>) -> Self {
        let mutants = mutation.mutants();
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let next = AtomicUsize::new(0);
        let work = || {
            let mut fates = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(mutant) = mutants.get(at) else {
                    return fates;
                };
                fates.push((at, mutation.fate(mutant)));
            }
        };
        let mut fates: Vec<(usize, Fate)> = thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let done = running
                .into_iter()
                .map(|thread| thread.join().unwrap_or_default());
            done.flatten().collect()
        });
        fates.sort_by_key(|(at, _)| *at);
        let survived =
            |(at, fate): &(usize, Fate)| (*fate == Fate::Survived).then(|| mutants[*at].clone());
        let survivors = fates.iter().filter_map(survived).collect();
        let fates: Vec<Fate> = fates.into_iter().map(|(_, fate)| fate).collect();
        let count = |wanted: Fate| fates.iter().filter(|fate| **fate == wanted).count();
        Self {
            killed: count(Fate::Killed),
            invalid: count(Fate::Invalid),
            score: score(&fates),
            min_score,
            survivors,
        }
    }

    pub(super) fn is_good(&self) -> bool {
        self.min_score.is_none_or(|least| self.score >= least)
    }
}
