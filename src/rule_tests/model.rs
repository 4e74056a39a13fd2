//! What a test file says, checked.

use super::document::{Span, Table};
use crate::action::Verdict;
use crate::clock::Millis;
use crate::rules::{Diagnostic, Source};
use rust_decimal::Decimal;
use std::sync::Arc;

/// The end of a test file's name.
pub(super) const FILE_END: &str = ".test.toml";

/// The tests of one rule.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// The file.
    pub source: Source,
    /// The rule that it tests, which is the one beside it.
    pub rule: Arc<str>,
    /// Its tests, in order.
    pub tests: Vec<Test>,
}

/// One test.
#[derive(Clone, Debug)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// The line in which it begins, from 1.
    pub line: usize,
    pub(super) span: Span,
    /// When the event happens.
    pub(super) now: Millis,
    pub(super) customer: Persona,
    pub(super) variant: Option<(String, Span)>,
    pub(super) holdout: Option<(bool, Span)>,
    /// Other rules that are active.
    pub(super) with: Vec<(String, Span)>,
    /// The contact policy in place of the folder's.
    pub(super) policy: Option<(String, Span)>,
    /// Exchange rates beside the configured ones.
    pub(super) rates: Vec<(String, Decimal)>,
    pub(super) history: Vec<Happening>,
    /// The event itself, and what follows, in order.
    pub(super) steps: Vec<Step>,
}

/// The customer of a test.
#[derive(Clone, Debug, Default)]
pub(super) struct Persona {
    /// The data of the profile event.
    pub(super) profile: serde_json::Value,
    /// When the customer was first seen.
    pub(super) first_seen: Option<Millis>,
    pub(super) span: Span,
}

/// An event of a test.
#[derive(Clone, Debug)]
pub(super) struct Happening {
    pub(super) time: Millis,
    pub(super) kind: String,
    pub(super) data: serde_json::Value,
    pub(super) id: Option<String>,
    pub(super) source: Option<String>,
    pub(super) span: Span,
}

/// A moment of a test at which something is expected.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// When, after `now`.
    pub(super) after: Millis,
    pub(super) event: Option<Happening>,
    /// What became of the last action: the word behind `offer.`.
    pub(super) outcome: Option<(String, Span)>,
    pub(super) expect: Option<Expectation>,
    /// Whether what happens is what an earlier action was for.
    pub(super) converted: Option<(bool, Span)>,
    pub(super) span: Span,
}

/// What is expected of one moment.
#[derive(Clone, Debug)]
pub(super) struct Expectation {
    pub(super) what: Expected,
    pub(super) span: Span,
}

/// What a rule is expected to do.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    /// It says nothing, for whatever reason.
    Nothing,
    /// It says nothing, for this reason.
    Silence(Verdict),
    /// It speaks, so often and in this order.
    Said(Vec<Said>),
}

/// One action, as far as it is laid down.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) verdict: Verdict,
    pub(super) channel: Option<(String, Span)>,
    pub(super) kind: Option<(String, Span)>,
    pub(super) variant: Option<(String, Span)>,
    pub(super) step: Option<(u32, Span)>,
    pub(super) body: Option<Table>,
    pub(super) span: Span,
}

impl TestFile {
    /// The line of a place, from 1.
    pub(super) fn line(&self, span: &Span) -> usize {
        line_of(&self.source.text, span)
    }

    /// A fault of the file.
    pub(super) fn fault(&self, span: &Span, message: String, hint: String) -> Diagnostic {
        Diagnostic::whole(&self.source.path, &self.source.text, message)
            .over(span.clone())
            .code("rule-test")
            .hint(hint)
    }
}

/// The line of a place, from 1.
pub(super) fn line_of(text: &str, span: &Span) -> usize {
    let before = text.get(..span.start).unwrap_or(text);
    before.matches('\n').count() + 1
}
