//! One compiled rule, and calling its functions.

use super::api::CustomerView;
use super::record::{Record, value};
use crate::event::{Event, Path, Schema, Value};
use crate::state::{Customer, Customers};
use crate::terms::Terms;
use rhai::{AST, CallFnOptions, Dynamic, Engine, EvalAltResult, Scope};
use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A compiled rule file.
#[derive(Debug)]
pub struct Rule {
    /// What its `RULE` map says.
    pub terms: Terms,
    /// Its file, relative to the rules folder.
    pub file: Arc<str>,
    pub(super) functions: AST,
    /// Whether `action` takes the variant.
    pub(super) takes_variant: bool,
    /// Where `when` and `action` stand: line and column.
    pub(super) places: [Option<(usize, usize)>; 2],
}

/// What a function of a rule failed with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("{file}:{}:{}: `{function}` failed: {message}", line.unwrap_or(0), column.unwrap_or(0))]
pub struct RuleError {
    /// The rule's file.
    pub file: Arc<str>,
    /// The function that was called.
    pub function: &'static str,
    /// Line, from 1.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// What went wrong.
    pub message: String,
}

/// An event and its customer as of that event, ready to be shown to rules.
pub struct Moment<'a> {
    event: &'a Event,
    customer: &'a Arc<Customer>,
    customers: &'a Arc<Customers>,
    schema: &'a Arc<Schema>,
    index: usize,
    /// Made when the first rule needs them.
    views: OnceCell<(Dynamic, Dynamic)>,
    trimmed: Arc<AtomicBool>,
}

impl<'a> Moment<'a> {
    pub(super) fn new(
        event: &'a Event,
        customer: &'a Arc<Customer>,
        customers: &'a Arc<Customers>,
        schema: &'a Arc<Schema>,
        index: usize,
    ) -> Self {
        Self {
            event,
            customer,
            customers,
            schema,
            index,
            views: OnceCell::new(),
            trimmed: Arc::default(),
        }
    }

    /// Whether a rule asked for a window that reaches over the edge of the journal.
    #[must_use]
    pub fn crossed_trimmed_edge(&self) -> bool {
        self.trimmed.load(Ordering::Relaxed)
    }

    fn views(&self) -> (Dynamic, Dynamic) {
        let (event, customer) = self.views.get_or_init(|| {
            let view = CustomerView::new(
                self.event,
                self.customer.clone(),
                self.customers.clone(),
                self.schema.clone(),
                self.index,
                self.trimmed.clone(),
            );
            (
                Dynamic::from(Record::of_event(self.event)),
                Dynamic::from(view),
            )
        });
        (event.clone(), customer.clone())
    }
}

impl Rule {
    /// Whether the rule's condition holds.
    pub(super) fn when(&self, engine: &Engine, moment: &Moment<'_>) -> Result<bool, RuleError> {
        let returned = self.call(engine, "when", moment, None)?;
        returned
            .as_bool()
            .map_err(|found| self.error("when", format!("must return true or false, not {found}")))
    }

    /// What the rule says; `None` for nothing.
    pub(super) fn action(
        &self,
        engine: &Engine,
        moment: &Moment<'_>,
        variant: &str,
    ) -> Result<Option<Value>, RuleError> {
        let variant = self.takes_variant.then_some(variant);
        let returned = self.call(engine, "action", moment, variant)?;
        match value(&returned, Path::Whole("body")) {
            Ok(Value::Null) => Ok(None),
            Ok(body @ Value::Record(_)) => Ok(Some(body)),
            Ok(other) => Err(self.error(
                "action",
                format!("must return a map `#{{ … }}` or `()`, not {}", other.kind()),
            )),
            Err(message) => Err(self.error("action", message)),
        }
    }

    fn call(
        &self,
        engine: &Engine,
        function: &'static str,
        moment: &Moment<'_>,
        variant: Option<&str>,
    ) -> Result<Dynamic, RuleError> {
        let (event, customer) = moment.views();
        let options = CallFnOptions::new().eval_ast(false);
        let mut scope = Scope::new();
        let called = catch_unwind(AssertUnwindSafe(|| match variant {
            None => engine.call_fn_with_options::<Dynamic>(
                options,
                &mut scope,
                &self.functions,
                function,
                (event, customer),
            ),
            Some(variant) => engine.call_fn_with_options::<Dynamic>(
                options,
                &mut scope,
                &self.functions,
                function,
                (event, customer, variant.to_owned()),
            ),
        }));
        match called {
            Ok(Ok(returned)) => Ok(returned),
            Ok(Err(error)) => Err(self.evaluation_error(function, &error)),
            Err(_) => Err(self.error(function, "the interpreter panicked".to_owned())),
        }
    }

    /// A fault of one of its functions as a whole, such as what it returned.
    #[must_use]
    pub fn error(&self, function: &'static str, message: String) -> RuleError {
        let place = self.places[usize::from(function == "action")];
        RuleError {
            file: self.file.clone(),
            function,
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            message,
        }
    }

    fn evaluation_error(&self, function: &'static str, error: &EvalAltResult) -> RuleError {
        // The place in the rule's own file is the outermost; the cause is the innermost.
        let mut position = error.position();
        let mut cause = error;
        while let EvalAltResult::ErrorInFunctionCall(_, _, inner, at) = cause {
            if position.is_none() {
                position = *at;
            }
            if position.is_none() || self.is_own(cause) {
                position = inner.position();
            }
            cause = inner;
        }
        let message = match cause {
            EvalAltResult::ErrorRuntime(thrown, _) => thrown.to_string(),
            EvalAltResult::ErrorTooManyOperations(_) => {
                "took too many operations: look for a loop without an end".to_owned()
            }
            EvalAltResult::ErrorStackOverflow(_) => {
                "calls itself too deeply: look for a recursion without an end".to_owned()
            }
            other => without_position(other),
        };
        let whole = self.error(function, message);
        match position.line().zip(position.position()) {
            // An error of a limit has no place of its own: the function's must do.
            None => whole,
            Some((line, column)) => RuleError {
                line: Some(line),
                column: Some(column),
                ..whole
            },
        }
    }

    /// Whether an error arose in a function of this file rather than in a library's.
    fn is_own(&self, error: &EvalAltResult) -> bool {
        matches!(error, EvalAltResult::ErrorInFunctionCall(name, _, _, _)
            if self.functions.iter_functions().any(|f| f.name == name))
    }
}

/// The text of an error without its position, which is told apart.
fn without_position(error: &EvalAltResult) -> String {
    let text = error.to_string();
    match text.rfind(" (line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}
