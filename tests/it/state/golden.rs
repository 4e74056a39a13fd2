//! Bytes of every version that were written once must be understood for ever.

use onscene::clock::{DAY, HOUR, Millis};
use onscene::event::{
    Checkout, Direction, Event, Facts, Kept, Movement, Occasion, OutcomeKind, ProfileChange, Stage,
    Value,
};
use onscene::money::Money;
use onscene::partitioning::CustomerId;
use onscene::state::export::customer_json;
use onscene::state::{
    CODEC_VERSION, Contact, Customer, CustomerDecoder, CustomerEncoder, DecisionId, Delivery,
    JournalLimits, KeptBody, Names, Pending, Remembered, Wait,
};
use rust_decimal::Decimal;
use std::fmt::Write as _;
use std::sync::Arc;

const NOON: Millis = 1_795_312_800_000;
const BYTES_1: &str = include_str!("../golden/state/customers-v1.hex");
const EXPORT_1: &str = include_str!("../golden/state/customers-v1.json");
const BYTES_2: &str = include_str!("../golden/state/customers-v2.hex");
const EXPORT_2: &str = include_str!("../golden/state/customers-v2.json");

fn event(number: u64, kind: &str, time: Millis, facts: Facts) -> Event {
    Event {
        imported: false,
        id: "e".into(),
        source: "s".into(),
        kind: kind.into(),
        customer: CustomerId::new("C1").unwrap(),
        time,
        traceparent: None,
        fingerprint: number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        data: Value::Null,
        facts,
    }
}

fn profile(null: bool) -> Facts {
    let attributes = [
        ("vip", Value::Bool(true)),
        ("age", Value::Int(41)),
        ("score", Value::Decimal(Decimal::new(12_500, 4))),
        ("city", Value::Text("上海".into())),
        ("gone", if null { Value::Null } else { Value::Int(1) }),
    ];
    Facts::Profile(ProfileChange {
        attributes: attributes.map(|(name, value)| (name.into(), value)).into(),
        segments: vec![("runners".into(), true), ("students".into(), false)],
        consents: vec![("push".into(), false), ("sms".into(), true)],
        reachable: vec![("mail".into(), false)],
        time_zone: Some("Asia/Shanghai".into()),
        locale: Some("zh-CN".into()),
    })
}

fn checkout(stage: Stage, units: i64) -> Facts {
    Facts::Checkout(Checkout {
        stage,
        amount: Money::from_ten_thousandths(units),
        tender: Some("other_bank".into()),
        merchant: Some("M-17".into()),
        category: Some("dining".into()),
        partner: stage == Stage::Paid,
    })
}

fn movement(direction: Direction, balance: Option<i64>) -> Facts {
    Facts::Movement(Movement {
        account: "A-1".into(),
        direction,
        amount: Money::from_ten_thousandths(50_000_000),
        balance: balance.map(Money::from_ten_thousandths),
        counterparty: Some("Acme".into()),
        category: Some("salary".into()),
        channel: Some("counter".into()),
        purpose: None,
    })
}

fn bill(merchant: Option<&str>) -> Facts {
    Facts::Other(Kept {
        amount: Some(Money::from_ten_thousandths(-1)),
        merchant: merchant.map(Into::into),
        fields: vec![
            ("urgent".into(), Value::Bool(false)),
            ("days".into(), Value::Decimal(Decimal::new(150, 2))),
            ("note".into(), Value::Text("rent".into())),
        ],
        ..Kept::default()
    })
}

fn contact(number: u8, entry: u8, names: &Names) -> Contact {
    let first = number == entry;
    Contact {
        id: DecisionId([number; 16]),
        entry: DecisionId([entry; 16]),
        rule: names.intern("coupon"),
        at: NOON + i64::from(number),
        time: NOON - 1,
        variant: names.intern("a"),
        channel: names.intern("push"),
        step: if first { 0 } else { 300 },
        code: first.then(|| names.intern("DINE")),
        value: first.then(|| Money::from_ten_thousandths(300_000)),
        cost: Some(Money::from_ten_thousandths(299_999)),
        delivery: if first {
            Delivery::Sent
        } else {
            Delivery::Holdout
        },
        scene: None,
        household: None,
        fallback_of: None,
        channels_left: Default::default(),
        kept: None,
        converted: first,
        outcomes: Default::default(),
    }
}

fn race() -> Occasion {
    let distance = Value::Decimal(Decimal::new(4_220, 2));
    Occasion {
        id: "e-9".into(),
        source: "till".into(),
        kind: "race.near".into(),
        time: NOON,
        traceparent: Some("00-1-2-01".into()),
        data: Value::Record(vec![("km".into(), distance)]),
    }
}

/// What version 2 can tell beside: everything of a contact, and each way of not being sent.
fn people_2(names: &Names) -> [(CustomerId, Customer); 2] {
    let [(id, mut whole), plain] = people(names);
    whole.contacts.push(Contact {
        delivery: Delivery::Control,
        scene: Some(names.intern("win-the-payment")),
        household: Some(names.intern("H-7")),
        fallback_of: Some(DecisionId([9; 16])),
        channels_left: vec![names.intern("sms"), names.intern("im")].into(),
        ..contact(7, 7, names)
    });
    let kept = |expires_at| KeptBody {
        kind: "offer".into(),
        fields: "{\"code\":\"DINE\"}".into(),
        expires_at,
    };
    whole.contacts.push(Contact {
        channels_left: vec![names.intern("sms")].into(),
        kept: Some(Arc::new(kept(None))),
        ..contact(9, 9, names)
    });
    whole.contacts.push(Contact {
        channels_left: vec![names.intern("sms")].into(),
        kept: Some(Arc::new(kept(Some(NOON)))),
        ..contact(10, 10, names)
    });
    whole.contacts.push(Contact {
        delivery: Delivery::Shadow,
        ..contact(8, 8, names)
    });
    [(id, whole), plain]
}

