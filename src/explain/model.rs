//! What an explanation says. Its JSON is what is written down here; times are RFC 3339 in UTC, amounts and other
//! decimals are text.

use serde::Serialize;

/// Why the engine did what it did about one event of a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The customer's id.
    pub customer: String,
    /// The event.
    pub event: EventFacts,
    /// What the customer's state was put together from.
    pub state: StateFacts,
    /// Which rules were asked.
    pub rules_used: RuleTexts,
    /// Each rule that listens to the event, and each that the log has an answer of.
    pub rules: Vec<RuleExplanation>,
    /// Whether every verdict agrees with what the log says.
    pub agrees: bool,
    /// What must be known to read it rightly, such as what could not be put together again.
    pub notes: Vec<String>,
}

/// The event that is explained.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EventFacts {
    /// Its `id`.
    pub id: String,
    /// Its `source`.
    pub source: String,
    /// Its `type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Event time: from when windows reach back.
    pub time: String,
    /// When the stream stored it: policy time.
    pub stored_at: String,
    /// Its sequence in `SCENE_EVENTS`.
    pub sequence: u64,
    /// When it was decided about: the wall clock that freshness is measured by.
    pub decided_at: String,
}

/// What a customer's state was put together from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StateFacts {
    /// The customer's partition.
    pub partition: u16,
    /// The number of the checkpoint that it begins with, if it does not begin with the stream.
    pub checkpoint: Option<u64>,
    /// Every event up to this sequence is in that checkpoint.
    pub checkpoint_through: Option<u64>,
    /// How many of the customer's events were folded since.
    pub events: usize,
    /// How many entries of the log were.
    pub log_entries: usize,
}

/// Which rules were asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RuleTexts {
    /// Their generation.
    pub generation: String,
    /// Where their texts come from.
    pub from: String,
    /// The generation that decided, as the log says; `None` if it does not.
    pub decided_by: Option<String>,
}

/// What became of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RuleExplanation {
    /// Its name.
    pub rule: String,
    /// Its file; `None` if it is not among the rules that were asked.
    pub file: Option<String>,
    /// Its verdict; `None` as well.
    pub verdict: Option<String>,
    /// The parts of its `when`, in order.
    pub conjuncts: Vec<Conjunct>,
    /// What stood between it and the customer, in the order in which it was asked.
    pub checks: Vec<CheckFacts>,
    /// The rule that was said instead, if another one of its group won.
    pub winner: Option<String>,
    /// What it failed with.
    pub error: Option<String>,
    /// What the log says happened, in order.
    pub happened: Vec<Happened>,
    /// Whether the verdict agrees with that.
    pub agrees: bool,
    /// If not, how they differ; or what of it is taken from the log and was not asked again.
    pub remark: Option<String>,
}

/// One part of a condition: what `&&` puts together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Conjunct {
    /// As it is written.
    pub text: String,
    /// Its line in the rule's file, from 1.
    pub line: usize,
    /// Whether it held; `None` if it could not be asked.
    pub held: Option<bool>,
    /// The same with the values that were compared.
    pub saw: Option<String>,
    /// Where functions that it called said no, each with its function and the values that were compared.
    pub because: Vec<String>,
    /// Why it could not be asked.
    pub error: Option<String>,
    /// Whether the condition ended here: those before held, and this one did not.
    pub decided: bool,
    /// The windows that it asked for.
    pub windows: Vec<WindowFacts>,
}

/// A window, and what it is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WindowFacts {
    /// As a rule asks for it.
    pub call: String,
    /// What it came to.
    pub value: String,
    /// How its items make its value.
    pub made_as: String,
    /// Whether it reaches over the edge where the journal was trimmed, so that items may be missing.
    pub trimmed: bool,
    /// What it is made of, oldest first.
    pub items: Vec<ItemFacts>,
}

/// One thing that counts in a window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ItemFacts {
    /// When it happened.
    pub time: String,
    /// The event's id, or the decision's; a fingerprint in hexadecimal digits if the event is no longer kept.
    pub id: String,
    /// The event's source, if the event is still kept.
    pub source: Option<String>,
    /// The event's type; `action` for something that was said.
    #[serde(rename = "type")]
    pub kind: String,
    /// Stage or direction, or the channel of something that was said.
    pub phase: Option<String>,
    /// Amount in base currency.
    pub amount: Option<String>,
    /// Category.
    pub category: Option<String>,
    /// What it adds to the value.
    pub part: String,
}

/// One thing that was asked before a rule might speak.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckFacts {
    /// The verdict that it gives when it does not let pass.
    pub name: String,
    /// Whether it let pass.
    pub passed: bool,
    /// The numbers that it went by.
    pub detail: serde_json::Map<String, serde_json::Value>,
}

/// One thing that the log says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Happened {
    /// `sent`, `holdout`, `shadow`; `deferred`, `moved`, `ended`; `converted`, or an outcome.
    pub what: String,
    /// The id of the decision; of something that waits, of the decision with which it began.
    pub decision: String,
    /// When, by policy time; of an outcome, when it happened.
    pub at: String,
    /// The channel, of a decision.
    pub channel: Option<String>,
    /// The step of a journey, of a decision.
    pub step: Option<u32>,
    /// The generation that decided, of a decision.
    pub generation: Option<String>,
    /// Until when something waits, or why it ended.
    pub detail: Option<String>,
    /// Its sequence in `SCENE_ACTIONS`; of an outcome, in `SCENE_EVENTS`.
    pub sequence: u64,
}
