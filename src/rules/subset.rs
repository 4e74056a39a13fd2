//! Rule sets made from a compiled one: with fewer rules, or with the functions of one file altered.
//! What did not change is shared, so that making one costs little.

use super::library::{library, library_functions};
use super::native::Compiler;
use super::rule::Rule;
use super::set::{RuleSet, functions, indexes};
use super::sources::{Source, Sources};
use super::{api, parse, sandbox};
use rhai::Engine;
use std::collections::HashMap;
use std::sync::Arc;

impl RuleSet {
    /// The same set with only those rules that `keep` is true for.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        let rules = self.rules.iter().filter(|rule| keep(&rule.terms.name));
        Self {
            native: self.native.clone(),
            ..self.holding(rules.cloned().collect())
        }
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

    /// Rules of other files with the schema of this set, and with native conditions. Nothing is checked, and
    /// files that cannot be parsed are left out: for tests that hold native conditions against Rhai where the
    /// checks would stop a rule. They have the terms of this set's rules in turn, under their files' names.
    #[must_use]
    pub fn unchecked(&self, sources: &Sources) -> Option<Self> {
        let mut engine = sandbox::engine();
        parse::keep_as_written(&mut engine);
        api::register_properties(&mut engine, &self.schema);
        let views = library(&mut engine, &sources.library, &mut Vec::new());
        let libraries = library_functions(&views);
        let mut native = Compiler::new(&libraries, &self.schema);
        let mut rules = Vec::with_capacity(sources.rules.len());
        for source in &sources.rules {
            let Ok(parsed) = parse::parse(&engine, source) else {
                continue;
            };
            let terms = self.rules.get(rules.len() % self.rules.len().max(1))?;
            let mut rule = Rule {
                file: source.path.clone(),
                number: native.rule(&parsed.view.functions),
                functions: functions(&parsed.tree, &source.path),
                ..Rule::clone(terms)
            };
            rule.terms.name = source.path.trim_end_matches(".rhai").into();
            rules.push(Arc::new(rule));
        }
        let native = native.finish();
        let mut set = self.holding(rules);
        set.engine = Arc::new(engine);
        set.indexes = indexes(&set.by_type, &native);
        set.native = Some(native.into());
        Some(set)
    }

    /// The same set with the library of another.
    #[must_use]
    pub fn with_library_of(&self, other: &Self) -> Self {
        Self {
            native: None,
            indexes: HashMap::new(),
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
            native: None,
            indexes: HashMap::new(),
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
