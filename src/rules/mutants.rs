//! Conditions altered by one word: what a rule's tests should notice. In `when`, `still` and
//! `converted`, and in every function that these call, each operator, constant, field and function
//! is replaced, and each part of `&&` and `||` taken out.
//!
//! Left out, since nothing could notice them: a part `x != ()` taken out beside a comparison of `x`,
//! which is false for `()` anyway; another text for a member of an `in [ … ]` list, which is the
//! same as taking it out; another of `spend`, `average` and `largest` where it is compared with 0,
//! which differ only by refunds there; and whatever gives the same text twice.

use super::functions::{Condition, Script};
use super::set::RuleSet;
use super::sources::{Source, Sources};
use super::tokens::Kind;
use crate::event::{Field, FieldKind, Schema};
use crate::state::Window;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::str::FromStr as _;
use std::sync::Arc;

/// The functions of a rule that are conditions.
const CONDITIONS: [&str; 3] = ["when", "still", "converted"];

/// A file with one word altered.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Mutant {
    /// The file.
    pub file: Arc<str>,
    /// The function.
    pub function: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What was there.
    pub before: String,
    /// What is there instead.
    pub after: String,
    /// The rules that call the function.
    pub rules: Vec<Arc<str>>,
    /// The altered text of the file.
    #[serde(skip)]
    pub text: Arc<str>,
}

impl RuleSet {
    /// Every mutant of every condition, in order of files and places.
    #[must_use]
    pub fn mutants(&self, sources: &Sources) -> Vec<Mutant> {
        let mut mutants = Vec::new();
        let mut shared: BTreeMap<String, BTreeSet<Arc<str>>> = BTreeMap::new();
        for source in &sources.rules {
            let Some(rule) = self.rules.iter().find(|rule| rule.file == source.path) else {
                continue;
            };
            let script = Script::new(&source.text);
            let called = script.called(&CONDITIONS);
            for name in called.iter().filter(|name| name.contains("::")) {
                let rules = shared.entry(name.clone()).or_default();
                rules.insert(rule.terms.name.clone());
            }
            let rules = vec![rule.terms.name.clone()];
            let own: Vec<(String, Vec<Arc<str>>)> = called
                .into_iter()
                .map(|name| (name, rules.clone()))
                .collect();
            mutants.extend(Mutator::of(self, source, &script, &rule.terms.on).all(&own));
        }
        for source in &sources.library {
            mutants.extend(self.library_mutants(source, &shared));
        }
        mutants
    }

    fn library_mutants(
        &self,
        source: &Source,
        shared: &BTreeMap<String, BTreeSet<Arc<str>>>,
    ) -> Vec<Mutant> {
        let script = Script::new(&source.text);
        let file = source.path.rsplit('/').next().unwrap_or(&source.path);
        let module = file.strip_suffix(".rhai").unwrap_or(file);
        // Whoever calls a function calls those that it calls.
        let mut callers: BTreeMap<String, BTreeSet<Arc<str>>> = BTreeMap::new();
        for (name, rules) in shared {
            if let Some(name) = name.strip_prefix(&format!("{module}::")) {
                for reached in script.called(&[name]) {
                    callers
                        .entry(reached)
                        .or_default()
                        .extend(rules.iter().cloned());
                }
            }
        }
        let first = callers.values().flatten().next();
        let on = first
            .and_then(|name| self.rule(name))
            .map(|rule| rule.terms.on.clone());
        let functions: Vec<(String, Vec<Arc<str>>)> = callers
            .into_iter()
            .map(|(name, rules)| (name, rules.into_iter().collect()))
            .collect();
        Mutator::of(self, source, &script, &on.unwrap_or_default()).all(&functions)
    }

    /// The rules with a mutant in place of its file; `None` if it cannot be parsed, as when an
    /// operator does not fit.
    #[must_use]
    pub fn mutated(&self, mutant: &Mutant, sources: &Sources) -> Option<Self> {
        if sources
            .rules
            .iter()
            .any(|source| source.path == mutant.file)
        {
            return self.with_functions(&mutant.file, &mutant.text);
        }
        let library = sources.library.iter().map(|source| {
            if source.path == mutant.file {
                Source {
                    path: source.path.clone(),
                    text: mutant.text.clone(),
                }
            } else {
                source.clone()
            }
        });
        self.with_library(&library.collect::<Vec<_>>())
    }
}

