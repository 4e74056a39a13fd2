//! How simulated customers take what the engine sends them.

use super::amount::round_sum;
use super::customer::{Basket, Customer};
use super::random::Random;
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
/// Codes with this in them offer to pay in instalments.
const INSTALMENT_CODE: &str = "INSTAL";

impl Simulation {
    /// Lets a customer take an action, received at `at` (milliseconds since the Unix epoch), and plans
    /// what follows; the outcome events (`offer.delivered`, `offer.accepted`, …) come out of
    /// [`Simulation::next`] when they are due, and after an accepted coupon the paid checkout with
    /// `own_account`, its debit, and `offer.redeemed`. An accepted retention brings back part of the
    /// money; accepted instalments are credited. The answer depends on the seed, the persona and the
    /// action's id alone, but that nobody accepts a coupon for a basket that the account cannot pay.
    /// `None` if the customer is none of ours, or no more.
    pub fn respond(&mut self, action: &ReceivedAction<'_>, at: Millis) -> Option<Response> {
        let slot = self.slot_of_id(action.customer)?;
        let customer = &self.customers[slot];
        let mut response = decide(self.settings.seed, customer, action.id);
        let out_of_reach = customer
            .open
            .is_some_and(|basket| basket.cents > customer.balance_cents);
        if response == Response::Accepted && is_coupon(action) && out_of_reach {
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
        if action.code.contains(INSTALMENT_CODE) {
            let customer = &self.customers[slot];
            let Some(Basket { cents, .. }) = customer.paid else {
                return;
            };
            let movement = credit("loan", "消费信贷", cents);
            self.later(slot, at, PAYING_MS, Step::Move { movement });
        } else if action.kind == "retention" {
            let customer = &mut self.customers[slot];
            let Some(cents) = customer.left_cents.take() else {
                return;
            };
            let counterparty = own_account_elsewhere(customer);
            let back = round_sum(cents / 2);
            let movement = Movement {
                counterparty,
                ..credit("transfer", "", back)
            };
            self.later(slot, at, PAYING_MS, Step::Move { movement });
        } else if is_coupon(action) {
            self.pay_from_own_account(slot, action, at);
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

    fn slot_of_id(&self, id: &str) -> Option<usize> {
        let number = id
            .strip_prefix(&format!("C{}-", self.settings.seed))?
            .parse()
            .ok()?;
        self.slot_of(number)
    }
}

fn is_coupon(action: &ReceivedAction<'_>) -> bool {
    action.kind == "offer" && !action.code.contains(INSTALMENT_CODE)
}

fn decide(seed: u64, customer: &Customer, action: &str) -> Response {
    // FNV-1a, so that the answer depends on every byte of the id.
    let hash = action
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
        });
    let random = &mut Random::new(seed, hash);
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
