//! Statements: what a block comes to, which variables it declares and whether they are used.

use super::findings::Fault;
use super::kind::{Kind, Type};
use super::walk::{Binding, Walker};
use rhai::{ASTFlags, Expr, Ident, Stmt};
use std::collections::HashSet;

impl Walker<'_, '_> {
    /// What a block comes to.
    pub(super) fn block(&mut self, statements: &[Stmt]) -> Type {
        let depth = self.scope.len();
        let mut last = Type::UNIT;
        for (at, statement) in statements.iter().enumerate() {
            last = self.statement(statement);
            if let Some(next) = statements.get(at + 1) {
                self.lost(statement, next);
            }
        }
        self.leave(depth);
        last
    }

    fn leave(&mut self, depth: usize) {
        for left in self.scope.split_off(depth) {
            let Some(at) = left.declared.filter(|_| !left.used) else {
                continue;
            };
            if left.name.starts_with('_') {
                continue;
            }
            let span = self.file.marks().token(at);
            self.warning(
                span,
                Fault::new(
                    "unused-variable",
                    format!("`{}` is never used", left.name),
                    "declared here",
                    "use it, or take the line out",
                ),
            );
        }
    }

    fn bind(&mut self, ident: &Ident, kind: Type, declared: bool) {
        let name = ident.name.to_string();
        let kind = if self.changed.contains(&name) {
            Type::ANY
        } else {
            kind
        };
        self.scope.push(Binding {
            name,
            kind,
            declared: declared.then_some(ident.pos),
            used: false,
        });
    }

    fn statement(&mut self, statement: &Stmt) -> Type {
        match statement {
            Stmt::Expr(expr) => self.expr(expr),
            Stmt::FnCall(call, at) => {
                let expr = Expr::FnCall(call.clone(), *at);
                self.expr(&expr)
            }
            Stmt::Block(block) => self.block(block.statements()),
            Stmt::Var(definition, _, _) => {
                let kind = self.expr(&definition.1);
                self.bind(&definition.0, kind, true);
                Type::UNIT
            }
            Stmt::If(parts, _) => {
                self.condition(&parts.expr);
                let yes = self.block(parts.body.statements());
                let no = self.block(parts.branch.statements());
                yes.either(no)
            }
            Stmt::Return(value, flags, _) => {
                let kind = value.as_ref().map_or(Type::UNIT, |value| self.expr(value));
                if !flags.contains(ASTFlags::BREAK) {
                    self.returns(&kind, |walker| walker.span(value.as_ref()?));
                    let before = std::mem::replace(&mut self.returned, Type::NEVER);
                    self.returned = before.either(kind);
                }
                Type::NEVER
            }
            Stmt::Assignment(parts) => {
                self.expr(&parts.1.rhs);
                // What is only written to is not used by that.
                if !matches!(parts.1.lhs, Expr::Variable(..)) || parts.0.is_op_assignment() {
                    self.expr(&parts.1.lhs);
                }
                Type::UNIT
            }
            Stmt::Switch(..)
            | Stmt::While(..)
            | Stmt::Do(..)
            | Stmt::For(..)
            | Stmt::TryCatch(..) => self.compound(statement),
            Stmt::BreakLoop(value, _, _) => {
                if let Some(value) = value {
                    self.expr(value);
                }
                Type::NEVER
            }
            Stmt::Noop(_) => Type::UNIT,
            _ => Type::of(Kind::Any),
        }
    }

    /// Statements that have blocks of their own.
    fn compound(&mut self, statement: &Stmt) -> Type {
        match statement {
            Stmt::Switch(parts, _) => {
                self.expr(&parts.0);
                let mut all = Type::NEVER;
                for case in &parts.1.expressions {
                    self.expr(&case.lhs);
                    all = all.either(self.expr(&case.rhs));
                }
                // Without a default, the switch may come to nothing.
                if parts.1.def_case.is_none() {
                    all = all.either(Type::UNIT);
                }
                all
            }
            Stmt::While(parts, _) | Stmt::Do(parts, _, _) => {
                // A `loop` has no condition.
                if !matches!(parts.expr, Expr::Unit(_)) {
                    self.condition(&parts.expr);
                }
                self.block(parts.body.statements());
                Type::ANY
            }
            Stmt::For(parts, _) => {
                let (item, counter, parts) = &**parts;
                self.expr(&parts.expr);
                let depth = self.scope.len();
                self.bind(item, Type::ANY, false);
                if let Some(counter) = counter {
                    self.bind(counter, Type::NUMBER, false);
                }
                self.block(parts.body.statements());
                self.leave(depth);
                Type::ANY
            }
            Stmt::TryCatch(parts, _) => {
                let depth = self.scope.len();
                self.block(parts.body.statements());
                if let Expr::Variable(name, _, at) = &parts.expr {
                    let ident = Ident {
                        name: name.1.clone(),
                        pos: *at,
                    };
                    self.bind(&ident, Type::ANY, false);
                }
                self.block(parts.branch.statements());
                self.leave(depth);
                Type::ANY
            }
            _ => Type::of(Kind::Any),
        }
    }
}

/// Variables that are assigned to somewhere in statements.
pub(super) fn changed(statements: &[Stmt]) -> HashSet<String> {
    let mut found = HashSet::new();
    for statement in statements {
        statement.walk(&mut Vec::new(), &mut |path: &[rhai::ASTNode<'_>]| {
            match path.last() {
                Some(rhai::ASTNode::Stmt(Stmt::Assignment(parts))) => {
                    found.extend(root(&parts.1.lhs));
                }
                Some(rhai::ASTNode::Expr(Expr::Dot(pair, _, _))) if changes(&pair.rhs) => {
                    found.extend(root(&pair.lhs));
                }
                _ => {}
            }
            true
        });
    }
    found
}

/// Whether what follows a point changes what stands before it.
fn changes(rhs: &Expr) -> bool {
    const CHANGING: [&str; 12] = [
        "append",
        "clear",
        "drain",
        "fill_with",
        "insert",
        "mixin",
        "pop",
        "push",
        "remove",
        "retain",
        "set",
        "shift",
    ];
    match rhs {
        Expr::MethodCall(call, _) => CHANGING.contains(&call.name.as_str()),
        Expr::Dot(pair, _, _) | Expr::Index(pair, _, _) => changes(&pair.rhs),
        _ => false,
    }
}

/// The variable at the beginning of a chain.
fn root(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Variable(parts, _, _) => Some(parts.1.to_string()),
        Expr::Dot(pair, _, _) | Expr::Index(pair, _, _) => root(&pair.lhs),
        _ => None,
    }
}
