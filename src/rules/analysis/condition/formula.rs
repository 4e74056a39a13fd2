//! A condition as a formula over the things it asks about.

use crate::rules::analysis::file::FunctionView;
use crate::rules::analysis::kind::Type;
use crate::rules::analysis::text::is_membership;
use crate::rules::analysis::values::{Literal, Values};
use crate::rules::analysis::walk::{Binding, Walker};
use rhai::{Expr, FnCallExpr, Stmt, StmtBlock};
use std::collections::{BTreeMap, HashMap};

/// A condition, and where it is written.
#[derive(Clone, Debug)]
pub(in crate::rules::analysis) struct Node<'e> {
    pub(in crate::rules::analysis) formula: Formula<'e>,
    pub(in crate::rules::analysis) expr: Option<&'e Expr>,
    /// Whether it says the opposite of what is written.
    pub(in crate::rules::analysis) negated: bool,
}

/// What a condition says.
#[derive(Clone, Debug)]
pub(in crate::rules::analysis) enum Formula<'e> {
    Constant(bool),
    /// Something that is asked about, by how it is written, is one of some values.
    Is(String, Values),
    All(Vec<Node<'e>>),
    Any(Vec<Node<'e>>),
}

/// A whole condition, and what each thing it asks about can be at all.
#[derive(Clone, Debug)]
pub(in crate::rules::analysis) struct Condition<'e> {
    pub(in crate::rules::analysis) root: Node<'e>,
    pub(in crate::rules::analysis) universes: HashMap<String, Values>,
}

impl Condition<'_> {
    /// The same without where it is written, so that the file can be let go.
    pub(in crate::rules::analysis) fn detached(self) -> Condition<'static> {
        Condition {
            root: self.root.detached(),
            universes: self.universes,
        }
    }
}

/// What each thing can be.
pub(in crate::rules::analysis) type Bounds = BTreeMap<String, Values>;

impl<'e> Node<'e> {
    fn new(formula: Formula<'e>) -> Self {
        Self {
            formula,
            expr: None,
            negated: false,
        }
    }

    fn detached(self) -> Node<'static> {
        let each = |parts: Vec<Self>| parts.into_iter().map(Self::detached).collect();
        Node::new(match self.formula {
            Formula::Constant(holds) => Formula::Constant(holds),
            Formula::Is(subject, values) => Formula::Is(subject, values),
            Formula::All(parts) => Formula::All(each(parts)),
            Formula::Any(parts) => Formula::Any(each(parts)),
        })
    }

    /// What everything can be while it holds; `None` if it never holds.
    pub(in crate::rules::analysis) fn bounds(&self) -> Option<Bounds> {
        match &self.formula {
            Formula::Constant(true) => Some(Bounds::new()),
            Formula::Constant(false) => None,
            Formula::Is(subject, values) => {
                (!values.is_empty()).then(|| [(subject.clone(), values.clone())].into())
            }
            Formula::All(parts) => together(parts.iter()),
            Formula::Any(parts) => {
                let possible = parts.iter().filter_map(Self::bounds);
                possible.reduce(|a, b| {
                    let both = a.iter().filter_map(|(subject, values)| {
                        Some((subject.clone(), values.union(b.get(subject)?)))
                    });
                    both.collect()
                })
            }
        }
    }

    /// The opposite.
    pub(in crate::rules::analysis) fn negated(&self, universes: &HashMap<String, Values>) -> Self {
        let each = |parts: &[Self]| parts.iter().map(|part| part.negated(universes)).collect();
        let formula = match &self.formula {
            Formula::Constant(holds) => Formula::Constant(!holds),
            Formula::Is(subject, values) => {
                let universe = universes.get(subject).cloned().unwrap_or_else(Values::all);
                let left = values.complement().intersection(&universe);
                Formula::Is(subject.clone(), left)
            }
            Formula::All(parts) => Formula::Any(each(parts)),
            Formula::Any(parts) => Formula::All(each(parts)),
        };
        Self {
            formula,
            expr: self.expr,
            negated: !self.negated,
        }
    }
}

/// What everything can be while all of some conditions hold; `None` if they never do.
pub(in crate::rules::analysis) fn together<'n, 'e: 'n>(
    parts: impl IntoIterator<Item = &'n Node<'e>>,
) -> Option<Bounds> {
    let mut all = Bounds::new();
    for part in parts {
        for (subject, values) in part.bounds()? {
            let met = match all.get(&subject) {
                Some(before) => before.intersection(&values),
                None => values,
            };
            if met.is_empty() {
                return None;
            }
            all.insert(subject, met);
        }
    }
    Some(all)
}

