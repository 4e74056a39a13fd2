//! The words of a rule file with their places in bytes. Rhai's own lexer knows where a token begins,
//! but not where it ends, and what is told to people and what is altered needs both.

use std::ops::Range;

/// What kind of word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word,
    /// A number.
    Number,
    /// A text in double quotes.
    Text,
    /// A text in back quotes or raw, or a character.
    OtherText,
    /// An operator or a bracket.
    Sign,
}

/// A word and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
}

/// Signs of more than one character, the longest first.
const SIGNS: [&str; 29] = [
    "**=", "<<=", ">>=", "..=", "=>", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "?[", "+=",
    "-=", "*=", "/=", "%=", "&=", "|=", "^=", "**", "<<", ">>", "::", "..", "#{", "->",
];

/// Words of a text, comments left out. A text that is not Rhai gives words nevertheless.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let (kind, length) = if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if rest.starts_with("/*") {
            at += comment(rest);
            continue;
        } else if c.is_alphabetic() || c == '_' {
            (Kind::Word, word(rest))
        } else if c.is_ascii_digit() {
            (Kind::Number, number(rest))
        } else if c == '"' {
            (Kind::Text, quoted(rest, '"'))
        } else if c == '`' {
            (Kind::OtherText, template(rest))
        } else if c == '\'' {
            (Kind::OtherText, quoted(rest, '\''))
        } else {
            let known = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            (Kind::Sign, known.map_or(c.len_utf8(), |sign| sign.len()))
        };
        tokens.push(Token {
            kind,
            span: at..at + length,
        });
        at += length;
    }
    tokens
}

/// The length of a comment, which may hold others.
fn comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

fn number(text: &str) -> usize {
    let mut length = word(text);
    let rest = &text[length..];
    // A point belongs to it if a digit follows: `1..5` is a range and `1.max(2)` a call.
    if let Some(fraction) = rest.strip_prefix('.')
        && fraction.starts_with(|c: char| c.is_ascii_digit())
    {
        length += 1 + word(fraction);
    }
    length
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
}

/// A text in back quotes, in which `${…}` holds code that may hold texts again.
fn template(text: &str) -> usize {
    let mut at = 1;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with('`') {
            return at + 1;
        }
        if let Some(code) = rest.strip_prefix("${") {
            at += 2 + code_until_brace(code);
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of code up to the brace that closes what it stands in, that brace included.
fn code_until_brace(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        at += match c {
            '"' => quoted(&text[at..], '"'),
            '`' => template(&text[at..]),
            _ => c.len_utf8(),
        };
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text).into_iter().map(|t| &text[t.span]).collect()
    }

    #[test]
    fn words_texts_numbers_and_signs_are_told_apart() {
        assert_eq!(
            words(
                "a.b>=1_000.50&&!(x in [\"p\\\"q\", `r${f(\"}\")}s`]) // no\n/* a /* b */ c */ || 1..5"
            ),
            [
                "a",
                ".",
                "b",
                ">=",
                "1_000.50",
                "&&",
                "!",
                "(",
                "x",
                "in",
                "[",
                "\"p\\\"q\"",
                ",",
                "`r${f(\"}\")}s`",
                "]",
                ")",
                "||",
                "1",
                "..",
                "5"
            ]
        );
        assert_eq!(words("价 == \"钱"), ["价", "==", "\"钱"]);
    }
}
