//! Events of one partition, in the order in which they were stored, each once.

use super::connect::Connection;
use super::message::StoredEvent;
use super::pull::{InfoError, PullReader, PullSpec, ReadError, stream_info};
use super::streams::EVENTS;

/// Reads one partition's events and all broadcasts.
pub struct EventReader {
    pull: PullReader,
}

impl EventReader {
    /// Opens a reader of `partition` from a sequence of `SCENE_EVENTS` on (0 and 1: from the beginning).
    ///
    /// Waits for the broker if it is away. An error means that reading can never succeed.
    pub async fn open(
        connection: &Connection,
        partition: u16,
        from_sequence: u64,
    ) -> Result<Self, ReadError> {
        let filters = vec![
            format!("scene.in.{partition}.>"),
            "scene.broadcast.>".to_owned(),
        ];
        let spec = PullSpec {
            stream: EVENTS,
            filters,
            headers_only: false,
        };
        Ok(Self {
            pull: PullReader::open(connection, spec, from_sequence).await?,
        })
    }

    /// Waits for at least one event and returns at once what is there, up to `max`, in stream order.
    ///
    /// Goes on by itself after broker restarts, lost consumers and lost messages. Cancel safe: an event is
    /// either returned or still to come.
    pub async fn next_batch(&mut self, max: usize) -> Result<Vec<StoredEvent>, ReadError> {
        self.pull.next_batch(max).await
    }

    /// The first sequence that has not been handed out.
    pub fn next_sequence(&self) -> u64 {
        self.pull.next_sequence()
    }

    /// How many of this reader's events were stored and not handed out when the last one was sent, or when
    /// the reader was (re)opened. 0: it has caught up.
    pub fn pending(&self) -> u64 {
        self.pull.pending()
    }

    /// How often the reader had to start its consumer anew.
    pub fn reopened(&self) -> u64 {
        self.pull.reopened()
    }

    /// The last sequence of `SCENE_EVENTS`, of whatever partition; 0 if it never held any. None if the
    /// broker does not answer now.
    pub fn last_sequence(
        &self,
    ) -> impl Future<Output = Result<Option<u64>, ReadError>> + Send + use<> {
        let connection = self.pull.connection().clone();
        async move {
            match stream_info(&connection, EVENTS).await {
                Ok(info) => Ok(Some(info.state.last_sequence)),
                Err(InfoError::Missing) => Err(ReadError::StreamGone { stream: EVENTS }),
                Err(InfoError::Other(_)) => Ok(None),
            }
        }
    }
}
