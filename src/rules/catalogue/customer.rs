//! What a rule may ask of a customer.

use super::Parameter::{
    Category, Channel, Code, DistinctWhat, EventType, Filter, RuleName, Segment, Window,
};
use super::{Function, Named, Returns};

/// Properties that every customer has.
pub(in crate::rules) const CUSTOMER_PROPERTIES: &[Named] = &[
    Named {
        name: "balance",
        meaning: "sum of the last known balances of all accounts",
        default: "",
        example: "customer.balance >= 1000",
    },
    Named {
        name: "id",
        meaning: "the customer's id, as text",
        default: "",
        example: "customer.id",
    },
    Named {
        name: "locale",
        meaning: "the customer's language, as text; `()` if unknown",
        default: "",
        example: "customer.locale == \"en\"",
    },
    Named {
        name: "time_zone",
        meaning: "the customer's time zone, as text; `()` if unknown",
        default: "",
        example: "customer.time_zone == \"Asia/Shanghai\"",
    },
];

/// Functions that every customer has.
pub(in crate::rules) const CUSTOMER_FUNCTIONS: &[Function] = &[
    Function {
        name: "balance_change",
        signatures: &[&[Window]],
        returns: Returns::Number,
        answer: "money in less money out, over account movements",
        example: "customer.balance_change(\"90d\") < 0",
    },
    Function {
        name: "spend",
        signatures: &[&[Window], &[Category, Window]],
        returns: Returns::Number,
        answer: "paid checkouts less refunds",
        example: "customer.spend(\"dining\", \"30d\") >= 500",
    },
    Function {
        name: "average",
        signatures: &[&[Window], &[Category, Window]],
        returns: Returns::Positive,
        answer: "average amount of paid checkouts; 0 if there are none",
        example: "event.amount >= customer.average(\"60d\") * 2",
    },
    Function {
        name: "largest",
        signatures: &[&[Window], &[Category, Window]],
        returns: Returns::Positive,
        answer: "largest paid checkout; 0 if there are none",
        example: "customer.largest(\"30d\") < 5000",
    },
    Function {
        name: "inflow",
        signatures: &[&[Window], &[Category, Window]],
        returns: Returns::Positive,
        answer: "sum of movements in",
        example: "customer.inflow(\"salary\", \"35d\") > 0",
    },
    Function {
        name: "outflow",
        signatures: &[&[Window], &[Category, Window]],
        returns: Returns::Positive,
        answer: "sum of movements out",
        example: "customer.outflow(\"7d\") >= 10000",
    },
    Function {
        name: "count",
        signatures: &[&[EventType, Window], &[EventType, Window, Filter]],
        returns: Returns::Positive,
        answer: "events of that type, this one included if it fits",
        example: "customer.count(\"merchant.checkout\", \"7d\", #{ stage: \"paid\" }) >= 2",
    },
    Function {
        name: "distinct",
        signatures: &[&[DistinctWhat, Window]],
        returns: Returns::Positive,
        answer: "how many different `\"merchant\"`, `\"category\"`, `\"counterparty\"` or `\"channel\"`, over events of all types and stages",
        example: "customer.distinct(\"merchant\", \"30d\") >= 3",
    },
    Function {
        name: "last",
        signatures: &[&[EventType], &[EventType, Filter]],
        returns: Returns::EventOrNone,
        answer: "the latest such event *before* this one, as an object; `()` if there is none",
        example: "customer.last(\"merchant.checkout\") != ()",
    },
    Function {
        name: "since",
        signatures: &[&[EventType], &[EventType, Filter]],
        returns: Returns::Positive,
        answer: "whole seconds from that event to this one; if there is none, since the customer was first seen",
        example: "customer.since(\"app.login\") >= 60 * 86400",
    },
    Function {
        name: "share",
        signatures: &[&[Category, Window]],
        returns: Returns::Part,
        answer: "the category's part of all spending, 0 to 1; 0 if nothing was spent",
        example: "customer.share(\"dining\", \"90d\") >= 0.3",
    },
    Function {
        name: "preference",
        signatures: &[&[Window]],
        returns: Returns::CategoryOrNone,
        answer: "the category with the most spending; of equal ones the first by name; `()` if nothing was spent",
        example: "customer.preference(\"7d\") == \"travel\"",
    },
    Function {
        name: "in_segment",
        signatures: &[&[Segment]],
        returns: Returns::Boolean,
        answer: "whether the customer is in the segment",
        example: "customer.in_segment(\"family\")",
    },
    Function {
        name: "consents",
        signatures: &[&[Channel]],
        returns: Returns::Boolean,
        answer: "whether the customer said yes to the channel; `false` if they said nothing",
        example: "customer.consents(\"sms\")",
    },
    Function {
        name: "offers",
        signatures: &[&[RuleName, Window]],
        returns: Returns::Positive,
        answer: "how often that rule spoke to triggers in the window, held out or sent",
        example: "customer.offers(\"coffee/third-visit\", \"30d\") < 3",
    },
    Function {
        name: "accepted",
        signatures: &[&[Code]],
        returns: Returns::Boolean,
        answer: "whether an action with that code was accepted or redeemed, among the contacts of the last 400 days",
        example: "!customer.accepted(\"CAKE\")",
    },
];

/// What `distinct` counts.
pub(in crate::rules) const DISTINCT: [&str; 4] =
    ["merchant", "category", "counterparty", "channel"];

/// Fields that filters may name, beside those that `schema.toml` keeps.
pub(in crate::rules) const FILTER_FIELDS: [(&str, &[&str]); 2] = [
    (
        "merchant.checkout",
        &[
            "amount", "category", "merchant", "stage", "tender", "partner",
        ],
    ),
    (
        "account.movement",
        &[
            "amount",
            "category",
            "counterparty",
            "channel",
            "direction",
            "purpose",
        ],
    ),
];
