//! The command line: arguments to calls, results to exit codes.
//!
//! Exit codes: 0 done; 1 it failed, or found what it was asked to find (faulty rules, refused
//! events); 2 the arguments or the configuration are wrong.

mod approval;
mod audit;
mod backtest;
mod check;
mod demo;
mod dlq;
mod explain;
mod history;
mod import;
mod new;
mod place;
mod replay;
mod report;
mod rollback;
mod run;
mod runtime;
mod schema;
mod settings;
mod simulate;
mod state;
mod switch;
mod test;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Real-time scene marketing: events in from NATS, Rhai rules, offers out in milliseconds.
#[derive(Debug, Parser)]
#[command(name = "onscene", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  onscene run --nats nats://127.0.0.1:4222     the engine
  onscene new coffee/third-visit               a rule to begin from, with tests
  onscene check rules                          are the rule files sound?
  onscene test rules                           do their tests pass?
  onscene replay --rules rules history.ndjson  what would the rules have said?";

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything on one machine, with simulated customers.
    Demo(demo::Demo),
    /// Run the engine.
    Run(run::Run),
    /// Compile the rule files and say what is wrong with them.
    Check(check::Check),
    /// Run the tests of rules.
    Test(test::Test),
    /// Write a new rule with its tests, to begin from.
    New(new::New),
    /// Run history through the engine, offline: NDJSON CloudEvents in, actions out.
    Replay(replay::Replay),
    /// Try rules on history: who would newly get, lose or change an offer?
    Backtest(backtest::Backtest),
    /// Load profiles and history into the state, without any rule answering them.
    Import(import::Import),
    /// What worked: what was sent, what came of it, and what would be missing without it.
    Report(report::Report),
    /// Why, and why not: what became of one event of a customer, rule by rule.
    Explain(explain::Explain),
    /// Events that were refused: list them, or send them again.
    Dlq(dlq::Dlq),
    /// What the checkpoints hold: one customer, all of them, and whether the files are sound.
    State(state::State),
    /// What was decided, exported so that it shows whether anybody has touched it.
    Audit(audit::Audit),
    /// Pause rules at once, let them decide without sending, and see who did.
    Switch(switch::Switch),
    /// Submit the text of a rule that asks for approval, look at it, and approve it.
    Approval(approval::Approvals),
    /// Which rules went live when, in how many engines, why, and which files changed.
    History(history::History),
    /// Go back to rules that were live before, in every engine, until it is released.
    Rollback(rollback::Rollback),
    /// Print the contracts for machines: AsyncAPI, and JSON Schema of events and actions.
    Schema(schema::Schema),
    /// Publish the traffic of simulated customers to NATS.
    Simulate(simulate::Simulate),
}

/// Parses the arguments and runs the command.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Demo(command) => command.run(),
        Command::Run(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Test(command) => command.run(),
        Command::New(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Backtest(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Report(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Dlq(command) => command.run(),
        Command::State(command) => command.run(),
        Command::Audit(command) => command.run(),
        Command::Switch(command) => command.run(),
        Command::Approval(command) => command.run(),
        Command::History(command) => command.run(),
        Command::Rollback(command) => command.run(),
        Command::Schema(command) => command.run(),
        Command::Simulate(command) => command.run(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        let is_usage = error.is::<crate::config::ConfigError>() || error.is::<import::Usage>();
        ExitCode::from(if is_usage { 2 } else { 1 })
    })
}
