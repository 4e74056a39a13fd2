//! Where things stand in a file. Rhai remembers where an expression begins but not where it ends, so the
//! words and brackets of the text are read once more.

use rhai::{Expr, Namespace, Position, Stmt};
use std::collections::BTreeMap;
use std::ops::Range;

/// Words, texts and brackets of a file by their offset in bytes.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Each token's end by its start.
    tokens: BTreeMap<usize, usize>,
    /// Where an opening bracket's closing one ends.
    closing: BTreeMap<usize, usize>,
    /// Where each line starts.
    lines: Vec<usize>,
    text: Box<str>,
}

impl Marks {
    pub(super) fn read(text: &str) -> Self {
        let mut marks = Self {
            lines: std::iter::once(0)
                .chain(text.match_indices('\n').map(|(at, _)| at + 1))
                .collect(),
            text: text.into(),
            ..Self::default()
        };
        let mut reader = Reader {
            text,
            at: 0,
            open: Vec::new(),
        };
        reader.read(&mut marks, 0);
        marks
    }

    /// The offset of a position of Rhai's.
    pub(super) fn offset(&self, position: Position) -> Option<usize> {
        let (line, column) = (position.line()?, position.position().unwrap_or(1));
        let start = *self.lines.get(line - 1)?;
        let rest = &self.text[start..];
        let at = rest.char_indices().nth(column.saturating_sub(1));
        Some(start + at.map_or(rest.len(), |(at, _)| at))
    }

    /// The text between two offsets.
    pub(super) fn slice(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or("")
    }

    /// The end of the token that starts at an offset.
    fn end_of(&self, start: usize) -> usize {
        match self.tokens.get(&start) {
            Some(end) => *end,
            None => self.text[start..]
                .chars()
                .next()
                .map_or(start, |c| start + c.len_utf8()),
        }
    }

    /// The token at a position.
    pub(super) fn token(&self, position: Position) -> Option<Range<usize>> {
        let start = self.offset(position)?;
        Some(start..self.end_of(start))
    }

    /// Where the name of a library before a name begins.
    fn first_of(&self, namespace: &Namespace) -> Option<usize> {
        // An empty one has no position, and panics when asked.
        let named = (!namespace.is_empty()).then(|| namespace.position());
        self.offset(named?)
    }

    /// From a bracket at a position to its closing one.
    fn bracket(&self, position: Position) -> Option<Range<usize>> {
        let start = self.offset(position)?;
        let end = self.closing.get(&start).copied();
        Some(start..end.unwrap_or_else(|| self.end_of(start)))
    }

    /// From the first word of a call at a position to its closing bracket.
    fn call(&self, position: Position) -> Option<Range<usize>> {
        let start = self.offset(position)?;
        let mut end = self.end_of(start);
        for (at, next) in self.tokens.range(start..) {
            match &self.text[*at..*next] {
                "(" => return Some(start..self.closing.get(at).copied().unwrap_or(*next)),
                "::" => {}
                word if word.starts_with(|c: char| c.is_alphabetic() || c == '_') => {}
                _ => break,
            }
            end = *next;
        }
        Some(start..end)
    }

    /// Where the call whose name is at a span ends.
    pub(super) fn call_end(&self, name: &Range<usize>) -> usize {
        let next = self.tokens.range(name.end..).next();
        let opened = next.filter(|(at, end)| &self.text[**at..**end] == "(");
        opened.map_or(name.end, |(at, end)| {
            self.closing.get(at).copied().unwrap_or(*end)
        })
    }

    /// Where a function's name stands in its definition.
    pub(super) fn function(&self, name: &str) -> Option<Range<usize>> {
        let mut tokens = self.tokens.iter();
        while let Some((start, end)) = tokens.next() {
            if &self.text[*start..*end] == "fn"
                && let Some((start, end)) = tokens.next()
                && &self.text[*start..*end] == name
            {
                return Some(*start..*end);
            }
        }
        None
    }

    /// The parameter of a function's definition: the first such word after its name.
    pub(super) fn parameter(&self, function: &str, name: &str) -> Option<Range<usize>> {
        let after = self.function(function)?.end;
        let found = self.tokens.range(after..);
        found
            .map(|(start, end)| *start..*end)
            .find(|span| &self.text[span.clone()] == name)
    }

