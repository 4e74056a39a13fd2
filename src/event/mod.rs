//! The vocabulary of what comes in: values, declared types, and the event itself.

mod json;
mod model;
mod path;
mod schema;
mod value;

pub use json::{JsonError, parse as parse_json};
pub use model::{
    Checkout, Direction, Event, Facts, HEADER_IMPORT, IMPORTED, Incoming, Kept, Movement, Occasion,
    OutcomeKind, ProfileChange, Stage, Stored, fingerprint,
};
pub use path::Path;
pub use schema::{EventType, Field, FieldKind, Schema, SchemaError};
pub use value::{Value, Word};
