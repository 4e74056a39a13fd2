//! Bytes to a customer.

use super::bytes::{Fault, Reader};
use super::{CUSTOMER, CodecError, ENTRY_BYTES, PHASES, SHAPE, WORD, contact, more, part, value};
use crate::clock::Millis;
use crate::money::Money;
use crate::partitioning::CustomerId;
use crate::state::contacts::{Contact, Contacts, DecisionId, Delivery, KeptBody, Outcomes};
use crate::state::customer::{Account, Customer};
use crate::state::journal::{Journal, KeptValue, Packed, Row};
use crate::state::list::ThinList;
use crate::state::names::{Name, Names};
use crate::state::pending::{Pending, Remembered, Wait};
use crate::state::profile::{Attribute, Dated, Items, Profile};
use crate::state::shape::{Shape, ShapeId};
use std::sync::Arc;

/// Reads what the encoder wrote, in the same order.
///
/// Whatever the bytes, it does not panic, and takes memory in proportion to them. It sees that a customer
/// is whole, not that it is the one who was written: that is for the file's checksum.
#[derive(Debug, Default)]
pub struct CustomerDecoder {
    words: Vec<Name>,
    shapes: Vec<ShapeId>,
    /// Records read.
    records: u64,
}

impl CustomerDecoder {
    /// A decoder for a new stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next customer, interning its words in `names`; `input` is advanced behind it. `Ok(None)` at the
    /// end of input.
    ///
    /// # Errors
    /// When the bytes are not what the encoder wrote; the rest of the stream is lost then.
    pub fn decode(
        &mut self,
        input: &mut &[u8],
        names: &Names,
    ) -> Result<Option<(CustomerId, Customer)>, CodecError> {
        let mut reader = Reader(input);
        let mut found = None;
        while found.is_none() && !reader.is_empty() {
            found = self.record(&mut reader, names).map_err(|what| CodecError {
                record: self.records,
                what,
            })?;
            self.records += 1;
        }
        *input = reader.0;
        Ok(found)
    }

    fn record(
        &mut self,
        reader: &mut Reader<'_>,
        names: &Names,
    ) -> Result<Option<(CustomerId, Customer)>, Fault> {
        match reader.byte()? {
            WORD => self.words.push(names.intern(reader.text()?)),
            SHAPE => {
                let shape = self.shape(reader)?;
                self.shapes.push(names.intern_shape(shape));
            }
            CUSTOMER => {
                let length = reader.count(1)?;
                let mut part = Part {
                    decoder: self,
                    names,
                    reader: Reader(reader.take(length)?),
                };
                let customer = part.customer()?;
                if !part.reader.is_empty() {
                    return Err("a customer is followed by bytes that mean nothing");
                }
                return Ok(Some(customer));
            }
            _ => return Err("it is no word, no shape and no customer"),
        }
        Ok(None)
    }

    fn shape(&self, reader: &mut Reader<'_>) -> Result<Shape, Fault> {
        let mut shape = Shape::of_kind(self.word(reader.place()?)?);
        for slot in [
            &mut shape.category,
            &mut shape.party,
            &mut shape.channel,
            &mut shape.means,
        ] {
            let number = reader.place()?.checked_sub(1);
            *slot = number.map(|number| self.word(number)).transpose()?;
        }
        shape.phase = one_of(&PHASES, reader.byte()?)?;
        Ok(shape)
    }

    fn word(&self, number: usize) -> Result<Name, Fault> {
        let word = self.words.get(number).copied();
        word.ok_or("it uses a word that was not defined")
    }
}

fn one_of<T: Copy>(table: &[T], code: u8) -> Result<T, Fault> {
    let value = table.get(usize::from(code)).copied();
    value.ok_or("a code stands for nothing")
}

fn delivery(held_out: bool, more: u8) -> Result<Delivery, Fault> {
    match (held_out, more & (more::CONTROL | more::SHADOW)) {
        (false, 0) => Ok(Delivery::Sent),
        (true, 0) => Ok(Delivery::Holdout),
        (false, more::CONTROL) => Ok(Delivery::Control),
        (false, more::SHADOW) => Ok(Delivery::Shadow),
        _ => Err("a contact was delivered in two ways"),
    }
}

/// The bytes of one customer, and what they refer to.
struct Part<'a> {
    decoder: &'a CustomerDecoder,
    names: &'a Names,
    reader: Reader<'a>,
}

