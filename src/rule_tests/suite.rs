//! The tests of a rules folder, made ready and run.

use super::compare::{self, Row};
use super::document::Span;
use super::explain::{Reason, reasons};
use super::model::{FILE_END, Test, TestFile};
use super::play::{Found, play};
use super::read::rule_of;
use super::script::{Environment, Script, script};
use crate::event::Schema;
use crate::rules::{Diagnostic, RuleSet, Source, Sources};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What all tests of a folder share.
#[derive(Clone, Copy, Debug)]
pub struct Workplace<'a> {
    /// The folder's files.
    pub sources: &'a Sources,
    /// The rules compiled from them.
    pub set: &'a RuleSet,
    /// The configuration.
    pub environment: &'a Environment,
}

/// What came of one test.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TestResult {
    /// The rule.
    pub rule: Arc<str>,
    /// The test's name.
    pub name: String,
    /// The test file, relative to the rules folder.
    pub file: Arc<str>,
    /// The line of the test, from 1.
    pub line: usize,
    /// Why it failed; `None` if it passed.
    pub failure: Option<Failure>,
}

/// Why a test failed.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Failure {
    /// The moment of the test at which it went wrong: 0 is the event itself, and `None` what came
    /// before it.
    pub step: Option<usize>,
    /// The line of the test file that says what was expected there.
    pub line: usize,
    /// The same place in bytes.
    #[serde(skip)]
    pub(super) span: Option<Span>,
    /// What was expected and what was found, line by line.
    pub rows: Vec<Row>,
    /// Why the engine did what it did.
    pub reasons: Vec<Reason>,
    /// What is wrong with the test itself, so that it could not be run to its end.
    pub faults: Vec<Diagnostic>,
}

/// Reads the test files of a folder. What is wrong with them comes as diagnostics.
#[must_use]
pub fn read(sources: &Sources, set: &RuleSet) -> (Vec<TestFile>, Vec<Diagnostic>) {
    let mut files = Vec::new();
    let mut faults = Vec::new();
    for source in &sources.tests {
        if set.rule(&rule_of(&source.path)).is_none() {
            faults.push(orphan(source, sources));
            continue;
        }
        match TestFile::parse(source, set.schema()) {
            Ok(file) => files.push(file),
            Err(found) => faults.extend(found),
        }
    }
    (files, faults)
}

/// Says what is wrong with the test files of a folder, without running them. `set` is what was compiled
/// from it, if anything could be: a fault in a rule does not hide those of the tests.
#[must_use]
pub fn check(sources: &Sources, set: Option<&RuleSet>) -> Vec<Diagnostic> {
    let text = sources.schema.as_ref().map_or("", |source| &*source.text);
    let Ok(schema) = Schema::parse(text) else {
        // Told of schema.toml itself.
        return Vec::new();
    };
    let environment = Environment::default();
    let mut faults = Vec::new();
    for source in &sources.tests {
        let rule = format!("{}.rhai", rule_of(&source.path));
        if !sources.rules.iter().any(|source| *source.path == *rule) {
            faults.push(orphan(source, sources));
            continue;
        }
        let file = match TestFile::parse(source, &schema) {
            Ok(file) => file,
            Err(found) => {
                faults.extend(found);
                continue;
            }
        };
        if let Some(set) = set {
            let workplace = Workplace {
                sources,
                set,
                environment: &environment,
            };
            let prepared = Prepared::new(&file, workplace, |_| true);
            let scripts = prepared.tests.into_iter().map(|ready| ready.script);
            faults.extend(scripts.filter_map(Result::err).flatten());
        }
    }
    faults
}

/// A test file without a rule.
fn orphan(source: &Source, sources: &Sources) -> Diagnostic {
    let rule = rule_of(&source.path);
    let names = sources.rules.iter();
    let names = names.map(|source| source.path.strip_suffix(".rhai").unwrap_or(&source.path));
    let hint = crate::rules::did_you_mean(&rule, names).map_or_else(
        || "put it beside its rule, by the same name, or take it out".to_owned(),
        |meant| format!("is it for `{meant}`? Then call it {meant}{FILE_END}"),
    );
    let message = format!("there is no rule `{rule}.rhai` for these tests");
    Diagnostic::whole(&source.path, &source.text, message)
        .code("test-without-rule")
        .hint(hint)
}

/// A test file, ready to be run on its rules and on variations of them.
pub(super) struct Prepared<'a> {
    pub(super) file: &'a TestFile,
    pub(super) environment: &'a Environment,
    /// Rule sets that tests run on: with other rules beside, or another contact policy.
    pub(super) bases: Vec<RuleSet>,
    pub(super) tests: Vec<Ready<'a>>,
}

