//! Rule files: the only place that knows Rhai. Files are read ([`sources`]), compiled in a sandbox
//! ([`sandbox`], [`api`]), their `RULE` maps checked ([`header`]), and put together as one immutable
//! [`RuleSet`]; whatever is wrong comes out as [`Diagnostic`]s.

mod api;
mod diagnostic;
mod header;
mod moment;
mod record;
mod rule;
mod sandbox;
mod set;
mod sources;
mod subset;
mod waiting;

pub use diagnostic::{Diagnostic, did_you_mean, render};
pub use moment::{EventView, Moment, PastDecision, Standing, Subject};
pub use rule::{Function, Rule, RuleError};
pub use set::RuleSet;
pub use sources::{Source, Sources, SourcesError};
