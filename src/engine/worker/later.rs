//! What a worker does between events: fire what is due, and take broadcasts to their customers.

use super::super::broker::{Broker, Events as _};
use super::{EngineError, Worker};
use crate::clock::Millis;
use crate::partition::Output;
use crate::state::Want;

/// Timers that are fired before what they led to is committed, and events get their turn.
const TIMERS_MAX: usize = 512;
/// Customers of a broadcast that are surveyed or served before events get their turn.
const SWEEP_CUSTOMERS_MAX: usize = 512;

impl<B: Broker> Worker<B> {
    /// Fires what is due, if every event stored before is known to have been stepped.
    pub(super) async fn advance(&mut self) -> Result<(), EngineError> {
        let mark = *self.watermark.borrow_and_update();
        if self.reader.next_sequence() <= mark.sequence {
            // Something was stored that has not come yet; its own store time will move the clock.
            return Ok(());
        }
        // What is left over is still due, so the next mark comes at once.
        self.fire(mark.at).await?;
        self.look_ahead();
        Ok(())
    }

    /// Fires what must be fired before events that were stored at `until`, a slice at a time, so that
    /// many that are due at once need no more memory than few.
    ///
    /// Returns whether it came to the end: not if it was told to stop while it waited for a grant.
    pub(super) async fn fire_before(&mut self, until: Millis) -> Result<bool, EngineError> {
        while !self.fire(until).await? {
            if self.stop.is_cancelled() {
                return Ok(false);
            }
            tokio::task::yield_now().await;
        }
        Ok(true)
    }

    async fn fire(&mut self, until: Millis) -> Result<bool, EngineError> {
        self.obey().await?;
        let rules = self.shared.registry.live();
        let (mut output, all) =
            self.partition
                .advance_some(until, TIMERS_MAX, self.shared.clock.now(), &rules);
        let parked = output.parked.take();
        self.finish(output).await?;
        if let Some(parked) = parked {
            self.wait_for(parked.want).await;
        }
        Ok(all)
    }

    /// Tells when something is due next, as far as the live rules say.
    pub(super) fn look_ahead(&mut self) {
        let due = self.partition.next_due(&self.shared.registry.live());
        self.shared.dues.set(self.chain.partition(), due);
    }

    /// Takes the broadcast that was begun first a slice further.
    pub(super) async fn sweep(&mut self) -> Result<(), EngineError> {
        self.obey().await?;
        let rules = self.shared.registry.live();
        let mut output = self
            .partition
            .sweep(SWEEP_CUSTOMERS_MAX, self.shared.clock.now(), &rules);
        let parked = output.parked.take();
        if let Some((key, demands)) = self.partition.demands() {
            self.asking = Some(key.clone());
            let partition = self.chain.partition();
            self.shared.allotments.submit(key, partition, demands);
            self.hand_over().await;
        }
        self.look_ahead();
        self.finish(output).await?;
        if let Some(parked) = parked {
            self.wait_for(parked.want).await;
        }
        Ok(())
    }

    /// Has broadcasts weighed for which this partition's word was the last that was missing.
    pub(super) async fn hand_over(&mut self) {
        for gathering in self.shared.allotments.ready() {
            self.turn = None;
            self.shared.grants.weigh(gathering).await;
        }
    }

    /// Waits until it is worth trying again to draw on a budget. Returns whether it is: not if the engine
    /// stops meanwhile.
    pub(super) async fn wait_for(&mut self, want: Want) -> bool {
        self.turn = None;
        let since = self.shared.clock.now();
        let grants = &self.shared.grants;
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            () = grants.wait(self.chain.partition(), want, since) => true,
        }
    }

    pub(super) fn take_grant(&mut self) {
        let Some(key) = &self.asking else {
            return;
        };
        let partition = self.chain.partition();
        if let Some(granted) = self.shared.allotments.take(key, partition) {
            self.partition.grant(key, &granted);
            self.asking = None;
        }
    }

    async fn finish(&mut self, mut output: Output) -> Result<(), EngineError> {
        self.count(&mut output);
        self.commit(&output.entries).await
    }
}
