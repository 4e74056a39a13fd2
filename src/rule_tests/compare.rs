//! What was expected beside what was found, line by line.

use super::document::{Content, Item, Span, Table};
use super::model::{Expectation, Expected, Said, Step, Test};
use super::play::Found;
use crate::action::{Decision, Verdict};
use crate::event::Value;
use rust_decimal::Decimal;
use std::str::FromStr as _;

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// What is compared: `verdict`, `channel`, `body.code`.
    pub what: String,
    /// What the test says.
    pub expected: String,
    /// What the engine says.
    pub found: String,
    /// Whether the two agree.
    pub agrees: bool,
    /// Where the test says so, in bytes.
    #[serde(skip)]
    pub(super) span: Span,
}

/// The word for what is not there.
const ABSENT: &str = "nothing";

/// Compares what was found at a step, or before the first, with what the test says. A function that
/// fails where nobody expects it to is a fault, even if it changes nothing else.
pub(super) fn judged(test: &Test, step: Option<usize>, found: &Found) -> Vec<Row> {
    let step = step.map(|step| &test.steps[step]);
    let mut judged = step.map_or_else(Vec::new, |step| rows(step, found));
    let expectation = step.and_then(|step| step.expect.as_ref());
    let expects_error = expectation
        .is_some_and(|expectation| matches!(expectation.what, Expected::Silence(Verdict::Error)));
    if let (false, Some(error)) = (expects_error, found.errors.first())
        && judged.iter().all(|row| row.agrees)
    {
        let span = step.map_or(&test.span, |step| &step.span);
        let message = format!("`{}` failed: {}", error.function, error.message);
        push(
            &mut judged,
            "error",
            ABSENT.to_owned(),
            message,
            false,
            span,
        );
    }
    judged
}

/// Compares a step line by line; every line that the test lays down is there.
fn rows(step: &Step, found: &Found) -> Vec<Row> {
    let mut rows = step
        .expect
        .as_ref()
        .map_or_else(Vec::new, |e| expected_rows(e, found));
    if let Some((expected, span)) = &step.converted {
        let converted = found.conversions > 0;
        let (wanted, was) = (expected.to_string(), converted.to_string());
        push(
            &mut rows,
            "converted",
            wanted,
            was,
            *expected == converted,
            span,
        );
    }
    rows
}

fn expected_rows(expectation: &Expectation, found: &Found) -> Vec<Row> {
    let mut rows = Vec::new();
    let span = &expectation.span;
    match &expectation.what {
        Expected::Nothing => {
            let agrees = found.decisions.is_empty();
            let said = if agrees {
                ABSENT.to_owned()
            } else {
                verdicts(found)
            };
            push(&mut rows, "verdict", ABSENT.to_owned(), said, agrees, span);
        }
        Expected::Silence(verdict) => {
            let agrees = found.decisions.is_empty() && found.verdicts.contains_key(verdict);
            let said = if agrees {
                verdict.word().to_owned()
            } else {
                verdicts(found)
            };
            push(
                &mut rows,
                "verdict",
                verdict.word().to_owned(),
                said,
                agrees,
                span,
            );
        }
        Expected::Said(expected) => {
            if expected.len() != found.decisions.len() && !found.decisions.is_empty() {
                let (expected, found) = (expected.len(), found.decisions.len());
                let count = |n: usize| format!("{n} action{}", if n == 1 { "" } else { "s" });
                push(
                    &mut rows,
                    "says",
                    count(expected),
                    count(found),
                    false,
                    span,
                );
            }
            for (at, said) in expected.iter().enumerate() {
                match found.decisions.get(at) {
                    Some(decision) => compare(&mut rows, said, decision),
                    None if found.decisions.is_empty() => {
                        let word = said.verdict.word().to_owned();
                        push(&mut rows, "verdict", word, verdicts(found), false, span);
                        break;
                    }
                    None => {}
                }
            }
        }
    }
    rows
}

fn push(
    rows: &mut Vec<Row>,
    what: &str,
    expected: String,
    found: String,
    agrees: bool,
    span: &Span,
) {
    rows.push(Row {
        what: what.to_owned(),
        expected,
        found,
        agrees,
        span: span.clone(),
    });
}