/// A customer of whom everything is known, with one that is like most.
fn people(names: &Names) -> [(CustomerId, Customer); 2] {
    let limits = JournalLimits {
        horizon: 400 * DAY,
        entries_max: 12,
    };
    let mut whole = Customer::new(NOON - DAY);
    whole.contacts.push(contact(1, 1, names));
    whole.contacts.push(contact(2, 1, names));
    let action = DecisionId([1; 16]).to_string();
    let outcome = |outcome| Facts::Outcome {
        outcome,
        action: action.clone().into(),
    };
    let far = 7_000 * 365 * DAY;
    let facts = [
        ("app.login", NOON - DAY, Facts::Other(Kept::default())),
        ("customer.profile", NOON, profile(false)),
        ("customer.profile", NOON + 1, profile(true)),
        (
            "merchant.checkout",
            NOON,
            checkout(Stage::Started, 1_285_000),
        ),
        ("merchant.checkout", NOON, checkout(Stage::Paid, 1_285_000)),
        ("merchant.checkout", NOON, checkout(Stage::Abandoned, 0)),
        (
            "merchant.checkout",
            NOON,
            checkout(Stage::Refunded, i64::MAX),
        ),
        ("account.movement", NOON, movement(Direction::In, Some(-7))),
        ("account.movement", NOON, movement(Direction::Out, None)),
        ("bill.due", NOON, bill(Some("M-17"))),
        ("bill.due", NOON, bill(None)),
        ("offer.opened", NOON, outcome(OutcomeKind::Opened)),
        ("offer.redeemed", NOON, outcome(OutcomeKind::Redeemed)),
    ];
    for (number, (kind, time, facts)) in (1_u64..).zip(facts) {
        whole.apply(&event(number, kind, time, facts), names, limits);
    }
    let trigger = Arc::new(Remembered::new(&race(), 77));
    let waits = [Wait::Delay, Wait::Step, Wait::QuietHours];
    for (number, wait) in (3..).zip(waits) {
        whole.pending.push(Pending {
            entry: DecisionId([number; 16]),
            rule: names.intern("race"),
            due: NOON + HOUR,
            step: number.into(),
            wait,
            entered: NOON,
            trigger: trigger.clone(),
        });
    }
    let mut plain = Customer::new(far);
    plain.apply(
        &event(99, "merchant.checkout", far, checkout(Stage::Paid, 1)),
        names,
        limits,
    );
    [("C1", whole), ("客户 2", plain)].map(|(id, c)| (CustomerId::new(id).unwrap(), c))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(48) {
        for byte in line {
            write!(text, "{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    let pairs = (0..digits.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn export(people: &[(CustomerId, Customer)], names: &Names) -> String {
    let all: Vec<_> = people
        .iter()
        .map(|(id, c)| customer_json(id, c, names))
        .collect();
    serde_json::to_string_pretty(&all).unwrap() + "\n"
}

#[test]
fn bytes_of_every_version_are_still_understood() {
    let names = Names::default();
    let versions = [
        (BYTES_1, EXPORT_1, people(&names)),
        (BYTES_2, EXPORT_2, people_2(&names)),
    ];
    for (bytes, exported, people) in versions {
        let (mut decoder, bytes) = (CustomerDecoder::new(), unhex(bytes));
        let mut input = &bytes[..];
        let mut found = Vec::new();
        while let Some(customer) = decoder.decode(&mut input, &names).unwrap() {
            found.push(customer);
        }
        assert_eq!(export(&found, &names), exported);
        assert_eq!(found, people);
    }
}

/// Writes the export of both versions anew, and the bytes of what is written now.
fn update() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/it/golden/state/customers"
    );
    let names = Names::default();
    let (mut encoder, mut bytes) = (CustomerEncoder::new(), Vec::new());
    for (id, customer) in people_2(&names) {
        encoder.encode(&id, &customer, &names, &mut bytes);
    }
    let texts = [
        ("-v2.hex", hex(&bytes)),
        ("-v2.json", export(&people_2(&names), &names)),
        ("-v1.json", export(&people(&names), &names)),
    ];
    for (end, text) in texts {
        std::fs::write(format!("{folder}{end}"), text).unwrap();
    }
}

#[test]
fn version_2_is_what_is_written() {
    assert_eq!(
        CODEC_VERSION, 2,
        "another version: keep these bytes, and add its own"
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        update();
    }
    let names = Names::default();
    let (mut encoder, mut bytes) = (CustomerEncoder::new(), Vec::new());
    for (id, customer) in people_2(&names) {
        encoder.encode(&id, &customer, &names, &mut bytes);
    }
    assert_eq!(hex(&bytes), BYTES_2);
    assert_eq!(export(&people_2(&names), &names), EXPORT_2);
}
