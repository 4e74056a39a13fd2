//! Where something should end and does not: statements, conditions and brackets.

use super::{Slip, word_at};
use rhai::ParseErrorType;

/// A statement that does not end, before a function.
pub(super) fn semicolon(text: &str, at: usize, error: &ParseErrorType) -> Option<Slip> {
    let expected = matches!(error, ParseErrorType::MissingToken(token, _) if token == ";");
    let begins_function = word_at(&text[at..]) == "fn";
    if !begins_function || !(expected || matches!(error, ParseErrorType::WrongFnDefinition)) {
        return None;
    }
    if let Some(slip) = unclosed(text) {
        return Some(slip);
    }
    let end = text[..at].trim_end().len();
    Some(Slip {
        at: end.saturating_sub(1)..end,
        message: "a semicolon is missing after `RULE`".to_owned(),
        hint: "write `};` at its end".to_owned(),
    })
}

/// Two things one after the other with nothing between: statements without `;`, conditions without `&&`.
pub(super) fn joined(text: &str, at: usize, error: &ParseErrorType) -> Option<Slip> {
    if !matches!(error, ParseErrorType::MissingToken(token, _) if token == ";") {
        return None;
    }
    let (start, end) = line_before(text, at)?;
    let (before, rest) = (&text[start..end], &text[at..]);
    let begins = |word: &&str| *word_at(rest) == **word;
    let statement = ["let", "const", "return", "if", "switch", "throw"];
    let sets = ["let", "const", "return", "throw"].contains(&word_at(before));
    if rest.starts_with("#{") || sets || statement.iter().any(begins) {
        return Some(Slip {
            at: start..end,
            message: "a `;` is missing at the end of this line".to_owned(),
            hint: "write `;` after it".to_owned(),
        });
    }
    let function = text[..at]
        .rfind("fn ")
        .map(|found| text[found + 3..].trim_start());
    let asks = ["when", "still", "converted"].contains(&function.map_or("", word_at));
    let begins_value = rest.starts_with(|c: char| c.is_alphanumeric() || "_!(\"".contains(c));
    (asks && begins_value).then(|| Slip {
        at: start..end,
        message: "nothing joins this condition to the next one".to_owned(),
        hint: "write `&&` after it if both must hold, or `||` if one is enough".to_owned(),
    })
}

/// The line on which the words before a place stand, without its comment.
fn line_before(text: &str, at: usize) -> Option<(usize, usize)> {
    let mut end = at;
    loop {
        let start = text[..end].rfind('\n').map_or(0, |at| at + 1);
        let line = &text[start..end];
        let code = line.find("//").map_or(line, |comment| &line[..comment]);
        if !code.trim().is_empty() {
            let first = start + code.len() - code.trim_start().len();
            return Some((first, start + code.trim_end().len()));
        }
        end = start.checked_sub(1)?;
    }
}

/// The bracket that is not closed: one whose place is taken by another kind's closing one, else one whose
/// closing one stands further left than its line, else the innermost that is open at the end.
pub(super) fn unclosed(text: &str) -> Option<Slip> {
    let Brackets::Open(at, bracket) = brackets(text) else {
        return None;
    };
    Some(Slip {
        at: at..at + 1,
        message: format!("the bracket `{bracket}` that opens here is never closed"),
        hint: format!("write `{}` where it ends", closing(bracket)),
    })
}

/// A closing bracket of which none is open.
pub(super) fn needless(text: &str) -> Option<Slip> {
    let Brackets::Needless(at, bracket) = brackets(text) else {
        return None;
    };
    Some(Slip {
        at: at..at + 1,
        message: format!("the bracket `{bracket}` closes nothing"),
        hint: "take it out, or one of those before it: more are closed than opened".to_owned(),
    })
}

/// How the brackets of a text fit.
enum Brackets {
    Balanced,
    Open(usize, char),
    Needless(usize, char),
}

fn brackets(text: &str) -> Brackets {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut quote = None;
    let mut chars = text.char_indices();
    let mut suspect = None;
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some('/'), '\n') => quote = None,
            (Some('/'), _) => {}
            (Some(_), '\\') => {
                chars.next();
            }
            (Some(open), c) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '`') => quote = Some(c),
            (None, '/') if text[at..].starts_with("//") => quote = Some('/'),
            (None, '(' | '[' | '{') => open.push((at, c)),
            (None, ')' | ']' | '}') => {
                let Some(opened) = open.pop() else {
                    return Brackets::Needless(at, c);
                };
                if closing(opened.1) != c {
                    return Brackets::Open(opened.0, opened.1);
                }
                if indent(text, at) < indent(text, opened.0) {
                    suspect = suspect.or(Some(opened));
                }
            }
            _ => {}
        }
    }
    match open.pop() {
        None => Brackets::Balanced,
        Some(last) => {
            let (at, bracket) = suspect.unwrap_or(last);
            Brackets::Open(at, bracket)
        }
    }
}

/// How far a place's line is indented.
fn indent(text: &str, at: usize) -> usize {
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let line = &text[start..];
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

fn closing(bracket: char) -> char {
    match bracket {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}