struct Mutator<'a> {
    source: &'a Source,
    script: &'a Script<'a>,
    schema: &'a Schema,
    /// The fields that `event` has.
    fields: Vec<Field>,
    /// Altered places: what they are replaced by.
    found: BTreeSet<(usize, usize, String)>,
}

impl<'a> Mutator<'a> {
    fn of(set: &'a RuleSet, source: &'a Source, script: &'a Script<'a>, on: &[Arc<str>]) -> Self {
        let declared = on.first().and_then(|kind| set.schema.event_type(kind));
        Self {
            source,
            script,
            schema: &set.schema,
            fields: declared.map_or_else(Vec::new, |declared| declared.fields.clone()),
            found: BTreeSet::new(),
        }
    }

    /// The mutants of these functions of the file.
    fn all(mut self, functions: &[(String, Vec<Arc<str>>)]) -> Vec<Mutant> {
        let mut mutants = Vec::new();
        let mut texts = BTreeSet::new();
        for (name, rules) in functions {
            let Some(definition) = self.script.function(name) else {
                continue;
            };
            let body = definition.body.clone();
            self.found.clear();
            for at in body.clone() {
                self.word(at);
            }
            self.parts(&body, CONDITIONS.contains(&&**name));
            for (start, end, after) in std::mem::take(&mut self.found) {
                let text = &self.source.text;
                let altered = format!("{}{after}{}", &text[..start], &text[end..]);
                if texts.insert(altered.clone()) {
                    mutants.push(self.mutant(name, rules, start..end, after, altered));
                }
            }
        }
        mutants.sort_by_key(|mutant| (mutant.line, mutant.column));
        mutants
    }

