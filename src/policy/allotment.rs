//! Who gets what is scarce, when many ask at the same time: in one order, whoever asks where.

use crate::partitioning::CustomerId;
use crate::state::Draw;
use crate::terms::Budget;
use sha2::{Digest, Sha256};

/// What a rule would spend on a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The customer's place in the order.
    pub rank: u64,
    /// The rule's place among those that want to speak to the customer.
    pub place: usize,
    /// The rule's group, of which one may speak.
    pub group: Option<Box<str>>,
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

/// Draws for the demands in the order of customers and of their rules, and tells which were covered, in
/// the order in which they were given: `draw` says whether the one at that place is. A customer gets one of a group. Who
/// comes too late for a large sum does not keep the next from a small one.
#[must_use]
pub fn allot(demands: &[Demand], mut draw: impl FnMut(usize) -> bool) -> Vec<bool> {
    let mut order: Vec<usize> = (0..demands.len()).collect();
    order.sort_by(|a, b| {
        let key = |at: usize| {
            let demand = &demands[at];
            (demand.rank, demand.place, &demand.draw.rule)
        };
        key(*a).cmp(&key(*b))
    });
    let mut granted = vec![false; demands.len()];
    let mut won: Vec<(u64, &str)> = Vec::new();
    for at in order {
        let demand = &demands[at];
        won.retain(|(rank, _)| *rank == demand.rank);
        let group = demand.group.as_deref().map(|group| (demand.rank, group));
        if group.is_none_or(|group| !won.contains(&group)) {
            granted[at] = draw(at);
            if granted[at] {
                won.extend(group);
            }
        }
    }
    granted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Money;
    use crate::state::{Drawn, Ledger};

    fn demand(rank: u64, place: usize, rule: &str, group: Option<&str>) -> Demand {
        Demand {
            rank,
            place,
            group: group.map(Into::into),
            draw: Draw {
                rule: rule.into(),
                account: None,
                day: jiff::civil::date(2026, 11, 22),
                cost: Money::from_ten_thousandths(1),
            },
            budget: Budget {
                total: Some(Money::from_ten_thousandths(2)),
                daily: None,
                per: None,
            },
        }
    }

    #[test]
    fn the_first_customers_get_the_first_rule_and_the_next_ones_the_next() {
        let group = Some("g");
        let both = |rank| [demand(rank, 0, "z", group), demand(rank, 1, "a", group)];
        let demands: Vec<Demand> = [5, 3, 9, 1, 7].into_iter().flat_map(both).collect();
        let ledger = Ledger::default();
        let granted = allot(&demands, |at| {
            let demand = &demands[at];
            ledger.draw(0, &demand.draw, &demand.budget) == Drawn::Paid
        });
        let who = |rule: &str| -> Vec<u64> {
            let got = demands
                .iter()
                .zip(&granted)
                .filter(|(_, granted)| **granted);
            let mut ranks: Vec<u64> = got
                .filter(|(demand, _)| &*demand.draw.rule == rule)
                .map(|(demand, _)| demand.rank)
                .collect();
            ranks.sort_unstable();
            ranks
        };
        assert_eq!(who("z"), [1, 3], "two can be paid for");
        assert_eq!(
            who("a"),
            [5, 7],
            "nobody gets both, and nothing is left over"
        );
    }
}
