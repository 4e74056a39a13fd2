//! Why the engine did what it did at one moment of a test.

use super::suite::{Prepared, Ready, Workplace};
use std::sync::Arc;

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Reason {
    /// A sentence.
    pub text: String,
    /// The file that it is about.
    pub file: Option<Arc<str>>,
    /// The line in it, from 1.
    pub line: Option<usize>,
}

pub(super) fn reasons(
    _prepared: &Prepared<'_>,
    _ready: &Ready<'_>,
    _workplace: Workplace<'_>,
    _step: usize,
) -> Vec<Reason> {
    Vec::new()
}