/// A test with its script, or with what is wrong with it.
pub(super) struct Ready<'a> {
    pub(super) test: &'a Test,
    /// Which of the bases it runs on.
    pub(super) base: usize,
    pub(super) script: Result<Script, Vec<Diagnostic>>,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(
        file: &'a TestFile,
        workplace: Workplace<'a>,
        keep: impl Fn(&Test) -> bool,
    ) -> Self {
        let mut prepared = Self {
            file,
            environment: workplace.environment,
            bases: Vec::new(),
            tests: Vec::new(),
        };
        let mut known: BTreeMap<(Vec<&str>, Option<&str>), usize> = BTreeMap::new();
        for test in file.tests.iter().filter(|test| keep(test)) {
            let with: Vec<&str> = test.with.iter().map(|(name, _)| &**name).collect();
            let policy = test.policy.as_ref().map(|(text, _)| &**text);
            let base = match known.get(&(with.clone(), policy)) {
                Some(base) => Ok(*base),
                None => base(file, test, workplace).map(|set| {
                    prepared.bases.push(set);
                    known.insert((with, policy), prepared.bases.len() - 1);
                    prepared.bases.len() - 1
                }),
            };
            let script = base
                .clone()
                .and_then(|base| script(file, test, &prepared.bases[base], workplace.environment));
            prepared.tests.push(Ready {
                test,
                base: base.unwrap_or(0),
                script,
            });
        }
        prepared
    }

    /// Whether each test passes on these sets, which stand for the bases; ends at the first that
    /// does not.
    pub(super) fn all_pass(&self, bases: &[RuleSet]) -> bool {
        self.tests.iter().all(|ready| {
            let Ok(script) = &ready.script else {
                return false;
            };
            let mut passed = true;
            let set = bases[ready.base].clone();
            play(
                script,
                set,
                &self.file.rule,
                self.environment,
                |step, found| {
                    let rows = compare::judged(ready.test, step, &found);
                    passed = is_sound(&found) && rows.iter().all(|row| row.agrees);
                    passed
                },
            );
            passed
        })
    }
}

/// The rules that are active in a test.
fn base(
    file: &TestFile,
    test: &Test,
    workplace: Workplace<'_>,
) -> Result<RuleSet, Vec<Diagnostic>> {
    let active = |name: &str| *name == *file.rule || test.with.iter().any(|(with, _)| with == name);
    let Some((policy, span)) = &test.policy else {
        return Ok(workplace.set.only(active));
    };
    let rules = workplace.sources.rules.iter();
    let sources = Sources {
        rules: rules
            .filter(|source| active(source.path.strip_suffix(".rhai").unwrap_or(&source.path)))
            .cloned()
            .collect(),
        policy: Some(Source {
            path: "policy.toml".into(),
            text: policy.as_str().into(),
        }),
        tests: Vec::new(),
        ..workplace.sources.clone()
    };
    RuleSet::compile(&sources).map_err(|faults| {
        let faults = faults.into_iter();
        faults
            .map(|fault| {
                let message = format!("the test's `policy`: {}", fault.message);
                let hint = "write it as in policy.toml".to_owned();
                file.fault(span, message, fault.hint.unwrap_or(hint))
            })
            .collect()
    })
}

/// Whether the test could be played as it is written.
fn is_sound(found: &Found) -> bool {
    found.refused.is_empty() && !found.no_action
}

/// Runs the tests of a file that are to be kept.
#[must_use]
pub fn run(
    file: &TestFile,
    workplace: Workplace<'_>,
    keep: impl Fn(&Test) -> bool,
) -> Vec<TestResult> {
    let prepared = Prepared::new(file, workplace, keep);
    let tests = prepared.tests.iter();
    tests
        .map(|ready| TestResult {
            rule: file.rule.clone(),
            name: ready.test.name.clone(),
            file: file.source.path.clone(),
            line: ready.test.line,
            failure: failure(&prepared, ready, workplace),
        })
        .collect()
}

fn failure(
    prepared: &Prepared<'_>,
    ready: &Ready<'_>,
    workplace: Workplace<'_>,
) -> Option<Failure> {
    let (file, test) = (prepared.file, ready.test);
    let script = match &ready.script {
        Ok(script) => script,
        Err(faults) => {
            return Some(Failure {
                line: test.line,
                faults: faults.clone(),
                ..Failure::default()
            });
        }
    };
    let mut failure = None;
    let set = prepared.bases[ready.base].clone();
    play(
        script,
        set,
        &file.rule,
        prepared.environment,
        |step, found| {
            let rows = compare::judged(test, step, &found);
            let faults = unsound(file, test, step, &found);
            if faults.is_empty() && rows.iter().all(|row| row.agrees) {
                return true;
            }
            let first = rows.iter().find(|row| !row.agrees);
            let place = first.map_or(&test.span, |row| &row.span);
            failure = Some(Failure {
                step,
                line: file.line(place),
                span: Some(place.clone()),
                rows,
                reasons: Vec::new(),
                faults,
            });
            false
        },
    );
    if let Some(failure) = failure.as_mut().filter(|failure| failure.faults.is_empty()) {
        failure.reasons = reasons(prepared, ready, workplace, failure.step);
    }
    failure
}

fn unsound(file: &TestFile, test: &Test, step: Option<usize>, found: &Found) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for (span, rejection) in &found.refused {
        let message = format!("the engine refuses this event: {rejection}");
        let hint = "a producer would be told the same; mend the event's `data`";
        faults.push(file.fault(span, message, hint.to_owned()));
    }
    if found.no_action {
        let step = step.and_then(|step| test.steps.get(step));
        let outcome = step.and_then(|step| step.outcome.as_ref());
        let span: Option<&Span> = outcome
            .map(|(_, span)| span)
            .or(step.map(|step| &step.span));
        let message = "there was no action before this, so nothing can become of it".to_owned();
        let hint = "`outcome` is for the last action of the test: expect one before it";
        faults.push(file.fault(span.unwrap_or(&test.span), message, hint.to_owned()));
    }
    faults
}
