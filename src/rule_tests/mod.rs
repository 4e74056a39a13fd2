//! Rule tests: `<rule>.test.toml` beside its rule. A file is read with every place kept
//! ([`document`], [`times`], [`read`], [`read_event`], [`expect`]) into a [`model`]; each test becomes a [`script`]
//! of events as a producer would send them, is put through the engine itself ([`play`]), and what
//! came out is held against what was expected ([`compare`], [`explain`], [`report`]). [`suite`] does
//! so for a folder. [`coverage`] and [`mutation`] say how much the tests would notice, and [`gate`]
//! whether rules may go live.

mod compare;
mod coverage;
mod document;
mod expect;
mod explain;
mod gate;
mod model;
mod mutation;
mod play;
mod read;
mod read_event;
mod report;
mod script;
mod suite;
mod times;

pub use compare::Row;
pub use coverage::{Coverage, coverage};
pub use explain::Reason;
pub use gate::gate;
pub use model::{Test, TestFile};
pub use mutation::{Fate, Mutation, score};
pub use read::rule_of;
pub use script::Environment;
pub use suite::{Failure, TestResult, Workplace, check, read, run};
