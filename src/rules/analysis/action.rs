//! What `action` says: whether the maps it returns have what channels, locales and budgets need. Only
//! maps that are returned as they are written are looked at; of others nothing is certain.

use super::RuleView;
use super::arguments::meant_window;
use super::file::FunctionView;
use super::findings::Fault;
use super::kind::{Kind, Type};
use super::walk::Walker;
use crate::action::KINDS;
use crate::rules::catalogue::{ACTION_KEYS, names};
use crate::rules::diagnostic::did_you_mean;
use crate::state::Window;
use rhai::{Expr, Ident, Position, Stmt};
use std::collections::BTreeMap;
use std::rc::Rc;

type Members = [(Ident, Expr)];

pub(super) fn check(walker: &mut Walker<'_, '_>, rule: &RuleView<'_>, function: &FunctionView) {
    let mut maps = Vec::new();
    results(&function.body, &mut maps);
    for map in maps {
        let Expr::Map(members, at) = map else {
            continue;
        };
        let kinds = walker.maps.get(at).cloned().unwrap_or_default();
        let mut said = Said {
            walker,
            rule,
            members: &members.0,
            kinds,
            at: *at,
        };
        said.check();
    }
    parameters(walker, rule, function);
}

/// The maps that statements come to, where they are written out.
fn results<'e>(statements: &'e [Stmt], found: &mut Vec<&'e Expr>) {
    for statement in statements {
        early(statement, found);
    }
    if let Some(last) = statements.last() {
        last_of(last, found);
    }
}

fn last_of<'e>(statement: &'e Stmt, found: &mut Vec<&'e Expr>) {
    match statement {
        Stmt::Expr(expr) => value(expr, found),
        Stmt::Block(block) => last_in(block.statements(), found),
        Stmt::If(parts, _) => {
            last_in(parts.body.statements(), found);
            last_in(parts.branch.statements(), found);
        }
        Stmt::Switch(parts, _) => {
            for case in &parts.1.expressions {
                value(&case.rhs, found);
            }
        }
        _ => {}
    }
}

fn last_in<'e>(statements: &'e [Stmt], found: &mut Vec<&'e Expr>) {
    if let Some(last) = statements.last() {
        last_of(last, found);
    }
}

fn value<'e>(expr: &'e Expr, found: &mut Vec<&'e Expr>) {
    match expr {
        Expr::Map(..) => found.push(expr),
        Expr::Stmt(block) => last_in(block.statements(), found),
        _ => {}
    }
}

/// Maps that are returned before the end.
fn early<'e>(statement: &'e Stmt, found: &mut Vec<&'e Expr>) {
    let mut inside = |statements: &'e [Stmt]| {
        for statement in statements {
            early(statement, found);
        }
    };
    match statement {
        Stmt::Return(Some(expr), flags, _) if flags.is_empty() => value(expr, found),
        Stmt::Block(block) => inside(block.statements()),
        Stmt::If(parts, _) | Stmt::While(parts, _) | Stmt::Do(parts, _, _) => {
            inside(parts.body.statements());
            inside(parts.branch.statements());
        }
        Stmt::For(parts, _) => inside(parts.2.body.statements()),
        Stmt::Expr(expr) => {
            if let Expr::Stmt(block) = &**expr {
                inside(block.statements());
            }
        }
        _ => {}
    }
}

pub(super) struct Said<'s, 'w, 'a> {
    pub(super) walker: &'s mut Walker<'w, 'a>,
    pub(super) rule: &'s RuleView<'s>,
    members: &'s Members,
    kinds: Rc<BTreeMap<Box<str>, Type>>,
    at: Position,
}

