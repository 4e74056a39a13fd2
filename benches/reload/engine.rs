//! The engine as a process of its own, whose log is read as it is written.

use anyhow::{Context as _, bail};
use onscene::clock::monotonic_now;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// How long anything may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running engine; killed on drop.
pub(crate) struct Engine {
    child: Child,
    lines: mpsc::UnboundedReceiver<(Instant, String)>,
}

impl Engine {
    /// Starts it, and waits until it runs.
    pub(crate) async fn start(folder: &Path, nats: &str, rules: &Path) -> anyhow::Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_onscene"))
            .args(["run", "--nats", nats, "--http", "127.0.0.1:0", "--rules"])
            .arg(rules)
            .arg("--data")
            .arg(folder.join("data"))
            .current_dir(folder)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("could not start the engine")?;
        let mut log = BufReader::new(child.stderr.take().context("it has no log")?).lines();
        let (sender, lines) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = log.next_line().await {
                // Nobody listens any more when the engine was stopped.
                let _ = sender.send((monotonic_now(), line));
            }
        });
        let mut engine = Self { child, lines };
        engine.said("engine started").await?;
        Ok(engine)
    }

    /// Waits until another generation is live, and tells when it was.
    pub(crate) async fn swapped(&mut self) -> anyhow::Result<Instant> {
        self.said("rules swapped").await
    }

    async fn said(&mut self, wanted: &str) -> anyhow::Result<Instant> {
        let mut before = String::new();
        loop {
            let line = tokio::time::timeout(PATIENCE, self.lines.recv()).await;
            let line = line.with_context(|| format!("it never said `{wanted}`:\n{before}"))?;
            let Some((at, line)) = line else {
                bail!("the engine has ended:\n{before}");
            };
            if line.contains(wanted) {
                return Ok(at);
            }
            before.push_str(&line);
            before.push('\n');
        }
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().context("the engine has ended")?.to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "the engine ended with {status}");
        Ok(())
    }
}
