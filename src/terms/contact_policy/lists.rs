//! `lists/*.txt`: customers by their ids.

use super::reader::PolicyError;
use crate::partitioning::CustomerId;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Customers who have something in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomerList(HashSet<Box<str>>);

/// The lists of a folder by their names: file names without `.txt`.
pub type Lists = BTreeMap<Box<str>, Arc<CustomerList>>;

impl CustomerList {
    /// Reads one customer id a line. Blank lines, and lines that begin with `#`, are left out.
    ///
    /// # Errors
    /// Every line that is no customer id.
    pub fn parse(text: &str) -> Result<Self, Vec<PolicyError>> {
        let mut ids = HashSet::new();
        let mut faults = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let id = line.trim();
            if id.is_empty() || id.starts_with('#') {
            } else if CustomerId::new(id).is_some() {
                ids.insert(id.into());
            } else {
                faults.push(PolicyError {
                    message: "this is no customer id".to_owned(),
                    hint: "write one id a line, of 1 to 64 bytes".to_owned(),
                    span: start..start + line.trim_end().len(),
                });
            }
            start += line.len();
        }
        if faults.is_empty() {
            Ok(Self(ids))
        } else {
            Err(faults)
        }
    }

    /// Whether a customer is on it.
    #[must_use]
    pub fn has(&self, customer: &str) -> bool {
        self.0.contains(customer)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is on it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