impl<'s> Said<'s, '_, '_> {
    pub(super) fn get(&self, key: &str) -> Option<&'s Expr> {
        let found = self.members.iter().find(|(name, _)| name.name == key);
        found.map(|(_, value)| value)
    }

    pub(super) fn kind(&self, key: &str) -> Type {
        self.kinds.get(key).cloned().unwrap_or(Type::ANY)
    }

    fn check(&mut self) {
        self.misspelt();
        self.kind_of_action();
        self.needs();
        self.texts();
        self.expires();
        self.cost();
        self.counted();
    }

    /// A key is missing: the fault is at the map's first bracket.
    pub(super) fn missing(&mut self, key: &str, message: String, hint: String, certain: bool) {
        let near = self
            .members
            .iter()
            .find(|(name, _)| is_near(&name.name, key));
        let marks = self.walker.file.marks();
        let (span, hint) = match near {
            Some((name, _)) => (
                marks.token(name.pos),
                format!("did you mean `{key}` instead of `{}`?", name.name),
            ),
            None => (marks.token(self.at), hint),
        };
        let fault = Fault::new("missing-key", message, format!("no `{key}`"), hint);
        if certain {
            self.walker.error(span, fault);
        } else {
            self.walker.warning(span, fault);
        }
    }

    /// A key that is not known, is one letter away from one that is, and that one is not there.
    fn misspelt(&mut self) {
        for (name, _) in self.members {
            let known = names(ACTION_KEYS);
            // What must be there is said to be missing, with this as the hint.
            let absent = |key: &&str| self.get(key).is_none() && !["kind", "text"].contains(key);
            let is_known = known.clone().any(|key| key == name.name);
            let first = name.name.chars().next();
            let meant = known
                .filter(absent)
                .find(|key| key.chars().next() == first && is_near(&name.name, key));
            let Some(meant) = meant.filter(|_| !is_known) else {
                continue;
            };
            let budget = meant == "cost" && self.rule.file.field("budget").is_some();
            if budget {
                continue;
            }
            let span = self.walker.file.marks().token(name.pos);
            self.walker.warning(
                span,
                Fault::new(
                    "likely-misspelt",
                    format!("`{}` is no key that the engine knows", name.name),
                    "carried as it is, and understood by nobody",
                    format!("did you mean `{meant}`?"),
                ),
            );
        }
    }

    fn kind_of_action(&mut self) {
        let Some(value) = self.get("kind") else {
            return self.missing(
                "kind",
                "the action does not say its `kind`".to_owned(),
                "add `kind: \"offer\"`; also \"retention\" and \"message\"".to_owned(),
                true,
            );
        };
        let found = self.kind("kind");
        let word = match value {
            Expr::StringConstant(word, _) => Some(word.to_string()),
            _ => None,
        };
        let wrong = match (&word, &found.kind) {
            (Some(word), _) => !KINDS.contains(&word.as_str()),
            (None, kind) => !matches!(kind, Kind::Any | Kind::Text(_) | Kind::Never),
        };
        if !wrong {
            return;
        }
        let meant = word.as_deref().and_then(|word| did_you_mean(word, KINDS));
        let hint = meant.map_or_else(
            || format!("it is one of {}", super::listed(&KINDS)),
            |meant| format!("did you mean \"{meant}\"?"),
        );
        let text = self.walker.written(value);
        let span = self.walker.span(value);
        self.walker.error(
            span,
            Fault::new(
                "unknown-kind",
                format!("there is no kind {text}"),
                "no such kind",
                hint,
            ),
        );
    }

    /// Keys that the rule's channels need.
    fn needs(&mut self) {
        let channels = self.rule.file.texts("channels");
        let declared = self.walker.world.schema.channels();
        if self.get("text").is_none() {
            self.missing(
                "text",
                "the action has no `text`, so a channel has nothing to show".to_owned(),
                "add `text: #{ \"en\": \"…\" }`".to_owned(),
                declared.is_some(),
            );
        }
        for (channel, _) in channels {
            let needs = declared.and_then(|declared| declared.get(channel));
            for key in needs.into_iter().flatten() {
                if self.get(key).is_none() && &**key != "text" {
                    self.missing(
                        key,
                        format!("the action has no `{key}`, which the channel \"{channel}\" needs"),
                        format!("add `{key}: …`, or take \"{channel}\" out of `channels`"),
                        true,
                    );
                }
            }
        }
    }

    fn texts(&mut self) {
        let Some(value) = self.get("text") else {
            return;
        };
        let Expr::Map(members, at) = value else {
            if self.kind("text").is_text() {
                let (span, text) = (self.walker.span(value), self.walker.written(value));
                self.walker.error(
                    span,
                    Fault::new(
                        "text-without-locale",
                        "`text` must say in which language it is",
                        "a text without a locale",
                        format!("write `text: #{{ \"en\": {text} }}`"),
                    ),
                );
            }
            return;
        };
        let required = self.walker.world.schema.required_locales();
        let missing = required.iter().filter(|locale| {
            let locale: &str = locale;
            !members.0.iter().any(|(name, _)| name.name == locale)
        });
        for locale in missing {
            let written = members.0.iter().find(|(name, _)| {
                let same = name.name.replace('_', "-").eq_ignore_ascii_case(locale);
                same || is_near(&name.name, locale)
            });
            let marks = self.walker.file.marks();
            let (span, hint) = match written {
                Some((name, _)) => (
                    marks.token(name.pos),
                    format!("did you mean \"{locale}\" instead of \"{}\"?", name.name),
                ),
                None => (marks.token(*at), format!("add `\"{locale}\": \"…\"`")),
            };
            let fault = Fault::new(
                "missing-locale",
                format!("the text is not said in \"{locale}\", which schema.toml requires"),
                format!("no \"{locale}\""),
                hint,
            );
            self.walker.error(span, fault);
        }
    }

    fn expires(&mut self) {
        let Some(value) = self.get("expires") else {
            return;
        };
        let found = self.kind("expires");
        let hint = match (value, &found.kind) {
            (Expr::StringConstant(word, _), _) if Window::parse(word).is_some() => return,
            (Expr::StringConstant(word, _), _) => match meant_window(word) {
                Some(meant) => format!("write \"{meant}\""),
                None => "write a whole number and s, m, h or d: \"10m\", \"2d\"".to_owned(),
            },
            (Expr::IntegerConstant(n, _), _) => format!("write it with its unit: \"{n}m\""),
            (_, Kind::Any | Kind::Text(_) | Kind::Unit | Kind::Never) => return,
            _ => "write a length such as \"10m\"".to_owned(),
        };
        let (span, text) = (self.walker.span(value), self.walker.written(value));
        self.walker.error(
            span,
            Fault::new(
                "unknown-window",
                format!("`expires` is no length of time: {text}"),
                "no length of time",
                hint,
            ),
        );
    }
}

