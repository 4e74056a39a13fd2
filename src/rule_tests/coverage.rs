//! Which parts of a rule's conditions the tests decide by: a part that never made the difference is
//! not tested.

use super::model::TestFile;
use super::play::play;
use super::suite::{Prepared, Workplace};
use crate::rules::{Function, Mark};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One part of a condition: what `&&` puts together in `when`, `still` or `converted`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Coverage {
    /// The rule.
    pub rule: Arc<str>,
    /// The file.
    pub file: Arc<str>,
    /// The function.
    pub function: &'static str,
    /// The line, from 1.
    pub line: usize,
    /// The text of the part.
    pub text: String,
    /// Whether some test had it false when all parts before it were true.
    pub denied: bool,
    /// Whether some test had the whole condition true.
    pub held: bool,
}

impl Coverage {
    /// Whether the tests show both: that it can stop the rule, and that it need not.
    #[must_use]
    pub fn decided(&self) -> bool {
        self.denied && self.held
    }
}

/// The coverage of a rule's conditions by its tests.
#[must_use]
pub fn coverage(file: &TestFile, workplace: Workplace<'_>) -> Vec<Coverage> {
    let Some(rule) = workplace.set.rule(&file.rule) else {
        return Vec::new();
    };
    let prepared = Prepared::new(file, workplace, |_| true);
    let mut all = Vec::new();
    let watched = workplace.set.only(|name| *name == *file.rule);
    let (_, probes) = watched.probed(workplace.sources, &rule.file);
    let bases = prepared.bases.iter();
    let bases: Vec<_> = bases
        .map(|base| base.probed(workplace.sources, &rule.file))
        .collect();
    // The rule's sites have the same numbers in each of them.
    let mut seen: BTreeSet<(usize, bool)> = BTreeSet::new();
    for ready in &prepared.tests {
        let Ok(script) = &ready.script else {
            continue;
        };
        let (set, probes) = &bases[ready.base];
        play(
            script,
            set.clone(),
            &file.rule,
            prepared.environment,
            |_, _| true,
        );
        seen.extend(probes.take().into_iter().filter_map(|mark| match mark {
            Mark::Held(site, held) => Some((site, held)),
            _ => None,
        }));
    }
    for function in [Function::When, Function::Still, Function::Converted] {
        let Some(number) = probes.function(&rule.file, function.name()) else {
            continue;
        };
        let conjuncts = &probes.functions[number].conjuncts;
        // What `&&` puts together is asked in order, so the last one was true only with all others.
        let held = conjuncts
            .last()
            .is_some_and(|last| seen.contains(&(*last, true)));
        for site in conjuncts {
            let place = &probes.sites[*site];
            all.push(Coverage {
                rule: rule.terms.name.clone(),
                file: rule.file.clone(),
                function: function.name(),
                line: place.line,
                text: place.one_line(),
                denied: seen.contains(&(*site, false)),
                held,
            });
        }
    }
    all
}
