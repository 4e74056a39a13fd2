//! What is known of customers, from events about profiles and from exported states.

use super::fact::{Fact, Trait};
use crate::clock::{Millis, parse_rfc3339};
use crate::event::{Event, Facts, Value, parse_json};
use crate::partitioning::CustomerId;

/// The type of events about profiles.
const PROFILE: &str = "customer.profile";
/// How the name of a segment begins where it stands among attributes.
pub(super) const SEGMENT: &str = "segment ";

/// What a stored event about a profile says: the payload, and the header of a name. `None` if it is no such
/// event, or none that the engine would have taken.
#[must_use]
pub fn stored<'a>(payload: &[u8], header: impl Fn(&str) -> Option<&'a str>) -> Option<Fact> {
    let json = parse_json(payload).ok()?;
    let in_headers = header("ce-specversion").is_some();
    let attribute = |name: &str| {
        if in_headers {
            header(&format!("ce-{name}"))
        } else {
            json.get(name).and_then(Value::as_text)
        }
    };
    if attribute("type")? != PROFILE {
        return None;
    }
    let customer = CustomerId::new(attribute("subject")?)?;
    let since = parse_rfc3339(attribute("time")?)?;
    let data = if in_headers {
        Some(&json)
    } else {
        json.get("data")
    };
    Some(of_data(customer, since, data?))
}

/// What an event about a profile says, from its data.
fn of_data(customer: CustomerId, since: Millis, data: &Value) -> Fact {
    let mut traits = Vec::new();
    if let Some(Value::Record(attributes)) = data.get("attributes") {
        traits.extend(
            attributes
                .iter()
                .map(|(name, value)| (name.as_str().into(), of_value(value))),
        );
    }
    for (list, is_in) in [("add", true), ("remove", false)] {
        let Some(Value::List(names)) = data.get("segments").and_then(|all| all.get(list)) else {
            continue;
        };
        let names = names.iter().filter_map(Value::as_text);
        traits.extend(names.map(|name| segment(name, is_in)));
    }
    if let Some(locale) = data.get("locale").and_then(Value::as_text) {
        traits.push(("locale".into(), word(locale)));
    }
    Fact::Profile {
        customer,
        since,
        traits,
    }
}

/// What an event that was decoded says about a profile, if it is about one.
pub(super) fn decoded(event: &Event) -> Option<Fact> {
    let Facts::Profile(change) = &event.facts else {
        return None;
    };
    let attributes = change.attributes.iter();
    let attributes = attributes.map(|(name, value)| (name.as_str().into(), of_value(value)));
    let segments = change
        .segments
        .iter()
        .map(|(name, is_in)| segment(name, *is_in));
    let locale = change.locale.as_deref();
    let locale = locale.map(|locale| ("locale".into(), word(locale)));
    Some(Fact::Profile {
        customer: event.customer.clone(),
        since: event.time,
        traits: attributes.chain(segments).chain(locale).collect(),
    })
}

/// What a line of `onscene state export` says of a customer: each item with the time since when it is so.
/// `None` if it is no such line.
#[must_use]
pub fn exported(line: &str) -> Option<Vec<Fact>> {
    let json: serde_json::Value = serde_json::from_str(line).ok()?;
    let customer = CustomerId::new(json.get("id")?.as_str()?)?;
    let profile = json.get("profile")?;
    let mut facts = Vec::new();
    let mut add = |item: &serde_json::Value, name: Box<str>, value| {
        let since = item.get("time").and_then(serde_json::Value::as_str);
        if let Some(since) = since.and_then(parse_rfc3339) {
            facts.push(Fact::Profile {
                customer: customer.clone(),
                since,
                traits: vec![(name, value)],
            });
        }
    };
    let members = |name: &str| profile.get(name).and_then(serde_json::Value::as_object);
    for (name, item) in members("attributes").into_iter().flatten() {
        let value = item.get("value");
        let value = match item.get("type").and_then(serde_json::Value::as_str) {
            Some("integer" | "decimal") => {
                let text = value.map(|value| value.to_string());
                let number = text.and_then(|text| text.trim_matches('"').parse().ok());
                number.map(Trait::Number)
            }
            Some("boolean") => yes(value.and_then(serde_json::Value::as_bool)),
            _ => value.and_then(serde_json::Value::as_str).and_then(word),
        };
        add(item, name.as_str().into(), value);
    }
    for (name, item) in members("segments").into_iter().flatten() {
        let is_in = item.get("value").and_then(serde_json::Value::as_bool);
        let (name, value) = segment(name, is_in == Some(true));
        add(item, name, value);
    }
    if let Some(item) = profile.get("locale").filter(|item| item.is_object()) {
        let value = item.get("value").and_then(serde_json::Value::as_str);
        add(item, "locale".into(), value.and_then(word));
    }
    Some(facts)
}

