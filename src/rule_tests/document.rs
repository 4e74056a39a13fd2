//! TOML with places: every key and every value knows where it stands, and numbers stay as they were
//! written, so that 12.85 is 12.85.

use crate::rules::{Diagnostic, Source, did_you_mean};
use rust_decimal::Decimal;
use std::collections::BTreeSet;
use std::ops::Range;
use std::str::FromStr as _;
use toml::de::{DeTable, DeValue};

/// Where something stands in its file, in bytes.
pub(super) type Span = Range<usize>;

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) span: Span,
    pub(super) content: Content,
}

/// What TOML can say, as far as a test needs it.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Text(String),
    Number(Decimal),
    Bool(bool),
    List(Vec<Item>),
    Table(Table),
}

/// A table in the order in which it was written.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) members: Vec<Member>,
}

/// One key of a table with its value.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) key_span: Span,
    pub(super) item: Item,
}

impl Item {
    /// What kind of value it is, in a user's words.
    pub(super) fn kind(&self) -> &'static str {
        match &self.content {
            Content::Text(_) => "text",
            Content::Number(_) => "a number",
            Content::Bool(_) => "true or false",
            Content::List(_) => "a list",
            Content::Table(_) => "a table",
        }
    }

    pub(super) fn json(&self) -> serde_json::Value {
        match &self.content {
            Content::Text(text) => text.as_str().into(),
            Content::Number(number) => serde_json::Number::from_str(&number.to_string())
                .map_or(serde_json::Value::Null, serde_json::Value::Number),
            Content::Bool(b) => (*b).into(),
            Content::List(items) => items.iter().map(Item::json).collect(),
            Content::Table(table) => table.json(),
        }
    }
}

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Item> {
        let found = self.members.iter().find(|member| member.key == key);
        found.map(|member| &member.item)
    }

    /// Lays another table over this one: tables are merged, everything else is replaced.
    pub(super) fn merge(&mut self, over: &Self) {
        for member in &over.members {
            let known = self.members.iter_mut().find(|m| m.key == member.key);
            match (known, &member.item.content) {
                (Some(known), Content::Table(over)) => match &mut known.item.content {
                    Content::Table(under) => {
                        under.merge(over);
                        known.item.span = member.item.span.clone();
                    }
                    _ => *known = member.clone(),
                },
                (Some(known), _) => *known = member.clone(),
                (None, _) => self.members.push(member.clone()),
            }
        }
    }

    /// Takes a key out. Returns whether it was there.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        let before = self.members.len();
        self.members.retain(|member| member.key != key);
        self.members.len() < before
    }

    pub(super) fn json(&self) -> serde_json::Value {
        let members = self.members.iter();
        let members = members.map(|member| (member.key.clone(), member.item.json()));
        serde_json::Value::Object(members.collect())
    }
}

/// What is wrong with one file, collected while it is read.
pub(super) struct Faults<'a> {
    source: &'a Source,
    found: Vec<Diagnostic>,
}

impl<'a> Faults<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self {
            source,
            found: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, span: &Span, message: impl Into<String>, hint: impl Into<String>) {
        let fault = Diagnostic::whole(&self.source.path, &self.source.text, message);
        let fault = fault.over(span.clone()).code("rule-test");
        self.found.push(fault.hint(hint));
    }

    /// All of them in the order of the file. What several tests share is told once.
    pub(super) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        let mut told = BTreeSet::new();
        self.found
            .retain(|fault| told.insert((fault.line, fault.column, fault.message.clone())));
        self.found.sort_by_key(|fault| (fault.line, fault.column));
        self.found
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many there are so far.
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// Refuses keys that a table does not have.
    pub(super) fn unknown_keys(&mut self, table: &Table, what: &str, known: &[&str]) {
        for member in &table.members {
            if !known.contains(&&*member.key) {
                let hint = did_you_mean(&member.key, known.iter().copied()).map_or_else(
                    || format!("{what} has these keys: {}", known.join(", ")),
                    |meant| format!("did you mean `{meant}`?"),
                );
                self.add(
                    &member.key_span,
                    format!("{what} has no key `{}`", member.key),
                    hint,
                );
            }
        }
    }

    fn wrong_kind(&mut self, key: &str, item: &Item, wanted: &str) {
        self.add(
            &item.span,
            format!("`{key}` must be {wanted}, not {}", item.kind()),
            format!("write {wanted}"),
        );
    }

    pub(super) fn text<'t>(&mut self, table: &'t Table, key: &str) -> Option<(&'t str, Span)> {
        let item = table.get(key)?;
        match &item.content {
            Content::Text(text) => Some((text, item.span.clone())),
            _ => {
                self.wrong_kind(key, item, "text in double quotes");
                None
            }
        }
    }

    pub(super) fn boolean(&mut self, table: &Table, key: &str) -> Option<(bool, Span)> {
        let item = table.get(key)?;
        match &item.content {
            Content::Bool(b) => Some((*b, item.span.clone())),
            _ => {
                self.wrong_kind(key, item, "`true` or `false`");
                None
            }
        }
    }

    pub(super) fn table<'t>(&mut self, table: &'t Table, key: &str) -> Option<&'t Table> {
        let item = table.get(key)?;
        match &item.content {
            Content::Table(inner) => Some(inner),
            _ => {
                self.wrong_kind(key, item, "a table such as `{ … }`");
                None
            }
        }
    }

    pub(super) fn list<'t>(&mut self, table: &'t Table, key: &str) -> &'t [Item] {
        match table.get(key) {
            None => &[],
            Some(item) => match &item.content {
                Content::List(items) => items,
                // One pair of brackets begins a table, two begin one more of a list.
                Content::Table(_) if key == "test" || key == "then" => {
                    let name = if key == "test" { "test" } else { "test.then" };
                    let message = format!("`[{name}]` stands in a single pair of brackets");
                    self.add(&item.span, message, format!("write `[[{name}]]`"));
                    &[]
                }
                _ => {
                    self.wrong_kind(key, item, "a list such as `[ … ]`");
                    &[]
                }
            },
        }
    }

    /// A text or a list of texts.
    pub(super) fn texts(&mut self, table: &Table, key: &str) -> Vec<(String, Span)> {
        let Some(item) = table.get(key) else {
            return Vec::new();
        };
        let items = match &item.content {
            Content::List(items) => &items[..],
            _ => std::slice::from_ref(item),
        };
        let mut texts = Vec::new();
        for item in items {
            match &item.content {
                Content::Text(text) => texts.push((text.clone(), item.span.clone())),
                _ => self.wrong_kind(key, item, "text, or a list of texts"),
            }
        }
        texts
    }
}

