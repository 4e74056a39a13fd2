//! Where the functions of a rule file are, which of them a condition calls, and how conditions are
//! put together: places in the text, for what is explained and for what is altered.

use super::tokens::{Kind, Token, tokens};
use std::collections::BTreeSet;
use std::ops::Range;

/// A file taken apart.
#[derive(Debug)]
pub(super) struct Script<'a> {
    pub(super) text: &'a str,
    pub(super) tokens: Vec<Token>,
    pub(super) functions: Vec<Definition>,
}

/// One function of a file.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: String,
    /// The tokens of its body, without the braces.
    pub(super) body: Range<usize>,
}

/// A condition: what `&&` and `||` put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// All must hold.
    All(Vec<Condition>),
    /// One must hold.
    Any(Vec<Condition>),
    /// Two sides and what compares them, as tokens.
    Comparison {
        left: Range<usize>,
        right: Range<usize>,
    },
    /// Anything else.
    Other(Range<usize>),
}

impl<'a> Script<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut script = Self {
            text,
            tokens: tokens(text),
            functions: Vec::new(),
        };
        script.functions = script.definitions();
        script
    }

    pub(super) fn word(&self, token: usize) -> &'a str {
        self.tokens
            .get(token)
            .map_or("", |token| &self.text[token.span.clone()])
    }

    /// The place of tokens in the text.
    pub(super) fn span(&self, tokens: &Range<usize>) -> Range<usize> {
        let start = self.tokens.get(tokens.start).map_or(0, |t| t.span.start);
        let last = tokens.end.checked_sub(1).and_then(|at| self.tokens.get(at));
        start..last.map_or(start, |token| token.span.end)
    }

    pub(super) fn function(&self, name: &str) -> Option<&Definition> {
        self.functions.iter().find(|f| f.name == name)
    }

    /// A function's parameters as they are written, with their brackets.
    pub(super) fn parameters(&self, definition: &Definition) -> &'a str {
        // Before the brace; between the brackets there are but names.
        let end = definition.body.start - 1;
        let open = (0..end).rev().find(|at| self.word(*at) == "(");
        &self.text[self.span(&(open.unwrap_or(end)..end))]
    }

    fn definitions(&self) -> Vec<Definition> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            if self.word(at) == "fn" && self.word(at + 2) == "(" {
                let parameters = self.closing(at + 2);
                if self.word(parameters + 1) == "{" {
                    let end = self.closing(parameters + 1);
                    found.push(Definition {
                        name: self.word(at + 1).to_owned(),
                        body: parameters + 2..end,
                    });
                    at = end;
                }
            }
            at += 1;
        }
        found
    }

    /// The token that closes the bracket at `open`; the end if there is none.
    pub(super) fn closing(&self, open: usize) -> usize {
        let mut depth = 0_i32;
        for at in open..self.tokens.len() {
            depth += self.nesting(at);
            if depth == 0 {
                return at;
            }
        }
        self.tokens.len()
    }

    /// 1 for an opening bracket, −1 for a closing one.
    fn nesting(&self, token: usize) -> i32 {
        if self.tokens[token].kind != Kind::Sign {
            return 0;
        }
        match self.word(token) {
            "(" | "[" | "{" | "#{" | "?[" => 1,
            ")" | "]" | "}" => -1,
            _ => 0,
        }
    }

    /// The tokens of a range that stand outside of all brackets in it.
    fn outside(&self, range: &Range<usize>) -> Vec<usize> {
        let mut depth = 0;
        let mut found = Vec::new();
        for at in range.clone() {
            let nesting = self.nesting(at);
            if depth == 0 && nesting == 0 {
                found.push(at);
            }
            depth += nesting;
        }
        found
    }

    /// What a body returns in its last line: the tokens of its last expression.
    pub(super) fn last_expression(&self, body: &Range<usize>) -> Option<Range<usize>> {
        let mut start = body.start;
        let mut depth = 0;
        for at in body.clone() {
            depth += self.nesting(at);
            if depth > 0 {
                continue;
            }
            let ends_block = self.word(at) == "}"
                && self.is_block(start)
                && !["else", "catch", "while", "until"].contains(&self.word(at + 1));
            if (self.word(at) == ";" || ends_block) && at + 1 < body.end {
                start = at + 1;
            }
        }
        let mut range = start..body.end;
        if self.word(range.start) == "return" {
            range.start += 1;
        }
        while range.end > range.start && self.word(range.end - 1) == ";" {
            range.end -= 1;
        }
        (range.start < range.end).then_some(range)
    }

    /// Whether a statement that begins with this token ends with a brace.
    fn is_block(&self, token: usize) -> bool {
        const BLOCKS: [&str; 9] = [
            "if", "while", "for", "loop", "switch", "do", "try", "fn", "{",
        ];
        BLOCKS.contains(&self.word(token))
    }

    /// A condition taken apart.
    pub(super) fn condition(&self, range: Range<usize>) -> Condition {
        let is_enclosed = self.word(range.start) == "(" && range.len() > 2;
        if is_enclosed && self.closing(range.start) + 1 == range.end {
            return self.condition(range.start + 1..range.end - 1);
        }
        let outside = self.outside(&range);
        let is = |at: usize, words: &[&str]| words.contains(&self.word(at));
        let strange = self.is_block(range.start)
            || outside
                .iter()
                .any(|at| is(*at, &["|", "&", "^", "=", "=>", ";", "->"]));
        if strange {
            return Condition::Other(range);
        }
        for (sign, all) in [("||", false), ("&&", true)] {
            let at: Vec<usize> = outside
                .iter()
                .copied()
                .filter(|at| is(*at, &[sign]))
                .collect();
            if !at.is_empty() {
                let starts = std::iter::once(range.start).chain(at.iter().map(|at| at + 1));
                let ends = at.iter().copied().chain([range.end]);
                let parts = starts.zip(ends).map(|(from, to)| self.condition(from..to));
                let parts: Vec<Condition> = parts.collect();
                return if all {
                    Condition::All(parts)
                } else {
                    Condition::Any(parts)
                };
            }
        }
        for signs in [&["==", "!="][..], &["in"], &["<", "<=", ">", ">="]] {
            if let Some(at) = outside.iter().copied().find(|at| is(*at, signs)) {
                // `!in` is one operator, though it is read as two words.
                let left_end = at - usize::from(self.word(at - 1) == "!");
                return Condition::Comparison {
                    left: range.start..left_end,
                    right: at + 1..range.end,
                };
            }
        }
        Condition::Other(range)
    }

    /// The expression that a token stands in, within a body: up to the brackets, commas and words
    /// around it.
    pub(super) fn segment(&self, token: usize, body: &Range<usize>) -> Range<usize> {
        const ENDS: [&str; 12] = [
            ",", ";", "=", "=>", "return", "if", "while", "else", "let", "+=", "-=", ":",
        ];
        let ends = |at: usize| ENDS.contains(&self.word(at));
        let mut depth = 0;
        let mut start = token;
        while start > body.start {
            if depth == 0 && self.word(start - 1) == "}" {
                // The block of another statement.
                break;
            }
            depth -= self.nesting(start - 1);
            if depth < 0 || (depth == 0 && ends(start - 1)) {
                break;
            }
            start -= 1;
        }
        let mut end = token;
        depth = 0;
        while end < body.end {
            depth += self.nesting(end);
            let opens_block = depth == 1 && self.word(end) == "{";
            if depth < 0 || opens_block || (depth == 0 && ends(end)) {
                break;
            }
            end += 1;
        }
        start..end
    }

    /// The functions that those named call, they themselves included: of this file by their names,
    /// and of others as `file::name`.
    pub(super) fn called(&self, from: &[&str]) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<String> = from.iter().map(ToString::to_string).collect();
        while let Some(name) = open.pop() {
            let own = self.function(&name);
            if (own.is_none() && !name.contains("::")) || !reached.insert(name.clone()) {
                continue;
            }
            for at in own.map_or(0..0, |f| f.body.clone()) {
                if self.tokens[at].kind == Kind::Word && self.word(at + 1) == "(" {
                    if at > 1 && self.word(at - 1) == "::" {
                        open.push(format!("{}::{}", self.word(at - 2), self.word(at)));
                    } else {
                        open.push(self.word(at).to_owned());
                    }
                }
            }
        }
        reached
    }
}

