//! What a customer did lately: a compact list in the order of event time.
//!
//! An entry takes 24 bytes: the event's fingerprint, its time in 44 bits, its amount in 46, and the id of
//! its shape in 38. What does not fit stands beside the list, in a row that hardly any entry has.

use super::list::{List, ThinList};
use super::names::Name;
use super::shape::ShapeId;
use crate::clock::Millis;
use crate::money::Money;
use rust_decimal::Decimal;
use std::fmt;
use std::num::NonZeroI64;

/// One event, as it is put into a journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When it happened.
    pub time: Millis,
    /// The hash of its source and id.
    pub fingerprint: u64,
    /// Its amount in base currency; zero if it has none.
    pub amount: Money,
    /// All that it has in common with others.
    pub shape: ShapeId,
    /// Other fields that the declaration of its type keeps.
    pub kept: Box<[(Name, KeptValue)]>,
}

/// A kept field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeptValue {
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(Decimal),
    /// Text.
    Text(Name),
}

/// Bits of an amount, and how many of them stand beside the time.
const AMOUNT_BITS: u32 = 128 - TIME_BITS - ShapeId::BITS;
const LOW_BITS: u32 = 64 - TIME_BITS;
const LOW: u64 = (1 << LOW_BITS) - 1;
const TIME_BITS: u32 = 44;
/// Stands for itself and every later time: those before it reach up to the year 2248.
const TIME_MAX: Millis = (1 << (TIME_BITS - 1)) - 1;
/// Stands for itself and every earlier time: those after it begin in the year 1691.
const TIME_MIN: Millis = -(1 << (TIME_BITS - 1));
/// Stands for itself and every amount that does not fit: 3.5 billion and more, above or below zero.
const AMOUNT_ODD: i64 = -(1 << (AMOUNT_BITS - 1));
const AMOUNT_MAX: i64 = (1 << (AMOUNT_BITS - 1)) - 1;

/// An entry in 24 bytes: the fingerprint; the time above the amount's lower bits; the amount's upper bits
/// above the shape; each part little-endian.
///
/// Bytes, and not three numbers, for the allocator's sake: mimalloc gives a block that must be aligned the
/// room of the alignment besides, and so one of the next size, 896 bytes for 32 entries instead of 768.
/// Reading a part is one instruction all the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Packed([u8; 24]);

impl Packed {
    /// Packs what fits; the time or the amount says so if it does not.
    pub(super) fn new(fingerprint: u64, time: Millis, amount: i64, shape: ShapeId) -> Self {
        let time = time.clamp(TIME_MIN, TIME_MAX).cast_unsigned();
        let amount = match amount {
            AMOUNT_ODD..=AMOUNT_MAX => amount.cast_unsigned(),
            _ => AMOUNT_ODD.cast_unsigned(),
        };
        let parts = [
            fingerprint,
            time << LOW_BITS | amount & LOW,
            amount >> LOW_BITS << ShapeId::BITS | shape.bits(),
        ];
        let mut bytes = [0; 24];
        for (slot, part) in bytes.as_chunks_mut().0.iter_mut().zip(parts) {
            *slot = part.to_le_bytes();
        }
        Self(bytes)
    }

    fn part(&self, number: usize) -> u64 {
        u64::from_le_bytes(self.0.as_chunks().0[number])
    }

    pub(super) fn fingerprint(&self) -> u64 {
        self.part(0)
    }

    fn time(&self) -> Millis {
        self.part(1).cast_signed() >> LOW_BITS
    }

    fn amount(&self) -> i64 {
        let upper = self.part(2).cast_signed() >> ShapeId::BITS << LOW_BITS;
        upper | (self.part(1) & LOW).cast_signed()
    }

    fn shape(&self) -> ShapeId {
        ShapeId::from_bits(self.part(2))
    }

    /// Whether its time, exactly, stands in a row.
    fn has_odd_time(&self) -> bool {
        matches!(self.time(), TIME_MIN | TIME_MAX)
    }

    fn has_odd_amount(&self) -> bool {
        self.amount() == AMOUNT_ODD
    }
}

/// What does not fit into an entry.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Whose it is.
    pub(super) fingerprint: u64,
    pub(super) time: Millis,
    pub(super) amount: Money,
    pub(super) kept: Box<[(Name, KeptValue)]>,
}

