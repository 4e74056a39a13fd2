//! Walks a function as it is written, and infers what each expression is.

use super::World;
use super::calls::Calls;
use super::file::FileView;
use super::findings::{Fault, Findings};
use super::kind::{Kind, Type};
use crate::event::EventType;
use crate::rules::diagnostic::did_you_mean;
use rhai::{ASTFlags, Expr, Position};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// A variable.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) name: String,
    pub(super) kind: Type,
    /// Where it is declared with `let`; `None` for a parameter.
    pub(super) declared: Option<Position>,
    pub(super) used: bool,
}

/// What a function must return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Condition,
    Number,
    Action,
}

/// Walks one function.
pub(super) struct Walker<'w, 'a> {
    pub(super) world: &'w World<'a>,
    pub(super) file: &'w FileView<'a>,
    pub(super) findings: &'w mut Findings,
    pub(super) calls: &'w mut Calls,
    /// The types of event that the rule listens to.
    pub(super) on: &'w [Arc<EventType>],
    pub(super) scope: Vec<Binding>,
    /// Variables that are changed somewhere in the function: nothing is known of them.
    pub(super) changed: HashSet<String>,
    /// What is returned before the end.
    pub(super) returned: Type,
    /// What the keys of each map of the function hold.
    pub(super) maps: HashMap<Position, Rc<BTreeMap<Box<str>, Type>>>,
    /// Whether the function asks for the event's type, so that a field need not be in all.
    pub(super) asks_type: bool,
    /// The function's name.
    pub(super) name: String,
    /// What the engine expects of the function, if it is one that it calls.
    pub(super) wanted: Option<Wanted>,
    /// Whether nothing is to be said: a second look at what was walked before.
    pub(super) quiet: bool,
}

