//! The vocabulary of what goes out: verdicts, decisions, and the action CloudEvent.

mod verdict;

use crate::clock::{Millis, format_rfc3339};
use crate::event::Value;
use crate::money::Money;
use crate::partitioning::{CustomerId, token};
use crate::state::{DecisionId, Delivery, Wait, Window};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;

pub use verdict::Verdict;

/// The channel token of the control groups' decisions.
pub const HOLDOUT_CHANNEL: &str = "_holdout";
/// The channel token of the decisions of rules in shadow mode.
pub const SHADOW_CHANNEL: &str = "_shadow";

/// The event that a decision answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trigger {
    /// Its id.
    pub id: Box<str>,
    /// Its source.
    pub source: Box<str>,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Arc<str>,
    /// When it happened.
    #[serde(serialize_with = "rfc3339")]
    pub time: Millis,
    /// Its sequence in `SCENE_EVENTS` (in `replay`, its line number).
    pub sequence: u64,
}

/// What a rule's `action` returned, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// `offer`, `retention` or `message`.
    pub kind: Box<str>,
    /// `code`, if any.
    pub code: Option<Box<str>>,
    /// `value`, if it is an amount of money.
    pub value: Option<Money>,
    /// `cost`, if it is an amount of money.
    pub cost: Option<Money>,
    /// How long it is valid.
    pub expires: Option<Window>,
    /// All of it but `kind`, as the rule wrote it.
    pub fields: Value,
}

/// How much text an action may carry, in bytes; what is more would not fit a message of the log.
const BODY_BYTES_MAX: usize = 64 << 10;

/// Room for an action as JSON, in bytes, which most do with: growing there step by step copies it several times.
const CLOUDEVENT_BYTES: usize = 1_024;

/// The kinds an action can have.
pub const KINDS: [&str; 3] = ["offer", "retention", "message"];

impl Body {
    /// Checks what a rule returned.
    ///
    /// # Errors
    /// A sentence for the rule's author.
    pub fn check(returned: Value) -> Result<Self, String> {
        let Value::Record(mut members) = returned else {
            return Err(format!(
                "`action` must return a map `#{{ … }}`, not {}",
                returned.kind()
            ));
        };
        let kind = members
            .iter()
            .position(|(name, _)| &**name == "kind")
            .map(|at| members.remove(at).1);
        let kind = match kind.as_ref().and_then(Value::as_text) {
            Some(kind) if KINDS.contains(&kind) => kind.into(),
            _ => {
                return Err(
                    "the action's `kind` must be \"offer\", \"retention\" or \"message\"".into(),
                );
            }
        };
        let fields = Value::Record(members);
        if weight(&fields) > BODY_BYTES_MAX {
            return Err(format!("the action has more than {BODY_BYTES_MAX} bytes"));
        }
        let expires = match fields.get("expires") {
            None | Some(Value::Null) => None,
            Some(value) => Some(
                value
                    .as_text()
                    .and_then(Window::parse)
                    .ok_or("the action's `expires` must be a length such as \"10m\"")?,
            ),
        };
        let code = fields.get("code").and_then(Value::as_text).map(Into::into);
        let amount = |name: &str| {
            let value = fields.get(name)?;
            // What `money` made is text, as every decimal is in the log: read from there, it must be the same.
            let number = match value.as_text() {
                Some(text) => text.parse().ok()?,
                None => value.as_decimal()?,
            };
            Money::rounded(number)
        };
        Ok(Self {
            kind,
            code,
            value: amount("value"),
            cost: amount("cost"),
            expires,
            fields,
        })
    }
}

/// Roughly the bytes of a value as JSON.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Decimal(_) => 16,
        Value::Text(text) => text.len() + 4,
        Value::List(items) => items.iter().map(|item| weight(item) + 2).sum(),
        Value::Record(members) => members
            .iter()
            .map(|(name, item)| name.len() + weight(item) + 4)
            .sum(),
    }
}

