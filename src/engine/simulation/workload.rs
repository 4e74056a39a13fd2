//! What producers send: events of a handful of customers, right and wrong ones, late ones, and some again.

use super::random::Random;
use super::world::World;
use crate::clock::{DAY, Millis, SECOND, format_rfc3339};
use crate::event::OutcomeKind;
use crate::partitioning::{bucket_of, partition_of};
use serde_json::{Value, json};

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Started,
    Paid,
    Movement,
    Profile,
    Race,
    /// What became of an action that was in the log when it was published, or of one that never was.
    Outcome(OutcomeKind),
    Goal,
    /// Not fit to be understood, for this reason.
    Bad(&'static str),
}

/// What was published.
#[derive(Clone, Debug)]
pub(super) struct Published {
    pub(super) sequence: u64,
    pub(super) id: String,
    pub(super) kind: Kind,
    /// Of an outcome: whose, and of which action.
    pub(super) about: Option<(String, String)>,
    /// Whether the same event was published before.
    pub(super) is_repeat: bool,
}

const SOURCE: &str = "till";
const ZONES: [&str; 3] = ["Asia/Shanghai", "Europe/Berlin", "Asia/Tokyo"];
const BAD: [&str; 7] = [
    "not_json",
    "unknown_currency",
    "from_the_future",
    "negative_amount",
    "subject_mismatch",
    "missing_field",
    "type_mismatch",
];

/// All producers.
#[derive(Debug)]
pub(super) struct Producers {
    random: Random,
    partitions: u16,
    customers: u64,
    /// Everything, in the order of the stream.
    pub(super) published: Vec<Published>,
}

impl Producers {
    pub(super) fn new(mut random: Random, partitions: u16) -> Self {
        Self {
            customers: random.within(2..9),
            random,
            partitions,
            published: Vec::new(),
        }
    }

    /// Publishes something new, or something again.
    pub(super) fn publish(&mut self, world: &mut World) {
        if self.random.chance(120) && !self.published.is_empty() {
            self.publish_again(world);
            return;
        }
        let kind = self.kind();
        let id = format!("e{}", self.published.len() + 1);
        let customer = format!("C{}", self.random.within(0..self.customers));
        let about = match kind {
            Kind::Outcome(outcome) => Some(self.some_action(outcome, &customer, world)),
            _ => None,
        };
        let customer = about.clone().map_or(customer, |(customer, _)| customer);
        let lateness = match self.random.within(0..10) {
            0 => self.random.within(0..60_000),
            1..4 => 0,
            _ => self.random.within(0..1_500),
        };
        let time = world.time.now() - Millis::try_from(lateness).unwrap();
        let action = about.as_ref().map(|(_, action)| &**action);
        let event = self.event(kind, (&id, &customer), action, time, world);
        let subject = match kind {
            Kind::Goal => "scene.broadcast.goal".to_owned(),
            Kind::Bad("type_mismatch") => "scene.broadcast.other".to_owned(),
            Kind::Bad("subject_mismatch") => self.subject(&event, "somebody-else"),
            _ => self.subject(&event, &customer),
        };
        let mut payload = event.to_string();
        if kind == Kind::Bad("not_json") {
            payload.truncate(payload.len() / 2);
        }
        let sequence = world.publish(subject, payload.into());
        self.published.push(Published {
            sequence,
            id,
            kind,
            about,
            is_repeat: false,
        });
    }

    /// The very same event, as producers do that had no answer.
    fn publish_again(&mut self, world: &mut World) {
        let at = self.random.index(self.published.len());
        let before = self.published[at].clone();
        let stored = world.events[at].clone();
        let sequence = world.publish(stored.subject, stored.payload);
        self.published.push(Published {
            sequence,
            is_repeat: true,
            ..before
        });
    }

