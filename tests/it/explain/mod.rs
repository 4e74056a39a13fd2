//! Why and why not: conditions taken apart, and what became of events, live and put together again.

mod agrees;
mod command;
mod conditions;
mod households;
mod shown;