/// The verdicts that a rule got at a step, the telling ones first.
fn verdicts(found: &Found) -> String {
    let mut words: Vec<&str> = found.decisions.iter().map(|d| d.verdict.word()).collect();
    words.dedup();
    let silent = found.verdicts.keys().filter(|verdict| {
        !verdict.is_decision() && (found.decisions.is_empty() || **verdict != Verdict::Condition)
    });
    words.extend(silent.map(|verdict| verdict.word()));
    if words.is_empty() {
        ABSENT.to_owned()
    } else {
        words.join(", ")
    }
}

fn compare(rows: &mut Vec<Row>, said: &Said, decision: &Decision) {
    let word = said.verdict.word().to_owned();
    let found = decision.verdict.word().to_owned();
    let agrees = said.verdict == decision.verdict;
    push(rows, "verdict", word, found, agrees, &said.span);
    for (what, expected, found) in [
        ("channel", &said.channel, &decision.channel),
        ("kind", &said.kind, &decision.body.kind),
        ("variant", &said.variant, &decision.variant),
    ] {
        if let Some((expected, span)) = expected {
            let agrees = **expected == **found;
            push(
                rows,
                what,
                expected.clone(),
                found.to_string(),
                agrees,
                span,
            );
        }
    }
    if let Some((step, span)) = &said.step {
        let (expected, found) = (step.to_string(), decision.step.to_string());
        push(rows, "step", expected, found, *step == decision.step, span);
    }
    if let Some(body) = &said.body {
        let kind = Value::Text((*decision.body.kind).into());
        let found = |key: &str| match key {
            "kind" => Some(&kind),
            _ => decision.body.fields.get(key),
        };
        members(rows, "body", body, found);
    }
}

fn members<'a>(
    rows: &mut Vec<Row>,
    path: &str,
    expected: &Table,
    found: impl Fn(&str) -> Option<&'a Value>,
) {
    for member in &expected.members {
        let path = format!("{path}.{}", member.key);
        value(rows, &path, &member.item, found(&member.key));
    }
}

fn value(rows: &mut Vec<Row>, path: &str, expected: &Item, found: Option<&Value>) {
    match (&expected.content, found) {
        (Content::Table(table), Some(record @ Value::Record(_))) => {
            members(rows, path, table, |key| record.get(key));
        }
        (Content::List(items), Some(Value::List(values))) if items.len() == values.len() => {
            for (at, (item, value_found)) in items.iter().zip(values).enumerate() {
                value(rows, &format!("{path}[{at}]"), item, Some(value_found));
            }
        }
        (_, found) => {
            let agrees = found.is_some_and(|found| equal(&expected.content, found));
            let text = found.map_or_else(|| ABSENT.to_owned(), text_of);
            // What agrees is shown as it was expected, so that 12.850 and 12.85 do not seem to differ.
            let wanted = if agrees {
                text.clone()
            } else {
                text_of_item(expected, found)
            };
            push(rows, path, wanted, text, agrees, &expected.span);
        }
    }
}

/// Numbers are equal by their value, however they were written, also as text in the test.
fn equal(expected: &Content, found: &Value) -> bool {
    match (expected, found) {
        (Content::Number(number), found) => found.as_decimal() == Some(*number),
        (Content::Text(text), Value::Text(found)) => **text == **found,
        (Content::Text(text), found) => found
            .as_decimal()
            .is_some_and(|found| Decimal::from_str(text) == Ok(found)),
        (Content::Bool(b), Value::Bool(found)) => b == found,
        _ => false,
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "()".to_owned(),
        Value::Text(text) => format!("\"{text}\""),
        Value::Decimal(number) => number.normalize().to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(text_of).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Record(members) => {
            let members = members
                .iter()
                .map(|(key, value)| format!("{key}: {}", text_of(value)));
            format!("#{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
    }
}

/// An expected value in the way in which what was found is written.
fn text_of_item(item: &Item, found: Option<&Value>) -> String {
    match &item.content {
        Content::Text(text) if found.is_some_and(|found| found.as_decimal().is_some()) => {
            text.clone()
        }
        Content::Text(text) => format!("\"{text}\""),
        Content::Number(number) => number.normalize().to_string(),
        Content::Bool(b) => b.to_string(),
        Content::List(items) => {
            let items: Vec<String> = items.iter().map(|item| text_of_item(item, None)).collect();
            format!("[{}]", items.join(", "))
        }
        Content::Table(table) => {
            let members = table.members.iter();
            let members = members
                .map(|member| format!("{}: {}", member.key, text_of_item(&member.item, None)));
            format!("#{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
    }
}
