//! The engine as a process of its own, as operators run it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use super::Folder;

/// How long anything may take before a test gives up. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `onscene run`; killed on drop.
pub(crate) struct Engine {
    child: Child,
    log: PathBuf,
    _folder: Folder,
}

impl Engine {
    /// Starts the engine and waits until it is ready.
    pub(crate) fn start(nats: &str, rules: &Path) -> Self {
        let engine = Self::spawn(nats, rules, &[]);
        engine.wait_ready();
        engine
    }

    /// Starts the engine with more environment variables, and does not wait.
    pub(crate) fn spawn(nats: &str, rules: &Path, environment: &[(&str, &str)]) -> Self {
        Self::launch(nats, rules, None, environment)
    }

    /// Starts the engine on a data folder that outlives it, and does not wait.
    pub(crate) fn spawn_on(
        nats: &str,
        rules: &Path,
        data: &Path,
        environment: &[(&str, &str)],
    ) -> Self {
        Self::launch(nats, rules, Some(data), environment)
    }

    fn launch(nats: &str, rules: &Path, data: Option<&Path>, environment: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let log = folder.path().join("log");
        let own = folder.path().join("data");
        let child = onscene()
            .args(["run", "--nats", nats, "--http", "127.0.0.1:0", "--rules"])
            .arg(rules)
            .arg("--data")
            .arg(data.unwrap_or(&own))
            .envs(environment.iter().copied())
            .env_remove("RUST_LOG")
            .current_dir(folder.path())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self {
            child,
            log,
            _folder: folder,
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The address of its HTTP server, as its log says.
    pub(crate) fn http(&self) -> SocketAddr {
        self.logged("http=", |log| {
            let rest = log.rsplit_once(" http=")?.1;
            rest.split_whitespace().next()?.parse().ok()
        })
    }

    fn logged<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = find(&self.log()) {
                return found;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "no {what} in the log:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the log has a text.
    pub(crate) fn wait_log(&self, text: &str) {
        self.logged(text, |log| log.contains(text).then_some(()));
    }

    pub(crate) fn wait_ready(&self) {
        let address = self.http();
        eventually("ready", || {
            get(address, "/readyz").starts_with("HTTP/1.1 200")
        });
    }

    /// A page of its HTTP server, headers and all.
    pub(crate) fn get(&self, path: &str) -> String {
        get(self.http(), path)
    }

    /// The value of a metric; 0 if there is no such series.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = self.get("/metrics");
        let line = text.lines().find_map(|l| l.strip_prefix(series));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Sends a signal by its name, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let arguments = [&format!("-{name}"), &pid];
        let sent = Command::new("kill").args(arguments).status().unwrap();
        assert!(sent.success(), "{name} to {pid}");
    }

    /// Whether it answers and is ready; false too when it has no address yet.
    pub(crate) fn is_ready(&self) -> bool {
        let log = self.log();
        let Some((_, rest)) = log.rsplit_once(" http=") else {
            return false;
        };
        let address = rest.split_whitespace().next().and_then(|a| a.parse().ok());
        address.is_some_and(|address| get(address, "/readyz").starts_with("HTTP/1.1 200"))
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "the engine did not end:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary, without settings of the environment: what is meant for the tests, such as ONSCENE_KILLS, or set by
/// whoever runs them, is not for it.
pub(crate) fn onscene() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_onscene"));
    let settings = std::env::vars_os().map(|(name, _)| name);
    for name in settings.filter(|name| name.to_string_lossy().starts_with("ONSCENE_")) {
        command.env_remove(name);
    }
    command
}

/// Waits until something holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}
