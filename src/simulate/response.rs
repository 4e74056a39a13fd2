//! How simulated customers take what the engine sends them.

use super::amount::{YUAN, round_sum};
use super::customer::{Attachment, Basket, Customer};
use super::occasions::login;
use super::random::{Random, hash};
use super::simulation::{Simulation, Step};
use super::stories::own_account_elsewhere;
use super::wire::{Counterparty, Movement};
use crate::clock::Millis;

/// An action as a channel adapter receives it, as far as it matters to a customer.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedAction<'a> {
    /// The decision id.
    pub id: &'a str,
    /// The customer's id.
    pub customer: &'a str,
    /// `offer`, `retention` or `message`.
    pub kind: &'a str,
    /// The code in the action's body, empty if there is none.
    pub code: &'a str,
}

/// How far the customer went with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Response {
    /// It never arrived.
    Failed,
    /// It arrived, and that was all.
    Delivered,
    /// It was read.
    Opened,
    /// It was read and refused.
    Declined,
    /// It was taken.
    Accepted,
}

/// How many of a thousand messages get lost.
const LOST_PERMILLE: u32 = 15;
/// From publishing to the customer's screen, in milliseconds.
const DELIVERY_MS: (i64, i64) = (40, 180);
/// From the screen to the eye.
const OPENING_MS: (i64, i64) = (250, 500);
/// From the eye to the thumb.
const DECIDING_MS: (i64, i64) = (550, 1_000);
/// From the thumb to the till.
const PAYING_MS: (i64, i64) = (1_100, 1_800);
/// How many of a thousand of what is on the account goes into a product that is taken.
const INVESTED_PERMILLE: i64 = 300;
/// What a credit line is drawn for at first, and what an insurance costs a month; in cents.
const FIRST_DRAWDOWN_CENTS: i64 = 5_000 * YUAN;
const PREMIUM_CENTS: i64 = 19 * YUAN;

/// What taking an action means to a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taking {
    /// The basket is paid from our account.
    Coupon,
    /// What was paid becomes a loan.
    Instalments,
    /// Money is drawn from a credit line.
    CreditLine,
    /// Money goes into one of our products.
    Product,
    /// An insurance is paid.
    Cover,
    /// Money that left comes back.
    Return,
    /// Bills are paid by themselves from now on.
    AutoPay,
    /// The open bill is paid.
    Bill,
    /// The app is opened.
    Login,
}

impl Taking {
    /// By the code of the action, as far as it is one of the shipped rules'; any other offer is a coupon.
    fn of(action: &ReceivedAction<'_>) -> Self {
        match action.code {
            code if code.contains("INSTAL") => Self::Instalments,
            "CAMPUS-10" => Self::Instalments,
            "MERCHANT-LINE" => Self::CreditLine,
            "AUTOPAY" => Self::AutoPay,
            "BILL" => Self::Bill,
            code if code.ends_with("-COVER") => Self::Cover,
            _ if action.kind == "message" => Self::Login,
            "WAKE-UP" | "MIGRATION" => Self::Login,
            code if code.starts_with("FX-") || code == "BUSINESS-CARD" => Self::Login,
            _ if action.kind == "retention" => Self::Return,
            "EQUITY-PLUS" | "BALANCED-90" | "DEPOSIT-180" | "CHANGE-JAR" => Self::Product,
            _ => Self::Coupon,
        }
    }
}

impl Simulation {
    /// Lets a customer take an action, received at `at` (milliseconds since the Unix epoch), and plans
    /// what follows; the outcome events (`offer.delivered`, `offer.accepted`, …) come out of
    /// [`Simulation::next`] when they are due, and after an accepted coupon the paid checkout with
    /// `own_account`, its debit, and `offer.redeemed`. An accepted retention brings back part of the
    /// money; accepted instalments are credited; products and insurances are paid. The answer depends on the seed, the persona and the
    /// action's id alone, but that nobody accepts a coupon for a basket that the account cannot pay.
    /// `None` if the customer is none of ours, or no more.
    pub fn respond(&mut self, action: &ReceivedAction<'_>, at: Millis) -> Option<Response> {
        let slot = self.slot_of_id(action.customer)?;
        let customer = &self.customers[slot];
        let mut response = decide(self.settings.seed, customer, action.id);
        let out_of_reach = customer
            .open
            .is_some_and(|basket| basket.cents > customer.balance_cents);
        let coupon = action.kind == "offer" && Taking::of(action) == Taking::Coupon;
        if response == Response::Accepted && coupon && out_of_reach {
            response = Response::Opened;
        }
        if response == Response::Failed {
            self.outcome(slot, "offer.failed", action, at, DELIVERY_MS);
            return Some(response);
        }
        self.outcome(slot, "offer.delivered", action, at, DELIVERY_MS);
        if response == Response::Delivered {
            return Some(response);
        }
        self.outcome(slot, "offer.opened", action, at, OPENING_MS);
        match response {
            Response::Declined => self.outcome(slot, "offer.declined", action, at, DECIDING_MS),
            Response::Accepted => {
                self.outcome(slot, "offer.accepted", action, at, DECIDING_MS);
                self.follow_through(slot, action, at);
            }
            _ => {}
        }
        Some(response)
    }

