//! Customers to whom anything may have happened.

use onscene::clock::Millis;
use onscene::event::{
    Checkout, Direction, Event, Facts, Kept, Movement, Occasion, OutcomeKind, ProfileChange, Stage,
    Value, Word,
};
use onscene::money::Money;
use onscene::partitioning::CustomerId;
use onscene::state::{
    Contact, Customer, DecisionId, Delivery, JournalLimits, KeptBody, Names, Pending, Remembered,
    Wait,
};
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;
use std::fmt::Debug;
use std::sync::Arc;

const BASE: Millis = 1_795_312_800_000;
const WORDS: [&str; 8] = [
    "dining", "M-17", "mobile", "cash", "客户", "a b", "\"q\"", "push",
];

/// One thing that changes a customer.
#[derive(Clone, Debug)]
pub(super) enum Turn {
    Happens(Box<Event>),
    Said(Box<Said>),
    Waits(Box<Waits>),
}

#[derive(Clone, Debug)]
pub(super) struct Said {
    id: u8,
    entry: u8,
    words: [&'static str; 3],
    times: (Millis, Millis),
    step: u32,
    code: Option<&'static str>,
    money: (Option<i64>, Option<i64>),
    delivery: Delivery,
    converted: bool,
    more: More,
}

/// Scene, household, what it stands in for, and the channels left.
type More = (
    Option<&'static str>,
    Option<&'static str>,
    Option<u8>,
    Vec<&'static str>,
);

#[derive(Clone, Debug)]
pub(super) struct Waits {
    entry: u8,
    rule: &'static str,
    times: (Millis, Millis),
    step: u32,
    wait: Wait,
    trigger: Occasion,
    sequence: u64,
}

fn words<T: From<&'static str> + Debug>() -> impl Strategy<Value = T> {
    select(&WORDS[..]).prop_map(T::from)
}

fn maybe<T: From<&'static str> + Debug>() -> impl Strategy<Value = Option<T>> {
    proptest::option::of(words())
}

fn times() -> impl Strategy<Value = Millis> {
    prop_oneof![
        9 => (0_i64..500).prop_map(|step| BASE + step * 1_000),
        1 => select(vec![0, -1, 1 << 44, 1 << 47, -(1 << 47), Millis::MAX, Millis::MIN]),
    ]
}

fn amounts() -> impl Strategy<Value = Money> {
    let large = (40_u32..63, any::<i64>()).prop_map(|(bits, n)| n >> (63 - bits));
    let units = prop_oneof![5 => 0_i64..90_000_000, 1 => large];
    units.prop_map(Money::from_ten_thousandths)
}

fn decimals() -> impl Strategy<Value = Decimal> {
    (any::<i64>(), 0_u32..12).prop_map(|(digits, scale)| Decimal::new(digits, scale))
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        decimals().prop_map(Value::Decimal),
        words().prop_map(Value::Text),
    ]
}

fn flags() -> impl Strategy<Value = Vec<(Box<str>, bool)>> {
    proptest::collection::vec((words(), any::<bool>()), 0..3)
}

fn fields() -> impl Strategy<Value = Vec<(Word, Value)>> {
    proptest::collection::vec((words(), values()), 0..3)
}

fn movements() -> impl Strategy<Value = Facts> {
    let balance = proptest::option::of(amounts());
    let ways = select(vec![Direction::In, Direction::Out]);
    let names = (words(), maybe(), maybe(), maybe(), maybe());
    (ways, amounts(), balance, names).prop_map(|(direction, amount, balance, names)| {
        let (account, counterparty, category, channel, purpose) = names;
        Facts::Movement(Movement {
            account,
            direction,
            amount,
            balance,
            counterparty,
            category,
            channel,
            purpose,
        })
    })
}

fn checkouts() -> impl Strategy<Value = Facts> {
    let stages = vec![
        Stage::Started,
        Stage::Paid,
        Stage::Abandoned,
        Stage::Refunded,
    ];
    let names = (maybe(), maybe(), maybe());
    (select(stages), amounts(), names, any::<bool>()).prop_map(
        |(stage, amount, (tender, merchant, category), partner)| {
            Facts::Checkout(Checkout {
                stage,
                amount,
                tender,
                merchant,
                category,
                partner,
            })
        },
    )
}

fn others() -> impl Strategy<Value = Facts> {
    let amount = proptest::option::of(amounts());
    let names = (maybe(), maybe(), maybe(), maybe());
    (amount, names, fields()).prop_map(|(amount, names, mut fields)| {
        let (category, merchant, counterparty, channel) = names;
        fields.dedup_by(|a, b| a.0 == b.0);
        Facts::Other(Kept {
            amount,
            category,
            merchant,
            counterparty,
            channel,
            fields,
        })
    })
}

fn profiles() -> impl Strategy<Value = Facts> {
    (fields(), flags(), flags(), flags(), maybe(), maybe()).prop_map(
        |(attributes, segments, consents, reachable, time_zone, locale)| {
            Facts::Profile(ProfileChange {
                attributes,
                segments,
                consents,
                reachable,
                time_zone,
                locale,
            })
        },
    )
}

fn decision(number: u8) -> DecisionId {
    DecisionId([number; 16])
}

