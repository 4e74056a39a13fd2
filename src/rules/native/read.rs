//! From the syntax tree of `when` to nodes; `None` for whatever is not understood.

use super::ask::{Ask, AskId, Asks};
use super::node::{Const, Node, REGISTERS, Step};
use super::operators::{Arithmetic, Compare};
use super::{Condition, calls};
use crate::event::Schema;
use crate::rules::analysis::FunctionView;
use rhai::{ASTFlags, BinaryExpr, Dynamic, Expr, FlowControl, FnCallExpr, Stmt, Token};
use std::collections::BTreeMap;

/// How deep functions may call one another to be put in place of their calls.
const CALLS_MAX: usize = 8;
/// Nodes of one condition: far fewer than the operations that Rhai allows.
const NODES_MAX: usize = 600;

/// The functions of a file.
pub(in crate::rules) type Functions = Vec<FunctionView>;

/// Reads the condition of a rule as far as it is understood; `None` if not even its beginning is.
pub(super) fn condition(
    own: &Functions,
    libraries: &BTreeMap<String, Functions>,
    schema: &Schema,
    asks: &mut Asks,
) -> Option<Condition> {
    let when = own.iter().find(|f| f.name == "when")?;
    if own.iter().filter(|f| f.name == "when").count() > 1 {
        return None;
    }
    let mut reader = Reader {
        own,
        libraries,
        home: None,
        schema,
        asks,
        scope: Vec::new(),
        registers: 0,
        depth: 0,
        nodes: 0,
    };
    for (name, binding) in when
        .parameters
        .iter()
        .zip([Binding::Event, Binding::Customer])
    {
        reader.scope.push((name.clone(), binding));
    }
    reader.whole(&when.body)
}

/// What a name stands for.
#[derive(Clone, Debug)]
enum Binding {
    Event,
    Customer,
    Const(Const),
    Register(u8),
}

pub(super) struct Reader<'r> {
    own: &'r Functions,
    libraries: &'r BTreeMap<String, Functions>,
    /// The library whose function is being read; `None` in the rule's own file.
    home: Option<&'r Functions>,
    pub(super) schema: &'r Schema,
    asks: &'r mut Asks,
    scope: Vec<(String, Binding)>,
    registers: usize,
    depth: usize,
    nodes: usize,
}

impl<'r> Reader<'r> {
    pub(super) fn ask(&mut self, ask: Ask) -> Node {
        let id: AskId = self.asks.number(ask);
        Node::Ask(id)
    }

    /// The body of `when`: what it gives names to first, then what must hold.
    fn whole(&mut self, statements: &'r [Stmt]) -> Option<Condition> {
        let mut condition = Condition {
            lets: Vec::new(),
            conjuncts: Vec::new(),
            is_whole: false,
        };
        let (last, first) = statements.split_last()?;
        let is_plain = first.iter().all(|s| matches!(s, Stmt::Var(..)));
        let expr = match last {
            Stmt::Expr(expr) => Some(&**expr),
            Stmt::Return(Some(expr), flags, _) if !flags.contains(ASTFlags::BREAK) => Some(&**expr),
            _ => None,
        };
        let Some(expr) = expr.filter(|_| is_plain) else {
            let node = self.block(statements)?;
            condition.conjuncts.push(node);
            condition.is_whole = true;
            return Some(condition);
        };
        for statement in first {
            match self.statement(statement)? {
                Step::Let(register, node) => condition.lets.push((register, node)),
                Step::Value(_) => {}
            }
        }
        condition.is_whole = self.conjuncts(expr, &mut condition.conjuncts);
        (condition.is_whole || !condition.conjuncts.is_empty()).then_some(condition)
    }

    /// What an expression puts together with `&&`, from left to right, up to the first that is not understood;
    /// tells whether there was none.
    fn conjuncts(&mut self, expr: &'r Expr, found: &mut Vec<Node>) -> bool {
        match expr {
            Expr::And(parts, _) => parts.iter().all(|part| self.conjuncts(part, found)),
            Expr::FnCall(call, _) => match self.opened(call) {
                Some((inner, outer)) => {
                    let is_whole = self.conjuncts(inner, found);
                    self.close(outer);
                    is_whole
                }
                None => self.conjunct(expr, found),
            },
            _ => self.conjunct(expr, found),
        }
    }

