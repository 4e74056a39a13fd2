//! Faults in attributes and fields of an event that is good JSON.

use super::draft::Draft;
use crate::kit::Random;
use onscene::clock::{DAY, MINUTE, Millis, format_rfc3339};
use onscene::decode::Reason;
use onscene::partitioning::{bucket_of, token};
use serde_json::{Value, json};

type Spoil = fn(&mut Random, &mut Draft, Millis);

const MOVEMENT: &str = "account.movement";
const CHECKOUT: &str = "merchant.checkout";
const PROFILE: &str = "customer.profile";

/// A name, what decoding must say, and what to do to a good event.
pub(super) const FIELD_FAULTS: &[(&str, Reason, Spoil)] = &[
    (
        "other version of CloudEvents",
        Reason::NotCloudevent,
        |random, draft, _| {
            let version = random.pick(&["0.3", "2.0", "1", "1.0.2", "", "one"]);
            draft.set("specversion", version);
        },
    ),
    (
        "no version of CloudEvents",
        Reason::NotCloudevent,
        |random, draft, _| {
            draft.binary = false;
            if random.chance(50) {
                draft.attributes.remove("specversion");
            } else {
                draft.set("specversion", Value::Null);
            }
        },
    ),
    ("data_base64", Reason::NotCloudevent, |_, draft, _| {
        draft.binary = false;
        draft.set("data_base64", "eyJhIjoxfQ==");
    }),
    (
        "attribute missing",
        Reason::MissingField,
        |random, draft, _| {
            let name = random.pick(&["id", "source", "type", "subject", "time"]);
            match random.below(3) {
                0 => draft.set(name, ""),
                1 if !draft.binary => draft.set(name, Value::Null),
                _ => drop(draft.attributes.remove(name)),
            }
        },
    ),
    (
        "attribute of a wrong type",
        Reason::WrongType,
        |random, draft, _| {
            draft.binary = false;
            let name = random.pick(&["specversion", "id", "source", "type", "subject", "time"]);
            draft.set(
                name,
                random.pick(&[
                    json!(1),
                    json!(true),
                    json!([]),
                    json!({"a": 1}),
                    json!(1.5),
                ]),
            );
        },
    ),
    (
        "attribute too long",
        Reason::InvalidValue,
        |random, draft, _| {
            let (name, length) = random.pick(&[("id", 513), ("source", 513), ("id", 20_000)]);
            draft.set(name, "x".repeat(length));
        },
    ),
    (
        "customer id too long",
        Reason::InvalidCustomer,
        |random, draft, _| {
            let id = random.pick(&["x".repeat(65), "客".repeat(22), "y".repeat(5_000)]);
            draft.set("subject", id);
        },
    ),
    ("no time at all", Reason::InvalidTime, |random, draft, _| {
        draft.set(
            "time",
            random.pick(&[
                "yesterday",
                "2026-11-22",
                "2026-11-22T10:00:00",
                "1700000000",
                "2026-13-01T00:00:00Z",
                "2026-02-30T00:00:00Z",
                "2026-11-22T25:00:00Z",
                "22/11/2026 10:00",
                "10:00:00Z",
                "null",
                "2026-11-22T10:00:00+99:00",
                "20261122T10",
                "99999-01-01T00:00:00Z",
            ]),
        );
    }),
    (
        "from the future",
        Reason::FromTheFuture,
        |random, draft, now| {
            let ahead = random.pick(&[10 * MINUTE, DAY, 36_500 * DAY, 2_000_000 * DAY]);
            draft.set("time", format_rfc3339(now + ahead));
        },
    ),
    ("too old", Reason::TooOld, |random, draft, now| {
        let time = random.pick(&[
            now - 401 * DAY,
            0,
            -1,
            now - 3_650 * DAY,
            -60_000_000_000_000,
        ]);
        draft.set("time", format_rfc3339(time));
    }),
    (
        "type of a wrong shape",
        Reason::TypeMismatch,
        |random, draft, _| {
            draft.set(
                "type",
                random.pick(&[
                    "checkout".to_owned(),
                    "a.b.c".to_owned(),
                    "a..b".to_owned(),
                    ".b".to_owned(),
                    "a.".to_owned(),
                    "a b.c".to_owned(),
                    "merchant.*".to_owned(),
                    "商户.结账".to_owned(),
                    format!("a.{}", "b".repeat(200)),
                    "Merchant.Checkout\u{0}".to_owned(),
                ]),
            );
        },
    ),
    (
        "type that is not the subject's",
        Reason::TypeMismatch,
        |random, draft, _| {
            let kind = draft.published_as.clone();
            let other = [
                MOVEMENT,
                CHECKOUT,
                PROFILE,
                "app.login",
                "app.logout",
                "offer.declined",
            ];
            let others: Vec<&str> = other.into_iter().filter(|other| *other != kind).collect();
            draft.published_as = random.pick(&others).to_owned();
        },
    ),
    (
        "customer that is not the subject's",
        Reason::SubjectMismatch,
        |random, draft, _| {
            let bucket = bucket_of(&token(&draft.published_for));
            while bucket_of(&token(&draft.published_for)) == bucket {
                draft.published_for = format!("other-{}", random.below(1_000_000));
            }
        },
    ),
    (
        "negative amount",
        Reason::NegativeAmount,
        |random, draft, now| {
            let amount = random.pick(&[
                json!("-0.01"),
                json!(-5),
                json!("-128.50"),
                json!(-0.5),
                json!("-1.00001"),
            ]);
            with_amount(random, draft, now, amount);
        },
    ),
    (
        "amount too precise",
        Reason::InvalidValue,
        |random, draft, now| {
            let amount = random.pick(&[
                json!("1.00001"),
                json!(0.12345),
                json!("0.00000000000000000001"),
                json!("1.0000000000000000000000000000000000001"),
                json!("128.50000000000000000000000000000000001"),
            ]);
            with_amount(random, draft, now, amount);
        },
    ),
    (
        "amount out of range",
        Reason::InvalidValue,
        |random, draft, now| {
            let amount = random.pick(&[
                json!("99999999999999999999"),
                json!(1_000_000_000_000_000_i64),
                json!("922337203685477.5808"),
            ]);
            with_amount(random, draft, now, amount);
        },
    ),
    (
        "amount that is no number",
        Reason::InvalidValue,
        |random, draft, now| {
            let amount = random.pick(&[
                "abc",
                "",
                "1,000.00",
                "NaN",
                "Infinity",
                "-Infinity",
                "1e3",
                "0x10",
                " 1",
                "1 ",
                "1_000",
                "１２",
                "¥5",
                "1.2.3",
                "--1",
                ".",
                "-",
                "+",
                "1.00 CNY",
            ]);
            with_amount(random, draft, now, json!(amount));
        },
    ),
    (
        "amount of a wrong type",
        Reason::WrongType,
        |random, draft, now| {
            let amount = random.pick(&[
                json!(true),
                json!([]),
                json!({"value": "1.00"}),
                json!(["1.00"]),
            ]);
            with_amount(random, draft, now, amount);
        },
    ),
    (
        "unknown currency",
        Reason::UnknownCurrency,
        |random, draft, now| {
            let kind = random.pick(&[MOVEMENT, CHECKOUT]);
            draft.become_a(random, kind, now);
            draft.data["currency"] =
                json!(random.pick(&["XXX", "cny", "", "¥", "CNY ", "EURO", "人民币"]));
        },
    ),
    ("no data", Reason::MissingField, |random, draft, now| {
        let kind = random.pick(&[MOVEMENT, CHECKOUT, PROFILE, "offer.accepted"]);
        draft.become_a(random, kind, now);
        draft.data = Value::Null;
    }),
    (
        "data of a wrong type",
        Reason::WrongType,
        |random, draft, now| {
            let kind = random.pick(&[MOVEMENT, CHECKOUT, PROFILE, "offer.accepted"]);
            draft.become_a(random, kind, now);
            draft.data = random.pick(&[json!([]), json!("text"), json!(5), json!(false)]);
        },
    ),
    (
        "field missing",
        Reason::MissingField,
        |random, draft, now| {
            let (kind, path) = random.pick(REQUIRED);
            draft.become_a(random, kind, now);
            let (parent, name) = parent(&mut draft.data, path);
            if random.chance(50) {
                parent[name] = Value::Null;
            } else {
                parent.as_object_mut().unwrap().remove(name);
            }
        },
    ),
    (
        "field of a wrong type",
        Reason::WrongType,
        field_of_a_wrong_type,
    ),
    (
        "field of a wrong type",
        Reason::WrongType,
        field_of_a_wrong_type,
    ),
    (
        "word that is not allowed",
        Reason::InvalidValue,
        |random, draft, now| {
            let (kind, name) = random.pick(&[(MOVEMENT, "direction"), (CHECKOUT, "stage")]);
            draft.become_a(random, kind, now);
            draft.data[name] =
                json!(random.pick(&["", "IN", "sideways", "Paid", "paid ", "unknown"]));
        },
    ),
    (
        "no time zone",
        Reason::InvalidValue,
        |random, draft, now| {
            draft.become_a(random, PROFILE, now);
            draft.data["time_zone"] =
                json!(random.pick(&["Mars/Phobos", "+08:00x", "", "Asia/Shang hai"]));
        },
    ),
    (
        "too many of a profile",
        Reason::InvalidValue,
        |random, draft, now| {
            draft.become_a(random, PROFILE, now);
            if random.chance(50) {
                let many: Vec<String> = (0..257).map(|n| format!("s{n}")).collect();
                draft.data["segments"] = json!({"add": many});
            } else {
                let many = (0..257).map(|n| (format!("c{n}"), json!(true))).collect();
                draft.data["consents"] = Value::Object(many);
            }
        },
    ),
    (
        "binary mode: header that is not UTF-8",
        Reason::NotUtf8,
        |random, draft, _| {
            draft.binary = true;
            let name = random.pick(&["id", "source", "subject", "type", "time"]);
            draft.set(name, "a%FFb");
        },
    ),
    (
        "binary mode: data is no object",
        Reason::WrongType,
        |random, draft, now| {
            draft.become_a(random, CHECKOUT, now);
            draft.binary = true;
            draft.data = random.pick(&[json!([1]), json!("x"), json!(1)]);
        },
    ),
];

