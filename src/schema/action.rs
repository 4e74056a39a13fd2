//! JSON Schema of actions: what [`crate::action::Decision::to_cloudevent`] writes.

use super::{DIALECT, Members, text, time};
use crate::action::{KINDS, Verdict};
use serde_json::{Value, json};

/// A length of time, as `expires` has it.
const LENGTH: &str = "^[0-9]+[smhd]$";

/// The verdicts that an action can have.
const VERDICTS: [Verdict; 3] = [Verdict::Sent, Verdict::Holdout, Verdict::Shadow];

/// A JSON Schema of every action that the engine publishes.
#[must_use]
pub fn action() -> Value {
    let mut schema = json!({ "$schema": DIALECT });
    if let (Some(schema), Value::Object(members)) = (schema.as_object_mut(), definition()) {
        schema.extend(members);
    }
    schema
}

/// The schema without what makes it a document of its own.
pub(super) fn definition() -> Value {
    json!({
        "title": "An action, as channel adapters receive it",
        "description": "CloudEvents 1.0, structured mode. Adapters drop what they have seen by `id`, and what is past `expirytime`.",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"],
        "properties": {
            "specversion": { "const": "1.0" },
            "id": {
                "type": "string",
                "pattern": "^[0-9a-f]{32}$",
                "description": "The decision's id. The same decision has the same id, whoever computes it and whenever.",
            },
            "source": { "const": "onscene" },
            "type": { "const": "scene.action" },
            "subject": text("The customer's id."),
            "time": time("When it was decided, by the wall clock."),
            "datacontenttype": { "const": "application/json" },
            "expirytime": time("When it is no longer worth delivering: `body.expires` after the stream stored the trigger."),
            "traceparent": text("W3C trace context of the trigger."),
            "data": data(),
        },
    })
}

fn data() -> Value {
    json!({
        "type": "object",
        "required": ["kind", "channel", "rule", "generation", "variant", "step", "verdict", "trigger", "body", "decided_at"],
        "properties": {
            "kind": { "enum": KINDS },
            "channel": text("By which channel; for a control group's decision, by which it would have gone."),
            "rule": text("The rule: its file's path below the rules folder, without `.rhai`."),
            "generation": {
                "type": "string",
                "pattern": "^[0-9a-f]{16}$",
                "description": "The content hash of the rule files it was decided by.",
            },
            "variant": text("The rule's variant; `default` for a rule without."),
            "step": { "type": "integer", "minimum": 0, "description": "The step of a journey; 0 for a rule without." },
            "verdict": {
                "enum": VERDICTS.map(Verdict::word),
                "description": "`holdout`: the customer is in a control group; found under the channel `_holdout` only. `shadow`: the rule is in shadow mode; found under the channel `_shadow` only. Deliver neither.",
            },
            "trigger": trigger(),
            "body": body(),
            "decided_at": time("When it was decided, by the wall clock."),
        },
    })
}

fn trigger() -> Value {
    json!({
        "type": "object",
        "description": "The event that it answers.",
        "required": ["id", "source", "type", "time", "sequence"],
        "properties": {
            "id": text("The event's `id`."),
            "source": text("The event's `source`."),
            "type": text("The event's `type`."),
            "time": time("When it happened."),
            "sequence": { "type": "integer", "minimum": 1, "description": "Its sequence in SCENE_EVENTS; in `replay`, its line number." },
        },
    })
}

fn body() -> Value {
    json!({
        "type": "object",
        "description": "What the rule's `action` returned, but for `kind`. The rule's author chooses the fields; these have a meaning. Decimals are written as text, so that they stay exact; whole numbers that the rule counted with are numbers.",
        "properties": {
            "code": { "description": "What is offered; `customer.accepted(code)` asks for it." },
            "value": { "description": "What it is worth to the customer." },
            "cost": { "description": "What it costs." },
            "text": { "description": "What to say, by locale." },
            "expires": { "type": ["string", "null"], "pattern": LENGTH, "description": "How long it is valid." },
        },
    })
}

/// The headers of an action on `SCENE_ACTIONS` and on the live feed, with what they hold. The first three
/// stand on every message of a partition's log.
pub(super) fn headers() -> Members {
    use crate::nats::log_write::{HEADER_ID, HEADER_KIND, HEADER_OWNER};
    let kinds: Vec<&str> = KINDS.into();
    let verdicts = VERDICTS.map(Verdict::word);
    let members = [
        (
            HEADER_OWNER,
            text("The engine that wrote it; another one after each start."),
        ),
        (HEADER_ID, text("The decision's id, or a record's.")),
        (
            HEADER_KIND,
            json!({ "type": "string", "description": "`action`; anything else is a record of the engine's own." }),
        ),
        (
            "Onscene-Customer",
            text("The customer's id as a subject token (percent-encoded)."),
        ),
        ("Onscene-Rule", text("The rule's name (percent-encoded).")),
        ("Onscene-Action", json!({ "enum": kinds })),
        ("Onscene-Channel", text("The channel.")),
        ("Onscene-Verdict", json!({ "enum": verdicts })),
        (
            "Onscene-Trigger",
            text("The trigger's sequence in SCENE_EVENTS."),
        ),
        (
            "Onscene-Policy-Time",
            text(
                "When the stream stored the trigger, or when a delay or step was due, in milliseconds since the Unix epoch.",
            ),
        ),
        (
            "Onscene-Part",
            text(
                "On an immediate answer: which of the trigger's entries in the log it is, from 0, and how many there are: `0/1`.",
            ),
        ),
        (
            "Onscene-Expires",
            time("When it is no longer worth delivering."),
        ),
        ("traceparent", text("W3C trace context of the trigger.")),
    ];
    let members = members.into_iter();
    let members = members.chain(headers_of_waiting());
    let members = members.chain(headers_of_policy());
    members
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// The headers that only actions have which were said later than at their trigger, or from a budget.
fn headers_of_waiting() -> [(&'static str, Value); 5] {
    [
        (
            "Onscene-After",
            text(
                "The sequence in SCENE_EVENTS of the last event of the partition that came before it, if that is not the trigger.",
            ),
        ),
        (
            "Onscene-Entry",
            text("On a later step of a journey: the id of the decision of step 0."),
        ),
        (
            "Onscene-Time",
            text(
                "From when windows reached back, in milliseconds since the Unix epoch, if that is not the trigger's time.",
            ),
        ),
        (
            "Onscene-Next",
            text(
                "The next step of the journey, when it is due in milliseconds since the Unix epoch, and why it waits: `1/1795312800000/step`.",
            ),
        ),
        (
            "Onscene-Account",
            text("Whose budget it is drawn from (percent-encoded), for a budget with `per`."),
        ),
    ]
}

/// The headers by which caps and experiments count an action.
fn headers_of_policy() -> [(&'static str, Value); 5] {
    [
        (
            "Onscene-Scene",
            text("The scene of its rule, if it has one (percent-encoded)."),
        ),
        (
            "Onscene-Household",
            text(
                "The key by which the customer shares caps with others, if any (percent-encoded).",
            ),
        ),
        (
            "Onscene-Control",
            json!({ "const": "1", "description": "Held out: the customer is in the control group of all rules, not only in the rule's own." }),
        ),
        (
            "Onscene-Fallback-Of",
            text(
                "The id of the decision that failed on another channel, and that this one stands in for.",
            ),
        ),
        (
            "Onscene-Channels-Left",
            text("The channels after the chosen one that were allowed too, in order: `sms,im`."),
        ),
    ]
}
