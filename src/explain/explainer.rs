//! Fetches what an explanation needs: the customer's events, a checkpoint, the partition's log.

use super::answer::{Asked, answer};
use super::model::Explanation;
use super::rebuild::{Past, Setting};
use super::story::{About, Story};
use crate::decode::Decoder;
use crate::durable::checkpoint::read_cut;
use crate::durable::{Checkpoint, CheckpointFolder, CheckpointStore as _, LogError};
use crate::event::{Event, Facts, Incoming, Schema, Stored};
use crate::governance::texts;
use crate::nats::{
    Connection, DeadLetterError, DeadLetters, Edge, History, Period, ReadError, StoredEvent, Whose,
};
use crate::partition::Input;
use crate::partitioning::{CustomerId, partition_of};
use crate::rules::{RuleSet, Sources, render};
use crate::state::JournalLimits;
use jiff::tz::TimeZone;
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Messages that are read at a time.
const BATCH_MESSAGES: usize = 1_000;
const CUSTOMER_SUBJECTS: &str = "scene.in.";

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The customer.
    pub customer: CustomerId,
    /// The event's id.
    pub event: Box<str>,
    /// The event's source, where ids alone do not tell.
    pub source: Option<Box<str>>,
    /// Only this rule.
    pub rule: Option<Box<str>>,
    /// Ask the rules that are given, also where others decided.
    pub as_given: bool,
}

