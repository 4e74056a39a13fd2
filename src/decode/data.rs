//! The data of an event against the declaration of its type.

use super::envelope::Envelope;
use super::{Reason, Rejection};
use crate::clock::parse_rfc3339;
use crate::event::{
    Checkout, Direction, Event, Facts, Field, FieldKind, Kept, Movement, Occasion, OutcomeKind,
    Path, ProfileChange, Schema, Stage, Value, Word, fingerprint,
};
use crate::money::{Money, MoneyError, Rates};
use crate::terms::{BROADCAST_PREFIX, TIMER_PREFIX};
use rust_decimal::Decimal;
use std::fmt::Display;

/// The most attributes, segments or channels one profile event may carry.
const PROFILE_ITEMS_MAX: usize = 256;

pub(super) fn event(
    envelope: Envelope,
    schema: &Schema,
    rates: &Rates,
) -> Result<Event, Rejection> {
    let Envelope {
        id,
        source,
        kind,
        customer,
        time,
        traceparent,
        data,
        imported,
    } = envelope;
    if kind.starts_with(TIMER_PREFIX) {
        return Err(Rejection::new(
            Reason::TypeMismatch,
            "types that begin with `timer.` are the engine's own: choose another domain",
        ));
    }
    let customer = customer.ok_or_else(|| {
        if imported {
            return imported_broadcast(&kind);
        }
        Rejection::new(
            Reason::TypeMismatch,
            format!("`{kind}` is a broadcast: publish it to scene.{kind}"),
        )
    })?;
    let (kind, data, facts) = match schema.event_type(&kind) {
        Some(declared) => {
            let data = object(data)?;
            let typed = Typing {
                rate: rate_of(&data, rates)?,
            }
            .record(Path::Whole("data"), &declared.fields, data)?;
            let facts = facts(&declared.name, &declared.fields, &typed, schema)?;
            (declared.name.clone(), typed, facts)
        }
        None if is_event_type(&kind) => {
            let kind = kind.as_str().into();
            (kind, Value::Null, Facts::Other(Kept::default()))
        }
        None => {
            return Err(Rejection::new(
                Reason::TypeMismatch,
                "`type` must be \"<domain>.<kind>\", such as \"merchant.checkout\"",
            ));
        }
    };
    Ok(Event {
        fingerprint: fingerprint(&source, &id),
        id,
        source,
        kind,
        customer,
        time,
        traceparent,
        data,
        facts,
        imported,
    })
}

/// Why a broadcast cannot be imported: all that it does is to ask rules.
fn imported_broadcast(kind: &str) -> Rejection {
    Rejection::new(
        Reason::TypeMismatch,
        format!(
            "`{kind}` is a broadcast: it is about nobody, so nothing of it can be imported; leave it out"
        ),
    )
}

/// An event about nobody.
pub(super) fn broadcast(
    envelope: Envelope,
    schema: &Schema,
    rates: &Rates,
) -> Result<Occasion, Rejection> {
    let Envelope {
        id, source, kind, ..
    } = envelope;
    if !is_event_type(&kind) || !kind.starts_with(BROADCAST_PREFIX) {
        return Err(Rejection::new(
            Reason::TypeMismatch,
            "`type` must be \"broadcast.<kind>\", such as \"broadcast.goal\"",
        ));
    }
    if envelope.imported {
        return Err(imported_broadcast(&kind));
    }
    let (kind, data) = match schema.event_type(&kind) {
        Some(declared) => {
            let data = object(envelope.data)?;
            let typed = Typing {
                rate: rate_of(&data, rates)?,
            }
            .record(Path::Whole("data"), &declared.fields, data)?;
            (declared.name.clone(), typed)
        }
        None => (kind.as_str().into(), Value::Null),
    };
    Ok(Occasion {
        id,
        source,
        kind,
        time: envelope.time,
        traceparent: envelope.traceparent,
        data,
    })
}

fn is_event_type(kind: &str) -> bool {
    kind.len() <= 128
        && kind.split('.').count() == 2
        && kind.split('.').all(|part| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        })
}

