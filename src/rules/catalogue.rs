//! Everything a rule may call, ask and say: one table, which the checks read and from which the
//! reference in `docs/rules.md` is made.

mod customer;
mod fields;
mod helpers;
#[cfg(test)]
mod tests;

pub(super) use customer::{CUSTOMER_FUNCTIONS, CUSTOMER_PROPERTIES, DISTINCT, FILTER_FIELDS};
pub(super) use fields::{
    ACTION_KEYS, CHANNELS, DECISION_FIELDS, EVENT_PROPERTIES, LAST_FIELDS, RULE_FIELDS,
    RULE_FUNCTIONS,
};
pub(super) use helpers::{HELPERS, TEXT_FUNCTIONS, TEXT_PROPERTIES, is_standard};

/// What an argument must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    /// A length of time as text, `"30d"`.
    Window,
    /// A merchant's or counterparty's category.
    Category,
    /// A declared event type.
    EventType,
    /// A map of fields and the values they must have.
    Filter,
    /// A channel.
    Channel,
    /// A segment.
    Segment,
    /// The name of a rule.
    RuleName,
    /// What `distinct` counts.
    DistinctWhat,
    /// The code of an offer.
    Code,
    /// A number.
    Number,
    /// A whole number.
    Whole,
}

impl Parameter {
    /// As the reference names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Window => "w",
            Self::Category => "category",
            Self::EventType => "type",
            Self::Filter => "filter",
            Self::Channel => "channel",
            Self::Segment => "segment",
            Self::RuleName => "rule",
            Self::DistinctWhat => "what",
            Self::Code => "code",
            Self::Number => "x",
            Self::Whole => "digits",
        }
    }

    /// What to write there.
    pub(super) fn wanted(self) -> &'static str {
        match self {
            Self::Window => "a window such as \"30d\"",
            Self::Category => "a category such as \"dining\"",
            Self::EventType => "an event type such as \"merchant.checkout\"",
            Self::Filter => "a filter such as #{ stage: \"paid\" }",
            Self::Channel => "a channel such as \"push\"",
            Self::Segment => "a segment such as \"family\"",
            Self::RuleName => "a rule's name such as \"coffee/third-visit\"",
            Self::DistinctWhat => "\"merchant\", \"category\", \"counterparty\" or \"channel\"",
            Self::Code => "an offer's code such as \"DINE\"",
            Self::Number => "a number",
            Self::Whole => "a whole number",
        }
    }
}

/// What comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Returns {
    /// Any number.
    Number,
    /// A number that is never below zero.
    Positive,
    /// A number from 0 to 1.
    Part,
    /// `true` or `false`.
    Boolean,
    /// Text.
    Text,
    /// A category, or `()`.
    CategoryOrNone,
    /// An object with the fields of an event of that type, or `()`.
    EventOrNone,
}

/// One function.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    /// Each way to call it, without the customer before the point.
    pub(super) signatures: &'static [&'static [Parameter]],
    pub(super) returns: Returns,
    /// What it answers, as the reference says it.
    pub(super) answer: &'static str,
    /// A call of it.
    pub(super) example: &'static str,
}

impl Function {
    /// Each way to call it, as text.
    pub(super) fn forms(&self) -> Vec<String> {
        let form = |parameters: &&[Parameter]| {
            let mut names: Vec<&str> = parameters.iter().map(|p| p.name()).collect();
            if names == ["x", "x"] {
                names = vec!["a", "b"];
            }
            format!("{}({})", self.name, names.join(", "))
        };
        self.signatures.iter().map(form).collect()
    }
}

/// A property, a field or a key: something that has a name and a meaning.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: &'static str,
    /// What it is, as the reference says it.
    pub(super) meaning: &'static str,
    /// A field of `RULE`: its default.
    pub(super) default: &'static str,
    /// As it is written.
    pub(super) example: &'static str,
}

pub(super) fn names<'a>(table: &'static [Named]) -> impl Iterator<Item = &'a str> + Clone {
    table.iter().map(|named| named.name)
}
