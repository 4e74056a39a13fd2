//! Switches: what people have switched off is known from the log, as everything else is.

use super::Partition;
use super::case::Case;
use super::record::{ControlRecord, LogEntry, Place};
use crate::action::Verdict;
use crate::clock::Millis;
use crate::policy::{Refusal, Switches, trace};
use crate::rules::Rule;
use crate::state::DecisionId;
use std::sync::Arc;

impl Partition {
    /// What is switched off now, as the log says.
    #[must_use]
    pub fn switches(&self) -> &Arc<Switches> {
        &self.switches
    }

    /// Obeys other switches from now on; returns what is to be put into the log before anything else is. `now` is the
    /// wall clock.
    pub fn control(&mut self, switches: Arc<Switches>, now: Millis) -> LogEntry {
        self.switches = switches.clone();
        // An event that waits for a grant was applied, and is not answered yet.
        let after = (self.undecided).map_or(self.position, |applied| applied.before);
        LogEntry::Control(ControlRecord {
            switches,
            at: now,
            place: Place { after, part: None },
        })
    }
}

impl Case<'_> {
    /// Whether a rule is switched off now.
    pub(super) fn is_paused(&mut self, partition: &Partition, rule: &Rule) -> bool {
        let pause = partition.switches.paused(&rule.terms, self.at);
        (self.trace).push(Verdict::Paused.word(), pause.is_none(), || {
            let told = pause.map(|pause| {
                [
                    ("by", trace::word(&pause.signed.by)),
                    ("reason", trace::word(&pause.signed.reason)),
                ]
            });
            told.into_iter().flatten().collect()
        });
        pause.is_some()
    }

    /// Whether a rule only decides about this customer, and does not send.
    pub(super) fn is_shadow(&mut self, partition: &Partition, rule: &Rule) -> bool {
        let (name, customer) = (&rule.terms.name, self.id.as_str());
        let is_shadow = partition.switches.is_shadow(name, customer);
        (self.trace).push(Verdict::Shadow.word(), !is_shadow, Vec::new);
        is_shadow
    }

    /// The channels by which a rule may speak now, in order, without those that are switched off.
    pub(super) fn open_channels<'r>(
        &mut self,
        partition: &Partition,
        rule: &'r Rule,
        instead_of: Option<DecisionId>,
    ) -> Result<Vec<&'r str>, Refusal> {
        let mut channels = self.channels(partition, rule, instead_of)?;
        channels.retain(|channel| {
            partition
                .switches
                .channel_paused(channel, self.at)
                .is_none()
        });
        if channels.is_empty() {
            return Err(Refusal {
                verdict: Verdict::Paused,
                until: None,
            });
        }
        Ok(channels)
    }
}