/// A segment as an attribute: yes, or nothing.
fn segment(name: &str, is_in: bool) -> (Box<str>, Option<Trait>) {
    let value = if is_in { yes(Some(true)) } else { None };
    (format!("{SEGMENT}{name}").into(), value)
}

fn word(text: &str) -> Option<Trait> {
    Some(Trait::Word(text.into()))
}

fn yes(truth: Option<bool>) -> Option<Trait> {
    word(if truth? { "yes" } else { "no" })
}

/// Numbers become approximate ones: they are compared, not added up as amounts.
fn of_value(value: &Value) -> Option<Trait> {
    match value {
        Value::Null | Value::List(_) | Value::Record(_) => None,
        Value::Bool(truth) => yes(Some(*truth)),
        Value::Text(text) => word(text),
        Value::Int(_) | Value::Decimal(_) => {
            let number = value.as_decimal()?.to_string().parse().ok();
            number.map(Trait::Number)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(fact: Fact) -> Vec<(Box<str>, Option<Trait>)> {
        match fact {
            Fact::Profile { traits, .. } => traits,
            other => panic!("{other:?}"),
        }
    }

    const DATA: &str = r#"{"attributes":{"tier":"gold","age":41,"points":"x","gone":null},"segments":{"add":["diner"],"remove":["idle"]},"locale":"en"}"#;

    #[test]
    fn an_event_says_the_same_in_both_modes() {
        let structured = format!(
            r#"{{"specversion":"1.0","id":"1","source":"crm","type":"customer.profile","subject":"C1","time":"2026-11-22T10:00:00Z","data":{DATA}}}"#
        );
        let structured = stored(structured.as_bytes(), |_| None).unwrap();
        let binary = stored(DATA.as_bytes(), |name| match name {
            "ce-specversion" => Some("1.0"),
            "ce-type" => Some("customer.profile"),
            "ce-subject" => Some("C1"),
            "ce-time" => Some("2026-11-22T10:00:00Z"),
            _ => None,
        });
        assert_eq!(structured, binary.unwrap());
        let traits = traits(structured);
        assert_eq!(traits[0], ("tier".into(), word("gold")));
        assert_eq!(traits[1], ("age".into(), Some(Trait::Number(41.0))));
        assert_eq!(traits[3], ("gone".into(), None));
        assert_eq!(traits[4], ("segment diner".into(), word("yes")));
        assert_eq!(traits[5], ("segment idle".into(), None));
        assert_eq!(stored(b"{}", |_| None), None);
    }

    #[test]
    fn an_exported_customer_has_each_item_with_its_own_time() {
        let line = r#"{"id":"C1","profile":{"attributes":{"age":{"type":"integer","value":41,"time":"2026-11-22T10:00:00.000Z"},"limit":{"type":"decimal","value":"1.5","time":"2026-11-23T10:00:00.000Z"}},"segments":{"diner":{"value":true,"time":"2026-11-22T10:00:00.000Z"}},"locale":null}}"#;
        let facts = exported(line).unwrap();
        let since: Vec<Millis> = facts
            .iter()
            .map(|fact| match fact {
                Fact::Profile { since, .. } => *since,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(facts.len(), 3);
        assert!(since[0] < since[1]);
        assert_eq!(
            traits(facts[1].clone()),
            [("limit".into(), Some(Trait::Number(1.5)))]
        );
        assert_eq!(exported("{}"), None);
        assert_eq!(exported(r#"{"id":"C1","profile":null}"#), Some(Vec::new()));
    }
}
