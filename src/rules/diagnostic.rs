//! What is wrong with a rule file, where, and how to mend it.

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource};
use std::sync::Arc;

/// One fault of one file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Diagnostic {
    /// The file, relative to the rules folder.
    pub file: Arc<str>,
    /// Line, from 1; `None` when the fault is the file as a whole.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
    /// The text of the file.
    #[serde(skip)]
    pub text: Arc<str>,
}

impl Diagnostic {
    /// A fault of a file as a whole.
    pub fn whole(file: &Arc<str>, text: &Arc<str>, message: impl Into<String>) -> Self {
        Self {
            file: file.clone(),
            line: None,
            column: None,
            message: message.into(),
            hint: None,
            text: text.clone(),
        }
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

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Where it is in the text, in bytes, and how long the word there is.
    fn span(&self) -> Option<(usize, usize)> {
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
        let word = self.text[offset..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .map(char::len_utf8)
            .sum::<usize>();
        Some((offset, word.max(1).min(self.text.len() - offset)))
    }
}

/// Diagnostics as a person reads them: file, line, source with a caret, hint. Without colours.
#[must_use]
pub fn render(diagnostics: &[Diagnostic]) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(120)
        .without_syntax_highlighting();
    let mut out = String::new();
    for diagnostic in diagnostics {
        let mut report = MietteDiagnostic::new(diagnostic.message.clone());
        if let Some(hint) = &diagnostic.hint {
            report = report.with_help(hint.clone());
        }
        match diagnostic.span() {
            Some((offset, length)) => {
                report = report.with_label(LabeledSpan::at(offset..offset + length, "here"));
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