    fn mutant(
        &self,
        function: &str,
        rules: &[Arc<str>],
        place: Range<usize>,
        after: String,
        text: String,
    ) -> Mutant {
        let before = &self.source.text[..place.start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Mutant {
            file: self.source.path.clone(),
            function: function.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            before: one_line(&self.source.text[place]),
            after: one_line(&after),
            rules: rules.to_vec(),
            text: text.into(),
        }
    }

    fn put(&mut self, tokens: &Range<usize>, after: impl Into<String>) {
        let place = self.script.span(tokens);
        self.found.insert((place.start, place.end, after.into()));
    }

    /// The mutants of one word.
    fn word(&mut self, at: usize) {
        let word = self.script.word(at);
        let one = at..at + 1;
        match self.script.tokens[at].kind {
            Kind::Sign => self.sign(at, word),
            Kind::Number if !self.is_listed(at) => {
                for altered in numbers(word) {
                    self.put(&one, altered);
                }
            }
            Kind::Text if !self.is_listed(at) => {
                for altered in self.texts(&word[1..word.len() - 1]) {
                    self.put(&one, format!("\"{altered}\""));
                }
            }
            Kind::Word => match word {
                "true" => self.put(&one, "false"),
                "false" => self.put(&one, "true"),
                "in" if self.script.word(at.wrapping_sub(1)) == "!" => {
                    self.put(&(at - 1..at + 1), "in");
                    self.members(at);
                }
                "in" => {
                    self.put(&one, "!in");
                    self.members(at);
                }
                _ => self.name(at, word),
            },
            _ => {}
        }
    }

    fn sign(&mut self, at: usize, sign: &str) {
        let follows_value = at.checked_sub(1).is_some_and(|before| {
            let word = self.script.word(before);
            match self.script.tokens[before].kind {
                Kind::Sign => matches!(word, ")" | "]" | "}"),
                Kind::Word => !matches!(word, "return" | "in" | "if" | "else"),
                _ => true,
            }
        });
        let others: &[&str] = match sign {
            "<" => &["<=", ">="],
            "<=" => &["<", ">"],
            ">" => &[">=", "<="],
            ">=" => &[">", "<"],
            "==" => &["!="],
            "!=" => &["=="],
            "&&" => &["||"],
            "||" => &["&&"],
            "!" if self.script.word(at + 1) != "in" => &[""],
            "+" if follows_value => &["-"],
            "-" if follows_value => &["+"],
            "*" => &["/"],
            "/" => &["*"],
            _ => &[],
        };
        for other in others {
            self.put(&(at..at + 1), *other);
        }
    }

    /// Whether a token is a member of a list behind `in`.
    fn is_listed(&self, at: usize) -> bool {
        let mut open = at;
        let simple = |word: &str| word == "," || word == "-";
        while open > 0 {
            open -= 1;
            let word = self.script.word(open);
            if word == "[" {
                return open > 0 && self.script.word(open - 1) == "in";
            }
            if self.script.tokens[open].kind == Kind::Sign && !simple(word) {
                return false;
            }
        }
        false
    }

    /// Takes each member out of the list behind `in`.
    fn members(&mut self, at: usize) {
        let open = at + 1;
        if self.script.word(open) != "[" {
            return;
        }
        let close = self.script.closing(open);
        let mut from = open + 1;
        let mut depth = 0;
        for token in open + 1..=close {
            let word = self.script.word(token);
            let ends = depth == 0 && (word == "," || token == close);
            if ends && token > from {
                let whole = match (word, self.script.word(from - 1)) {
                    (",", _) => from..token + 1,
                    (_, ",") => from - 1..token,
                    _ => from..token,
                };
                self.put(&whole, "");
                from = token + 1;
            }
            depth += match word {
                "(" | "[" | "{" | "#{" => 1,
                ")" | "]" | "}" => -1,
                _ => 0,
            };
        }
    }

    fn texts(&self, text: &str) -> Vec<String> {
        if let Some(window) = Window::parse(text) {
            let half = Window::from_millis(window.millis() / 2 / 1_000 * 1_000);
            let double = Window::from_millis(window.millis() * 2);
            let halves = (half.millis() > 0).then(|| half.to_string());
            return halves.into_iter().chain([double.to_string()]).collect();
        }
        if self.schema.event_type(text).is_some() {
            let domain = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
            let names: Vec<&str> = self.schema.event_types().map(|t| &*t.name).collect();
            let alike: Vec<&str> = names
                .iter()
                .copied()
                .filter(|name| domain(name) == domain(text))
                .collect();
            let among = if alike.len() > 1 { &alike } else { &names };
            return next_of(among, text)
                .map(str::to_owned)
                .into_iter()
                .collect();
        }
        match text {
            "merchant" => vec!["category".to_owned()],
            "counterparty" => vec!["channel".to_owned()],
            _ => vec![format!("{text}~")],
        }
    }

    /// A field of the event, an attribute of the customer, or one of the customer's functions.
    fn name(&mut self, at: usize, word: &str) {
        const SIBLINGS: [(&str, &str); 9] = [
            ("spend", "average"),
            ("average", "largest"),
            ("largest", "spend"),
            ("inflow", "outflow"),
            ("outflow", "inflow"),
            ("balance_change", "inflow"),
            ("in_segment", "consents"),
            ("consents", "in_segment"),
            ("accepted", "in_segment"),
        ];
        let is_member = at > 0 && self.script.word(at - 1) == ".";
        if self.script.word(at + 1) == "(" {
            let sibling = SIBLINGS.iter().find(|(name, _)| is_member && *name == word);
            let closing = self.script.closing(at + 1);
            let is_against_zero = self.script.word(closing + 2) == "0"
                && matches!(self.script.word(closing + 1), "==" | "!=" | ">" | "<=");
            if is_against_zero && matches!(word, "spend" | "average" | "largest") {
                return;
            }
            let other = match word {
                "min" if !is_member => Some("max"),
                "max" if !is_member => Some("min"),
                _ => sibling.map(|(_, other)| *other),
            };
            if let Some(other) = other {
                self.put(&(at..at + 1), other);
            }
            return;
        }
        if !is_member {
            return;
        }
        let mut path = vec![word];
        let mut first = at;
        while first > 1 && self.script.word(first - 1) == "." {
            first -= 2;
            path.push(self.script.word(first));
        }
        path.reverse();
        let sibling = match path.split_first() {
            Some((&"event", inside)) => sibling_field(&self.fields, inside),
            Some((&"customer", [attribute])) => self.sibling_attribute(attribute),
            _ => None,
        };
        if let Some(sibling) = sibling {
            self.put(&(at..at + 1), sibling);
        }
    }

    fn sibling_attribute(&self, name: &str) -> Option<String> {
        let kind = self.schema.attribute(name)?;
        let alike = self.schema.attributes().filter(|(_, other)| *other == kind);
        let alike: Vec<&str> = alike.map(|(name, _)| name).collect();
        next_of(&alike, name).map(str::to_owned)
    }

    /// Takes out each part of every `&&` and `||`, and a condition as a whole.
    fn parts(&mut self, body: &Range<usize>, is_condition: bool) {
        let mut segments: BTreeSet<(usize, usize)> = BTreeSet::new();
        for at in body.clone() {
            if self.script.tokens[at].kind == Kind::Sign
                && matches!(self.script.word(at), "&&" | "||")
            {
                let segment = self.script.segment(at, body);
                segments.insert((segment.start, segment.end));
            }
        }
        for (start, end) in segments {
            let condition = self.script.condition(start..end);
            self.parts_of(&condition);
        }
        if is_condition && let Some(last) = self.script.last_expression(body) {
            let whole = self.script.condition(last);
            if !matches!(whole, Condition::All(_) | Condition::Any(_)) {
                self.put(&whole.tokens(), "true");
            }
        }
    }

    fn parts_of(&mut self, condition: &Condition) {
        let (parts, neutral) = match condition {
            Condition::All(parts) => (parts, "true"),
            Condition::Any(parts) => (parts, "false"),
            _ => return,
        };
        for part in parts {
            if neutral == "false" || !self.is_guard(part, parts) {
                self.put(&part.tokens(), neutral);
            }
            self.parts_of(part);
        }
    }

    /// Whether a part is `x != ()` beside a comparison of `x` that is false for `()` anyway.
    fn is_guard(&self, part: &Condition, parts: &[Condition]) -> bool {
        let text = |range: &Range<usize>| &self.script.text[self.script.span(range)];
        let Condition::Comparison { left, right } = part else {
            return false;
        };
        let is_guard = text(right) == "()" && self.script.word(left.end) == "!=";
        is_guard
            && parts.iter().any(|other| match other {
                Condition::Comparison {
                    left: other,
                    right: value,
                } => {
                    let sign = self.script.word(other.end);
                    let strict = matches!(sign, "<" | "<=" | ">" | ">=" | "==");
                    strict
                        && text(value) != "()"
                        && (text(other) == text(left) || text(value) == text(left))
                }
                _ => false,
            })
    }
}

/// The one behind, or the first behind the last; `None` if there is no other.
fn next_of<'a>(all: &[&'a str], one: &str) -> Option<&'a str> {
    let at = all.iter().position(|name| *name == one)?;
    let next = all[(at + 1) % all.len()];
    (next != one).then_some(next)
}

/// Another field of the same object and the same kind.
fn sibling_field(fields: &[Field], path: &[&str]) -> Option<String> {
    let (first, rest) = path.split_first()?;
    let field = fields.iter().find(|field| &*field.name == *first)?;
    if let (FieldKind::Record(inner), false) = (&field.kind, rest.is_empty()) {
        return sibling_field(inner, rest);
    }
    if !rest.is_empty() || matches!(field.kind, FieldKind::Record(_)) {
        return None;
    }
    let alike = fields
        .iter()
        .filter(|other| other.kind.name() == field.kind.name());
    let alike: Vec<&str> = alike.map(|field| &*field.name).collect();
    next_of(&alike, first).map(str::to_owned)
}

/// A number a little larger and a little smaller: by one in its last digit.
fn numbers(text: &str) -> Vec<String> {
    let Ok(number) = Decimal::from_str(&text.replace('_', "")) else {
        return Vec::new();
    };
    let step = Decimal::new(1, number.scale());
    [number.checked_add(step), number.checked_sub(step)]
        .into_iter()
        .flatten()
        .map(|number| number.to_string())
        .collect()
}
