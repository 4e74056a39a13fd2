//! What the demo stands on: the server, the engine, and the connections to them.

use super::screen::Screen;
use super::summary::events_applied;
use crate::cli::simulate::action::{Action, ActionFeed};
use crate::clock::{monotonic_now, now_ms};
use crate::config::{Config, Setting};
use crate::engine::{Engine, Running};
use crate::nats::{Connection, LocalServer, LocalServerOptions};
use anyhow::{Context as _, bail};
use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

const STOP_TIMEOUT: Duration = Duration::from_secs(15);
const CAUGHT_UP_POLL: Duration = Duration::from_millis(20);
/// How long the engine may make no progress with what was published.
const STALL_MAX: Duration = Duration::from_secs(20);
const REMOVE_ATTEMPTS: u32 = 5;
const REMOVE_DELAY: Duration = Duration::from_millis(50);
/// The rule that is proposed for a try, if it is there.
const TRY_RULE: &str = "win-the-payment/dining-coupon.rhai";

/// Everything that runs. Dropped, it is torn down without order; [`Stage::stop`] is the orderly way.
pub(super) struct Stage {
    pub(super) engine: Running,
    /// For the simulated customers' events.
    pub(super) publishing: Connection,
    /// Actions to be shown.
    pub(super) actions: mpsc::Receiver<Action>,
    /// The same actions, for the customers to react to.
    pub(super) reactions: Option<mpsc::Receiver<Action>>,
    rules: PathBuf,
    // In this order: the server goes before its folder.
    server: Option<LocalServer>,
    _folder: TemporaryFolder,
}

impl Stage {
    /// Steps 1 and 2: the server and the engine.
    pub(super) async fn set(
        screen: &mut Screen,
        nats: Option<&str>,
        rules: &Path,
        http: SocketAddr,
    ) -> anyhow::Result<Self> {
        let folder = TemporaryFolder::new()?;
        let (server, url) = match nats {
            Some(url) => (None, url.to_owned()),
            None => {
                screen.progress("1/4  nats-server: looking for it, or fetching it once");
                let options = LocalServerOptions::in_folder(folder.path.join("nats"));
                let server = LocalServer::start(options).await?;
                let url = server.url();
                (Some(server), url)
            }
        };
        let publishing = Connection::open(&url, "onscene-demo").await?;
        screen.line(&format!(
            "1/4  nats-server {} at {}{}",
            publishing.server_version(),
            publishing.url(),
            match &server {
                Some(_) => ", with a store of its own that is removed at the end",
                None => "",
            }
        ));
        screen.progress("2/4  engine: starting");
        let (http, taken) = free_address(http);
        let engine = Engine::start(config(&url, rules, &folder.path, http)?).await?;
        tell_engine(screen, &engine, rules, taken);
        // A connection of its own, so that the events do not delay what is shown.
        let listening = Connection::open(&url, "onscene-demo-feed").await?;
        let mut feed = ActionFeed::subscribe(&listening).await?;
        let actions = feed.listen();
        let reactions = Some(feed.listen());
        tokio::spawn(feed.run());
        let stage = Self {
            engine,
            publishing,
            actions,
            reactions,
            rules: rules.to_owned(),
            server,
            _folder: folder,
        };
        if nats.is_some() {
            screen.progress("2/4  engine: reading what is in the streams already");
            stage.ready().await?;
        }
        Ok(stage)
    }

    /// Waits until the engine has applied so many events since it started.
    pub(super) async fn caught_up(&self, events: u64) -> anyhow::Result<()> {
        self.progressing(|| events_applied(self.engine.metrics()) >= events)
            .await
    }

    /// Waits until the engine has read what was there when it started.
    async fn ready(&self) -> anyhow::Result<()> {
        self.progressing(|| self.engine.health().obstacles().is_empty())
            .await
    }

