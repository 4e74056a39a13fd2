//! A customer to bytes.

use super::bytes::{put_count, put_decimal, put_number, put_signed, put_text};
use super::{
    CUSTOMER, ENTRY_BYTES, PHASES, SHAPE, SIX_MAX, SIX_MIN, WORD, contact, more, part, value,
};
use crate::clock::Millis;
use crate::money::Money;
use crate::partitioning::CustomerId;
use crate::state::contacts::{Contact, Delivery};
use crate::state::customer::Customer;
use crate::state::journal::{Entries, EntryRef, KeptValue, Row};
use crate::state::names::{Name, Names};
use crate::state::pending::{Pending, Remembered, Wait};
use crate::state::profile::{Attribute, Dated, Items};
use crate::state::shape::{Place, ShapeId};

/// Writes customers; a word or shape is defined in the stream, in line, before its first use.
///
/// The bytes depend on the customers and their order alone, not on the numbers that words have in memory.
#[derive(Debug, Default)]
pub struct CustomerEncoder {
    words: Numbers,
    shapes: ShapeNumbers,
    /// Kept between customers, so that its room is.
    body: Vec<u8>,
}

impl CustomerEncoder {
    /// An encoder for a new stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one customer (and whatever words and shapes it is the first to use) to `out`.
    pub fn encode(
        &mut self,
        id: &CustomerId,
        customer: &Customer,
        names: &Names,
        out: &mut Vec<u8>,
    ) {
        self.body.clear();
        let mut writer = Writer {
            words: &mut self.words,
            shapes: &mut self.shapes,
            names,
            definitions: out,
            body: &mut self.body,
        };
        writer.customer(id, customer);
        out.push(CUSTOMER);
        put_count(out, self.body.len());
        out.extend_from_slice(&self.body);
    }
}

/// The stream's numbers by those in memory: each plus one, and zero for what was not defined.
type Given = Vec<u32>;

fn known(given: &[u32], index: u32) -> Option<u32> {
    given.get(index as usize)?.checked_sub(1)
}

/// Gives out the next number, which `count` counts.
fn give(given: &mut Given, index: u32, count: &mut u32) -> u32 {
    let (number, at) = (*count, index as usize);
    *count += 1;
    if given.len() <= at {
        given.resize(at + 1, 0);
    }
    given[at] = *count;
    number
}

#[derive(Debug, Default)]
struct Numbers {
    given: Given,
    count: u32,
}

#[derive(Debug, Default)]
struct ShapeNumbers {
    /// By class.
    given: Vec<Given>,
    mixed: Given,
    count: u32,
}

impl ShapeNumbers {
    fn known(&self, id: ShapeId) -> Option<u32> {
        match id.place() {
            Place::Class { class, index } => known(self.given.get(class as usize)?, index),
            Place::Mixed(index) => known(&self.mixed, index),
        }
    }

    fn give(&mut self, id: ShapeId) -> u32 {
        let (given, index) = match id.place() {
            Place::Class { class, index } => {
                let class = class as usize;
                if self.given.len() <= class {
                    self.given.resize_with(class + 1, Given::new);
                }
                (&mut self.given[class], index)
            }
            Place::Mixed(index) => (&mut self.mixed, index),
        };
        give(given, index, &mut self.count)
    }
}