/// Fields without which an event is refused.
const REQUIRED: &[(&str, &str)] = &[
    (MOVEMENT, "account"),
    (MOVEMENT, "direction"),
    (MOVEMENT, "amount"),
    (MOVEMENT, "currency"),
    (CHECKOUT, "stage"),
    (CHECKOUT, "amount"),
    (CHECKOUT, "currency"),
    (CHECKOUT, "merchant"),
    (CHECKOUT, "merchant.id"),
    ("offer.accepted", "action"),
];

/// Fields that hold text.
const TEXTS: &[(&str, &str)] = &[
    (MOVEMENT, "account"),
    (MOVEMENT, "direction"),
    (MOVEMENT, "currency"),
    (MOVEMENT, "counterparty.name"),
    (MOVEMENT, "counterparty.category"),
    (MOVEMENT, "channel"),
    (MOVEMENT, "purpose"),
    (CHECKOUT, "stage"),
    (CHECKOUT, "tender"),
    (CHECKOUT, "merchant.id"),
    (CHECKOUT, "merchant.mcc"),
    (CHECKOUT, "merchant.category"),
    (PROFILE, "time_zone"),
    (PROFILE, "locale"),
    ("offer.accepted", "action"),
];

/// Fields that hold something else, with what they must not hold.
const OTHERS: &[(&str, &str, &str)] = &[
    (MOVEMENT, "balance", "true"),
    (MOVEMENT, "counterparty", "\"text\""),
    (MOVEMENT, "counterparty", "[]"),
    (CHECKOUT, "merchant", "\"M7\""),
    (CHECKOUT, "merchant", "7"),
    (CHECKOUT, "merchant.partner", "\"yes\""),
    (CHECKOUT, "merchant.partner", "1"),
    (CHECKOUT, "items", "{}"),
    (CHECKOUT, "items", "\"none\""),
    (PROFILE, "attributes", "[]"),
    (PROFILE, "attributes.tier", "[\"gold\"]"),
    (PROFILE, "attributes.tier", "{}"),
    (PROFILE, "segments", "[\"dining-lover\"]"),
    (PROFILE, "segments.add", "\"dining-lover\""),
    (PROFILE, "segments.add", "[1]"),
    (PROFILE, "segments.remove", "[null]"),
    (PROFILE, "consents", "true"),
    (PROFILE, "consents.push", "\"yes\""),
    (PROFILE, "consents.push", "null"),
    (PROFILE, "reachable.push", "1"),
];

fn field_of_a_wrong_type(random: &mut Random, draft: &mut Draft, now: Millis) {
    let (kind, path, value) = if random.chance(50) {
        let (kind, path) = random.pick(TEXTS);
        (
            kind,
            path,
            random.pick(&[json!(5), json!(true), json!([]), json!({}), json!(1.5)]),
        )
    } else {
        let (kind, path, value) = random.pick(OTHERS);
        (kind, path, serde_json::from_str(value).unwrap())
    };
    draft.become_a(random, kind, now);
    let (parent, name) = parent(&mut draft.data, path);
    parent[name] = value;
}

fn with_amount(random: &mut Random, draft: &mut Draft, now: Millis, amount: Value) {
    let kind = random.pick(&[MOVEMENT, CHECKOUT]);
    draft.become_a(random, kind, now);
    draft.data["amount"] = amount;
}

/// The object that holds the last name of a path, and that name.
fn parent<'a, 'b>(data: &'a mut Value, path: &'b str) -> (&'a mut Value, &'b str) {
    match path.split_once('.') {
        Some((outer, inner)) => (&mut data[outer], inner),
        None => (data, path),
    }
}
