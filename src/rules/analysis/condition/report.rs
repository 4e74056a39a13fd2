//! What is said about a condition: that it never holds, that it always does, that a part is not needed.

use super::formula::{Condition, Formula, Node, together};
use crate::rules::analysis::RuleView;
use crate::rules::analysis::file::FunctionView;
use crate::rules::analysis::findings::Fault;
use crate::rules::analysis::values::Values;
use crate::rules::analysis::walk::Walker;
use crate::terms::{BROADCAST_PREFIX, DAILY};
use rhai::Expr;
use std::collections::HashMap;
use std::ops::Range;

pub(super) fn report(
    walker: &mut Walker<'_, '_>,
    rule: &RuleView<'_>,
    function: &FunctionView,
    condition: &Condition<'_>,
) {
    let mut reporter = Reporter {
        walker,
        universes: &condition.universes,
        function,
    };
    let root = &condition.root;
    if root.bounds().is_none() {
        return reporter.never(root, true);
    }
    if root.negated(&condition.universes).bounds().is_none() {
        return reporter.always(root, rule);
    }
    reporter.parts(root);
}

struct Reporter<'r, 'w, 'a> {
    walker: &'r mut Walker<'w, 'a>,
    universes: &'r HashMap<String, Values>,
    function: &'r FunctionView,
}

impl Reporter<'_, '_, '_> {
    fn place(&self, node: &Node<'_>) -> Option<Range<usize>> {
        let written = node.expr.and_then(|expr| self.walker.span(expr));
        let function = &self.function.name;
        written.or_else(|| self.walker.file.marks().function(function))
    }

    /// Whether something else is wrong there, of which this is only a consequence.
    fn is_faulty(&self, node: &Node<'_>) -> bool {
        // Most files are sound: then nothing is measured.
        if !self.walker.findings.has_errors(self.walker.file) {
            return false;
        }
        let span = self.place(node);
        span.is_some_and(|span| self.walker.findings.touches(self.walker.file, &span))
    }

    fn text(&self, node: &Node<'_>) -> String {
        match node.expr {
            None => format!("fn {}", self.function.name),
            Some(expr) if node.negated => format!("not ({})", self.walker.written(expr)),
            Some(expr) => self.walker.written(expr),
        }
    }

    /// What the thing that a part asks about can be, if that explains why it never holds.
    fn bounds(&self, node: &Node<'_>) -> String {
        let universe = match &node.formula {
            Formula::Is(subject, _) => self.universes.get(subject),
            _ => None,
        };
        universe
            .and_then(Values::range)
            .map_or(String::new(), |range| format!(" (it is {range})"))
    }

    /// A condition that never holds: which part, or which two parts.
    fn never(&mut self, node: &Node<'_>, whole: bool) {
        if self.is_faulty(node) {
            return;
        }
        let name = self.function.name.clone();
        let (at, message, hint) = match culprits(node) {
            Culprits::Pair(a, b) => (
                self.place(b),
                format!(
                    "`{}` and `{}` are never true together",
                    self.text(a),
                    self.text(b)
                ),
                format!(
                    "change one of the two, or write `||` (or) between them{}",
                    consequence(whole)
                ),
            ),
            Culprits::One(part) => (
                self.place(part),
                format!("`{}` is never true", self.text(part)),
                format!(
                    "change it or take it out{}{}",
                    self.bounds(part),
                    consequence(whole)
                ),
            ),
        };
        let label = "never true with the rest".to_owned();
        let fault = Fault::new("never-true", message, label, hint);
        if whole {
            let fault = Fault {
                message: format!("`{name}` is never true: {}", fault.message),
                label: "never true".to_owned(),
                ..fault
            };
            self.walker.error(at, fault);
        } else {
            self.walker.warning(at, fault);
        }
    }

    fn always(&mut self, node: &Node<'_>, rule: &RuleView<'_>) {
        if self.is_faulty(node) {
            return;
        }
        let name = &self.function.name;
        if let Some(Expr::BoolConstant(..)) = node.expr {
            // `true` alone is meant so where something else chooses the customers.
            let chosen = rule.file.field("audience").is_some();
            let mut on = rule.file.texts("on").into_iter();
            let of_all = on.any(|(kind, _)| kind == DAILY || kind.starts_with(BROADCAST_PREFIX));
            if name != "when" || chosen || of_all {
                return;
            }
        }
        let (because, hint) = always_because(self, node);
        let message = format!("`{name}` is always true: {because}");
        let at = self.place(node);
        self.walker
            .warning(at, Fault::new("always-true", message, "always true", hint));
    }

    /// Parts that say nothing, or that can never hold.
    fn parts(&mut self, node: &Node<'_>) {
        match &node.formula {
            Formula::All(parts) => {
                self.needless(parts, true);
                self.inner(parts);
            }
            Formula::Any(parts) => {
                self.needless(parts, false);
                self.inner(parts);
            }
            _ => {}
        }
    }

    fn inner(&mut self, parts: &[Node<'_>]) {
        for part in parts.iter().filter(|part| !part.negated) {
            if part.bounds().is_none() {
                self.never(part, false);
            } else {
                self.parts(part);
            }
        }
    }

    /// Conjuncts that follow from another one; alternatives that another one covers.
    fn needless(&mut self, parts: &[Node<'_>], all: bool) {
        for (at, part) in parts.iter().enumerate() {
            let unwritten = part.expr.is_none() || part.negated || asks_for_presence(part);
            if unwritten || part.bounds().is_none() || self.is_faulty(part) {
                continue;
            }
            let not = part.negated(self.universes);
            if not.bounds().is_none() {
                let (text, span) = (self.text(part), self.place(part));
                self.walker.warning(
                    span,
                    Fault::new(
                        "always-true",
                        format!("`{text}` is always true"),
                        "says nothing",
                        "take it out, or change it to what was meant",
                    ),
                );
                continue;
            }
            let covers = |(index, other): &(usize, &Node<'_>)| {
                if *index == at {
                    return false;
                }
                let follows = |a: &Node<'_>, not_b: &Node<'_>| together([a, not_b]).is_none();
                let not_other = other.negated(self.universes);
                let (this, back) = if all {
                    (follows(other, &not), follows(part, &not_other))
                } else {
                    (follows(part, &not_other), follows(other, &not))
                };
                // Of two that say the same, the later one is needless.
                this && (!back || *index < at)
            };
            let Some((_, other)) = parts.iter().enumerate().find(covers) else {
                continue;
            };
            let (text, span) = (self.text(part), self.place(part));
            let other = self.text(other);
            let message = if text == other {
                format!("`{text}` is said twice")
            } else if all {
                format!("`{text}` follows from `{other}`")
            } else {
                format!("`{other}` covers `{text}`")
            };
            self.walker.warning(
                span,
                Fault::new(
                    "needless-condition",
                    message,
                    "says nothing new",
                    "take it out, or change it to what was meant",
                ),
            );
        }
    }
}

/// `x != ()` before `x >= 5`: not needed, but there is no harm in saying it.
fn asks_for_presence(node: &Node<'_>) -> bool {
    matches!(node.expr, Some(Expr::FnCall(call, _))
        if call.args.iter().any(|side| matches!(side, Expr::Unit(_))))
}

fn consequence(whole: bool) -> &'static str {
    if whole {
        ": as it is, no customer ever gets this"
    } else {
        ""
    }
}

