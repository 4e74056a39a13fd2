//! What the log says: of the time before an event, for the fold; of the event itself, for the comparison.

use super::model::Happened;
use crate::clock::{Millis, format_rfc3339, parse_rfc3339};
use crate::durable::{LogError, LogItem, log};
use crate::event::{Value, parse_json};
use crate::nats::LogMessage;
use crate::partition::{Logged, Place, TimerChange};
use crate::partitioning::CustomerId;
use crate::state::DecisionId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The event that is asked about.
#[derive(Clone, Debug)]
pub(super) struct About {
    pub(super) customer: CustomerId,
    pub(super) source: Box<str>,
    pub(super) id: Box<str>,
    pub(super) sequence: u64,
    pub(super) stored_at: Millis,
}

/// A decision about the event, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LoggedAction {
    pub(super) id: DecisionId,
    pub(super) rule: Arc<str>,
    pub(super) verdict: String,
    pub(super) channel: String,
    pub(super) generation: Option<String>,
    pub(super) decided_at: Option<Millis>,
    /// Whether it answered the event at once, and is not a later step.
    pub(super) at_once: bool,
}

/// What a partition's log says, read in its order.
#[derive(Debug)]
pub(super) struct Story {
    about: About,
    /// What came before the event, of this customer and of all.
    pub(super) before: Vec<LogItem>,
    /// What was decided about it.
    pub(super) actions: Vec<LoggedAction>,
    /// The rules that began to wait at it.
    pub(super) waiting: BTreeSet<Arc<str>>,
    /// By rule, in order.
    happened: BTreeMap<Arc<str>, Vec<Happened>>,
    entries: BTreeMap<DecisionId, Arc<str>>,
    /// When it cannot have been decided about earlier, as far as is known.
    pub(super) earliest: Millis,
    /// When it had been, and by which generation.
    pub(super) reached: Option<Millis>,
    pub(super) generation: Option<String>,
}

impl Story {
    pub(super) fn about(about: About) -> Self {
        Self {
            earliest: about.stored_at,
            about,
            before: Vec::new(),
            actions: Vec::new(),
            waiting: BTreeSet::new(),
            happened: BTreeMap::new(),
            entries: BTreeMap::new(),
            reached: None,
            generation: None,
        }
    }

    /// Takes the next message of the partition's log.
    pub(super) fn take(&mut self, message: &LogMessage) -> Result<(), LogError> {
        let header = |name: &str| message.headers.get(name);
        let item = log::read(message.sequence, header, &message.payload)?;
        let position = match &item {
            LogItem::Entry { place, .. } => place.after,
            LogItem::Through(record) => record.through,
            LogItem::Owner(_) | LogItem::Unknown(_) => 0,
        };
        if position >= self.about.sequence {
            self.reached.get_or_insert(message.stored_at);
            if self.generation.is_none() {
                self.generation = generation_of(&item, message);
            }
        } else if self.reached.is_none() {
            self.earliest = self.earliest.max(message.stored_at);
        }
        if let LogItem::Entry { logged, place } = &item {
            self.note(logged, *place, message);
            if place.after < self.about.sequence {
                self.before.push(item);
            }
        }
        Ok(())
    }

    fn note(&mut self, logged: &Logged, place: Place, message: &LogMessage) {
        match logged {
            Logged::Decision(decision) if decision.customer == self.about.customer => {
                let Some(action) = self.action(message, place) else {
                    return;
                };
                self.entries.insert(decision.entry, decision.rule.clone());
                let happened = Happened {
                    what: action.verdict.clone(),
                    decision: decision.id.to_string(),
                    at: format_rfc3339(decision.at),
                    channel: Some(action.channel.clone()),
                    step: Some(decision.step),
                    generation: action.generation.clone(),
                    detail: None,
                    sequence: message.sequence,
                };
                self.tell(&decision.rule, happened);
                self.actions.push(action);
            }
            Logged::Timer(record) if *record.customer == *self.about.customer.as_str() => {
                let (what, detail) = match &record.change {
                    TimerChange::Armed { next, trigger } => {
                        let is_own = (&*trigger.source, &*trigger.id)
                            == (&*self.about.source, &*self.about.id);
                        if !is_own {
                            return;
                        }
                        self.entries.insert(record.entry, record.rule.clone());
                        let is_answer = place.after == self.about.sequence && place.part.is_some();
                        if is_answer {
                            self.waiting.insert(record.rule.clone());
                        }
                        let due = format_rfc3339(next.due);
                        ("deferred", format!("until {due} ({})", next.wait.word()))
                    }
                    TimerChange::Moved { next, verdict } => {
                        let due = format_rfc3339(next.due);
                        ("moved", format!("{verdict}: until {due}"))
                    }
                    TimerChange::Ended { verdict } => ("ended", verdict.clone()),
                };
                let happened = Happened {
                    what: what.to_owned(),
                    decision: record.entry.to_string(),
                    at: format_rfc3339(record.at),
                    detail: Some(detail),
                    sequence: message.sequence,
                    ..Happened::default()
                };
                if self.entries.contains_key(&record.entry) {
                    self.tell(&record.rule, happened);
                }
            }
            Logged::Conversion(record) => {
                let happened = Happened {
                    what: "converted".to_owned(),
                    decision: record.decision.to_string(),
                    at: format_rfc3339(record.time),
                    detail: Some(format!("by {} of {}", record.event, record.source)),
                    sequence: message.sequence,
                    ..Happened::default()
                };
                if self.is_own(record.decision) {
                    self.tell(&record.rule, happened);
                }
            }
            _ => {}
        }
    }

