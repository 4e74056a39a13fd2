//! What `SCENE_BUDGETS` holds: one key for each account of a budget, whose value all engines change by
//! compare-and-swap.
//!
//! ```json
//! {"version":1,"rule":"win/dining","account":"M7","partitions":{
//!   "0":{"epoch":812,"granted":1250000,"used":900000,"days":{"2026-11-22":[500000,400000]}},
//!   "5":{"epoch":815,"wants":30000}}}
//! ```
//!
//! Amounts are in ten-thousandths of the base currency; of a day, what was granted and what of it was
//! used. `epoch` is the sequence of the `owner` record with which an engine took the partition over;
//! what is 0 may be left out.

use crate::money::Money;
use crate::state::{AccountKey, Grant, GrantRecord as Record, GrantsEntry as Entry};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The version of the format.
const VERSION: u32 = 1;
/// Longer parts of a key are replaced by their hash, in bytes.
const KEY_PART_BYTES_MAX: usize = 256;

/// Why an entry cannot be read. Nothing is granted from one that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantsError {
    /// Not the JSON that it should be.
    #[error("it is not an entry: {0}")]
    Malformed(String),
    /// Of an engine that came later.
    #[error("it has version {0}, and this engine knows version {VERSION}")]
    Version(u32),
}

#[derive(Serialize, Deserialize)]
struct WireEntry {
    version: u32,
    rule: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    partitions: BTreeMap<u16, WireRecord>,
}

#[derive(Serialize, Deserialize)]
struct WireRecord {
    epoch: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    granted: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    used: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    wants: i64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    days: BTreeMap<String, (i64, i64)>,
}

fn is_zero(amount: &i64) -> bool {
    *amount == 0
}

/// The key of an account: the rule, and after a dot whose account it is. What a key of NATS may not have
/// is written as `=` and two hexadecimal digits for each byte.
#[must_use]
pub fn key((rule, account): &AccountKey) -> String {
    let mut key = key_part(rule);
    if let Some(account) = account {
        key.push('.');
        key.push_str(&key_part(account));
    }
    key
}

/// A text as a part of a key: what a key of NATS may not have is written as `=` and two hexadecimal digits for each
/// byte.
#[must_use]
pub fn key_part(text: &str) -> String {
    if text.is_empty() {
        return "=".to_owned();
    }
    if text.len() > KEY_PART_BYTES_MAX {
        // No byte is written so: `h` is not a digit.
        return format!("=h{:x}", Sha256::digest(text));
    }
    let mut part = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'_' | b'-' => {
                part.push(char::from(byte));
            }
            other => {
                let _ = write!(part, "={other:02X}");
            }
        }
    }
    part
}

/// An entry as it is stored.
#[must_use]
pub fn encode((rule, account): &AccountKey, entry: &Entry) -> Vec<u8> {
    let record = |record: &Record| WireRecord {
        epoch: record.epoch,
        granted: record.total.granted.ten_thousandths(),
        used: record.total.used.ten_thousandths(),
        wants: record.wants.ten_thousandths(),
        days: (record.days.iter())
            .map(|(day, grant)| {
                let amounts = (grant.granted, grant.used);
                let amounts = (amounts.0.ten_thousandths(), amounts.1.ten_thousandths());
                (day.to_string(), amounts)
            })
            .collect(),
    };
    let wire = WireEntry {
        version: VERSION,
        rule: rule.to_string(),
        account: account.as_deref().map(str::to_owned),
        partitions: (entry.partitions.iter())
            .map(|(partition, of)| (*partition, record(of)))
            .collect(),
    };
    serde_json::to_vec(&wire).expect("invariant: text and numbers serialise")
}

/// Reads what [`encode`] writes.
///
/// # Errors
/// When it is not an entry, or one of a later version.
pub fn decode(bytes: &[u8]) -> Result<(AccountKey, Entry), GrantsError> {
    let malformed = |error: serde_json::Error| GrantsError::Malformed(error.to_string());
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_slice(bytes).map_err(malformed)?;
    if version != VERSION {
        return Err(GrantsError::Version(version));
    }
    let wire: WireEntry = serde_json::from_slice(bytes).map_err(malformed)?;
    let partitions: Result<BTreeMap<u16, Record>, GrantsError> = (wire.partitions.into_iter())
        .map(|(partition, wire)| Ok((partition, record(wire)?)))
        .collect();
    let key = (wire.rule.into(), wire.account.map(Into::into));
    Ok((
        key,
        Entry {
            partitions: partitions?,
        },
    ))
}

fn record(wire: WireRecord) -> Result<Record, GrantsError> {
    let grant = |granted: i64, used: i64| Grant {
        granted: Money::from_ten_thousandths(granted),
        used: Money::from_ten_thousandths(used),
    };
    let day = |(day, (granted, used)): (String, (i64, i64))| {
        let of: Date =
            (day.parse()).map_err(|_| GrantsError::Malformed(format!("no day: {day}")))?;
        Ok((of, grant(granted, used)))
    };
    Ok(Record {
        epoch: wire.epoch,
        total: grant(wire.granted, wire.used),
        days: wire.days.into_iter().map(day).collect::<Result<_, _>>()?,
        wants: Money::from_ten_thousandths(wire.wants),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes as they are stored are read, and written the same again.
    #[test]
    fn an_entry_is_written_and_read_as_it_always_was() {
        let bytes = br#"{"version":1,"rule":"win/dining","account":"M7","partitions":{"0":{"epoch":812,"granted":1250000,"used":900000,"days":{"2026-11-22":[500000,400000]}},"5":{"epoch":815,"wants":30000}}}"#;
        let (key, entry) = decode(bytes).unwrap();
        assert_eq!(key, ("win/dining".into(), Some("M7".into())));
        let day = jiff::civil::date(2026, 11, 22);
        assert_eq!(entry.partitions[&0].epoch, 812);
        assert_eq!(entry.partitions[&0].total.granted.to_string(), "125");
        assert_eq!(entry.partitions[&0].days[&day].used.to_string(), "40");
        assert_eq!(entry.partitions[&5].wants.to_string(), "3");
        assert_eq!(encode(&key, &entry), bytes);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let later = br#"{"version":2,"all":"different"}"#;
        assert_eq!(decode(later), Err(GrantsError::Version(2)));
        for bytes in [
            &b""[..],
            b"{}",
            br#"{"version":1,"rule":"r","partitions":{"0":{"epoch":1,"days":{"today":[1,1]}}}}"#,
        ] {
            assert!(matches!(decode(bytes), Err(GrantsError::Malformed(_))));
        }
    }

    #[test]
    fn keys_have_only_what_nats_allows_and_no_two_accounts_have_the_same() {
        let long = "x".repeat(300);
        let parts = [
            "", "a/b", "a.b", "a b", "a=2Eb", "=", "客", "*", ">", "h", &long,
        ];
        let mut keys = Vec::new();
        for rule in parts {
            for account in parts.map(Some).into_iter().chain([None]) {
                keys.push(key(&(rule.into(), account.map(Into::into))));
            }
        }
        for key in &keys {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-/_=.".contains(c);
            assert!(
                key.chars().all(allowed) && !key.starts_with('.') && !key.ends_with('.'),
                "{key}"
            );
        }
        let count = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }
}