impl Row {
    /// What of it fits into an entry.
    fn packed(&self, shape: ShapeId) -> Packed {
        let amount = self.amount.ten_thousandths();
        Packed::new(self.fingerprint, self.time, amount, shape)
    }
}

fn row(rows: &[Row], fingerprint: u64) -> Option<&Row> {
    let at = rows.binary_search_by_key(&fingerprint, |row| row.fingerprint);
    at.ok().map(|at| &rows[at])
}

/// One entry of a journal.
#[derive(Clone, Copy)]
pub struct EntryRef<'a> {
    packed: &'a Packed,
    rows: &'a [Row],
}

impl<'a> EntryRef<'a> {
    /// When it happened.
    #[must_use]
    pub fn time(self) -> Millis {
        let time = self.packed.time();
        if self.packed.has_odd_time() {
            return self.row().map_or(time, |row| row.time);
        }
        time
    }

    /// The hash of its source and id.
    #[must_use]
    pub fn fingerprint(self) -> u64 {
        self.packed.fingerprint()
    }

    /// Its amount in base currency; zero if it has none.
    #[must_use]
    pub fn amount(self) -> Money {
        let amount = Money::from_ten_thousandths(self.packed.amount());
        if self.packed.has_odd_amount() {
            return self.row().map_or(amount, |row| row.amount);
        }
        amount
    }

    /// All that it has in common with others.
    #[must_use]
    pub fn shape(self) -> ShapeId {
        self.packed.shape()
    }

    /// Other fields that the declaration of its type keeps.
    #[must_use]
    pub fn kept(self) -> &'a [(Name, KeptValue)] {
        self.row().map_or(&[], |row| &row.kept)
    }

    fn row(self) -> Option<&'a Row> {
        row(self.rows, self.packed.fingerprint())
    }

    /// The same, as it was put in.
    #[must_use]
    pub fn to_entry(self) -> Entry {
        Entry {
            time: self.time(),
            fingerprint: self.fingerprint(),
            amount: self.amount(),
            shape: self.shape(),
            kept: self.kept().into(),
        }
    }
}

impl PartialEq for EntryRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.packed == other.packed && self.row() == other.row()
    }
}

impl fmt::Debug for EntryRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_entry().fmt(f)
    }
}

/// Entries that stand one behind the other in a journal.
#[derive(Clone, Copy)]
pub struct Entries<'a> {
    packed: &'a [Packed],
    rows: &'a [Row],
}

impl<'a> Entries<'a> {
    /// How many there are.
    #[must_use]
    pub fn len(self) -> usize {
        self.packed.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.packed.is_empty()
    }

    /// The entry at an index.
    #[must_use]
    pub fn get(self, index: usize) -> Option<EntryRef<'a>> {
        let rows = self.rows;
        let packed = self.packed.get(index)?;
        Some(EntryRef { packed, rows })
    }

    /// The newest entry.
    #[must_use]
    pub fn last(self) -> Option<EntryRef<'a>> {
        self.get(self.len().checked_sub(1)?)
    }

    /// All of them, oldest first.
    pub fn iter(
        self,
    ) -> impl DoubleEndedIterator<Item = EntryRef<'a>> + ExactSizeIterator + use<'a> {
        let rows = self.rows;
        self.packed
            .iter()
            .map(move |packed| EntryRef { packed, rows })
    }

    /// The first so many, or all if there are fewer.
    #[must_use]
    pub fn first(self, count: usize) -> Self {
        let packed = &self.packed[..count.min(self.packed.len())];
        Self { packed, ..self }
    }

    /// How many come before the first with a time for which `before` is false.
    fn partition_point(self, before: impl Fn(Millis) -> bool) -> usize {
        let rows = self.rows;
        self.packed
            .partition_point(|packed| before(EntryRef { packed, rows }.time()))
    }
}

impl PartialEq for Entries<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A time in eight bytes which leave room for `None`. The first of all times stands for the second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Edge(NonZeroI64);

impl Edge {
    fn new(time: Millis) -> Self {
        let other = NonZeroI64::new(time.max(Millis::MIN + 1) ^ Millis::MIN);
        Self(other.expect("invariant: only the first of all times is zero here"))
    }

    const fn time(self) -> Millis {
        self.0.get() ^ Millis::MIN
    }
}

