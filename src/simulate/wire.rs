//! The CloudEvents that producers would have published, in structured mode.

use jiff::Timestamp;
use jiff::tz::{TimeZone, offset};
use serde::Serialize;

use super::amount::{YUAN, decimal};
use super::customer::{Basket, Customer};
use super::people::Name;
use crate::clock::Millis;

/// The customers' offset from UTC, in hours: China has one time zone and no summer time.
const UTC_OFFSET_HOURS: i8 = 8;

/// What an account movement tells of the other side.
#[derive(Clone, Debug)]
pub(super) struct Counterparty {
    pub(super) name: String,
    pub(super) bank: Option<Name>,
    pub(super) category: Option<&'static str>,
}

/// One movement on a customer's account, before it is booked.
#[derive(Clone, Debug)]
pub(super) struct Movement {
    pub(super) incoming: bool,
    pub(super) cents: i64,
    pub(super) counterparty: Counterparty,
    pub(super) channel: &'static str,
    pub(super) purpose: &'static str,
}

#[derive(Serialize)]
struct Envelope<'a, D> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: String,
    data: D,
}

#[derive(Serialize)]
struct MovementData<'a> {
    account: String,
    direction: &'static str,
    amount: String,
    currency: &'static str,
    balance: String,
    counterparty: CounterpartyData<'a>,
    channel: &'static str,
    purpose: &'static str,
}

#[derive(Serialize)]
struct CounterpartyData<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<&'static str>,
}

#[derive(Serialize)]
struct CheckoutData {
    stage: &'static str,
    amount: String,
    currency: &'static str,
    tender: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'static str>,
    merchant: MerchantData,
    items: [(); 0],
}

#[derive(Serialize)]
struct MerchantData {
    id: String,
    name: &'static str,
    category: &'static str,
    mcc: &'static str,
    city: &'static str,
    country: &'static str,
    partner: bool,
}

#[derive(Serialize)]
struct ProfileData<'a> {
    attributes: Attributes<'a>,
    segments: Segments<'a>,
    consents: Channels,
    time_zone: &'static str,
    locale: &'static str,
    reachable: Channels,
}

/// As declared in `rules/schema.toml`.
#[derive(Serialize)]
struct Attributes<'a> {
    name: String,
    tier: &'a str,
    age: i64,
    occupation: &'a str,
    city: &'a str,
    risk_level: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_limit: Option<i64>,
    points: i64,
    salary_account: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    trade: Option<&'a str>,
}

#[derive(Serialize)]
struct Segments<'a> {
    add: Vec<&'a str>,
    remove: [&'static str; 0],
}

#[derive(Serialize)]
struct Channels {
    push: bool,
    im: bool,
    sms: bool,
    call: bool,
}

#[derive(Serialize)]
struct OutcomeData<'a> {
    action: &'a str,
}

/// A moment in RFC 3339 with milliseconds and the customers' offset.
pub(super) fn rfc3339(time: Millis) -> String {
    let time = Timestamp::from_millisecond(time)
        .expect("invariant: simulated times lie within the calendar")
        .to_zoned(TimeZone::fixed(offset(UTC_OFFSET_HOURS)));
    time.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}

fn encode<D: Serialize>(
    name: (&str, &str),
    event_type: &str,
    customer: &Customer,
    time: Millis,
    data: D,
) -> Vec<u8> {
    write(name, event_type, Some(&customer.id), time, data)
}

fn write<D: Serialize>(
    (source, id): (&str, &str),
    event_type: &str,
    subject: Option<&str>,
    time: Millis,
    data: D,
) -> Vec<u8> {
    let envelope = Envelope {
        specversion: "1.0",
        id,
        source,
        r#type: event_type,
        subject,
        time: rfc3339(time),
        data,
    };
    serde_json::to_vec(&envelope).expect("invariant: texts, numbers and flags always serialise")
}

