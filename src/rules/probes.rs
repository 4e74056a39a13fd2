//! What conditions saw: a rule set whose functions write down, while they run, which part of their
//! condition held and which values were compared. They mean what they meant: each part and each side
//! of a comparison is only handed through.

use super::functions::{Condition, Script};
use super::library::library;
use super::record::value;
use super::set::RuleSet;
use super::sources::{Source, Sources};
use super::subset::altered;
use super::tokens::Kind;
use super::{api, sandbox};
use crate::event::{Path, Value};
use rhai::{Dynamic, Engine};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Operations that one call may take when it is watched: watching takes some of its own.
const OPERATIONS_MAX: u64 = 1_000_000;
/// The longest value that is shown, in characters.
const VALUE_CHARS_MAX: usize = 60;

/// The functions of a rule whose conjuncts can be asked apart.
const ASKED_APART: [&str; 2] = ["when", "still"];

/// Where conditions are watched, and what they wrote down.
#[derive(Debug, Default)]
pub struct Probes {
    /// Every function with a condition.
    pub functions: Vec<ProbedFunction>,
    /// Every part that is watched.
    pub sites: Vec<Site>,
    trace: Arc<Mutex<Vec<Mark>>>,
    /// Whether each conjunct of a rule gets a function of its own.
    apart: bool,
}

/// A function whose condition is watched.
#[derive(Clone, Debug)]
pub struct ProbedFunction {
    /// Its file.
    pub file: Arc<str>,
    /// Its name.
    pub name: String,
    /// What `&&` puts together in its last expression, as sites, in order.
    pub conjuncts: Vec<usize>,
}

/// A watched part of a condition.
#[derive(Clone, Debug)]
pub struct Site {
    /// Which function it belongs to.
    pub function: usize,
    /// Its line, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
    /// Its text, on one line.
    pub text: String,
    /// The sites of compared values in it, and where in its text they stand.
    pub values: Vec<(usize, Range<usize>)>,
}

/// One thing that was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A function began.
    Began(usize),
    /// A conjunct held, or did not.
    Held(usize, bool),
    /// A value was compared.
    Saw(usize, String),
}

impl Probes {
    /// What was written down since this was asked last.
    #[must_use]
    pub fn take(&self) -> Vec<Mark> {
        std::mem::take(&mut *self.trace.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A conjunct with the values that were seen in place of what they are values of, the last of each; `None` if
    /// none was seen.
    #[must_use]
    pub fn with_values(&self, site: usize, marks: &[Mark]) -> Option<String> {
        self.sites[site].with_values(|wanted| {
            marks.iter().rev().find_map(|mark| match mark {
                Mark::Saw(site, value) if *site == wanted => Some(value.clone()),
                _ => None,
            })
        })
    }

    /// The function of a file, if it is watched.
    #[must_use]
    pub fn function(&self, file: &str, name: &str) -> Option<usize> {
        let mut functions = self.functions.iter();
        functions.position(|function| *function.file == *file && function.name == name)
    }
}

impl RuleSet {
    /// The same rules with watched conditions. A file that cannot be watched stays as it is. The
    /// sites of a rule have the same numbers whatever other rules are there, if it is watched first.
    #[must_use]
    pub fn probed(&self, sources: &Sources, first: &str) -> (Self, Probes) {
        self.watched(sources, first, Probes::default())
    }

    /// The same rules with watched conditions, of which each conjunct can be [asked](RuleSet::conjunct)
    /// by itself, whatever the others say.
    #[must_use]
    pub fn taken_apart(&self, sources: &Sources) -> (Self, Probes) {
        let apart = Probes {
            apart: true,
            ..Probes::default()
        };
        self.watched(sources, "", apart)
    }

    fn watched(&self, sources: &Sources, first: &str, mut probes: Probes) -> (Self, Probes) {
        let rule = sources.rules.iter().find(|source| *source.path == *first);
        let watched_first = rule.map(|rule| probes.watch(rule));
        let watched: Vec<Source> = (sources.library.iter())
            .map(|source| Source {
                path: source.path.clone(),
                text: probes.watch(source).into(),
            })
            .collect();
        let mut engine = self.probing_engine(&probes);
        let mut faults = Vec::new();
        library(&mut engine, &watched, &mut faults);
        if !faults.is_empty() {
            engine = self.probing_engine(&probes);
            library(&mut engine, &sources.library, &mut Vec::new());
        }
        let mut rules = self.rules.clone();
        if let Some(text) = watched_first {
            rules = altered(&engine, &rules, first, &text).unwrap_or(rules);
        }
        for source in &sources.rules {
            if *source.path != *first && rules.iter().any(|rule| rule.file == source.path) {
                let text = probes.watch(source);
                rules = altered(&engine, &rules, &source.path, &text).unwrap_or(rules);
            }
        }
        let mut set = self.holding(rules);
        set.engine = Arc::new(engine);
        (set, probes)
    }

    fn probing_engine(&self, probes: &Probes) -> Engine {
        let mut engine = sandbox::engine();
        // Watching takes operations, depth and functions of its own.
        engine
            .set_max_operations(OPERATIONS_MAX)
            .set_max_expr_depths(0, 0)
            .set_max_functions(usize::MAX);
        api::register_properties(&mut engine, &self.schema);
        let write = |trace: &Arc<Mutex<Vec<Mark>>>, mark: Mark| {
            trace
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(mark);
        };
        let number = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
        let trace = probes.trace.clone();
        engine.register_fn("__began", move |function: i64| {
            write(&trace, Mark::Began(number(function)));
        });
        let trace = probes.trace.clone();
        engine.register_fn("__held", move |site: i64, held: Dynamic| -> Dynamic {
            if let Ok(held) = held.as_bool() {
                write(&trace, Mark::Held(number(site), held));
            }
            held
        });
        let trace = probes.trace.clone();
        engine.register_fn("__saw", move |site: i64, seen: Dynamic| -> Dynamic {
            write(&trace, Mark::Saw(number(site), shown(&seen)));
            seen
        });
        engine
    }
}

/// A value as it is shown to people.
pub(super) fn shown(value_seen: &Dynamic) -> String {
    let text = match value(value_seen, Path::Whole("value")) {
        Ok(value) => text_of(&value),
        Err(_) => format!("a {}", value_seen.type_name()),
    };
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "()".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Decimal(number) => number.normalize().to_string(),
        Value::Text(text) => format!("\"{text}\""),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(text_of).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Record(_) => "an object".to_owned(),
    }
}

impl Probes {
    /// Puts the watching into a file's text.
    fn watch(&mut self, source: &Source) -> String {
        let script = Script::new(&source.text);
        // In a rule file, what conditions call; a library file does not say who calls it.
        let called = script.called(&["when", "still", "converted"]);
        let is_rule = script.function("when").is_some();
        let mut insertions: Vec<(usize, String)> = Vec::new();
        let mut apart = String::new();
        for definition in &script.functions {
            if is_rule && !called.contains(&definition.name) {
                continue;
            }
            let Some(last) = script.last_expression(&definition.body) else {
                continue;
            };
            let function = self.functions.len();
            let start = script.tokens[definition.body.start - 1].span.end;
            insertions.push((start, format!(" __began({function}); ")));
            let parts = match script.condition(last.clone()) {
                Condition::All(parts) => parts,
                other => vec![other],
            };
            let mut conjuncts = Vec::new();
            let is_asked = self.apart && is_rule && ASKED_APART.contains(&&*definition.name);
            let before = start..script.span(&last).start;
            for part in parts {
                let span = script.span(&part.tokens());
                let site = self.site(&script, function, &span);
                let mut own = vec![(span.start, format!("__held({site}, "))];
                self.watch_values(&script, site, &span, &part, &mut own);
                own.push((span.end, ")".to_owned()));
                if is_asked {
                    let name = conjunct_name(&definition.name, conjuncts.len());
                    apart += &format!(
                        "\nfn {name}{} {{ {} {} }}",
                        script.parameters(definition),
                        &source.text[before.clone()],
                        woven(&source.text, span, own.clone())
                    );
                }
                conjuncts.push(site);
                insertions.append(&mut own);
            }
            self.functions.push(ProbedFunction {
                file: source.path.clone(),
                name: definition.name.clone(),
                conjuncts,
            });
        }
        woven(&source.text, 0..source.text.len(), insertions) + apart.as_str()
    }

