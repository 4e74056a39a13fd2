//! What worked: decisions, outcomes and conversions of a period, added up. Pure: a fold over what the log
//! says, so that it can be made again for any period and needs nothing that an engine has in memory.
//!
//! In flow order: [`fact`] is what it takes, read from the log and (who customers are, [`profile`]) from events; [`fold`] keeps it by rule and
//! journey; [`people`] are the customers behind a rule, each counted once; [`figures`], [`uplift`],
//! [`over_time`], [`traits`], [`sizes`] and [`attribution`] are what is made of them; [`model`] is the report, and
//! [`table`], [`csv`] and [`picture`] show it.

pub mod attribution;
pub mod csv;
pub mod fact;
pub mod figures;
pub mod fold;
mod make;
pub mod model;
pub mod over_time;
pub mod people;
pub mod picture;
pub mod profile;
mod sizes;
pub mod table;
pub mod traits;
mod units;
pub mod uplift;

#[cfg(test)]
mod tests;

pub use fact::{Fact, Side};
pub use fold::{Fold, Period};
pub use make::{Plan, Planned};
pub use model::Report;

pub use crate::terms::AttributionModel as Model;
