//! Checks of rule files that need no running: the syntax tree of each function is walked as it was
//! written, what each expression is gets inferred, and what cannot be right is said, all of it, with its
//! place. Where it is not sure it stays silent.

mod action;
mod arguments;
mod calls;
mod condition;
mod cost;
mod entry;
mod file;
mod findings;
mod group;
mod header;
mod kind;
mod lookback;
mod lost;
mod operators;
mod placeholders;
mod properties;
mod statements;
mod text;
mod values;
mod walk;

pub(super) use file::{FileView, FunctionView, UNKNOWN_FIELD};

use super::catalogue::CHANNELS;
use super::diagnostic::{Diagnostic, did_you_mean};
use super::sources::{Source, Sources};
use crate::event::{EventType, Field, FieldKind, Schema};
use crate::terms::{DAILY, Terms};
use findings::{Fault, Findings};
use jiff::civil::Date;
use kind::Type;
use rhai::{ASTNode, Expr, Stmt};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What checks are told beside the files.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckOptions {
    /// The day on which it is asked; without it, no date is called past.
    pub today: Option<Date>,
}

/// Everything that a rule can refer to.
pub(super) struct World<'a> {
    pub(super) schema: &'a Schema,
    pub(super) sources: &'a Sources,
    pub(super) options: CheckOptions,
    /// Libraries by the name that they are called by.
    libraries: BTreeMap<String, FileView<'a>>,
    /// Libraries that could not be read, about which nothing is known.
    faulty: BTreeSet<String>,
    /// Names of all rules.
    rules: BTreeSet<Box<str>>,
    /// What a daily rule is shown.
    daily: Arc<EventType>,
}

/// A rule file, and its terms if they could be read.
pub(super) struct RuleView<'a> {
    pub(super) file: FileView<'a>,
    pub(super) terms: Option<Terms>,
}

impl<'a> World<'a> {
    pub(super) fn new(
        sources: &'a Sources,
        schema: &'a Schema,
        libraries: Vec<FileView<'a>>,
        options: CheckOptions,
    ) -> Self {
        let libraries: BTreeMap<String, FileView<'a>> = libraries
            .into_iter()
            .map(|file| (library_name(&file.source.path).to_owned(), file))
            .collect();
        let names = sources.library.iter().map(|file| library_name(&file.path));
        let faulty = names.filter(|name| !libraries.contains_key(*name));
        let faulty = faulty.map(str::to_owned).collect();
        let rules = sources.rules.iter().map(rule_name).collect();
        let date = Field {
            name: "date".into(),
            kind: FieldKind::Text,
            required: true,
            keep: false,
            words: Vec::new(),
        };
        let daily = EventType {
            name: DAILY.into(),
            fields: vec![date],
        };
        Self {
            schema,
            sources,
            options,
            libraries,
            faulty,
            rules,
            daily: daily.into(),
        }
    }

    fn event_type(&self, name: &str) -> Option<Arc<EventType>> {
        if name == DAILY {
            return Some(self.daily.clone());
        }
        self.schema.event_type(name).cloned()
    }

    /// Whether any declared event type has a field.
    fn some_type_has(&self, name: &str) -> bool {
        let mut types = self.schema.event_types().chain([&self.daily]);
        types.any(|declared| declared.fields.iter().any(|field| *field.name == *name))
    }

    /// Whether some file says a code apart from asking for it.
    fn mentions_code(&self, code: &str) -> bool {
        let quoted = format!("\"{code}\"");
        let files = self.sources.rules.iter().chain(&self.sources.library);
        files.into_iter().any(|file| {
            let mut found = file.text.match_indices(&quoted);
            found.any(|(at, _)| !file.text[..at].trim_end().ends_with("accepted("))
        })
    }

    /// What is wrong with a channel's name.
    fn channel_fault(&self, word: &str) -> Option<Fault> {
        let declared = self.schema.channels()?;
        let known = super::catalogue::names(CHANNELS).chain(declared.keys().map(|name| &**name));
        if known.clone().any(|name| name == word) {
            return None;
        }
        let hint = did_you_mean(word, known).map_or_else(
            || format!("declare it in schema.toml: [channels.{word}]"),
            |meant| format!("did you mean \"{meant}\"?"),
        );
        Some(Fault::new(
            "unknown-channel",
            format!("there is no channel \"{word}\""),
            "unknown channel",
            hint,
        ))
    }
}

fn rule_name(source: &Source) -> Box<str> {
    let path = &source.path;
    path.strip_suffix(".rhai").unwrap_or(path).into()
}

/// The name by which a library file's functions are called.
pub(super) fn library_name(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_suffix(".rhai").unwrap_or(file)
}

/// Checks files one after the other, and lets each go.
pub(super) struct Checker<'w, 'a> {
    world: &'w World<'a>,
    findings: Findings,
    calls: calls::Calls,
    /// What events of some types are; kept to the end, since calls are known by it.
    events: HashMap<Vec<Arc<str>>, Type>,
    members: Vec<group::Member<'a>>,
}

impl<'w, 'a> Checker<'w, 'a> {
    pub(super) fn new(world: &'w World<'a>) -> Self {
        Self {
            world,
            findings: Findings::default(),
            calls: calls::Calls::default(),
            events: HashMap::new(),
            members: Vec::new(),
        }
    }

    /// Checks one rule.
    pub(super) fn rule(&mut self, rule: RuleView<'a>) {
        let condition = entry::rule(self, &rule).map(condition::Condition::detached);
        self.members.extend(group::Member::new(rule, condition));
    }

    /// Checks what concerns several files, and says all that was found.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        entry::libraries(self.world, &mut self.findings, &mut self.calls);
        group::check(&self.members, &mut self.findings);
        let mut found = self.findings.list;
        found.retain(|found| !findings::is_allowed(found));
        found
    }
}

/// Whether statements ask for the type of an event: `event.type`.
fn walks_over_type(statements: &[Stmt]) -> bool {
    let mut asks = false;
    for statement in statements {
        statement.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
            if let Some(ASTNode::Expr(Expr::Property(property, _))) = path.last() {
                asks |= property.2 == "type";
            }
            true
        });
    }
    asks
}

/// A few words as a list for people.
fn listed<W: AsRef<str>>(words: &[W]) -> String {
    const SHOWN: usize = 12;
    let quoted = words.iter().take(SHOWN);
    let mut text: Vec<String> = quoted.map(|w| format!("\"{}\"", w.as_ref())).collect();
    if words.len() > SHOWN {
        text.push(format!("… ({} in all)", words.len()));
    }
    text.join(", ")
}
