//! A file as the checks see it: its syntax tree as it was written, without any optimization, by function.

use super::text::Marks;
use crate::rules::diagnostic::Diagnostic;
use crate::rules::sources::Source;
use rhai::{AST, ASTNode, Expr, Ident, Position, Stmt};
use std::cell::OnceCell;

/// The code of a field that `RULE` does not have.
pub(in crate::rules) const UNKNOWN_FIELD: &str = "unknown-rule-field";

/// A function as it is written.
#[derive(Clone, Debug)]
pub(in crate::rules) struct FunctionView {
    pub(in crate::rules) name: String,
    pub(in crate::rules) parameters: Vec<String>,
    pub(in crate::rules) body: Vec<Stmt>,
    /// Whether it is a method of some type.
    pub(in crate::rules) is_method: bool,
    /// Where its body stands: line and column of both brackets.
    range: (Position, Position),
}

/// A file and its functions.
#[derive(Debug)]
pub(in crate::rules) struct FileView<'a> {
    pub(in crate::rules) source: &'a Source,
    pub(in crate::rules) functions: Vec<FunctionView>,
    /// The members of `const RULE = #{ … }`.
    pub(super) header: Vec<(Ident, Expr)>,
    header_at: Position,
    marks: OnceCell<Marks>,
}

impl<'a> FileView<'a> {
    pub(in crate::rules) fn new(source: &'a Source, tree: &AST) -> Self {
        let mut functions: Vec<FunctionView> = tree
            .iter_fn_def()
            .map(|function| FunctionView {
                name: function.name.to_string(),
                parameters: function.params.iter().map(ToString::to_string).collect(),
                body: Vec::new(),
                is_method: function.this_type.is_some(),
                range: (function.body.start_position(), function.body.end_position()),
            })
            .collect();
        let top = tree.statements().len();
        let mut seen = 0;
        let mut last = None;
        tree.walk(&mut |path: &[ASTNode<'_>]| {
            if let [ASTNode::Stmt(statement)] = path {
                seen += 1;
                if seen > top {
                    let at = innermost(&functions, statement.position()).or(last);
                    if let Some(at) = at {
                        functions[at].body.push((*statement).clone());
                    }
                    last = at;
                }
            }
            true
        });
        let (header, header_at) = header(tree);
        functions.sort_by_key(|function| function.range.0);
        Self {
            source,
            functions,
            header,
            header_at,
            marks: OnceCell::new(),
        }
    }

    /// Where things stand in it; read when there is something to say.
    pub(super) fn marks(&self) -> &Marks {
        self.marks.get_or_init(|| Marks::read(&self.source.text))
    }

    pub(super) fn function(&self, name: &str) -> Option<&FunctionView> {
        self.functions.iter().find(|f| f.name == name)
    }

    /// A fault of a field of `RULE`, at its value; of one that is missing, at what it is missing from.
    /// `place` is a field, or one within it: `budget.total`, `steps.0`.
    pub(in crate::rules) fn at_field(&self, place: &str, fault: Diagnostic) -> Diagnostic {
        let marks = self.marks();
        let mut found: Option<(&Ident, &Expr)> = None;
        for name in place.split('.') {
            let next = match found {
                None => member(&self.header, name),
                Some((_, Expr::Map(members, _))) => member(&members.0, name),
                Some((key, Expr::Array(items, _))) => {
                    let item = name.parse().ok().and_then(|at: usize| items.get(at));
                    item.map(|item| (key, item))
                }
                Some(_) => None,
            };
            found = next.or(found);
        }
        let span = match found {
            Some((key, _)) if fault.code == UNKNOWN_FIELD => marks.token(key.pos),
            Some((_, value)) => marks.span(value),
            None => marks.token(self.header_at),
        };
        match span {
            Some(span) => fault.over(span),
            None => fault,
        }
    }

    /// The value of a field of `RULE`.
    pub(super) fn field(&self, name: &str) -> Option<&Expr> {
        let found = self.header.iter().find(|(known, _)| known.name == name);
        found.map(|(_, value)| value)
    }

    /// The texts of a field: one, or a list.
    pub(super) fn texts(&self, name: &str) -> Vec<(&str, &Expr)> {
        let items: &[Expr] = match self.field(name) {
            Some(Expr::Array(items, _)) => items,
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        items
            .iter()
            .filter_map(|item| match item {
                Expr::StringConstant(text, _) => Some((text.as_str(), item)),
                _ => None,
            })
            .collect()
    }
}

fn member<'e>(members: &'e [(Ident, Expr)], name: &str) -> Option<(&'e Ident, &'e Expr)> {
    let found = members.iter().find(|(known, _)| known.name == name);
    found.map(|(key, value)| (key, value))
}

/// The function whose body a place is in; of functions within functions the inner one.
fn innermost(functions: &[FunctionView], at: Position) -> Option<usize> {
    let holds = |f: &FunctionView| !at.is_none() && f.range.0 <= at && at <= f.range.1;
    let inside = functions.iter().enumerate().filter(|(_, f)| holds(f));
    inside
        .max_by_key(|(_, f)| f.range.0)
        .map(|(index, _)| index)
}

fn header(tree: &AST) -> (Vec<(Ident, Expr)>, Position) {
    for statement in tree.statements() {
        if let Stmt::Var(definition, _, _) = statement
            && definition.0.name == "RULE"
        {
            let at = definition.1.position();
            return match &definition.1 {
                Expr::Map(members, _) => (members.0.to_vec(), at),
                _ => (Vec::new(), at),
            };
        }
    }
    (Vec::new(), Position::NONE)
}
