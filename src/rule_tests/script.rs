//! What a test does, step by step, ready to be played on any rule set with the same terms: events
//! as the JSON that a producer would send, for a customer who draws what the test asks for.

use super::document::Span;
use super::model::{Expected, Happening, Test, TestFile};
use crate::action::Verdict;
use crate::clock::{DAY, MINUTE, Millis, format_rfc3339};
use crate::config::Config;
use crate::decode::Decoder;
use crate::money::Rates;
use crate::partitioning::CustomerId;
use crate::policy::{self, Assignment};
use crate::rules::{Diagnostic, Rule, RuleSet};
use crate::state::JournalLimits;
use crate::terms::{BROADCAST_PREFIX, DAILY, Percent, Terms};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// How many customer ids are tried for one that draws what a test asks for. A draw of one percent
/// fails that often with a probability of 10⁻⁸⁷.
const CUSTOMERS_TRIED_MAX: u32 = 20_000;

/// The event by which the customer of a test becomes known.
const PROFILE: &str = "customer.profile";

/// What the configuration says that rules and tests depend on.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Turns amounts into the base currency.
    pub rates: Rates,
    /// The time zone of customers whose profile names none.
    pub zone: TimeZone,
    /// How far journals reach back.
    pub journal: JournalLimits,
}

impl Environment {
    /// What a configuration says.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            rates: config.rates.clone(),
            zone: config.zone.clone(),
            journal: config.journal,
        }
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            rates: Rates::default(),
            zone: TimeZone::get("Asia/Shanghai").unwrap_or(TimeZone::UTC),
            journal: JournalLimits::default(),
        }
    }
}

/// A test, ready to be played.
pub(super) struct Script {
    pub(super) decoder: Decoder,
    /// What comes before the first step; nothing is expected of it.
    pub(super) before: Vec<Act>,
    /// What happens at each step.
    pub(super) steps: Vec<Vec<Act>>,
    pub(super) customer: CustomerId,
}

/// One thing that happens.
pub(super) enum Act {
    /// An event arrives.
    Event {
        json: Vec<u8>,
        /// Where the test file has it.
        span: Span,
    },
    /// The clock moves on.
    Advance(Millis),
    /// Something became of the last action.
    Outcome { word: String, time: Millis },
}

/// An event as a producer sends it.
pub(super) fn cloudevent(
    customer: Option<&CustomerId>,
    number: usize,
    event: &Happening,
) -> Vec<u8> {
    let mut json = serde_json::json!({
        "specversion": "1.0",
        "id": event.id.clone().unwrap_or_else(|| format!("event-{number}")),
        "source": event.source.as_deref().unwrap_or("test"),
        "type": event.kind,
        "time": format_rfc3339(event.time),
        "data": event.data,
    });
    if let (Some(customer), Some(members)) = (customer, json.as_object_mut()) {
        members.insert("subject".into(), customer.as_str().into());
    }
    json.to_string().into_bytes()
}

/// Makes a test ready. `set` holds the rules that are active in it.
pub(super) fn script(
    file: &TestFile,
    test: &Test,
    set: &RuleSet,
    environment: &Environment,
) -> Result<Script, Vec<Diagnostic>> {
    let Some(rule) = set.rule(&file.rule) else {
        let message = format!("there is no rule `{}` for these tests", file.rule);
        let hint = format!(
            "put them beside their rule, `{}.rhai`, or take them out",
            file.rule
        );
        return Err(vec![file.fault(&(0..0), message, hint)]);
    };
    let mut faults = Vec::new();
    for (name, span) in &test.with {
        if set.rule(name).is_none() {
            let hint = "rules are named by their path in the folder, without `.rhai`";
            faults.push(file.fault(span, format!("there is no rule `{name}`"), hint.to_owned()));
        }
    }
    faults.extend(mismatch(file, test, rule));
    let customer = customer(test, rule, set);
    if customer.is_none() && faults.is_empty() {
        let place = test.variant.as_ref().map(|(_, span)| span);
        let place = place.or(test.holdout.as_ref().map(|(_, span)| span));
        let message = "no customer draws what this test asks for".to_owned();
        let hint =
            "look at `holdout`, `rollout` and `variants` of the rule: is one of them 0 or 100?";
        faults.push(file.fault(place.unwrap_or(&test.span), message, hint.to_owned()));
    }
    match customer {
        Some(customer) if faults.is_empty() => {
            let profile = consenting(&test.customer.profile, set);
            Ok(stage(test, rule, (customer, profile), environment))
        }
        _ => Err(faults),
    }
}

/// What a test says of its rule that cannot be so.
fn mismatch(file: &TestFile, test: &Test, rule: &Rule) -> Option<Diagnostic> {
    let terms = &rule.terms;
    if let Some((variant, span)) = &test.variant
        && !terms.variants.iter().any(|(name, _)| **name == **variant)
    {
        let known: Vec<&str> = terms.variants.iter().map(|(name, _)| &**name).collect();
        let message = format!("the rule has no variant \"{variant}\"");
        return Some(file.fault(span, message, format!("it has: {}", known.join(", "))));
    }
    if let Some((true, span)) = &test.holdout
        && terms.holdout == Percent::NONE
    {
        let message = "the rule holds nobody out".to_owned();
        let hint = "add `holdout: 10` to its `RULE`, or take `holdout` out of the test";
        return Some(file.fault(span, message, hint.to_owned()));
    }
    let is_daily = terms.on.iter().any(|kind| &**kind == DAILY);
    if test.steps[0].event.is_none() && !is_daily {
        let message = "the test has no event".to_owned();
        let hint = format!(
            "add `event = {{ type = \"{}\", data = {{ … }} }}`",
            terms.on[0]
        );
        return Some(file.fault(&test.span, message, hint));
    }
    None
}

