//! What customers did before the start, so that windows have something in them.

use super::amount::YUAN;
use super::customer::{Attachment, Basket};
use super::occasions::{bill_payment, login};
use super::simulation::{Moment, SimulatedEvent, Simulation};
use super::stories::{card_payment, own_account_elsewhere};
use super::wire::{Counterparty, Movement};
use crate::clock::Millis;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const MONTH_DAYS: i64 = 30;
/// Distance between history and traffic, so that no trigger of the history is fresh.
const PAUSE_MS: i64 = HOUR_MS;
/// Waking hours in UTC: 09:00 to 21:00 at +08:00.
const WAKING_HOURS: (i64, i64) = (1, 12);
/// For how many days those who fell asleep have not opened the app.
const ASLEEP_DAYS: i64 = 61;
/// On which days of a month before the start those who leave move money away.
const LEAVING_DAY: i64 = 4;
/// How much of their balance they move each time, beyond what came in, in permille.
const LEAVING_PERMILLE: i64 = 420;
/// How many of a thousand customers live through something right now that is decided in the first
/// minute after the start: what happened ten minutes ago, or a day ago, is still open then.
const OPEN_PERMILLE: u32 = 60;
/// How long after the start it is decided, in milliseconds.
const OPEN_MS: (i64, i64) = (4_000, 40_000);
/// Ten minutes after a basket was left it is asked for; a day after a salary arrived, too.
const BASKET_WAITS_MS: i64 = 600_000;
/// How many of a thousand of the salaried ride to work, of students buy a coffee between all lectures,
/// and how often they did lately.
const CREATURES_OF_HABIT_PERMILLE: u32 = 250;
const RIDES: u32 = 9;
const COFFEES: u32 = 11;

/// One thing that somebody did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Income,
    Rent,
    Paid,
    /// What a saver invested earlier: the long-term preference behind scene 2a.
    Invested,
    /// The app was opened.
    Login,
    /// A bill was paid by hand, or by itself.
    Bill,
    /// Rode to work.
    Ride,
    /// Had a coffee, and paid it from our account.
    Coffee,
    /// More than came in was moved to the own account elsewhere.
    Left,
    /// A salary that arrived nearly a day before the start.
    FreshMoney,
    /// A checkout that was started nearly ten minutes before the start.
    WandersOff,
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
            deeds.push((self.day_in(month), Deed::Login));
            if persona.rent.is_some() || persona.name == "homemaker" {
                deeds.push((self.day_in(month), Deed::Bill));
            }
            if self.customers[slot].attachment == Attachment::Leaving {
                let day = month * MONTH_DAYS + LEAVING_DAY;
                deeds.push((self.settings.start - day * DAY_MS, Deed::Left));
            }
        }
        if self.random.chance(CREATURES_OF_HABIT_PERMILLE) {
            let (times, deed) = match persona.name {
                "salaried" => (RIDES, Deed::Ride),
                "student" => (COFFEES, Deed::Coffee),
                _ => (0, Deed::Paid),
            };
            deeds.extend((0..times).map(|_| (self.day_in(0), deed)));
        }
        if self.customers[slot].attachment == Attachment::Asleep {
            let woke = self.settings.start - ASLEEP_DAYS * DAY_MS;
            deeds.retain(|(time, deed)| *deed != Deed::Login || *time < woke);
        }
        if persona.name == "saver" {
            deeds.push((self.day_in(0), Deed::Invested));
        }
        let last = self.settings.start - PAUSE_MS;
        deeds.retain(|(time, _)| (first + 1..=last).contains(time));
        if first + DAY_MS < self.settings.start - DAY_MS {
            self.still_open(slot, &mut deeds);
        }
        deeds.sort_by_key(|(time, _)| *time);
        deeds
    }

    /// What happened just long enough ago that it is decided right after the start.
    fn still_open(&mut self, slot: usize, deeds: &mut Vec<(Millis, Deed)>) {
        let customer = &self.customers[slot];
        if customer.attachment != Attachment::Lively || !self.random.chance(OPEN_PERMILLE) {
            return;
        }
        let due = self.settings.start + self.random.between(OPEN_MS.0, OPEN_MS.1);
        if self.customers[slot].is_salary_account() {
            // The money must lie idle, so nothing else happened on that day.
            deeds.retain(|(time, _)| *time < due - DAY_MS);
            deeds.push((due - DAY_MS, Deed::FreshMoney));
        } else {
            deeds.push((due - BASKET_WAITS_MS, Deed::WandersOff));
        }
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
            Deed::FreshMoney => {
                let movement = self.income(slot);
                events.push(self.book(slot, &movement, time, Moment::FreshMoney));
            }
            Deed::Left => {
                let customer = &self.customers[slot];
                let income = customer.monthly_income_cents;
                let cents = income + customer.balance_cents * LEAVING_PERMILLE / 1000;
                let movement = Movement {
                    incoming: false,
                    cents: cents.min(customer.balance_cents),
                    counterparty: own_account_elsewhere(customer),
                    channel: "mobile",
                    purpose: "transfer",
                };
                if movement.cents > 0 {
                    events.push(self.book(slot, &movement, time, Moment::History));
                }
            }
            Deed::Login => {
                let told = self.tell_notice(slot, &login(), time);
                events.push(past(told));
            }
            Deed::Bill => {
                let bill = self.usual_bill();
                if bill.cents <= self.customers[slot].balance_cents {
                    let notice = self.bill_paid(slot, &bill);
                    let told = self.tell_notice(slot, &notice, time);
                    events.push(past(told));
                    let movement = bill_payment(&bill);
                    events.push(self.book(slot, &movement, time, Moment::History));
                }
            }
            Deed::WandersOff => {
                let number = self.next_basket();
                let customer = &self.customers[slot];
                let basket = customer.fill_basket(number, &mut self.random);
                events.push(self.wander_off(slot, basket, time));
            }
            Deed::Rent | Deed::Invested => {
                let movement = self.earlier_payment(slot, deed);
                if movement.cents <= self.customers[slot].balance_cents {
                    events.push(self.book(slot, &movement, time, Moment::History));
                }
            }
            Deed::Paid | Deed::Ride | Deed::Coffee => self.paid(slot, deed, time, events),
        }
    }

    fn paid(&mut self, slot: usize, deed: Deed, time: Millis, events: &mut Vec<SimulatedEvent>) {
        let number = self.next_basket();
        let customer = &self.customers[slot];
        let random = &mut self.random;
        let mut basket = match deed {
            Deed::Ride => customer.fill_basket_with("transport", number, random),
            Deed::Coffee => Basket {
                tender: "own_account",
                ..customer.fill_basket_with("coffee", number, random)
            },
            _ => customer.fill_basket(number, random),
        };
        basket.tender = customer.tender_for(&basket);
        let told = self.tell_checkout(slot, &basket, "paid", time);
        events.push(past(told));
        if basket.tender == "own_account" {
            let debit = card_payment(&basket);
            events.push(self.book(slot, &debit, time, Moment::History));
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

fn past(told: SimulatedEvent) -> SimulatedEvent {
    SimulatedEvent {
        kind: Moment::History,
        ..told
    }
}
