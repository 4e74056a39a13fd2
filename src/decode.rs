//! Bytes to an [`Event`], or a [`Rejection`] that says why not. Pure: no clock, no I/O, no panic.

mod data;
mod envelope;

use crate::clock::{DAY, MINUTE, Millis};
use crate::event::{Event, Incoming, Occasion, Schema, Stored};
use crate::money::Rates;
use crate::partitioning::{bucket_of, partition_of};
use crate::terms::BROADCAST_PREFIX;

/// Why an event was refused; the last token of its subject in `SCENE_DLQ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// More bytes than the limit.
    TooLarge,
    /// The payload is not UTF-8.
    NotUtf8,
    /// The payload is not JSON, or is cut off.
    NotJson,
    /// A key stands twice in one object.
    DuplicateKey,
    /// Nested too deeply.
    TooDeep,
    /// Not a CloudEvents 1.0 event.
    NotCloudevent,
    /// A required attribute or field is missing.
    MissingField,
    /// A field holds another kind of value than declared.
    WrongType,
    /// A field's value is not allowed.
    InvalidValue,
    /// An amount is below zero.
    NegativeAmount,
    /// No rate turns this currency into the base currency.
    UnknownCurrency,
    /// `time` is not RFC 3339.
    InvalidTime,
    /// `time` lies too far ahead of when the stream stored the event.
    FromTheFuture,
    /// Older than the journal reaches back.
    TooOld,
    /// The customer does not belong to the subject it was published under.
    SubjectMismatch,
    /// `type` is not the `<domain>.<kind>` of the subject.
    TypeMismatch,
    /// `subject` is not a customer id.
    InvalidCustomer,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 17] = [
        Self::TooLarge,
        Self::NotUtf8,
        Self::NotJson,
        Self::DuplicateKey,
        Self::TooDeep,
        Self::NotCloudevent,
        Self::MissingField,
        Self::WrongType,
        Self::InvalidValue,
        Self::NegativeAmount,
        Self::UnknownCurrency,
        Self::InvalidTime,
        Self::FromTheFuture,
        Self::TooOld,
        Self::SubjectMismatch,
        Self::TypeMismatch,
        Self::InvalidCustomer,
    ];

    /// The word used in subjects and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::DuplicateKey => "duplicate_key",
            Self::TooDeep => "too_deep",
            Self::NotCloudevent => "not_cloudevent",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::InvalidValue => "invalid_value",
            Self::NegativeAmount => "negative_amount",
            Self::UnknownCurrency => "unknown_currency",
            Self::InvalidTime => "invalid_time",
            Self::FromTheFuture => "from_the_future",
            Self::TooOld => "too_old",
            Self::SubjectMismatch => "subject_mismatch",
            Self::TypeMismatch => "type_mismatch",
            Self::InvalidCustomer => "invalid_customer",
        }
    }
}

/// A refused event: the reason, and a sentence for whoever has to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", reason.word())]
pub struct Rejection {
    /// The reason.
    pub reason: Reason,
    /// What, where and how to mend it.
    pub detail: String,
}

impl Rejection {
    /// A refusal with its explanation.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

/// What decoding needs to know.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// Turns amounts into the base currency.
    pub rates: Rates,
    /// The largest payload in bytes, headers not counted.
    pub payload_bytes_max: usize,
    /// How far an event may lie ahead of its store timestamp.
    pub future_tolerance: Millis,
    /// How far an event may lie behind its store timestamp.
    pub horizon: Millis,
    /// How many partitions the stream has.
    pub partitions: u16,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            rates: Rates::default(),
            payload_bytes_max: (1 << 20) - (64 << 10),
            future_tolerance: 5 * MINUTE,
            horizon: 400 * DAY,
            partitions: 16,
        }
    }
}

impl Decoder {
    /// Decodes what the stream stored, and checks that it stands under its own subject.
    ///
    /// # Errors
    /// A [`Rejection`] with the first reason found.
    pub fn decode(&self, stored: &Stored, schema: &Schema) -> Result<Event, Rejection> {
        let event = self.decode_at(stored, schema, stored.stored_at)?;
        self.check_subject(&stored.subject, &event)?;
        Ok(event)
    }

    /// Decodes a broadcast that the stream stored under `scene.broadcast.<kind>`.
    ///
    /// # Errors
    /// A [`Rejection`] with the first reason found.
    pub fn decode_broadcast(
        &self,
        stored: &Stored,
        schema: &Schema,
    ) -> Result<Occasion, Rejection> {
        let broadcast = self.broadcast_inner(stored, schema)?;
        let expected = stored.subject.strip_prefix("scene.");
        if expected != Some(&*broadcast.kind) {
            return Err(Rejection::new(
                Reason::TypeMismatch,
                format!(
                    "`type` is `{}`, but the event was published to `{}`: publish it to scene.{}",
                    broadcast.kind, stored.subject, broadcast.kind
                ),
            ));
        }
        self.check_ahead(broadcast.time, stored.stored_at)?;
        Ok(broadcast)
    }

