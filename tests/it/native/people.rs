//! Customers with and without a past, and events that ask about it.

use super::write::Random;
use crate::kit::desk::{self, Desk, event, profile, rule};
use onscene::clock::{DAY, HOUR, Millis};
use onscene::event::{Event, Incoming};
use onscene::partition::Partition;
use onscene::state::JournalLimits;
use serde_json::{Value, json};

pub(super) const START: Millis = 1_795_312_800_000;

/// A random event of one customer.
pub(super) fn any(random: &mut Random, id: &str, customer: &str, at: Millis) -> Value {
    let amount = ["128.50", "100", "99.99", "0.01", "5000", "300"][random.below(6)];
    match random.below(8) {
        0..=4 => {
            let mut data = json!({
                "stage": random.pick(&["started", "started", "paid", "paid", "abandoned", "refunded"]),
                "amount": amount, "currency": "CNY",
                "merchant": {"id": random.pick(&["M1", "M2", "M7"]), "partner": random.one_in(2)},
            });
            if !random.one_in(4) {
                data["tender"] = random.pick(&["other_bank", "wallet", "own_account"]).into();
            }
            if !random.one_in(4) {
                data["merchant"]["category"] = random.pick(&["dining", "coffee", "pets"]).into();
            }
            event("merchant.checkout", id, customer, at, data)
        }
        5 => event(
            "account.movement",
            id,
            customer,
            at,
            json!({
                "account": "A-1", "direction": random.pick(&["in", "out"]), "amount": amount, "currency": "CNY",
                "balance": "1200.00", "counterparty": {"name": "n", "category": random.pick(&["salary", "rent"])},
            }),
        ),
        6 => event(
            "app.login",
            id,
            customer,
            at,
            json!({ "device": random.pick(&["ios", "web"]), "seconds": random.below(90) }),
        ),
        _ => profile(
            id,
            customer,
            at,
            json!({
                "attributes": {
                    "tier": random.pick(&["gold", "standard"]), "age": random.below(90),
                    "limit": 1234.5, "vip": random.one_in(2),
                },
                "segments": {"add": [random.pick(&["runner", "family"])], "remove": []},
                "consents": {"push": random.one_in(2)}, "locale": "zh-CN",
            }),
        ),
    }
}

/// A desk whose only rule speaks at every checkout, and its customers with a past of some weeks. Journals are so
/// short that many windows cross their edge.
pub(super) fn desk(random: &mut Random, customers: usize, schema: &str) -> Desk {
    let mut desk = Desk::new(&[
        ("base.rhai", rule("fresh: \"1d\"")),
        ("hours.rhai", rule("hours: \"00:00-12:00\", fresh: \"1d\"")),
        (
            "group.rhai",
            rule("group: \"g\", priority: 70, rollout: 50"),
        ),
        (
            "cap.rhai",
            rule("audience: [\"runner\", \"nobody\"], cap: \"2 per 30d\""),
        ),
        ("schema.toml", schema.to_owned()),
    ]);
    let limits = JournalLimits {
        horizon: 60 * DAY,
        entries_max: 12,
    };
    desk.partition =
        Partition::new(desk.customers.clone(), limits, jiff::tz::TimeZone::UTC).listing_silenced();
    for customer in 0..customers {
        let name = format!("C{customer}");
        let entries = random.below(40);
        for at in 0..entries {
            let time = START - DAY * i64::try_from(entries - at).unwrap() - HOUR;
            let id = format!("{customer}-{at}");
            let output = desk.step(&any(random, &id, &name, time));
            let said = output.decisions().next().map(|said| said.id.to_string());
            if let Some(action) = said.filter(|_| random.one_in(3)) {
                let data = json!({ "action": action });
                desk.step(&event(
                    "offer.accepted",
                    &format!("{id}-yes"),
                    &name,
                    time,
                    data,
                ));
            }
        }
        if entries == 0 {
            desk.step(&profile(
                &format!("{customer}-p"),
                &name,
                START - DAY,
                json!({ "locale": "en" }),
            ));
        }
    }
    desk
}

/// Events to ask about.
pub(super) fn events(random: &mut Random, desk: &Desk, count: usize) -> Vec<Event> {
    let schema = desk.rules.schema();
    (0..count)
        .map(|number| {
            let customer = format!("C{}", number % 60);
            let json = any(random, &format!("ask-{number}"), &customer, START);
            match desk::decode(&json, schema) {
                Incoming::Event(event) => event,
                Incoming::Broadcast(_) => panic!("not a broadcast"),
            }
        })
        .collect()
}