fn object(data: Value) -> Result<Vec<(Word, Value)>, Rejection> {
    match data {
        Value::Record(members) => Ok(members),
        Value::Null => Err(Rejection::new(Reason::MissingField, "`data` is missing")),
        other => Err(wrong_type("data", "an object", &other)),
    }
}

/// The rate of the event's currency; 1 for an event that names none.
fn rate_of(data: &[(Word, Value)], rates: &Rates) -> Result<Decimal, Rejection> {
    let Some(currency) = data
        .iter()
        .find(|(name, _)| name == "currency")
        .and_then(|(_, value)| value.as_text())
    else {
        return Ok(Decimal::ONE);
    };
    rates.rate(currency).ok_or_else(|| {
        Rejection::new(
            Reason::UnknownCurrency,
            format!(
                "no rate turns `{}` into {}: add it to [money.rates] of the configuration",
                currency.chars().take(16).collect::<String>(),
                rates.base()
            ),
        )
    })
}

fn wrong_type(path: impl Display, wanted: &str, found: &Value) -> Rejection {
    Rejection::new(
        Reason::WrongType,
        format!("`{path}` must be {wanted}, not {}", found.kind()),
    )
}

/// Checks values against their declaration and turns amounts into base currency.
struct Typing {
    rate: Decimal,
}

impl Typing {
    /// Every declared field is there afterwards, `Null` where it is absent; others are left out.
    fn record(
        &self,
        path: Path<'_>,
        fields: &[Field],
        mut members: Vec<(Word, Value)>,
    ) -> Result<Value, Rejection> {
        let mut typed = Vec::with_capacity(fields.len());
        // Most producers write fields in the order in which they are declared.
        let mut expected = 0;
        for field in fields {
            let order = (expected..members.len()).chain(0..expected);
            let place = order.into_iter().find(|at| members[*at].0 == field.name);
            let found = place.map_or(Value::Null, |at| {
                expected = at + 1;
                std::mem::replace(&mut members[at].1, Value::Null)
            });
            let at = Path::Field(&path, &field.name);
            let value = match (&field.kind, found) {
                (_, Value::Null) if field.required => {
                    return Err(Rejection::new(
                        Reason::MissingField,
                        format!("`{at}` is missing"),
                    ));
                }
                (FieldKind::Record(inner), Value::Null) => {
                    self.record(at, &optional(inner), Vec::new())?
                }
                (_, Value::Null) => Value::Null,
                (kind, value) => self.value(at, kind, value, &mut typed)?,
            };
            // `original_amount` is ours: it is set beside `amount`, never taken from a producer.
            if &*field.name != "original_amount" {
                typed.push((field.name.clone(), value));
            }
        }
        Ok(Value::Record(typed))
    }

    fn value(
        &self,
        path: Path<'_>,
        kind: &FieldKind,
        value: Value,
        siblings: &mut Vec<(Word, Value)>,
    ) -> Result<Value, Rejection> {
        match (kind, value) {
            (FieldKind::Text, value @ Value::Text(_))
            | (FieldKind::Boolean, value @ Value::Bool(_))
            | (FieldKind::Number, value @ (Value::Int(_) | Value::Decimal(_)))
            | (FieldKind::List, value @ Value::List(_))
            | (FieldKind::Open, value @ Value::Record(_)) => Ok(value),
            (FieldKind::Word(words), Value::Text(word)) => {
                if words.contains(&&*word) {
                    Ok(Value::Text(word))
                } else {
                    Err(Rejection::new(
                        Reason::InvalidValue,
                        format!("`{path}` must be one of {}", words.join(", ")),
                    ))
                }
            }
            (FieldKind::Time, Value::Text(text)) => parse_rfc3339(&text)
                .map(|time| Value::Int(time.div_euclid(1000)))
                .ok_or_else(|| {
                    Rejection::new(Reason::InvalidTime, format!("`{path}` is not RFC 3339"))
                }),
            (FieldKind::Record(fields), Value::Record(members)) => {
                self.record(path, fields, members)
            }
            (FieldKind::Money | FieldKind::SignedMoney, value) => {
                let (base, original) = self.money(path, kind, &value)?;
                if matches!(path, Path::Field(Path::Whole(_), "amount")) {
                    siblings.push(("original_amount".into(), Value::Decimal(original)));
                }
                Ok(Value::Decimal(base.to_decimal()))
            }
            (kind, value) => Err(wrong_type(path, kind.name(), &value)),
        }
    }

