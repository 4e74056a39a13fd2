//! What a rule may ask of a customer.

use super::asked::{Asked, Recorder};
use super::catalogue::{self, CUSTOMER_PROPERTIES, EVENT_PROPERTIES};
use super::diagnostic::did_you_mean;
use super::moment::Standing;
use super::probes::shown;
use super::record::{Fields, Record, decimal, error, text};
use crate::clock::Millis;
use crate::event::{Field, FieldKind, Schema};
use crate::state::{
    Attribute, Customer, Customers, EntryPhase, EntryRef, Filter, FilterField, FilterValue,
    KeptValue, Name, Question, View, Window,
};
use rhai::{Dynamic, Engine, EvalAltResult, Map};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) type Answer<T> = Result<T, Box<EvalAltResult>>;

/// A customer as of one event.
#[derive(Clone)]
pub(super) struct CustomerView(Arc<Inner>);

struct Inner {
    id: Box<str>,
    customer: Arc<Customer>,
    customers: Arc<Customers>,
    schema: Arc<Schema>,
    time: Millis,
    index: usize,
    trimmed: Arc<AtomicBool>,
    recorder: Option<Recorder>,
}

impl CustomerView {
    pub(super) fn new(
        standing: Standing<'_>,
        schema: Arc<Schema>,
        trimmed: Arc<AtomicBool>,
        recorder: Option<Recorder>,
    ) -> Self {
        Self(Arc::new(Inner {
            id: standing.id.as_str().into(),
            customer: standing.customer.clone(),
            customers: standing.customers.clone(),
            schema,
            time: standing.time,
            index: standing.index,
            trimmed,
            recorder,
        }))
    }

    /// Writes down what is asked, if somebody wants to know.
    pub(super) fn note(&self, call: impl FnOnce() -> String, question: impl FnOnce() -> Question) {
        if let Some(recorder) = &self.0.recorder {
            let (call, question) = (call(), question());
            recorder.note(Asked { call, question });
        }
    }

