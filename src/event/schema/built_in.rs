//! The event types that the engine itself understands.

use super::{EventType, Field, FieldKind};
use crate::event::model::{Direction, OutcomeKind, Stage};
use FieldKind::{Boolean, List, Money, Number, Open, Record, SignedMoney, Text, Word};

fn field(name: &str, kind: FieldKind) -> Field {
    Field {
        name: name.into(),
        kind,
        required: false,
        keep: false,
        words: Vec::new(),
    }
}

fn required(name: &str, kind: FieldKind) -> Field {
    Field {
        required: true,
        ..field(name, kind)
    }
}

pub(super) fn built_in() -> Vec<EventType> {
    let counterparty = vec![
        field("name", Text),
        field("bank", Text),
        field("category", Text),
    ];
    let merchant = vec![
        required("id", Text),
        field("name", Text),
        field("category", Text),
        field("mcc", Text),
        field("city", Text),
        field("country", Text),
        field("partner", Boolean),
    ];
    let mut types = vec![
        EventType {
            name: "account.movement".into(),
            fields: vec![
                required("account", Text),
                required("direction", Word(Direction::WORDS)),
                required("amount", Money),
                required("currency", Text),
                field("balance", SignedMoney),
                field("counterparty", Record(counterparty)),
                field("channel", Text),
                field("purpose", Text),
                field("original_amount", Number),
            ],
        },
        EventType {
            name: "merchant.checkout".into(),
            fields: vec![
                required("stage", Word(Stage::WORDS)),
                required("amount", Money),
                required("currency", Text),
                field("tender", Text),
                required("merchant", Record(merchant)),
                field("channel", Text),
                field("items", List),
                field("original_amount", Number),
            ],
        },
        EventType {
            name: "customer.profile".into(),
            fields: vec![
                field("attributes", Open),
                field("segments", Open),
                field("consents", Open),
                field("reachable", Open),
                field("time_zone", Text),
                field("locale", Text),
            ],
        },
    ];
    types.extend(OutcomeKind::WORDS.iter().map(|word| EventType {
        name: format!("offer.{word}").into(),
        fields: vec![required("action", Text), field("channel", Text)],
    }));
    types
}
