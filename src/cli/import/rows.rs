//! A row of a CSV file as the CloudEvent that it stands for.

use super::columns::{Cell, Columns, Target};
use crate::clock::{Millis, format_rfc3339, parse_rfc3339};
use crate::decode::{Reason, Rejection};
use bytes::Bytes;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::sync::Arc;

/// Bytes of a row's hash that make its id.
const ID_BYTES: usize = 16;

/// Turns rows into events.
pub(super) struct Rows {
    pub(super) columns: Columns,
    pub(super) kind: Arc<str>,
    pub(super) source: String,
    /// Part of the ids, so that equal rows of two files are two events.
    pub(super) base_name: String,
    /// The time of all rows, if they have none of their own.
    pub(super) time: Option<Millis>,
    /// Of times without an offset.
    pub(super) zone: Option<TimeZone>,
}

impl Rows {
    /// Whether ids are hashes of rows.
    pub(super) fn hashes(&self) -> bool {
        !self.columns.targets.contains(&Target::Id)
    }

    /// The CloudEvent of a row, and its id.
    pub(super) fn event(&self, cells: &[&str]) -> Result<(String, Bytes), Rejection> {
        if cells.len() != self.columns.targets.len() {
            return Err(Rejection::new(
                Reason::InvalidValue,
                format!(
                    "the row has {} cells, and the header {}: put a cell that holds the delimiter in quotes",
                    cells.len(),
                    self.columns.targets.len()
                ),
            ));
        }
        let (mut customer, mut time, mut id) = (None, self.time.map(format_rfc3339), None);
        let mut data = Map::new();
        for (target, value) in &self.columns.constants {
            self.put(&mut data, "--set", target, value)?;
        }
        for ((target, name), cell) in self
            .columns
            .targets
            .iter()
            .zip(&self.columns.names)
            .zip(cells)
        {
            match target {
                Target::Nowhere => {}
                Target::Data(..) => self.put(&mut data, name, target, cell)?,
                _ if cell.is_empty() => {
                    return Err(Rejection::new(
                        Reason::MissingField,
                        format!("the column `{name}` is empty: each row needs it"),
                    ));
                }
                Target::Customer => customer = Some(*cell),
                Target::Time => time = Some(self.time(name, cell)?),
                Target::Id => id = Some((*cell).to_owned()),
            }
        }
        let id = id.unwrap_or_else(|| self.hash(cells));
        let event = serde_json::json!({
            "specversion": "1.0",
            "id": id,
            "source": self.source,
            "type": &*self.kind,
            "subject": customer,
            "time": time,
            "data": data,
        });
        Ok((id, event.to_string().into()))
    }

    /// A hash of what the row says: the same whenever it is read, wherever in the file it stands.
    fn hash(&self, cells: &[&str]) -> String {
        let mut hash = Sha256::new();
        for text in [&*self.base_name, &*self.kind].iter().chain(cells) {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        let digest = hash.finalize();
        digest[..ID_BYTES]
            .iter()
            .fold(String::new(), |mut id, byte| {
                // Writing to a String does not fail.
                let _ = write!(id, "{byte:02x}");
                id
            })
    }

    /// Puts a cell at its place in the data. An empty one is absent.
    fn put(
        &self,
        data: &mut Map<String, Value>,
        column: &str,
        target: &Target,
        text: &str,
    ) -> Result<(), Rejection> {
        let Target::Data(path, cell) = target else {
            return Ok(());
        };
        let Some((last, before)) = path.split_last().filter(|_| !text.is_empty()) else {
            return Ok(());
        };
        let value = match cell {
            Cell::Text => text.into(),
            Cell::Number => number(column, text)?,
            Cell::Boolean => boolean(column, text)?.into(),
            Cell::Time => self.time(column, text)?.into(),
            Cell::List => {
                let items = text.split(';').map(str::trim);
                let items = items.filter(|item| !item.is_empty());
                items.collect::<Vec<_>>().into()
            }
        };
        let mut place = data;
        for name in before {
            let inner = place.entry(&**name).or_insert_with(|| Map::new().into());
            let Value::Object(inner) = inner else {
                return Ok(());
            };
            place = inner;
        }
        place.insert(last.to_string(), value);
        Ok(())
    }

    /// A time with its offset.
    fn time(&self, column: &str, text: &str) -> Result<String, Rejection> {
        if parse_rfc3339(text).is_some() {
            return Ok(text.to_owned());
        }
        let invalid = |detail: String| Rejection::new(Reason::InvalidTime, detail);
        let local: DateTime = text.parse().map_err(|_| {
            invalid(format!(
                "the column `{column}` is not a time such as 2026-11-22T10:00:00+08:00"
            ))
        })?;
        let Some(zone) = &self.zone else {
            return Err(invalid(format!(
                "the column `{column}` is a time without an offset: say with --zone where its clock stands, such \
                 as --zone Asia/Shanghai"
            )));
        };
        zone.to_timestamp(local)
            .map(|time| format_rfc3339(time.as_millisecond()))
            .map_err(|error| invalid(format!("the column `{column}`: {error}")))
    }
}

fn number(column: &str, text: &str) -> Result<Value, Rejection> {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || b"-.".contains(&b));
    let number = Decimal::from_str_exact(text).ok().filter(|_| plain);
    let number = number.and_then(|number| number.to_string().parse().ok());
    number.map(Value::Number).ok_or_else(|| {
        Rejection::new(
            Reason::WrongType,
            format!("the column `{column}` must be a number such as 41 or 12.5"),
        )
    })
}

fn boolean(column: &str, text: &str) -> Result<bool, Rejection> {
    match &*text.to_ascii_lowercase() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(Rejection::new(
            Reason::WrongType,
            format!("the column `{column}` must be true or false (or yes or no, 1 or 0)"),
        )),
    }
}
