//! A customer as JSON for people, and for comparing states: complete, with words in full, and in an
//! order that does not depend on how the state was reached.

use super::contacts::{Contact, KeptBody};
use super::customer::Customer;
use super::journal::{EntryRef, KeptValue};
use super::list::List;
use super::names::{Name, Names};
use super::pending::Pending;
use super::profile::{Attribute, Dated, Items};
use super::shape::EntryPhase;
use crate::clock::{Millis, format_rfc3339};
use crate::partitioning::CustomerId;
use serde_json::{Map, Value, json};

/// Everything that is known of a customer.
///
/// Words stand in full, times are RFC 3339 in UTC with milliseconds, amounts of money are decimals as
/// text, ids of decisions and fingerprints of events are hexadecimal. Items are sorted by name, contacts
/// by policy time, what waits by its entry; journal entries come in their order, which is that of event
/// time and, within one time, of arrival. So exports are the same bytes exactly if what they tell is the
/// same, whichever numbers words have and in whichever order items came.
#[must_use]
pub fn customer_json(id: &CustomerId, customer: &Customer, names: &Names) -> Value {
    let entries = customer.journal.entries().iter();
    let mut contacts: Vec<&Contact> = customer.contacts.all().iter().collect();
    contacts.sort_by_key(|contact| (contact.at, contact.id));
    let mut pending: Vec<&Pending> = customer.pending.iter().collect();
    pending.sort_by_key(|pending| pending.entry);
    let accounts = customer.accounts.iter().map(|account| {
        let balance = account.balance.to_string();
        let time = format_rfc3339(account.time);
        (account.name, json!({ "balance": balance, "time": time }))
    });
    json!({
        "id": id.as_str(),
        "first_seen": format_rfc3339(customer.first_seen),
        "profile": customer.profile.items().map(|items| profile(items, names)),
        "accounts": sorted(accounts, names),
        "journal": {
            "trimmed_until": customer.journal.trimmed_until().map(format_rfc3339),
            "entries": entries.map(|entry| whole_entry(entry, names)).collect::<Vec<_>>(),
        },
        "contacts": contacts.iter().map(|c| contact(c, names)).collect::<Vec<_>>(),
        "pending": pending.iter().map(|p| waiting(p, names)).collect::<Vec<_>>(),
    })
}