/// A customer who draws what the test asks for: by default not held out and rolled out.
fn customer(test: &Test, rule: &Rule, set: &RuleSet) -> Option<CustomerId> {
    let expects = |wanted: Verdict| {
        test.steps
            .iter()
            .filter_map(|step| step.expect.as_ref())
            .any(|expectation| match &expectation.what {
                Expected::Nothing => false,
                Expected::Silence(verdict) => *verdict == wanted,
                Expected::Said(said) => said.iter().any(|said| said.verdict == wanted),
            })
    };
    let held_out = test.holdout.as_ref().map(|(held_out, _)| *held_out);
    let held_out = held_out.unwrap_or_else(|| expects(Verdict::Holdout));
    let rolled_out = !expects(Verdict::Rollout);
    let variant = test.variant.as_ref().map(|(variant, _)| &**variant);
    // Nobody who is in the control group of all rules: a test is about one of them.
    let assigned = |terms: &Terms, id: &CustomerId| policy::assignment(terms, set.policy(), id);
    let wanted = match held_out {
        true => Assignment::Holdout,
        false => Assignment::Treated,
    };
    let fits = |terms: &Terms, id: &CustomerId| {
        policy::is_rolled_out(terms, id) == rolled_out
            && assigned(terms, id) == wanted
            && variant.is_none_or(|variant| policy::variant(terms, id) == variant)
    };
    let others = |id: &CustomerId| {
        test.with
            .iter()
            .filter_map(|(name, _)| set.rule(name))
            .all(|other| {
                policy::is_rolled_out(&other.terms, id)
                    && assigned(&other.terms, id) == Assignment::Treated
            })
    };
    (1..=CUSTOMERS_TRIED_MAX)
        .filter_map(|number| CustomerId::new(&format!("C{number}")))
        .find(|id| fits(&rule.terms, id) && others(id))
}

/// A profile that consents to everything the active rules ask for, but for what it says itself: a test
/// that is about something else need not speak of it.
fn consenting(profile: &serde_json::Value, set: &RuleSet) -> serde_json::Value {
    let mut consents = serde_json::Map::new();
    for terms in set.rules().iter().map(|rule| &rule.terms) {
        let purpose = terms.purpose.iter();
        let purpose = purpose.map(|purpose| format!("{}{purpose}", policy::PURPOSE_PREFIX));
        let channels = terms.channels.iter().map(ToString::to_string);
        consents.extend(channels.chain(purpose).map(|word| (word, true.into())));
    }
    if let Some(said) = profile["consents"].as_object() {
        consents.extend(said.clone());
    }
    let mut profile = profile.clone();
    if let Some(members) = profile.as_object_mut() {
        members.insert("consents".into(), consents.into());
    }
    profile
}

fn stage(
    test: &Test,
    rule: &Rule,
    (customer, known): (CustomerId, serde_json::Value),
    environment: &Environment,
) -> Script {
    let mut number = 0;
    let mut event = |happening: &Happening| {
        number += 1;
        let subject = (!happening.kind.starts_with(BROADCAST_PREFIX)).then_some(&customer);
        Act::Event {
            json: cloudevent(subject, number, happening),
            span: happening.span.clone(),
        }
    };
    let first = test
        .history
        .first()
        .map_or(test.now, |event| event.time)
        .min(test.now);
    // A rule that answers profiles answers this one too: long ago, so that it has been forgotten.
    let answers_profiles = rule.terms.on.iter().any(|kind| &**kind == PROFILE);
    let known_for = if answers_profiles { 100 * DAY } else { MINUTE };
    let profile = Happening {
        time: test.customer.first_seen.unwrap_or(first - known_for),
        kind: PROFILE.to_owned(),
        data: known,
        id: Some("profile".to_owned()),
        source: None,
        span: test.customer.span.clone(),
    };
    let mut before = vec![event(&profile)];
    before.extend(test.history.iter().map(&mut event));
    if let Some(day) = start_of_day(test, rule, environment) {
        before.push(Act::Advance(day));
    }
    let mut steps = Vec::new();
    for step in &test.steps {
        let at = test.now.saturating_add(step.after);
        let mut acts = Vec::new();
        if let Some(happening) = &step.event {
            // What is due before the event happens before it, and belongs to this step.
            acts.push(Act::Advance(happening.time - 1));
            acts.push(event(happening));
        }
        acts.push(Act::Advance(at));
        if let Some((word, _)) = &step.outcome {
            let (word, time) = (word.clone(), at);
            acts.push(Act::Outcome { word, time });
        }
        steps.push(acts);
    }
    Script {
        decoder: Decoder {
            rates: rates(test, &environment.rates),
            ..Decoder::default()
        },
        before,
        steps,
        customer,
    }
}

/// For a daily rule, the last moment of the day before: what happens on earlier days is history.
fn start_of_day(test: &Test, rule: &Rule, environment: &Environment) -> Option<Millis> {
    rule.terms.daily_at()?;
    let zone = test
        .customer
        .profile
        .get("time_zone")
        .and_then(serde_json::Value::as_str);
    let zone = zone.and_then(|name| TimeZone::get(name).ok());
    let zone = zone.unwrap_or_else(|| environment.zone.clone());
    let local = Timestamp::from_millisecond(test.now).ok()?.to_zoned(zone);
    let start = local.start_of_day().ok()?.timestamp().as_millisecond();
    Some((start - 1).max(test.now - DAY))
}

fn rates(test: &Test, configured: &Rates) -> Rates {
    configured.with(test.rates.iter().cloned())
}