impl<'a> Walker<'_, 'a> {
    pub(super) fn error(&mut self, at: Option<Range<usize>>, fault: Fault) {
        if !self.quiet {
            self.findings.error(self.file, at, fault);
        }
    }

    pub(super) fn warning(&mut self, at: Option<Range<usize>>, fault: Fault) {
        if !self.quiet {
            self.findings.warning(self.file, at, fault);
        }
    }

    pub(super) fn span(&self, expr: &Expr) -> Option<Range<usize>> {
        self.file.marks().span(expr)
    }

    /// An expression as it is written.
    pub(super) fn written(&self, expr: &Expr) -> String {
        let text = self.span(expr).map_or(String::new(), |span| {
            self.file.marks().slice(&span).to_owned()
        });
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ")
    }

    /// Where an expression begins.
    pub(super) fn start(&self, expr: &Expr) -> usize {
        self.span(expr).map_or(0, |span| span.start)
    }

    /// What an expression is, without saying anything about it.
    pub(super) fn kind_of(&mut self, expr: &Expr) -> Type {
        let before = std::mem::replace(&mut self.quiet, true);
        let kind = self.expr(expr);
        self.quiet = before;
        kind
    }

    pub(super) fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) {
        for expr in exprs {
            self.expr(expr);
        }
    }

    /// What an expression is.
    pub(super) fn expr(&mut self, expr: &Expr) -> Type {
        match expr {
            Expr::BoolConstant(..) => Type::BOOLEAN,
            Expr::IntegerConstant(n, _) => exactly((*n).into()),
            Expr::DynamicConstant(value, _) => match value.as_decimal() {
                Ok(number) => exactly(number),
                Err(_) => Type::ANY,
            },
            Expr::StringConstant(text, at) => {
                self.placeholders(text, *at);
                Type::TEXT
            }
            Expr::CharConstant(..) => Type::TEXT,
            Expr::InterpolatedString(parts, at) => {
                for part in parts.iter() {
                    match part {
                        Expr::StringConstant(text, _) => self.placeholders(text, *at),
                        part => {
                            self.expr(part);
                        }
                    }
                }
                Type::TEXT
            }
            Expr::Unit(_) => Type::UNIT,
            Expr::Array(items, _) => {
                self.exprs(items.iter());
                Type::of(Kind::List)
            }
            Expr::Map(members, at) => {
                let mut known = BTreeMap::new();
                for (name, value) in &members.0 {
                    known.insert(name.name.as_str().into(), self.expr(value));
                }
                let known = Rc::new(known);
                self.maps.insert(*at, known.clone());
                Type::of(Kind::Map(known))
            }
            Expr::Variable(parts, _, _) if parts.2.is_empty() => self.variable(&parts.1, expr),
            Expr::Stmt(block) => self.block(block.statements()),
            Expr::FnCall(call, at) => self.call(call, *at, expr),
            Expr::Dot(pair, _, _) => {
                let of = self.expr(&pair.lhs);
                self.chain(of, &pair.rhs, &pair.lhs)
            }
            Expr::Index(pair, flags, _) => {
                let of = self.expr(&pair.lhs);
                self.index(&of, &pair.rhs, *flags, &pair.lhs)
            }
            Expr::And(parts, _) | Expr::Or(parts, _) => {
                for part in parts.iter() {
                    self.condition(part);
                }
                Type::BOOLEAN
            }
            Expr::Coalesce(parts, _) => {
                let kinds: Vec<Type> = parts.iter().map(|part| self.expr(part)).collect();
                let all = kinds.into_iter().reduce(Type::either);
                let all = all.unwrap_or(Type::ANY);
                Type {
                    optional: false,
                    ..all
                }
            }
            _ => Type::ANY,
        }
    }

    /// An expression that must be true or false.
    pub(super) fn condition(&mut self, expr: &Expr) {
        let found = self.expr(expr);
        let unsure = matches!(found.kind, Kind::Any | Kind::Never);
        if unsure || found.kind == Kind::Boolean && !found.optional {
            return;
        }
        let (span, text) = (self.span(expr), self.written(expr));
        if found.kind == Kind::Boolean {
            return self.warning(
                span,
                Fault::new(
                    "maybe-absent",
                    format!("`{text}` may be missing, and then the rule fails"),
                    "true, false or missing",
                    format!("write `{text} == true`"),
                ),
            );
        }
        let hint = match found.kind {
            Kind::Number(..) => format!("compare it: `{text} > 0`"),
            Kind::Text(_) => format!("compare it: `{text} == \"…\"`"),
            _ => "compare it with something".to_owned(),
        };
        self.error(
            span,
            Fault::new(
                "not-a-condition",
                format!(
                    "a condition must be true or false, but `{text}` is {}",
                    found.name()
                ),
                format!("this is {}", found.name()),
                hint,
            ),
        );
    }

    fn variable(&mut self, name: &str, expr: &Expr) -> Type {
        if let Some(known) = self.scope.iter_mut().rev().find(|v| v.name == name) {
            known.used = true;
            return known.kind.clone();
        }
        if self.file.function(name).is_some() {
            return Type::ANY;
        }
        let has_field = |on: &Arc<EventType>| on.fields.iter().any(|f| *f.name == *name);
        let known = self.scope.iter().map(|v| v.name.as_str());
        let hint = if ["event", "customer"].contains(&name) {
            format!(
                "a function sees only what it is given: write `fn {}(event, customer)`",
                self.name
            )
        } else if ["null", "nil", "none", "None", "undefined", "NULL"].contains(&name) {
            "write `()` for something that is missing: `x == ()`".to_owned()
        } else if ["True", "TRUE", "False", "FALSE", "yes", "no"].contains(&name) {
            "write `true` or `false`".to_owned()
        } else if self.on.iter().any(has_field) {
            format!("write `event.{name}`: what the event says is asked of `event`")
        } else if self.world.schema.attribute(name).is_some() {
            format!("write `customer.{name}`: attributes are asked of `customer`")
        } else if let Some(meant) = did_you_mean(name, known) {
            format!("did you mean `{meant}`?")
        } else {
            format!(
                "if it is text, put it in double quotes: \"{name}\"; else declare it before: `let {name} = …;`"
            )
        };
        let span = self.span(expr);
        self.error(
            span,
            Fault::new(
                "unknown-name",
                format!("nothing is called `{name}` here"),
                "unknown name",
                hint,
            ),
        );
        Type::ANY
    }

    /// What follows a point.
    fn chain(&mut self, of: Type, rhs: &Expr, root: &Expr) -> Type {
        match rhs {
            Expr::Property(property, at) => self.property(&of, &property.2, *at, root),
            Expr::MethodCall(call, at) => self.method(&of, call, *at, root),
            Expr::Dot(pair, _, _) => {
                let inner = self.chain(of, &pair.lhs, root);
                self.chain(inner, &pair.rhs, root)
            }
            Expr::Index(pair, flags, _) => {
                let inner = self.chain(of, &pair.lhs, root);
                self.index(&inner, &pair.rhs, *flags, root)
            }
            other => {
                self.expr(other);
                Type::ANY
            }
        }
    }

    /// What stands in square brackets, and what follows.
    fn index(&mut self, of: &Type, rhs: &Expr, flags: ASTFlags, root: &Expr) -> Type {
        match rhs {
            Expr::Dot(pair, _, _) if !flags.contains(ASTFlags::BREAK) => {
                let inner = self.member(of, &pair.lhs, root);
                self.chain(inner, &pair.rhs, root)
            }
            Expr::Index(pair, inner_flags, _) if !flags.contains(ASTFlags::BREAK) => {
                let inner = self.member(of, &pair.lhs, root);
                self.index(&inner, &pair.rhs, *inner_flags, root)
            }
            other => self.member(of, other, root),
        }
    }

    fn member(&mut self, of: &Type, name: &Expr, root: &Expr) -> Type {
        self.expr(name);
        match name {
            Expr::StringConstant(name, at) => self.property(of, name, *at, root),
            _ => Type::ANY,
        }
    }
}

fn exactly(number: Decimal) -> Type {
    Type::of(Kind::Number(Some(number), Some(number)))
}