    /// Decodes an event or a broadcast without a stream, as `replay` does: its own time is the clock.
    ///
    /// # Errors
    /// A [`Rejection`] with the first reason found.
    pub fn decode_offline(&self, stored: &Stored, schema: &Schema) -> Result<Incoming, Rejection> {
        self.check_size(stored)?;
        let envelope = envelope::read(stored)?;
        if envelope.kind.starts_with(BROADCAST_PREFIX) {
            return data::broadcast(envelope, schema, &self.rates).map(Incoming::Broadcast);
        }
        data::event(envelope, schema, &self.rates).map(Incoming::Event)
    }

    /// Checks history that is about to be imported as it will be checked once it is stored. `now` stands
    /// for the store timestamp.
    ///
    /// # Errors
    /// A [`Rejection`] with the first reason found; a broadcast, among others.
    pub fn decode_import(
        &self,
        stored: &Stored,
        schema: &Schema,
        now: Millis,
    ) -> Result<Event, Rejection> {
        self.decode_at(stored, schema, now)
    }

    fn broadcast_inner(&self, stored: &Stored, schema: &Schema) -> Result<Occasion, Rejection> {
        self.check_size(stored)?;
        data::broadcast(envelope::read(stored)?, schema, &self.rates)
    }

    fn decode_at(
        &self,
        stored: &Stored,
        schema: &Schema,
        stored_at: Millis,
    ) -> Result<Event, Rejection> {
        let event = self.decode_inner(stored, schema)?;
        let ahead = self.check_ahead(event.time, stored_at)?;
        if ahead < -self.horizon {
            return Err(Rejection::new(
                Reason::TooOld,
                format!(
                    "`time` lies {} days back; the journal reaches back {} days",
                    -ahead / DAY,
                    self.horizon / DAY
                ),
            ));
        }
        Ok(event)
    }

    /// How far a time lies ahead of when it was stored.
    fn check_ahead(&self, time: Millis, stored_at: Millis) -> Result<Millis, Rejection> {
        let ahead = time.saturating_sub(stored_at);
        if ahead > self.future_tolerance {
            return Err(Rejection::new(
                Reason::FromTheFuture,
                format!(
                    "`time` lies {} s ahead of when the event was stored; {} s are allowed: check the producer's clock",
                    ahead / 1000,
                    self.future_tolerance / 1000
                ),
            ));
        }
        Ok(ahead)
    }

    fn decode_inner(&self, stored: &Stored, schema: &Schema) -> Result<Event, Rejection> {
        self.check_size(stored)?;
        let envelope = envelope::read(stored)?;
        data::event(envelope, schema, &self.rates)
    }

    fn check_size(&self, stored: &Stored) -> Result<(), Rejection> {
        if stored.payload.len() > self.payload_bytes_max {
            return Err(Rejection::new(
                Reason::TooLarge,
                format!(
                    "the payload has {} bytes; {} are allowed",
                    stored.payload.len(),
                    self.payload_bytes_max
                ),
            ));
        }
        Ok(())
    }

    fn check_subject(&self, subject: &str, event: &Event) -> Result<(), Rejection> {
        let mut tokens = subject.splitn(5, '.').skip(2);
        let (Some(partition), Some(bucket), Some(kind)) =
            (tokens.next(), tokens.next(), tokens.next())
        else {
            return Err(Rejection::new(
                Reason::SubjectMismatch,
                format!("the stored subject `{subject}` has too few tokens"),
            ));
        };
        if kind != &*event.kind {
            return Err(Rejection::new(
                Reason::TypeMismatch,
                format!(
                    "`type` is `{}`, but the event was published as `{kind}`: publish it to scene.events.{}.<customer>",
                    event.kind, event.kind
                ),
            ));
        }
        let token = event.customer.token();
        let expected = (partition_of(&token, self.partitions), bucket_of(&token));
        if (partition.parse().ok(), bucket.parse().ok()) != (Some(expected.0), Some(expected.1)) {
            return Err(Rejection::new(
                Reason::SubjectMismatch,
                format!(
                    "`subject` is not the customer that the event was published for: publish it to scene.events.{}.{token}",
                    event.kind
                ),
            ));
        }
        Ok(())
    }
}