    pub(super) fn view(&self) -> View<'_> {
        View {
            customer: &self.0.customer,
            names: self.0.customers.names(),
            time: self.0.time,
            index: self.0.index,
        }
    }

    fn find(&self, word: &str) -> Option<Name> {
        self.0.customers.names().find(word)
    }

    fn word(&self, name: Name) -> Dynamic {
        text(self.0.customers.names().text(name))
    }

    pub(super) fn window(&self, length: &str) -> Answer<Window> {
        let window = Window::parse(length).ok_or_else(|| {
            error(format!(
                "\"{length}\" is not a window: write a whole number and s, m, h or d, such as \"30d\""
            ))
        })?;
        if self.view().is_trimmed(window) {
            self.0.trimmed.store(true, Ordering::Relaxed);
        }
        Ok(window)
    }

    /// A property: something every customer has, or a declared profile attribute.
    fn property(&self, name: &str) -> Answer<Dynamic> {
        let customer = &self.0.customer;
        let word = |name: Option<Name>| name.map_or(Dynamic::UNIT, |name| self.word(name));
        Ok(match name {
            "balance" => Dynamic::from_decimal(customer.balance().to_decimal()),
            "id" => text(&self.0.id),
            "locale" => word(customer.profile.locale()),
            "time_zone" => word(customer.profile.time_zone()),
            _ if self.0.schema.attribute(name).is_some() => {
                match self.find(name).and_then(|n| customer.profile.attribute(n)) {
                    None => Dynamic::UNIT,
                    Some(Attribute::Bool(b)) => (*b).into(),
                    Some(Attribute::Int(n)) => (*n).into(),
                    Some(Attribute::Decimal(d)) => Dynamic::from_decimal(*d),
                    Some(Attribute::Text(word)) => text(word),
                }
            }
            _ => return Err(self.unknown_attribute(name)),
        })
    }

    fn unknown_attribute(&self, name: &str) -> Box<EvalAltResult> {
        let known = self.0.schema.attributes().map(|(name, _)| name);
        error(
            match did_you_mean(name, known.chain(catalogue::names(CUSTOMER_PROPERTIES))) {
                Some(meant) => {
                    format!("a customer has no attribute `{name}`: did you mean `{meant}`?")
                }
                None => format!(
                    "a customer has no attribute `{name}`: declare it under [attributes] in schema.toml"
                ),
            },
        )
    }

    fn filter(&self, kind: &str, wanted: &Map) -> Answer<Filter> {
        wanted
            .iter()
            .map(|(field, value)| {
                let field = self.filter_field(kind, field)?;
                let value = if let Ok(b) = value.as_bool() {
                    FilterValue::Bool(b)
                } else if let Some(number) = decimal(value) {
                    FilterValue::Number(number)
                } else if let Ok(word) = value.as_immutable_string_ref() {
                    self.find(&word)
                        .map_or(FilterValue::Unseen, FilterValue::Text)
                } else {
                    return Err(error(format!(
                        "a filter compares with text, a number or true/false, not with a {}",
                        value.type_name()
                    )));
                };
                Ok((field, value))
            })
            .collect()
    }

    fn filter_field(&self, kind: &str, field: &str) -> Answer<FilterField> {
        let place = filter_place(&self.0.schema, kind, field)?;
        Ok(place.unwrap_or_else(|| FilterField::Kept(self.0.customers.names().intern(field))))
    }

    fn declared(&self, kind: &str) -> Answer<()> {
        if self.0.schema.event_type(kind).is_some() {
            return Ok(());
        }
        let known = self.0.schema.event_types().map(|t| &*t.name);
        Err(error(match did_you_mean(kind, known) {
            Some(meant) => format!("no event type `{kind}` is declared: did you mean `{meant}`?"),
            None => format!("no event type `{kind}` is declared: add it to schema.toml"),
        }))
    }

    pub(super) fn count(&self, kind: &str, window: &str, filter: &Map) -> Answer<i64> {
        self.declared(kind)?;
        let (text, window) = (window, self.window(window)?);
        let wanted = self.filter(kind, filter)?;
        self.note(
            || called("count", &[kind, text], filter),
            || Question::Count(kind.into(), window, wanted.clone()),
        );
        let count = self.view().count(kind, window, &wanted);
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub(super) fn last(&self, kind: &str, filter: &Map) -> Answer<Dynamic> {
        self.declared(kind)?;
        let wanted = self.filter(kind, filter)?;
        self.note(
            || called("last", &[kind], filter),
            || Question::Last(kind.into(), wanted.clone()),
        );
        let entry = self.view().last(kind, &wanted);
        Ok(entry.map_or(Dynamic::UNIT, |entry| {
            Dynamic::from(self.entry_record(kind, entry))
        }))
    }

    pub(super) fn since(&self, kind: &str, filter: &Map) -> Answer<i64> {
        self.declared(kind)?;
        let wanted = self.filter(kind, filter)?;
        self.note(
            || called("since", &[kind], filter),
            || Question::Since(kind.into(), wanted.clone()),
        );
        Ok(self.view().since(kind, &wanted))
    }

    fn entry_record(&self, kind: &str, entry: EntryRef<'_>) -> Record {
        let shape = self.0.customers.names().shape(entry.shape());
        let word = |name: Option<Name>| name.map_or(Dynamic::UNIT, |name| self.word(name));
        let mut fields = Fields::new();
        let mut put =
            |name: &str, value: Dynamic| match fields.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => *known = value,
                None => fields.push((name.into(), value)),
            };
        put("type", text(kind));
        put("time", entry.time().div_euclid(1000).into());
        put("amount", Dynamic::from_decimal(entry.amount().to_decimal()));
        put("category", word(shape.category));
        put("merchant", word(shape.merchant()));
        put("counterparty", word(shape.counterparty()));
        put("channel", word(shape.channel));
        for name in ["stage", "tender", "partner", "direction", "purpose"] {
            put(name, Dynamic::UNIT);
        }
        match shape.phase {
            EntryPhase::Checkout(stage, partner) => {
                put("stage", text(stage.word()));
                put("tender", word(shape.means));
                put("partner", partner.into());
            }
            EntryPhase::Movement(direction) => {
                put("direction", text(direction.word()));
                put("purpose", word(shape.means));
            }
            EntryPhase::AtMerchant | EntryPhase::Other => {}
        }
        for field in self
            .0
            .schema
            .event_type(kind)
            .into_iter()
            .flat_map(|t| &t.fields)
            .filter(|f| f.keep)
        {
            let known = self.find(&field.name);
            if let Some((_, value)) = entry.kept().iter().find(|(name, _)| Some(*name) == known) {
                put(
                    &field.name,
                    match value {
                        KeptValue::Bool(b) => (*b).into(),
                        KeptValue::Number(n) => Dynamic::from_decimal(*n),
                        KeptValue::Text(name) => self.word(*name),
                    },
                );
            }
        }
        Record::new("this event", fields)
    }
}