impl<'a> Part<'a> {
    fn customer(&mut self) -> Result<(CustomerId, Customer), Fault> {
        let id = CustomerId::new(self.reader.text()?);
        let id = id.ok_or("a customer's id does not have 1 to 64 bytes")?;
        let mut customer = Customer::new(self.reader.signed()?);
        let parts = self.reader.bits(part::ALL)?;
        let has = |part: u8| parts & part != 0;
        let entries = self.entries()?;
        let edge = has(part::TRIMMED)
            .then(|| self.reader.signed())
            .transpose()?;
        let rows = match has(part::ROWS) {
            true => self.list(25, Self::row)?,
            false => Vec::new(),
        };
        let journal = Journal::from_parts(entries, rows, edge);
        customer.journal = journal.ok_or("a journal is not in order")?;
        if has(part::PROFILE) {
            customer.profile = Profile::of(self.profile()?);
        }
        if has(part::ACCOUNTS) {
            customer.accounts = self.list(17, Self::account)?.into();
        }
        if has(part::CONTACTS) {
            let contacts = Contacts::from_ordered(self.list(38, Self::contact)?);
            customer.contacts = contacts.ok_or("contacts are not in order")?;
        }
        if has(part::PENDING) {
            customer.pending = self.pending()?.into();
        }
        Ok((id, customer))
    }

