//! What Rhai's parser says, in words that a marketer can act on: the slips that people make most.

use super::diagnostic::Diagnostic;
use super::sources::Source;
use rhai::{ParseError, ParseErrorType};

/// A parse error as a diagnostic.
pub(super) fn explain(source: &Source, error: &ParseError) -> Diagnostic {
    let at = error.position();
    let message = error.err_type().to_string();
    let forbidden = ["import", "export", "eval"]
        .iter()
        .any(|word| message.contains(&format!("'{word}'")));
    let hint = match error.err_type() {
        _ if forbidden => {
            "a rule cannot load or make code: functions that several rules share stand in lib/<file>.rhai and are called as <file>::<function>(…)".to_owned()
        }
        ParseErrorType::VariableUndefined(name) => {
            format!("a function sees only what it is given: is `event.{name}` or `customer.{name}` meant?")
        }
        ParseErrorType::ExprTooDeep => "take it apart into functions of its own".to_owned(),
        _ => "this is not Rhai; the place is where reading stopped, the slip is there or just before"
            .to_owned(),
    };
    Diagnostic::whole(&source.path, &source.text, message)
        .at(at.line().zip(at.position()))
        .hint(hint)
        .code("syntax")
}