    /// What an accepted action makes a customer do.
    fn follow_through(&mut self, slot: usize, action: &ReceivedAction<'_>, at: Millis) {
        let taking = Taking::of(action);
        if taking == Taking::Coupon {
            return self.pay_from_own_account(slot, action, at);
        }
        let customer = &mut self.customers[slot];
        let step = match taking {
            Taking::Coupon => None,
            Taking::AutoPay => {
                customer.autopay = true;
                None
            }
            Taking::Bill => customer.bill.clone().map(|bill| Step::PayBill { bill }),
            Taking::Login => {
                // Who had fallen asleep is awake.
                customer.attachment = Attachment::Lively;
                let notice = Box::new(login());
                Some(Step::Tell { notice })
            }
            Taking::Instalments => {
                let paid = customer.paid.map(|Basket { cents, .. }| cents);
                paid.map(|cents| credit("loan", "消费信贷", cents))
                    .map(|movement| Step::Move { movement })
            }
            Taking::CreditLine => Some(Step::Move {
                movement: credit("loan", "小微贷款", FIRST_DRAWDOWN_CENTS),
            }),
            Taking::Return => customer.left_cents.take().map(|cents| Step::Move {
                movement: Movement {
                    counterparty: own_account_elsewhere(customer),
                    ..credit("transfer", "", round_sum(cents / 2))
                },
            }),
            Taking::Product => Some(Step::Invest {
                permille: INVESTED_PERMILLE,
            }),
            Taking::Cover => Some(Step::Premium {
                cents: PREMIUM_CENTS,
            }),
        };
        if let Some(step) = step {
            self.later(slot, at, PAYING_MS, step);
        }
    }

    /// Pays the basket on the till, or else the one given up last, from the own account.
    fn pay_from_own_account(&mut self, slot: usize, action: &ReceivedAction<'_>, at: Millis) {
        let customer = &mut self.customers[slot];
        let affordable = |basket: &mut Basket| basket.cents <= customer.balance_cents;
        let taken = customer
            .open
            .take_if(affordable)
            .or_else(|| customer.lost.take_if(affordable));
        let Some(basket) = taken else { return };
        let basket = Basket {
            tender: "own_account",
            ..basket
        };
        let action = action.id.to_owned();
        self.later(slot, at, PAYING_MS, Step::PayAfterAll { basket, action });
    }

    fn outcome(
        &mut self,
        slot: usize,
        event_type: &'static str,
        action: &ReceivedAction<'_>,
        at: Millis,
        delay: (i64, i64),
    ) {
        let step = Step::Outcome {
            event_type,
            action: action.id.to_owned(),
        };
        self.later(slot, at, delay, step);
    }

    pub(super) fn slot_of_id(&self, id: &str) -> Option<usize> {
        let number = id
            .strip_prefix(&format!("C{}-", self.settings.seed))?
            .parse()
            .ok()?;
        self.slot_of(number)
    }
}

fn decide(seed: u64, customer: &Customer, action: &str) -> Response {
    let random = &mut Random::new(seed, hash(action));
    let habits = customer.persona.habits;
    if random.chance(LOST_PERMILLE) {
        Response::Failed
    } else if !random.chance(habits.opens_permille) {
        Response::Delivered
    } else if random.chance(habits.accepts_permille) {
        Response::Accepted
    } else if random.chance(habits.declines_permille) {
        Response::Declined
    } else {
        Response::Opened
    }
}

fn credit(purpose: &'static str, name: &str, cents: i64) -> Movement {
    Movement {
        incoming: true,
        cents,
        counterparty: Counterparty {
            name: name.to_owned(),
            bank: None,
            category: Some(purpose),
        },
        channel: "mobile",
        purpose,
    }
}
