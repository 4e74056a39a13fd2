//! Rollout, control group and variants: by a hash of rule and customer, so that everybody computes
//! the same and no two experiments are correlated.

use crate::partitioning::CustomerId;
use crate::terms::Terms;
use sha2::{Digest, Sha256};

/// A number below `n`, evenly spread over customers and independent for each rule and purpose.
fn draw(purpose: &str, rule: &str, customer: &CustomerId, n: u64) -> u64 {
    let mut hash = Sha256::new();
    for part in [purpose, rule, customer.as_str()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let number = u64::from_le_bytes(
        digest[..8]
            .try_into()
            .expect("invariant: SHA-256 has 32 bytes"),
    );
    // The bias of the remainder is below n / 2^64.
    number % n.max(1)
}

/// Whether a rule is rolled out to a customer.
#[must_use]
pub fn is_rolled_out(terms: &Terms, customer: &CustomerId) -> bool {
    terms.rollout >= 100 || draw("rollout", &terms.name, customer, 100) < u64::from(terms.rollout)
}

/// Whether a customer is in a rule's control group.
#[must_use]
pub fn is_held_out(terms: &Terms, customer: &CustomerId) -> bool {
    terms.holdout > 0 && draw("holdout", &terms.name, customer, 100) < u64::from(terms.holdout)
}

/// The variant that a customer gets of a rule.
#[must_use]
pub fn variant<'a>(terms: &'a Terms, customer: &CustomerId) -> &'a str {
    if let [(only, _)] = &terms.variants[..] {
        return only;
    }
    let total = terms.variants.iter().map(|(_, w)| u64::from(*w)).sum();
    let mut drawn = draw("variant", &terms.name, customer, total);
    for (name, weight) in &terms.variants {
        match drawn.checked_sub(u64::from(*weight)) {
            None => return name,
            Some(rest) => drawn = rest,
        }
    }
    terms.variants.first().map_or("default", |(name, _)| name)
}