/// Reads a file as TOML. Faults of syntax are collected; what could be read is returned.
pub(super) fn parse(text: &str, faults: &mut Faults<'_>) -> Table {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let hint = "this is not TOML; texts stand in double quotes, lists in [ ], tables in { }";
        faults.add(&error.span().unwrap_or(0..0), error.message(), hint);
    }
    table_of(table.get_ref(), faults)
}

fn table_of(table: &DeTable<'_>, faults: &mut Faults<'_>) -> Table {
    let members = table.iter().map(|(key, value)| Member {
        key: key.get_ref().to_string(),
        key_span: key.span(),
        item: item_of(value.span(), value.get_ref(), faults),
    });
    let mut members: Vec<Member> = members.collect();
    members.sort_by_key(|member| member.key_span.start);
    Table { members }
}

fn item_of(span: Span, value: &DeValue<'_>, faults: &mut Faults<'_>) -> Item {
    let content = match value {
        DeValue::String(text) => Content::Text(text.to_string()),
        DeValue::Integer(number) => number_of(&number.to_string(), &span, faults),
        DeValue::Float(number) => number_of(number.as_str(), &span, faults),
        DeValue::Boolean(b) => Content::Bool(*b),
        DeValue::Datetime(time) => Content::Text(time.to_string()),
        DeValue::Array(items) => Content::List(
            items
                .iter()
                .map(|item| item_of(item.span(), item.get_ref(), faults))
                .collect(),
        ),
        DeValue::Table(table) => Content::Table(table_of(table, faults)),
    };
    Item { span, content }
}

fn number_of(text: &str, span: &Span, faults: &mut Faults<'_>) -> Content {
    let parsed = Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text));
    Content::Number(parsed.unwrap_or_else(|_| {
        faults.add(
            span,
            format!("{text} is not an exact number"),
            "write it with digits and a point, such as 12.85",
        );
        Decimal::ZERO
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source {
            path: "a.test.toml".into(),
            text: text.into(),
        }
    }

    #[test]
    fn numbers_stay_as_they_were_written_and_tables_merge_deeply() {
        let source = source(
            "a = { x = 12.850, y = { p = 1, q = \"q\" } }\nb = { y = { p = 2_000 } }\nz = 1\n",
        );
        let mut faults = Faults::new(&source);
        let table = parse(&source.text, &mut faults);
        let mut under = faults.table(&table, "a").unwrap().clone();
        under.merge(faults.table(&table, "b").unwrap());
        assert_eq!(
            under.json().to_string(),
            r#"{"x":12.850,"y":{"p":2000,"q":"q"}}"#
        );
        faults.unknown_keys(&table, "a test", &["a", "bbb"]);
        let found = faults.into_diagnostics();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].line, found[0].column), (Some(2), Some(1)));
        assert_eq!(found[0].hint.as_deref(), Some("did you mean `a`?"));
    }

    #[test]
    fn every_fault_of_syntax_has_its_place() {
        let source = source("a = \nb = 1\nc = [1,\n");
        let mut faults = Faults::new(&source);
        parse(&source.text, &mut faults);
        let found = faults.into_diagnostics();
        assert!(found.len() >= 2, "{found:?}");
        assert_eq!(found[0].line, Some(1));
    }
}
