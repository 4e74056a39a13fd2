//! The CloudEvents envelope, structured (JSON) or binary (`ce-*` headers).
//! CloudEvents 1.0.2 §3; NATS protocol binding 1.0.2.

use super::{Reason, Rejection};
use crate::clock::{Millis, parse_rfc3339};
use crate::event::{HEADER_IMPORT, IMPORTED, JsonError, Stored, Value, Word, parse_json};
use crate::partitioning::CustomerId;
use crate::terms::BROADCAST_PREFIX;

/// The longest `id` and `source`, in bytes.
const IDENTIFIER_BYTES_MAX: usize = 512;

/// The context attributes, checked, with the data still untyped.
pub(super) struct Envelope {
    pub(super) id: Box<str>,
    pub(super) source: Box<str>,
    pub(super) kind: Word,
    /// `None` if there is no `subject`.
    pub(super) customer: Option<CustomerId>,
    pub(super) time: Millis,
    pub(super) traceparent: Option<Box<str>>,
    pub(super) data: Value,
    /// Whether the message says that it was imported.
    pub(super) imported: bool,
}

pub(super) fn read(stored: &Stored) -> Result<Envelope, Rejection> {
    let body = |bytes: &[u8]| {
        parse_json(bytes).map_err(|error| {
            let reason = match error {
                JsonError::NotUtf8(_) => Reason::NotUtf8,
                JsonError::Syntax(_) => Reason::NotJson,
                JsonError::DuplicateKey(_) => Reason::DuplicateKey,
                JsonError::TooDeep => Reason::TooDeep,
                JsonError::NumberRange(_) => Reason::InvalidValue,
            };
            Rejection::new(reason, error.to_string())
        })
    };
    let value = body(&stored.payload)?;
    if stored.header("ce-specversion").is_some() {
        let attribute = |name: &str| {
            stored
                .header(&format!("ce-{name}"))
                .map(percent_decoded)
                .transpose()
        };
        return assemble(stored, attribute, value);
    }
    let Value::Record(mut members) = value else {
        return Err(Rejection::new(
            Reason::NotCloudevent,
            format!(
                "the payload is {}, not a CloudEvents object; without ce-* headers it must be one",
                value.kind()
            ),
        ));
    };
    let mut data = Value::Null;
    for (name, value) in &mut members {
        match &**name {
            "data" => data = std::mem::replace(value, Value::Null),
            "data_base64" => {
                return Err(Rejection::new(
                    Reason::NotCloudevent,
                    "`data_base64` is not supported: send `data` as a JSON object",
                ));
            }
            _ => {}
        }
    }
    let attribute = |name: &str| match members.iter().find(|(n, _)| n == name) {
        None | Some((_, Value::Null)) => Ok(None),
        Some((_, Value::Text(text))) => Ok(Some(text.clone())),
        Some((_, other)) => Err(Rejection::new(
            Reason::WrongType,
            format!("`{name}` must be text, not {}", other.kind()),
        )),
    };
    assemble(stored, attribute, data)
}

fn assemble(
    stored: &Stored,
    attribute: impl Fn(&str) -> Result<Option<Word>, Rejection>,
    data: Value,
) -> Result<Envelope, Rejection> {
    let required = |name: &str| match attribute(name)? {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(Rejection::new(
            Reason::MissingField,
            format!("the CloudEvents attribute `{name}` is missing or empty"),
        )),
    };
    let version = attribute("specversion")?;
    if version.as_deref() != Some("1.0") {
        return Err(Rejection::new(
            Reason::NotCloudevent,
            match version {
                Some(other) => format!("`specversion` is \"{other}\"; \"1.0\" is understood"),
                None => "`specversion` is missing: send a CloudEvents 1.0 event".to_owned(),
            },
        ));
    }
    let (id, source) = (required("id")?, required("source")?);
    for (name, text) in [("id", &id), ("source", &source)] {
        if text.len() > IDENTIFIER_BYTES_MAX {
            return Err(Rejection::new(
                Reason::InvalidValue,
                format!(
                    "`{name}` has {} bytes; {IDENTIFIER_BYTES_MAX} are allowed",
                    text.len()
                ),
            ));
        }
    }
    let kind = required("type")?;
    let customer = if kind.starts_with(BROADCAST_PREFIX) {
        None
    } else {
        Some(customer(&required("subject")?)?)
    };
    let time = required("time")?;
    let time = parse_rfc3339(&time).ok_or_else(|| {
        Rejection::new(
            Reason::InvalidTime,
            "`time` is not RFC 3339, such as 2026-11-22T10:00:00.123+08:00",
        )
    })?;
    let traceparent = attribute("traceparent")?
        .or_else(|| stored.header("traceparent").map(Into::into))
        .filter(|text| is_traceparent(text))
        .map(|text| text.as_str().into());
    Ok(Envelope {
        kind,
        id: id.as_str().into(),
        source: source.as_str().into(),
        customer,
        time,
        traceparent,
        data,
        imported: imported(stored)?,
    })
}

/// Whether a message is an import. A value that nobody knows is refused: taken for a live event, old
/// history would be answered.
fn imported(stored: &Stored) -> Result<bool, Rejection> {
    match stored.header(HEADER_IMPORT) {
        None => Ok(false),
        Some(IMPORTED) => Ok(true),
        Some(_) => Err(Rejection::new(
            Reason::InvalidValue,
            format!(
                "the header {HEADER_IMPORT} must be {IMPORTED}: leave it out of an event that rules may answer"
            ),
        )),
    }
}

fn customer(subject: &str) -> Result<CustomerId, Rejection> {
    CustomerId::new(subject).ok_or_else(|| {
        Rejection::new(
            Reason::InvalidCustomer,
            format!(
                "`subject` must be a customer id of 1 to 64 bytes; it has {}",
                subject.len()
            ),
        )
    })
}

/// W3C Trace Context, version 00: `00-<32 hex>-<16 hex>-<2 hex>`. Anything else is not passed on.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    matches!(&parts[..], [version, trace, span, flags]
        if version.len() == 2 && trace.len() == 32 && span.len() == 16 && flags.len() == 2)
        && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

fn percent_decoded(text: &str) -> Result<Word, Rejection> {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map(|decoded| decoded.into())
        .map_err(|_| Rejection::new(Reason::NotUtf8, "a ce-* header is not UTF-8"))
}