fn always_because(reporter: &Reporter<'_, '_, '_>, node: &Node<'_>) -> (String, &'static str) {
    if let Formula::Any(parts) = &node.formula {
        for (at, a) in parts.iter().enumerate() {
            for b in &parts[at + 1..] {
                let (not_a, not_b) = (a.negated(reporter.universes), b.negated(reporter.universes));
                if together([&not_a, &not_b]).is_none() {
                    let (a, b) = (reporter.text(a), reporter.text(b));
                    return (
                        format!("one of `{a}` and `{b}` holds in any case"),
                        "write `&&` (and) between them instead of `||` (or)",
                    );
                }
            }
        }
    }
    (
        "it speaks at every event of its type".to_owned(),
        "say which events are meant, such as `event.amount >= 100`; if all of them are, write `// allow(always-true)` above it",
    )
}

enum Culprits<'n, 'e> {
    One(&'n Node<'e>),
    Pair(&'n Node<'e>, &'n Node<'e>),
}

/// The smallest part of a condition that never holds.
fn culprits<'n, 'e>(node: &'n Node<'e>) -> Culprits<'n, 'e> {
    if let Formula::All(parts) = &node.formula {
        if let Some(part) = parts.iter().find(|part| part.bounds().is_none()) {
            return culprits(part);
        }
        for (at, a) in parts.iter().enumerate() {
            for b in &parts[at + 1..] {
                if together([a, b]).is_none() {
                    return Culprits::Pair(a, b);
                }
            }
        }
    }
    if let Formula::Any(parts) = &node.formula {
        // A branch that is written as `false` is meant so.
        let plain = |part: &&Node<'_>| match &part.formula {
            Formula::All(parts) => {
                let last = parts.last().map(|part| &part.formula);
                !matches!(last, Some(Formula::Constant(false)))
            }
            other => !matches!(other, Formula::Constant(false)),
        };
        if let Some(part) = parts.iter().find(plain) {
            return culprits(part);
        }
    }
    Culprits::One(node)
}
