//! What the functions of a rule are handed: an event, a customer as of a time, an earlier decision.

use super::api::CustomerView;
use super::asked::Recorder;
use super::native::{Answered, Ask, AskId, Memo, Native};
use super::record::{Fields, Record, text};
use crate::clock::Millis;
use crate::event::{Event, Occasion, Schema};
use crate::money::Money;
use crate::partitioning::CustomerId;
use crate::state::{Customer, Customers, DecisionId};
use rhai::Dynamic;
use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// An occasion as rules see it, made once for all customers to whom it applies.
#[derive(Clone)]
pub struct EventView(Dynamic);

impl EventView {
    /// The view of an occasion; `customer` is `None` when it is about nobody.
    #[must_use]
    pub fn new(occasion: &Occasion, customer: Option<&CustomerId>) -> Self {
        Self(Dynamic::from(Record::of_occasion(occasion, customer)))
    }
}

impl EventView {
    pub(super) fn dynamic(&self) -> &Dynamic {
        &self.0
    }
}

impl fmt::Debug for EventView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventView")
    }
}

/// What a rule is asked about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// An event of the customer.
    Event(&'a Event),
    /// Something else: a broadcast, a timer, or an event from before.
    View(&'a EventView),
}

/// A customer as of a time.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Who.
    pub id: &'a CustomerId,
    /// What is known of them.
    pub customer: &'a Arc<Customer>,
    /// The map they are in, with the words that their state refers to.
    pub customers: &'a Arc<Customers>,
    /// From when windows reach back.
    pub time: Millis,
    /// How many entries of the journal come before what the rule is asked about.
    pub index: usize,
}

/// A subject and a customer, ready to be shown to rules.
pub struct Moment<'a> {
    subject: Subject<'a>,
    standing: Standing<'a>,
    schema: &'a Arc<Schema>,
    /// The conditions of the rule set that made it, if they are native.
    native: Option<&'a Native>,
    memo: OnceCell<Memo>,
    /// Made when the first rule needs them.
    views: OnceCell<(Dynamic, Dynamic)>,
    trimmed: Arc<AtomicBool>,
    recorder: Option<Recorder>,
}

impl<'a> Moment<'a> {
    pub(super) fn new(
        subject: Subject<'a>,
        standing: Standing<'a>,
        schema: &'a Arc<Schema>,
        native: Option<&'a Native>,
    ) -> Self {
        Self {
            subject,
            standing,
            schema,
            native,
            memo: OnceCell::new(),
            views: OnceCell::new(),
            trimmed: Arc::default(),
            recorder: None,
        }
    }

    /// The same, with what rules ask of the customer written down.
    #[must_use]
    pub fn recording(mut self, recorder: Recorder) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Whether a rule asked for a window that reaches over the edge of the journal.
    #[must_use]
    pub fn crossed_trimmed_edge(&self) -> bool {
        self.trimmed.load(Ordering::Relaxed)
    }

    /// The customer it is about.
    #[must_use]
    pub fn standing(&self) -> Standing<'a> {
        self.standing
    }

    /// What it is about.
    pub(super) fn subject(&self) -> Subject<'a> {
        self.subject
    }

    /// Notes that a window reaches over the edge of the journal.
    pub(super) fn mark_trimmed(&self) {
        self.trimmed.store(true, Ordering::Relaxed);
    }

    /// The native conditions that may be asked: not while what rules ask is written down.
    pub(super) fn native(&self) -> Option<&'a Native> {
        self.native.filter(|_| self.recorder.is_none())
    }

    /// The answer to a question, computed when it is asked for first.
    pub(super) fn answer(&self, asks: &[Ask], id: AskId) -> &Answered {
        let memo = self.memo.get_or_init(|| Memo::new(asks.len()));
        memo.get(id, || asks[id as usize].answer(self))
    }

    pub(super) fn views(&self) -> (Dynamic, Dynamic) {
        let (event, customer) = self.views.get_or_init(|| {
            let event = match self.subject {
                Subject::Event(event) => Dynamic::from(Record::of_event(event)),
                Subject::View(view) => view.0.clone(),
            };
            let view = CustomerView::new(
                self.standing,
                self.schema.clone(),
                self.trimmed.clone(),
                self.recorder.clone(),
            );
            (event, Dynamic::from(view))
        });
        (event.clone(), customer.clone())
    }
}

/// An earlier decision, as `converted` sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct PastDecision {
    /// Its id.
    pub id: DecisionId,
    /// Its rule.
    pub rule: Arc<str>,
    /// The variant of the rule.
    pub variant: Arc<str>,
    /// The step of a journey.
    pub step: u32,
    /// By which channel.
    pub channel: Arc<str>,
    /// The code of its body.
    pub code: Option<Arc<str>>,
    /// The value of its body.
    pub value: Option<Money>,
    /// The cost of its body.
    pub cost: Option<Money>,
    /// Event time of its trigger.
    pub time: Millis,
    /// Whether it was held out.
    pub holdout: bool,
}

impl PastDecision {
    pub(super) fn view(&self) -> Dynamic {
        let amount = |money: Option<Money>| {
            money.map_or(Dynamic::UNIT, |m| Dynamic::from_decimal(m.to_decimal()))
        };
        let fields: Fields = vec![
            ("id".into(), text(&self.id.to_string())),
            ("rule".into(), text(&self.rule)),
            ("variant".into(), text(&self.variant)),
            ("step".into(), i64::from(self.step).into()),
            ("channel".into(), text(&self.channel)),
            (
                "code".into(),
                self.code.as_deref().map_or(Dynamic::UNIT, text),
            ),
            ("value".into(), amount(self.value)),
            ("cost".into(), amount(self.cost)),
            ("time".into(), self.time.div_euclid(1000).into()),
            ("holdout".into(), self.holdout.into()),
        ];
        Dynamic::from(Record::new("decision", fields))
    }
}
