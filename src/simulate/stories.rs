//! What customers do next: how stories begin, and how they go on.

use super::amount::{Amounts, YUAN, round_sum, yuan};
use super::customer::{Attachment, Basket, Customer};
use super::people::{FAMILY_NAMES, GIVEN_NAMES, Name};
use super::personas::Activity;
use super::simulation::{Moment, SimulatedEvent, Simulation, Step};
use super::wire::{Counterparty, Movement};
use crate::clock::Millis;

/// How long people stand at the till before they pay, in milliseconds (condensed).
const PAYING_MS: (i64, i64) = (1_500, 4_500);
/// How long a till waits before it calls a basket abandoned (condensed from ten minutes).
const ABANDONING_MS: (i64, i64) = (3_000, 6_500);
/// How long goods are kept before they are brought back (condensed from days).
const REFUNDING_MS: (i64, i64) = (4_000, 9_000);
/// How long money stays after it landed, when it is about to leave (condensed from hours).
const LEAVING_MS: (i64, i64) = (1_500, 3_500);
/// How many of a thousand baskets are neither paid nor given up.
const WANDERING_PERMILLE: u32 = 12;
/// Nobody calls an outflow below this large, in cents.
const LARGE_CENTS_MIN: i64 = 6_000 * YUAN;

/// Where a basket is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Wherever the persona likes to shop.
    Taste,
    /// At home, in a shop of this category.
    Category(&'static str),
    /// In another country.
    Abroad,
    /// In a shop of another country that sells over the net.
    AbroadOnline,
}

/// A share of the balance that leaves at once, in permille: from, to.
type Share = (i64, i64);

const YIELD_SHARE: Share = (350, 750);
const PURCHASE_SHARE: Share = (380, 800);
const FAMILY_SHARE: Share = (350, 650);
const EVERYTHING: Share = (985, 1000);

