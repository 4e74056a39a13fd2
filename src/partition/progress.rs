//! How far a broadcast or a daily trigger has come, for whoever decides the same again.

use super::Partition;
use super::record::{LogEntry, Place, ProgressRecord, SweepKey};
use super::sweep::Sweep;
use crate::clock::Millis;

/// A broadcast or a daily trigger that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweeping {
    /// Which.
    pub key: SweepKey,
    /// Policy time.
    pub at: Millis,
    /// How many customers were surveyed or served, each counted each time.
    pub taken: u64,
}

impl Partition {
    /// What is to be surveyed or served now, if anything is.
    #[must_use]
    pub fn sweeping(&self) -> Option<Sweeping> {
        let sweep = self.sweeps.front().filter(|_| self.is_sweeping())?;
        Some(Sweeping {
            key: sweep.key.clone(),
            at: sweep.at,
            taken: sweep.taken,
        })
    }

    /// Begins anew with the broadcast that is under way: what was said stands.
    pub fn sweep_anew(&mut self) {
        if let Some(sweep) = self.sweeps.front_mut() {
            *sweep = Sweep::reopen(&sweep.open());
        }
    }

    /// How far a broadcast has come.
    pub(super) fn progress_record(&self, sweep: &Sweep) -> LogEntry {
        LogEntry::Progress(ProgressRecord {
            key: sweep.key.clone(),
            at: sweep.at,
            taken: sweep.taken,
            run: sweep.run,
            place: Place {
                after: self.position,
                part: None,
            },
        })
    }

    /// Whether it is known what broadcasts were granted when they were decided about before.
    pub(super) fn is_led(&self) -> bool {
        let precedents = self.precedents.as_ref();
        precedents.is_some_and(|precedents| precedents.lead())
    }
}
