//! What one decision puts out, apart from what came before it as long as it may have to be taken back.

use super::Partition;
use super::output::Output;
use super::record::LogEntry;
use crate::state::Want;

/// Where one decision's output goes.
pub(super) struct Trial<'o> {
    output: &'o mut Output,
    apart: Option<Output>,
}

impl Partition {
    /// Begins a decision. Only where grants may have to be waited for, it can come to nothing.
    pub(super) fn try_out<'o>(&self, output: &'o mut Output) -> Trial<'o> {
        Trial {
            output,
            apart: self.ledger.is_by_grant().then(Output::default),
        }
    }
}

impl Trial<'_> {
    pub(super) fn output(&mut self) -> &mut Output {
        self.apart.as_mut().unwrap_or(self.output)
    }

    /// Ends it.
    pub(super) fn end(self, want: Option<Want>) -> Option<Want> {
        if let Some(apart) = self.apart {
            self.output.append(apart);
        }
        want
    }
}

impl Output {
    /// Takes a decision back that must wait for a grant. That a rule was put into quarantine stays: it is so.
    pub(super) fn retract(&mut self) {
        self.entries
            .retain(|entry| matches!(entry, LogEntry::Quarantine(_)));
        self.verdicts.clear();
        self.quiet.clear();
        self.fallbacks.clear();
        self.assigned.clear();
        self.errors.clear();
        self.silenced.clear();
        self.checks.clear();
        self.trimmed_windows = 0;
    }

    /// Puts what says that rules were put into quarantine before the other entries from `first` on: it is
    /// no answer to the event, and comes behind everything up to `after`. Returns where the others begin.
    pub(super) fn front_quarantines(&mut self, first: usize, after: u64) -> usize {
        if self.quarantined.is_empty() {
            return first;
        }
        let own = &mut self.entries[first..];
        own.sort_by_key(|entry| !matches!(entry, LogEntry::Quarantine(_)));
        let mut begin = first;
        for entry in own {
            if let LogEntry::Quarantine(record) = entry {
                record.place.after = after;
                begin += 1;
            }
        }
        begin
    }
}
