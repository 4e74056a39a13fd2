//! Reading tables with every fault at once, each with its place and how to mend it.

use super::policy::Surroundings;
use crate::event::FieldKind;
use rust_decimal::Decimal;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value with its place.
type Item<'a> = Spanned<DeValue<'a>>;

/// What is wrong with a `policy.toml` or a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PolicyError {
    /// What.
    pub message: String,
    /// How to mend it.
    pub hint: String,
    /// Where in the file, in bytes.
    pub span: Range<usize>,
}

/// What a policy speaks of that other files know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A channel.
    Channel,
    /// A scene.
    Scene,
    /// A rule.
    Rule,
    /// What a rule is for.
    Purpose,
}

/// Where a policy speaks of what other files know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// What kind of thing.
    pub subject: Subject,
    /// Its name.
    pub name: Box<str>,
    /// Where in the file, in bytes.
    pub span: Range<usize>,
}

/// What was read of a file so far.
pub(super) struct Reader<'a> {
    pub(super) surroundings: Surroundings<'a>,
    faults: Vec<PolicyError>,
    mentions: Vec<Mention>,
}

/// One table.
#[derive(Clone, Copy)]
pub(super) struct Section<'t> {
    /// As it is written: `[[cap]]`.
    name: &'static str,
    table: &'t DeTable<'t>,
    start: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(surroundings: Surroundings<'a>) -> Self {
        Self {
            surroundings,
            faults: Vec::new(),
            mentions: Vec::new(),
        }
    }

    pub(super) fn fault(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.faults.push(PolicyError {
            message: message.into(),
            hint: hint.into(),
            span,
        });
    }

    pub(super) fn mention(&mut self, subject: Subject, name: &str, span: Range<usize>) {
        self.mentions.push(Mention {
            subject,
            name: name.into(),
            span,
        });
    }

    pub(super) fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// All of them, in the order of the file.
    pub(super) fn mentions(mut self) -> Vec<Mention> {
        self.mentions.sort_by_key(|mention| mention.span.start);
        self.mentions
    }

    /// All of them, in the order of the file.
    pub(super) fn faults(mut self) -> Vec<PolicyError> {
        self.faults.sort_by_key(|fault| fault.span.start);
        self.faults
    }

    /// Refuses what a table does not have.
    pub(super) fn known(&mut self, table: &DeTable<'_>, what: &str, each: &str, known: &[&str]) {
        for (name, _) in table {
            let word = name.get_ref();
            if !known.contains(&&**word) {
                let hint = meant(word, known)
                    .unwrap_or_else(|| format!("{what} has: {}", known.join(", ")));
                self.fault(name.span(), format!("{what} has no {each} `{word}`"), hint);
            }
        }
    }

    /// Refuses an attribute that is not declared as what is needed of it.
    pub(super) fn attribute(&mut self, name: &str, span: Range<usize>, kind: FieldKind) {
        let schema = self.surroundings.schema;
        let (word, needed) = match kind {
            FieldKind::Boolean => ("\"boolean\"", "true or false"),
            _ => ("\"text\"", "a text"),
        };
        match schema.attribute(name) {
            Some(known) if *known == kind => {}
            Some(_) => self.fault(
                span,
                format!("the attribute `{name}` is not {needed}"),
                format!("declare it in schema.toml as `{name} = {word}`"),
            ),
            None => {
                let names: Vec<&str> = schema.attributes().map(|(name, _)| name).collect();
                let hint = meant(name, &names).unwrap_or_else(|| {
                    format!("declare it under [attributes] in schema.toml: `{name} = {word}`")
                });
                self.fault(span, format!("no attribute `{name}` is declared"), hint);
            }
        }
    }

    /// The table of a name, that stands there once at most.
    pub(super) fn section<'t>(
        &mut self,
        root: &'t DeTable<'t>,
        (key, name): (&str, &'static str),
    ) -> Option<Section<'t>> {
        let item = root.get(key)?;
        match item.get_ref() {
            DeValue::Table(table) => Some(Section::of(name, table, item)),
            _ => {
                self.fault(
                    item.span(),
                    format!("`{key}` is a table"),
                    format!("write {name} on a line of its own, and its keys below"),
                );
                None
            }
        }
    }

    /// The tables of a name, of which there may be several.
    pub(super) fn sections<'t>(
        &mut self,
        root: &'t DeTable<'t>,
        (key, name): (&str, &'static str),
        may_be_single: bool,
    ) -> Vec<Section<'t>> {
        let Some(item) = root.get(key) else {
            return Vec::new();
        };
        let several: &[Item<'t>] = match item.get_ref() {
            DeValue::Array(items) => items,
            DeValue::Table(table) if may_be_single => return vec![Section::of(name, table, item)],
            _ => &[],
        };
        let tables = several.iter().filter_map(|item| {
            let table = item.get_ref().as_table()?;
            Some(Section::of(name, table, item))
        });
        let tables: Vec<Section<'t>> = tables.collect();
        if tables.is_empty() || tables.len() < several.len() {
            self.fault(
                item.span(),
                format!("`{key}` is a list of tables"),
                format!("write {name}, in two pairs of brackets, once for each"),
            );
        }
        tables
    }

    /// Where a key stands in the first of the tables of a name that has it.
    pub(super) fn place_of(
        &self,
        root: &DeTable<'_>,
        table: &str,
        key: &str,
    ) -> Option<Range<usize>> {
        let tables = root.get(table)?.get_ref().as_array()?;
        let mut places = tables.iter().filter_map(|item| {
            let table = item.get_ref().as_table()?;
            let (name, _) = table.get_key_value(key)?;
            Some(name.span())
        });
        places.next()
    }
}