/// A `customer.profile` event.
pub(super) fn profile(id: &str, customer: &Customer, time: Millis) -> Vec<u8> {
    let add = customer.segments();
    let [push, im, sms, call] = customer.consents;
    let data = ProfileData {
        attributes: Attributes {
            name: customer.hanzi(),
            tier: customer.tier,
            age: customer.age,
            occupation: customer.occupation,
            city: customer.city,
            risk_level: customer.risk_level,
            credit_limit: customer.credit_limit_cents.map(|cents| cents / YUAN),
            points: customer.points,
            salary_account: customer.is_salary_account(),
            trade: customer.trade(),
        },
        segments: Segments { add, remove: [] },
        consents: Channels {
            push,
            im,
            sms,
            call,
        },
        time_zone: "Asia/Shanghai",
        locale: customer.locale,
        reachable: Channels {
            push: customer.has_app,
            im: customer.has_app,
            sms: true,
            call: true,
        },
    };
    encode(("crm", id), "customer.profile", customer, time, data)
}

/// An `account.movement` event; the customer's balance is the one after it.
pub(super) fn movement(
    id: &str,
    customer: &Customer,
    movement: &Movement,
    time: Millis,
) -> Vec<u8> {
    let counterparty = &movement.counterparty;
    let data = MovementData {
        account: customer.account(),
        direction: if movement.incoming { "in" } else { "out" },
        amount: decimal(movement.cents),
        currency: "CNY",
        balance: decimal(customer.balance_cents),
        counterparty: CounterpartyData {
            name: &counterparty.name,
            bank: counterparty.bank.map(|bank| bank.latin),
            category: counterparty.category,
        },
        channel: movement.channel,
        purpose: movement.purpose,
    };
    encode(
        ("core-banking", id),
        "account.movement",
        customer,
        time,
        data,
    )
}

/// A `merchant.checkout` event at one stage.
pub(super) fn checkout(
    id: &str,
    customer: &Customer,
    basket: &Basket,
    (stage, tender): (&'static str, &'static str),
    time: Millis,
) -> Vec<u8> {
    let merchant = basket.merchant();
    let (country, city) = merchant.abroad.unwrap_or(("CN", city_code(customer.city)));
    let branch = format!("M{:02}-{city}", basket.merchant);
    let source = format!("till-{branch}");
    let data = CheckoutData {
        stage,
        amount: decimal(basket.cents),
        currency: "CNY",
        tender,
        channel: merchant.online.then_some("online"),
        merchant: MerchantData {
            id: branch,
            name: merchant.name.hanzi,
            category: merchant.category,
            mcc: merchant.mcc,
            city: merchant.abroad.map_or(customer.city, |(_, city)| city),
            country,
            partner: merchant.partner,
        },
        items: [],
    };
    encode((&source, id), "merchant.checkout", customer, time, data)
}

/// Any other event about a customer, as `rules/schema.toml` declares it.
pub(super) fn notice(
    name: (&str, &str),
    customer: &Customer,
    event_type: &str,
    time: Millis,
    data: &serde_json::Value,
) -> Vec<u8> {
    encode(name, event_type, customer, time, data)
}

/// A broadcast: an event without a customer.
pub(super) fn broadcast(
    name: (&str, &str),
    event_type: &str,
    time: Millis,
    data: &serde_json::Value,
) -> Vec<u8> {
    write(name, event_type, None, time, data)
}

/// An `offer.<outcome>` event about an action of the engine.
pub(super) fn outcome(
    id: &str,
    customer: &Customer,
    (event_type, action): (&str, &str),
    time: Millis,
) -> Vec<u8> {
    encode(
        ("push-gw", id),
        event_type,
        customer,
        time,
        OutcomeData { action },
    )
}

/// The code of a city, as airlines write it.
fn city_code(city: &str) -> &str {
    match city {
        "Shenzhen" => "SZX",
        "Shanghai" => "SHA",
        "Chongqing" => "CKG",
        "Chengdu" => "CTU",
        "Xi'an" => "XIY",
        "Beijing" => "BJS",
        "Guangzhou" => "CAN",
        "Hangzhou" => "HGH",
        "Nanjing" => "NKG",
        _ => "WUH",
    }
}
