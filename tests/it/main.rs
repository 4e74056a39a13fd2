//! Tests that need a lot of room: one binary with modules, a real nats-server, and a shared kit.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(
    clippy::disallowed_methods,
    reason = "tests wait for an engine in another process, and measure how long"
)]

mod allocations;
mod audit;
mod backtest;
mod budgets;
mod checkpoints;
mod checks;
mod contact_policy;
mod crash;
mod decide;
mod desk_commands;
mod documents;
mod examples;
mod experiments;
mod explain;
mod gate;
mod governance;
mod grants;
mod history;
mod hostile_rules;
mod import;
mod kit;
mod later;
mod malformed;
mod metrics;
mod mutants;
mod nats_layer;
mod refused;
mod reload;
mod report;
mod rule_tests;
mod sandbox;
mod scenes;
mod state;
mod tidy;
mod tutorial;
mod waiting;
mod windows;
