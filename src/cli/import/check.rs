//! Each record, checked as the engine will check it, before anything of it is published.

use super::records::{Place, Records};
use super::rows::Rows;
use crate::clock::now_ms;
use crate::decode::{Decoder, Rejection};
use crate::event::{HEADER_IMPORT, IMPORTED, Schema, Stored, fingerprint};
use crate::partitioning::CustomerId;
use bytes::Bytes;
use foldhash::fast::RandomState;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Records that are handed on together.
const BATCH_RECORDS_MAX: usize = 128;
/// Bytes that are handed on together.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// Customers, and rows, that are remembered to tell what the journals cannot hold and what stands twice.
const REMEMBERED_MAX: usize = 2_000_000;
/// Undeclared types that are told by their names.
const UNDECLARED_MAX: usize = 20;

/// An event on its way.
pub(super) struct Outgoing {
    pub(super) customer: CustomerId,
    pub(super) subject: String,
    pub(super) payload: Bytes,
}

/// A record that is not published.
pub(super) struct Refused {
    pub(super) line: u64,
    pub(super) rejection: Rejection,
    pub(super) raw: Vec<u8>,
}

/// What becomes of a record.
pub(super) enum Fate {
    Send(Outgoing),
    Refuse(Box<Refused>),
    /// The end of the input.
    End,
}

/// A record that was checked, and what is behind it.
pub(super) struct Checked {
    pub(super) behind: Place,
    pub(super) fate: Fate,
}

/// What was noticed beside refusals.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Events by type that `schema.toml` does not declare.
    pub(super) undeclared: BTreeMap<Arc<str>, u64>,
    /// Rows that are equal to an earlier one, and have no id.
    pub(super) repeated: u64,
    /// Customers with more events than a journal holds.
    pub(super) crowded: u64,
    /// The events that journals have no room for.
    pub(super) overflowing: u64,
}

/// Checks records.
pub(super) struct Checker {
    pub(super) decoder: Decoder,
    pub(super) schema: Arc<Schema>,
    pub(super) rows: Option<Rows>,
    /// `journal.entries_max`.
    pub(super) entries_max: usize,
    memory: Memory,
}

/// Hashes of what has been seen, as far as there is room.
#[derive(Default)]
struct Memory {
    rows: HashSet<u64, RandomState>,
    customers: HashMap<u64, u32, RandomState>,
    notes: Notes,
}

impl Checker {
    pub(super) fn new(
        decoder: Decoder,
        schema: Arc<Schema>,
        rows: Option<Rows>,
        entries_max: usize,
    ) -> Self {
        Self {
            decoder,
            schema,
            rows,
            entries_max,
            memory: Memory::default(),
        }
    }

    /// Reads to the end, handing on what was checked; ends early when nobody takes it any more.
    pub(super) fn read(
        mut self,
        mut records: Records,
        to: &mpsc::Sender<Vec<Checked>>,
    ) -> io::Result<Notes> {
        let mut batch = Vec::with_capacity(BATCH_RECORDS_MAX);
        let mut bytes = 0;
        while let Some((line, shape)) = records.next()? {
            let fate = match shape.and_then(|()| self.check(&records)) {
                Ok(outgoing) => Fate::Send(outgoing),
                Err(rejection) => Fate::Refuse(Box::new(Refused {
                    line,
                    rejection,
                    raw: records.raw().to_vec(),
                })),
            };
            bytes += records.raw().len();
            batch.push(Checked {
                behind: records.place(),
                fate,
            });
            let is_full = batch.len() >= BATCH_RECORDS_MAX || bytes >= BATCH_BYTES_MAX;
            if is_full || records.is_drained() {
                bytes = 0;
                if to.blocking_send(std::mem::take(&mut batch)).is_err() {
                    return Ok(self.memory.notes);
                }
            }
        }
        batch.push(Checked {
            behind: records.place(),
            fate: Fate::End,
        });
        // Whoever has stopped listening does not want the end either.
        let _ = to.blocking_send(batch);
        Ok(self.memory.notes)
    }

    fn check(&mut self, records: &Records) -> Result<Outgoing, Rejection> {
        let (payload, row) = match &self.rows {
            None => (Bytes::copy_from_slice(records.raw().trim_ascii()), None),
            Some(rows) => {
                let (id, payload) = rows.event(&records.cells()?)?;
                (payload, rows.hashes().then_some(id))
            }
        };
        let now = now_ms();
        let stored = Stored {
            sequence: 0,
            stored_at: now,
            subject: String::new(),
            headers: vec![(HEADER_IMPORT.to_owned(), IMPORTED.to_owned())],
            payload,
        };
        let event = self.decoder.decode_import(&stored, &self.schema, now)?;
        if self.schema.event_type(&event.kind).is_none() {
            let undeclared = &mut self.memory.notes.undeclared;
            if undeclared.len() < UNDECLARED_MAX || undeclared.contains_key(&event.kind) {
                *undeclared.entry(event.kind.clone()).or_default() += 1;
            }
        }
        if row.is_some() {
            self.memory.see_row(event.fingerprint);
        }
        self.memory.see_customer(&event.customer, self.entries_max);
        Ok(Outgoing {
            subject: format!("scene.events.{}.{}", event.kind, event.customer.token()),
            customer: event.customer,
            payload: stored.payload,
        })
    }
}

impl Memory {
    fn see_row(&mut self, row: u64) {
        if self.rows.contains(&row) {
            self.notes.repeated += 1;
        } else if self.rows.len() < REMEMBERED_MAX {
            self.rows.insert(row);
        }
    }

    fn see_customer(&mut self, customer: &CustomerId, entries_max: usize) {
        let key = fingerprint("", customer.as_str());
        if self.customers.len() >= REMEMBERED_MAX && !self.customers.contains_key(&key) {
            return;
        }
        let count = self.customers.entry(key).or_default();
        *count = count.saturating_add(1);
        let count = *count as usize;
        self.notes.crowded += u64::from(count == entries_max + 1);
        self.notes.overflowing += u64::from(count > entries_max);
    }
}