    fn conjunct(&mut self, expr: &'r Expr, found: &mut Vec<Node>) -> bool {
        let node = self.expr(expr);
        let is_read = node.is_some();
        found.extend(node);
        is_read
    }

    /// Opens a function that consists of one expression and is handed nothing that must be computed before.
    fn opened(&mut self, call: &'r FnCallExpr) -> Option<(&'r Expr, Outer<'r>)> {
        let (function, home) = self.function(call)?;
        let [Stmt::Expr(inner)] = &function.body[..] else {
            return None;
        };
        let bindings = call.args.iter().map(|argument| self.alias(argument));
        let bindings: Option<Vec<Binding>> = bindings.collect();
        let outer = self.open(function, home, bindings?)?;
        Some((inner, outer))
    }

    fn open(
        &mut self,
        function: &'r FunctionView,
        home: Option<&'r Functions>,
        bindings: Vec<Binding>,
    ) -> Option<Outer<'r>> {
        if self.depth == CALLS_MAX {
            return None;
        }
        self.depth += 1;
        let names = function.parameters.iter().cloned();
        let scope = std::mem::replace(&mut self.scope, names.zip(bindings).collect());
        let home = std::mem::replace(&mut self.home, home);
        Some(Outer { scope, home })
    }

    fn close(&mut self, outer: Outer<'r>) {
        self.depth -= 1;
        self.scope = outer.scope;
        self.home = outer.home;
    }

    /// The function that a call means, if it is one of a rule file, and where that one looks for others.
    fn function(&self, call: &FnCallExpr) -> Option<(&'r FunctionView, Option<&'r Functions>)> {
        if call.op_token.is_some() || call.capture_parent_scope {
            return None;
        }
        let (functions, home) = match &call.namespace.path[..] {
            [] => (self.home.unwrap_or(self.own), self.home),
            [library] => {
                let library = self.libraries.get(library.name.as_str())?;
                (library, Some(library))
            }
            _ => return None,
        };
        let mut named = functions.iter().filter(|f| f.name == call.name);
        let found = named.next()?;
        let fits = found.parameters.len() == call.args.len() && !found.is_method;
        // Of two with one name, which is meant would have to be worked out.
        (fits && named.next().is_none()).then_some((found, home))
    }

    /// Whether a name without a library before it may be a function of a file.
    pub(super) fn is_scripted(&self, name: &str) -> bool {
        let home = self.home.into_iter().flatten();
        self.own.iter().chain(home).any(|f| f.name == name)
    }

    /// What an argument stands for, if it need not be computed.
    fn alias(&self, expr: &Expr) -> Option<Binding> {
        match expr {
            Expr::Variable(..) => self.variable(expr).cloned(),
            _ => self.constant(expr).map(Binding::Const),
        }
    }

    fn variable(&self, expr: &Expr) -> Option<&Binding> {
        let Expr::Variable(parts, _, _) = expr else {
            return None;
        };
        if !parts.2.is_empty() {
            return None;
        }
        let mut scope = self.scope.iter().rev();
        let found = scope.find(|(name, _)| *name == parts.1.as_str());
        found.map(|(_, binding)| binding)
    }

    /// A value that stands in the file.
    pub(super) fn constant(&self, expr: &Expr) -> Option<Const> {
        Some(match expr {
            Expr::Unit(_) => Const::Unit,
            Expr::BoolConstant(b, _) => Const::Bool(*b),
            Expr::IntegerConstant(n, _) => Const::Int(*n),
            Expr::StringConstant(text, _) => Const::Text(text.as_str().into()),
            Expr::DynamicConstant(value, _) => calls::constant(value)?,
            Expr::Variable(..) => match self.variable(expr)? {
                Binding::Const(value) => value.clone(),
                _ => return None,
            },
            _ => return None,
        })
    }

    /// An expression.
    pub(super) fn expr(&mut self, expr: &'r Expr) -> Option<Node> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return None;
        }
        if let Some(value) = self.constant(expr) {
            return Some(Node::Const(value));
        }
        match expr {
            Expr::Variable(..) => match self.variable(expr)? {
                Binding::Register(register) => Some(Node::Register(*register)),
                _ => None,
            },
            Expr::And(parts, _) => self.exprs(parts.iter()).map(Node::All),
            Expr::Or(parts, _) => self.exprs(parts.iter()).map(Node::Any),
            Expr::Coalesce(parts, _) => self.exprs(parts.iter()).map(Node::First),
            Expr::Dot(parts, flags, _) if !flags.contains(ASTFlags::NEGATED) => self.dot(parts),
            Expr::FnCall(call, _) => self.call(call),
            Expr::Stmt(block) => self.block(block.statements()),
            _ => None,
        }
    }

    fn exprs(&mut self, exprs: impl Iterator<Item = &'r Expr>) -> Option<Vec<Node>> {
        exprs.map(|expr| self.expr(expr)).collect()
    }

    /// A field of the event, or something asked of the customer.
    fn dot(&mut self, parts: &'r BinaryExpr) -> Option<Node> {
        match self.variable(&parts.lhs)? {
            Binding::Event => {
                let mut path = Vec::new();
                event_path(&parts.rhs, &mut path)?;
                Some(self.ask(Ask::Event(path.into())))
            }
            Binding::Customer => match &parts.rhs {
                Expr::Property(name, _) => {
                    let ask = calls::property(&name.2, self.schema)?;
                    Some(self.ask(ask))
                }
                Expr::MethodCall(call, _) if !self.is_scripted(&call.name) => {
                    if matches!(call.name.as_str(), "count" | "since") {
                        return calls::of_entries(self, call);
                    }
                    let ask = calls::of_customer(self, call)?;
                    Some(self.ask(ask))
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn call(&mut self, call: &'r FnCallExpr) -> Option<Node> {
        if let Some((function, home)) = self.function(call) {
            return self.inlined(call, function, home);
        }
        if !call.namespace.path.is_empty() || call.capture_parent_scope {
            return None;
        }
        if call.name == "contains" && !self.is_scripted("contains") {
            return self.membership(call);
        }
        match (&call.op_token, &call.args[..]) {
            (Some(Token::Bang), [inner]) => Some(Node::Not(self.boxed(inner)?)),
            (Some(Token::UnaryMinus | Token::Minus), [inner]) => {
                Some(Node::Negative(self.boxed(inner)?))
            }
            (Some(token), [left, right]) => self.binary(token, left, right),
            (None, [left, right]) if !self.is_scripted(&call.name) => {
                let (left, right) = (self.boxed(left)?, self.boxed(right)?);
                Some(match call.name.as_str() {
                    "min" => Node::Compute(Arithmetic::Least, left, right),
                    "max" => Node::Compute(Arithmetic::Most, left, right),
                    "round" => Node::Rounded(left, right),
                    _ => return None,
                })
            }
            _ => None,
        }
    }

    fn boxed(&mut self, expr: &'r Expr) -> Option<Box<Node>> {
        self.expr(expr).map(Box::new)
    }

    fn binary(&mut self, token: &Token, left: &'r Expr, right: &'r Expr) -> Option<Node> {
        let compare = match token {
            Token::EqualsTo => Some(Compare::Equal),
            Token::NotEqualsTo => Some(Compare::Unequal),
            Token::LessThan => Some(Compare::Less),
            Token::LessThanEqualsTo => Some(Compare::LessOrEqual),
            Token::GreaterThan => Some(Compare::Greater),
            Token::GreaterThanEqualsTo => Some(Compare::GreaterOrEqual),
            _ => None,
        };
        let compute = match token {
            Token::Plus => Some(Arithmetic::Add),
            Token::Minus => Some(Arithmetic::Subtract),
            Token::Multiply => Some(Arithmetic::Multiply),
            Token::Divide => Some(Arithmetic::Divide),
            Token::Modulo => Some(Arithmetic::Modulo),
            _ => None,
        };
        if compare.is_none() && compute.is_none() {
            return None;
        }
        let (left, right) = (self.boxed(left)?, self.boxed(right)?);
        match (compare, compute) {
            (Some(how), _) => Some(Node::Compare(how, left, right)),
            (_, Some(how)) => Some(Node::Compute(how, left, right)),
            _ => None,
        }
    }

    /// `value in [ … ]`, `value in first..last`: Rhai calls it with its sides exchanged.
    fn membership(&mut self, call: &'r FnCallExpr) -> Option<Node> {
        let [known, value] = &call.args[..] else {
            return None;
        };
        if let Some((first, last)) = calls::range(known) {
            return Some(Node::Within(self.boxed(value)?, first, last));
        }
        let known = match known {
            Expr::Array(items, _) => {
                let items = items.iter().map(|item| self.constant(item));
                items.collect::<Option<Vec<Const>>>()?
            }
            Expr::DynamicConstant(list, _) => constants(list)?,
            _ => return None,
        };
        if known.contains(&Const::Unit) {
            return None;
        }
        Some(Node::OneOf(self.boxed(value)?, known))
    }

    fn inlined(
        &mut self,
        call: &'r FnCallExpr,
        function: &'r FunctionView,
        home: Option<&'r Functions>,
    ) -> Option<Node> {
        let mut arguments = Vec::new();
        let mut bindings = Vec::new();
        for argument in &call.args {
            if let Some(alias) = self.alias(argument) {
                // A register that is written again later must not be seen by the function: none is.
                bindings.push(alias);
                continue;
            }
            let node = self.expr(argument)?;
            let register = self.register()?;
            arguments.push((register, node));
            bindings.push(Binding::Register(register));
        }
        let outer = self.open(function, home, bindings)?;
        let body = self.block(&function.body);
        self.close(outer);
        Some(Node::Call(arguments, Box::new(body?)))
    }

    fn register(&mut self) -> Option<u8> {
        let register = self.registers;
        self.registers += 1;
        (register < REGISTERS).then(|| u8::try_from(register).unwrap_or(u8::MAX))
    }

    /// Statements with a scope of their own.
    fn block(&mut self, statements: &'r [Stmt]) -> Option<Node> {
        let known = self.scope.len();
        let steps = statements.iter().map(|s| self.statement(s));
        let steps: Option<Vec<Step>> = steps.collect();
        self.scope.truncate(known);
        let mut steps = steps?;
        match (steps.len(), steps.pop()) {
            (1, Some(Step::Value(only))) => Some(only),
            (_, last) => {
                steps.extend(last);
                Some(Node::Block(steps))
            }
        }
    }

    fn statement(&mut self, statement: &'r Stmt) -> Option<Step> {
        match statement {
            Stmt::Noop(_) => Some(Step::Value(Node::Const(Const::Unit))),
            Stmt::Expr(expr) => self.expr(expr).map(Step::Value),
            Stmt::FnCall(call, _) => self.call(call).map(Step::Value),
            Stmt::Block(block) => self.block(block.statements()).map(Step::Value),
            Stmt::If(parts, _) => self.choice(parts).map(Step::Value),
            Stmt::Return(value, flags, _) if !flags.contains(ASTFlags::BREAK) => {
                let value = match value {
                    Some(value) => self.expr(value)?,
                    None => Node::Const(Const::Unit),
                };
                Some(Step::Value(Node::Return(value.into())))
            }
            Stmt::Var(parts, flags, _) if !flags.contains(ASTFlags::EXPORTED) => {
                let node = self.expr(&parts.1)?;
                let register = self.register()?;
                let name = parts.0.name.to_string();
                self.scope.push((name, Binding::Register(register)));
                Some(Step::Let(register, node))
            }
            _ => None,
        }
    }

    fn choice(&mut self, parts: &'r FlowControl) -> Option<Node> {
        let condition = self.boxed(&parts.expr)?;
        let then = self.block(parts.body.statements())?;
        let otherwise = self.block(parts.branch.statements())?;
        Some(Node::If(condition, then.into(), otherwise.into()))
    }
}

/// What was known before a function was opened.
struct Outer<'r> {
    scope: Vec<(String, Binding)>,
    home: Option<&'r Functions>,
}

fn event_path(expr: &Expr, path: &mut Vec<Box<str>>) -> Option<()> {
    match expr {
        Expr::Property(name, _) => {
            path.push(name.2.as_str().into());
            Some(())
        }
        Expr::Dot(parts, flags, _) if !flags.contains(ASTFlags::NEGATED) => {
            event_path(&parts.lhs, path)?;
            event_path(&parts.rhs, path)
        }
        _ => None,
    }
}

fn constants(list: &Dynamic) -> Option<Vec<Const>> {
    let list = list.as_array_ref().ok()?;
    list.iter().map(calls::constant).collect()
}
