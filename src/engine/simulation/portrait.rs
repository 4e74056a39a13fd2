//! What an engine knows, in words, so that two engines can be compared that number their words differently.

use super::driver::{Failure, failure};
use crate::partitioning::CustomerId;
use crate::state::{Customer, Customers, Ledger, Names, export::customer_json};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Rules that have a budget.
const BUDGETS: [&str; 3] = ["coupon", "merchant", "goal"];

/// An engine's state.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Portrait {
    customers: BTreeMap<String, String>,
    spent: Vec<String>,
}

impl Portrait {
    pub(super) fn take(customers: &Customers, ledger: &Ledger) -> Self {
        let mut all = BTreeMap::new();
        customers.for_each(|id, customer| {
            let words = describe(id, customer, customers.names());
            all.insert(id.as_str().to_owned(), words);
        });
        let spent = BUDGETS.map(|rule| format!("{rule} {}", ledger.spent(rule)));
        Self {
            customers: all,
            spent: spent.to_vec(),
        }
    }

    /// Law 2.
    pub(super) fn same_as(&self, other: &Self) -> Result<(), Failure> {
        let law = "state is a fold";
        if self.spent != other.spent {
            let what = format!("spent {:?}, folded {:?}", self.spent, other.spent);
            return Err(failure(law, what));
        }
        if self.customers.keys().ne(other.customers.keys()) {
            return Err(failure(law, "other customers are known"));
        }
        for (id, words) in &self.customers {
            let folded = &other.customers[id];
            let mut pairs = words.lines().zip(folded.lines());
            if let Some((live, fold)) = pairs.find(|(live, fold)| live != fold) {
                return Err(failure(law, format!("{id}: live {live}; folded {fold}")));
            }
            if words != folded {
                return Err(failure(law, format!("{id}: live\n{words}folded\n{folded}")));
            }
        }
        Ok(())
    }
}

/// One item of the export a line, so that a difference is short.
fn describe(id: &CustomerId, customer: &Customer, names: &Names) -> String {
    let mut words = String::new();
    let export = customer_json(id, customer, names);
    let Value::Object(members) = &export else {
        return export.to_string();
    };
    for (name, member) in members {
        match member {
            Value::Array(items) => {
                for item in items {
                    let _ = writeln!(words, "{name} {item}");
                }
            }
            Value::Object(parts) if name == "journal" => {
                for item in parts["entries"].as_array().into_iter().flatten() {
                    let _ = writeln!(words, "{name} {item}");
                }
                // An event that was too old moves the edge; a restart passes over it, and does not.
            }
            other => {
                let _ = writeln!(words, "{name} {other}");
            }
        }
    }
    words
}