fn outcomes() -> impl Strategy<Value = Facts> {
    let words: Vec<&str> = OutcomeKind::WORDS.to_vec();
    (select(words), 0_u8..6).prop_map(|(word, number)| Facts::Outcome {
        outcome: OutcomeKind::from_word(word).unwrap(),
        action: decision(number).to_string().into(),
    })
}

fn events() -> impl Strategy<Value = Turn> {
    let facts = prop_oneof![movements(), checkouts(), others(), profiles(), outcomes()];
    (facts, times(), any::<u64>(), words::<Box<str>>()).prop_map(
        |(facts, time, fingerprint, kind)| {
            Turn::Happens(Box::new(Event {
                imported: false,
                id: "e".into(),
                source: "s".into(),
                kind: (*kind).into(),
                customer: CustomerId::new("C").unwrap(),
                time,
                traceparent: None,
                fingerprint,
                data: Value::Null,
                facts,
            }))
        },
    )
}

fn contacts() -> impl Strategy<Value = Turn> {
    let word = || select(&WORDS[..]);
    let money = || proptest::option::of(any::<i64>());
    (
        (0_u8..6, 0_u8..6),
        [word(), word(), word()],
        (times(), times()),
        any::<u32>(),
        proptest::option::of(word()),
        (money(), money()),
        (select(&Delivery::ALL[..]), any::<bool>()),
        (
            proptest::option::of(word()),
            proptest::option::of(word()),
            proptest::option::of(0_u8..6),
            proptest::collection::vec(word(), 0..3),
        ),
    )
        .prop_map(
            |((id, entry), words, times, step, code, money, (delivery, converted), more)| {
                Turn::Said(Box::new(Said {
                    id,
                    entry,
                    words,
                    times,
                    step,
                    code,
                    money,
                    delivery,
                    converted,
                    more,
                }))
            },
        )
}

fn waiting() -> impl Strategy<Value = Turn> {
    let waits = select(vec![
        Wait::Delay,
        Wait::Step,
        Wait::QuietHours,
        Wait::Fallback,
    ]);
    let occasion = (
        words(),
        words(),
        words::<Box<str>>(),
        times(),
        maybe(),
        fields(),
    )
        .prop_map(|(id, source, kind, time, traceparent, mut fields)| {
            fields.dedup_by(|a, b| a.0 == b.0);
            Occasion {
                id,
                source,
                kind: (*kind).into(),
                time,
                traceparent,
                data: Value::Record(fields),
            }
        });
    let numbers = (any::<u8>(), any::<u32>(), any::<u64>());
    (
        numbers,
        select(&WORDS[..]),
        (times(), times()),
        waits,
        occasion,
    )
        .prop_map(|((entry, step, sequence), rule, times, wait, trigger)| {
            Turn::Waits(Box::new(Waits {
                entry,
                rule,
                times,
                step,
                wait,
                trigger,
                sequence,
            }))
        })
}

/// What may happen to a customer, in any order.
pub(super) fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![6 => events(), 2 => contacts(), 1 => waiting()];
    proptest::collection::vec(turn, 0..40)
}

/// The customer to whom all that happened.
pub(super) fn customer(turns: &[Turn], names: &Names, limits: JournalLimits) -> Customer {
    let mut customer = Customer::new(BASE);
    for turn in turns {
        match turn {
            Turn::Happens(event) => {
                customer.apply(event, names, limits);
            }
            Turn::Said(said) => customer.contacts.push(contact(said, names)),
            Turn::Waits(waits) => {
                let trigger = Arc::new(Remembered::new(&waits.trigger, waits.sequence));
                // A second rule waits for the sake of the same event.
                for entry in [waits.entry, !waits.entry] {
                    customer.pending.push(Pending {
                        entry: decision(entry),
                        rule: names.intern(waits.rule),
                        due: waits.times.0,
                        step: waits.step,
                        wait: waits.wait,
                        entered: waits.times.1,
                        trigger: trigger.clone(),
                    });
                }
            }
        }
    }
    customer
}

fn contact(said: &Said, names: &Names) -> Contact {
    let [rule, variant, channel] = said.words.map(|word| names.intern(word));
    Contact {
        id: decision(said.id),
        entry: decision(said.entry),
        rule,
        at: said.times.0,
        time: said.times.1,
        variant,
        channel,
        step: said.step,
        code: said.code.map(|code| names.intern(code)),
        value: said.money.0.map(Money::from_ten_thousandths),
        cost: said.money.1.map(Money::from_ten_thousandths),
        delivery: said.delivery,
        scene: said.more.0.map(|scene| names.intern(scene)),
        household: said.more.1.map(|key| names.intern(key)),
        fallback_of: said.more.2.map(decision),
        channels_left: (said.more.3.iter().map(|channel| names.intern(channel)))
            .collect::<Vec<_>>()
            .into(),
        // Of some: with an end, and without.
        kept: said.more.0.filter(|_| said.converted).map(|words| {
            Arc::new(KeptBody {
                kind: "offer".into(),
                fields: words.into(),
                expires_at: said.more.1.map(|_| said.times.0),
            })
        }),
        converted: said.converted,
        outcomes: Default::default(),
    }
}
