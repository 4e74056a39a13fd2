//! Three nats-servers that keep three copies of everything.

use std::net::TcpListener;
use std::time::Duration;

use onscene::nats::{Connection, LocalCluster, StreamSettings, SyncInterval, ensure_streams};

use super::Nats;

/// How many servers it has.
const SERVERS: usize = 3;

/// A running cluster, with the streams.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Nats>,
}

impl Cluster {
    /// Starts three servers and creates the streams with three replicas.
    pub(crate) async fn start(partitions: u16) -> Self {
        let ports = free_ports();
        let mut servers = Vec::new();
        for (number, port) in ports.iter().enumerate() {
            let server = Nats::start_with(|options| {
                options.name = name(number);
                options.sync_interval = SyncInterval::Always;
                options.cluster = Some(LocalCluster {
                    name: "three".to_owned(),
                    port: *port,
                    all_ports: ports.clone(),
                });
            });
            servers.push(server.await);
        }
        let cluster = Self { servers };
        cluster.create_streams(partitions).await;
        cluster
    }

    /// Where its servers are, separated by commas.
    pub(crate) fn url(&self) -> String {
        let urls: Vec<String> = self.servers.iter().map(|server| server.url()).collect();
        urls.join(",")
    }

    /// Until the servers have found each other and chosen a leader, they refuse.
    async fn create_streams(&self, partitions: u16) {
        let settings = StreamSettings {
            partitions,
            replicas: SERVERS,
            ..StreamSettings::default()
        };
        let connection = Connection::open(&self.url(), "test").await.unwrap();
        let mut refusal = String::new();
        for _ in 0..100 {
            match ensure_streams(&connection, &settings).await {
                Ok(_) => return,
                Err(error) => refusal = format!("{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the cluster never came together: {refusal}");
    }

    /// Which server leads a stream now.
    pub(crate) async fn leader(&self, stream: &str) -> usize {
        loop {
            if let Some(leader) = self.try_leader(stream).await {
                return leader;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn try_leader(&self, stream: &str) -> Option<usize> {
        let leader = self.info(stream).await?.leader?;
        (0..SERVERS).find(|number| name(*number) == leader)
    }

    /// Waits until every server has what the leader has.
    pub(crate) async fn healthy(&self, stream: &str) {
        loop {
            let info = self.info(stream).await;
            let replicas = info.map(|info| info.replicas).unwrap_or_default();
            if replicas.len() == SERVERS - 1 && replicas.iter().all(|r| r.current && !r.offline) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn info(&self, stream: &str) -> Option<async_nats::jetstream::stream::ClusterInfo> {
        let servers: Vec<String> = self.servers.iter().map(|server| server.url()).collect();
        let client = async_nats::connect(servers).await.ok()?;
        let stream = async_nats::jetstream::new(client)
            .get_stream(stream)
            .await
            .ok()?;
        stream.cached_info().cluster.clone()
    }
}

fn name(number: usize) -> String {
    format!("n{number}")
}

/// Ports that are free now; somebody else may take one before the servers do, which then fail to start.
fn free_ports() -> Vec<u16> {
    let listeners: Vec<TcpListener> = (0..SERVERS)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let ports = listeners.iter().map(|l| l.local_addr().unwrap().port());
    ports.collect()
}
