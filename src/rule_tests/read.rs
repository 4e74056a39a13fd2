//! A test file's text to [`TestFile`], with every fault at once.

use super::document::{Content, Faults, Span, Table, parse};
use super::expect::expectation;
use super::model::{FILE_END, Happening, Step, Test, TestFile, line_of};
use super::times::{LENGTH, length};
use crate::clock::{Millis, parse_rfc3339};
use crate::event::{OutcomeKind, Schema};
use crate::rules::{Diagnostic, Source, did_you_mean};
use rust_decimal::Decimal;
use std::sync::Arc;

/// When events happen if no test says otherwise: a Wednesday, noon in Shanghai.
const NOW_DEFAULT: &str = "2026-11-18T12:00:00+08:00";

const FILE_KEYS: [&str; 7] = [
    "now", "customer", "events", "with", "policy", "rates", "test",
];
const TEST_KEYS: [&str; 12] = [
    "name", "now", "customer", "variant", "holdout", "with", "policy", "rates", "history", "event",
    "expect", "then",
];
const THEN_KEYS: [&str; 5] = ["after", "event", "outcome", "expect", "converted"];

impl TestFile {
    /// Reads a test file.
    ///
    /// # Errors
    /// Every fault of the file.
    pub fn parse(source: &Source, schema: &Schema) -> Result<Self, Vec<Diagnostic>> {
        let mut faults = Faults::new(source);
        let table = parse(&source.text, &mut faults);
        let tests = if faults.is_empty() {
            Reader {
                faults: &mut faults,
                schema,
                text: &source.text,
                file: &table,
            }
            .tests()
        } else {
            Vec::new()
        };
        if !faults.is_empty() {
            return Err(faults.into_diagnostics());
        }
        Ok(Self {
            source: source.clone(),
            rule: rule_of(&source.path),
            tests,
        })
    }
}

/// The rule that a test file stands beside.
#[must_use]
pub fn rule_of(path: &str) -> Arc<str> {
    path.strip_suffix(FILE_END).unwrap_or(path).into()
}

pub(super) struct Reader<'a, 'f> {
    pub(super) faults: &'a mut Faults<'f>,
    pub(super) schema: &'a Schema,
    text: &'a str,
    pub(super) file: &'a Table,
}

impl Reader<'_, '_> {
    fn tests(&mut self) -> Vec<Test> {
        self.faults
            .unknown_keys(self.file, "a test file", &FILE_KEYS);
        let default = parse_rfc3339(NOW_DEFAULT).unwrap_or_default();
        let now = self.now(self.file).unwrap_or(default);
        self.named_events();
        let mut tests: Vec<Test> = Vec::new();
        for item in self.faults.list(self.file, "test") {
            let Content::Table(table) = &item.content else {
                self.faults.add(
                    &item.span,
                    format!("a test must be a table, not {}", item.kind()),
                    "begin each test with `[[test]]`",
                );
                continue;
            };
            let test = self.test(table, &item.span, now);
            if tests.iter().any(|known| known.name == test.name) && !test.name.is_empty() {
                self.faults.add(
                    &test.span,
                    format!("two tests are called \"{}\"", test.name),
                    "give each a name of its own, which says what it shows",
                );
            }
            tests.push(test);
        }
        if tests.is_empty() && self.faults.is_empty() {
            self.faults.add(
                &(0..0),
                "there is no test in this file",
                "add `[[test]]` with a name, an event, and what is expected",
            );
        }
        tests
    }

    /// Named events are checked even if nobody uses them.
    fn named_events(&mut self) {
        let Some(events) = self.faults.table(self.file, "events") else {
            return;
        };
        for member in &events.members {
            match &member.item.content {
                Content::Table(table) => {
                    self.faults.unknown_keys(
                        table,
                        "a named event",
                        &["type", "data", "id", "source"],
                    );
                    if let Some((kind, span)) = self.faults.text(table, "type") {
                        self.check_data(kind, &span, table);
                    } else if table.get("type").is_none() {
                        self.faults.add(
                            &member.key_span,
                            format!("the event `{}` has no `type`", member.key),
                            "add `type = \"merchant.checkout\"`",
                        );
                    }
                }
                _ => self.faults.add(
                    &member.item.span,
                    format!("the event `{}` must be a table", member.key),
                    format!(
                        "write `[events.{}]` and below it its `type` and `data`",
                        member.key
                    ),
                ),
            }
        }
    }

    fn test(&mut self, table: &Table, span: &Span, now: Millis) -> Test {
        let sound_before = self.faults.len();
        self.faults.unknown_keys(table, "a test", &TEST_KEYS);
        let name = match self.faults.text(table, "name") {
            Some((name, _)) if !name.trim().is_empty() => name.trim().to_owned(),
            _ => {
                let hint = "add `name = \"…\"`, a sentence that says what the test shows";
                self.faults.add(span, "the test has no name", hint);
                String::new()
            }
        };
        let now = self.now(table).unwrap_or(now);
        let mut with = self.faults.texts(self.file, "with");
        with.extend(self.faults.texts(table, "with"));
        let policy = self.faults.text(table, "policy");
        let policy = policy.or_else(|| self.faults.text(self.file, "policy"));
        let steps = self.steps(table, span, now);
        let expects = |step: &Step| step.expect.is_some() || step.converted.is_some();
        // A slip in what is expected is told as what it is.
        if !steps.iter().any(expects) && self.faults.len() == sound_before {
            self.faults.add(
                span,
                "the test expects nothing in particular",
                "add `expect = { verdict = \"sent\" }`, or a reason for silence such as `expect = \"condition\"`",
            );
        }
        Test {
            name,
            line: line_of(self.text, span),
            span: span.clone(),
            now,
            customer: self.customer(table, now),
            variant: owned(self.faults.text(table, "variant")),
            holdout: self.faults.boolean(table, "holdout"),
            with,
            policy: owned(policy),
            rates: self.rates(table),
            history: self.history(table, now),
            steps,
        }
    }