struct Writer<'a> {
    words: &'a mut Numbers,
    shapes: &'a mut ShapeNumbers,
    names: &'a Names,
    definitions: &'a mut Vec<u8>,
    body: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn customer(&mut self, id: &CustomerId, customer: &Customer) {
        let rows = customer.journal.rows();
        let edge = customer.journal.trimmed_until();
        let profile = customer.profile.items();
        let contacts = customer.contacts.all();
        let parts = [
            (part::TRIMMED, edge.is_some()),
            (part::ROWS, !rows.is_empty()),
            (part::PROFILE, profile.is_some()),
            (part::ACCOUNTS, !customer.accounts.is_empty()),
            (part::CONTACTS, !contacts.is_empty()),
            (part::PENDING, !customer.pending.is_empty()),
        ];
        put_text(self.body, id.as_str());
        put_signed(self.body, customer.first_seen);
        self.body.push(bits(parts));
        self.entries(customer.journal.entries());
        if let Some(edge) = edge {
            put_signed(self.body, edge);
        }
        if !rows.is_empty() {
            self.list(rows, Self::row);
        }
        if let Some(items) = profile {
            self.profile(items);
        }
        if !customer.accounts.is_empty() {
            self.list(&customer.accounts, |writer, account| {
                writer.word(account.name);
                writer.money(account.balance);
                put_signed(writer.body, account.time);
            });
        }
        if !contacts.is_empty() {
            self.list(contacts, Self::contact);
        }
        self.pending(&customer.pending);
    }

    fn list<T>(&mut self, items: &[T], mut put: impl FnMut(&mut Self, &T)) {
        put_count(self.body, items.len());
        for item in items {
            put(self, item);
        }
    }

    fn number_of_word(&mut self, name: Name) -> u64 {
        let index = name.index();
        let known = known(&self.words.given, index);
        let number = known.unwrap_or_else(|| {
            self.definitions.push(WORD);
            put_text(self.definitions, self.names.text(name));
            give(&mut self.words.given, index, &mut self.words.count)
        });
        number.into()
    }

    fn word(&mut self, name: Name) {
        let number = self.number_of_word(name);
        put_number(self.body, number);
    }

    fn shape(&mut self, id: ShapeId) -> u32 {
        if let Some(number) = self.shapes.known(id) {
            return number;
        }
        let shape = self.names.shape(id);
        let kind = self.number_of_word(shape.kind);
        let others = [shape.category, shape.party, shape.channel, shape.means]
            .map(|word| word.map_or(0, |name| self.number_of_word(name) + 1));
        self.definitions.push(SHAPE);
        put_number(self.definitions, kind);
        for other in others {
            put_number(self.definitions, other);
        }
        self.definitions.push(code(&PHASES, shape.phase));
        self.shapes.give(id)
    }

    fn entries(&mut self, entries: Entries<'_>) {
        put_count(self.body, entries.len());
        let from = self.body.len();
        self.body.resize(from + entries.len() * ENTRY_BYTES, 0);
        for (at, entry) in entries.iter().enumerate() {
            let shape = self.shape(entry.shape());
            let bytes = entry_bytes(entry, shape);
            let at = from + at * ENTRY_BYTES;
            self.body[at..at + ENTRY_BYTES].copy_from_slice(&bytes);
        }
    }

    fn row(&mut self, row: &Row) {
        self.body.extend_from_slice(&row.fingerprint.to_le_bytes());
        put_signed(self.body, row.time);
        self.money(row.amount);
        self.list(&row.kept, |writer, (field, kept)| {
            writer.word(*field);
            match kept {
                KeptValue::Bool(truth) => writer.body.push(truth_code(*truth)),
                KeptValue::Number(number) => {
                    writer.body.push(value::DECIMAL);
                    put_decimal(writer.body, *number);
                }
                KeptValue::Text(word) => {
                    writer.body.push(value::WORD);
                    writer.word(*word);
                }
            }
        });
    }

    fn profile(&mut self, items: &Items) {
        self.list(&items.attributes, |writer, item| {
            writer.dated(item);
            match &item.value {
                None => writer.body.push(value::NULL),
                Some(Attribute::Bool(truth)) => writer.body.push(truth_code(*truth)),
                Some(Attribute::Int(number)) => {
                    writer.body.push(value::INT);
                    put_signed(writer.body, *number);
                }
                Some(Attribute::Decimal(number)) => {
                    writer.body.push(value::DECIMAL);
                    put_decimal(writer.body, *number);
                }
                Some(Attribute::Text(text)) => {
                    writer.body.push(value::TEXT);
                    put_text(writer.body, text);
                }
            }
        });
        for flags in [&items.segments, &items.consents, &items.reachable] {
            self.list(flags, |writer, item| {
                writer.dated(item);
                writer.body.push(item.value.into());
            });
        }
        for slot in [items.time_zone, items.locale] {
            self.body.push(slot.is_some().into());
            if let Some((time, name)) = slot {
                self.named(name, time);
            }
        }
    }

    fn dated<T>(&mut self, item: &Dated<T>) {
        self.named(item.name, item.time);
    }

    fn named(&mut self, name: Name, time: Millis) {
        self.word(name);
        put_signed(self.body, time);
    }

    fn money(&mut self, money: Money) {
        put_signed(self.body, money.ten_thousandths());
    }

    fn contact(&mut self, contact: &Contact) {
        let later = contact.entry != contact.id;
        let expires_at = contact.kept.as_ref().and_then(|kept| kept.expires_at);
        let more = bits([
            (more::CONTROL, contact.delivery == Delivery::Control),
            (more::SHADOW, contact.delivery == Delivery::Shadow),
            (more::SCENE, contact.scene.is_some()),
            (more::HOUSEHOLD, contact.household.is_some()),
            (more::FALLBACK, contact.fallback_of.is_some()),
            (more::CHANNELS_LEFT, !contact.channels_left.is_empty()),
            (more::KEPT, contact.kept.is_some()),
            (more::KEPT_EXPIRES, expires_at.is_some()),
        ]);
        self.body.push(bits([
            (contact::HOLDOUT, contact.delivery == Delivery::Holdout),
            (contact::CONVERTED, contact.converted),
            (contact::LATER, later),
            (contact::CODE, contact.code.is_some()),
            (contact::VALUE, contact.value.is_some()),
            (contact::COST, contact.cost.is_some()),
            (contact::MORE, more != 0),
        ]));
        if more != 0 {
            self.body.push(more);
        }
        self.body.push(contact.outcomes.bits());
        self.body.extend_from_slice(&contact.id.0);
        if later {
            self.body.extend_from_slice(&contact.entry.0);
        }
        for word in [contact.rule, contact.variant, contact.channel] {
            self.word(word);
        }
        put_signed(self.body, contact.at);
        put_signed(self.body, contact.time);
        put_number(self.body, contact.step.into());
        if let Some(code) = contact.code {
            self.word(code);
        }
        for money in [contact.value, contact.cost].into_iter().flatten() {
            self.money(money);
        }
        for word in [contact.scene, contact.household].into_iter().flatten() {
            self.word(word);
        }
        if let Some(failed) = contact.fallback_of {
            self.body.extend_from_slice(&failed.0);
        }
        if !contact.channels_left.is_empty() {
            self.list(&contact.channels_left, |writer, channel| {
                writer.word(*channel);
            });
        }
        if let Some(kept) = &contact.kept {
            put_text(self.body, &kept.kind);
            put_text(self.body, &kept.fields);
            if let Some(expires_at) = kept.expires_at {
                put_signed(self.body, expires_at);
            }
        }
    }

    fn pending(&mut self, all: &[Pending]) {
        if all.is_empty() {
            return;
        }
        put_count(self.body, all.len());
        for (at, pending) in all.iter().enumerate() {
            self.body.extend_from_slice(&pending.entry.0);
            self.word(pending.rule);
            put_signed(self.body, pending.due);
            put_signed(self.body, pending.entered);
            put_number(self.body, pending.step.into());
            self.body.push(code(&Wait::ALL, pending.wait));
            // Rules that wait for the sake of the same event share it.
            let same = all[..at].iter().position(|p| p.trigger == pending.trigger);
            put_count(self.body, same.map_or(0, |at| at + 1));
            if same.is_none() {
                self.trigger(&pending.trigger);
            }
        }
    }

    fn trigger(&mut self, trigger: &Remembered) {
        put_text(self.body, &trigger.id);
        put_text(self.body, &trigger.source);
        self.word(self.names.intern(&trigger.kind));
        put_signed(self.body, trigger.time);
        put_number(self.body, trigger.sequence);
        self.body.push(trigger.traceparent.is_some().into());
        if let Some(context) = &trigger.traceparent {
            put_text(self.body, context);
        }
        put_text(self.body, &trigger.data);
    }
}

