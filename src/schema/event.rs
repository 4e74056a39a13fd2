//! JSON Schema of events, from the declarations that decoding checks them against.
//!
//! What a schema accepts, decoding accepts, but for what no schema can say: an unknown currency, a time
//! too far off, a subject of another customer.

use super::{DEFINITIONS, DIALECT, Members, reference, time};
use crate::event::{EventType, Field, FieldKind, Schema};
use crate::partitioning::CUSTOMER_ID_BYTES_MAX;
use serde_json::{Value, json};

/// The name of the schema of types that are not declared. A declared type's name has a dot in it, so
/// that none of these can be one.
pub(super) const OTHER: &str = "other";
/// The name of the schema of broadcasts.
pub(super) const BROADCAST: &str = "broadcast";
const MONEY: &str = "money";
const SIGNED_MONEY: &str = "signed_money";
/// The field that decoding sets itself.
const OURS: &str = "original_amount";
/// Digits before the point of the largest amount.
const MONEY_DIGITS_MAX: u32 = 15;
/// The largest amount, in whole units.
const MONEY_MAX: i64 = 922_337_203_685_477;
const EVENT_TYPE: &str = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$";

/// A JSON Schema of every event a producer may publish: the built-in types, those of `schema.toml`, and
/// any other type.
#[must_use]
pub fn events(schema: &Schema) -> Value {
    let names = schema.event_types().map(|declared| &*declared.name);
    let any: Vec<Value> = names
        .chain([OTHER])
        .map(|name| reference(DEFINITIONS, name))
        .collect();
    json!({
        "$schema": DIALECT,
        "title": "An event, as producers publish it",
        "description": "CloudEvents 1.0, structured mode. In binary mode the attributes are ce-* headers and the payload is `data` alone.",
        "oneOf": any,
        "$defs": definitions(schema, DEFINITIONS),
    })
}

/// The schemas by name: one of each declared type, one of all others, and what they refer to at `place`.
pub(super) fn definitions(schema: &Schema, place: &str) -> Members {
    let mut definitions = Members::new();
    for declared in schema.event_types() {
        let event = cloudevent(
            &declared.name,
            json!({ "const": &*declared.name }),
            data(declared, schema, place),
        );
        definitions.insert(declared.name.to_string(), event);
    }
    let declared: Vec<&str> = schema.event_types().map(|t| &*t.name).collect();
    let mut other = cloudevent(
        "an event of a type that is not declared",
        json!({ "type": "string", "pattern": EVENT_TYPE, "maxLength": 128, "not": { "enum": declared } }),
        json!({ "description": "Anything: the journal keeps the type and the time alone." }),
    );
    drop_required(&mut other, "data");
    definitions.insert(OTHER.to_owned(), other);
    definitions.insert(MONEY.to_owned(), money(false));
    definitions.insert(SIGNED_MONEY.to_owned(), money(true));
    definitions
}

/// The schema of a broadcast: an event about no customer.
pub(super) fn broadcast() -> Value {
    let mut broadcast = cloudevent(
        "an event about no customer",
        json!({ "type": "string", "pattern": "^broadcast\\.[A-Za-z0-9_-]+$" }),
        json!({ "description": "The fields that schema.toml declares for the type." }),
    );
    drop_required(&mut broadcast, "data");
    drop_required(&mut broadcast, "subject");
    broadcast
}

fn drop_required(event: &mut Value, name: &str) {
    if let Some(required) = event["required"].as_array_mut() {
        required.retain(|required| required != name);
    }
}

fn cloudevent(title: &str, kind: Value, data: Value) -> Value {
    json!({
        "title": title,
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": identifier("Unique within `source`: an event seen again changes nothing."),
            "source": identifier("Who publishes it, such as a till."),
            "type": kind,
            "subject": {
                "type": "string",
                "minLength": 1,
                "maxLength": CUSTOMER_ID_BYTES_MAX,
                "description": format!("The customer's id: 1 to {CUSTOMER_ID_BYTES_MAX} bytes."),
            },
            "time": time("When it happened, with an offset."),
            "datacontenttype": { "const": "application/json" },
            "traceparent": { "type": "string", "description": "W3C trace context; it is carried through to the action." },
            "data": data,
        },
        "not": { "required": ["data_base64"] },
    })
}