impl Condition {
    /// The tokens it is made of.
    pub(super) fn tokens(&self) -> Range<usize> {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                let first = parts.first().map_or(0, |part| part.tokens().start);
                let last = parts.last().map_or(first, |part| part.tokens().end);
                first..last
            }
            Self::Comparison { left, right } => left.start..right.end,
            Self::Other(range) => range.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_apart(text: &str) -> String {
        fn show(script: &Script<'_>, condition: &Condition) -> String {
            let text = |range: &Range<usize>| script.text[script.span(range)].to_owned();
            let list = |parts: &[Condition]| {
                let parts: Vec<String> = parts.iter().map(|part| show(script, part)).collect();
                parts.join(" ")
            };
            match condition {
                Condition::All(parts) => format!("all({})", list(parts)),
                Condition::Any(parts) => format!("any({})", list(parts)),
                Condition::Comparison { left, right } => {
                    format!("[{}|{}]", text(left), text(right))
                }
                Condition::Other(range) => format!("<{}>", text(range)),
            }
        }
        let script = Script::new(text);
        let last = script.last_expression(&script.functions[0].body).unwrap();
        show(&script, &script.condition(last))
    }

    #[test]
    fn a_condition_is_taken_apart_as_rhai_would() {
        assert_eq!(
            taken_apart("fn f(a) { let x = 1; a.b == 1 && (c || d(1 == 2) > 3) && !(e) }"),
            "all([a.b|1] any(<c> [d(1 == 2)|3]) <!(e)>)"
        );
        assert_eq!(taken_apart("fn f() { () }"), "<()>");
        assert_eq!(
            taken_apart("fn f() { a || b && c }"),
            "any(<a> all(<b> <c>))"
        );
        assert_eq!(
            taken_apart("fn f() { if x { return 1; } else { 2 } y !in [1, 2] }"),
            "[y|[1, 2]]"
        );
        assert_eq!(
            taken_apart("fn f() { return (a + b) * 2 >= c; }"),
            "[(a + b) * 2|c]"
        );
        assert_eq!(
            taken_apart("fn f() { if a && b { c } else { d } }"),
            "<if a && b { c } else { d }>"
        );
    }

    #[test]
    fn what_a_condition_calls_is_followed() {
        let script = Script::new(
            "fn when(e, c) { a(e) && lib::b(c) } fn a(e) { d() } fn d() { 1 } fn action(e) { z() } fn z() {}",
        );
        let called: Vec<String> = script.called(&["when", "still"]).into_iter().collect();
        assert_eq!(called, ["a", "d", "lib::b", "when"]);
    }
}