    fn money(
        &self,
        path: Path<'_>,
        kind: &FieldKind,
        value: &Value,
    ) -> Result<(Money, Decimal), Rejection> {
        let invalid = |why: &str| Rejection::new(Reason::InvalidValue, format!("`{path}` {why}"));
        let original = match value {
            Value::Text(text) => plain_decimal(text)
                .ok_or_else(|| invalid("is not a decimal number such as \"128.50\""))?,
            other => other
                .as_decimal()
                .ok_or_else(|| wrong_type(path, "a decimal as text or number", other))?,
        };
        if *kind == FieldKind::Money && original.is_sign_negative() && !original.is_zero() {
            return Err(Rejection::new(
                Reason::NegativeAmount,
                format!(
                    "`{path}` is {original}: an amount is never below zero; say the direction or the stage instead"
                ),
            ));
        }
        let exact = Money::exact(original).map_err(|error| match error {
            MoneyError::TooPrecise => invalid("has more than four decimals"),
            MoneyError::OutOfRange => invalid("is out of range"),
        })?;
        if self.rate == Decimal::ONE {
            return Ok((exact, original));
        }
        original
            .checked_mul(self.rate)
            .and_then(Money::rounded)
            .map(|base| (base, original))
            .ok_or_else(|| invalid("is out of range in base currency"))
    }
}

/// Reads digits with at most one sign and one point, and nothing that would be rounded away.
fn plain_decimal(text: &str) -> Option<Decimal> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let plain = match unsigned.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(unsigned),
    };
    plain.then(|| Decimal::from_str_exact(text).ok()).flatten()
}

fn optional(fields: &[Field]) -> Vec<Field> {
    fields
        .iter()
        .map(|field| Field {
            required: false,
            ..field.clone()
        })
        .collect()
}

fn facts(kind: &str, fields: &[Field], data: &Value, schema: &Schema) -> Result<Facts, Rejection> {
    let text = |name: &str| data.get(name).and_then(Value::as_word).cloned();
    let inner = |record: &str, name: &str| {
        let value = data.get(record).and_then(|r| r.get(name));
        value.and_then(Value::as_word).cloned()
    };
    let amount = |name: &str| {
        data.get(name)
            .and_then(Value::as_decimal)
            .and_then(Money::rounded)
    };
    Ok(match kind {
        "account.movement" => Facts::Movement(Movement {
            account: text("account").unwrap_or_default(),
            direction: text("direction")
                .and_then(|word| Direction::from_word(&word))
                .expect("invariant: the declaration allows no other direction"),
            amount: amount("amount").unwrap_or_default(),
            balance: amount("balance"),
            counterparty: inner("counterparty", "name"),
            category: inner("counterparty", "category"),
            channel: text("channel"),
            purpose: text("purpose"),
        }),
        "merchant.checkout" => Facts::Checkout(Checkout {
            stage: text("stage")
                .and_then(|word| Stage::from_word(&word))
                .expect("invariant: the declaration allows no other stage"),
            amount: amount("amount").unwrap_or_default(),
            tender: text("tender"),
            merchant: inner("merchant", "id"),
            category: inner("merchant", "category"),
            partner: data
                .get("merchant")
                .and_then(|m| m.get("partner"))
                .and_then(Value::as_bool)
                .unwrap_or(false),
        }),
        "customer.profile" => Facts::Profile(profile(data, schema)?),
        _ => match kind.strip_prefix("offer.").and_then(OutcomeKind::from_word) {
            Some(outcome) => Facts::Outcome {
                outcome,
                action: text("action").unwrap_or_default().as_str().into(),
            },
            None => Facts::Other(kept(fields, data)),
        },
    })
}