    fn kind(&mut self) -> Kind {
        match self.random.within(0..100) {
            0..36 => Kind::Started,
            36..56 => Kind::Paid,
            56..70 => Kind::Movement,
            70..76 => Kind::Profile,
            76..84 => Kind::Race,
            84..93 => Kind::Outcome(self.outcome()),
            93..96 => Kind::Goal,
            _ => Kind::Bad(self.random.pick::<&'static str>(&BAD)),
        }
    }

    /// As the stream's subject transform has it.
    fn subject(&self, event: &Value, customer: &str) -> String {
        let (partition, bucket) = (partition_of(customer, self.partitions), bucket_of(customer));
        let kind = event["type"].as_str().unwrap();
        format!("scene.in.{partition}.{bucket}.{kind}")
    }

    fn event(
        &mut self,
        kind: Kind,
        about: (&str, &str),
        action: Option<&str>,
        time: Millis,
        world: &World,
    ) -> Value {
        let ((id, customer), mut time) = (about, time);
        let amount = self.random.within(5..120);
        let merchant = format!("M{}", self.random.within(0..3));
        let checkout = |stage: &str, amount: String, currency: &str| {
            let merchant = json!({"id": merchant, "category": "dining"});
            json!({"stage": stage, "amount": amount, "currency": currency, "merchant": merchant})
        };
        let name = match kind {
            Kind::Started | Kind::Paid => "merchant.checkout",
            Kind::Movement => "account.movement",
            Kind::Profile => "customer.profile",
            Kind::Race => "race.registered",
            Kind::Outcome(outcome) => &format!("offer.{}", outcome.word()),
            Kind::Goal | Kind::Bad("type_mismatch") => "broadcast.goal",
            Kind::Bad(_) => "merchant.checkout",
        };
        let data = match kind {
            Kind::Started | Kind::Bad("not_json" | "subject_mismatch") => {
                checkout("started", amount.to_string(), "CNY")
            }
            Kind::Paid => checkout("paid", amount.to_string(), "CNY"),
            Kind::Movement => json!({
                "account": "A1", "direction": "out", "amount": amount.to_string(), "currency": "CNY",
                "balance": (1_000 - amount).to_string(),
            }),
            Kind::Profile => {
                json!({"time_zone": self.random.pick(&ZONES), "segments": {"add": [merchant]}})
            }
            Kind::Race => {
                let race = time + Millis::try_from(self.random.within(0..40)).unwrap() * SECOND;
                json!({"race_date": format_rfc3339(race)})
            }
            Kind::Outcome(_) => json!({"action": action}),
            Kind::Goal | Kind::Bad("type_mismatch") => json!({"team": merchant}),
            Kind::Bad("unknown_currency") => checkout("started", amount.to_string(), "XXX"),
            Kind::Bad("negative_amount") => checkout("started", format!("-{amount}"), "CNY"),
            Kind::Bad("missing_field") => json!({"stage": "started", "currency": "CNY"}),
            Kind::Bad(_) => {
                time = world.time.now() + 4_000 * DAY;
                checkout("started", amount.to_string(), "CNY")
            }
        };
        let mut event = json!({
            "specversion": "1.0", "id": id, "source": SOURCE, "type": name,
            "time": format_rfc3339(time), "data": data,
        });
        if name != "broadcast.goal" {
            event["subject"] = json!(customer);
        }
        event
    }

    /// Failures above all: they have consequences.
    fn outcome(&mut self) -> OutcomeKind {
        match self.random.within(0..10) {
            0..4 => OutcomeKind::Failed,
            4 => OutcomeKind::Delivered,
            5 => OutcomeKind::Accepted,
            6 => OutcomeKind::Unsubscribed,
            _ => OutcomeKind::Declined,
        }
    }

    /// Something that was said, and to whom; now and then of somebody else, or nothing that was ever said.
    fn some_action(
        &mut self,
        outcome: OutcomeKind,
        customer: &str,
        world: &World,
    ) -> (String, String) {
        // Mostly what fails has another channel.
        let retries = outcome == OutcomeKind::Failed && self.random.chance(700);
        let said = world.log.iter().filter(|message| {
            let header = |name: &str| message.headers.get(name);
            // Whoever must always be answered must not refuse the channel by which they are.
            let spares = !matches!(header("Onscene-Channel"), Some("push" | "im"));
            header("Onscene-Kind") == Some("action")
                && (!retries || header("Onscene-Channels-Left").is_some())
                && (spares || outcome != OutcomeKind::Unsubscribed)
        });
        let said: Vec<(&str, &str)> = said
            .filter_map(|m| {
                Some((
                    m.headers.get("Onscene-Customer")?,
                    m.headers.get("Onscene-Id")?,
                ))
            })
            .collect();
        if said.is_empty() {
            return (customer.to_owned(), "0".repeat(32));
        }
        let (whose, action) = *self.random.pick(&said);
        let whose = if self.random.chance(100) {
            customer
        } else {
            whose
        };
        (whose.to_owned(), action.to_owned())
    }
}
