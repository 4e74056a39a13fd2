//! Rules on history: reproducible, equal to what was decided when the rules are equal, and honest about why not.

mod desk;
mod golden;
mod live;
mod races;

use std::path::Path;
use std::process::{Command, Output};

use crate::kit::onscene;

/// A rule on checkouts, with further terms, a condition, and what it costs.
fn rule(terms: &str, condition: &str, code: &str, cost: &str) -> String {
    format!(
        "const RULE = #{{ on: \"merchant.checkout\", channels: [\"push\"], {terms} }};\n\
         fn when(event, customer) {{ {condition} }}\n\
         fn action(event, customer) {{ #{{ kind: \"offer\", code: \"{code}\", value: event.amount / 10, cost: {cost} }} }}\n"
    )
}

fn write(folder: &Path, files: &[(&str, String)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// Runs `onscene backtest` in a folder of its own.
fn backtest(folder: &Path, arguments: &[&str]) -> Output {
    let mut command: Command = onscene();
    command.arg("backtest").args(arguments).current_dir(folder);
    command.output().unwrap()
}

/// What it found, as JSON.
fn findings(folder: &Path, arguments: &[&str]) -> serde_json::Value {
    let output = backtest(folder, &[arguments, &["--format", "json"]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}