    /// What an expression covers.
    pub(super) fn span(&self, expr: &Expr) -> Option<Range<usize>> {
        match expr {
            Expr::Array(_, at) | Expr::Map(_, at) | Expr::Unit(at) => self.bracket(*at),
            Expr::IntegerConstant(_, at) => {
                let first = self.token(*at)?;
                if self.slice(&first) == "-" {
                    let (_, end) = self.tokens.range(first.end..).next()?;
                    return Some(first.start..*end);
                }
                Some(first)
            }
            Expr::Variable(parts, _, at) => {
                let last = self.token(*at)?;
                let first = self.first_of(&parts.2).unwrap_or(last.start);
                Some(first.min(last.start)..last.end)
            }
            Expr::MethodCall(_, at) => self.call(*at),
            Expr::FnCall(call, at) if call.op_token.is_some() || is_membership(call) => {
                let spans = call.args.iter().filter_map(|arg| self.span(arg));
                let whole = spans.chain(self.token(*at)).reduce(union);
                whole.map(|whole| self.with_brackets(whole))
            }
            Expr::FnCall(call, at) => {
                let own = self.call(*at)?;
                let first = self.first_of(&call.namespace).unwrap_or(own.start);
                Some(first.min(own.start)..own.end)
            }
            Expr::Dot(pair, _, _) => union_of(self.span(&pair.lhs), self.span(&pair.rhs)),
            Expr::Index(pair, _, at) => {
                let whole = union_of(self.span(&pair.lhs), self.span(&pair.rhs))?;
                let bracket = self.bracket(*at).unwrap_or(whole.clone());
                Some(union(whole, bracket))
            }
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                let whole = parts.iter().filter_map(|part| self.span(part));
                whole.reduce(union).map(|whole| self.with_brackets(whole))
            }
            Expr::Stmt(block) => {
                let own = self.bracket(block.position());
                let inner = block.iter().filter_map(|inner| self.statement(inner));
                inner.chain(own).reduce(union)
            }
            other => self.token(other.position()),
        }
    }

    /// The first or last operand may stand in round brackets, of which Rhai keeps no trace: take them in.
    fn with_brackets(&self, span: Range<usize>) -> Range<usize> {
        let opened = self.closing.range(span.clone()).map(|(_, end)| *end);
        let end = opened.max().unwrap_or(span.end).max(span.end);
        let before = self.closing.range(..span.start);
        let closed = before.filter(|(_, closed)| (span.start + 1..=end).contains(*closed));
        let start = closed.map(|(opened, _)| *opened).min();
        start.unwrap_or(span.start)..end
    }

    /// What a statement covers.
    pub(super) fn statement(&self, statement: &Stmt) -> Option<Range<usize>> {
        let own = self.token(statement.position());
        match statement {
            Stmt::Expr(expr) => self.span(expr),
            Stmt::FnCall(call, at) => {
                let own = self.call(*at)?;
                let first = self.first_of(&call.namespace).unwrap_or(own.start);
                Some(first.min(own.start)..own.end)
            }
            Stmt::Return(Some(expr), _, _) => union_of(own, self.span(expr)),
            Stmt::Block(block) => self.bracket(block.position()),
            Stmt::If(parts, _) => {
                let bodies = [&parts.body, &parts.branch];
                let bodies = bodies
                    .into_iter()
                    .filter(|body| !body.position().is_none())
                    .filter_map(|body| self.bracket(body.position()));
                bodies.chain(own).reduce(union)
            }
            _ => own,
        }
    }
}

pub(super) fn is_membership(call: &rhai::FnCallExpr) -> bool {
    call.name == "contains" && call.args.len() == 2 && call.namespace.is_empty()
}

fn union(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    a.start.min(b.start)..a.end.max(b.end)
}

fn union_of(a: Option<Range<usize>>, b: Option<Range<usize>>) -> Option<Range<usize>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(union(a, b)),
        (a, b) => a.or(b),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Brackets that are open: where, and how long they are.
    open: Vec<usize>,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Reads to the end, or up to the `}` that ends an interpolation (`depth` brackets being open).
    fn read(&mut self, marks: &mut Marks, depth: usize) {
        while let Some(c) = self.rest().chars().next() {
            let start = self.at;
            if c.is_whitespace() {
                self.at += c.len_utf8();
                continue;
            }
            if self.rest().starts_with("//") {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
                continue;
            }
            if self.rest().starts_with("/*") {
                self.comment();
                continue;
            }
            match c {
                '}' if depth > 0 && self.open.len() <= depth => return,
                '"' => self.quoted('"'),
                '\'' => self.quoted('\''),
                '`' => self.template(marks),
                '(' | '[' | '{' => {
                    self.open.push(start);
                    self.at += 1;
                }
                ')' | ']' | '}' => {
                    self.at += 1;
                    if let Some(opened) = self.open.pop() {
                        marks.closing.insert(opened, self.at);
                    }
                }
                '#' if self.rest().starts_with("#{") => {
                    self.open.push(start);
                    self.at += 2;
                }
                c if c.is_alphanumeric() || c == '_' => self.word(),
                _ => {
                    let operators = ["==", "!=", ">=", "<=", "&&", "||", "::", "??", "?.", "=>"];
                    let found = operators.iter().find(|op| self.rest().starts_with(**op));
                    self.at += found.map_or(c.len_utf8(), |op| op.len());
                }
            }
            marks.tokens.insert(start, self.at);
        }
    }

    fn comment(&mut self) {
        let mut depth = 0;
        while let Some(c) = self.rest().chars().next() {
            if self.rest().starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if self.rest().starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return;
                }
            } else {
                self.at += c.len_utf8();
            }
        }
    }

    fn quoted(&mut self, quote: char) {
        self.at += 1;
        let mut escaped = false;
        while let Some(c) = self.rest().chars().next() {
            self.at += c.len_utf8();
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == quote => return,
                _ => {}
            }
        }
    }

    fn template(&mut self, marks: &mut Marks) {
        self.at += 1;
        while let Some(c) = self.rest().chars().next() {
            if self.rest().starts_with("${") {
                let opened = self.at + 1;
                self.open.push(opened);
                self.at += 2;
                let depth = self.open.len();
                self.read(marks, depth);
                // The `}`: its bracket is closed here, if there is one.
                if self.rest().starts_with('}') {
                    self.at += 1;
                    self.open.truncate(depth - 1);
                    marks.closing.insert(opened, self.at);
                }
                continue;
            }
            self.at += c.len_utf8();
            if c == '`' {
                return;
            }
        }
    }

    fn word(&mut self) {
        let digits = self.rest().starts_with(|c: char| c.is_ascii_digit());
        while let Some(c) = self.rest().chars().next() {
            let point =
                digits && c == '.' && self.rest()[1..].starts_with(|c: char| c.is_ascii_digit());
            if !(c.is_alphanumeric() || c == '_' || point) {
                break;
            }
            self.at += c.len_utf8();
        }
    }
}
