//! A customer to bytes.

use super::bytes::{put_count, put_decimal, put_number, put_signed, put_text};
use super::{CUSTOMER, PHASES, SHAPE, WORD, contact, part, value};
use crate::clock::Millis;
use crate::money::Money;
use crate::partitioning::CustomerId;
use crate::state::contacts::Contact;
use crate::state::customer::Customer;
use crate::state::journal::{Journal, KeptValue, Row};
use crate::state::names::{Name, Names};
use crate::state::pending::{Pending, Remembered, Wait};
use crate::state::profile::{Attribute, Dated, Items};
use crate::state::shape::ShapeId;

/// Writes customers; a word or shape is defined in the stream, in line, before its first use.
///
/// The bytes depend on the customers and their order alone, not on the numbers that words have in memory.
#[derive(Debug, Default)]
pub struct CustomerEncoder {
    words: Numbers,
    shapes: Numbers,
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

/// The stream's numbers of words or of shapes, by their numbers in memory.
#[derive(Debug, Default)]
struct Numbers {
    /// The stream's number plus one; zero for what was not defined.
    given: Vec<u32>,
    count: u32,
}

impl Numbers {
    fn known(&self, index: usize) -> Option<u32> {
        self.given.get(index)?.checked_sub(1)
    }

    fn give(&mut self, index: usize) -> u32 {
        if self.given.len() <= index {
            self.given.resize(index + 1, 0);
        }
        let number = self.count;
        self.count += 1;
        self.given[index] = self.count;
        number
    }
}

struct Writer<'a> {
    words: &'a mut Numbers,
    shapes: &'a mut Numbers,
    names: &'a Names,
    definitions: &'a mut Vec<u8>,
    body: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn customer(&mut self, id: &CustomerId, customer: &Customer) {
        let (_, rows) = customer.journal.parts();
        let profile = customer.profile.items();
        let contacts = customer.contacts.all();
        let parts = [
            (part::TRIMMED, customer.journal.trimmed_until().is_some()),
            (part::ROWS, !rows.is_empty()),
            (part::PROFILE, profile.is_some()),
            (part::ACCOUNTS, !customer.accounts.is_empty()),
            (part::CONTACTS, !contacts.is_empty()),
            (part::PENDING, !customer.pending.is_empty()),
        ];
        put_text(self.body, id.as_str());
        put_signed(self.body, customer.first_seen);
        self.body.push(bits(parts));
        self.journal(&customer.journal);
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
        let number = self.words.known(name.index()).unwrap_or_else(|| {
            self.definitions.push(WORD);
            put_text(self.definitions, self.names.text(name));
            self.words.give(name.index())
        });
        number.into()
    }

    fn word(&mut self, name: Name) {
        let number = self.number_of_word(name);
        put_number(self.body, number);
    }

    fn shape(&mut self, id: ShapeId) -> u32 {
        let index = id.0 as usize;
        if let Some(number) = self.shapes.known(index) {
            return number;
        }
        let shape = *self.names.shape(id);
        let kind = self.number_of_word(shape.kind);
        let others = [shape.category, shape.party, shape.channel, shape.means]
            .map(|word| word.map_or(0, |name| self.number_of_word(name) + 1));
        self.definitions.push(SHAPE);
        put_number(self.definitions, kind);
        for other in others {
            put_number(self.definitions, other);
        }
        self.definitions.push(code(&PHASES, shape.phase));
        self.shapes.give(index)
    }

    fn journal(&mut self, journal: &Journal) {
        let (packed, _) = journal.parts();
        put_count(self.body, packed.len());
        self.body.reserve(size_of_val(packed));
        for entry in packed {
            let shape = ShapeId(self.shape(entry.shape()));
            for part in entry.with_shape(shape).0 {
                self.body.extend_from_slice(&part.to_le_bytes());
            }
        }
        if let Some(edge) = journal.trimmed_until() {
            put_signed(self.body, edge);
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
        self.body.push(bits([
            (contact::HOLDOUT, contact.holdout),
            (contact::CONVERTED, contact.converted),
            (contact::LATER, later),
            (contact::CODE, contact.code.is_some()),
            (contact::VALUE, contact.value.is_some()),
            (contact::COST, contact.cost.is_some()),
        ]));
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
