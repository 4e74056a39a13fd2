//! Who gets what is scarce, when many ask at the same time: in one order, whoever asks where.

use crate::partitioning::CustomerId;
use crate::state::{Draw, Ledger};
use crate::terms::Budget;
use sha2::{Digest, Sha256};

/// What a rule would spend on a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The customer's place in the order.
    pub rank: u64,
    /// How much, of which account.
    pub draw: Draw,
    /// The limits.
    pub budget: Budget,
}

/// A customer's place in the order in which a broadcast is served: by a hash, so that a repetition has
/// the same order and nobody is always the first.
#[must_use]
pub fn rank(source: &str, event: &str, customer: &CustomerId) -> u64 {
    let mut hash = Sha256::new();
    for part in ["rank", source, event, customer.as_str()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    u64::from_be_bytes(
        digest[..8]
            .try_into()
            .expect("invariant: SHA-256 has 32 bytes"),
    )
}

/// Draws for the demands in the order of their ranks, and tells which were covered, in the order in
/// which they were given. Who comes too late for a large sum does not keep the next from a small one.
#[must_use]
pub fn allot(ledger: &Ledger, demands: &[Demand]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..demands.len()).collect();
    order.sort_by(|a, b| {
        let key = |at: usize| (demands[at].rank, &demands[at].draw.rule);
        key(*a).cmp(&key(*b))
    });
    let mut granted = vec![false; demands.len()];
    for at in order {
        let demand = &demands[at];
        granted[at] = ledger.draw(&demand.draw, &demand.budget);
    }
    granted
}
