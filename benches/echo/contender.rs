//! Who is measured: a process that answers events until its standard input is closed.

use crate::Arguments;
use crate::broker::{ACTIONS_FILTER, Broker, ECHO_LIVE, ECHO_STREAM, ECHO_SUBJECT};
use anyhow::Context as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// How long a contender may take to start, or to stop.
const PATIENCE: Duration = Duration::from_secs(20);
/// Ticks of `/proc/<pid>/stat`, per second.
const TICKS: f64 = 100.0;

/// What a contender does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    Bare,
    Plain,
    Fair,
    Engine,
}

/// One contender.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) role: Role,
    program: PathBuf,
    pub(crate) settings: Vec<String>,
}

impl Contender {
    /// All that take part, in the order of the report.
    pub(crate) fn all(arguments: &Arguments) -> anyhow::Result<Vec<Self>> {
        let program = std::env::current_exe().context("could not find this program")?;
        let contender = |name: &str, role, program: &PathBuf| Self {
            name: name.to_owned(),
            role,
            program: program.clone(),
            settings: arguments.settings.clone(),
        };
        let mut all: Vec<Self> = arguments
            .contenders
            .iter()
            .map(|role| match role {
                Role::Bare => contender("bare echo", *role, &program),
                Role::Plain => contender("plain echo", *role, &program),
                Role::Fair => contender("fair echo", *role, &program),
                Role::Engine => contender("engine", *role, &program),
            })
            .collect();
        if let Some(other) = &arguments.against {
            all.push(contender("other build's engine", Role::Engine, other));
        }
        Ok(all)
    }

    /// Stream and filter of its answers.
    pub(crate) fn answers(&self) -> (&'static str, &'static str) {
        match self.role {
            Role::Bare | Role::Plain => (ECHO_STREAM, ECHO_SUBJECT),
            Role::Fair | Role::Engine => ("SCENE_ACTIONS", ACTIONS_FILTER),
        }
    }

    /// Where its answers are republished.
    pub(crate) fn live(&self) -> &'static str {
        match self.role {
            Role::Bare | Role::Plain => ECHO_LIVE,
            Role::Fair | Role::Engine => "scene.live.push.>",
        }
    }

    /// Starts it. `first` is the sequence of the first event; the echoes answer it and every `every`th.
    pub(crate) fn start(&self, broker: &Broker, first: u64, every: u64) -> anyhow::Result<Process> {
        let role = format!("{:?}", self.role).to_lowercase();
        let settings = self.settings.iter().flat_map(|setting| ["--set", setting]);
        let child = Command::new(&self.program)
            .args(["--role", &role, "--nats", &broker.url()])
            .args(["--first", &first.to_string(), "--every", &every.to_string()])
            .args(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not start {}", self.program.display()))?;
        Ok(Process { child })
    }
}

/// A running contender; killed on drop.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Waits until it says that it has caught up.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<()> {
        let output = self.child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(output).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        match line.context("it never became ready")?? {
            Some(line) if line == "ready" => Ok(()),
            other => anyhow::bail!("it said {other:?} instead of being ready"),
        }
    }

    /// Tells it to end, and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = ended.context("it did not end")??;
        anyhow::ensure!(status.success(), "it ended with {status}");
        Ok(())
    }
}

/// Processor time that a process has used, in seconds; not a number where `/proc` does not tell.
pub(crate) fn processor_seconds(pid: u32) -> f64 {
    let ticks = || -> Option<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold blanks; user and system time are fields 14 and 15.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let user: f64 = fields.next()?.parse().ok()?;
        let system: f64 = fields.next()?.parse().ok()?;
        Some(user + system)
    };
    ticks().map_or(f64::NAN, |ticks| ticks / TICKS)
}
