//! History in files: structured CloudEvents as NDJSON, one a line; the clock is the events' own time.

use super::crew::{Dealt, Feed};
use super::run::BacktestError;
use super::turns::Turn;
use super::worker::{Shared, Work};
use crate::clock::Millis;
use crate::decode::Rejection;
use crate::event::{Incoming, Stored};
use crate::partitioning::partition_of;
use bytes::Bytes;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::Arc;

/// Lines of one part.
const LINES: usize = 1_000;
/// The name of standard input.
const STANDARD_INPUT: &str = "-";

/// Reads files one after another.
pub(super) struct FileFeed {
    shared: Arc<Shared>,
    /// Those that are not begun, the next last.
    names: Vec<String>,
    open: Option<(String, Box<dyn BufRead>)>,
    partitions: u16,
    to: Option<Millis>,
    line: u64,
    clock: Millis,
    /// Lines that no rule set's schema takes, and the first of their reasons.
    pub(super) refused: u64,
    pub(super) first_refusal: Option<(String, Rejection)>,
    is_over: bool,
}

impl FileFeed {
    pub(super) fn new(
        shared: Arc<Shared>,
        names: &[String],
        partitions: u16,
        to: Option<Millis>,
    ) -> Self {
        Self {
            shared,
            names: names.iter().rev().cloned().collect(),
            open: None,
            partitions,
            to,
            line: 0,
            clock: Millis::MIN,
            refused: 0,
            first_refusal: None,
            is_over: false,
        }
    }

    /// The next line that is not blank.
    fn line(&mut self) -> Result<Option<Vec<u8>>, BacktestError> {
        loop {
            let Some((name, reader)) = &mut self.open else {
                let Some(name) = self.names.pop() else {
                    return Ok(None);
                };
                self.open = Some((name.clone(), open(&name)?));
                continue;
            };
            let mut line = Vec::new();
            let read = reader.read_until(b'\n', &mut line);
            let read = read.map_err(|source| BacktestError::File {
                name: name.clone(),
                source,
            })?;
            if read == 0 {
                self.open = None;
                continue;
            }
            self.line += 1;
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
    }

    fn work(&mut self, line: &[u8]) -> Option<Work> {
        let mut stored = Stored {
            sequence: self.line,
            stored_at: 0,
            subject: String::new(),
            headers: Vec::new(),
            payload: Bytes::copy_from_slice(line.trim_ascii()),
        };
        let mut arrival = self.shared.read(0, &stored, |decoder, schema| {
            decoder.decode_offline(&stored, schema)
        });
        let found = arrival.inputs.iter().flatten().next();
        let Some((time, lane)) = found.map(|input| (input.what.time(), self.lane(&input.what)))
        else {
            self.refuse(arrival.inputs.into_iter().find_map(Result::err));
            return None;
        };
        stored.stored_at = time;
        if self.to.is_some_and(|to| time >= to) {
            return None;
        }
        for input in arrival.inputs.iter_mut().flatten() {
            input.stored_at = time;
        }
        self.clock = self.clock.max(time);
        arrival.at = self.clock;
        Some(match lane {
            Some(lane) => Work::Event(lane, Box::new(arrival)),
            None => Work::Broadcast(Arc::new(arrival)),
        })
    }

    fn lane(&self, what: &Incoming) -> Option<u16> {
        match what {
            Incoming::Event(event) => Some(partition_of(&event.customer.token(), self.partitions)),
            Incoming::Broadcast(_) => None,
        }
    }

    fn refuse(&mut self, rejection: Option<Rejection>) {
        self.refused += 1;
        let name = self.open.as_ref().map_or("", |(name, _)| name);
        let at = format!("{name}, line {} of all", self.line);
        if let Some(rejection) = rejection {
            self.first_refusal.get_or_insert((at, rejection));
        }
    }
}

fn open(name: &str) -> Result<Box<dyn BufRead>, BacktestError> {
    if name == STANDARD_INPUT {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let file = File::open(name).map_err(|source| BacktestError::File {
        name: name.to_owned(),
        source,
    })?;
    Ok(Box::new(BufReader::with_capacity(1 << 16, file)))
}

impl Feed for FileFeed {
    fn next(&mut self) -> Result<Option<Dealt>, BacktestError> {
        if self.is_over {
            return Ok(None);
        }
        let mut works = Vec::new();
        for _ in 0..LINES {
            let Some(line) = self.line()? else {
                self.is_over = true;
                break;
            };
            works.extend(self.work(&line));
        }
        // The end of the period is past; what happens at that very time is not.
        let end = self
            .to
            .map(|to| to.saturating_sub(1))
            .filter(|_| self.is_over);
        self.clock = self.clock.max(end.unwrap_or(self.clock));
        Ok(Some(Dealt {
            events: works.len() as u64,
            works,
            until: Turn {
                at: self.clock,
                sequence: self.line + 1,
                lane: 0,
            },
        }))
    }
}
