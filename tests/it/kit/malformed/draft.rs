//! A good event, still open to change.

use super::Case;
use crate::kit::Random;
use onscene::clock::{DAY, MINUTE, Millis, format_rfc3339};
use onscene::decode::Reason;
use onscene::partitioning::token;
use serde_json::{Map, Value, json};

/// An event before it is written.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// `<domain>.<kind>` of the subject it is published to.
    pub(super) published_as: String,
    /// The customer of the subject it is published to.
    pub(super) published_for: String,
    /// Context attributes, `data` left out.
    pub(super) attributes: Map<String, Value>,
    pub(super) data: Value,
    /// Attributes as `ce-*` headers instead of members of the payload.
    pub(super) binary: bool,
}

const CUSTOMERS: &[&str] = &[
    "C1001",
    "C2",
    "a b",
    "x.y.z",
    "客户七",
    "50%",
    "*",
    ">",
    "line\nbreak",
    "Ünal",
    "0123456789012345678901234567890123456789012345678901234567890123",
];
const TYPES: &[&str] = &[
    "account.movement",
    "merchant.checkout",
    "customer.profile",
    "offer.accepted",
    "app.login",
];

impl Draft {
    pub(super) fn good(random: &mut Random, id: String, now: Millis) -> Self {
        let kind = random.pick(TYPES);
        Self::good_of(random, kind, id, now)
    }

    pub(super) fn good_of(random: &mut Random, kind: &str, id: String, now: Millis) -> Self {
        let customer = if random.chance(70) {
            format!("C{}", random.below(500))
        } else {
            random.pick(CUSTOMERS).to_owned()
        };
        // From well inside the horizon up to a clock that goes four minutes fast.
        let time = match random.below(10) {
            0 => now - 390 * DAY,
            1 => now + 4 * MINUTE,
            _ => now - Millis::try_from(random.below(60_000)).unwrap(),
        };
        let mut attributes = Map::new();
        for (name, value) in [
            ("specversion", "1.0".to_owned()),
            ("id", id),
            (
                "source",
                random.pick(&["core-banking", "till-9", "网关"]).to_owned(),
            ),
            ("type", kind.to_owned()),
            ("subject", customer.clone()),
            ("time", format_rfc3339(time)),
        ] {
            attributes.insert(name.to_owned(), value.into());
        }
        if random.chance(20) {
            let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            attributes.insert("traceparent".to_owned(), trace.into());
        }
        Self {
            published_as: kind.to_owned(),
            published_for: customer,
            attributes,
            data: data(random, kind),
            binary: random.chance(15),
        }
    }

    /// The same type of event again, with another type's data and all that belongs to it.
    pub(super) fn become_a(&mut self, random: &mut Random, kind: &str, now: Millis) {
        let id = self.attributes["id"].as_str().unwrap().to_owned();
        let binary = self.binary;
        *self = Self {
            binary,
            ..Self::good_of(random, kind, id, now)
        };
    }

    /// The same as one JSON object.
    pub(super) fn structured(mut self) -> Self {
        self.binary = false;
        self
    }

    pub(super) fn set(&mut self, attribute: &str, value: impl Into<Value>) {
        self.attributes.insert(attribute.to_owned(), value.into());
    }

    pub(super) fn finish(self, fault: &'static str, expected: Result<(), Reason>) -> Case {
        let subject = format!(
            "scene.events.{}.{}",
            self.published_as,
            token(&self.published_for)
        );
        let mut headers = Vec::new();
        let payload = if self.binary {
            for (name, value) in &self.attributes {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                headers.push((format!("ce-{name}"), header_value(&text)));
            }
            self.data
        } else {
            let mut whole = self.attributes;
            if self.data != Value::Null {
                whole.insert("data".to_owned(), self.data);
            }
            whole.into()
        };
        Case {
            fault,
            subject,
            headers,
            payload: serde_json::to_vec(&payload).unwrap(),
            expected,
        }
    }
}

/// As the CloudEvents bindings ask for: all but printable ASCII, and `%`, percent-encoded. What is
/// encoded already (a fault may ask for it) stays.
fn header_value(text: &str) -> String {
    if text.contains("%FF") {
        return text.to_owned();
    }
    let mut value = String::new();
    for byte in text.bytes() {
        if (0x21..0x7f).contains(&byte) && !b"\"%".contains(&byte) {
            value.push(byte.into());
        } else {
            value.push_str(&format!("%{byte:02X}"));
        }
    }
    value
}

/// Amounts in every form that is allowed.
fn amount(random: &mut Random) -> Value {
    let forms = [
        json!("128.50"),
        json!("0"),
        json!("0.0001"),
        json!("-0"),
        json!("50000.00"),
        json!(128),
        json!("1.500000"),
        json!("922337203685477.5807"),
    ];
    if random.chance(20) {
        return serde_json::from_str(random.pick(&["12.5", "0.1", "1e2", "3.0000"])).unwrap();
    }
    random.pick(&forms)
}

fn data(random: &mut Random, kind: &str) -> Value {
    let mut data = match kind {
        "account.movement" => json!({
            "account": "A-1", "direction": random.pick(&["in", "out"]), "amount": amount(random),
            "currency": "CNY", "balance": random.pick(&["1200.00", "-3.50"]),
            "counterparty": {"name": "王伟", "bank": "ICBC", "category": "securities"},
            "channel": "mobile", "purpose": "transfer",
        }),
        "merchant.checkout" => json!({
            "stage": random.pick(&["started", "paid", "abandoned", "refunded"]),
            "amount": amount(random), "currency": "CNY", "tender": "other_bank",
            "merchant": {"id": "M7", "name": "Noodle \"House\"", "category": "dining",
                "mcc": "5812", "city": "Shanghai", "partner": true},
            "items": [],
        }),
        "customer.profile" => json!({
            "attributes": {"tier": "gold", "age": 41, "vip": true, "gone": null},
            "segments": {"add": ["dining-lover"], "remove": []},
            "consents": {"push": true, "sms": false}, "reachable": {"push": true},
            "time_zone": "Asia/Shanghai", "locale": "zh-CN",
        }),
        "offer.accepted" => json!({"action": "00112233445566778899aabbccddeeff"}),
        // Nobody declared it, so its data is its producer's business.
        _ => random.pick(&[
            json!({"device": "phone"}),
            json!(null),
            json!([1, 2]),
            json!("x"),
        ]),
    };
    if let Some(members) = data.as_object_mut() {
        if random.chance(15) {
            members.insert(
                "unknown_field".to_owned(),
                json!({"kept": ["by", "nobody", 1.5]}),
            );
        }
        if random.chance(5) {
            // As deep as is allowed: 30 lists in `data` in the envelope.
            let deep = (0..30).fold(json!(1), |inner, _| json!([inner]));
            members.insert("deep".to_owned(), deep);
        }
    }
    data
}
