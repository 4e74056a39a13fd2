//! Rule sets made from a compiled one: with fewer rules, or with the functions of one file altered.
//! What did not change is shared, so that making one costs little.

use super::rule::Rule;
use super::set::{RuleSet, functions, library};
use super::sources::Source;
use super::{api, sandbox};
use rhai::Engine;
use std::sync::Arc;

impl RuleSet {
    /// The same set with only those rules that `keep` is true for.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        let rules = self.rules.iter().filter(|rule| keep(&rule.terms.name));
        self.holding(rules.cloned().collect())
    }

    /// The same set with the functions of one rule file taken from another text. Its `RULE` map
    /// stays, and nothing is checked but that it can be parsed; `None` if it cannot.
    #[must_use]
    pub fn with_functions(&self, file: &str, text: &str) -> Option<Self> {
        let replaced = altered(&self.engine, &self.rules, file, text)?;
        Some(self.holding(replaced))
    }

    /// Whether a rule file's text can be parsed; nothing else is looked at.
    #[must_use]
    pub fn parses(&self, text: &str) -> bool {
        self.engine.compile(text).is_ok()
    }

    /// The same set with the library of another.
    #[must_use]
    pub fn with_library_of(&self, other: &Self) -> Self {
        Self {
            engine: other.engine.clone(),
            ..self.clone()
        }
    }

    /// The same set with other library files. `None` if one cannot be parsed.
    #[must_use]
    pub fn with_library(&self, sources: &[Source]) -> Option<Self> {
        let mut engine = sandbox::engine();
        api::register_properties(&mut engine, &self.schema);
        let mut faults = Vec::new();
        library(&mut engine, sources, &mut faults);
        faults.is_empty().then(|| Self {
            engine: Arc::new(engine),
            ..self.clone()
        })
    }
}

/// Rules with the functions of one file taken from another text.
pub(super) fn altered(
    engine: &Engine,
    rules: &[Arc<Rule>],
    file: &str,
    text: &str,
) -> Option<Vec<Arc<Rule>>> {
    let ast = engine.compile(text).ok()?;
    let replace = |rule: &Arc<Rule>| {
        if *rule.file != *file {
            return rule.clone();
        }
        Arc::new(Rule {
            functions: functions(&ast, &rule.file),
            ..Rule::clone(rule)
        })
    };
    Some(rules.iter().map(replace).collect())
}
