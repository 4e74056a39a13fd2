//! The engine as a process of its own.

use crate::PATIENCE;
use crate::load::Load;
use anyhow::{Context as _, bail};
use onscene::clock::monotonic_now;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};

const POLL: Duration = Duration::from_millis(10);

/// A running engine; killed on drop.
pub(crate) struct Engine {
    child: Child,
    started: Instant,
    log: PathBuf,
}

impl Engine {
    /// Starts it; `interval` is that of checkpoints, in seconds.
    pub(crate) fn start(folder: &Path, nats: &str, interval: u64) -> anyhow::Result<Self> {
        let log = folder.join("engine.log");
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/rules");
        let child = Command::new(env!("CARGO_BIN_EXE_onscene"))
            .args(["run", "--nats", nats, "--http", "127.0.0.1:0", "--rules"])
            .arg(rules)
            .arg("--data")
            .arg(folder.join("data"))
            .env("ONSCENE_CHECKPOINTS_INTERVAL_S", interval.to_string())
            .current_dir(folder)
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()
            .context("could not start the engine")?;
        Ok(Self {
            child,
            started: monotonic_now(),
            log,
        })
    }

    /// Waits until it says that it is ready, and tells how long that took.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<Duration> {
        self.until(|engine| Ok(engine.get("/readyz")?.starts_with("HTTP/1.1 200")))
            .await?;
        Ok(self.started.elapsed())
    }

    /// Waits until it has read everything that was published.
    pub(crate) async fn caught_up(&mut self, load: &Load) -> anyhow::Result<()> {
        let published = load.since_start() as f64;
        let series = "onscene_events_total{type=\"merchant.checkout\"}";
        self.until(|engine| Ok(engine.metric(series)? >= published))
            .await
    }

    async fn until(
        &mut self,
        mut holds: impl FnMut(&Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let begun = monotonic_now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the engine ended with {status}:\n{}",
                    std::fs::read_to_string(&self.log)?
                );
            }
            // Until it listens, it does not answer.
            if holds(self).unwrap_or(false) {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                bail!(
                    "the engine takes too long:\n{}",
                    std::fs::read_to_string(&self.log)?
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The value of a metric.
    pub(crate) fn metric(&self, series: &str) -> anyhow::Result<f64> {
        self.metrics([series]).map(|[value]| value)
    }

    /// The values of metrics at one time.
    pub(crate) fn metrics<const N: usize>(&self, series: [&str; N]) -> anyhow::Result<[f64; N]> {
        let text = self.get("/metrics")?;
        let mut values = [0.0; N];
        for (value, series) in values.iter_mut().zip(series) {
            if let Some(line) = text.lines().find_map(|line| line.strip_prefix(series)) {
                *value = line.trim().parse()?;
            }
        }
        Ok(values)
    }

    /// What it holds of memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> anyhow::Result<f64> {
        let pid = self.child.id().context("the engine has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kilobytes: f64 = kilobytes.context("no VmRSS")?.trim().parse()?;
        Ok(kilobytes * 1024.0)
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().context("the engine has ended")?.to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "the engine ended with {status}");
        Ok(())
    }

    /// Kills it.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    fn get(&self, path: &str) -> anyhow::Result<String> {
        let log = std::fs::read_to_string(&self.log)?;
        let address = log.rsplit_once(" http=").map(|(_, rest)| rest);
        let address = address.and_then(|rest| rest.split_whitespace().next());
        let address: SocketAddr = address.context("it does not listen yet")?.parse()?;
        let mut stream = TcpStream::connect(address)?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }
}
