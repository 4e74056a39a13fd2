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

/// Where the templates leave room.
pub(super) fn fill(template: &str, name: &str, on: &str, schema: &Schema) -> String {
    let short = name.rsplit('/').next().unwrap_or(name);
    let code = short.to_uppercase();
    let declared = schema.event_type(on);
    let sample = declared
        .map(|declared| Sample::of(declared))
        .unwrap_or_default();
    let text = [
        ("zh-CN", "在此写给客户的话。"),
        ("en", "What you want to tell the customer."),
    ];
    let text = text.map(|(locale, words)| format!("            \"{locale}\": `{words}`,"));
    template
        .replace("@NAME@", short)
        .replace("@TYPE@", on)
        .replace("@CODE@", &code)
        .replace("@WHEN@", &sample.when(on))
        .replace("@DATA@", &sample.data)
        .replace("@SILENCE@\n", &sample.silence(on))
        .replace("@TEXT@", &text.join("\n"))
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
    fn of(declared: &EventType) -> Self {
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
            .map(|field| format!("{} = {}", field.name, value(field)));
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
        let text = fields.iter().find(|field| field.kind == FieldKind::Text);
        if let (true, Some(Field { name, .. })) = (sample.conditions.is_empty(), text) {
            sample.conditions.push((
                format!("event.{name} == \"A\""),
                format!("another {name}: nothing"),
                format!("{name} = \"B\""),
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

fn value(field: &Field) -> String {
    match &field.kind {
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
            let fields = fields.map(|field| format!("{} = {}", field.name, value(field)));
            format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        FieldKind::Open => "{}".to_owned(),
    }
}
