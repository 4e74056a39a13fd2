//! What an engine knows, in words, so that two engines can be compared that number their words differently.

use super::driver::{Failure, failure};
use crate::state::{Customer, Customers, Ledger, Names};
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
            let words = describe(customer, customers.names());
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

fn describe(customer: &Customer, names: &Names) -> String {
    let mut words = String::new();
    let _ = writeln!(words, "first seen {}", customer.first_seen);
    let _ = writeln!(words, "balance {}", customer.balance());
    let profile = &customer.profile;
    let segments: Vec<_> = profile.segments().map(|name| names.word(name)).collect();
    let zone = profile.time_zone().map(|name| names.word(name));
    let _ = writeln!(words, "in {segments:?} at {zone:?}");
    for entry in customer.journal.entries() {
        let kind = names.word(entry.kind);
        let party = entry.party.map(|name| names.word(name));
        let _ = writeln!(
            words,
            "did {} {:x} {kind} {} {party:?} {:?}",
            entry.time, entry.fingerprint, entry.amount, entry.phase
        );
    }
    for contact in customer.contacts.all() {
        let code = contact.code.map(|name| names.word(name));
        let _ = writeln!(
            words,
            "heard {} of {} from {} at {} for {} {} by {} step {} {code:?} {:?} {:?} {} {} {:?}",
            contact.id,
            contact.entry,
            names.word(contact.rule),
            contact.at,
            contact.time,
            names.word(contact.variant),
            names.word(contact.channel),
            contact.step,
            contact.value,
            contact.cost,
            contact.holdout,
            contact.converted,
            contact.outcomes,
        );
    }
    let mut waits: Vec<_> = customer.pending.iter().collect();
    waits.sort_by_key(|pending| pending.entry);
    for pending in waits {
        let _ = writeln!(
            words,
            "waits {} {} until {} step {} {:?} since {} for {:?}",
            pending.entry,
            names.word(pending.rule),
            pending.due,
            pending.step,
            pending.wait,
            pending.entered,
            pending.trigger,
        );
    }
    words
}