    fn site(&mut self, script: &Script<'_>, function: usize, span: &Range<usize>) -> usize {
        let before = &script.text[..span.start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        self.sites.push(Site {
            function,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            text: script.text[span.clone()].to_owned(),
            values: Vec::new(),
        });
        self.sites.len() - 1
    }

    fn watch_values(
        &mut self,
        script: &Script<'_>,
        conjunct: usize,
        whole: &Range<usize>,
        part: &Condition,
        insertions: &mut Vec<(usize, String)>,
    ) {
        match part {
            Condition::All(parts) | Condition::Any(parts) => {
                for part in parts {
                    self.watch_values(script, conjunct, whole, part, insertions);
                }
            }
            Condition::Comparison { left, right } => {
                for side in [left, right] {
                    let is_constant = side.clone().all(|at| {
                        script.tokens[at].kind != Kind::Word || script.word(at) == "true"
                    });
                    if side.is_empty() || is_constant {
                        continue;
                    }
                    let span = script.span(side);
                    let site = self.sites[conjunct].function;
                    let site = self.site(script, site, &span);
                    let within = span.start - whole.start..span.end - whole.start;
                    self.sites[conjunct].values.push((site, within));
                    insertions.push((span.start, format!("__saw({site}, ")));
                    insertions.push((span.end, ")".to_owned()));
                }
            }
            Condition::Other(_) => {}
        }
    }
}

impl Site {
    /// Its text on one line.
    #[must_use]
    pub fn one_line(&self) -> String {
        one_line(&self.text)
    }

    /// Its text with the values that were seen in place of what they are values of; `None` if none
    /// was seen.
    #[must_use]
    pub fn with_values(&self, seen: impl Fn(usize) -> Option<String>) -> Option<String> {
        let mut text = self.text.clone();
        let mut any = false;
        for (site, range) in self.values.iter().rev() {
            if let Some(value) = seen(*site) {
                text.replace_range(range.clone(), &value);
                any = true;
            }
        }
        any.then(|| one_line(&text))
    }
}

/// What the function is called that is one conjunct of another, by its number.
pub(super) fn conjunct_name(function: &str, number: usize) -> String {
    format!("__{function}_{number}")
}

/// A range of a text with something put in at some places.
fn woven(text: &str, range: Range<usize>, mut insertions: Vec<(usize, String)>) -> String {
    // Stable: at one place, what was put first opens first and closes last.
    insertions.sort_by_key(|(at, _)| *at);
    let mut woven = String::with_capacity(range.len() * 2);
    let mut from = range.start;
    for (at, inserted) in insertions {
        woven.push_str(&text[from..at]);
        woven.push_str(&inserted);
        from = at;
    }
    woven.push_str(&text[from..range.end]);
    woven
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
