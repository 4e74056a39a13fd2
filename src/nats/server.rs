//! A nats-server of our own: found or fetched, run as a child with its own store folder.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::clock::monotonic_now;

/// The script that finds or fetches the binary; it also stands alone as `deploy/nats-server.py`.
const FIND_SCRIPT: &str = include_str!("../../deploy/nats-server.py");

const READY_TIMEOUT: Duration = Duration::from_secs(30);
const READY_POLL: Duration = Duration::from_millis(10);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_PAYLOAD_DEFAULT_BYTES: usize = 1024 * 1024;
const LOG_TAIL_LINES: usize = 5;

/// When the server forces what it stored onto the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncInterval {
    /// Every two minutes, as the server does by itself: safe against its own crash, not against a power
    /// loss.
    #[default]
    ServerDefault,
    /// Before each acknowledgement: safe against a power loss, slower.
    Always,
}

/// How to run a server of our own.
#[derive(Clone, Debug)]
pub struct LocalServerOptions {
    /// The folder for its store, configuration and log; made if missing.
    pub folder: PathBuf,
    /// The folder to keep a fetched binary in; `.tools` of the repository if none is named.
    pub tools: Option<PathBuf>,
    /// The port on the loopback address; a free one if none is named.
    pub port: Option<u16>,
    /// The largest message, headers included, in bytes.
    pub max_payload_bytes: usize,
    /// When stored messages are forced onto the disk.
    pub sync_interval: SyncInterval,
    /// The binary to start; found or fetched if none is named.
    pub binary: Option<PathBuf>,
    /// The name by which others of its cluster know it.
    pub name: String,
    /// The cluster that it is part of; alone if none is named.
    pub cluster: Option<LocalCluster>,
    /// How much it may store, in bytes; what the disk has if none is named.
    pub store_bytes_max: Option<u64>,
}

/// A cluster on the loopback address.
#[derive(Clone, Debug)]
pub struct LocalCluster {
    /// Its name, the same for all of its servers.
    pub name: String,
    /// The port for the other servers.
    pub port: u16,
    /// The ports for servers of all of its servers, this one's too.
    pub all_ports: Vec<u16>,
}

impl LocalServerOptions {
    /// A server with its store in `folder`, on a free port, with the server's own defaults.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            tools: None,
            port: None,
            max_payload_bytes: MAX_PAYLOAD_DEFAULT_BYTES,
            sync_interval: SyncInterval::default(),
            binary: None,
            name: "onscene_local".to_owned(),
            cluster: None,
            store_bytes_max: None,
        }
    }
}

