//! The contracts for machines: JSON Schema of events and actions, and an AsyncAPI document of the
//! subjects. Everything is generated from the tables that the engine itself works by, so that what is
//! promised and what is done cannot drift apart.
//!
//! * [`events`]: what producers publish, one schema for each declared type
//! * [`action`]: what channel adapters receive
//! * [`asyncapi`]: who publishes what where

mod action;
mod asyncapi;
mod event;
#[cfg(test)]
mod tests;

pub use action::action;
pub use asyncapi::{Deployment, asyncapi};
pub use event::events;

use serde_json::{Map, Value, json};

/// The dialect of the schemas. They keep to the words that draft 7 has too, which is what AsyncAPI 3.0
/// asks for.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Where a JSON Schema keeps the definitions that it refers to.
const DEFINITIONS: &str = "#/$defs/";
/// Where an AsyncAPI document keeps its schemas.
const COMPONENTS: &str = "#/components/schemas/";

/// Lists of names and schemas, in the order in which they are to be read.
type Members = Map<String, Value>;

fn reference(place: &str, name: &str) -> Value {
    json!({ "$ref": format!("{place}{name}") })
}

/// Text that is not empty, with what it is.
fn text(description: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "description": description })
}

/// An RFC 3339 time, with what it is.
fn time(description: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": description })
}
