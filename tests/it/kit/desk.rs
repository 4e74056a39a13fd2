//! The pure core at one's fingertips: rules from text, one partition, events as JSON.

use onscene::action::Verdict;
use onscene::clock::{Millis, format_rfc3339, parse_rfc3339};
use onscene::decode::Decoder;
use onscene::event::{Incoming, Schema, Stored};
use onscene::partition::{Input, Output, Partition};
use onscene::rules::{Diagnostic, RuleSet, Source, Sources, render};
use onscene::state::{Customers, JournalLimits};
use serde_json::{Value, json};
use std::sync::Arc;

/// A Sunday, ten o'clock in Shanghai and two in the morning UTC.
pub(crate) const NOON: &str = "2026-11-22T10:00:00+08:00";

pub(crate) fn time(text: &str) -> Millis {
    parse_rfc3339(text).unwrap()
}

/// Files by path: rules, `lib/…`, `lists/…`, `schema.toml`, `policy.toml`.
pub(crate) fn sources(files: &[(&str, &str)]) -> Sources {
    let mut sources = Sources::default();
    for (path, text) in files {
        let source = Source {
            path: (*path).into(),
            text: (*text).into(),
        };
        match *path {
            "schema.toml" => sources.schema = Some(source),
            "policy.toml" => sources.policy = Some(source),
            path if path.ends_with(".test.toml") => sources.tests.push(source),
            path if path.starts_with("lib/") => sources.library.push(source),
            path if path.starts_with("lists/") => sources.lists.push(source),
            _ => sources.rules.push(source),
        }
    }
    sources.rules.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

pub(crate) fn compile(files: &[(&str, &str)]) -> Result<RuleSet, Vec<Diagnostic>> {
    RuleSet::compile(&sources(files))
}

/// A rule on checkouts that goes out by push; `terms` are further members of its `RULE`.
pub(crate) fn rule(terms: &str) -> String {
    rule_when(terms, "true")
}

/// The same with a condition.
pub(crate) fn rule_when(terms: &str, condition: &str) -> String {
    let channels = if terms.contains("channels:") {
        ""
    } else {
        "channels: [\"push\"],"
    };
    format!(
        "const RULE = #{{ on: \"merchant.checkout\", {channels} {terms} }};\n\
         fn when(event, customer) {{ {condition} }}\n\
         fn action(event, customer) {{ #{{ kind: \"offer\", code: \"CODE\" }} }}\n"
    )
}

/// One partition with its rules.
pub(crate) struct Desk {
    pub(crate) partition: Partition,
    pub(crate) customers: Arc<Customers>,
    pub(crate) rules: RuleSet,
    sequence: u64,
}

impl Desk {
    pub(crate) fn new<T: AsRef<str>>(files: &[(&str, T)]) -> Self {
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (*path, text.as_ref()))
            .collect();
        let rules = compile(&files).unwrap_or_else(|faults| panic!("{}", render(&faults)));
        let customers = Arc::new(Customers::default());
        let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
        Self {
            partition: Partition::new(customers.clone(), JournalLimits::default(), zone)
                .listing_silenced(),
            customers,
            rules,
            sequence: 0,
        }
    }

    /// The same rules after a restart: nothing is known.
    pub(crate) fn restarted(self) -> Self {
        let customers = Arc::new(Customers::default());
        let zone = jiff::tz::TimeZone::get("Asia/Shanghai").unwrap();
        Self {
            partition: Partition::new(customers.clone(), JournalLimits::default(), zone)
                .listing_silenced(),
            customers,
            rules: self.rules,
            sequence: 0,
        }
    }

    /// An event stored at the time it happened.
    pub(crate) fn input(&mut self, event: &Value) -> Input {
        self.sequence += 1;
        let event = decode(event, self.rules.schema());
        Input {
            sequence: self.sequence,
            stored_at: event.time(),
            already: 0,
            what: event,
        }
    }

    /// Steps one event at the time it happened.
    pub(crate) fn step(&mut self, event: &Value) -> Output {
        let input = self.input(event);
        let now = input.what.time();
        self.partition.step(&[input], now, &self.rules)
    }

    /// Moves the clock on, as a stream without events does: each thing at its time.
    pub(crate) fn advance(&mut self, to: Millis) -> Output {
        let mut output = Output::default();
        while let Some(due) = self.next_due().filter(|due| *due <= to) {
            output.append(self.partition.advance(due, due, &self.rules));
            output.append(self.sweep(due));
        }
        output.append(self.partition.advance(to, to, &self.rules));
        output
    }

    pub(crate) fn next_due(&mut self) -> Option<Millis> {
        self.partition.next_due(&self.rules)
    }

    /// Takes every broadcast to its end, a few customers at a time.
    pub(crate) fn sweep(&mut self, now: Millis) -> Output {
        let mut output = Output::default();
        while self.partition.is_sweeping() {
            output.append(self.partition.sweep(3, now, &self.rules));
        }
        output
    }

    /// What became of a rule at one event.
    pub(crate) fn verdict(&mut self, rule: &str, event: &Value) -> Verdict {
        verdict(&self.step(event), rule)
    }
}

/// What a step says became of a rule, which listened to exactly one event of it.
pub(crate) fn verdict(output: &Output, rule: &str) -> Verdict {
    let found: Vec<Verdict> = output
        .verdicts
        .iter()
        .filter(|((name, _), _)| &**name == rule)
        .map(|((_, verdict), count)| {
            assert_eq!(*count, 1);
            *verdict
        })
        .collect();
    assert_eq!(found.len(), 1, "{rule}: {:?}", output.verdicts);
    found[0]
}

/// Who decided, in order.
pub(crate) fn winners(output: &Output) -> Vec<&str> {
    output.decisions().map(|decision| &*decision.rule).collect()
}

pub(crate) fn decode(event: &Value, schema: &Schema) -> Incoming {
    let stored = Stored {
        sequence: 1,
        stored_at: 0,
        subject: String::new(),
        headers: Vec::new(),
        payload: serde_json::to_vec(event).unwrap().into(),
    };
    Decoder::default().decode_offline(&stored, schema).unwrap()
}

/// A CloudEvent.
pub(crate) fn event(kind: &str, id: &str, customer: &str, at: Millis, data: Value) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "test", "type": kind, "subject": customer,
        "time": format_rfc3339(at), "data": data,
    })
}

/// A started checkout of 128.50 for dinner.
pub(crate) fn checkout(id: &str, customer: &str, at: Millis) -> Value {
    event(
        "merchant.checkout",
        id,
        customer,
        at,
        json!({
            "stage": "started", "amount": "128.50", "currency": "CNY", "tender": "other_bank",
            "merchant": {"id": "M7", "category": "dining", "partner": true},
        }),
    )
}

/// A profile event.
pub(crate) fn profile(id: &str, customer: &str, at: Millis, data: Value) -> Value {
    event("customer.profile", id, customer, at, data)
}