    fn now(&mut self, table: &Table) -> Option<Millis> {
        let (text, span) = self.faults.text(table, "now")?;
        let now = parse_rfc3339(text);
        if now.is_none() {
            self.faults.add(
                &span,
                format!("`now` is \"{text}\", which is not a time"),
                format!("write it with its offset, such as \"{NOW_DEFAULT}\""),
            );
        }
        now
    }

    fn rates(&mut self, table: &Table) -> Vec<(String, Decimal)> {
        let mut rates = self.faults.table(self.file, "rates").cloned();
        if let Some(over) = self.faults.table(table, "rates") {
            rates.get_or_insert_default().merge(over);
        }
        let mut found = Vec::new();
        for member in rates.unwrap_or_default().members {
            let rate = match &member.item.content {
                Content::Number(rate) => Some(*rate),
                Content::Text(text) => text.parse().ok(),
                _ => None,
            };
            match rate.filter(|rate| *rate > Decimal::ZERO) {
                Some(rate) => found.push((member.key, rate)),
                None => self.faults.add(
                    &member.item.span,
                    format!("the rate of {} must be a number above zero", member.key),
                    "write the units of the base currency that one unit is worth: \"7.10\"",
                ),
            }
        }
        found
    }

    fn history(&mut self, table: &Table, now: Millis) -> Vec<Happening> {
        let mut history = Vec::new();
        for item in self.faults.list(table, "history") {
            let timed = match &item.content {
                Content::Table(event) => event.get("ago").or(event.get("at")).is_some(),
                _ => false,
            };
            if !timed {
                let hint = "add when, before the test's `now`: `{ ago = \"3d\", use = \"…\" }`";
                self.faults
                    .add(&item.span, "this event of the history has no time", hint);
            }
            history.extend(self.happening(item, now));
        }
        // As a stream would have them; events of the same time stay in the order of the file.
        history.sort_by_key(|event: &Happening| event.time);
        history
    }

    fn steps(&mut self, table: &Table, span: &Span, now: Millis) -> Vec<Step> {
        let first = Step {
            after: 0,
            event: table
                .get("event")
                .and_then(|item| self.happening(item, now)),
            outcome: None,
            converted: None,
            expect: table
                .get("expect")
                .and_then(|item| expectation(self.faults, item)),
            span: span.clone(),
        };
        let mut steps = vec![first];
        let mut before = 0;
        for item in self.faults.list(table, "then") {
            let Content::Table(then) = &item.content else {
                self.faults.add(
                    &item.span,
                    "a follow-up must be a table",
                    "begin each with `[[test.then]]`",
                );
                continue;
            };
            self.faults.unknown_keys(then, "a follow-up", &THEN_KEYS);
            let after = self.after(then, &item.span).unwrap_or(before);
            if after < before {
                let hint = "follow-ups stand in their order; `after` counts from the test's `now`";
                self.faults
                    .add(&item.span, "this follow-up is before the one above", hint);
            }
            before = after;
            let event = then.get("event");
            steps.push(Step {
                after,
                event: event.and_then(|event| self.happening(event, now.saturating_add(after))),
                outcome: self.outcome(then),
                converted: self.faults.boolean(then, "converted"),
                expect: then
                    .get("expect")
                    .and_then(|item| expectation(self.faults, item)),
                span: item.span.clone(),
            });
        }
        steps
    }

    fn after(&mut self, then: &Table, span: &Span) -> Option<Millis> {
        let Some((text, at)) = self.faults.text(then, "after") else {
            if then.get("after").is_none() {
                let hint = "add `after = \"10m\"`, counted from the test's `now`";
                self.faults
                    .add(span, "this follow-up does not say when it is", hint);
            }
            return None;
        };
        let after = length(text);
        if after.is_none() {
            let message = format!("`after` is \"{text}\", which is not a length");
            self.faults.add(&at, message, format!("write {LENGTH}"));
        }
        after
    }

    fn outcome(&mut self, then: &Table) -> Option<(String, Span)> {
        let (word, span) = self.faults.text(then, "outcome")?;
        if OutcomeKind::from_word(word).is_none() {
            let known = OutcomeKind::WORDS;
            let hint = did_you_mean(word, known.iter().copied()).map_or_else(
                || format!("an outcome is one of {}", known.join(", ")),
                |meant| format!("did you mean \"{meant}\"?"),
            );
            self.faults
                .add(&span, format!("there is no outcome \"{word}\""), hint);
        }
        Some((word.to_owned(), span))
    }
}

fn owned(text: Option<(&str, Span)>) -> Option<(String, Span)> {
    text.map(|(text, span)| (text.to_owned(), span))
}