/// A decision to speak, one held out, or one of a rule in shadow mode.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Its id.
    pub id: DecisionId,
    /// To whom.
    pub customer: CustomerId,
    /// By which rule.
    pub rule: Arc<str>,
    /// The rule set's content hash.
    pub generation: Arc<str>,
    /// By which channel.
    pub channel: Box<str>,
    /// The variant of the rule.
    pub variant: Box<str>,
    /// The step of a journey; 0 for a rule without steps.
    pub step: u32,
    /// [`Verdict::Sent`], [`Verdict::Holdout`] or [`Verdict::Shadow`].
    pub verdict: Verdict,
    /// Of one held out: whether the customer is in the control group of all rules.
    pub control: bool,
    /// The scene of its rule.
    pub scene: Option<Arc<str>>,
    /// Whom the customer shares caps with: the household's key.
    pub household: Option<Box<str>>,
    /// The decision that failed on another channel, and that this one stands in for.
    pub fallback_of: Option<DecisionId>,
    /// The channels after the chosen one that policy allowed too, in order.
    pub channels_left: Vec<Box<str>>,
    /// What it answers.
    pub trigger: Trigger,
    /// What it says.
    pub body: Body,
    /// Wall clock.
    pub decided_at: Millis,
    /// Policy time: when the stream stored the trigger.
    pub policy_time: Millis,
    /// W3C trace context of the trigger.
    pub traceparent: Option<Box<str>>,
    /// The decision of step 0, which a whole journey shares; the same as `id` without a journey.
    pub entry: DecisionId,
    /// What is due next of the journey.
    pub next: Option<Next>,
    /// The account that a budget with `per` was drawn from.
    pub account: Option<Box<str>>,
    /// From when its windows reached back: event time of the trigger, or when a timer was due.
    pub time: Millis,
    /// Every event of the partition up to this sequence came before the decision.
    pub after: u64,
    /// If it answers that very event at once: which of the event's entries in the log it is, from 0,
    /// of how many.
    pub part: Option<(u32, u32)>,
}

/// What is due next of something that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// The step.
    pub step: u32,
    /// When.
    pub due: Millis,
    /// Why not now.
    pub wait: Wait,
}

impl std::fmt::Display for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.step, self.due, self.wait.word())
    }
}

impl Next {
    /// Reads what `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let next = Self {
            step: parts.next()?.parse().ok()?,
            due: parts.next()?.parse().ok()?,
            wait: Wait::from_word(parts.next()?)?,
        };
        parts.next().is_none().then_some(next)
    }
}

/// The id of a decision: 128 bits of SHA-256 over customer, trigger, rule and step.
#[must_use]
pub fn decision_id(
    customer: &CustomerId,
    source: &str,
    event: &str,
    rule: &str,
    step: u32,
) -> DecisionId {
    let mut hash = Sha256::new();
    for part in [customer.as_str(), source, event, rule] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(step.to_le_bytes());
    DecisionId(
        hash.finalize()[..16]
            .try_into()
            .expect("invariant: SHA-256 has 32 bytes"),
    )
}

/// The id of the decision that stands in on a channel for one that failed: it follows from the two, so
/// that there is one, however often the failure is told.
#[must_use]
pub fn fallback_id(failed: DecisionId, channel: &str) -> DecisionId {
    derived_id("fallback", failed, channel)
}

/// The id by which something waits that stands in for a decision that failed.
#[must_use]
pub fn fallback_wait_id(failed: DecisionId) -> DecisionId {
    derived_id("fallback-wait", failed, "")
}

