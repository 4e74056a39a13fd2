//! Reads what a report is made of: the log from end to end, and what events say of customers.

use crate::clock::Millis;
use crate::durable::LogError;
use crate::durable::log;
use crate::nats::history::{Edge, History, HistoryProgress, Period as Stored, Whose};
use crate::nats::{ConnectError, Connection, ReadError, StoredMessage};
use crate::report::{Fact, Fold, Period, Plan, profile};
use crate::rules::RuleSet;
use std::sync::Arc;
use tokio::sync::{Semaphore, TryAcquireError};

/// Messages that are taken at a time.
const BATCH_MESSAGES: usize = 1_000;
/// How long before its period the log is read: what is decided of an event is stored after it, so this only has to
/// cover what clocks of brokers differ by.
const SLACK: Millis = 60_000;

/// Why a report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MeasurementError {
    /// The broker cannot be reached.
    #[error("could not reach the log")]
    Connect(#[from] ConnectError),
    /// A stream cannot be read.
    #[error("could not read the history")]
    Read(#[from] ReadError),
    /// A message of the log makes no sense.
    #[error("could not understand the log")]
    Log(#[from] LogError),
    /// Another one is being made.
    #[error("another report is being made: ask again when it is done")]
    Busy(#[from] TryAcquireError),
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The period.
    pub period: Period,
    /// One rule; without it, all.
    pub rule: Option<String>,
}

/// Makes reports for whoever asks an engine, one at a time, over a connection of their own: the engine's reading and
/// committing do not wait for them.
#[derive(Clone, Debug)]
pub struct Reports {
    url: Arc<str>,
    /// The currency of every amount.
    pub currency: Arc<str>,
    one: Arc<Semaphore>,
}

impl Reports {
    /// Of the logs of a broker.
    #[must_use]
    pub fn new(url: &str, currency: &str) -> Self {
        Self {
            url: url.into(),
            currency: currency.into(),
            one: Arc::new(Semaphore::new(1)),
        }
    }

    /// Reads what a report is made of.
    ///
    /// # Errors
    /// When the log cannot be read, or another one is being read.
    pub async fn read(&self, asked: &Asked) -> Result<Fold, MeasurementError> {
        let _permit = self.one.try_acquire()?;
        let connection = Connection::open(&self.url, "onscene report").await?;
        let fold = read(&connection, asked, |_, _| {}).await;
        connection.close().await;
        fold
    }
}

/// Reads what a report is made of. `progress` is told what is read, and how far.
///
/// # Errors
/// When it cannot be read or understood.
pub async fn read(
    connection: &Connection,
    asked: &Asked,
    mut progress: impl FnMut(&'static str, HistoryProgress),
) -> Result<Fold, MeasurementError> {
    let mut fold = Fold::new(asked.period, asked.rule.as_deref());
    // Before the log: a profile counts by its time, not by when it is read.
    take_profiles(connection, &mut fold, |at| progress("profiles", at)).await?;
    take_log(connection, &mut fold, |at| progress("decisions", at)).await?;
    Ok(fold)
}

/// What rules ask for, as far as a report is better for knowing it.
#[must_use]
pub fn plan(rules: &RuleSet) -> Plan {
    Plan::of(rules.rules().iter().map(|rule| &rule.terms), rules.policy())
}

/// Adds the log to a fold: from the beginning of its period to the end of the log, since outcomes come late.
async fn take_log(
    connection: &Connection,
    fold: &mut Fold,
    mut progress: impl FnMut(HistoryProgress),
) -> Result<(), MeasurementError> {
    let from = fold.period().from;
    let period = Stored {
        from: from.map(|from| Edge::Time(from.saturating_sub(SLACK))),
        to: None,
    };
    let mut history = History::log(connection, &Whose::All, period).await?;
    while let Some(batch) = history.next_batch(BATCH_MESSAGES).await? {
        for message in &batch {
            take_message(fold, message)?;
        }
        progress(history.progress());
    }
    Ok(())
}

fn take_message(fold: &mut Fold, message: &StoredMessage) -> Result<(), LogError> {
    let header = |name: &str| message.headers.get(name);
    let item = log::read(message.sequence, header, &message.payload)?;
    if let Some(fact) = Fact::of_log(&item) {
        fold.take(fact);
    }
    Ok(())
}

/// Adds what events say of customers, as far back as events are kept.
async fn take_profiles(
    connection: &Connection,
    fold: &mut Fold,
    mut progress: impl FnMut(HistoryProgress),
) -> Result<(), MeasurementError> {
    let period = Stored {
        from: None,
        to: fold.period().to.map(Edge::Time),
    };
    let mut history = History::events(connection, &Whose::Profiles, period).await?;
    while let Some(batch) = history.next_batch(BATCH_MESSAGES).await? {
        for message in &batch {
            let fact = profile::stored(&message.payload, |name| message.headers.get(name));
            if let Some(fact) = fact {
                fold.take(fact);
            }
        }
        progress(history.progress());
    }
    Ok(())
}