/// What windows and filters see of an entry, as far as it is the same for all types.
#[must_use]
pub fn entry_json(entry: EntryRef<'_>, names: &Names) -> Map<String, Value> {
    let word = |name: Option<Name>| Value::from(name.map(|name| names.text(name)));
    let shape = names.shape(entry.shape());
    let (phase, means) = match shape.phase {
        EntryPhase::Checkout(stage, _) => (Some(stage.word()), "tender"),
        EntryPhase::Movement(direction) => (Some(direction.word()), "purpose"),
        EntryPhase::AtMerchant | EntryPhase::Other => (None, "means"),
    };
    let fields = [
        ("time", format_rfc3339(entry.time()).into()),
        ("type", names.text(shape.kind).into()),
        ("phase", phase.into()),
        ("amount", entry.amount().to_string().into()),
        ("category", word(shape.category)),
        ("merchant", word(shape.merchant())),
        ("counterparty", word(shape.counterparty())),
        ("channel", word(shape.channel)),
        (means, word(shape.means)),
    ];
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn whole_entry(entry: EntryRef<'_>, names: &Names) -> Value {
    let mut fields = entry_json(entry, names);
    if let EntryPhase::Checkout(_, partner) = names.shape(entry.shape()).phase {
        fields.insert("partner".to_owned(), partner.into());
    }
    let kept = entry.kept().iter().map(|(name, value)| {
        let value = match value {
            KeptValue::Bool(truth) => typed("boolean", *truth),
            KeptValue::Number(number) => typed("number", number.to_string()),
            KeptValue::Text(word) => typed("text", names.text(*word)),
        };
        (*name, value.into())
    });
    fields.insert("kept".to_owned(), sorted(kept, names));
    let fingerprint = format!("{:016x}", entry.fingerprint());
    fields.insert("fingerprint".to_owned(), fingerprint.into());
    fields.into()
}

fn typed(kind: &str, value: impl Into<Value>) -> Map<String, Value> {
    let fields = [("type", kind.into()), ("value", value.into())];
    let fields = fields.into_iter();
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// An object with the words for names, in their order.
fn sorted(items: impl Iterator<Item = (Name, Value)>, names: &Names) -> Value {
    let mut items: Vec<(&str, Value)> = items
        .map(|(name, value)| (names.text(name), value))
        .collect();
    items.sort_by_key(|(word, _)| *word);
    let items = items.into_iter();
    let object: Map<_, _> = items
        .map(|(word, value)| (word.to_owned(), value))
        .collect();
    object.into()
}

fn profile(items: &Items, names: &Names) -> Value {
    let attributes = items.attributes.iter().map(|item| {
        let mut fields = match &item.value {
            None => typed("null", Value::Null),
            Some(Attribute::Bool(truth)) => typed("boolean", *truth),
            Some(Attribute::Int(number)) => typed("integer", *number),
            Some(Attribute::Decimal(number)) => typed("decimal", number.to_string()),
            Some(Attribute::Text(text)) => typed("text", &**text),
        };
        fields.insert("time".to_owned(), format_rfc3339(item.time).into());
        (item.name, fields.into())
    });
    let flags = |items: &List<Dated<bool>>| {
        let dated = |item: &Dated<bool>| {
            let time = format_rfc3339(item.time);
            (item.name, json!({ "value": item.value, "time": time }))
        };
        sorted(items.iter().map(dated), names)
    };
    let slot = |slot: Option<(Millis, Name)>| {
        slot.map(|(time, name)| json!({ "value": names.text(name), "time": format_rfc3339(time) }))
    };
    json!({
        "attributes": sorted(attributes, names),
        "segments": flags(&items.segments),
        "consents": flags(&items.consents),
        "reachable": flags(&items.reachable),
        "time_zone": slot(items.time_zone),
        "locale": slot(items.locale),
    })
}

fn contact(contact: &Contact, names: &Names) -> Value {
    let word = |name: Option<Name>| name.map(|name| names.text(name));
    json!({
        "id": contact.id.to_string(),
        "entry": contact.entry.to_string(),
        "rule": names.text(contact.rule),
        "at": format_rfc3339(contact.at),
        "time": format_rfc3339(contact.time),
        "variant": names.text(contact.variant),
        "channel": names.text(contact.channel),
        "step": contact.step,
        "code": contact.code.map(|code| names.text(code)),
        "value": contact.value.map(|value| value.to_string()),
        "cost": contact.cost.map(|cost| cost.to_string()),
        "delivery": contact.delivery.word(),
        "scene": word(contact.scene),
        "household": word(contact.household),
        "fallback_of": contact.fallback_of.map(|id| id.to_string()),
        "channels_left": contact.channels_left.iter().map(|c| names.text(*c)).collect::<Vec<_>>(),
        "kept": contact.kept.as_ref().map(|kept| kept_body(kept)),
        "converted": contact.converted,
        "outcomes": contact.outcomes.words().collect::<Vec<_>>(),
    })
}

fn kept_body(kept: &KeptBody) -> Value {
    let fields = serde_json::from_str(&kept.fields).unwrap_or_else(|_| Value::from(&*kept.fields));
    let expires_at = kept.expires_at.map(format_rfc3339);
    json!({ "kind": kept.kind, "body": fields, "expires_at": expires_at })
}

fn waiting(pending: &Pending, names: &Names) -> Value {
    let trigger = &pending.trigger;
    // Numbers keep their digits; what cannot be read is shown as it is.
    let data = serde_json::from_str(&trigger.data).unwrap_or_else(|_| Value::from(&*trigger.data));
    json!({
        "entry": pending.entry.to_string(),
        "rule": names.text(pending.rule),
        "due": format_rfc3339(pending.due),
        "step": pending.step,
        "wait": pending.wait.word(),
        "entered": format_rfc3339(pending.entered),
        "trigger": {
            "id": trigger.id,
            "source": trigger.source,
            "type": trigger.kind,
            "time": format_rfc3339(trigger.time),
            "sequence": trigger.sequence,
            "traceparent": trigger.traceparent,
            "data": data,
        },
    })
}
