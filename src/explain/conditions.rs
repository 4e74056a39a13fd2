//! Conditions taken apart: each part asked by itself, with the windows it looked at.

use super::model::{Conjunct, ItemFacts, WindowFacts};
use crate::clock::format_rfc3339;
use crate::event::Event;
use crate::rules::{
    Asked, Function, Mark, Probes, Recorder, Rule, RuleSet, Sources, Standing, Subject,
};
use crate::state::{EntryPhase, Item, ItemOf, Names, View, WindowAnswer};
use std::collections::HashMap;

/// What events of the customer are called, by their fingerprints: id and source.
pub(super) type EventNames = HashMap<u64, (Box<str>, Box<str>)>;

/// The rules that listen to a type, taken apart.
pub(super) struct Conditions {
    set: RuleSet,
    probes: Probes,
}

impl Conditions {
    /// Takes the rules apart that listen to a type, or that `also` says.
    pub(super) fn of(rules: &RuleSet, sources: &Sources, kind: &str) -> Self {
        let listening = rules.listening(kind);
        let listens = |file: &str| listening.iter().any(|rule| *rule.file == *file);
        // The others would be compiled for nothing.
        let few = Sources {
            rules: (sources.rules.iter())
                .filter(|source| listens(&source.path))
                .cloned()
                .collect(),
            ..sources.clone()
        };
        let set = rules.only(|name| listening.iter().any(|rule| *rule.terms.name == *name));
        let (set, probes) = set.taken_apart(&few);
        Self { set, probes }
    }

    /// Asks each part of a rule's `when`.
    pub(super) fn ask(
        &self,
        rule: &Rule,
        event: &Event,
        standing: Standing<'_>,
        events: &EventNames,
    ) -> Vec<Conjunct> {
        let watched = self.probes.function(&rule.file, Function::When.name());
        let (Some(function), Some(rule)) = (watched, self.set.rule(&rule.terms.name)) else {
            return Vec::new();
        };
        let recorder = Recorder::default();
        let moment = self.set.moment(Subject::Event(event), standing);
        let moment = moment.recording(recorder.clone());
        let view = View {
            customer: standing.customer,
            names: standing.customers.names(),
            time: standing.time,
            index: standing.index,
        };
        let mut all_held = true;
        let sites = &self.probes.functions[function].conjuncts;
        let parts = sites.iter().enumerate().map(|(number, site)| {
            let (_, _) = (self.probes.take(), recorder.take());
            let asked = self.set.conjunct(rule, Function::When, number, &moment);
            let marks = self.probes.take();
            let place = &self.probes.sites[*site];
            let reached =
                (marks.iter()).any(|mark| matches!(mark, Mark::Held(at, _) if at == site));
            let (held, error) = match asked {
                Err(error) => (None, Some(error.message)),
                Ok(_) if !reached => {
                    let error = "`when` returned before it came to this".to_owned();
                    (None, Some(error))
                }
                Ok(held) => (Some(held), None),
            };
            let decided = all_held && held != Some(true);
            all_held &= held == Some(true);
            Conjunct {
                text: place.one_line(),
                line: place.line,
                held,
                saw: self.probes.with_values(*site, &marks),
                because: self.because(place.function, held, &marks),
                error,
                decided,
                windows: (recorder.take().iter())
                    .map(|asked| window(&view, asked, events))
                    .collect(),
            }
        });
        parts.collect()
    }
}

impl Conditions {
    /// Where functions that a part called said no, if the part did.
    fn because(&self, asked: usize, held: Option<bool>, marks: &[Mark]) -> Vec<String> {
        let mut because = Vec::new();
        for (at, mark) in marks.iter().enumerate() {
            let Mark::Held(site, false) = mark else {
                continue;
            };
            let place = &self.probes.sites[*site];
            if held == Some(true) || place.function == asked {
                continue;
            }
            let function = &self.probes.functions[place.function].name;
            let was = self.probes.with_values(*site, &marks[..at]);
            let was = was.map_or_else(|| "was false".to_owned(), |was| format!("was {was}"));
            because.push(format!(
                "`{function}` said no: {}   {was}",
                place.one_line()
            ));
        }
        because
    }
}

fn window(view: &View<'_>, asked: &Asked, events: &EventNames) -> WindowFacts {
    let question = &asked.question;
    let items = view.items(question);
    let value = match view.answer(question) {
        WindowAnswer::Number(number) => number.normalize().to_string(),
        WindowAnswer::Word(word) => word.map_or_else(|| "()".to_owned(), |word| word.to_string()),
        WindowAnswer::Truth(truth) => truth.to_string(),
    };
    WindowFacts {
        call: asked.call.clone(),
        value,
        made_as: question.made_as().to_owned(),
        trimmed: (question.window()).is_some_and(|window| view.is_trimmed(window)),
        items: items.iter().map(|i| item(i, view.names, events)).collect(),
    }
}

fn item(item: &Item<'_>, names: &Names, events: &EventNames) -> ItemFacts {
    let part = item.part.normalize().to_string();
    let entry = match item.of {
        ItemOf::Entry(entry) => entry,
        ItemOf::Contact(contact) => {
            return ItemFacts {
                time: format_rfc3339(contact.time),
                id: contact.id.to_string(),
                source: None,
                kind: "action".to_owned(),
                phase: Some(names.text(contact.channel).to_owned()),
                amount: contact.value.map(|value| value.to_string()),
                category: None,
                part,
            };
        }
    };
    let shape = names.shape(entry.shape());
    let phase = match shape.phase {
        EntryPhase::Checkout(stage, _) => Some(stage.word()),
        EntryPhase::Movement(direction) => Some(direction.word()),
        EntryPhase::AtMerchant | EntryPhase::Other => None,
    };
    let known = events.get(&entry.fingerprint());
    ItemFacts {
        time: format_rfc3339(entry.time()),
        id: known.map_or_else(
            || format!("{:016x}", entry.fingerprint()),
            |(id, _)| id.to_string(),
        ),
        source: known.map(|(_, source)| source.to_string()),
        kind: names.text(shape.kind).to_owned(),
        phase: phase.map(str::to_owned),
        amount: Some(entry.amount().to_string()),
        category: shape.category.map(|name| names.text(name).to_owned()),
        part,
    }
}
