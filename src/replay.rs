//! History offline, through the same step as live events: the clock is the events' own time.

use crate::action::{Decision, Verdict};
use crate::clock::Millis;
use crate::decode::{Decoder, Rejection};
use crate::event::Stored;
use crate::partition::{Input, LogEntry, Output, Partition, Silenced};
use crate::rules::{RuleError, RuleSet, Tally};
use crate::state::{Customers, JournalLimits};
use bytes::Bytes;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::sync::Arc;

/// An engine without NATS.
#[derive(Debug)]
pub struct Replay {
    decoder: Decoder,
    rules: RuleSet,
    partition: Partition,
    customers: Arc<Customers>,
    latest: Option<Millis>,
}

/// What one line led to.
#[derive(Debug, Default)]
pub struct Line {
    /// What it was refused for.
    pub rejection: Option<Rejection>,
    /// Decisions, in order.
    pub decisions: Vec<Decision>,
    /// Proposals that did not go out, if asked for.
    pub silenced: Vec<Silenced>,
    /// What rules failed with.
    pub errors: Vec<(Arc<str>, RuleError)>,
    /// Whether the event had been seen before.
    pub duplicate: bool,
    /// The rules whose earlier decisions the event was what they were for.
    pub conversions: Vec<Arc<str>>,
    verdicts: HashMap<(Arc<str>, Verdict), u64>,
    quiet: Tally,
}

impl Line {
    fn of(output: Output) -> Self {
        let converted = output.entries.iter().filter_map(|entry| match entry {
            LogEntry::Conversion(record) => Some(record.rule.clone()),
            _ => None,
        });
        Self {
            conversions: converted.collect(),
            rejection: output.rejected.into_iter().next().map(|(_, r)| r),
            decisions: (output.entries.into_iter())
                .filter_map(|entry| match entry {
                    LogEntry::Decision(decision) => Some(*decision),
                    _ => None,
                })
                .collect(),
            silenced: output.silenced,
            errors: output.errors,
            duplicate: output.duplicates > 0,
            verdicts: output.verdicts,
            quiet: output.quiet,
        }
    }

    /// How often each rule got each verdict.
    #[must_use]
    pub fn verdicts(&mut self) -> &HashMap<(Arc<str>, Verdict), u64> {
        self.quiet.settle(&mut self.verdicts);
        &self.verdicts
    }
}

impl Replay {
    /// A replay that starts without any customer.
    #[must_use]
    pub fn new(
        decoder: Decoder,
        rules: RuleSet,
        limits: JournalLimits,
        zone: TimeZone,
        list_silenced: bool,
    ) -> Self {
        let customers = Arc::new(Customers::default());
        let mut partition = Partition::new(customers.clone(), limits, zone).keeping_quiet();
        if list_silenced {
            partition = partition.listing_silenced();
        }
        Self {
            decoder,
            rules,
            partition,
            customers,
            latest: None,
        }
    }

    /// Takes one structured CloudEvent. `sequence` is its line number.
    pub fn line(&mut self, sequence: u64, json: &[u8]) -> Line {
        let stored = Stored {
            sequence,
            stored_at: 0,
            subject: String::new(),
            headers: Vec::new(),
            payload: Bytes::copy_from_slice(json),
        };
        let what = match self.decoder.decode_offline(&stored, self.rules.schema()) {
            Ok(what) => what,
            Err(rejection) => {
                return Line {
                    rejection: Some(rejection),
                    ..Line::default()
                };
            }
        };
        let now = what.time();
        self.latest = self.latest.max(Some(now));
        let mut output = self.run_until(now);
        let input = Input {
            sequence,
            stored_at: now,
            already: 0,
            what,
        };
        output.append(self.partition.step(&[input], now, &self.rules));
        output.append(self.sweep(now));
        Line::of(output)
    }

    /// The time of the latest event so far.
    #[must_use]
    pub fn latest(&self) -> Option<Millis> {
        self.latest
    }

    /// Moves the clock on, and does what is due by then.
    pub fn advance(&mut self, to: Millis) -> Line {
        let mut output = self.run_until(to);
        output.append(self.partition.advance(to, to, &self.rules));
        output.append(self.sweep(to));
        Line::of(output)
    }

    /// When something is due next. What was ended since may still be counted.
    #[must_use]
    pub fn next_due(&mut self) -> Option<Millis> {
        self.partition.next_due(&self.rules)
    }

    /// Does what is due by then, each at its time.
    fn run_until(&mut self, to: Millis) -> Output {
        let mut output = Output::default();
        while let Some(due) = self.next_due().filter(|due| *due <= to) {
            output.append(self.partition.advance(due, due, &self.rules));
            output.append(self.sweep(due));
        }
        output
    }

    fn sweep(&mut self, now: Millis) -> Output {
        let mut output = Output::default();
        while self.partition.is_sweeping() {
            let slice = self.partition.sweep(usize::MAX, now, &self.rules);
            output.append(slice);
        }
        output
    }

    /// The content hash of the rules.
    #[must_use]
    pub fn generation(&self) -> &str {
        self.rules.generation()
    }

    /// The customers as the lines so far have made them.
    #[must_use]
    pub fn customers(&self) -> &Arc<Customers> {
        &self.customers
    }
}
