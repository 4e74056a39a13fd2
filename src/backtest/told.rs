//! A decision as it is compared: what became of it and what it said, whoever made it.

use crate::action::Decision;
use crate::clock::{Millis, parse_rfc3339};
use crate::durable::log;
use crate::event::fingerprint;
use crate::money::Money;
use crate::nats::StoredMessage;
use crate::partition::{Logged, Place};
use crate::partitioning::CustomerId;
use crate::state::DecisionId;
use serde_json::Value;
use std::sync::Arc;

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) id: DecisionId,
    pub(super) customer: CustomerId,
    pub(super) rule: Arc<str>,
    pub(super) generation: Arc<str>,
    pub(super) step: u32,
    /// Whether the customer gets it, and if not, why.
    pub(super) verdict: Box<str>,
    pub(super) kind: Box<str>,
    pub(super) channel: Box<str>,
    pub(super) variant: Box<str>,
    pub(super) code: Option<Box<str>>,
    pub(super) value: Option<Money>,
    pub(super) cost: Option<Money>,
    /// A fingerprint of the whole body.
    pub(super) body: u64,
    /// Policy time.
    pub(super) at: Millis,
    /// What it answers.
    pub(super) trigger: Answered,
    /// Every event of the partition up to this sequence came before it.
    pub(super) after: u64,
}

/// What a decision answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) id: Box<str>,
    pub(super) kind: Box<str>,
    pub(super) time: Millis,
    pub(super) sequence: u64,
}

impl Told {
    /// A decision that was made just now.
    pub(super) fn of(decision: &Decision) -> Self {
        let body = serde_json::to_string(&decision.body.fields).unwrap_or_default();
        Self {
            id: decision.id,
            customer: decision.customer.clone(),
            rule: decision.rule.clone(),
            generation: decision.generation.clone(),
            step: decision.step,
            verdict: decision.delivery().word().into(),
            kind: decision.body.kind.clone(),
            channel: decision.channel.clone(),
            variant: decision.variant.clone(),
            code: decision.body.code.clone(),
            value: decision.body.value,
            cost: decision.body.cost,
            body: fingerprint("", &body),
            at: decision.policy_time,
            trigger: Answered {
                id: decision.trigger.id.clone(),
                kind: (&*decision.trigger.kind).into(),
                time: decision.trigger.time,
                sequence: decision.trigger.sequence,
            },
            after: decision.after,
        }
    }

    /// A decision in the log; `None` if the message is none.
    pub(super) fn read(
        message: &StoredMessage,
        logged: &Logged,
        place: Place,
    ) -> Result<Option<Self>, log::LogError> {
        let Logged::Decision(logged) = logged else {
            return Ok(None);
        };
        let fail = |what: String| log::LogError {
            what,
            sequence: message.sequence,
        };
        let action: Value =
            serde_json::from_slice(&message.payload).map_err(|error| fail(error.to_string()))?;
        let data = &action["data"];
        let trigger = &data["trigger"];
        let text = |record: &Value, name: &str| -> Box<str> {
            record[name].as_str().unwrap_or_default().into()
        };
        let time = trigger["time"].as_str().and_then(parse_rfc3339);
        Ok(Some(Self {
            id: logged.id,
            customer: logged.customer.clone(),
            rule: logged.rule.clone(),
            generation: data["generation"].as_str().unwrap_or_default().into(),
            step: logged.step,
            verdict: logged.delivery.word().into(),
            kind: text(data, "kind"),
            channel: logged.channel.clone(),
            variant: logged.variant.clone(),
            code: logged.code.clone(),
            value: logged.value,
            cost: logged.cost,
            body: fingerprint("", &data["body"].to_string()),
            at: logged.at,
            trigger: Answered {
                id: text(trigger, "id"),
                kind: text(trigger, "type"),
                time: time.ok_or_else(|| fail("no trigger time".to_owned()))?,
                sequence: trigger["sequence"].as_u64().unwrap_or_default(),
            },
            after: place.after,
        }))
    }

    /// Whether an adapter would deliver it.
    pub(super) fn is_sent(&self) -> bool {
        &*self.verdict == "sent"
    }

    /// What of it another one says otherwise, by name; nothing if they are the same.
    pub(super) fn differs(&self, other: &Self) -> Vec<&'static str> {
        let mut fields = Vec::new();
        let pairs = [
            ("verdict", self.verdict == other.verdict),
            ("channel", self.channel == other.channel),
            ("variant", self.variant == other.variant),
            ("kind", self.kind == other.kind),
            ("code", self.code == other.code),
            ("value", self.value == other.value),
            ("cost", self.cost == other.cost),
        ];
        fields.extend(
            pairs
                .iter()
                .filter(|(_, same)| !same)
                .map(|(name, _)| *name),
        );
        // Where a part of the body that has a name of its own differs, the whole does too.
        let named = ["code", "value", "cost"];
        if self.body != other.body && !fields.iter().any(|field| named.contains(field)) {
            fields.push("body");
        }
        fields
    }
}