/// Reads a function that is written as a condition: declarations, guards that return, and an expression.
pub(super) fn read<'e>(
    walker: &mut Walker<'_, '_>,
    function: &'e FunctionView,
) -> Option<Condition<'e>> {
    let mut names = HashMap::new();
    for (name, role) in function
        .parameters
        .iter()
        .zip(["event", "customer", "decision"])
    {
        names.insert(name.clone(), role.to_owned());
    }
    let mut reader = Reader {
        walker,
        names,
        universes: HashMap::new(),
    };
    let depth = reader.walker.scope.len();
    let root = reader.statements(&function.body);
    let universes = reader.universes;
    walker.scope.truncate(depth);
    Some(Condition {
        root: root?,
        universes,
    })
}

struct Reader<'r, 'w, 'a> {
    walker: &'r mut Walker<'w, 'a>,
    /// What each variable stands for, as it is written.
    names: HashMap<String, String>,
    universes: HashMap<String, Values>,
}

impl Reader<'_, '_, '_> {
    fn statements<'e>(&mut self, statements: &'e [Stmt]) -> Option<Node<'e>> {
        let (first, rest) = statements.split_first()?;
        match first {
            Stmt::Expr(expr) if rest.is_empty() => self.node(expr),
            Stmt::FnCall(call, _) if rest.is_empty() => {
                let subject = self.written_call(call)?;
                Some(self.asked(subject, &Type::BOOLEAN, &Values::yes()))
            }
            Stmt::Return(Some(expr), flags, _) if flags.is_empty() => self.node(expr),
            Stmt::Block(block) if rest.is_empty() => self.statements(block.statements()),
            Stmt::Var(definition, _, _) => {
                let name = definition.0.name.to_string();
                if self.walker.changed.contains(&name) {
                    return None;
                }
                let kind = self.walker.kind_of(&definition.1);
                if let Some(written) = self.written(&definition.1) {
                    self.names.insert(name.clone(), written);
                } else {
                    self.names.remove(&name);
                }
                self.walker.scope.push(Binding {
                    name,
                    kind,
                    declared: None,
                    used: true,
                });
                self.statements(rest)
            }
            Stmt::If(parts, _) => {
                let asked = self.node(&parts.expr)?;
                let returns = |block: &StmtBlock| matches!(block.statements(), [Stmt::Return(Some(_), flags, _)] if flags.is_empty());
                let yes = if rest.is_empty() || returns(&parts.body) {
                    self.statements(parts.body.statements())?
                } else {
                    return None;
                };
                let no = match (parts.branch.is_empty(), rest.is_empty()) {
                    (false, true) => self.statements(parts.branch.statements())?,
                    (true, false) => self.statements(rest)?,
                    _ => return None,
                };
                let not = asked.negated(&self.universes);
                let both = |a, b| Node::new(Formula::All(vec![a, b]));
                Some(Node::new(Formula::Any(vec![
                    both(asked, yes),
                    both(not, no),
                ])))
            }
            _ => None,
        }
    }

    /// A condition; what is not understood is a thing that is true or not. `None` if it may have effects.
    fn node<'e>(&mut self, expr: &'e Expr) -> Option<Node<'e>> {
        let mut node = match expr {
            Expr::BoolConstant(holds, _) => Node::new(Formula::Constant(*holds)),
            Expr::And(parts, _) => Node::new(Formula::All(self.nodes(parts)?)),
            Expr::Or(parts, _) => Node::new(Formula::Any(self.nodes(parts)?)),
            Expr::Stmt(block) => self.statements(block.statements())?,
            Expr::FnCall(call, _) if call.name == "!" && call.args.len() == 1 => {
                let inner = self.node(&call.args[0])?;
                inner.negated(&self.universes)
            }
            Expr::FnCall(call, _) if is_membership(call) => match self.within(call)? {
                Some(node) => node,
                None => self.opaque(expr)?,
            },
            Expr::FnCall(call, _) if call.args.len() == 2 && call.op_token.is_some() => {
                match self.comparison(call)? {
                    Some(node) => node,
                    None => self.opaque(expr)?,
                }
            }
            other => {
                let kind = self.walker.kind_of(other);
                let subject = self.written(other)?;
                self.asked(subject, &kind, &Values::yes())
            }
        };
        node.expr = Some(expr);
        node.negated = false;
        Some(node)
    }

    fn nodes<'e>(&mut self, parts: &'e [Expr]) -> Option<Vec<Node<'e>>> {
        parts.iter().map(|part| self.node(part)).collect()
    }

    fn opaque<'e>(&mut self, expr: &Expr) -> Option<Node<'e>> {
        let subject = self.written(expr)?;
        Some(self.asked(subject, &Type::BOOLEAN, &Values::yes()))
    }

    fn asked<'e>(&mut self, subject: String, kind: &Type, values: &Values) -> Node<'e> {
        let universe = Values::of(kind);
        let universe = match self.universes.get(&subject) {
            Some(before) => before.intersection(&universe),
            None => universe,
        };
        let values = values.intersection(&universe);
        self.universes.insert(subject.clone(), universe);
        Node::new(Formula::Is(subject, values))
    }

    /// `a == 5`; the inner `None` if neither side is written out.
    fn comparison<'e>(&mut self, call: &FnCallExpr) -> Option<Option<Node<'e>>> {
        let operator = call.name.as_str();
        if !["==", "!=", "<", "<=", ">", ">="].contains(&operator) {
            return Some(None);
        }
        let (left, right) = (&call.args[0], &call.args[1]);
        let (asked, value, operator) = match (literal(left), literal(right)) {
            (Some(a), Some(b)) => {
                return Some(
                    compared(operator, &a, &b).map(|holds| Node::new(Formula::Constant(holds))),
                );
            }
            (None, Some(value)) => (left, value, operator),
            (Some(value), None) => (right, value, flipped(operator)),
            (None, None) => return Some(None),
        };
        let values = match (operator, &value) {
            ("==", value) => Values::exactly(value),
            ("!=", value) => Values::exactly(value).complement(),
            (_, Literal::Number(n)) => Values::ordered(operator, *n),
            _ => return Some(None),
        };
        let kind = self.walker.kind_of(asked);
        let subject = self.written(asked)?;
        Some(Some(self.asked(subject, &kind, &values)))
    }

    /// `a in ["x", "y"]`
    fn within<'e>(&mut self, call: &FnCallExpr) -> Option<Option<Node<'e>>> {
        let Expr::Array(items, _) = &call.args[0] else {
            return Some(None);
        };
        let Some(items) = items.iter().map(literal).collect::<Option<Vec<Literal>>>() else {
            return Some(None);
        };
        let values = items.iter().map(Values::exactly);
        let values = values.reduce(|a, b| a.union(&b));
        let kind = self.walker.kind_of(&call.args[1]);
        let subject = self.written(&call.args[1])?;
        Some(Some(self.asked(
            subject,
            &kind,
            &values.unwrap_or_else(Values::none),
        )))
    }

    /// An expression in one way of writing, so that the same is told as the same; `None` if it may have
    /// effects or is not understood.
    fn written(&self, expr: &Expr) -> Option<String> {
        if let Some(value) = literal(expr) {
            return Some(match value {
                Literal::Number(n) => n.normalize().to_string(),
                Literal::Text(word) => format!("{word:?}"),
                Literal::Boolean(yes) => yes.to_string(),
                Literal::Unit => "()".to_owned(),
            });
        }
        Some(match expr {
            Expr::Variable(parts, _, _) if parts.2.is_empty() => {
                self.names.get(parts.1.as_str())?.clone()
            }
            Expr::Property(property, _) => property.2.to_string(),
            Expr::Dot(pair, _, _) => {
                format!("{}.{}", self.written(&pair.lhs)?, self.written(&pair.rhs)?)
            }
            Expr::MethodCall(call, _) => format!("{}({})", call.name, self.list(&call.args)?),
            Expr::FnCall(call, _) => self.written_call(call)?,
            Expr::Array(items, _) => format!("[{}]", self.list(items)?),
            Expr::Map(members, _) => {
                let mut parts = Vec::new();
                for (name, value) in &members.0 {
                    parts.push(format!("{}: {}", name.name, self.written(value)?));
                }
                parts.sort();
                format!("#{{{}}}", parts.join(", "))
            }
            Expr::And(parts, _) => format!("and({})", self.list(parts)?),
            Expr::Or(parts, _) => format!("or({})", self.list(parts)?),
            Expr::Coalesce(parts, _) => format!("else({})", self.list(parts)?),
            _ => return None,
        })
    }

    fn written_call(&self, call: &FnCallExpr) -> Option<String> {
        let arguments = self.list(&call.args)?;
        Some(format!("{}::{}({arguments})", call.namespace, call.name))
    }

    fn list(&self, items: &[Expr]) -> Option<String> {
        let items = items.iter().map(|item| self.written(item));
        Some(items.collect::<Option<Vec<_>>>()?.join(", "))
    }
}

pub(in crate::rules::analysis) fn literal(expr: &Expr) -> Option<Literal> {
    Some(match expr {
        Expr::Unit(_) => Literal::Unit,
        Expr::BoolConstant(yes, _) => Literal::Boolean(*yes),
        Expr::IntegerConstant(n, _) => Literal::Number((*n).into()),
        Expr::DynamicConstant(value, _) => Literal::Number(value.as_decimal().ok()?),
        Expr::StringConstant(word, _) => Literal::Text(word.as_str().into()),
        _ => return None,
    })
}

fn flipped(operator: &str) -> &str {
    match operator {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        same => same,
    }
}

fn compared(operator: &str, a: &Literal, b: &Literal) -> Option<bool> {
    Some(match (operator, a, b) {
        ("==", a, b) => a == b,
        ("!=", a, b) => a != b,
        ("<", Literal::Number(a), Literal::Number(b)) => a < b,
        ("<=", Literal::Number(a), Literal::Number(b)) => a <= b,
        (">", Literal::Number(a), Literal::Number(b)) => a > b,
        (">=", Literal::Number(a), Literal::Number(b)) => a >= b,
        _ => return None,
    })
}
