//! Do the tests notice when a condition changes? Each mutant of the conditions is put through the
//! tests of the rules that it concerns.

use super::model::TestFile;
use super::suite::{Prepared, Workplace};
use crate::rules::{Mutant, RuleSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What became of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// A test failed: it was noticed.
    Killed,
    /// Every test passed.
    Survived,
    /// It could not be parsed, so it does not count.
    Invalid,
}

/// All mutants of some rules, and their tests, ready to be run in any order.
pub struct Mutation<'a> {
    workplace: Workplace<'a>,
    prepared: BTreeMap<Arc<str>, Prepared<'a>>,
    mutants: Vec<Mutant>,
}

impl<'a> Mutation<'a> {
    /// The mutants of the conditions of those rules that `covers` is true for. Their tests are to
    /// pass as they are.
    #[must_use]
    pub fn new(
        files: &'a [TestFile],
        workplace: Workplace<'a>,
        covers: impl Fn(&str) -> bool,
    ) -> Self {
        let mut mutants = workplace.set.mutants(workplace.sources);
        mutants.retain(|mutant| mutant.rules.iter().any(|rule| covers(rule)));
        let concerned = |file: &&TestFile| {
            mutants
                .iter()
                .any(|mutant| mutant.rules.contains(&file.rule))
        };
        let prepared = files.iter().filter(concerned).map(|file| {
            let prepared = Prepared::new(file, workplace, |_| true);
            (file.rule.clone(), prepared)
        });
        Self {
            prepared: prepared.collect(),
            workplace,
            mutants,
        }
    }

    /// Every mutant, in order of files and places.
    #[must_use]
    pub fn mutants(&self) -> &[Mutant] {
        &self.mutants
    }

    /// Runs the tests of the rules that a mutant concerns until one fails.
    #[must_use]
    pub fn fate(&self, mutant: &Mutant) -> Fate {
        let sources = self.workplace.sources;
        let in_library = sources
            .library
            .iter()
            .any(|source| source.path == mutant.file);
        let library = if in_library {
            let none = self.workplace.set.only(|_| false);
            let Some(set) = none.mutated(mutant, sources) else {
                return Fate::Invalid;
            };
            Some(set)
        } else if !self.workplace.set.parses(&mutant.text) {
            return Fate::Invalid;
        } else {
            None
        };
        let altered = |base: &RuleSet| match &library {
            Some(library) => base.with_library_of(library),
            None => base
                .mutated(mutant, sources)
                .unwrap_or_else(|| base.clone()),
        };
        let mut concerned = mutant
            .rules
            .iter()
            .filter_map(|rule| self.prepared.get(rule));
        let survived = concerned.all(|prepared| {
            let bases: Vec<RuleSet> = prepared.bases.iter().map(altered).collect();
            prepared.all_pass(&bases)
        });
        if survived {
            Fate::Survived
        } else {
            Fate::Killed
        }
    }
}

/// How many of those that count were killed, in percent, rounded down; 100 if none counts.
#[must_use]
pub fn score(fates: &[Fate]) -> u32 {
    let of = |fate: Fate| fates.iter().filter(|other| **other == fate).count();
    let (killed, survived) = (of(Fate::Killed), of(Fate::Survived));
    let percent = (killed * 100).checked_div(killed + survived).unwrap_or(100);
    u32::try_from(percent).unwrap_or(100)
}