fn derived_id(purpose: &str, from: DecisionId, part: &str) -> DecisionId {
    let mut hash = Sha256::new();
    for part in [purpose.as_bytes(), &from.0, part.as_bytes()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    DecisionId(
        hash.finalize()[..16]
            .try_into()
            .expect("invariant: SHA-256 has 32 bytes"),
    )
}

impl Decision {
    /// The channel token of its subject.
    #[must_use]
    pub fn subject_channel(&self) -> &str {
        match self.verdict {
            Verdict::Holdout => HOLDOUT_CHANNEL,
            Verdict::Shadow => SHADOW_CHANNEL,
            _ => &self.channel,
        }
    }

    /// Whether the customer gets it, and if not, why.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        match self.verdict {
            Verdict::Shadow => Delivery::Shadow,
            Verdict::Holdout if self.control => Delivery::Control,
            Verdict::Holdout => Delivery::Holdout,
            _ => Delivery::Sent,
        }
    }

    /// When it is no longer worth delivering.
    #[must_use]
    pub fn expires_at(&self) -> Option<Millis> {
        self.body
            .expires
            .map(|length| self.policy_time.saturating_add(length.millis()))
    }

    /// The action as a structured CloudEvent.
    #[must_use]
    pub fn to_cloudevent(&self) -> Vec<u8> {
        let decided_at = format_rfc3339(self.decided_at);
        let event = CloudEvent {
            specversion: "1.0",
            id: self.id.to_string(),
            source: "onscene",
            kind: "scene.action",
            subject: self.customer.as_str(),
            time: &decided_at,
            datacontenttype: "application/json",
            expirytime: self.expires_at().map(format_rfc3339),
            traceparent: self.traceparent.as_deref(),
            data: Data {
                kind: &self.body.kind,
                channel: &self.channel,
                rule: &self.rule,
                generation: &self.generation,
                variant: &self.variant,
                step: self.step,
                verdict: self.verdict.word(),
                trigger: &self.trigger,
                body: &self.body.fields,
                decided_at: &decided_at,
            },
        };
        let mut json = Vec::with_capacity(CLOUDEVENT_BYTES);
        serde_json::to_writer(&mut json, &event)
            .expect("invariant: text, numbers and maps with text keys");
        json
    }

    /// What a router needs without reading the body.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("Onscene-Customer", self.customer.token().into_owned()),
            ("Onscene-Rule", token(&self.rule).into_owned()),
            ("Onscene-Action", self.body.kind.to_string()),
            ("Onscene-Channel", self.channel.to_string()),
            ("Onscene-Verdict", self.verdict.word().to_owned()),
            ("Onscene-Trigger", self.trigger.sequence.to_string()),
            ("Onscene-Policy-Time", self.policy_time.to_string()),
        ];
        if self.after != self.trigger.sequence {
            headers.push(("Onscene-After", self.after.to_string()));
        }
        if let Some((at, of)) = self.part {
            headers.push(("Onscene-Part", format!("{at}/{of}")));
        }
        if self.entry != self.id {
            headers.push(("Onscene-Entry", self.entry.to_string()));
        }
        if self.time != self.trigger.time {
            headers.push(("Onscene-Time", self.time.to_string()));
        }
        if let Some(next) = self.next {
            headers.push(("Onscene-Next", next.to_string()));
        }
        if let Some(account) = &self.account {
            headers.push(("Onscene-Account", token(account).into_owned()));
        }
        headers.extend(self.policy_headers());
        if let Some(expires) = self.expires_at() {
            headers.push(("Onscene-Expires", format_rfc3339(expires)));
        }
        if let Some(trace) = &self.traceparent {
            headers.push(("traceparent", trace.to_string()));
        }
        headers
    }

    /// What caps and experiments will count it by; nothing where there is nothing to say.
    fn policy_headers(&self) -> impl Iterator<Item = (&'static str, String)> {
        let encode = |text: &str| token(text).into_owned();
        let left = self.channels_left.join(",");
        let headers = [
            ("Onscene-Scene", self.scene.as_deref().map(encode)),
            ("Onscene-Household", self.household.as_deref().map(encode)),
            ("Onscene-Control", self.control.then(|| "1".to_owned())),
            (
                "Onscene-Fallback-Of",
                self.fallback_of.map(|id| id.to_string()),
            ),
            (
                "Onscene-Channels-Left",
                Some(left).filter(|left| !left.is_empty()),
            ),
        ];
        let headers = headers.into_iter();
        headers.filter_map(|(name, value)| Some((name, value?)))
    }
}

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: String,
    source: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    subject: &'a str,
    time: &'a str,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expirytime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    kind: &'a str,
    channel: &'a str,
    rule: &'a str,
    generation: &'a str,
    variant: &'a str,
    step: u32,
    verdict: &'static str,
    trigger: &'a Trigger,
    body: &'a Value,
    decided_at: &'a str,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde asks for"
)]
fn rfc3339<S: serde::Serializer>(time: &Millis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_rfc3339(*time))
}
