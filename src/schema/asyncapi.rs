//! AsyncAPI 3.0: which subjects there are, who publishes there, and what.

use super::event::{BROADCAST, OTHER, broadcast, definitions};
use super::{COMPONENTS, Members, action, reference, text};
use crate::decode::Reason;
use crate::event::Schema;
use crate::nats::dead_letters::{
    HEADER_ERROR, HEADER_SEQUENCE, HEADER_SUBJECT, HEADER_TIME, HEADER_TOKEN,
};
use serde_json::{Value, json};

const ACTION: &str = "action";
const DEAD_LETTER: &str = "dead_letter";

/// What a document says of one deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Host and port of NATS.
    pub host: String,
    /// How many partitions there are.
    pub partitions: u16,
}

/// The AsyncAPI document of a deployment with these event types.
#[must_use]
pub fn asyncapi(schema: &Schema, deployment: &Deployment) -> Value {
    let mut schemas = definitions(schema, COMPONENTS);
    schemas.insert(BROADCAST.to_owned(), broadcast());
    schemas.insert(ACTION.to_owned(), action::definition());
    let mut document = Document::default();
    document.events(schema);
    document.results(deployment.partitions);
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Onscene",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Real-time scene marketing: events in from NATS, actions out. The operations are the engine's: it receives events and sends actions.",
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": { "nats": { "host": deployment.host, "protocol": "nats", "description": "nats-server 2.14 or newer, with JetStream" } },
        "channels": document.channels,
        "operations": document.operations,
        "components": { "messages": document.messages, "schemas": schemas },
    })
}

#[derive(Default)]
struct Document {
    channels: Members,
    operations: Members,
    messages: Members,
}

/// One channel, with who acts on it.
struct Channel<'a> {
    name: &'a str,
    address: &'a str,
    description: &'a str,
    parameters: Value,
    /// `receive` or `send`, from where the engine stands.
    action: &'a str,
    message: &'a str,
}

impl Document {
    fn channel(&mut self, channel: &Channel<'_>) {
        let Channel { name, message, .. } = *channel;
        self.channels.insert(
            name.to_owned(),
            json!({
                "address": channel.address,
                "description": channel.description,
                "messages": { message: { "$ref": format!("#/components/messages/{message}") } },
                "parameters": channel.parameters,
            }),
        );
        self.operations.insert(
            format!("{}.{name}", channel.action),
            json!({
                "action": channel.action,
                "channel": { "$ref": format!("#/channels/{name}") },
                "messages": [{ "$ref": format!("#/channels/{name}/messages/{message}") }],
            }),
        );
    }

    fn message(&mut self, name: &str, summary: &str, headers: Members, payload: Value) {
        self.messages.insert(
            name.to_owned(),
            json!({
                "name": name,
                "summary": summary,
                "headers": { "type": "object", "properties": headers },
                "payload": payload,
            }),
        );
    }

    fn events(&mut self, schema: &Schema) {
        let customer = json!({ "description": "The customer's id; blank, `.`, `*`, `>`, `%` and control characters percent-encoded." });
        for declared in schema.event_types() {
            let name = &*declared.name;
            let payload = reference(COMPONENTS, name);
            self.message(name, "An event of this type.", event_headers(), payload);
            self.channel(&Channel {
                name: &format!("events.{name}"),
                address: &format!("scene.events.{name}.{{customer}}"),
                description: "Published by producers through JetStream; stored in SCENE_EVENTS.",
                parameters: json!({ "customer": customer }),
                action: "receive",
                message: name,
            });
        }
        let payload = reference(COMPONENTS, OTHER);
        self.message(
            OTHER,
            "An event of a type that is not declared.",
            event_headers(),
            payload,
        );
        self.channel(&Channel {
            name: "events.other",
            address: "scene.events.{domain}.{kind}.{customer}",
            description: "Any other type: kept in the journal by its name alone, until `schema.toml` declares it.",
            parameters: json!({ "domain": {}, "kind": {}, "customer": customer }),
            action: "receive",
            message: OTHER,
        });
        let payload = reference(COMPONENTS, BROADCAST);
        self.message(
            BROADCAST,
            "An event about no customer.",
            event_headers(),
            payload,
        );
        self.channel(&Channel {
            name: "broadcast",
            address: "scene.broadcast.{kind}",
            description: "Published by producers through JetStream; stored in SCENE_EVENTS. Rules may listen to `broadcast.<kind>`: it is applied to every customer in their audience.",
            parameters: json!({ "kind": {} }),
            action: "receive",
            message: BROADCAST,
        });
    }

    fn results(&mut self, partitions: u16) {
        let where_to = json!({
            "channel": {
                "description": "`push`, `im`, `sms`, `call`, `inapp`, or what rules name; `_holdout` for control groups; `_shadow` for rules in shadow mode. `_record` holds the engine's own records.",
                "examples": ["push", "im", "sms", "call", "inapp", "_holdout", "_shadow"],
            },
            "partition": { "description": format!("The customer's partition, 0 to {}.", partitions.saturating_sub(1)) },
        });
        let payload = reference(COMPONENTS, ACTION);
        self.message(
            ACTION,
            "An offer, a retention action or a message.",
            action::headers(),
            payload,
        );
        self.channel(&Channel {
            name: "actions",
            address: "scene.actions.{channel}.{partition}",
            description: "Stored in SCENE_ACTIONS: adapters read `scene.actions.<channel>.>` from the stream with a durable consumer.",
            parameters: where_to.clone(),
            action: "send",
            message: ACTION,
        });
        self.channel(&Channel {
            name: "live",
            address: "scene.live.{channel}.{partition}",
            description: "The same, republished after storing, at most once: for displays.",
            parameters: where_to,
            action: "send",
            message: ACTION,
        });
        let reasons = Reason::ALL.map(Reason::word);
        self.message(
            DEAD_LETTER,
            "A refused event: the producer's bytes, and why.",
            dead_letter_headers(),
            json!({}),
        );
        self.channel(&Channel {
            name: "dlq",
            address: "scene.dlq.{reason}",
            description: "Refused events, with the bytes as they came; stored in SCENE_DLQ.",
            parameters: json!({ "reason": { "description": "Why it was refused.", "enum": reasons } }),
            action: "send",
            message: DEAD_LETTER,
        });
    }
}

fn event_headers() -> Members {
    let mut headers = Members::new();
    headers.insert("traceparent".to_owned(), text("W3C trace context."));
    for attribute in ["specversion", "id", "source", "type", "subject", "time"] {
        headers.insert(
            format!("ce-{attribute}"),
            text("Binary mode only: the attribute, percent-encoded; the payload is then `data` alone."),
        );
    }
    headers
}

fn dead_letter_headers() -> Members {
    [
        (HEADER_ERROR, "What is wrong with it, for a person."),
        (HEADER_SUBJECT, "The subject it is stored under."),
        (HEADER_SEQUENCE, "Its sequence in SCENE_EVENTS."),
        (
            HEADER_TIME,
            "When it was stored, in milliseconds since the Unix epoch.",
        ),
        (
            HEADER_TOKEN,
            "The customer token of the producer's subject, where known.",
        ),
    ]
    .into_iter()
    .map(|(name, description)| (name.to_owned(), text(description)))
    .collect()
}
