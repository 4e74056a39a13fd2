//! What happened, told as events: a CloudEvent for the engine and a line for a human.

use serde_json::{Value, json};

use super::amount::{YUAN, decimal};
use super::customer::{Basket, Customer};
use super::simulation::{Moment, SimulatedEvent, Simulation};
use super::wire::{self, Movement};
use crate::clock::Millis;

/// What somebody else than bank and till has to tell about a customer.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) event_type: &'static str,
    pub(super) source: &'static str,
    pub(super) data: Value,
    /// For a human, after the customer's name.
    pub(super) story: String,
    pub(super) kind: Moment,
}

/// Who plays whom in the World Cup, and who scores.
const GOALS: [(&str, &str); 4] = [
    ("Argentina-France", "Argentina"),
    ("Brazil-Spain", "Brazil"),
    ("England-Japan", "Japan"),
    ("China-Germany", "China"),
];

impl Simulation {
    pub(super) fn tell_profile(&mut self, slot: usize, time: Millis) -> SimulatedEvent {
        let id = self.next_id("pf");
        let customer = &self.customers[slot];
        let payload = wire::profile(&id, customer, time);
        let story = format!(
            "{}, {}, {}, banks with us in {}",
            customer.introduction(),
            customer.age,
            customer.tier,
            customer.city
        );
        self.event(
            slot,
            "customer.profile",
            time,
            payload,
            (Moment::Profile, story),
        )
    }

    /// Books a movement and tells it. Outgoing amounts never exceed the balance.
    pub(super) fn book(
        &mut self,
        slot: usize,
        movement: &Movement,
        time: Millis,
        kind: Moment,
    ) -> SimulatedEvent {
        let id = self.next_id("mv");
        let customer = &mut self.customers[slot];
        customer.balance_cents += if movement.incoming {
            movement.cents
        } else {
            -movement.cents
        };
        debug_assert!(customer.balance_cents >= 0, "accounts are not overdrawn");
        let payload = wire::movement(&id, customer, movement, time);
        let verb = if movement.incoming {
            "receives"
        } else {
            "pays"
        };
        let preposition = if movement.incoming { "from" } else { "to" };
        let story = format!(
            "{} {verb} ¥{} {preposition} {} ({}), ¥{} left",
            customer.introduction(),
            decimal(movement.cents),
            movement.counterparty.name,
            movement.purpose,
            decimal(customer.balance_cents),
        );
        self.event(slot, "account.movement", time, payload, (kind, story))
    }

    /// Tells one stage of a checkout.
    pub(super) fn tell_checkout(
        &mut self,
        slot: usize,
        basket: &Basket,
        stage: &'static str,
        time: Millis,
    ) -> SimulatedEvent {
        let id = self.next_id("co");
        let customer = &self.customers[slot];
        let tender = basket.tender;
        let payload = wire::checkout(&id, customer, basket, (stage, tender), time);
        let verb = match stage {
            "started" => "starts a checkout of",
            "paid" => "pays",
            "abandoned" => "gives up a basket of",
            _ => "gets back",
        };
        let means = match (stage, tender) {
            ("abandoned" | "refunded", _) => "",
            (_, "own_account") => ", from our account",
            (_, "other_bank") => ", with another bank's card",
            _ => ", with a wallet",
        };
        let story = format!(
            "{} {verb} ¥{} at {}, {}{means}",
            customer.introduction(),
            decimal(basket.cents),
            basket.merchant().name.latin,
            match basket.merchant().abroad {
                None => customer.city,
                Some((country, _)) => country,
            },
        );
        let kind = moment_of(customer, basket, stage);
        self.event(slot, "merchant.checkout", time, payload, (kind, story))
    }

    /// Tells what became of an action; its id repeats when the same action is taken twice.
    pub(super) fn tell_outcome(
        &self,
        slot: usize,
        event_type: &'static str,
        action: &str,
        time: Millis,
    ) -> SimulatedEvent {
        let outcome = event_type.trim_start_matches("offer.");
        let id = format!("oc-{action}-{outcome}");
        let customer = &self.customers[slot];
        let payload = wire::outcome(&id, customer, (event_type, action), time);
        let story = format!("{}: offer {outcome}", customer.introduction());
        self.event(slot, event_type, time, payload, (Moment::Outcome, story))
    }

    /// Tells what somebody else has to tell.
    pub(super) fn tell_notice(
        &mut self,
        slot: usize,
        notice: &Notice,
        time: Millis,
    ) -> SimulatedEvent {
        let id = self.next_id("nt");
        let customer = &self.customers[slot];
        let name = (notice.source, &*id);
        let payload = wire::notice(name, customer, notice.event_type, time, &notice.data);
        let story = format!("{} {}", customer.introduction(), notice.story);
        self.event(slot, notice.event_type, time, payload, (notice.kind, story))
    }

    /// Tells of a goal, which everybody sees: there is no customer in it.
    pub(super) fn tell_goal(&mut self, time: Millis) -> SimulatedEvent {
        let id = self.next_id("goal");
        let (fixture, team) = self.random.pick(&GOALS);
        let minute = self.random.between(1, 90);
        let data = json!({
            "competition": "world_cup", "fixture": fixture, "team": team, "minute": minute,
        });
        SimulatedEvent {
            subject: "scene.broadcast.goal".to_owned(),
            customer: String::new(),
            time,
            payload: wire::broadcast(("sports-feed", &id), "broadcast.goal", time, &data),
            story: format!(
                "Goal for {team} in minute {minute} of {fixture}: everybody has seen it"
            ),
            kind: Moment::Goal,
        }
    }
}

/// From which amount on a checkout is a moment of scenes 1 and 3, in cents.
const MOMENT_CENTS_MIN: i64 = 100 * YUAN;

fn moment_of(customer: &Customer, basket: &Basket, stage: &str) -> Moment {
    let partner = basket.merchant().partner && basket.cents >= MOMENT_CENTS_MIN;
    let own = basket.tender == "own_account";
    match stage {
        "started" | "paid" if basket.merchant().abroad.is_some() => Moment::Abroad,
        "started" if partner && !own && basket.merchant().category == "dining" => {
            Moment::RivalTender
        }
        "paid" if partner && own && customer.credit_limit_cents >= Some(basket.cents) => {
            Moment::TillPurchase
        }
        "abandoned" => Moment::Abandoned,
        _ => Moment::Everyday,
    }
}