    async fn progressing(&self, done: impl Fn() -> bool) -> anyhow::Result<()> {
        let mut last = (events_applied(self.engine.metrics()), monotonic_now());
        while !done() {
            tokio::time::sleep(CAUGHT_UP_POLL).await;
            let now = events_applied(self.engine.metrics());
            if now > last.0 {
                last = (now, monotonic_now());
            } else if last.1.elapsed() > STALL_MAX {
                bail!(
                    "the engine makes no progress since {} s, at {now} events: {}",
                    STALL_MAX.as_secs(),
                    self.engine.health().obstacles().join("; ")
                );
            }
        }
        Ok(())
    }

    /// Which file to edit to see the rules change.
    pub(super) fn reload_hint(&self) -> Option<String> {
        let mut file = self.rules.join(TRY_RULE);
        if !file.exists() {
            let live = self.engine.registry().live();
            file = self.rules.join(&*live.rules().first()?.file);
        }
        Some(format!(
            "edit {}: change its text or its value, save, and watch its next lines",
            file.display()
        ))
    }

    /// Stops everything in order: the engine drains, then the connections, then the server and its store.
    pub(super) async fn stop(self, screen: &mut Screen) -> anyhow::Result<()> {
        screen.progress("stopping: the engine");
        let engine = tokio::time::timeout(STOP_TIMEOUT, self.engine.stop()).await;
        screen.progress("stopping: nats-server");
        self.publishing.close().await;
        if let Some(mut server) = self.server {
            server.stop().await?;
        }
        match engine {
            Ok(stopped) => stopped.context("the engine did not stop cleanly"),
            Err(_) => bail!(
                "the engine did not stop within {} s",
                STOP_TIMEOUT.as_secs()
            ),
        }
    }
}

fn config(url: &str, rules: &Path, folder: &Path, http: SocketAddr) -> anyhow::Result<Config> {
    let rules = rules
        .to_str()
        .context("the rules folder's name is not UTF-8")?;
    let data = folder.join("data");
    let data = data
        .to_str()
        .context("the temporary folder's name is not UTF-8")?;
    let flags = vec![
        Setting::flag("--nats", "nats.url", url),
        Setting::flag("--rules", "rules.folder", rules),
        Setting::flag("--http", "http.address", &http.to_string()),
        Setting::flag("demo", "data.folder", data),
    ];
    // Nothing of the machine's own configuration: a demo is the same everywhere.
    Ok(Config::load(None, [], flags)?)
}

fn tell_engine(screen: &mut Screen, engine: &Running, rules: &Path, taken: Option<SocketAddr>) {
    let live = engine.registry().live();
    let scenes: BTreeSet<&str> = live
        .rules()
        .iter()
        .filter_map(|rule| rule.terms.scene.as_deref())
        .collect();
    screen.line(&format!(
        "2/4  engine with {} rules of {} scenes from {}, HTTP on {}{}",
        live.rules().len(),
        scenes.len(),
        rules.display(),
        engine.http_address(),
        match taken {
            Some(taken) => format!(" ({taken} is in use)"),
            None => String::new(),
        }
    ));
}

/// The address, or one with a free port and the one that is in use.
fn free_address(wanted: SocketAddr) -> (SocketAddr, Option<SocketAddr>) {
    match TcpListener::bind(wanted) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            (SocketAddr::new(wanted.ip(), 0), Some(wanted))
        }
        // Whatever else is wrong with it, the engine says so.
        _ => (wanted, None),
    }
}

/// A folder that is removed with everything in it.
struct TemporaryFolder {
    path: PathBuf,
}

impl TemporaryFolder {
    fn new() -> anyhow::Result<Self> {
        let name = format!("onscene-demo-{}-{}", std::process::id(), now_ms());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)
            .with_context(|| format!("could not make the folder {}", path.display()))?;
        Ok(Self { path })
    }
}

impl Drop for TemporaryFolder {
    #[expect(
        clippy::disallowed_methods,
        reason = "a drop cannot await, and nothing else runs any more"
    )]
    fn drop(&mut self) {
        // A server that was just killed may still be writing.
        for _ in 0..REMOVE_ATTEMPTS {
            match std::fs::remove_dir_all(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    std::thread::sleep(REMOVE_DELAY);
                }
                _ => return,
            }
        }
        eprintln!("could not remove {}", self.path.display());
    }
}