/// Rules to be asked again.
#[derive(Clone, Debug)]
pub struct Texts {
    /// Compiled.
    pub set: Arc<RuleSet>,
    /// The texts that they were compiled from.
    pub sources: Arc<Sources>,
    /// Where they come from, for whoever reads the explanation.
    pub from: String,
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// No such event of the customer is kept.
    #[error(
        "no event `{event}` of this customer is kept in SCENE_EVENTS: look at the id and the customer; events older than `events.max_age_days` are gone"
    )]
    NotFound {
        /// The event's id.
        event: Box<str>,
    },
    /// It is about nobody.
    #[error(
        "the event `{event}` is a broadcast: explained are events of customers; what it led to is in SCENE_ACTIONS"
    )]
    Broadcast {
        /// The event's id.
        event: Box<str>,
    },
    /// Events of several sources have this id.
    #[error("events of several sources have the id `{event}`: say which is meant, one of {}", sources.join(", "))]
    Ambiguous {
        /// The event's id.
        event: Box<str>,
        /// The sources.
        sources: Vec<String>,
    },
    /// It was refused.
    #[error("the event `{event}` was refused and decided nothing: `onscene dlq list` says why")]
    Refused {
        /// The event's id.
        event: Box<str>,
    },
    /// It was imported.
    #[error("the event `{event}` was imported: it is history, and no rule was asked about it")]
    Imported {
        /// The event's id.
        event: Box<str>,
    },
    /// The event changed nothing when it came.
    #[error("the event `{event}` changed nothing when it came, so no rule was asked: {why}")]
    Unapplied {
        /// The event's id.
        event: Box<str>,
        /// Why.
        why: &'static str,
    },
    /// No such rule.
    #[error("there is no rule `{0}` that listens to this event: leave it out to see all that do")]
    NoSuchRule(Box<str>),
    /// A stream cannot be read.
    #[error("failed to {0}")]
    Read(#[from] ReadError),
    /// The dead letters cannot be read.
    #[error(transparent)]
    DeadLetters(#[from] DeadLetterError),
    /// The log holds something that cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The checkpoints cannot be read.
    #[error("failed to read the checkpoints in {folder}")]
    Checkpoints {
        /// Where they are.
        folder: String,
        /// Why.
        source: std::io::Error,
    },
    /// A task ended unexpectedly.
    #[error("the explanation ended unexpectedly")]
    Ended(#[from] tokio::task::JoinError),
}

/// Explains what became of events, from the streams and the checkpoints, whether the engine runs or not.
#[derive(Clone, Debug)]
pub struct Explainer {
    connection: Connection,
    folder: CheckpointFolder,
    decoder: Decoder,
    setting: Setting,
    /// The generation whose kept texts were asked last.
    last: Arc<Mutex<Option<Texts>>>,
}

/// The rules that are asked.
struct Then {
    texts: Texts,
    /// Whether they are others than those given.
    is_another: bool,
    /// Why those that decided are not asked.
    without: Option<String>,
}

/// One of the customer's events as it is stored.
struct Found {
    stored: Stored,
    event: Event,
}

impl Explainer {
    /// Reads by a connection, which the engine should not use for events itself.
    #[must_use]
    pub fn new(
        connection: Connection,
        folder: CheckpointFolder,
        decoder: Decoder,
        journal: JournalLimits,
        zone: TimeZone,
    ) -> Self {
        Self {
            connection,
            folder,
            decoder,
            setting: Setting { journal, zone },
            last: Arc::default(),
        }
    }

    /// Explains one event of a customer, with the rules that decided about it if their texts are kept, and else with
    /// those given.
    ///
    /// # Errors
    /// When there is no such event, or something cannot be read.
    pub async fn explain(&self, ask: &Ask, given: Texts) -> Result<Explanation, ExplainError> {
        let (mut events, first) = self.events(ask, &given.set).await?;
        let dead = match events.first() {
            Some(event) => {
                let letters = DeadLetters::new(&self.connection);
                letters.known_since(event.stored.sequence).await?
            }
            None => HashSet::new(),
        };
        let target = target(&events, &dead, ask)?;
        let sequence = target.stored.sequence;
        let mut past = Past::new(self.setting.clone(), ask.customer.clone());
        let mut story = Story::about(target.about());
        let log = self.begin(&mut past, sequence).await?;
        self.read_log(&ask.customer, log, &mut story).await?;
        let then = self.texts_of_then(ask, given, &story).await;
        let schema = then.texts.set.schema();
        if then.is_another {
            events.retain_mut(|found| found.decode_again(&self.decoder, schema));
        }
        let Some(target) = events.iter().find(|e| e.stored.sequence == sequence) else {
            return Err(ExplainError::Refused {
                event: ask.event.clone(),
            });
        };
        tell_outcomes(&events, sequence, &mut story);
        let through = past.base().map_or(0, |base| base.through);
        let before = events.iter().filter(|found| {
            let at = found.stored.sequence;
            at > through && at < sequence && !dead.contains(&at)
        });
        let before = before.map(Found::input).collect();
        past.go_on_with(before, std::mem::take(&mut story.before));
        let asked = Asked {
            ask: ask.clone(),
            past,
            input: target.input(),
            event: target.event.clone(),
            story,
            texts: then.texts,
            without_texts: then.without,
            names: events.iter().map(Found::name).collect(),
            partition: partition_of(&ask.customer.token(), self.decoder.partitions),
            first,
        };
        tokio::task::spawn_blocking(move || answer(asked)).await?
    }

    /// The rules that decided, if others are given and the texts of those that did are kept.
    async fn texts_of_then(&self, ask: &Ask, given: Texts, story: &Story) -> Then {
        let is_another =
            |generation: &String| !ask.as_given && **generation != **given.set.generation();
        let Some(generation) = story.decided_by().filter(is_another) else {
            return Then {
                texts: given,
                is_another: false,
                without: None,
            };
        };
        match self.kept(&generation).await {
            Ok(texts) => Then {
                texts,
                is_another: true,
                without: None,
            },
            Err(why) => Then {
                texts: given,
                is_another: false,
                without: Some(why),
            },
        }
    }

    /// The texts of a generation as they are kept, compiled; the last one is remembered.
    async fn kept(&self, generation: &str) -> Result<Texts, String> {
        let known = self
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(known) = known.filter(|known| **known.set.generation() == *generation) {
            return Ok(known);
        }
        let sources = texts::load(&self.connection, generation).await;
        let sources = Arc::new(sources.map_err(|error| format!("failed to {error}"))?);
        let compiled = sources.clone();
        let compiled = tokio::task::spawn_blocking(move || RuleSet::compile(&compiled)).await;
        let set = compiled
            .map_err(|error| error.to_string())?
            .map_err(|faults| {
                format!(
                    "this version of the engine cannot compile them:\n{}",
                    render(&faults)
                )
            })?;
        let texts = Texts {
            set: Arc::new(set),
            sources,
            from: "SCENE_RULES".to_owned(),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(texts.clone());
        Ok(texts)
    }

    /// The customer's events that are kept, and the first sequence that the stream has.
    async fn events(&self, ask: &Ask, rules: &RuleSet) -> Result<(Vec<Found>, u64), ExplainError> {
        let whose = self.whose(&ask.customer);
        let mut history = History::events(&self.connection, &whose, Period::default()).await?;
        let first = history.progress().first;
        let mut events = Vec::new();
        let mut is_broadcast = false;
        while let Some(batch) = history.next_batch(BATCH_MESSAGES).await? {
            for message in &batch {
                let stored = stored(message);
                if !message.subject.starts_with(CUSTOMER_SUBJECTS) {
                    let broadcast = self.decoder.decode_broadcast(&stored, rules.schema());
                    is_broadcast |= broadcast.is_ok_and(|broadcast| broadcast.id == ask.event);
                    continue;
                }
                // What cannot be decoded was refused, or is somebody else's.
                match self.decoder.decode(&stored, rules.schema()) {
                    Ok(event) if event.customer == ask.customer => {
                        events.push(Found { stored, event })
                    }
                    _ => {}
                }
            }
        }
        if is_broadcast && !events.iter().any(|found| found.event.id == ask.event) {
            let event = ask.event.clone();
            return Err(ExplainError::Broadcast { event });
        }
        Ok((events, first))
    }

    /// Takes the newest sound checkpoint from before an event, if there is one; returns the sequence from which on the
    /// log is to be read.
    async fn begin(&self, past: &mut Past, sequence: u64) -> Result<u64, ExplainError> {
        let partitions = self.decoder.partitions;
        let partition = partition_of(&past.id().token(), partitions);
        let folder = self.folder.clone();
        let newest = tokio::task::spawn_blocking(move || {
            for number in folder.numbers(partition)? {
                // One that is damaged, or gone meanwhile, is passed over: the engine sees to it.
                let Ok(bytes) = folder.read(partition, number) else {
                    continue;
                };
                let fits = read_cut(&bytes).is_ok_and(|cut| {
                    let is_own = (cut.partition, cut.partitions) == (partition, partitions);
                    is_own && cut.through < sequence
                });
                if fits && let Ok(checkpoint) = Checkpoint::check(bytes) {
                    return Ok(Some((number, checkpoint)));
                }
            }
            Ok(None)
        });
        let newest = newest.await?.map_err(|source| ExplainError::Checkpoints {
            folder: self.folder.path().display().to_string(),
            source,
        })?;
        let Some((number, checkpoint)) = newest else {
            return Ok(1);
        };
        match past.begin_with(number, &checkpoint) {
            Ok(()) => Ok(checkpoint.cut().log + 1),
            Err(_) => Ok(1),
        }
    }

    async fn read_log(
        &self,
        id: &CustomerId,
        from: u64,
        story: &mut Story,
    ) -> Result<(), ExplainError> {
        let period = Period {
            from: Some(Edge::Sequence(from)),
            to: None,
        };
        let mut history = History::log(&self.connection, &self.whose(id), period).await?;
        while let Some(batch) = history.next_batch(BATCH_MESSAGES).await? {
            for message in &batch {
                story.take(message)?;
            }
        }
        Ok(())
    }

    fn whose(&self, id: &CustomerId) -> Whose {
        Whose::Customer {
            id: id.clone(),
            partitions: self.decoder.partitions,
        }
    }
}

impl Found {
    fn input(&self) -> Input {
        Input {
            sequence: self.stored.sequence,
            stored_at: self.stored.stored_at,
            already: 0,
            what: Incoming::Event(self.event.clone()),
        }
    }

    fn about(&self) -> About {
        About {
            customer: self.event.customer.clone(),
            source: self.event.source.clone(),
            id: self.event.id.clone(),
            sequence: self.stored.sequence,
            stored_at: self.stored.stored_at,
        }
    }

    /// What it is called, by its fingerprint.
    fn name(&self) -> (u64, (Box<str>, Box<str>)) {
        let event = &self.event;
        (event.fingerprint, (event.id.clone(), event.source.clone()))
    }

    /// Decodes it by other declarations; false if it is none by them.
    fn decode_again(&mut self, decoder: &Decoder, schema: &Schema) -> bool {
        let decoded = decoder.decode(&self.stored, schema).ok();
        decoded.map(|event| self.event = event).is_some()
    }
}

/// The event that is meant: the first that was stored, if it was published again.
fn target<'e>(
    events: &'e [Found],
    dead: &HashSet<u64>,
    ask: &Ask,
) -> Result<&'e Found, ExplainError> {
    let event = || ask.event.clone();
    let named = |found: &&Found| found.event.id == ask.event;
    let of_source = |found: &&Found| match &ask.source {
        Some(source) => found.event.source == *source,
        None => true,
    };
    let matching: Vec<&Found> = events.iter().filter(named).filter(of_source).collect();
    let sources: BTreeSet<&str> = matching.iter().map(|found| &*found.event.source).collect();
    if sources.len() > 1 {
        return Err(ExplainError::Ambiguous {
            event: event(),
            sources: sources.into_iter().map(str::to_owned).collect(),
        });
    }
    let is_dead = |found: &Found| dead.contains(&found.stored.sequence);
    let taken = matching.iter().find(|found| !is_dead(found));
    match (taken, matching.first()) {
        (None, None) => Err(ExplainError::NotFound { event: event() }),
        (None, Some(_)) => Err(ExplainError::Refused { event: event() }),
        (Some(found), _) if found.event.imported => Err(ExplainError::Imported { event: event() }),
        (Some(found), _) => Ok(found),
    }
}

/// Tells what came back of what was said, after an event.
fn tell_outcomes(events: &[Found], after: u64, story: &mut Story) {
    for later in events.iter().filter(|e| e.stored.sequence > after) {
        if let Facts::Outcome { outcome, action } = &later.event.facts {
            let sequence = later.stored.sequence;
            story.outcome(action, outcome.word(), later.event.time, sequence);
        }
    }
}

fn stored(message: &StoredEvent) -> Stored {
    let headers = message.headers.iter();
    Stored {
        sequence: message.sequence,
        stored_at: message.stored_at,
        subject: message.subject.clone(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        payload: message.payload.clone(),
    }
}
