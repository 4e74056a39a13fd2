//! Exports beside the log that they are of, and the log by itself.

use super::verify::{Audited, lines};
use crate::audit::line::Unsealed;
use crate::audit::{Line, Record, Verified};
use crate::nats::{Connection, LogMessage, LogPeriod};
use anyhow::Context as _;
use std::collections::VecDeque;
use std::path::Path;

const BATCH_MESSAGES: usize = 1_000;
const LOG: &str = "SCENE_ACTIONS";

/// Verifies the log by itself: whether each message follows the one before it.
pub(super) async fn log(connection: &Connection, audited: &mut Audited) -> anyhow::Result<()> {
    let mut period = LogPeriod::open(connection, 1).await?;
    let mut messages = 0_u64;
    while let Some(batch) = period.next_batch(BATCH_MESSAGES).await? {
        for message in batch {
            messages += 1;
            match Record::of(&message) {
                Some(record) => audited.record(LOG, &record),
                None => foreign(&message, audited),
            }
        }
    }
    let says = format!(
        "{messages} messages, {} to {}",
        period.first_kept(),
        period.until()
    );
    audited.findings.sound("read", LOG, &says);
    Ok(())
}

fn foreign(message: &LogMessage, audited: &mut Audited) {
    let says = format!(
        "message {} has the subject {}, which is not of a partition's log",
        message.sequence, message.subject
    );
    audited.findings.fault("stream", LOG, &says);
}

/// The messages of the log up to a sequence, one by one.
struct Stored {
    period: LogPeriod,
    until: u64,
    batch: VecDeque<LogMessage>,
}

impl Stored {
    async fn next(&mut self) -> anyhow::Result<Option<LogMessage>> {
        if self.batch.is_empty() {
            let batch = self.period.next_batch(BATCH_MESSAGES).await?;
            self.batch = batch.unwrap_or_default().into();
        }
        let until = self.until;
        Ok(self
            .batch
            .pop_front()
            .filter(|message| message.sequence <= until))
    }
}

/// Compares a sound export with the log, message by message.
pub(super) async fn file(
    connection: &Connection,
    path: &Path,
    verified: &Verified,
    audited: &mut Audited,
) -> anyhow::Result<()> {
    let of = path.display().to_string();
    let period = LogPeriod::open(connection, verified.head.after_sequence + 1).await?;
    if period.created() != verified.head.stream_created {
        let says = "it is of another stream: this one was made anew, or is elsewhere";
        audited.findings.fault("stream", &of, says);
        return Ok(());
    }
    let first_kept = period.first_kept();
    let mut stored = Stored {
        period,
        until: verified.tail.until_sequence,
        batch: VecDeque::new(),
    };
    let (mut same, mut aged) = (0_u64, 0_u64);
    let mut next = stored.next().await?;
    for line in lines(path)? {
        let line = line.with_context(|| format!("could not read {of}"))?;
        let parsed = Unsealed::read(&line).and_then(|line| Line::parse(line.body).ok());
        let Some((n, Line::Record(record))) = parsed else {
            continue;
        };
        while let Some(message) = next.take_if(|message| message.sequence < record.sequence) {
            only_stored(&message, &of, audited);
            next = stored.next().await?;
        }
        match next.take_if(|message| message.sequence == record.sequence) {
            Some(message) => {
                if Record::of(&message).as_ref() == Some(&record) {
                    same += 1;
                } else {
                    let says = format!(
                        "line {n}: message {} of the stream is another one now",
                        record.sequence
                    );
                    audited.findings.fault("stream", &of, &says);
                }
                next = stored.next().await?;
            }
            None if record.sequence < first_kept => aged += 1,
            None => {
                let says = format!(
                    "line {n}: message {} is gone from the stream",
                    record.sequence
                );
                audited.findings.fault("stream", &of, &says);
            }
        }
    }
    while let Some(message) = next {
        only_stored(&message, &of, audited);
        next = stored.next().await?;
    }
    let says =
        format!("{same} messages are the same in the stream, {aged} are no longer kept there");
    audited.findings.sound("stream", &of, &says);
    Ok(())
}

fn only_stored(message: &LogMessage, of: &str, audited: &mut Audited) {
    let says = format!(
        "message {} of the stream is not in the export",
        message.sequence
    );
    audited.findings.fault("stream", of, &says);
}
