//! What the engine knows, in memory. Of each customer: profile, balances, contacts, what waits, and the
//! journal over which every window is a query. Of each rule: what its budget has spent.

mod contacts;
mod customer;
mod customers;
mod grants;
mod holding;
mod journal;
mod ledger;
mod names;
mod pending;
mod planning;
mod profile;
mod spending;
mod window;

pub use contacts::{Contact, Contacts, DecisionId, Outcomes};
pub use customer::{Applied, Customer, JournalLimits};
pub use customers::Customers;
pub use grants::{
    Answer, Claim, ClaimKind, Entry as GrantsEntry, Epochs, Grant, Plan, Record as GrantRecord,
    Sight, Terms as GrantTerms,
};
pub use journal::{Entry, EntryPhase, Journal, KeptValue};
pub use ledger::{AccountKey, Draw, Drawn, Ledger, Limits, Want};
pub use names::{Name, Names};
pub use pending::{Pending, Remembered, Wait};
pub use profile::{Attribute, Profile};
pub use spending::{Spending, SpentAccount};
pub use window::{Distinct, Filter, FilterField, FilterValue, View, Window};
