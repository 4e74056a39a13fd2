//! What rules ask of a customer, written down where somebody wants to know it.

use crate::state::Question;
use std::sync::{Arc, Mutex, PoisonError};

/// One question that a rule asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// As a rule writes it, with the values that it was asked with, such as `spend("dining", "30d")`.
    pub call: String,
    /// What it asks.
    pub question: Question,
}

/// Where questions are written down. A clone writes to the same place.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Vec<Asked>>>);

impl Recorder {
    /// What was asked since this was called last, each once, in the order in which it was asked first.
    #[must_use]
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn note(&self, asked: Asked) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains(&asked) {
            all.push(asked);
        }
    }
}