/// Bills and small transfers: name, category and purpose, amounts.
type Bill = (&'static str, Option<&'static str>, &'static str, Amounts);

static BILLS: [(Bill, u32); 4] = [
    (("城市供电", Some("utilities"), "bill", yuan(168, 400)), 30),
    (("华讯通信", Some("telecom"), "bill", yuan(79, 300)), 30),
    (
        ("安居物业", Some("property_fee"), "bill", yuan(260, 400)),
        15,
    ),
    (("", None, "transfer", yuan(220, 900)), 25),
];

/// Where yields are chased: name, category, purpose. The last is the own account elsewhere.
static YIELDS: [((&str, &str, &str), u32); 4] = [
    (("东海证券", "securities", "investment"), 32),
    (("江海证券", "securities", "investment"), 18),
    (("天天货币基金", "fund", "investment"), 30),
    (("", "self", "transfer"), 20),
];

impl Simulation {
    /// Begins a story for the customer in a slot; `None` when this is not the time for it.
    pub(super) fn begin(
        &mut self,
        slot: usize,
        activity: Activity,
        at: Millis,
    ) -> Option<SimulatedEvent> {
        if self.customers[slot].attachment != Attachment::Lively {
            return None;
        }
        match activity {
            Activity::Checkout => self.start_checkout(slot, Place::Taste, at),
            Activity::Income => Some(self.receive_income(slot, at)),
            Activity::Payment => self.pay_bill(slot, at),
            Activity::Yield | Activity::BigPurchase | Activity::Family => {
                if self.outflow_cents(slot, activity) >= LARGE_CENTS_MIN {
                    return self.large_outflow(slot, activity, at);
                }
                // There is too little to move: first something comes in.
                self.later(slot, at, LEAVING_MS, Step::Outflow { activity });
                Some(self.receive_income(slot, at))
            }
            Activity::MovingAway => {
                self.later(slot, at, LEAVING_MS, Step::Outflow { activity });
                Some(self.receive_income(slot, at))
            }
            Activity::Renovation => {
                let event = self.start_checkout(slot, Place::Category("home"), at)?;
                let delay = (PAYING_MS.1 + LEAVING_MS.0, PAYING_MS.1 + LEAVING_MS.1);
                self.later(slot, at, delay, Step::Outflow { activity });
                Some(event)
            }
            Activity::TripAbroad => self.start_checkout(slot, Place::Abroad, at),
            Activity::ShopAbroad => self.start_checkout(slot, Place::AbroadOnline, at),
            _ => self.occasion(slot, activity, at),
        }
    }

    /// Goes on with a story; `None` when life has taken another turn.
    pub(super) fn follow_up(
        &mut self,
        customer: u64,
        step: Step,
        at: Millis,
    ) -> Option<SimulatedEvent> {
        let slot = self.slot_of(customer)?;
        match step {
            Step::Settle { basket, paid } => {
                // An offer was accepted meanwhile: the basket is paid elsewhere.
                self.customers[slot].open.take_if(|open| *open == basket)?;
                Some(self.settle(slot, basket, paid, at))
            }
            Step::PayAfterAll { basket, action } => {
                if basket.cents > self.customers[slot].balance_cents {
                    return None;
                }
                let event = self.settle(slot, basket, true, at);
                self.at_once(
                    slot,
                    Step::Outcome {
                        event_type: "offer.redeemed",
                        action,
                    },
                );
                Some(event)
            }
            Step::CardPayment { basket } => {
                let movement = card_payment(&basket);
                Some(self.book(slot, &movement, at, Moment::Everyday))
            }
            Step::Refund { basket } => {
                if basket.tender == "own_account" {
                    let movement = Movement {
                        incoming: true,
                        purpose: "refund",
                        ..card_payment(&basket)
                    };
                    self.at_once(slot, Step::Move { movement });
                }
                Some(self.tell_checkout(slot, &basket, "refunded", at))
            }
            Step::Outflow { activity } => self.large_outflow(slot, activity, at),
            Step::Move { movement } => Some(self.book(slot, &movement, at, Moment::Everyday)),
            Step::PayBill { bill } => self.pay_open_bill(slot, &bill, at),
            Step::Invest { permille } => {
                let cents = self.customers[slot].balance_cents * permille / 1000;
                let to = ("理财产品", "wealth", "our_product");
                self.pay_out(slot, round_sum(cents), to, at)
            }
            Step::Premium { cents } => {
                self.pay_out(slot, cents, ("安泰保险", "insurance", "premium"), at)
            }
            Step::Tell { notice } => Some(self.tell_notice(slot, &notice, at)),
            Step::Outcome { event_type, action } => {
                Some(self.tell_outcome(slot, event_type, &action, at))
            }
        }
    }

    fn start_checkout(&mut self, slot: usize, place: Place, at: Millis) -> Option<SimulatedEvent> {
        if self.customers[slot].open.is_some() {
            return None;
        }
        let number = self.next_basket();
        let customer = &mut self.customers[slot];
        let random = &mut self.random;
        let mut basket = match place {
            Place::Taste => customer.fill_basket(number, random),
            Place::Category(category) => customer.fill_basket_with(category, number, random),
            Place::Abroad => customer.fill_basket_abroad(false, number, random),
            Place::AbroadOnline => customer.fill_basket_abroad(true, number, random),
        };
        basket.tender = customer.tender_for(&basket);
        if place == Place::Taste && random.chance(WANDERING_PERMILLE) {
            return Some(self.wander_off(slot, basket, at));
        }
        customer.open = Some(basket);
        let paid = place != Place::Taste || !random.chance(customer.persona.abandons_permille);
        let delay = if paid { PAYING_MS } else { ABANDONING_MS };
        self.later(slot, at, delay, Step::Settle { basket, paid });
        Some(self.tell_checkout(slot, &basket, "started", at))
    }

    /// A checkout is started, and nobody ever hears of it again.
    pub(super) fn wander_off(&mut self, slot: usize, basket: Basket, at: Millis) -> SimulatedEvent {
        self.customers[slot].lost = Some(basket);
        SimulatedEvent {
            kind: Moment::WandersOff,
            ..self.tell_checkout(slot, &basket, "started", at)
        }
    }

    fn settle(&mut self, slot: usize, basket: Basket, paid: bool, at: Millis) -> SimulatedEvent {
        let customer = &mut self.customers[slot];
        let own = basket.tender == "own_account";
        // A card that is declined leaves a basket behind, too.
        if !paid || (own && basket.cents > customer.balance_cents) {
            customer.lost = Some(basket);
            return self.tell_checkout(slot, &basket, "abandoned", at);
        }
        customer.paid = Some(basket);
        let refunds = customer.persona.refunds_permille;
        if own {
            self.at_once(slot, Step::CardPayment { basket });
        }
        if self.random.chance(refunds) {
            self.later(slot, at, REFUNDING_MS, Step::Refund { basket });
        }
        self.tell_checkout(slot, &basket, "paid", at)
    }

    /// The persona's income arrives; what the clockwork falls back on, since it is always possible.
    pub(super) fn receive_income(&mut self, slot: usize, at: Millis) -> SimulatedEvent {
        let movement = self.income(slot);
        let kind = match movement.purpose {
            "salary" => Moment::FreshMoney,
            "settlement" => Moment::Settlement,
            _ => Moment::Everyday,
        };
        self.book(slot, &movement, at, kind)
    }

    pub(super) fn income(&mut self, slot: usize) -> Movement {
        let customer = &self.customers[slot];
        let category = customer.persona.income.category;
        let bank = (category != "term_deposit").then_some(customer.other_bank);
        Movement {
            incoming: true,
            cents: customer.income_cents(&mut self.random),
            counterparty: Counterparty {
                name: customer.payer.hanzi.to_owned(),
                bank,
                category: Some(category),
            },
            channel: "batch",
            purpose: category,
        }
    }

    fn pay_bill(&mut self, slot: usize, at: Millis) -> Option<SimulatedEvent> {
        let (payee, category, purpose, amounts) = self.random.weighted(&BILLS);
        let cents = amounts.draw(&mut self.random);
        let name = if payee.is_empty() {
            self.somebody()
        } else {
            payee.to_owned()
        };
        let customer = &self.customers[slot];
        if cents > customer.balance_cents {
            return None;
        }
        let bank = Some(customer.other_bank);
        let counterparty = Counterparty {
            name,
            bank,
            category,
        };
        let movement = Movement {
            incoming: false,
            cents,
            counterparty,
            channel: "mobile",
            purpose,
        };
        Some(self.book(slot, &movement, at, Moment::Everyday))
    }

    /// Pays a company from the account; `None` if there is too little.
    fn pay_out(
        &mut self,
        slot: usize,
        cents: i64,
        (name, category, purpose): (&str, &'static str, &'static str),
        at: Millis,
    ) -> Option<SimulatedEvent> {
        if cents > self.customers[slot].balance_cents {
            return None;
        }
        let movement = Movement {
            incoming: false,
            cents,
            counterparty: Counterparty {
                name: name.to_owned(),
                bank: None,
                category: Some(category),
            },
            channel: "mobile",
            purpose,
        };
        Some(self.book(slot, &movement, at, Moment::Everyday))
    }

    /// How much would leave now, in cents.
    fn outflow_cents(&mut self, slot: usize, activity: Activity) -> i64 {
        let (low, high) = match activity {
            Activity::Yield => YIELD_SHARE,
            Activity::BigPurchase | Activity::Renovation => PURCHASE_SHARE,
            Activity::MovingAway => EVERYTHING,
            _ => FAMILY_SHARE,
        };
        let share = self.random.between(low, high);
        let cents = self.customers[slot].balance_cents * share / 1000;
        if activity == Activity::MovingAway {
            cents
        } else {
            round_sum(cents)
        }
    }

    fn large_outflow(
        &mut self,
        slot: usize,
        activity: Activity,
        at: Millis,
    ) -> Option<SimulatedEvent> {
        let cents = self.outflow_cents(slot, activity);
        if cents < LARGE_CENTS_MIN {
            return None;
        }
        let (counterparty, purpose, kind) = self.destination(slot, activity, cents);
        let customer = &mut self.customers[slot];
        customer.left_cents = matches!(kind, Moment::Yield | Moment::MovingAway).then_some(cents);
        let movement = Movement {
            incoming: false,
            cents,
            counterparty,
            channel: "mobile",
            purpose,
        };
        Some(self.book(slot, &movement, at, kind))
    }

    fn destination(
        &mut self,
        slot: usize,
        activity: Activity,
        cents: i64,
    ) -> (Counterparty, &'static str, Moment) {
        let own = own_account_elsewhere(&self.customers[slot]);
        let bank = own.bank;
        let named = |name: &str, category| Counterparty {
            name: name.to_owned(),
            bank,
            category,
        };
        match activity {
            Activity::Yield => match self.random.weighted(&YIELDS) {
                (_, "self", purpose) => (own, purpose, Moment::Yield),
                (name, category, purpose) => (named(name, Some(category)), purpose, Moment::Yield),
            },
            Activity::BigPurchase => {
                let (name, category, purpose) = match cents / YUAN {
                    ..12_000 => ("智电城", "electronics", "purchase"),
                    12_000..35_000 => ("居然有家", "home", "purchase"),
                    _ => ("锦程汽车", "car", "down_payment"),
                };
                (named(name, Some(category)), purpose, Moment::BigPurchase)
            }
            Activity::MovingAway => (own, "transfer", Moment::MovingAway),
            // To a person. What the customer bought last may tell a craftsman from a cousin.
            Activity::Renovation => (
                named(&self.somebody(), None),
                "transfer",
                Moment::BigPurchase,
            ),
            _ => (
                named(&self.somebody(), None),
                "transfer",
                Moment::UnknownOutflow,
            ),
        }
    }

    /// The name of a person who is no customer.
    pub(super) fn somebody(&mut self) -> String {
        let Name { hanzi: family, .. } = self.random.pick(&FAMILY_NAMES);
        let Name { hanzi: given, .. } = self.random.pick(&GIVEN_NAMES);
        format!("{family}{given}")
    }
}

/// The customer's own account at another bank.
pub(super) fn own_account_elsewhere(customer: &Customer) -> Counterparty {
    Counterparty {
        name: customer.hanzi(),
        bank: Some(customer.other_bank),
        category: Some("self"),
    }
}

/// The debit that a checkout paid from the account makes.
pub(super) fn card_payment(basket: &Basket) -> Movement {
    let merchant = basket.merchant();
    Movement {
        incoming: false,
        cents: basket.cents,
        counterparty: Counterparty {
            name: merchant.name.hanzi.to_owned(),
            bank: None,
            category: Some(merchant.category),
        },
        channel: "pos",
        purpose: "card_payment",
    }
}
