//! What stands in a new rule and its tests: samples by the declared fields of its event type.

use crate::event::{EventType, Field, FieldKind, Schema};

/// A `schema.toml` to begin with.
pub(super) const SCHEMA: &str = "\
# What rules may ask about, beside what the engine knows of itself.

[attributes]                    # of customers: text, number, boolean, date
tier = \"text\"
age = \"number\"

[events.\"app.login\"]            # event types of your own, with the fields of their data
device = { type = \"text\", keep = true }

[events.\"broadcast.goal\"]       # without a customer, to everybody whom a rule picks
team = \"text\"
";

/// An event type in `schema.toml`, with a field to be replaced by its own.
pub(super) fn declaration(on: &str) -> String {
    format!(
        "\n[events.\"{on}\"]\nname = {{ type = \"text\", keep = true }}   # its fields, by name\n"
    )
}

/// Where the templates leave room.
pub(super) fn fill(template: &str, name: &str, on: &str, schema: &Schema) -> String {
    let short = name.rsplit('/').next().unwrap_or(name);
    let code = short.to_uppercase();
    let declared = schema.event_type(on);
    let sample = declared.map(|declared| Sample::of(declared, schema));
    let sample = sample.unwrap_or_default();
    let channels = channels(schema);
    let quoted: Vec<String> = channels
        .iter()
        .map(|channel| format!("\"{channel}\""))
        .collect();
    let segment = schema.words("segment").and_then(<[_]>::first);
    template
        .replace("@NAME@", short)
        .replace("@TYPE@", on)
        .replace("@CODE@", &code)
        .replace("@CHANNELS@", &quoted.join(", "))
        .replace("@CHANNEL@", &channels[0])
        .replace("@SEGMENT@", segment.map_or("football", |word| word))
        .replace("@WHEN@", &sample.when(on))
        .replace("@DATA@", &sample.data)
        .replace("@SILENCE@\n", &sample.silence(on))
        .replace("@TEXT@", &texts(schema))
        .replace("@NEEDS@", &needs(schema, &channels))
}

/// Two channels that may be used, the common ones before others.
fn channels(schema: &Schema) -> Vec<String> {
    let common = || ["push", "sms"].map(str::to_owned).to_vec();
    let Some(declared) = schema.channels() else {
        return common();
    };
    let mut channels = common();
    channels.retain(|channel| declared.contains_key(&**channel));
    let others = declared.keys().map(ToString::to_string);
    let others: Vec<String> = others.filter(|other| !channels.contains(other)).collect();
    channels.extend(others);
    channels.truncate(2);
    if channels.is_empty() {
        common()
    } else {
        channels
    }
}

/// The text of an action in each locale that it must have.
fn texts(schema: &Schema) -> String {
    let mut locales: Vec<&str> = schema.required_locales().iter().map(|l| &**l).collect();
    if locales.is_empty() {
        locales = vec!["zh-CN", "en"];
    }
    let text = locales.into_iter().map(|locale| {
        let words = if locale.starts_with("zh") {
            "在此写给客户的话。"
        } else {
            "What you want to tell the customer."
        };
        format!("            \"{locale}\": `{words}`,")
    });
    text.collect::<Vec<_>>().join("\n")
}

/// What else the channels need of an action.
fn needs(schema: &Schema, channels: &[String]) -> String {
    const THERE: [&str; 6] = ["kind", "code", "value", "cost", "expires", "text"];
    let declared = schema.channels();
    let needed = channels
        .iter()
        .filter_map(|channel| declared?.get(&**channel))
        .flatten()
        .filter(|key| !THERE.contains(&&***key));
    let needed: std::collections::BTreeSet<&str> = needed.map(|key| &**key).collect();
    needed
        .into_iter()
        .map(|key| format!("        {key}: \"…\",\n"))
        .collect()
}

/// An event that fits, and one that does not.
#[derive(Debug, Default)]
struct Sample {
    /// The data of one that fits.
    data: String,
    /// Conditions, each with a name for its test and the data that breaks it.
    conditions: Vec<(String, String, String)>,
}

impl Sample {
    fn of(declared: &EventType, schema: &Schema) -> Self {
        let mut sample = Self::default();
        let fields = declared
            .fields
            .iter()
            .filter(|field| field.required || is_telling(field));
        let fields: Vec<&Field> = fields
            .filter(|field| &*field.name != "original_amount")
            .collect();
        let data = fields
            .iter()
            .map(|field| format!("{} = {}", field.name, value(field, schema)));
        sample.data = data.collect::<Vec<_>>().join(", ");
        let word = fields
            .iter()
            .find(|field| matches!(field.kind, FieldKind::Word(_)));
        if let Some((Field { name, .. }, FieldKind::Word(words))) = word.map(|f| (*f, &f.kind)) {
            sample.conditions.push((
                format!("event.{name} == \"{}\"", words[0]),
                format!("another {name}: nothing"),
                format!("{name} = \"{}\"", words[1]),
            ));
        }
        let number = fields.iter().find(|field| {
            matches!(
                field.kind,
                FieldKind::Money | FieldKind::Number | FieldKind::SignedMoney
            )
        });
        if let Some(Field { name, .. }) = number {
            sample.conditions.push((
                format!("event.{name} >= 100"),
                "too little: nothing".to_owned(),
                format!(
                    "{name} = {}",
                    if is_money(number.copied()) {
                        "\"99\""
                    } else {
                        "99"
                    }
                ),
            ));
        }
        // Another text than the sample's, which must be a known word where words are known.
        let other = |field: &Field| match schema.words_of(field) {
            Some(words) => words.get(1).map(ToString::to_string),
            None => Some("B".to_owned()),
        };
        let mut texts = fields
            .iter()
            .filter(|field| field.kind == FieldKind::Text)
            .filter_map(|field| Some((field, other(field)?)));
        if let (true, Some((field, other))) = (sample.conditions.is_empty(), texts.next()) {
            let name = &field.name;
            sample.conditions.push((
                format!("event.{name} == {}", value(field, schema)),
                format!("another {name}: nothing"),
                format!("{name} = \"{other}\""),
            ));
        }
        sample
    }

    fn when(&self, on: &str) -> String {
        if self.conditions.is_empty() {
            return format!("customer.count(\"{on}\", \"1h\") <= 2");
        }
        let conditions = self
            .conditions
            .iter()
            .map(|(condition, _, _)| condition.as_str());
        conditions.collect::<Vec<_>>().join("\n        && ")
    }

    /// The tests of silence.
    fn silence(&self, on: &str) -> String {
        use std::fmt::Write as _;
        let mut tests = String::new();
        for (_, name, change) in &self.conditions {
            let _ = write!(
                tests,
                "\n[[test]]\nname = \"{name}\"\nevent = {{ use = \"trigger\", data = {{ {change} }} }}\nexpect = \"condition\"\n"
            );
        }
        if self.conditions.is_empty() {
            let _ = write!(
                tests,
                "\n[[test]]\nname = \"the third {on} within the hour: nothing\"\nhistory = [ {{ ago = \"59m\", use = \"trigger\" }}, {{ ago = \"2m\", use = \"trigger\" }} ]\nevent = \"trigger\"\nexpect = \"condition\"\n"
            );
        }
        tests
    }
}

/// Whether a field is worth a line in an example.
fn is_telling(field: &Field) -> bool {
    field.keep
        || matches!(
            field.kind,
            FieldKind::Money | FieldKind::Number | FieldKind::Text
        ) && ["amount", "tender"].contains(&&*field.name)
}

fn is_money(field: Option<&Field>) -> bool {
    field.is_some_and(|field| matches!(field.kind, FieldKind::Money | FieldKind::SignedMoney))
}

fn value(field: &Field, schema: &Schema) -> String {
    let known = schema.words_of(field).and_then(<[_]>::first);
    match &field.kind {
        FieldKind::Text if known.is_some() => format!("\"{}\"", known.map_or("A", |word| word)),
        FieldKind::Word(words) => format!("\"{}\"", words[0]),
        FieldKind::Text if &*field.name == "currency" => "\"CNY\"".to_owned(),
        FieldKind::Text if &*field.name == "tender" => "\"other_bank\"".to_owned(),
        FieldKind::Text => "\"A\"".to_owned(),
        FieldKind::Number => "100".to_owned(),
        FieldKind::Money | FieldKind::SignedMoney => "\"100\"".to_owned(),
        FieldKind::Boolean => "true".to_owned(),
        FieldKind::Time => "\"2026-12-01T00:00:00+08:00\"".to_owned(),
        FieldKind::List => "[]".to_owned(),
        FieldKind::Record(fields) => {
            let fields = fields.iter().filter(|field| field.required);
            let fields = fields.map(|field| format!("{} = {}", field.name, value(field, schema)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        FieldKind::Open => "{}".to_owned(),
    }
}
