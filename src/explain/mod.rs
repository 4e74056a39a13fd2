//! Why, and why not: what became of one event of a customer, rule by rule, with the values that were seen.
//!
//! The customer is put together as of that event, from a checkpoint and the streams, by the code that recovers a
//! partition ([`rebuild`]); the event is decided once more, with everything that is asked on the way written down
//! ([`judge`]); each part of each condition is asked by itself, with the windows that it looked at and what they are
//! made of ([`conditions`]); and what comes out is compared with what the log says happened ([`story`]). [`explainer`]
//! fetches what all that needs, [`answer`] puts it together, [`model`] is the result and [`text`] shows it to people.

mod answer;
mod conditions;
mod explainer;
mod judge;
mod model;
mod rebuild;
mod story;
mod text;

pub use explainer::{Ask, ExplainError, Explainer, Texts};
pub use model::{
    CheckFacts, Conjunct, EventFacts, Explanation, Happened, ItemFacts, RuleExplanation, RuleTexts,
    StateFacts, WindowFacts,
};
