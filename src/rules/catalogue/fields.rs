//! What a rule file itself is made of: the fields of `RULE`, the functions of a rule, what an event and
//! a decision have, and what an action says.

use super::Named;

const fn field(
    name: &'static str,
    default: &'static str,
    meaning: &'static str,
    example: &'static str,
) -> Named {
    Named {
        name,
        meaning,
        default,
        example,
    }
}

const fn plain(name: &'static str, meaning: &'static str) -> Named {
    field(name, "", meaning, "")
}

/// Every field a `RULE` may have.
pub(in crate::rules) const RULE_FIELDS: &[Named] = &[
    field(
        "on",
        "required",
        "the event type, or a list of them; each is built in or declared in `schema.toml`. Also `\"broadcast.<kind>\"`, and `\"timer.daily\"`, which stands alone",
        "on: \"merchant.checkout\"",
    ),
    field(
        "channels",
        "required",
        "in order of preference: the first that the customer has not refused and that is not known to be out of reach. Words of letters, digits and `-`",
        "channels: [\"push\", \"sms\"]",
    ),
    field(
        "scene",
        "none",
        "the scene it belongs to, for reports",
        "scene: \"win-the-payment\"",
    ),
    field(
        "starts",
        "always",
        "the first day on which it speaks",
        "starts: \"2026-11-01\"",
    ),
    field(
        "ends",
        "never",
        "the first day on which it no longer speaks",
        "ends: \"2027-01-01\"",
    ),
    field(
        "hours",
        "all day",
        "hours of the day; over midnight when the first is the later; `\"08:00-24:00\"`; the end is not part of it",
        "hours: \"10:00-22:00\"",
    ),
    field(
        "days",
        "all",
        "days of the week; also `\"fri-mon\"`, `\"mon,wed,sat-sun\"`",
        "days: \"mon-fri\"",
    ),
    field(
        "audience",
        "everybody",
        "segments; the customer must be in one of them",
        "audience: [\"family\"]",
    ),
    field(
        "priority",
        "`50`",
        "higher goes first; rules of the same priority go by name",
        "priority: 80",
    ),
    field(
        "group",
        "none",
        "at most one rule of a group speaks at one event",
        "group: \"checkout\"",
    ),
    field(
        "cooldown",
        "none",
        "silence after it spoke to this customer",
        "cooldown: \"7d\"",
    ),
    field(
        "cap",
        "none",
        "how often it may speak to this customer, rolling",
        "cap: \"3 per 30d\"",
    ),
    field(
        "budget",
        "none",
        "of the actions' `cost`, in all and per calendar day; never overspent. With `per: \"merchant\"`, each value of that key of the action has its own",
        "budget: #{ total: 500000, daily: 20000 }",
    ),
    field(
        "fresh",
        "`\"60s\"`",
        "a trigger whose event time is longer ago than this, by the wall clock, never acts",
        "fresh: \"60s\"",
    ),
    field(
        "holdout",
        "`0`",
        "percent of customers who are held out, to compare with; up to four decimals",
        "holdout: 10",
    ),
    field(
        "rollout",
        "`100`",
        "percent of customers it is rolled out to; up to four decimals",
        "rollout: 20",
    ),
    field(
        "salt",
        "its name",
        "what `holdout`, `rollout` and `variants` are drawn by: the former name of a renamed rule keeps everybody where they are, another word draws anew",
        "salt: \"checkout/dining\"",
    ),
    field(
        "variants",
        "one, `default`",
        "names and weights",
        "variants: #{ plain: 50, rich: 50 }",
    ),
    field(
        "purpose",
        "none",
        "what it is for, if that needs a consent of its own: `purpose:credit` among the profile's consents; see [policy.toml](policy.md)",
        "purpose: \"credit\"",
    ),
    field(
        "quiet",
        "`\"drop\"`",
        "in the quiet hours of `policy.toml`: `\"drop\"` or `\"defer\"` until they are over",
        "quiet: \"defer\"",
    ),
    field(
        "within",
        "`\"24h\"`",
        "how long after a decision `converted` is asked",
        "within: \"2h\"",
    ),
    field(
        "delay",
        "none",
        "waits so long after the event, and speaks only if `fn still` holds then",
        "delay: \"10m\"",
    ),
    field(
        "steps",
        "none",
        "a journey: each step's time, after the event or before a time in its data",
        "steps: [#{ after: \"0s\" }, #{ before: \"1d\", of: \"race_date\" }]",
    ),
    field(
        "approval",
        "`false`",
        "goes live only in a text that a second person has approved ([governance](governance.md#approval))",
        "approval: true",
    ),
];