/// Which field of entries a filter of a type means; `None` for one that the type's declaration keeps.
pub(super) fn filter_place(
    schema: &Schema,
    kind: &str,
    field: &str,
) -> Answer<Option<FilterField>> {
    let fixed: &[(&str, FilterField)] = match kind {
        "merchant.checkout" => &[
            ("amount", FilterField::Amount),
            ("category", FilterField::Category),
            ("merchant", FilterField::Merchant),
            ("stage", FilterField::Stage),
            ("tender", FilterField::Tender),
            ("partner", FilterField::Partner),
        ],
        "account.movement" => &[
            ("amount", FilterField::Amount),
            ("category", FilterField::Category),
            ("counterparty", FilterField::Counterparty),
            ("channel", FilterField::Channel),
            ("direction", FilterField::Direction),
            ("purpose", FilterField::Purpose),
        ],
        _ => &[],
    };
    if let Some((_, found)) = fixed.iter().find(|(name, _)| *name == field) {
        return Ok(Some(*found));
    }
    let declared = schema.event_type(kind);
    let kept = declared
        .into_iter()
        .flat_map(|t| &t.fields)
        .filter(|f| f.keep);
    if !kept.clone().any(|f| &*f.name == field) {
        let known: Vec<&str> = fixed
            .iter()
            .map(|(name, _)| *name)
            .chain(kept.map(|f| &*f.name))
            .collect();
        return Err(error(match did_you_mean(field, known.iter().copied()) {
            Some(meant) => {
                format!("`{kind}` keeps no field `{field}` for filters: did you mean `{meant}`?")
            }
            None => format!(
                "`{kind}` keeps no field `{field}` for filters (it keeps: {}): declare it with `keep = true` in schema.toml",
                known.join(", ")
            ),
        }));
    }
    Ok(match field {
        "amount" => Some(FilterField::Amount),
        "category" => Some(FilterField::Category),
        "merchant" => Some(FilterField::Merchant),
        "counterparty" => Some(FilterField::Counterparty),
        "channel" => Some(FilterField::Channel),
        _ => None,
    })
}

/// A call as a rule writes it.
pub(super) fn called(name: &str, words: &[&str], filter: &Map) -> String {
    let mut arguments: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    if !filter.is_empty() {
        let members = filter.iter();
        let members: Vec<String> = members
            .map(|(name, value)| format!("{name}: {}", shown(value)))
            .collect();
        arguments.push(format!("#{{ {} }}", members.join(", ")));
    }
    format!("{name}({})", arguments.join(", "))
}

/// Registers everything of this module.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Record>("object");
    engine.register_indexer_get(|record: &mut Record, name: &str| record.get(name));
    engine.register_type_with_name::<CustomerView>("customer");
    engine.register_indexer_get(|view: &mut CustomerView, name: &str| view.property(name));
    register_profile(engine);
    super::windows::register(engine);
    super::numbers::register(engine);
}

/// What some events have beside the envelope and the fields that are declared.
const MORE_PROPERTIES: [&str; 2] = ["original_amount", "date"];

/// Registers a getter for each property that is known. Rhai finds those by their hash; for any other
/// name it first fails, with a message, and only then asks the indexer, which took longer than the
/// rest of a condition.
pub(super) fn register_properties(engine: &mut Engine, schema: &Schema) {
    let mut names: BTreeSet<&str> = catalogue::names(EVENT_PROPERTIES).collect();
    names.extend(MORE_PROPERTIES);
    for declared in schema.event_types() {
        add_names(&declared.fields, &mut names);
    }
    for name in names {
        let own: Box<str> = name.into();
        engine.register_get(name, move |record: &mut Record| record.get(&own));
    }
    let attributes = schema.attributes().map(|(name, _)| name);
    let names: BTreeSet<&str> = attributes
        .chain(catalogue::names(CUSTOMER_PROPERTIES))
        .collect();
    for name in names {
        let own: Box<str> = name.into();
        engine.register_get(name, move |view: &mut CustomerView| view.property(&own));
    }
}

fn add_names<'a>(fields: &'a [Field], names: &mut BTreeSet<&'a str>) {
    for field in fields {
        names.insert(&field.name);
        if let FieldKind::Record(inner) = &field.kind {
            add_names(inner, names);
        }
    }
}

fn register_profile(engine: &mut Engine) {
    engine
        .register_fn("in_segment", |v: &mut CustomerView, segment: &str| {
            v.find(segment)
                .is_some_and(|name| v.0.customer.profile.in_segment(name))
        })
        .register_fn("consents", |v: &mut CustomerView, channel: &str| {
            v.find(channel)
                .and_then(|name| v.0.customer.profile.consents(name))
                .unwrap_or(false)
        })
        .register_fn(
            "offers",
            |v: &mut CustomerView, rule: &str, w: &str| -> Answer<i64> {
                let window = v.window(w)?;
                let name = v.find(rule);
                v.note(
                    || called("offers", &[rule, w], &Map::new()),
                    || Question::Offers(name, window),
                );
                let count = name.map_or(0, |rule| {
                    let contacts = &v.0.customer.contacts;
                    contacts.offers(rule, v.0.time, window.millis())
                });
                Ok(i64::try_from(count).unwrap_or(i64::MAX))
            },
        )
        .register_fn("accepted", |v: &mut CustomerView, code: &str| {
            let name = v.find(code);
            v.note(
                || called("accepted", &[code], &Map::new()),
                || Question::Accepted(name),
            );
            name.is_some_and(|code| v.0.customer.contacts.accepted(code))
        });
}
