//! The functions that the engine calls: what each is handed, and what it must return.

use super::calls::Calls;
use super::condition::{self, Condition};
use super::file::FileView;
use super::findings::{Fault, Findings};
use super::kind::{self, Kind, Type};
use super::walk::{Walker, Wanted};
use super::{Checker, RuleView, World, action, header, lookback};
use crate::event::EventType;
use rhai::Stmt;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// Functions of a rule that the engine calls.
const ENTRIES: [&str; 5] = ["when", "action", "score", "still", "converted"];

/// Checks one rule; returns what its `when` says, for comparing rules.
pub(super) fn rule<'r, 'a>(
    checker: &mut Checker<'_, 'a>,
    rule: &'r RuleView<'a>,
) -> Option<Condition<'r>> {
    let Checker {
        world,
        findings,
        calls,
        events,
        ..
    } = checker;
    let file = &rule.file;
    let named = file.texts("on").into_iter();
    let on: Vec<Arc<EventType>> = named
        .filter_map(|(name, _)| world.event_type(name))
        .collect();
    let all: Vec<Arc<EventType>> = world.schema.event_types().cloned().collect();
    let mut event_of = |types: &[Arc<EventType>]| {
        let names = types.iter().map(|t| t.name.clone()).collect();
        let make = || kind::event(types, world.schema);
        events.entry(names).or_insert_with(make).clone()
    };
    // Without a known type nothing is known of the event.
    let event = if on.is_empty() {
        Type::ANY
    } else {
        event_of(&on)
    };
    let any_event = event_of(&all);
    header::check(world, rule, &on, findings);
    let mut condition = None;
    for name in ENTRIES {
        let Some(function) = file.function(name) else {
            continue;
        };
        let types = if name == "converted" { &all } else { &on };
        let mut walker = walker(world, file, types, findings, calls);
        let event = if name == "converted" {
            &any_event
        } else {
            &event
        };
        let arguments = vec![
            event.clone(),
            Type::of(Kind::Customer),
            third(name, file),
            Type::of(Type::positive()),
        ];
        walker.name = name.to_owned();
        walker.wanted = Some(match name {
            "score" => Wanted::Number,
            "action" => Wanted::Action,
            _ => Wanted::Condition,
        });
        walker.function(function, arguments);
        match name {
            "when" => condition = condition::check(&mut walker, rule, function),
            "action" => action::check(&mut walker, rule, function),
            "score" => {}
            _ => {
                condition::check(&mut walker, rule, function);
            }
        }
    }
    lookback::check(rule, findings);
    unused_functions(file, &ENTRIES, findings, calls, false);
    condition
}

/// Walks the functions of libraries that no rule calls, of whose arguments nothing is known.
pub(super) fn libraries(world: &World<'_>, findings: &mut Findings, calls: &mut Calls) {
    for file in world.libraries.values() {
        for function in &file.functions {
            let key = (file.source.path.to_string(), function.name.clone());
            if calls.called.contains(&key) || function.name.contains('$') {
                continue;
            }
            let mut walker = walker(world, file, &[], findings, calls);
            let arguments = vec![Type::ANY; function.parameters.len()];
            walker.function(function, arguments);
        }
    }
    for file in world.libraries.values() {
        unused_functions(file, &[], findings, calls, true);
    }
}

fn walker<'w, 'a>(
    world: &'w World<'a>,
    file: &'w FileView<'a>,
    on: &'w [Arc<EventType>],
    findings: &'w mut Findings,
    calls: &'w mut Calls,
) -> Walker<'w, 'a> {
    Walker {
        world,
        file,
        findings,
        calls,
        on,
        scope: Vec::new(),
        changed: HashSet::new(),
        returned: Type::NEVER,
        maps: HashMap::new(),
        asks_type: false,
        name: String::new(),
        wanted: None,
        quiet: false,
    }
}

/// What the third parameter is: the variant, or the decision.
fn third(name: &str, file: &FileView<'_>) -> Type {
    let variants = match file.field("variants") {
        Some(rhai::Expr::Map(members, _)) => {
            Some(kind::shared(members.0.iter().map(|(name, _)| &name.name)))
        }
        Some(_) => None,
        None => Some(kind::shared(["default"])),
    };
    match name {
        "converted" => kind::decision(variants),
        _ => Type::of(Kind::Text(variants)),
    }
}

impl Walker<'_, '_> {
    /// `event.stage = "paid"` at the end of a condition.
    pub(super) fn sets_instead_of_comparing(&mut self, last: &Stmt) -> bool {
        let (Some(Wanted::Condition), Stmt::Assignment(parts)) = (self.wanted, last) else {
            return false;
        };
        let span = self.file.marks().token(parts.0.position());
        let (left, right) = (self.written(&parts.1.lhs), self.written(&parts.1.rhs));
        self.error(
            span,
            Fault::new(
                "single-equals",
                "`=` does not compare",
                "sets a value",
                format!("write `{left} == {right}`"),
            ),
        );
        true
    }

    /// Whether what a function returns is what the engine expects of it.
    pub(super) fn returns(&mut self, found: &Type, at: impl FnOnce(&Self) -> Option<Range<usize>>) {
        let Some(wanted) = self.wanted else {
            return;
        };
        let (name, fits, hint) = match wanted {
            Wanted::Condition => (
                "true or false",
                found.kind == Kind::Boolean && !found.optional,
                "end it with a condition, such as `event.amount >= 100`",
            ),
            Wanted::Number => (
                "a number",
                found.is_number() && !found.optional,
                "end it with a number, such as `event.amount * 0.1`",
            ),
            Wanted::Action => (
                "a map or `()`",
                matches!(found.kind, Kind::Map(_) | Kind::Unit | Kind::Object(_)),
                "return `#{ kind: \"offer\", text: #{ … } }`, or `()` for nothing",
            ),
        };
        if fits || matches!(found.kind, Kind::Any | Kind::Never) {
            return;
        }
        let hint = match found.optional {
            true if wanted == Wanted::Condition => {
                "say what else it is: `else { false }`; of something that may be missing, `x == true`"
            }
            _ => hint,
        };
        let sometimes = found.optional && found.kind != Kind::Unit;
        let (message, label) = if sometimes {
            (
                format!(
                    "`{}` must return {name}, but in some cases it returns nothing",
                    self.name
                ),
                "an `if` without `else`, or a value that may be missing".to_owned(),
            )
        } else {
            (
                format!(
                    "`{}` must return {name}, but it returns {}",
                    self.name,
                    found.name()
                ),
                format!("this is {}", found.name()),
            )
        };
        let span = at(self).or_else(|| self.file.marks().function(&self.name));
        self.error(span, Fault::new("wrong-return", message, label, hint));
    }
}

fn unused_functions(
    file: &FileView<'_>,
    entries: &[&str],
    findings: &mut Findings,
    calls: &Calls,
    library: bool,
) {
    for function in &file.functions {
        let name = function.name.as_str();
        let key = (file.source.path.to_string(), function.name.clone());
        let anonymous = name.contains('$') || name.starts_with('_');
        if anonymous || entries.contains(&name) || calls.called.contains(&key) {
            continue;
        }
        let entry = crate::rules::diagnostic::did_you_mean(name, ENTRIES);
        let hint = match entry.filter(|_| !library) {
            Some(meant) => format!("did you mean `fn {meant}`? The engine calls only that one"),
            None => "call it, or take it out".to_owned(),
        };
        let span = file.marks().function(name);
        findings.warning(
            file,
            span,
            Fault::new(
                "unused-function",
                format!("nobody calls `{name}`"),
                "never called",
                hint,
            ),
        );
    }
}
