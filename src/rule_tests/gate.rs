//! Whether a rule set may go live as far as its tests say.

use super::model::TestFile;
use super::read::rule_of;
use super::suite::{Workplace, run};
use crate::rules::{Diagnostic, Source, Sources};
use std::collections::{BTreeMap, BTreeSet};

/// Runs the tests that a change concerns: those of rules whose files changed since `before`, or all
/// if shared files did, or if nothing passed before. What fails comes as diagnostics.
///
/// Tests without a rule are left alone here: a rule that is taken out must go at once, whether or
/// not somebody thought of its tests.
#[must_use]
pub fn gate(workplace: Workplace<'_>, before: Option<&Sources>) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for source in concerned(before, workplace.sources) {
        if workplace.set.rule(&rule_of(&source.path)).is_none() {
            continue;
        }
        match TestFile::parse(source, workplace.set.schema()) {
            Err(found) => faults.extend(found),
            Ok(file) => {
                let results = run(&file, workplace, |_| true);
                let failed = results.iter();
                faults.extend(failed.flat_map(|result| result.diagnostics(workplace.sources)));
            }
        }
    }
    faults
}

/// The test files that a change concerns.
fn concerned<'a>(before: Option<&Sources>, now: &'a Sources) -> Vec<&'a Source> {
    let Some(before) = before else {
        return now.tests.iter().collect();
    };
    let shared = before.library == now.library
        && before.schema == now.schema
        && before.policy == now.policy
        && before.lists == now.lists;
    if !shared {
        return now.tests.iter().collect();
    }
    let rules = changed(&before.rules, &now.rules);
    let tests = changed(&before.tests, &now.tests);
    let names: Vec<&str> = rules
        .iter()
        .filter_map(|path| path.strip_suffix(".rhai"))
        .collect();
    let is_concerned = |source: &&Source| {
        let rule = rule_of(&source.path);
        tests.contains(&*source.path)
            || names.contains(&&*rule)
            // Another rule takes part by its name, in `with`.
            || names.iter().any(|name| source.text.contains(name))
    };
    now.tests.iter().filter(is_concerned).collect()
}

/// The paths of files that are new, gone, or have another text.
fn changed<'a>(before: &'a [Source], now: &'a [Source]) -> BTreeSet<&'a str> {
    let texts = |sources: &'a [Source]| -> BTreeMap<&'a str, &'a str> {
        sources
            .iter()
            .map(|source| (&*source.path, &*source.text))
            .collect()
    };
    let (before, now) = (texts(before), texts(now));
    let paths = before.keys().chain(now.keys());
    paths
        .filter(|path| before.get(*path) != now.get(*path))
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.into(),
            text: text.into(),
        }
    }

    #[test]
    fn only_what_a_change_concerns_is_run_again() {
        let before = Sources {
            rules: vec![source("a.rhai", "1"), source("b/c.rhai", "1")],
            library: vec![source("lib/l.rhai", "1")],
            tests: vec![
                source("a.test.toml", "with = \"b/c\""),
                source("b/c.test.toml", ""),
            ],
            ..Sources::default()
        };
        let paths = |now: &Sources, before: Option<&Sources>| -> Vec<String> {
            let found = concerned(before, now).into_iter();
            found.map(|source| source.path.to_string()).collect()
        };
        assert_eq!(paths(&before, None).len(), 2);
        assert!(paths(&before, Some(&before)).is_empty());
        let mut now = before.clone();
        now.rules[0].text = "2".into();
        assert_eq!(paths(&now, Some(&before)), ["a.test.toml"]);
        now = before.clone();
        now.rules[1].text = "2".into();
        assert_eq!(paths(&now, Some(&before)), ["a.test.toml", "b/c.test.toml"]);
        now = before.clone();
        now.tests[1].text = "2".into();
        assert_eq!(paths(&now, Some(&before)), ["b/c.test.toml"]);
        now = before.clone();
        now.library[0].text = "2".into();
        assert_eq!(paths(&now, Some(&before)).len(), 2);
    }
}