/// Why a server of our own could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The script that finds or fetches it did not find it; it has said why on standard error.
    #[error(
        "find or fetch nats-server (the reason is above); to do without, name a server that runs with --nats, or put \
         nats-server on the PATH"
    )]
    NotFound,
    /// Neither the binary nor Python to fetch it with.
    #[error(
        "run python3 to find or fetch nats-server: install Python 3, or put nats-server on the PATH"
    )]
    NoPython(#[source] io::Error),
    /// A file or folder of the server cannot be written or read.
    #[error("use {path} for the nats-server")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The binary cannot be started.
    #[error("start {binary}")]
    Spawn {
        /// Which.
        binary: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It started, and did not come to listen.
    #[error("get nats-server ready within {} s; the end of its log, {log}:\n{tail}", READY_TIMEOUT.as_secs())]
    NotReady {
        /// Its log file.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// It did not stop.
    #[error("stop the nats-server with process id {pid}")]
    Stop {
        /// Its process id.
        pid: u32,
        /// Why.
        source: io::Error,
    },
}

/// A running nats-server. Dropped, it is killed; what it acknowledged stays in its folder.
#[derive(Debug)]
pub struct LocalServer {
    binary: PathBuf,
    options: LocalServerOptions,
    port: u16,
    child: Child,
}

impl LocalServer {
    /// Finds or fetches the binary, starts it and waits until it listens.
    pub async fn start(options: LocalServerOptions) -> Result<Self, ServerError> {
        let binary = match &options.binary {
            Some(binary) => binary.clone(),
            None => find_binary(options.tools.as_deref()).await?,
        };
        Self::start_binary(binary, options).await
    }

    async fn start_binary(
        binary: PathBuf,
        options: LocalServerOptions,
    ) -> Result<Self, ServerError> {
        let (child, port) = spawn(&binary, &options, options.port).await?;
        Ok(Self {
            binary,
            options,
            port,
            child,
        })
    }

    /// Its address for clients.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id; none once it is stopped.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Its log file.
    pub fn log(&self) -> PathBuf {
        self.options.folder.join("nats-server.log")
    }

    /// Kills it as `kill -9` does and waits until it is gone.
    pub async fn kill(&mut self) -> Result<(), ServerError> {
        let pid = self.child.id().unwrap_or_default();
        self.child
            .kill()
            .await
            .map_err(|source| ServerError::Stop { pid, source })
    }

    /// Asks it to stop and waits until it is gone; kills it if that takes too long.
    pub async fn stop(&mut self) -> Result<(), ServerError> {
        let Some(pid) = self.child.id() else {
            return Ok(());
        };
        // The binary can signal another of its kind, which spares us unsafe code.
        let asked = Command::new(&self.binary)
            .arg("--signal")
            .arg(format!("quit={pid}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .await;
        if asked.is_ok_and(|status| status.success())
            && tokio::time::timeout(STOP_TIMEOUT, self.child.wait())
                .await
                .is_ok()
        {
            return Ok(());
        }
        self.kill().await
    }

    /// Changes its options, for the next [`restart`](Self::restart). Port and folder stay what they were.
    pub fn change(&mut self, change: impl FnOnce(&mut LocalServerOptions)) {
        let folder = self.options.folder.clone();
        change(&mut self.options);
        self.options.folder = folder;
    }

    /// Starts it again on the same port and the same store, after [`kill`](Self::kill) or
    /// [`stop`](Self::stop); if it still runs, it is killed first.
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        if self.child.id().is_some() {
            self.kill().await?;
        }
        let (child, port) = spawn(&self.binary, &self.options, Some(self.port)).await?;
        self.child = child;
        self.port = port;
        Ok(())
    }
}

async fn find_binary(tools: Option<&Path>) -> Result<PathBuf, ServerError> {
    let mut command = Command::new("python3");
    command.arg("-c").arg(FIND_SCRIPT);
    if let Some(tools) = tools {
        command.arg("--tools").arg(tools);
    }
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await;
    let output = match output {
        Ok(output) => output,
        // Without Python, a server on the PATH still does: its version is checked when we connect.
        Err(source) => return on_path("nats-server").ok_or(ServerError::NoPython(source)),
    };
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !path.is_empty() {
        Ok(PathBuf::from(path))
    } else {
        Err(ServerError::NotFound)
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

async fn spawn(
    binary: &Path,
    options: &LocalServerOptions,
    port: Option<u16>,
) -> Result<(Child, u16), ServerError> {
    let folder = &options.folder;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ServerError::Folder { path, source }
    };
    tokio::fs::create_dir_all(folder)
        .await
        .map_err(failed(folder))?;
    let folder = tokio::fs::canonicalize(folder)
        .await
        .map_err(failed(folder))?;
    remove_ports_files(&folder).await;
    let config = folder.join("nats-server.conf");
    tokio::fs::write(&config, config_text(&folder, options, port))
        .await
        .map_err(failed(&config))?;
    let mut child = Command::new(binary)
        .arg("--config")
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // A Ctrl-C in the terminal is for us: we stop the server when we are done with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| ServerError::Spawn {
            binary: binary.to_owned(),
            source,
        })?;
    match wait_until_ready(&mut child, &folder, port).await {
        Some(port) => Ok((child, port)),
        None => {
            let log = folder.join("nats-server.log");
            let text = tokio::fs::read_to_string(&log).await.unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let tail = lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n");
            Err(ServerError::NotReady { log, tail })
        }
    }
}

/// Waits until the server has written its ports file and answers there with its greeting, which it does
/// once JetStream has recovered its store.
async fn wait_until_ready(child: &mut Child, folder: &Path, port: Option<u16>) -> Option<u16> {
    let pid = child.id()?;
    let started = monotonic_now();
    while started.elapsed() < READY_TIMEOUT {
        if !matches!(child.try_wait(), Ok(None)) {
            return None;
        }
        let known = match port {
            Some(port) => Some(port),
            None => port_of(folder, pid).await,
        };
        if let Some(port) = known
            && greets(port).await
        {
            return Some(port);
        }
        tokio::time::sleep(READY_POLL).await;
    }
    None
}

/// A killed server leaves its ports file behind, and a later one may get the same process id.
async fn remove_ports_files(folder: &Path) {
    let Ok(mut entries) = tokio::fs::read_dir(folder).await else {
        return;
    };
    while let Ok(Some(entry)) = entries.next_entry().await {
        if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "ports")
        {
            // One that cannot be removed does no harm unless the process id comes again.
            let _ = tokio::fs::remove_file(entry.path()).await;
        }
    }
}

/// The port that the server with this process id has written down, in a file called after its binary.
async fn port_of(folder: &Path, pid: u32) -> Option<u16> {
    let ending = format!("_{pid}.ports");
    let mut entries = tokio::fs::read_dir(folder).await.ok()?;
    while let Ok(Some(entry)) = entries.next_entry().await {
        if entry.file_name().to_string_lossy().ends_with(&ending) {
            return port_in(&tokio::fs::read_to_string(entry.path()).await.ok()?);
        }
    }
    None
}

async fn greets(port: u16) -> bool {
    let Ok(stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else {
        return false;
    };
    let mut greeting = [0_u8; 5];
    let mut read = tokio::io::BufReader::new(stream);
    let whole = tokio::io::AsyncReadExt::read_exact(&mut read, &mut greeting);
    let read = tokio::time::timeout(Duration::from_secs(2), whole).await;
    matches!(read, Ok(Ok(_))) && &greeting == b"INFO "
}

/// The client port in a ports file, which looks like `{"nats": ["nats://127.0.0.1:4222"]}`.
fn port_in(text: &str) -> Option<u16> {
    let ports: serde_json::Value = serde_json::from_str(text).ok()?;
    let url = ports.get("nats")?.get(0)?.as_str()?;
    url.rsplit_once(':')?.1.parse().ok()
}

fn config_text(folder: &Path, options: &LocalServerOptions, port: Option<u16>) -> String {
    let quoted = |path: PathBuf| serde_json::Value::from(path.to_string_lossy()).to_string();
    let port = port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
    let sync = match options.sync_interval {
        SyncInterval::ServerDefault => "",
        SyncInterval::Always => "  sync_interval: always\n",
    };
    let limit = options
        .store_bytes_max
        .map_or_else(String::new, |bytes| format!("  max_file_store: {bytes}\n"));
    let cluster = options
        .cluster
        .as_ref()
        .map_or_else(String::new, cluster_text);
    format!(
        "# Written by onscene at each start.\n\
         server_name: {name}\n\
         host: 127.0.0.1\n\
         port: {port}\n\
         max_payload: {max_payload}\n\
         ports_file_dir: {folder}\n\
         log_file: {log}\n\
         logfile_size_limit: 16MB\n\
         logfile_max_num: 2\n\
         jetstream {{\n  store_dir: {store}\n{sync}{limit}}}\n{cluster}",
        name = options.name,
        max_payload = options.max_payload_bytes,
        folder = quoted(folder.to_owned()),
        log = quoted(folder.join("nats-server.log")),
        store = quoted(folder.join("store")),
    )
}

fn cluster_text(cluster: &LocalCluster) -> String {
    let routes = cluster.all_ports.iter();
    let routes: Vec<String> = routes
        .map(|port| format!("nats-route://127.0.0.1:{port}"))
        .collect();
    format!(
        "cluster {{\n  name: {}\n  listen: \"127.0.0.1:{}\"\n  routes: [{}]\n}}\n",
        cluster.name,
        cluster.port,
        routes.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_names_its_own_port_and_all_routes() {
        let mut options = LocalServerOptions::in_folder("/x");
        options.name = "n1".to_owned();
        options.store_bytes_max = Some(1_000);
        options.cluster = Some(LocalCluster {
            name: "three".to_owned(),
            port: 6001,
            all_ports: vec![6001, 6002],
        });
        let text = config_text(&options.folder, &options, None);
        assert!(text.contains("server_name: n1\n"), "{text}");
        assert!(text.contains("  max_file_store: 1000\n}\n"), "{text}");
        let routes = "routes: [nats-route://127.0.0.1:6001, nats-route://127.0.0.1:6002]";
        assert!(
            text.contains("listen: \"127.0.0.1:6001\"") && text.contains(routes),
            "{text}"
        );
    }

    #[test]
    fn the_configuration_names_store_port_and_sync() {
        let mut options = LocalServerOptions::in_folder("/x/y \"z\"");
        let text = config_text(&options.folder, &options, None);
        assert!(
            text.contains("port: -1\n") && text.contains("max_payload: 1048576\n"),
            "{text}"
        );
        assert!(text.contains(r#"store_dir: "/x/y \"z\"/store""#), "{text}");
        assert!(!text.contains("sync_interval"), "{text}");
        options.sync_interval = SyncInterval::Always;
        let text = config_text(&options.folder, &options, Some(4222));
        assert!(
            text.contains("port: 4222\n") && text.contains("sync_interval: always\n"),
            "{text}"
        );
    }

    #[test]
    fn the_port_is_read_from_the_ports_file() {
        assert_eq!(
            port_in(r#"{"nats": ["nats://127.0.0.1:41233"]}"#),
            Some(41233)
        );
        assert_eq!(port_in(r#"{"nats": ["nats"#), None);
    }
}
