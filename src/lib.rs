//! Onscene: a real-time scene-marketing engine. Events about customers come in from NATS, rules in Rhai
//! are evaluated against customers' state in memory, and actions go out while the moment lasts.
//!
//! An event's way, and the modules in the order in which it meets them:
//!
//! 1. [`nats`] reads one partition's events in stream order, each once ([`partitioning`] says which
//!    customer belongs where).
//! 2. [`decode`] turns bytes into an [`event`], with [`money`] exact, or into a reason for the dead
//!    letters.
//! 3. [`partition`] steps it, purely: the event goes into the customer's [`state`]; each of the
//!    [`rules`] that listen says whether it wants to speak; [`policy`] says, by the rule's
//!    [`terms`], which may; and what comes out are decisions, the vocabulary of [`action`].
//! 4. [`durable`] is the log's side of it: what is written, and how state is put together again.
//! 5. [`nats`] commits the decisions on the partition's chain.
//!
//! What became of an event, and why, says [`explain`].
//!
//! Around them: [`audit`] shows whether anybody has touched what was decided, [`engine`] wires and owns the tasks, [`registry`] swaps generations of rules,
//! [`governance`] says who may change what and keeps what was changed,
//! [`replay`] runs the same step offline, [`rule_tests`] plays tests of rules on it, [`simulate`] makes traffic, [`http`], [`telemetry`] and
//! [`replay`] runs the same step offline, [`backtest`] compares what other rules would have said, [`rule_tests`] plays tests of rules on it, [`simulate`] makes traffic, [`http`], [`telemetry`] and
//! [`health`] show what is going on, [`config`] and [`cli`] take orders, and [`clock`] is the only
//! place that knows what time it is.
//!
//! Afterwards, [`measurement`] reads and [`report`] adds up what worked, and [`statistics`] says what was not seen by chance.

pub mod action;
pub mod audit;
pub mod backtest;
pub mod cli;
pub mod clock;
pub mod config;
pub mod decode;
pub mod durable;
pub mod engine;
pub mod event;
pub mod explain;
pub mod governance;
pub mod health;
pub mod http;
pub mod measurement;
pub mod money;
pub mod nats;
pub mod partition;
pub mod partitioning;
pub mod policy;
pub mod registry;
pub mod replay;
pub mod report;
pub mod rule_tests;
pub mod rules;
pub mod schema;
pub mod simulate;
pub mod state;
pub mod statistics;
pub mod telemetry;
pub mod terms;
