//! How a worker steps events whose budgets must be granted first.

use super::super::broker::Broker;
use super::{EngineError, Worker};
use crate::clock::monotonic_now;
use crate::decode::Rejection;
use crate::nats::StoredEvent;
use crate::partition::{Input, LogEntry};
use crate::rules::RuleSet;
use std::sync::Arc;

/// Events on their way through a step, and what came of those before them.
pub(super) struct Chunk<'e> {
    pub(super) events: &'e [StoredEvent],
    pub(super) refused: Vec<(u64, Rejection)>,
    pub(super) entries: Vec<LogEntry>,
}

impl<B: Broker> Worker<B> {
    /// Waits until it may step, in the order in which workers ask. As many step at once as there are processors, and
    /// each goes on until it has something to commit: if all took turns after each chunk, all would come to their
    /// commits at the same time, and the broker would have nothing to do before, and they nothing after.
    pub(super) async fn take_turn(&mut self) {
        if self.turn.is_none() {
            // The semaphore is never closed.
            self.turn = self.shared.turns.clone().acquire_owned().await.ok();
        }
    }

    /// Goes on with the rules that are live.
    pub(super) async fn adopt(&mut self) -> Result<Arc<RuleSet>, EngineError> {
        let rules = self.shared.registry.live();
        if rules.generation() != &self.generation {
            // What was decided before was decided by the former generation, whatever comes next.
            self.write_through().await?;
            self.generation = rules.generation().clone();
        }
        Ok(rules)
    }

    /// Steps events; as often as a budget must be granted first, it commits what came before and waits.
    /// Returns whether it came to the end.
    pub(super) async fn step(
        &mut self,
        inputs: &[Input],
        chunk: &mut Chunk<'_>,
        rules: &mut Arc<RuleSet>,
    ) -> Result<bool, EngineError> {
        let mut rest = inputs;
        loop {
            let started = monotonic_now();
            let mut output = self.partition.step(rest, self.shared.clock.now(), rules);
            if !rest.iter().all(|input| input.what.is_imported()) {
                let step_seconds = &self.shared.metrics.step_seconds;
                step_seconds.observe(started.elapsed().as_secs_f64());
            }
            chunk.refused.append(&mut output.rejected);
            let through = self.recovery.through();
            let refused = std::mem::take(&mut chunk.refused);
            if !refused.is_empty() {
                self.turn = None;
            }
            Self::refuse(&self.shared, through, chunk.events, refused).await?;
            self.count(&mut output);
            chunk.entries.append(&mut output.entries);
            let Some(parked) = output.parked else {
                return Ok(true);
            };
            self.commit(&std::mem::take(&mut chunk.entries)).await?;
            rest = &rest[parked.inputs..];
            if !self.wait_for(parked.want).await {
                return Ok(false);
            }
            // Limits may have changed meanwhile, and switches.
            *rules = self.adopt().await?;
            self.obey().await?;
        }
    }

    /// Ends in the midst of a batch: an event was applied that nobody has decided about. No checkpoint is
    /// taken of that; the next start reads the event again.
    pub(super) async fn leave_midway(mut self) -> Result<(), EngineError> {
        self.write_through().await?;
        self.shared.drained.add_permits(1);
        Ok(())
    }
}
