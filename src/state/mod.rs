//! What the engine knows, in memory. Of each customer: profile, balances, contacts, what waits, and the
//! journal over which every window is a query. Of each rule: what its budget has spent.
//!
//! There may be ten million customers, so what they share (words, shapes of journal entries) is kept once
//! under a number, and what a customer does not have takes no room. [`CustomerEncoder`] and
//! [`CustomerDecoder`] turn customers into bytes and back, [`export`] into JSON for people.

mod codec;
mod contacts;
mod customer;
mod customers;
pub mod export;
mod grants;
mod holding;
mod items;
mod journal;
mod ledger;
mod list;
mod names;
mod numbers;
mod pending;
mod planning;
mod profile;
mod shape;
mod shapes;
mod spending;
mod table;
mod window;

pub use codec::{CODEC_VERSION, CodecError, CustomerDecoder, CustomerEncoder};
pub use contacts::{Contact, Contacts, DecisionId, Delivery, FALLBACK_HORIZON, KeptBody, Outcomes};
pub use customer::{Applied, Customer, JournalLimits};
pub use customers::Customers;
pub use grants::{
    Answer, Claim, ClaimKind, Entry as GrantsEntry, Epochs, Grant, Plan, Record as GrantRecord,
    Sight, Terms as GrantTerms,
};
pub use items::{Answer as WindowAnswer, Item, ItemOf, Question};
pub use journal::{Entries, Entry, EntryRef, Journal, KeptValue};
pub use ledger::{AccountKey, Draw, Drawn, Ledger, Limits, Turns, Want};
pub use list::ThinList;
pub use names::{Name, Names};
pub use pending::{Pending, Remembered, Wait};
pub use profile::{Attribute, Profile};
pub use shape::{EntryPhase, Shape, ShapeClass, ShapeId};
pub use spending::{Spending, SpentAccount};
pub use window::{Distinct, Filter, FilterField, FilterValue, View, Window};
