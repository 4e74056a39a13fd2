//! Events as they come in: decoded, folded if they were decided before, or kept as refused.

use super::super::broker::Broker;
use super::{EngineError, Shared, Worker};
use crate::decode::Rejection;
use crate::event::Incoming;
use crate::nats::StoredEvent;
use crate::partition::Input;
use crate::rules::RuleSet;

const BROADCAST_PREFIX: &str = "scene.broadcast.";

impl<B: Broker> Worker<B> {
    pub(super) fn decode(
        &self,
        events: &[StoredEvent],
        rules: &RuleSet,
    ) -> (Vec<Input>, Vec<(u64, Rejection)>) {
        let mut inputs = Vec::with_capacity(events.len());
        let mut refused = Vec::new();
        for event in events {
            // What was refused once stays refused, until it is sent again: also when the cause has
            // been mended since, so that state is the same fold at each start.
            let is_broadcast = event.subject.starts_with(BROADCAST_PREFIX);
            if self.shared.known_dead.contains(&event.sequence) {
                continue;
            }
            let stored = event.to_stored();
            let decoder = &self.shared.decoder;
            let decoded = if is_broadcast {
                let broadcast = decoder.decode_broadcast(&stored, rules.schema());
                broadcast.map(Incoming::Broadcast)
            } else {
                decoder.decode(&stored, rules.schema()).map(Incoming::Event)
            };
            match decoded {
                Ok(what) => inputs.push(Input {
                    sequence: event.sequence,
                    stored_at: event.stored_at,
                    already: self.recovery.already(event.sequence),
                    what,
                }),
                Err(rejection) if is_broadcast => {
                    // Every partition reads it, of whatever engine; one of them keeps it.
                    let partition = self.chain.partition();
                    self.shared.allotments.excuse(event.sequence, partition);
                    if partition == 0 {
                        refused.push((event.sequence, rejection));
                    }
                }
                Err(rejection) => refused.push((event.sequence, rejection)),
            }
        }
        (inputs, refused)
    }

    /// Folds what was decided before; returns how many inputs that were.
    pub(super) fn fold(&mut self, inputs: &[Input]) -> usize {
        let through = self.recovery.through();
        // Not by halves: a reader that begins anew may repeat some that it handed out, so they need not be in order.
        let new = inputs.iter().position(|input| input.sequence > through);
        let decided = new.unwrap_or(inputs.len());
        for input in &inputs[..decided] {
            self.recovery.before(input.sequence, &mut self.partition);
            self.partition.fold(input);
        }
        if let Some(first) = inputs.get(decided) {
            self.recovery.before(first.sequence, &mut self.partition);
        }
        decided
    }

    /// Keeps refused events.
    pub(super) async fn refuse(
        shared: &Shared<B>,
        through: u64,
        events: &[StoredEvent],
        refused: Vec<(u64, Rejection)>,
    ) -> Result<(), EngineError> {
        // What was done before a start without being refused is not refused by it.
        let fresh = refused.into_iter().filter(|(at, _)| *at > through);
        let keeping = fresh.filter_map(|(sequence, rejection)| {
            let event = events.iter().find(|e| e.sequence == sequence)?;
            shared.metrics.reject(rejection.reason);
            tracing::debug!(sequence, reason = rejection.reason.word(), "event refused");
            Some(async move {
                let broker = &shared.broker;
                broker
                    .refuse(rejection.reason.word(), event, &rejection.detail)
                    .await
            })
        });
        futures_util::future::try_join_all(keeping).await?;
        Ok(())
    }
}
