//! `rules/policy.toml`: what stands between every rule and a customer. One file for each of its tables; a
//! new one is a name in `TABLES` of [`policy`], a field of [`ContactPolicy`] and a line in `tables`.

mod arbitration;
mod attribution;
mod channels;
mod consent;
mod control_group;
mod exclusions;
mod household;
mod limit;
mod lists;
mod policy;
mod quiet_hours;
mod reader;

pub use arbitration::Arbitration;
pub use attribution::AttributionModel;
pub use channels::ChannelOrder;
pub use consent::ConsentDefaults;
pub use control_group::ControlGroup;
pub use exclusions::Exclusions;
pub use household::Household;
pub use limit::{Limit, Per, Scope};
pub use lists::{CustomerList, Lists};
pub use policy::{ContactPolicy, Surroundings};
pub use quiet_hours::QuietHours;
pub use reader::{Mention, PolicyError, Subject};