fn kept(fields: &[Field], data: &Value) -> Kept {
    let mut kept = Kept::default();
    for field in fields.iter().filter(|field| field.keep) {
        let value = data.get(&field.name).cloned().unwrap_or(Value::Null);
        let text = value.as_word().cloned();
        match &*field.name {
            "amount" => kept.amount = value.as_decimal().and_then(Money::rounded),
            "category" => kept.category = text,
            "merchant" => kept.merchant = text,
            "counterparty" => kept.counterparty = text,
            "channel" => kept.channel = text,
            _ if value == Value::Null => {}
            _ => kept.fields.push((field.name.clone(), value)),
        }
    }
    kept
}

fn profile(data: &Value, schema: &Schema) -> Result<ProfileChange, Rejection> {
    let mut change = ProfileChange::default();
    for (name, value) in members(data, "data.attributes", "attributes")? {
        let declared = schema.attribute(name);
        let fits = match (declared, value) {
            (_, Value::Null)
            | (None, Value::Bool(_) | Value::Int(_) | Value::Decimal(_) | Value::Text(_)) => true,
            (Some(FieldKind::Number), value) => value.as_decimal().is_some(),
            (Some(FieldKind::Boolean), value) => value.as_bool().is_some(),
            (Some(_), value) => value.as_text().is_some(),
            (None, _) => false,
        };
        if !fits {
            let wanted = declared.map_or("text, a number or a boolean", FieldKind::name);
            return Err(wrong_type(format!("data.attributes.{name}"), wanted, value));
        }
        change.attributes.push((name.clone(), value.clone()));
    }
    for (list, member) in [("add", true), ("remove", false)] {
        change
            .segments
            .extend(segment_names(data, list)?.into_iter().map(|s| (s, member)));
    }
    change.consents = flags(data, "consents")?;
    change.reachable = flags(data, "reachable")?;
    let text = |name: &str| data.get(name).and_then(Value::as_text).map(Box::from);
    change.time_zone = text("time_zone");
    change.locale = text("locale");
    if let Some(zone) = &change.time_zone
        && jiff::tz::TimeZone::get(zone).is_err()
    {
        return Err(Rejection::new(
            Reason::InvalidValue,
            "`data.time_zone` is not an IANA time zone such as Asia/Shanghai",
        ));
    }
    Ok(change)
}

fn members<'a>(data: &'a Value, path: &str, name: &str) -> Result<&'a [(Word, Value)], Rejection> {
    match data.get(name) {
        Some(Value::Record(members)) if members.len() > PROFILE_ITEMS_MAX => Err(Rejection::new(
            Reason::InvalidValue,
            format!("`{path}` has more than {PROFILE_ITEMS_MAX} members"),
        )),
        Some(Value::Record(members)) => Ok(members),
        _ => Ok(&[]),
    }
}

fn flags(data: &Value, name: &str) -> Result<Vec<(Box<str>, bool)>, Rejection> {
    let path = format!("data.{name}");
    members(data, &path, name)?
        .iter()
        .map(|(channel, value)| {
            value
                .as_bool()
                .map(|flag| (channel.as_str().into(), flag))
                .ok_or_else(|| wrong_type(format!("{path}.{channel}"), "a boolean", value))
        })
        .collect()
}

fn segment_names(data: &Value, list: &str) -> Result<Vec<Box<str>>, Rejection> {
    let path = format!("data.segments.{list}");
    match data.get("segments").and_then(|s| s.get(list)) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::List(items)) if items.len() > PROFILE_ITEMS_MAX => Err(Rejection::new(
            Reason::InvalidValue,
            format!("`{path}` names more than {PROFILE_ITEMS_MAX} segments"),
        )),
        Some(Value::List(items)) => items
            .iter()
            .map(|item| {
                item.as_text()
                    .map(Box::from)
                    .ok_or_else(|| wrong_type(&path, "a list of texts", item))
            })
            .collect(),
        Some(other) => Err(wrong_type(&path, "a list", other)),
    }
}
