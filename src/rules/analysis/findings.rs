//! What was found, each thing once.

use super::file::FileView;
use crate::rules::diagnostic::Diagnostic;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

/// Findings of all files.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Diagnostic>,
    seen: HashSet<(Arc<str>, Range<usize>, &'static str)>,
    /// Where errors are.
    errors: Vec<(Arc<str>, Range<usize>)>,
}

/// What is wrong and how to mend it.
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) label: String,
    pub(super) hint: String,
}

impl Fault {
    pub(super) fn new(
        code: &'static str,
        message: impl Into<String>,
        label: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            code,
            message: message.into(),
            label: label.into(),
            hint: hint.into(),
        }
    }
}

impl Findings {
    pub(super) fn error(&mut self, file: &FileView<'_>, at: Option<Range<usize>>, fault: Fault) {
        self.add(file, at, fault, false);
    }

    pub(super) fn warning(&mut self, file: &FileView<'_>, at: Option<Range<usize>>, fault: Fault) {
        self.add(file, at, fault, true);
    }

    fn add(&mut self, file: &FileView<'_>, at: Option<Range<usize>>, fault: Fault, warning: bool) {
        let source = file.source;
        let place = at.clone().unwrap_or(0..0);
        if !self.seen.insert((source.path.clone(), place, fault.code)) {
            return;
        }
        let mut found = Diagnostic::whole(&source.path, &source.text, fault.message)
            .code(fault.code)
            .hint(fault.hint);
        if let Some(span) = at {
            found = found.over(span).label(fault.label);
        }
        if warning {
            found = found.warning();
        } else if let Some(span) = found.span() {
            self.errors.push((source.path.clone(), span));
        }
        self.list.push(found);
    }

    /// Whether an error was found in a file.
    pub(super) fn has_errors(&self, file: &FileView<'_>) -> bool {
        self.errors
            .iter()
            .any(|(path, _)| *path == file.source.path)
    }

    /// Whether an error was found at a place of a file.
    pub(super) fn touches(&self, file: &FileView<'_>, span: &Range<usize>) -> bool {
        self.errors.iter().any(|(path, at)| {
            *path == file.source.path && at.start < span.end && span.start < at.end
        })
    }
}

/// Whether a file says of itself that a kind of warning is meant so: `// allow(group-tie): why`.
pub(super) fn is_allowed(found: &Diagnostic) -> bool {
    if found.is_error() {
        return false;
    }
    let comments = found.text.lines().filter_map(|line| line.split_once("//"));
    comments
        .filter_map(|(_, comment)| comment.split_once("allow("))
        .filter_map(|(_, rest)| rest.split_once(')'))
        .any(|(codes, _)| codes.split(',').any(|code| code.trim() == found.code))
}
