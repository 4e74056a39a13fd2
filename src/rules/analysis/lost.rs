//! Values that nobody looks at: of the statements of a block only the last one counts.

use super::findings::Fault;
use super::kind::Kind;
use super::text::is_membership;
use super::walk::Walker;
use crate::rules::catalogue::CUSTOMER_FUNCTIONS;
use rhai::{Expr, Stmt};
use std::ops::Range;

impl Walker<'_, '_> {
    /// A statement that is followed by another one.
    pub(super) fn lost(&mut self, statement: &Stmt, next: &Stmt) {
        if self.quiet {
            return;
        }
        match statement {
            Stmt::Expr(expr) => self.lost_value(expr, next),
            Stmt::FnCall(call, at) => {
                let expr = Expr::FnCall(call.clone(), *at);
                self.lost_value(&expr, next);
            }
            Stmt::If(parts, _) => {
                for block in [&parts.body, &parts.branch] {
                    if let Some(last) = block.statements().last() {
                        self.lost_result(last);
                    }
                }
            }
            _ => {}
        }
    }

    fn lost_value(&mut self, expr: &Expr, next: &Stmt) {
        // An `if` may be kept as an expression.
        if let Expr::Stmt(block) = expr {
            if let [only] = block.statements() {
                self.lost(only, next);
            }
            return;
        }
        if !changes_nothing(expr) {
            return;
        }
        let span = self.span(expr);
        if self.kind_of(expr).kind != Kind::Boolean {
            return self.error(span, unused());
        }
        let follows = self.condition_of(next);
        let hint = match follows {
            Some(follows) => format!("join it with `&&`: `{} && {follows}`", self.written(expr)),
            None => "join it with `&&` to the condition at the end, or take it out".to_owned(),
        };
        self.error(
            span,
            Fault::new(
                "decides-nothing",
                "this condition decides nothing: only the last line of a function counts",
                "nobody looks at the answer",
                hint,
            ),
        );
    }

    /// A condition that is a statement of its own, as it is written; long ones are not repeated.
    fn condition_of(&self, statement: &Stmt) -> Option<String> {
        let span: Range<usize> = match statement {
            Stmt::Expr(expr) if changes_nothing(expr) => self.span(expr)?,
            Stmt::FnCall(call, _) if call.op_token.is_some() => {
                self.file.marks().statement(statement)?
            }
            _ => return None,
        };
        let text = self.file.marks().slice(&span);
        (text.len() <= 60).then(|| text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The value that a branch ends with, when more statements follow the `if`.
    fn lost_result(&mut self, last: &Stmt) {
        let Stmt::Expr(expr) = last else {
            return;
        };
        let plain = matches!(
            **expr,
            Expr::BoolConstant(..) | Expr::IntegerConstant(..) | Expr::Unit(_) | Expr::Map(..)
        );
        if !plain {
            return;
        }
        let (span, text) = (self.span(expr), self.written(expr));
        let text = if matches!(**expr, Expr::Map(..)) {
            "#{ … }"
        } else {
            &text
        };
        self.error(
            span,
            Fault::new(
                "decides-nothing",
                "this value is not used: what follows the `if` is done all the same",
                "nobody looks at it",
                format!("write `return {text};`, or put what follows into `else {{ … }}`"),
            ),
        );
    }
}

fn unused() -> Fault {
    Fault::new(
        "decides-nothing",
        "this value is not used: only the last line of a function counts",
        "nobody looks at it",
        "take it out, or give it a name: `let x = …;`",
    )
}

/// Whether an expression only asks.
fn changes_nothing(expr: &Expr) -> bool {
    match expr {
        Expr::BoolConstant(..)
        | Expr::IntegerConstant(..)
        | Expr::DynamicConstant(..)
        | Expr::StringConstant(..)
        | Expr::InterpolatedString(..)
        | Expr::Variable(..)
        | Expr::Property(..)
        | Expr::Array(..)
        | Expr::Map(..) => true,
        Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
            parts.iter().all(changes_nothing)
        }
        Expr::FnCall(call, _) => {
            (call.op_token.is_some() || is_membership(call))
                && call.args.iter().all(changes_nothing)
        }
        Expr::MethodCall(call, _) => CUSTOMER_FUNCTIONS.iter().any(|f| f.name == call.name),
        Expr::Dot(pair, _, _) | Expr::Index(pair, _, _) => {
            changes_nothing(&pair.lhs) && changes_nothing(&pair.rhs)
        }
        _ => false,
    }
}