/// A word that is one slip of the finger away from another.
fn is_near(word: &str, known: &str) -> bool {
    let distance = strsim::damerau_levenshtein(word, known);
    distance == 1 || distance == 2 && known.len() > 6
}

/// Variants and steps that make no difference.
fn parameters(walker: &mut Walker<'_, '_>, rule: &RuleView<'_>, function: &FunctionView) {
    let used = |at: usize| {
        let name = function.parameters.get(at)?;
        let found = walker.scope.iter().find(|known| known.name == *name);
        Some(found.is_none_or(|found| found.used))
    };
    let several = |field: &str| match rule.file.field(field) {
        Some(Expr::Map(members, _)) => members.0.len() > 1,
        Some(Expr::Array(items, _)) => items.len() > 1,
        _ => false,
    };
    let cases = [
        (
            2,
            "variant",
            "variants",
            "variants are declared, but `action` says the same in each",
        ),
        (
            3,
            "step",
            "steps",
            "the journey has steps, but `action` says the same at each",
        ),
    ];
    let mut faults = Vec::new();
    for (at, parameter, field, message) in cases {
        if !several(field) || used(at) == Some(true) {
            continue;
        }
        let marks = walker.file.marks();
        let span = match function.parameters.get(at) {
            Some(name) => marks.parameter("action", name),
            None => marks.function("action"),
        };
        let all = ["event", "customer", "variant", "step"];
        let hint = format!(
            "write `fn action({})` and ask for `{parameter}`: `if {parameter} == {} {{ … }}`; or take `{field}` out",
            all[..=at].join(", "),
            if at == 2 { "\"…\"" } else { "0" }
        );
        faults.push((
            span,
            Fault::new("unused-parameter", message, "makes no difference", hint),
        ));
    }
    for (span, fault) in faults {
        walker.warning(span, fault);
    }
}
