//! Calls: of the customer's functions and the helpers, which the catalogue knows, and of functions that
//! stand in a file, which are walked with what they are handed.

use super::arguments::arity;
use super::file::{FileView, FunctionView};
use super::findings::Fault;
use super::kind::{self, Kind, Type};
use super::statements::changed;
use super::text::is_membership;
use super::walk::{Binding, Walker};
use crate::rules::catalogue::{CUSTOMER_FUNCTIONS, HELPERS, Returns, is_standard};
use crate::rules::diagnostic::did_you_mean;
use rhai::{Expr, FnCallExpr, Position};
use std::collections::{HashMap, HashSet};
use std::mem::{replace, take};

/// What is known of the functions that were walked.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// By file, function and arguments: what it returns; `None` while it is being walked.
    known: HashMap<(String, String, Vec<usize>), Option<Type>>,
    /// File and function of each that is called from somewhere.
    pub(super) called: HashSet<(String, String)>,
}

/// How deep functions that call functions are followed.
const DEPTH_MAX: usize = 12;

impl<'a> Walker<'_, 'a> {
    pub(super) fn call(&mut self, call: &FnCallExpr, at: Position, expr: &Expr) -> Type {
        if call.op_token.is_some() || is_membership(call) {
            return self.operator(call, expr);
        }
        if !call.namespace.is_empty() {
            return self.qualified(call, expr);
        }
        let name = call.name.as_str();
        let own = self.file.functions.iter().filter(|f| f.name == name);
        let own: Vec<&FunctionView> = own.collect();
        let arguments: Vec<Type> = call.args.iter().map(|arg| self.expr(arg)).collect();
        if let Some(function) = own.iter().find(|f| f.parameters.len() == arguments.len()) {
            return self.enter(self.file, function, &arguments);
        }
        if let Some(function) = own.first() {
            let mut fault = arity(name, &[function.parameters.len()], arguments.len());
            fault.hint = definition(function);
            self.note_call(self.file, function);
            let span = self.span(expr);
            self.error(span, fault);
            return Type::ANY;
        }
        if let Some(helper) = HELPERS.iter().find(|helper| helper.name == name) {
            return self.helper(helper, call, &arguments, expr);
        }
        let first_is_customer = arguments.first().is_some_and(|a| a.kind == Kind::Customer);
        let customers = CUSTOMER_FUNCTIONS.iter().find(|f| f.name == name);
        if let Some(function) = customers.filter(|_| first_is_customer) {
            return self.customer_call(function, &call.args[1..], (at, None));
        }
        if !is_standard(name) {
            let known_variable = self.scope.iter().any(|v| v.name == name);
            if !known_variable {
                self.unknown_function(name, at, customers.is_some());
            }
        }
        Type::ANY
    }

    fn unknown_function(&mut self, name: &str, at: Position, is_customers: bool) {
        let libraries = &self.world.libraries;
        let holder = libraries
            .iter()
            .find(|(_, file)| file.function(name).is_some());
        if let Some((_, file)) = holder
            && let Some(function) = file.function(name)
        {
            self.note_call(file, function);
        }
        let own = self.file.functions.iter().map(|f| f.name.as_str());
        let helpers = HELPERS.iter().map(|f| f.name);
        let hint = if is_customers {
            format!("it is asked of the customer: write `customer.{name}(…)`")
        } else if let Some((library, _)) = holder {
            format!("it stands in lib/{library}.rhai: write `{library}::{name}(…)`")
        } else if let Some(meant) = did_you_mean(name, own.chain(helpers)) {
            format!("did you mean `{meant}`?")
        } else {
            format!(
                "write `fn {name}(…) {{ … }}` in this file, or in lib/ if several rules need it"
            )
        };
        let span = self.file.marks().token(at);
        self.error(
            span,
            Fault::new(
                "unknown-function",
                format!("there is no function `{name}`"),
                "unknown function",
                hint,
            ),
        );
    }

    fn unknown_library(&mut self, library: &str, name: &str, expr: &Expr) {
        let world = self.world;
        if library != "global" && !world.faulty.contains(library) {
            let known = world.libraries.keys().map(String::as_str);
            let meant = did_you_mean(library, known);
            let file = meant.and_then(|meant| world.libraries.get(meant));
            if let Some(file) = file
                && let Some(function) = file.function(name)
            {
                self.note_call(file, function);
            }
            let hint = meant.map_or_else(
                || format!("put the functions that several rules share into lib/{library}.rhai"),
                |meant| format!("did you mean `{meant}::{name}`?"),
            );
            let span = self.span(expr);
            self.error(
                span,
                Fault::new(
                    "unknown-library",
                    format!("there is no lib/{library}.rhai"),
                    "unknown library",
                    hint,
                ),
            );
        }
    }

    /// A call of a library's function, `library::function(…)`.
    fn qualified(&mut self, call: &FnCallExpr, expr: &Expr) -> Type {
        let library = call.namespace.root().to_string();
        let name = call.name.as_str();
        let arguments: Vec<Type> = call.args.iter().map(|arg| self.expr(arg)).collect();
        let world = self.world;
        let Some(file) = world.libraries.get(library.as_str()) else {
            self.unknown_library(&library, name, expr);
            return Type::ANY;
        };
        let named = file.functions.iter().filter(|f| f.name == name);
        let named: Vec<&FunctionView> = named.collect();
        if let Some(function) = named.iter().find(|f| f.parameters.len() == arguments.len()) {
            return self.enter(file, function, &arguments);
        }
        let fault = if let Some(function) = named.first() {
            let called = format!("{library}::{name}");
            self.note_call(file, function);
            let fault = arity(&called, &[function.parameters.len()], arguments.len());
            Fault {
                hint: definition(function),
                ..fault
            }
        } else {
            let known = file.functions.iter().map(|f| f.name.as_str());
            let meant = did_you_mean(name, known.clone());
            if let Some(function) = meant.and_then(|meant| file.function(meant)) {
                self.note_call(file, function);
            }
            let hint = meant.map_or_else(
                || {
                    let names: Vec<&str> = known.filter(|n| !n.contains('$')).collect();
                    format!("lib/{library}.rhai has {}", names.join(", "))
                },
                |meant| format!("did you mean `{library}::{meant}`?"),
            );
            Fault::new(
                "unknown-function",
                format!("lib/{library}.rhai has no function `{name}`"),
                "unknown function",
                hint,
            )
        };
        let span = self.span(expr);
        self.error(span, fault);
        Type::ANY
    }

    /// Remembers that somebody calls a function, or means to.
    fn note_call(&mut self, file: &FileView<'_>, function: &FunctionView) {
        let called = (file.source.path.to_string(), function.name.clone());
        self.calls.called.insert(called);
    }

    /// What a function of a file returns for such arguments. It is walked once for each kind of them.
    pub(super) fn enter(
        &mut self,
        file: &FileView<'a>,
        function: &FunctionView,
        arguments: &[Type],
    ) -> Type {
        let path = file.source.path.to_string();
        self.note_call(file, function);
        let widened: Vec<Type> = arguments.iter().map(widened).collect();
        let key = (
            path,
            function.name.clone(),
            widened.iter().map(fingerprint).collect(),
        );
        match self.calls.known.get(&key) {
            Some(known) => return known.clone().unwrap_or(Type::ANY),
            None if self.quiet => return Type::ANY,
            None if self.calls.known.values().filter(|k| k.is_none()).count() > DEPTH_MAX => {
                return Type::ANY;
            }
            None => {}
        }
        self.calls.known.insert(key.clone(), None);
        let mut inner = Walker {
            world: self.world,
            file,
            findings: self.findings,
            calls: self.calls,
            on: self.on,
            scope: Vec::new(),
            changed: HashSet::new(),
            returned: Type::NEVER,
            maps: HashMap::new(),
            asks_type: false,
            name: function.name.clone(),
            wanted: None,
            quiet: false,
        };
        let found = inner.function(function, widened);
        self.calls.known.insert(key, Some(found.clone()));
        found
    }

    /// Walks a function's body with what it is handed.
    pub(super) fn function(&mut self, function: &FunctionView, arguments: Vec<Type>) -> Type {
        self.changed = changed(&function.body);
        self.asks_type = super::walks_over_type(&function.body);
        let names = function.parameters.iter().cloned();
        self.scope = names
            .zip(arguments)
            .map(|(name, kind)| Binding {
                kind: if self.changed.contains(&name) {
                    Type::ANY
                } else {
                    kind
                },
                name,
                declared: None,
                used: false,
            })
            .collect();
        let last = self.block(&function.body);
        if let Some(statement) = function.body.last()
            && !self.sets_instead_of_comparing(statement)
        {
            self.returns(&last, |walker| walker.file.marks().statement(statement));
        }
        let returned = replace(&mut self.returned, Type::NEVER);
        self.maps = take(&mut self.maps);
        last.either(returned)
    }

    /// `.name(…)` on something.
    pub(super) fn method(
        &mut self,
        of: &Type,
        call: &FnCallExpr,
        at: Position,
        root: &Expr,
    ) -> Type {
        let name = call.name.as_str();
        if of.kind == Kind::Customer
            && let Some(function) = CUSTOMER_FUNCTIONS.iter().find(|f| f.name == name)
        {
            for arg in &call.args {
                self.expr(arg);
            }
            return self.customer_call(function, &call.args, (at, Some(root)));
        }
        self.exprs(call.args.iter());
        let own = self.file.function(name).is_some();
        let helper = HELPERS.iter().any(|helper| helper.name == name);
        if own || helper || is_standard(name) || of.kind == Kind::Any {
            return Type::ANY;
        }
        let customers = CUSTOMER_FUNCTIONS.iter().map(|f| f.name);
        let is_customers = customers.clone().any(|known| known == name);
        let (what, hint) = match &of.kind {
            Kind::Customer => {
                let hint = if kind::property(name, self.world.schema).is_some() {
                    format!("it is asked without brackets: `customer.{name}`")
                } else {
                    did_you_mean(name, customers).map_or_else(
                        || "see \"The customer\" in docs/rules.md for all of them".to_owned(),
                        |meant| format!("did you mean `{meant}`?"),
                    )
                };
                ("a customer", hint)
            }
            Kind::Object(object) if is_customers => (
                if object.types.is_empty() {
                    "this object"
                } else {
                    "an event"
                },
                format!("it is asked of the customer: `customer.{name}(…)`"),
            ),
            Kind::Object(object) => (
                if object.types.is_empty() {
                    "this object"
                } else {
                    "an event"
                },
                "fields are asked without brackets".to_owned(),
            ),
            _ => (
                of.name(),
                "look the function up in docs/rules.md".to_owned(),
            ),
        };
        let span = self.file.marks().token(at);
        self.error(
            span,
            Fault::new(
                "unknown-function",
                format!("{what} has no function `{name}`"),
                "unknown function",
                hint,
            ),
        );
        Type::ANY
    }

    fn helper(
        &mut self,
        helper: &crate::rules::catalogue::Function,
        call: &FnCallExpr,
        arguments: &[Type],
        expr: &Expr,
    ) -> Type {
        // Rhai's own `round(x)` takes no digits.
        let plain = helper.name == "round" && arguments.len() == 1;
        let texts = arguments.iter().all(|a| a.is_text());
        let fits = helper.signatures.iter().any(|s| s.len() == arguments.len());
        if !fits && !plain {
            let wanted: Vec<usize> = helper.signatures.iter().map(|s| s.len()).collect();
            let mut fault = arity(helper.name, &wanted, arguments.len());
            fault.hint = format!("for example `{}`", helper.example);
            let span = self.span(expr);
            self.error(span, fault);
            return Type::ANY;
        }
        if texts && ["min", "max"].contains(&helper.name) {
            return Type::TEXT;
        }
        for (argument, found) in call.args.iter().zip(arguments) {
            self.number(argument, found, helper.name);
        }
        match (helper.name, arguments) {
            ("min" | "max", [a, b]) => super::operators::extreme(helper.name, a, b),
            ("money", _) => Type::TEXT,
            _ => Type::returned(
                match helper.returns {
                    Returns::Number => Returns::Number,
                    other => other,
                },
                &|_| None,
            ),
        }
    }
}

fn definition(function: &FunctionView) -> String {
    let parameters = function.parameters.join(", ");
    format!("it is written `fn {}({parameters})`", function.name)
}

/// What a function is told apart by: not the numbers and words themselves.
fn widened(kind: &Type) -> Type {
    let wider = match &kind.kind {
        Kind::Number(..) => Kind::Number(None, None),
        Kind::Text(_) => Kind::Text(None),
        Kind::Map(_) => Kind::Any,
        other => other.clone(),
    };
    Type {
        kind: wider,
        optional: kind.optional,
    }
}

fn fingerprint(kind: &Type) -> usize {
    let of = match &kind.kind {
        Kind::Any | Kind::Map(_) => 0,
        Kind::Unit => 1,
        Kind::Boolean => 2,
        Kind::Number(..) => 3,
        Kind::Text(_) => 4,
        Kind::List => 5,
        Kind::Customer => 6,
        Kind::Never => 7,
        Kind::Object(object) => std::rc::Rc::as_ptr(object).addr(),
    };
    of * 2 + usize::from(kind.optional)
}
