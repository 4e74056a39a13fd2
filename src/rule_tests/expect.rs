//! What a test expects, as it is written.

use super::document::{Content, Faults, Item, Span, Table};
use super::model::{Expectation, Expected, Said};
use crate::action::Verdict;
use crate::rules::did_you_mean;
use rust_decimal::prelude::ToPrimitive as _;

const KEYS: [&str; 6] = ["verdict", "channel", "kind", "variant", "step", "body"];
/// The word for silence, whatever its reason.
const NOTHING: &str = "nothing";

/// Reads `expect`: a word, a table, or a list of tables for several actions at once.
pub(super) fn expectation(faults: &mut Faults<'_>, item: &Item) -> Option<Expectation> {
    let what = match &item.content {
        Content::Text(word) => word_of(faults, word, &item.span)?,
        Content::Table(table) => one(faults, table, &item.span)?,
        Content::List(items) => {
            let mut said = Vec::new();
            for item in items {
                match expectation(faults, item)?.what {
                    Expected::Said(one) => said.extend(one),
                    _ => {
                        let hint = "a list is for several actions that go out at the same moment";
                        faults.add(&item.span, "silence cannot stand in a list", hint);
                    }
                }
            }
            Expected::Said(said)
        }
        _ => {
            let hint =
                "write a verdict such as \"condition\", or `{ verdict = \"sent\", body = { … } }`";
            faults.add(
                &item.span,
                format!("`expect` cannot be {}", item.kind()),
                hint,
            );
            return None;
        }
    };
    Some(Expectation {
        what,
        span: item.span.clone(),
    })
}

fn word_of(faults: &mut Faults<'_>, word: &str, span: &Span) -> Option<Expected> {
    if word == NOTHING {
        return Some(Expected::Nothing);
    }
    Some(match verdict(faults, word, span)? {
        verdict if verdict.is_decision() => Expected::Said(vec![Said {
            verdict,
            channel: None,
            kind: None,
            variant: None,
            step: None,
            body: None,
            span: span.clone(),
        }]),
        silence => Expected::Silence(silence),
    })
}

fn verdict(faults: &mut Faults<'_>, word: &str, span: &Span) -> Option<Verdict> {
    let found = Verdict::ALL.into_iter().find(|v| v.word() == word);
    if found.is_none() {
        let words = || Verdict::ALL.iter().map(|v| v.word()).chain([NOTHING]);
        let hint = did_you_mean(word, words()).map_or_else(
            || {
                format!(
                    "a verdict is one of {}",
                    words().collect::<Vec<_>>().join(", ")
                )
            },
            |meant| format!("did you mean \"{meant}\"?"),
        );
        faults.add(span, format!("there is no verdict \"{word}\""), hint);
    }
    found
}

fn one(faults: &mut Faults<'_>, table: &Table, span: &Span) -> Option<Expected> {
    faults.unknown_keys(table, "`expect`", &KEYS);
    let mut expected = match faults.text(table, "verdict") {
        Some((word, span)) => word_of(faults, word, &span)?,
        None => word_of(faults, "sent", span)?,
    };
    let owned = |text: Option<(&str, Span)>| text.map(|(text, span)| (text.to_owned(), span));
    match &mut expected {
        Expected::Said(said) => {
            for said in said {
                said.channel = owned(faults.text(table, "channel"));
                said.kind = owned(faults.text(table, "kind"));
                said.variant = owned(faults.text(table, "variant"));
                said.step = step(faults, table);
                said.body = faults.table(table, "body").cloned();
                said.span = span.clone();
            }
        }
        _ => {
            if let Some(member) = table.members.iter().find(|member| member.key != "verdict") {
                let message = format!("`{}` cannot be expected of silence", member.key);
                let hint = "only an action that is sent or held out has a channel and a body";
                faults.add(&member.key_span, message, hint);
            }
        }
    }
    Some(expected)
}

fn step(faults: &mut Faults<'_>, table: &Table) -> Option<(u32, Span)> {
    let item = table.get("step")?;
    let number = match &item.content {
        Content::Number(number) if number.is_integer() => number.to_u32(),
        _ => None,
    };
    if number.is_none() {
        faults.add(
            &item.span,
            "`step` must be a whole number",
            "the first step of a journey is 0",
        );
    }
    Some((number?, item.span.clone()))
}