/// What 48 bits cannot tell stands in a row.
fn entry_bytes(entry: EntryRef<'_>, shape: u32) -> [u8; ENTRY_BYTES] {
    let six = |number: i64| number.clamp(SIX_MIN, SIX_MAX).cast_unsigned();
    let time = six(entry.time());
    let amount = six(entry.amount().ten_thousandths());
    let parts = [
        entry.fingerprint(),
        time << 16 >> 16 | amount << 48,
        amount << 16 >> 32 | u64::from(shape) << 32,
    ];
    let mut bytes = [0; ENTRY_BYTES];
    for (slot, part) in bytes.as_chunks_mut().0.iter_mut().zip(parts) {
        *slot = part.to_le_bytes();
    }
    bytes
}

fn bits<const N: usize>(which: [(u8, bool); N]) -> u8 {
    let set = which.into_iter().filter(|(_, is_set)| *is_set);
    set.fold(0, |bits, (bit, _)| bits | bit)
}

const fn truth_code(truth: bool) -> u8 {
    if truth { value::TRUE } else { value::FALSE }
}

/// The place of a value in a table of all.
fn code<T: PartialEq>(table: &[T], value: T) -> u8 {
    let place = table.iter().position(|known| *known == value);
    let code = place.and_then(|place| u8::try_from(place).ok());
    code.expect("invariant: the table has every value, and fewer than 256")
}
