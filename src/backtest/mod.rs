//! History through the same partitions as live events, under other rules, compared with what was decided or with a
//! second set of rules.
//!
//! In the order of the way: [`start`] says what was known before the period; [`stream`] and [`files`] give out
//! history in the order of the stream; [`crew`] deals it out to threads, each of which takes some [`lane`]s (partitions)
//! through it; [`precedents`] is what the log says of draws and broadcasts that were decided before by the same rules, and
//! [`turns`] lets all others draw on budgets and share out broadcasts in one order, so that the number of threads
//! changes nothing; [`comparison`] finds what differs, [`causes`] why as far as the log tells, [`tally`] counts, and
//! [`summary`] puts it together into a [`report`].

mod causes;
mod comparison;
mod crew;
mod exchange;
mod files;
mod lane;
mod precedents;
mod report;
mod run;
mod start;
mod stream;
mod summary;
mod tally;
mod told;
mod turns;
mod worker;

pub use causes::Cause;
pub use report::{
    Budget, Change, Customers, Difference, Differences, Events, Figures, Pressure, Report,
    RuleLine, Sides, Told, Verdicts,
};
pub use run::{BacktestError, Progress, Setup, files, stream};