/// The functions that a rule file may define: name, parameters, and what it is for.
pub(in crate::rules) const RULE_FUNCTIONS: &[Named] = &[
    field(
        "when",
        "required",
        "returns `true` or `false`; asked only when dates, audience, rollout and freshness have said yes",
        "fn when(event, customer)",
    ),
    field(
        "action",
        "required",
        "returns what to say as a map, or `()` for nothing (verdict `none`); `variant` and `step` may be left out",
        "fn action(event, customer, variant, step)",
    ),
    field(
        "score",
        "none",
        "returns a number; proposals go by it instead of `priority`, the higher first",
        "fn score(event, customer)",
    ),
    field(
        "still",
        "none",
        "with `delay` or `steps`: whether to speak, asked when the time has come",
        "fn still(event, customer)",
    ),
    field(
        "converted",
        "none",
        "asked at the customer's later events, of any type, for as long as `within` says: whether the decision had its effect",
        "fn converted(event, customer, decision)",
    ),
];

/// What an event has beside the fields of its data.
pub(in crate::rules) const EVENT_PROPERTIES: &[Named] = &[
    plain("id", "of the envelope, as text"),
    plain("source", "of the envelope, as text"),
    plain(
        "type",
        "of the envelope, as text, such as `\"merchant.checkout\"`",
    ),
    plain(
        "customer",
        "the customer's id, as text; `()` in a broadcast",
    ),
    plain("time", "when it happened, in Unix seconds"),
];

/// Fields that `customer.last(…)` answers with, beside the kept ones.
pub(in crate::rules) const LAST_FIELDS: &[&str] = &[
    "type",
    "time",
    "amount",
    "category",
    "merchant",
    "counterparty",
    "channel",
    "stage",
    "tender",
    "partner",
    "direction",
    "purpose",
];

/// What `converted` may ask of the decision.
pub(in crate::rules) const DECISION_FIELDS: &[Named] = &[
    plain("id", "the decision's id, as text"),
    plain("rule", "the rule's name"),
    plain("variant", "the variant that was drawn"),
    plain("step", "the step of the journey, from 0"),
    plain("channel", "the channel it went to"),
    plain("code", "`code` of the action; `()` if it had none"),
    plain("value", "`value` of the action; `()` if it had none"),
    plain("cost", "`cost` of the action; `()` if it had none"),
    plain("time", "when its trigger happened, in Unix seconds"),
    plain("holdout", "whether it was held out"),
];

/// What an action says.
pub(in crate::rules) const ACTION_KEYS: &[Named] = &[
    field(
        "kind",
        "",
        "required: `\"offer\"`, `\"retention\"` or `\"message\"`",
        "kind: \"offer\"",
    ),
    field(
        "code",
        "",
        "what is offered; `customer.accepted(code)` asks for it later",
        "code: \"CAKE\"",
    ),
    field("value", "", "what it is worth to the customer", "value: 18"),
    field(
        "cost",
        "",
        "what it costs; required, and never below zero, when the rule has a `budget`",
        "cost: 6",
    ),
    field(
        "text",
        "",
        "a map of texts by locale",
        "text: #{ \"en\": \"Hello\" }",
    ),
    field(
        "expires",
        "",
        "how long it is valid, counted from policy time",
        "expires: \"10m\"",
    ),
];

/// Channels that need no declaration.
pub(in crate::rules) const CHANNELS: &[Named] = &[
    plain("push", "a message of the app, on the lock screen"),
    plain("im", "an instant message in the app or a messenger"),
    plain("sms", "a text message"),
    plain("call", "a call, by a person or a machine"),
    plain("inapp", "inside the app, when it is open"),
];
