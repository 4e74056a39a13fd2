//! What customers did before the start, so that windows have something in them.

use super::amount::YUAN;
use super::simulation::{Moment, SimulatedEvent, Simulation};
use super::stories::card_payment;
use super::wire::{Counterparty, Movement};
use crate::clock::Millis;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const MONTH_DAYS: i64 = 30;
/// Distance between history and traffic, so that no trigger of the history is fresh.
const PAUSE_MS: i64 = HOUR_MS;
/// Waking hours in UTC: 09:00 to 21:00 at +08:00.
const WAKING_HOURS: (i64, i64) = (1, 12);

/// One thing that somebody did.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Income,
    Rent,
    Paid,
    /// What a saver invested earlier: the long-term preference behind scene 2a.
    Invested,
}

impl Simulation {
    /// The profile and the history of the customer in a slot, in the order of event time. Tills report
    /// only what was paid; the started checkouts before are left out, to keep the opening short.
    pub(super) fn life_before(&mut self, slot: usize) -> Vec<SimulatedEvent> {
        let first = self.settings.start - i64::from(self.settings.warmup_days) * DAY_MS - PAUSE_MS;
        let mut events = vec![self.tell_profile(slot, first)];
        for (time, deed) in self.deeds(slot, first) {
            self.relive(slot, deed, time, &mut events);
        }
        events
    }

    fn deeds(&mut self, slot: usize, first: Millis) -> Vec<(Millis, Deed)> {
        let persona = self.customers[slot].persona;
        let months = (i64::from(self.settings.warmup_days) + MONTH_DAYS - 1) / MONTH_DAYS;
        let mut deeds = Vec::new();
        for month in 0..months {
            for _ in 0..persona.income.times_per_month {
                deeds.push((self.day_in(month), Deed::Income));
            }
            if persona.rent.is_some() {
                deeds.push((self.day_in(month), Deed::Rent));
            }
            // Of earlier months, the beginning of the journal, a third is enough.
            let checkouts = if month == 0 {
                persona.checkouts_per_month
            } else {
                persona.checkouts_per_month / 3
            };
            for _ in 0..checkouts {
                deeds.push((self.day_in(month), Deed::Paid));
            }
        }
        if persona.name == "saver" {
            deeds.push((self.day_in(0), Deed::Invested));
        }
        let last = self.settings.start - PAUSE_MS;
        deeds.retain(|(time, _)| (first + 1..=last).contains(time));
        deeds.sort_by_key(|(time, _)| *time);
        deeds
    }

    /// A waking moment of the month that ended `month` months before the start.
    fn day_in(&mut self, month: i64) -> Millis {
        let random = &mut self.random;
        let day =
            (self.settings.start / DAY_MS) - month * MONTH_DAYS - random.between(1, MONTH_DAYS);
        let hour = random.between(WAKING_HOURS.0, WAKING_HOURS.1);
        day * DAY_MS + hour * HOUR_MS + random.between(0, HOUR_MS - 1)
    }

    fn relive(&mut self, slot: usize, deed: Deed, time: Millis, events: &mut Vec<SimulatedEvent>) {
        match deed {
            Deed::Income => {
                let movement = self.income(slot);
                events.push(self.book(slot, &movement, time, Moment::History));
            }
            Deed::Rent | Deed::Invested => {
                let movement = self.earlier_payment(slot, deed);
                if movement.cents <= self.customers[slot].balance_cents {
                    events.push(self.book(slot, &movement, time, Moment::History));
                }
            }
            Deed::Paid => {
                let number = self.next_basket();
                let customer = &self.customers[slot];
                let mut basket = customer.fill_basket(number, &mut self.random);
                basket.tender = customer.tender_for(&basket);
                let mut paid = self.tell_checkout(slot, &basket, "paid", time);
                paid.kind = Moment::History;
                events.push(paid);
                if basket.tender == "own_account" {
                    let debit = card_payment(&basket);
                    events.push(self.book(slot, &debit, time, Moment::History));
                }
            }
        }
    }

    fn earlier_payment(&mut self, slot: usize, deed: Deed) -> Movement {
        let customer = &self.customers[slot];
        let (cents, name, category, purpose) = match (deed, customer.persona.rent) {
            (Deed::Rent, Some(rent)) => (rent.round(&mut self.random), "安心租房", "rent", "rent"),
            _ => {
                let fifth = customer.balance_cents / 5 / (1_000 * YUAN) * 1_000 * YUAN;
                (fifth, "东海证券", "securities", "investment")
            }
        };
        Movement {
            incoming: false,
            cents: cents.max(YUAN),
            counterparty: Counterparty {
                name: name.to_owned(),
                bank: Some(customer.other_bank),
                category: Some(category),
            },
            channel: "mobile",
            purpose,
        }
    }
}