impl<'t> Section<'t> {
    fn of(name: &'static str, table: &'t DeTable<'t>, item: &Item<'_>) -> Self {
        Self {
            name,
            table,
            start: item.span().start,
        }
    }

    /// Where it begins.
    pub(super) fn place(&self) -> Range<usize> {
        self.start..self.start + self.name.len()
    }

    /// Refuses keys that it does not have.
    pub(super) fn known(&self, reader: &mut Reader<'_>, known: &[&str]) {
        reader.known(self.table, self.name, "key", known);
    }

    /// Where the value of a key stands.
    pub(super) fn span(&self, key: &str) -> Option<Range<usize>> {
        self.table.get(key).map(Spanned::span)
    }

    pub(super) fn missing(&self, reader: &mut Reader<'_>, key: &str, example: &str) {
        if self.table.get(key).is_none() {
            let message = format!("{} lacks `{key}`", self.name);
            reader.fault(self.place(), message, format!("add `{key} = {example}`"));
        }
    }

    fn wrong(reader: &mut Reader<'_>, key: &str, item: &Item<'_>, wanted: &str) {
        reader.fault(
            item.span(),
            format!("`{key}` must be {wanted}"),
            format!("write {wanted}"),
        );
    }

    pub(super) fn text(
        &self,
        reader: &mut Reader<'_>,
        key: &str,
    ) -> Option<(&'t str, Range<usize>)> {
        let item = self.table.get(key)?;
        match item.get_ref() {
            DeValue::String(text) => Some((text, item.span())),
            _ => {
                Self::wrong(reader, key, item, "text in double quotes");
                None
            }
        }
    }

    /// A text that is something: what it is, or the fault that it is not, with what it should be.
    pub(super) fn parsed<T>(
        &self,
        reader: &mut Reader<'_>,
        key: &str,
        wanted: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let (text, span) = self.text(reader, key)?;
        let parsed = parse(text);
        if parsed.is_none() {
            let message = format!("`{key} = \"{text}\"` is not {wanted}");
            reader.fault(span, message, format!("write {wanted}"));
        }
        parsed
    }

    pub(super) fn boolean(&self, reader: &mut Reader<'_>, key: &str) -> bool {
        let Some(item) = self.table.get(key) else {
            return false;
        };
        match item.get_ref() {
            DeValue::Boolean(flag) => *flag,
            _ => {
                Self::wrong(reader, key, item, "`true` or `false`");
                false
            }
        }
    }

    /// A number that is something, with at most four decimals.
    pub(super) fn number<T>(
        &self,
        reader: &mut Reader<'_>,
        key: &str,
        parse: impl FnOnce(Decimal) -> Option<T>,
    ) -> Option<T> {
        let item = self.table.get(key)?;
        let number: Option<Decimal> = match item.get_ref() {
            DeValue::Integer(number) => number.to_string().parse().ok(),
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => None,
        };
        let parsed = number.and_then(parse);
        if parsed.is_none() {
            let wanted =
                "a number from 0 up to, but not, 100 with at most four decimals, such as 5 or 2.5";
            Self::wrong(reader, key, item, wanted);
        }
        parsed
    }

    /// A whole number from 1.
    pub(super) fn count(&self, reader: &mut Reader<'_>, key: &str) -> Option<u32> {
        let item = self.table.get(key)?;
        let number = match item.get_ref() {
            DeValue::Integer(number) => number.to_string().parse().ok(),
            _ => None,
        };
        let count = number.filter(|count| *count > 0);
        if count.is_none() {
            Self::wrong(reader, key, item, "a whole number from 1");
        }
        count
    }

    /// A list of texts with their places.
    pub(super) fn texts(
        &self,
        reader: &mut Reader<'_>,
        key: &str,
    ) -> Vec<(Box<str>, Range<usize>)> {
        let Some(item) = self.table.get(key) else {
            return Vec::new();
        };
        let wanted = "a list of texts such as `[\"…\"]`";
        let DeValue::Array(items) = item.get_ref() else {
            Self::wrong(reader, key, item, wanted);
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match item.get_ref().as_str() {
                Some(text) => texts.push((text.into(), item.span())),
                None => Self::wrong(reader, key, item, wanted),
            }
        }
        texts
    }

    /// Its members that are texts, each a name with a word; others are faults.
    pub(super) fn words(&self, reader: &mut Reader<'_>, key: &str) -> Vec<(Box<str>, Section<'t>)> {
        let Some(item) = self.table.get(key) else {
            return Vec::new();
        };
        let DeValue::Table(table) = item.get_ref() else {
            Self::wrong(
                reader,
                key,
                item,
                "a table such as `{ credit = \"refuse\" }`",
            );
            return Vec::new();
        };
        let inner = Section::of(self.name, table, item);
        (table.iter())
            .map(|(name, _)| (Box::from(&**name.get_ref()), inner))
            .collect()
    }

    /// Channels, each a word, which are mentioned.
    pub(super) fn channels(&self, reader: &mut Reader<'_>, key: &str) -> Vec<Box<str>> {
        let channels = self.texts(reader, key);
        for (channel, span) in &channels {
            reader.mention(Subject::Channel, channel, span.clone());
        }
        channels.into_iter().map(|(channel, _)| channel).collect()
    }
}

/// What was probably meant.
pub(super) fn meant(word: &str, known: &[&str]) -> Option<String> {
    let near = (known.iter())
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .min()?;
    (near.0 <= 1 + near.1.len() / 4).then(|| format!("did you mean `{}`?", near.1))
}
