//! A worker obeys switches: what changed is in the log before anything else is decided.

use super::super::broker::Broker;
use super::{EngineError, Worker};
use crate::policy::Switches;
use std::sync::Arc;
use tokio::sync::watch;

/// Ends when switches were changed; never if nobody can change them any more. Cancel safe.
pub(super) async fn changed(switches: &mut watch::Receiver<Arc<Switches>>) {
    if switches.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl<B: Broker> Worker<B> {
    /// Whether switches are later ones than the log says.
    pub(super) fn is_to_obey(&self) -> bool {
        self.switches.borrow().follow(self.partition.switches())
    }

    /// Obeys the switches as they are, and writes down that it does. Everything that was decided must have been
    /// committed, and the log must have been read to its end.
    pub(super) async fn obey(&mut self) -> Result<(), EngineError> {
        let switches = self.switches.borrow_and_update().clone();
        if !switches.follow(self.partition.switches()) {
            return Ok(());
        }
        let entry = self.partition.control(switches, self.shared.clock.now());
        self.commit(&[entry]).await
    }
}
