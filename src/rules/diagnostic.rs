//! What is wrong with a rule file, where, and how to mend it.

use super::sources::Source;
use crate::event::SchemaError;
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource};
use serde::ser::SerializeStruct as _;
use std::ops::Range;
use std::sync::Arc;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The rule set is refused.
    Error,
    /// It works, but probably not as meant.
    Warning,
}

/// One fault of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, relative to the rules folder.
    pub file: Arc<str>,
    /// Line, from 1; `None` when the fault is the file as a whole.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// How much of the text it is about, in bytes; `None` for the word that stands there.
    pub length: Option<usize>,
    /// How bad it is.
    pub severity: Severity,
    /// What kind of fault it is, for machines and for `allow(…)` comments.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What stands there, in a few words.
    pub label: Option<String>,
    /// How to mend it.
    pub hint: Option<String>,
    /// The text of the file.
    pub text: Arc<str>,
}

impl Diagnostic {
    /// A fault of a file as a whole.
    pub fn whole(file: &Arc<str>, text: &Arc<str>, message: impl Into<String>) -> Self {
        Self {
            file: file.clone(),
            line: None,
            column: None,
            length: None,
            severity: Severity::Error,
            code: "invalid",
            message: message.into(),
            label: None,
            hint: None,
            text: text.clone(),
        }
    }

    /// The faults of a `schema.toml`.
    #[must_use]
    pub fn of_schema(source: &Source, errors: Vec<SchemaError>) -> Vec<Self> {
        let faults = errors.into_iter().map(|error| Self {
            hint: error.hint,
            code: "schema",
            ..match error.span {
                Some(span) => Self::whole(&source.path, &source.text, error.message).over(span),
                None => Self::whole(&source.path, &source.text, error.message),
            }
        });
        faults.collect()
    }

    /// The same with a place: line and column from 1.
    #[must_use]
    pub fn at(mut self, place: Option<(usize, usize)>) -> Self {
        self.line = place.map(|(line, _)| line);
        self.column = place.map(|(_, column)| column);
        self
    }

    /// The same at an offset in bytes.
    #[must_use]
    pub fn at_byte(self, offset: usize) -> Self {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before[start..].chars().count() + 1;
        self.at(Some((line, column)))
    }

    /// The same over a range of bytes.
    #[must_use]
    pub fn over(self, span: Range<usize>) -> Self {
        let length = span.end.saturating_sub(span.start).max(1);
        let mut found = self.at_byte(span.start);
        found.length = Some(length);
        found
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with a name for its kind.
    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    /// The same with a few words at the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// The same as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Whether the rule set is refused for it.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Where it is in the text, in bytes; `None` when the fault is the file as a whole. Always inside
    /// the text.
    #[must_use]
    pub fn span(&self) -> Option<Range<usize>> {
        let (line, column) = (self.line?, self.column?);
        let start: usize = self
            .text
            .split_inclusive('\n')
            .take(line - 1)
            .map(str::len)
            .sum();
        let rest = self.text.get(start..)?;
        let offset = start
            + rest
                .char_indices()
                .nth(column.saturating_sub(1))
                .map_or(rest.len(), |(at, _)| at);
        let length = self.length.unwrap_or_else(|| {
            self.text[offset..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .map(char::len_utf8)
                .sum()
        });
        let mut end = offset.saturating_add(length.max(1)).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        Some(offset..end)
    }

    /// Line and column after its last character, from 1.
    #[must_use]
    pub fn end(&self) -> Option<(usize, usize)> {
        let end = self.clone().at_byte(self.span()?.end);
        end.line.zip(end.column)
    }
}

/// What machines read: what a person sees, without the text of the file.
impl serde::Serialize for Diagnostic {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Place {
            line: usize,
            column: usize,
        }
        let mut out = serializer.serialize_struct("Diagnostic", 8)?;
        out.serialize_field("file", &self.file)?;
        out.serialize_field("line", &self.line)?;
        out.serialize_field("column", &self.column)?;
        let end = self.end().map(|(line, column)| Place { line, column });
        out.serialize_field("end", &end)?;
        out.serialize_field("severity", &self.severity)?;
        out.serialize_field("code", self.code)?;
        out.serialize_field("message", &self.message)?;
        out.serialize_field("hint", &self.hint)?;
        out.end()
    }
}

/// In the order in which a person goes through them: by file, then by place, the worst first.
pub(super) fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|a, b| {
        let key = |d: &Diagnostic| (d.line, d.column, d.severity, d.length);
        a.file.cmp(&b.file).then_with(|| key(a).cmp(&key(b)))
    });
}

/// Puts what two looks at the files found into one list. What the second look says about a place that the
/// first stopped at is said better.
pub(super) fn merge(faults: &mut Vec<Diagnostic>, found: Vec<Diagnostic>) {
    faults.retain(|fault| {
        let same = |other: &Diagnostic| {
            other.is_error()
                && other.file == fault.file
                && (other.line, other.column) == (fault.line, fault.column)
        };
        fault.code != "syntax" || !found.iter().any(same)
    });
    faults.extend(found);
    sort(faults);
}

/// Diagnostics as a person reads them: file, line, source with a caret, hint. Without colours.
#[must_use]
pub fn render(diagnostics: &[Diagnostic]) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(120)
        .without_syntax_highlighting();
    let mut out = String::new();
    for diagnostic in diagnostics {
        let mut report = MietteDiagnostic::new(match diagnostic.severity {
            Severity::Error => diagnostic.message.clone(),
            // With the word that silences it.
            Severity::Warning => format!("{} ({})", diagnostic.message, diagnostic.code),
        });
        if let Some(hint) = &diagnostic.hint {
            report = report.with_help(hint.clone());
        }
        if diagnostic.severity == Severity::Warning {
            report = report.with_severity(miette::Severity::Warning);
        }
        match diagnostic.span() {
            Some(span) => {
                let label = diagnostic.label.as_deref().unwrap_or("here");
                report = report.with_label(LabeledSpan::at(span, label));
            }
            None => report.message = format!("{}: {}", diagnostic.file, report.message),
        }
        let report = miette::Report::from(report).with_source_code(NamedSource::new(
            &*diagnostic.file,
            diagnostic.text.to_string(),
        ));
        // Writing to a String fails only if a Display does; then the plain message must do.
        if handler.render_report(&mut out, report.as_ref()).is_err() {
            out.push_str(&diagnostic.message);
        }
    }
    out
}

/// The candidate that a misspelt word most likely meant.
#[must_use]
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The event type that was meant: one that is nearly the same, or whose last word it is.
pub(super) fn meant_type<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    let last = |name: &str| name.rsplit('.').next() == Some(word);
    did_you_mean(word, candidates.iter().copied())
        .or_else(|| candidates.into_iter().find(|name| last(name)))
}
