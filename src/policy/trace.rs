//! What was asked on the way to a verdict, written down for whoever wants to explain it. Off unless
//! asked for, and then it costs a branch.

use crate::clock::{Millis, format_rfc3339};
use crate::event::Value;
use std::sync::Arc;

/// One thing that was asked before a rule might speak.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The verdict that it gives when it does not let pass.
    pub name: &'static str,
    /// Whether it let pass.
    pub passed: bool,
    /// The numbers that it went by.
    pub detail: Vec<(&'static str, Value)>,
}

/// What was asked about rules so far.
#[derive(Debug, Default)]
pub struct Trace(Option<Box<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    /// The rule that is being asked about.
    about: Option<Arc<str>>,
    checks: Vec<(Arc<str>, Check)>,
}

impl Trace {
    /// One that writes down what it is told, or nothing.
    #[must_use]
    pub fn new(is_on: bool) -> Self {
        Self(is_on.then(Box::default))
    }

    /// Whether it writes down what it is told.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// What follows is about this rule.
    pub fn about(&mut self, rule: &Arc<str>) {
        if let Some(notes) = &mut self.0 {
            notes.about = Some(rule.clone());
        }
    }

    /// Writes down what was asked; `detail` is computed only if somebody wants to know.
    pub fn push(
        &mut self,
        name: &'static str,
        passed: bool,
        detail: impl FnOnce() -> Vec<(&'static str, Value)>,
    ) {
        if let Some(notes) = &mut self.0
            && let Some(rule) = notes.about.clone()
        {
            let detail = detail();
            notes.checks.push((
                rule,
                Check {
                    name,
                    passed,
                    detail,
                },
            ));
        }
    }

    /// Takes what was written down about a rule.
    pub fn take(&mut self, rule: &Arc<str>) -> Option<Vec<Check>> {
        let notes = self.0.as_mut()?;
        let all = std::mem::take(&mut notes.checks);
        let (own, others) = all.into_iter().partition(|(about, _)| about == rule);
        notes.checks = others;
        let own: Vec<(Arc<str>, Check)> = own;
        Some(own.into_iter().map(|(_, check)| check).collect())
    }
}

/// A number of a check.
pub(crate) fn count(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A time of a check, as RFC 3339.
pub(crate) fn time(at: Millis) -> Value {
    Value::Text(format_rfc3339(at).into())
}

/// A word of a check.
pub(crate) fn word(text: &str) -> Value {
    Value::Text(text.into())
}