fn identifier(description: &str) -> Value {
    // In bytes the limit is the same, so that one of many wide characters may still be refused.
    json!({ "type": "string", "minLength": 1, "maxLength": 512, "description": description })
}

fn data(declared: &EventType, schema: &Schema, place: &str) -> Value {
    let profile = (&*declared.name == "customer.profile").then_some(schema);
    object(&declared.fields, profile, place)
}

fn object(fields: &[Field], profile: Option<&Schema>, place: &str) -> Value {
    let mut properties = Members::new();
    let mut required: Vec<&str> = Vec::new();
    for field in fields.iter().filter(|field| &*field.name != OURS) {
        let value = match (&field.kind, profile) {
            (FieldKind::Open, Some(schema)) => open(&field.name, schema),
            (kind, _) => value(kind, place),
        };
        let value = if field.required {
            value
        } else {
            optional(value)
        };
        properties.insert(field.name.to_string(), value);
        if field.required {
            required.push(&field.name);
        }
    }
    let mut object = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn value(kind: &FieldKind, place: &str) -> Value {
    match kind {
        FieldKind::Text => json!({ "type": "string" }),
        FieldKind::Word(words) => json!({ "enum": words }),
        FieldKind::Number => json!({ "type": "number" }),
        FieldKind::Money => reference(place, MONEY),
        FieldKind::SignedMoney => reference(place, SIGNED_MONEY),
        FieldKind::Boolean => json!({ "type": "boolean" }),
        FieldKind::Time => time("RFC 3339"),
        FieldKind::List => json!({ "type": "array" }),
        FieldKind::Record(fields) => object(fields, None, place),
        FieldKind::Open => json!({ "type": "object" }),
    }
}

/// A field that need not be there may be `null` as well.
fn optional(mut value: Value) -> Value {
    if let Some(kind) = value.get("type").and_then(Value::as_str) {
        value["type"] = json!([kind, "null"]);
        value
    } else if let Some(words) = value.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
        value
    } else {
        json!({ "anyOf": [value, { "type": "null" }] })
    }
}

/// The parts of a profile that decoding checks on their own.
fn open(name: &str, schema: &Schema) -> Value {
    match name {
        "attributes" => {
            let declared: Members = schema
                .attributes()
                .map(|(name, kind)| (name.to_owned(), optional(value(kind, ""))))
                .collect();
            json!({
                "type": "object",
                "description": "Each sets an attribute; null removes it.",
                "properties": declared,
                "additionalProperties": { "type": ["string", "number", "boolean", "null"] },
            })
        }
        "segments" => {
            let names = json!({ "type": ["array", "null"], "items": { "type": "string" } });
            json!({ "type": "object", "properties": { "add": names, "remove": names } })
        }
        _ => json!({
            "type": "object",
            "description": "By channel.",
            "additionalProperties": { "type": "boolean" },
        }),
    }
}

fn money(signed: bool) -> Value {
    let sign = if signed { "-?" } else { "" };
    let least = if signed { json!(-MONEY_MAX) } else { json!(0) };
    json!({
        "description": "An exact decimal with at most four decimals, as text or as a number. Text is safer: many languages read a JSON number as binary floating point.",
        "anyOf": [
            { "type": "string", "pattern": format!(r"^{sign}[0-9]{{1,{MONEY_DIGITS_MAX}}}(\.[0-9]{{1,4}})?$") },
            { "type": "number", "minimum": least, "maximum": MONEY_MAX },
        ],
        "examples": ["128.50", 128],
    })
}
