//! One connection to NATS: opened with a check of the server, then kept for ever.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::{Client, ConnectOptions, Event};
use tokio::sync::watch;

/// The oldest server that keeps every setting the engine relies on, as (major, minor).
pub const SERVER_VERSION_MIN: (u64, u64) = (2, 14);

/// What an event may be smaller than the server's limit, so that it fits into the dead letters with the
/// headers that say what is wrong with it, in bytes.
pub const EVENT_HEADROOM_BYTES: usize = 64 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// A server that vanishes without closing the connection is noticed after two of these.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const RECONNECT_DELAY_MAX: Duration = Duration::from_millis(250);
const CONNECTED_POLL: Duration = Duration::from_millis(10);

/// Why a connection could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answers there, or not as NATS does.
    #[error(
        "connect to NATS at {url}: is a nats-server running there? Start one, or say with --nats where it is"
    )]
    Unreachable {
        /// Where, without credentials.
        url: String,
        /// What the client library says.
        source: async_nats::ConnectError,
    },
    /// The server would silently drop settings that the engine needs.
    #[error(
        "use the nats-server at {url}: it is {found}, and the engine needs {}.{} or newer; upgrade it, or let \
         deploy/nats-server.py fetch one",
        SERVER_VERSION_MIN.0,
        SERVER_VERSION_MIN.1
    )]
    TooOld {
        /// Where, without credentials.
        url: String,
        /// Its version.
        found: String,
    },
    /// The server runs without JetStream.
    #[error(
        "use the nats-server at {url}: JetStream is off there; start it with `-js` or a `jetstream` block"
    )]
    NoJetStream {
        /// Where, without credentials.
        url: String,
    },
}

/// A connection that reconnects for ever once it was open. Clones share it.
///
/// The client library runs one task per connection, so that reading and committing use one each.
#[derive(Clone, Debug)]
pub struct Connection {
    client: Client,
    jetstream: Context,
    breaks: watch::Receiver<u64>,
    url: String,
}

impl Connection {
    /// Connects to `url` (or several, separated by commas) as a client called `name`.
    pub async fn open(url: &str, name: &str) -> Result<Self, ConnectError> {
        let (sender, breaks) = watch::channel(0_u64);
        let shown = without_credentials(url);
        let servers: Vec<String> = url.split(',').map(|part| part.trim().to_owned()).collect();
        let client = ConnectOptions::new()
            .name(name)
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(Some(REQUEST_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .max_reconnects(None)
            .reconnect_delay_callback(reconnect_delay)
            .event_callback(move |event| {
                if matches!(event, Event::Disconnected | Event::Closed) {
                    sender.send_modify(|count| *count += 1);
                }
                async {}
            })
            .connect(servers)
            .await
            .map_err(|source| ConnectError::Unreachable {
                url: shown.clone(),
                source,
            })?;
        let info = client.server_info();
        if !new_enough(&info.version) {
            return Err(ConnectError::TooOld {
                url: shown,
                found: info.version,
            });
        }
        if !info.jetstream {
            return Err(ConnectError::NoJetStream { url: shown });
        }
        let jetstream = async_nats::jetstream::new(client.clone());
        Ok(Self {
            client,
            jetstream,
            breaks,
            url: shown,
        })
    }

    /// Where it is connected to, without credentials.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The version of the server that it is, or was last, connected to.
    pub fn server_version(&self) -> String {
        self.client.server_info().version
    }

    /// The largest payload with headers that the server takes, in bytes.
    pub fn max_payload(&self) -> usize {
        self.client.max_payload()
    }

    /// The largest event that the engine takes, in bytes: the server's limit less the room that the dead
    /// letters' headers need.
    pub fn event_bytes_max(&self) -> usize {
        self.max_payload().saturating_sub(EVENT_HEADROOM_BYTES)
    }

    /// Whether it is connected now.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Waits until what was published has been written out, then closes the connection.
    pub async fn close(self) {
        // A connection that is down has nothing left that could be saved.
        let _ = self.client.drain().await;
    }

    /// Waits until it is connected.
    pub(super) async fn connected(&self) {
        while !self.is_connected() {
            tokio::time::sleep(CONNECTED_POLL).await;
        }
    }

    /// Counts how often the connection broke. Whatever was in flight then is in doubt: the client library
    /// discards its write buffer, and answers to the old connection are lost.
    pub(super) fn breaks(&self) -> watch::Receiver<u64> {
        self.breaks.clone()
    }

    /// Ends when the connection breaks for the first time from now on.
    pub(super) fn broken(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut breaks = self.breaks();
        breaks.borrow_and_update();
        async move {
            // An error means that the connection is closed for good.
            let _ = breaks.changed().await;
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn jetstream(&self) -> &Context {
        &self.jetstream
    }
}

fn reconnect_delay(attempts: usize) -> Duration {
    match attempts {
        0 | 1 => Duration::ZERO,
        more => {
            let doublings = u32::try_from(more.min(12)).unwrap_or(12);
            (Duration::from_millis(5) * 2_u32.pow(doublings)).min(RECONNECT_DELAY_MAX)
        }
    }
}

fn new_enough(version: &str) -> bool {
    let mut parts = version
        .trim_start_matches('v')
        .split(['.', '-', '+'])
        .map(str::parse::<u64>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= SERVER_VERSION_MIN,
        _ => false,
    }
}

fn without_credentials(url: &str) -> String {
    let shown = |part: &str| match part.trim().split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            format!("{scheme}://{host}")
        }
        None => part
            .trim()
            .rsplit_once('@')
            .map_or(part.trim(), |(_, host)| host)
            .to_owned(),
    };
    url.split(',').map(shown).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_from_2_14_on_are_new_enough() {
        for (version, expected) in [
            ("2.9.10", false),
            ("2.13.9", false),
            ("2.14.0", true),
            ("2.14.0-RC.1", true),
            ("2.15.1", true),
            ("3.0.0", true),
            ("", false),
            ("dev", false),
        ] {
            assert_eq!(new_enough(version), expected, "{version}");
        }
    }

    #[test]
    fn credentials_are_never_shown() {
        assert_eq!(
            without_credentials("nats://me:secret@a:4222, nats://b:4222,token@c"),
            "nats://a:4222,nats://b:4222,c"
        );
    }

    #[test]
    fn reconnecting_starts_at_once_and_slows_down() {
        assert_eq!(reconnect_delay(1), Duration::ZERO);
        assert!(reconnect_delay(3) <= Duration::from_millis(50));
        assert_eq!(reconnect_delay(1_000_000), RECONNECT_DELAY_MAX);
    }
}
