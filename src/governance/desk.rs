//! What an engine changes for somebody who asks over HTTP: the same as the command line does.

use super::GovernanceError;
use super::switches::{self, Switched};
use crate::nats::Connection;
use crate::policy::{Change, Switches};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long an answer waits until every partition obeys.
const OBEY_MAX: Duration = Duration::from_secs(10);

/// Knows the switches, and changes them.
#[derive(Clone)]
pub struct Desk {
    connection: Connection,
    switches: watch::Receiver<Arc<Switches>>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    /// A desk that knows switches from `switches`.
    #[must_use]
    pub fn new(connection: &Connection, switches: watch::Receiver<Arc<Switches>>) -> Self {
        Self {
            connection: connection.clone(),
            switches,
        }
    }

    /// The switches that this engine obeys.
    #[must_use]
    pub fn switches(&self) -> Arc<Switches> {
        self.switches.borrow().clone()
    }

    /// The changes that are kept, the earliest first.
    ///
    /// # Errors
    /// When NATS does not answer, or one cannot be read.
    pub async fn log(&self) -> Result<Vec<switches::Changed>, GovernanceError> {
        switches::log(&self.connection).await
    }

    /// Changes a switch, and waits until every partition obeys.
    ///
    /// # Errors
    /// When NATS does not take it, or the logs cannot be read.
    pub async fn switch(&self, change: &Change) -> Result<Switched, GovernanceError> {
        switches::switch(&self.connection, change, OBEY_MAX).await
    }
}