    /// Items of at least so many bytes each.
    fn list<T>(
        &mut self,
        bytes_min: usize,
        item: impl Fn(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let count = self.reader.count(bytes_min)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn word(&mut self) -> Result<Name, Fault> {
        self.decoder.word(self.reader.place()?)
    }

    fn money(&mut self) -> Result<Money, Fault> {
        self.reader.signed().map(Money::from_ten_thousandths)
    }

    fn entries(&mut self) -> Result<Vec<Packed>, Fault> {
        let count = self.reader.count(ENTRY_BYTES)?;
        let bytes = self.reader.take(count * ENTRY_BYTES)?;
        let mut entries = Vec::with_capacity(count);
        let (parts, _) = bytes.as_chunks::<8>();
        for parts in parts.as_chunks::<3>().0 {
            let [fingerprint, time, amount] = parts.map(u64::from_le_bytes);
            let shape = self.decoder.shapes.get((amount >> 32) as usize);
            let shape = shape.ok_or("it uses a shape that was not defined")?;
            // Shifted to the top and back, the highest bit is the sign.
            let amount = (amount << 32 | time >> 48 << 16).cast_signed() >> 16;
            let time = (time << 16).cast_signed() >> 16;
            entries.push(Packed::new(fingerprint, time, amount, *shape));
        }
        Ok(entries)
    }

    fn row(&mut self) -> Result<Row, Fault> {
        Ok(Row {
            fingerprint: self.reader.unsigned()?,
            time: self.reader.signed()?,
            amount: self.money()?,
            kept: self.list(2, Self::kept)?.into(),
        })
    }

    fn kept(&mut self) -> Result<(Name, KeptValue), Fault> {
        let field = self.word()?;
        let kept = match self.reader.byte()? {
            value::FALSE => KeptValue::Bool(false),
            value::TRUE => KeptValue::Bool(true),
            value::DECIMAL => KeptValue::Number(self.reader.decimal()?),
            value::WORD => KeptValue::Text(self.word()?),
            _ => return Err("a kept field is of no type"),
        };
        Ok((field, kept))
    }

    fn profile(&mut self) -> Result<Items, Fault> {
        Ok(Items {
            attributes: self.list(10, |part| part.dated(Self::attribute))?.into(),
            segments: self.list(10, |part| part.dated(Self::flag))?.into(),
            consents: self.list(10, |part| part.dated(Self::flag))?.into(),
            reachable: self.list(10, |part| part.dated(Self::flag))?.into(),
            time_zone: self.slot()?,
            locale: self.slot()?,
        })
    }

    fn dated<T>(
        &mut self,
        value: impl Fn(&mut Self) -> Result<T, Fault>,
    ) -> Result<Dated<T>, Fault> {
        Ok(Dated {
            name: self.word()?,
            time: self.reader.signed()?,
            value: value(self)?,
        })
    }

    fn flag(&mut self) -> Result<bool, Fault> {
        self.reader.flag()
    }

    fn attribute(&mut self) -> Result<Option<Attribute>, Fault> {
        Ok(Some(match self.reader.byte()? {
            value::NULL => return Ok(None),
            value::FALSE => Attribute::Bool(false),
            value::TRUE => Attribute::Bool(true),
            value::INT => Attribute::Int(self.reader.signed()?),
            value::DECIMAL => Attribute::Decimal(self.reader.decimal()?),
            value::TEXT => Attribute::Text(self.reader.text()?.into()),
            _ => return Err("an attribute is of no type"),
        }))
    }

    fn slot(&mut self) -> Result<Option<(Millis, Name)>, Fault> {
        if !self.reader.flag()? {
            return Ok(None);
        }
        let name = self.word()?;
        Ok(Some((self.reader.signed()?, name)))
    }

    fn account(&mut self) -> Result<Account, Fault> {
        Ok(Account {
            name: self.word()?,
            balance: self.money()?,
            time: self.reader.signed()?,
        })
    }

    fn contact(&mut self) -> Result<Contact, Fault> {
        let bits = self.reader.bits(contact::ALL)?;
        let has = |bit: u8| bits & bit != 0;
        let more = match has(contact::MORE) {
            true => self.reader.bits(more::ALL)?,
            false => 0,
        };
        let outcomes = Outcomes::from_bits(self.reader.byte()?);
        let id = DecisionId(self.reader.sixteen()?);
        let entry = match has(contact::LATER) {
            true => DecisionId(self.reader.sixteen()?),
            false => id,
        };
        let mut contact = Contact {
            id,
            entry,
            rule: self.word()?,
            variant: self.word()?,
            channel: self.word()?,
            at: self.reader.signed()?,
            time: self.reader.signed()?,
            step: self.reader.small()?,
            code: has(contact::CODE).then(|| self.word()).transpose()?,
            value: has(contact::VALUE).then(|| self.money()).transpose()?,
            cost: has(contact::COST).then(|| self.money()).transpose()?,
            delivery: delivery(has(contact::HOLDOUT), more)?,
            scene: None,
            household: None,
            fallback_of: None,
            channels_left: ThinList::default(),
            kept: None,
            converted: has(contact::CONVERTED),
            outcomes: outcomes.ok_or("a bit is set for an outcome that there is not")?,
        };
        self.more_of_contact(more, &mut contact)?;
        Ok(contact)
    }

    fn more_of_contact(&mut self, bits: u8, contact: &mut Contact) -> Result<(), Fault> {
        let has = |bit: u8| bits & bit != 0;
        if has(more::SCENE) {
            contact.scene = Some(self.word()?);
        }
        if has(more::HOUSEHOLD) {
            contact.household = Some(self.word()?);
        }
        if has(more::FALLBACK) {
            contact.fallback_of = Some(DecisionId(self.reader.sixteen()?));
        }
        if has(more::CHANNELS_LEFT) {
            contact.channels_left = self.list(1, Self::word)?.into();
        }
        if has(more::KEPT) {
            contact.kept = Some(Arc::new(KeptBody {
                kind: self.reader.text()?.into(),
                fields: self.reader.text()?.into(),
                expires_at: match has(more::KEPT_EXPIRES) {
                    true => Some(self.reader.signed()?),
                    false => None,
                },
            }));
        } else if has(more::KEPT_EXPIRES) {
            return Err("nothing is kept that could expire");
        }
        Ok(())
    }

    fn pending(&mut self) -> Result<Vec<Pending>, Fault> {
        let count = self.reader.count(36)?;
        let mut all: Vec<Pending> = Vec::with_capacity(count);
        for _ in 0..count {
            let entry = DecisionId(self.reader.sixteen()?);
            let rule = self.word()?;
            let due = self.reader.signed()?;
            let entered = self.reader.signed()?;
            let step = self.reader.small()?;
            let wait = one_of(&Wait::ALL, self.reader.byte()?)?;
            let trigger = match self.reader.place()?.checked_sub(1) {
                None => Arc::new(self.trigger()?),
                Some(at) => {
                    let same = all.get(at).map(|same| same.trigger.clone());
                    same.ok_or("something waits for the sake of nothing")?
                }
            };
            all.push(Pending {
                entry,
                rule,
                due,
                step,
                wait,
                entered,
                trigger,
            });
        }
        Ok(all)
    }

    fn trigger(&mut self) -> Result<Remembered, Fault> {
        Ok(Remembered {
            id: self.reader.text()?.into(),
            source: self.reader.text()?.into(),
            kind: self.word().map(|kind| self.names.word(kind))?,
            time: self.reader.signed()?,
            sequence: self.reader.number()?,
            traceparent: match self.reader.flag()? {
                true => Some(self.reader.text()?.into()),
                false => None,
            },
            data: self.reader.text()?.into(),
        })
    }
}