    /// Notes an outcome that came back as an event of the customer.
    pub(super) fn outcome(&mut self, action: &str, word: &str, time: Millis, sequence: u64) {
        let id = DecisionId::parse(action);
        let own = self.actions.iter().find(|known| Some(known.id) == id);
        let Some(rule) = own.map(|known| known.rule.clone()) else {
            return;
        };
        let happened = Happened {
            what: word.to_owned(),
            decision: action.to_owned(),
            at: format_rfc3339(time),
            sequence,
            ..Happened::default()
        };
        self.tell(&rule, happened);
    }

    /// What the log says of a rule, in the order of time.
    pub(super) fn happened(&self, rule: &str) -> Vec<Happened> {
        let mut happened = self.happened.get(rule).cloned().unwrap_or_default();
        // Outcomes come from another stream.
        happened.sort_by(|a, b| a.at.cmp(&b.at));
        happened
    }

    /// The rules that the log says something of.
    pub(super) fn rules(&self) -> impl Iterator<Item = &Arc<str>> {
        self.happened.keys()
    }

    /// The decision of a rule that answered the event at once.
    pub(super) fn at_once(&self, rule: &str) -> Option<&LoggedAction> {
        let mut actions = self.actions.iter();
        actions.find(|action| *action.rule == *rule && action.at_once)
    }

    /// The generation that decided about the event, as far as the log says.
    pub(super) fn decided_by(&self) -> Option<String> {
        let mut at_once = self.actions.iter().filter(|action| action.at_once);
        let own = at_once.find_map(|action| action.generation.clone());
        own.or_else(|| self.generation.clone())
    }

    fn is_own(&self, id: DecisionId) -> bool {
        self.actions.iter().any(|action| action.id == id)
    }

    fn tell(&mut self, rule: &Arc<str>, happened: Happened) {
        self.happened
            .entry(rule.clone())
            .or_default()
            .push(happened);
    }

    /// A decision about the event; `None` if it is about another one.
    fn action(&self, message: &LogMessage, place: Place) -> Option<LoggedAction> {
        let action = parse_json(&message.payload).ok()?;
        let data = action.get("data")?;
        let trigger = data.get("trigger")?;
        let text = |record: &Value, name: &str| Some(record.get(name)?.as_text()?.to_owned());
        let is_own = text(trigger, "id")? == *self.about.id
            && text(trigger, "source")? == *self.about.source;
        if !is_own {
            return None;
        }
        let decided_at = text(data, "decided_at");
        Some(LoggedAction {
            id: DecisionId::parse(&text(&action, "id")?)?,
            rule: text(data, "rule")?.into(),
            verdict: text(data, "verdict")?,
            channel: text(data, "channel")?,
            generation: text(data, "generation"),
            decided_at: decided_at.and_then(|at| parse_rfc3339(&at)),
            at_once: place.after == self.about.sequence && place.part.is_some(),
        })
    }
}

/// The generation that a message of the log names, if it is of a kind that does.
fn generation_of(item: &LogItem, message: &LogMessage) -> Option<String> {
    match item {
        LogItem::Through(record) => Some(record.generation.clone()),
        LogItem::Entry {
            logged: Logged::Decision(_),
            ..
        } => {
            let action = parse_json(&message.payload).ok()?;
            let generation = action.get("data")?.get("generation")?;
            generation.as_text().map(str::to_owned)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(sequence: u64, stored_at: Millis, kind: &str, payload: &str) -> LogMessage {
        LogMessage {
            sequence,
            stored_at,
            pending: 0,
            subject: "scene.actions._record.3".to_owned(),
            headers: [("Onscene-Kind", kind)].into_iter().collect(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
        }
    }

    fn about(sequence: u64, stored_at: Millis) -> Story {
        Story::about(About {
            customer: CustomerId::new("C1").unwrap(),
            source: "till".into(),
            id: "1".into(),
            sequence,
            stored_at,
        })
    }

    /// When an event was decided about lies between what the log says before and after; an engine that started meanwhile
    /// did not decide before it had.
    #[test]
    fn the_log_tells_between_which_times_an_event_was_decided_about() {
        let through = |sequence, at, through, generation| {
            let payload = format!("{{\"through\":{through},\"generation\":\"{generation}\"}}");
            message(sequence, at, log::KIND_THROUGH, &payload)
        };
        let owner = r#"{"owner":"a","version":"1","at":"2026-11-22T02:00:00Z"}"#;
        let mut story = about(7, 65);
        story.take(&through(1, 60, 5, "first")).unwrap();
        assert_eq!((story.earliest, story.reached), (65, None));
        story.take(&message(2, 80, log::KIND_OWNER, owner)).unwrap();
        story.take(&through(3, 100, 9, "second")).unwrap();
        story
            .take(&message(4, 110, log::KIND_OWNER, owner))
            .unwrap();
        story.take(&through(5, 120, 11, "third")).unwrap();
        assert_eq!((story.earliest, story.reached), (80, Some(100)));
        assert_eq!(story.decided_by().as_deref(), Some("second"));
    }
}
