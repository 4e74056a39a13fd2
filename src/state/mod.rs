//! What the engine knows of each customer, in memory: profile, balances, contacts, and the journal
//! over which every window is a query.

mod contacts;
mod customer;
mod customers;
mod journal;
mod names;
mod profile;
mod window;

pub use contacts::{Contact, Contacts, DecisionId};
pub use customer::{Applied, Customer, JournalLimits};
pub use customers::Customers;
pub use journal::{Entry, EntryPhase, Journal, KeptValue};
pub use names::{Name, Names};
pub use profile::{Attribute, Profile};
pub use window::{Distinct, Filter, FilterField, FilterValue, View, Window};