/// The entries of one customer, ordered by event time; those of the same time by arrival.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Journal {
    packed: List<Packed>,
    /// What does not fit into them, by fingerprint.
    rows: ThinList<Row>,
    trimmed_until: Option<Edge>,
}

impl Journal {
    /// All entries, oldest first.
    #[must_use]
    pub fn entries(&self) -> Entries<'_> {
        Entries {
            packed: &self.packed,
            rows: &self.rows,
        }
    }

    /// Everything up to this time may have been trimmed; `None` if nothing was.
    #[must_use]
    pub fn trimmed_until(&self) -> Option<Millis> {
        self.trimmed_until.map(Edge::time)
    }

    /// Whether an event is in the journal already.
    #[must_use]
    pub fn contains(&self, fingerprint: u64) -> bool {
        self.packed.iter().any(|e| e.fingerprint() == fingerprint)
    }

    /// How many entries happened up to a time, itself included.
    #[must_use]
    pub fn count_until(&self, time: Millis) -> usize {
        self.entries().partition_point(|other| other <= time)
    }

    /// Puts the entry of an event that is not in it at its place, and tells where: behind all others of
    /// its time.
    pub fn insert(&mut self, entry: Entry) -> usize {
        let at = self.count_until(entry.time);
        let amount = entry.amount.ten_thousandths();
        let packed = Packed::new(entry.fingerprint, entry.time, amount, entry.shape);
        self.packed.insert(at, packed);
        if packed.has_odd_time() || packed.has_odd_amount() || !entry.kept.is_empty() {
            let fingerprint = entry.fingerprint;
            let at = self.rows.partition_point(|r| r.fingerprint < fingerprint);
            let row = Row {
                fingerprint,
                time: entry.time,
                amount: entry.amount,
                kept: entry.kept,
            };
            self.rows.insert(at, row);
        }
        at
    }

    /// Drops the oldest entries: those before `oldest`, and those beyond `entries_max`. Returns how
    /// many were dropped.
    pub fn trim(&mut self, oldest: Millis, entries_max: usize) -> usize {
        let entries = self.entries();
        let old = entries.partition_point(|time| time < oldest);
        let drop = old.max(entries.len().saturating_sub(entries_max));
        let Some(last) = entries.first(drop).last() else {
            return 0;
        };
        self.trimmed_until = Some(Edge::new(last.time()));
        if !self.rows.is_empty() {
            let dropped = self.packed[..drop].iter();
            let mut gone: Vec<u64> = dropped.map(|e| e.fingerprint()).collect();
            gone.sort_unstable();
            self.rows
                .retain(|row| gone.binary_search(&row.fingerprint).is_err());
        }
        self.packed.drop_first(drop);
        drop
    }

    /// Entries with a time in `(after, until]`.
    #[must_use]
    pub fn range(&self, after: Millis, until: Millis) -> Entries<'_> {
        let (from, to) = (self.count_until(after), self.count_until(until));
        Entries {
            packed: &self.packed[from.min(to)..to],
            rows: &self.rows,
        }
    }

    /// What does not fit into the entries.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Puts together entries, with the [rows](Journal::rows) of those that did not fit, and what
    /// [`Journal::trimmed_until`] told; `None` if no journal can have had such parts.
    pub(super) fn from_parts(
        packed: Vec<Packed>,
        rows: Vec<Row>,
        trimmed_until: Option<Millis>,
    ) -> Option<Self> {
        let journal = Self {
            packed: packed.into(),
            rows: rows.into(),
            trimmed_until: trimmed_until.map(Edge::new),
        };
        journal.is_sound().then_some(journal)
    }

    fn is_sound(&self) -> bool {
        let rows_in_order = self.rows.is_sorted_by(|a, b| a.fingerprint < b.fingerprint);
        let needs_row = |packed: &Packed| packed.has_odd_time() || packed.has_odd_amount();
        let rows_fit = if self.rows.is_empty() {
            !self.packed.iter().any(needs_row)
        } else {
            let mut with_row = 0;
            self.packed.iter().all(|packed| {
                let Some(row) = row(&self.rows, packed.fingerprint()) else {
                    return !needs_row(packed);
                };
                with_row += 1;
                *packed == row.packed(packed.shape())
            }) && with_row == self.rows.len()
        };
        let times = self.entries().iter().map(EntryRef::time);
        rows_in_order && rows_fit && times.is_sorted()
    }
}
