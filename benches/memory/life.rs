//! What happens to the customers.

use onscene::clock::{HOUR, Millis};
use onscene::event::{Checkout, Direction, Event, Facts, Incoming, Movement, Stage, Value, Word};
use onscene::money::Money;
use onscene::partition::{Input, Partition};
use onscene::partitioning::{CustomerId, partition_of};
use onscene::state::{Customers, JournalLimits};
use std::sync::Arc;

/// When it is: 2026-11-22T02:00:00Z.
pub(crate) const NOW: Millis = 1_795_312_800_000;
/// From one event of a customer to the next.
const BETWEEN: Millis = 36 * HOUR;
const CATEGORIES: [&str; 8] = [
    "dining", "travel", "fuel", "grocery", "fashion", "health", "sports", "other",
];
const TENDERS: [&str; 3] = ["own_account", "other_bank", "cash"];
const CHANNELS: [&str; 3] = ["mobile", "counter", "atm"];

/// How many customers, and how much happens to each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Life {
    pub(crate) customers: u32,
    pub(crate) entries: u32,
    pub(crate) merchants: u32,
}

/// Scatters numbers (SplitMix64).
fn scattered(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// One of some, by chance.
fn one_of(words: &[&'static str], chance: u64) -> Option<Word> {
    let at = usize::try_from(chance % words.len() as u64).unwrap_or(0);
    words.get(at).map(|&word| word.into())
}

impl Life {
    /// A customer's id.
    pub(crate) fn id(customer: u32) -> Option<CustomerId> {
        CustomerId::new(&format!("C{customer:09}"))
    }

    /// Lets everything happen, entry by entry, in so many partitions.
    pub(crate) fn live_in(&self, partitions: u16) -> (Arc<Customers>, Vec<Partition>) {
        let customers = Arc::new(Customers::default());
        let limits = JournalLimits::default();
        let new = |_| Partition::new(customers.clone(), limits, jiff::tz::TimeZone::UTC);
        let mut all: Vec<Partition> = (0..partitions).map(new).collect();
        let (checkout, movement) = ("merchant.checkout".into(), "account.movement".into());
        for entry in 0..self.entries {
            for customer in 0..self.customers {
                let chance = scattered(u64::from(entry) << 32 | u64::from(customer));
                // Every fourth is a movement.
                let (kind, facts) = match (entry + customer) % 4 {
                    0 => (&movement, self.movement(chance)),
                    _ => (&checkout, self.checkout(chance)),
                };
                let Some(customer) = Self::id(customer) else {
                    continue;
                };
                let at = usize::from(partition_of(&customer.token(), partitions));
                all[at].fold(&self.input(entry, customer, kind, chance, facts));
            }
        }
        (customers, all)
    }

    fn input(
        &self,
        entry: u32,
        customer: CustomerId,
        kind: &Arc<str>,
        chance: u64,
        facts: Facts,
    ) -> Input {
        let time = NOW - i64::from(self.entries - entry) * BETWEEN;
        let event = Event {
            imported: false,
            id: "e".into(),
            source: "s".into(),
            kind: kind.clone(),
            customer,
            time,
            traceparent: None,
            fingerprint: scattered(chance),
            data: Value::Null,
            facts,
        };
        Input {
            sequence: 1,
            stored_at: time,
            already: 0,
            what: Incoming::Event(event),
        }
    }

    fn checkout(&self, chance: u64) -> Facts {
        let merchant = chance % u64::from(self.merchants);
        let stages = [Stage::Started, Stage::Paid, Stage::Paid, Stage::Abandoned];
        let stage = stages[usize::try_from(chance >> 40 & 3).unwrap_or(0)];
        Facts::Checkout(Checkout {
            stage,
            amount: Money::from_ten_thousandths(i64::from(chance as u16) * 100),
            tender: one_of(&TENDERS, chance >> 48),
            merchant: Some(format!("M{merchant:06}").into()),
            category: one_of(&CATEGORIES, merchant),
            partner: merchant.is_multiple_of(10),
        })
    }

    fn movement(&self, chance: u64) -> Facts {
        let other = chance % u64::from(self.merchants / 2).max(1);
        let direction = [Direction::In, Direction::Out][usize::from(chance >> 40 & 1 == 1)];
        Facts::Movement(Movement {
            account: "main".into(),
            direction,
            amount: Money::from_ten_thousandths(i64::from(chance as u16) * 1_000),
            balance: Some(Money::from_ten_thousandths(i64::from(chance as u32))),
            counterparty: Some(format!("Company {other}").into()),
            category: one_of(&["salary", "rent", "utilities"], other),
            channel: one_of(&CHANNELS, chance >> 48),
            purpose: None,
        })
    }
}
