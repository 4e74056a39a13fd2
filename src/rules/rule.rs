//! One compiled rule, and calling its functions.

use super::moment::{Moment, PastDecision};
use super::record::value;
use crate::event::{Path, Value};
use crate::terms::Terms;
use rhai::{AST, CallFnOptions, Dynamic, Engine, EvalAltResult, Scope};
use rust_decimal::Decimal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A compiled rule file.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What its `RULE` map says.
    pub terms: Terms,
    /// Its file, relative to the rules folder.
    pub file: Arc<str>,
    /// A hash of its text and of all that it may call: what changes when the rule may behave otherwise.
    pub digest: u64,
    /// Its place among the rules that it was compiled with.
    pub(super) number: usize,
    pub(super) functions: AST,
    /// How many parameters each of [`Function::ALL`] takes; 0 for one that is not there.
    pub(super) parameters: [usize; 5],
    /// Where each of [`Function::ALL`] stands: line and column.
    pub(super) places: [Option<(usize, usize)>; 5],
}

/// The functions of a rule file that the engine calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Whether it wants to speak.
    When,
    /// What it says.
    Action,
    /// What it expects to win by it.
    Score,
    /// Whether it still wants to speak, after a wait.
    Still,
    /// Whether an event is what an earlier action was for.
    Converted,
}

impl Function {
    /// Each of them.
    pub const ALL: [Self; 5] = [
        Self::When,
        Self::Action,
        Self::Score,
        Self::Still,
        Self::Converted,
    ];

    /// Its name in a file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::When => "when",
            Self::Action => "action",
            Self::Score => "score",
            Self::Still => "still",
            Self::Converted => "converted",
        }
    }

    /// How it is written.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::When => "fn when(event, customer) { … }",
            Self::Action => "fn action(event, customer, variant, step) { … }",
            Self::Score => "fn score(event, customer) { … }",
            Self::Still => "fn still(event, customer) { … }",
            Self::Converted => "fn converted(event, customer, decision) { … }",
        }
    }

    /// How many parameters it may take.
    pub(super) fn parameters(self) -> std::ops::RangeInclusive<usize> {
        match self {
            Self::When | Self::Score | Self::Still => 2..=2,
            Self::Action => 2..=4,
            Self::Converted => 3..=3,
        }
    }

    pub(super) const fn is_required(self) -> bool {
        matches!(self, Self::When | Self::Action)
    }
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

impl Rule {
    /// Whether the file defines a function.
    #[must_use]
    pub fn has(&self, function: Function) -> bool {
        self.parameters[function as usize] > 0
    }

    /// Whether `when`, `still` or `converted` says yes.
    pub(super) fn holds(
        &self,
        engine: &Engine,
        function: Function,
        moment: &Moment<'_>,
        decision: Option<&PastDecision>,
    ) -> Result<bool, RuleError> {
        self.holds_as(engine, (function, function.name()), moment, decision)
    }

    /// The same of another function, which stands for this one.
    pub(super) fn holds_as(
        &self,
        engine: &Engine,
        (function, name): (Function, &str),
        moment: &Moment<'_>,
        decision: Option<&PastDecision>,
    ) -> Result<bool, RuleError> {
        let (event, customer) = moment.views();
        let mut arguments = vec![event, customer];
        arguments.extend(decision.map(PastDecision::view));
        let returned = self.call_as(engine, (function, name), arguments)?;
        returned.as_bool().map_err(|found| {
            self.error(
                function,
                format!("must return true or false, not {}", friendly(found)),
            )
        })
    }

    /// What the rule expects to win by speaking.
    pub(super) fn score(&self, engine: &Engine, moment: &Moment<'_>) -> Result<Decimal, RuleError> {
        let (event, customer) = moment.views();
        let returned = self.call(engine, Function::Score, vec![event, customer])?;
        super::record::decimal(&returned).ok_or_else(|| {
            let found = friendly(returned.type_name());
            self.error(
                Function::Score,
                format!("must return a number, not {found}"),
            )
        })
    }

    /// What the rule says; `None` for nothing.
    pub(super) fn action(
        &self,
        engine: &Engine,
        moment: &Moment<'_>,
        variant: &str,
        step: u32,
    ) -> Result<Option<Value>, RuleError> {
        let (event, customer) = moment.views();
        let mut arguments = vec![
            event,
            customer,
            variant.to_owned().into(),
            i64::from(step).into(),
        ];
        arguments.truncate(self.parameters[Function::Action as usize]);
        let returned = self.call(engine, Function::Action, arguments)?;
        match value(&returned, Path::Whole("body")) {
            Ok(Value::Null) => Ok(None),
            Ok(body @ Value::Record(_)) => Ok(Some(body)),
            Ok(other) => Err(self.error(
                Function::Action,
                format!("must return a map `#{{ … }}` or `()`, not {}", other.kind()),
            )),
            Err(message) => Err(self.error(Function::Action, message)),
        }
    }

    fn call(
        &self,
        engine: &Engine,
        function: Function,
        arguments: Vec<Dynamic>,
    ) -> Result<Dynamic, RuleError> {
        self.call_as(engine, (function, function.name()), arguments)
    }

    fn call_as(
        &self,
        engine: &Engine,
        (function, name): (Function, &str),
        arguments: Vec<Dynamic>,
    ) -> Result<Dynamic, RuleError> {
        let options = CallFnOptions::new().eval_ast(false);
        let mut scope = Scope::new();
        let called = catch_unwind(AssertUnwindSafe(|| {
            engine.call_fn_with_options::<Dynamic>(
                options,
                &mut scope,
                &self.functions,
                name,
                arguments,
            )
        }));
        match called {
            Ok(Ok(returned)) => Ok(returned),
            Ok(Err(error)) => Err(self.evaluation_error(function, &error)),
            Err(_) => Err(self.error(function, "the interpreter panicked".to_owned())),
        }
    }

    /// A fault of one of its functions as a whole, such as what it returned.
    #[must_use]
    pub fn error(&self, function: Function, message: String) -> RuleError {
        let place = self.places[function as usize];
        RuleError {
            file: self.file.clone(),
            function: function.name(),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            message,
        }
    }

    fn evaluation_error(&self, function: Function, error: &EvalAltResult) -> RuleError {
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

/// What Rhai calls a kind of value, in a user's words.
fn friendly(kind: &str) -> &str {
    match kind {
        "()" => "nothing",
        "i64" | "decimal" => "a number",
        "string" => "text",
        "map" => "a map",
        "array" => "a list",
        other => other,
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
