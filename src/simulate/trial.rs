//! Built-in true effects: how many customers do what a rule is for, with its action and without. So a report can
//! be held against the truth, which no bank knows of its own customers.

use super::amount::{Amounts, decimal, yuan};
use super::random::{Random, hash};
use super::simulation::{Moment, Simulation, Step};
use super::telling::Notice;
use serde_json::json;
use std::str::FromStr;

/// The type of the event that a trial's rules ask for in `converted`, with `rule` and `amount` in its data.
pub const CONVERTED: &str = "trial.converted";

/// What a conversion brings: a hundred yuan in the median.
const AMOUNT: Amounts = yuan(100, 400);
/// Sets these draws apart from those by which customers respond.
const PURPOSE: u64 = 0x7472_6961_6C00_0000;

/// How many of a rule's customers do what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrueEffect {
    /// The rule.
    pub rule: String,
    /// Of ten thousand whom it did not speak to, since they were held out.
    pub held_out: u32,
    /// Of ten thousand whom it spoke to.
    pub sent: u32,
}

/// A decision of the engine, as far as a trial needs it.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// The decision id.
    pub id: &'a str,
    /// The customer's id.
    pub customer: &'a str,
    /// The rule.
    pub rule: &'a str,
    /// Whether the action went out.
    pub sent: bool,
}

/// Ten thousandths, from percent.
fn share(percent: &str) -> Option<u32> {
    let (whole, fraction) = percent.split_once('.').unwrap_or((percent, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 2 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let hundredths: u32 = format!("{fraction:0<2}").parse().ok()?;
    let share = whole.parse::<u32>().ok()?.checked_mul(100)? + hundredths;
    (share <= 10_000).then_some(share)
}

impl FromStr for TrueEffect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once('=').and_then(|(rule, shares)| {
            let (held_out, sent) = shares.split_once(':')?;
            let held_out = share(held_out)?;
            Some((rule, held_out, share(sent)?))
        });
        match parts {
            Some((rule, held_out, sent)) if !rule.is_empty() => Ok(Self {
                rule: rule.to_owned(),
                held_out,
                sent,
            }),
            _ => {
                Err("write RULE=WITHOUT:WITH in percent, such as bills/reminder=10:12.5".to_owned())
            }
        }
    }
}

impl Simulation {
    /// The same population, with true effects of rules.
    #[must_use]
    pub fn with_effects(mut self, effects: Vec<TrueEffect>) -> Self {
        self.effects = effects;
        self
    }

    /// Lets the customer of a decision do what its rule is for, as often as the rule's true effect says; the event
    /// [`CONVERTED`] comes next then. It depends on the seed and the decision's id alone. `None` if the rule has no true effect, or the customer is not here.
    pub fn decided(&mut self, decided: &Decided<'_>) -> Option<bool> {
        let slot = self.slot_of_id(decided.customer)?;
        let effects = self.effects.iter();
        let effect = effects.clone().find(|effect| effect.rule == decided.rule)?;
        let share = if decided.sent {
            effect.sent
        } else {
            effect.held_out
        };
        let random = &mut Random::new(self.settings.seed, hash(decided.id) ^ PURPOSE);
        let converts = random.below(10_000) < u64::from(share);
        if converts {
            let amount = decimal(AMOUNT.price(random));
            let notice = Box::new(Notice {
                event_type: CONVERTED,
                source: "trial",
                data: json!({ "rule": decided.rule, "amount": amount, "currency": "CNY" }),
                story: format!("does what {} is for", decided.rule),
                kind: Moment::Outcome,
            });
            // At once, so that nobody is gone before it is told.
            self.at_once(slot, Step::Tell { notice });
        }
        Some(converts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::SimulationSettings;

    #[test]
    fn an_effect_is_written_in_percent() {
        let effect: TrueEffect = "bills/reminder=10:12.5".parse().unwrap();
        assert_eq!((effect.held_out, effect.sent), (1_000, 1_250));
        assert_eq!(effect.rule, "bills/reminder");
        for wrong in ["a", "a=1", "a=1:101", "=1:2", "a=1:-2", "a=1.234:2", "a=:2"] {
            assert!(wrong.parse::<TrueEffect>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn as_many_convert_as_the_truth_says_and_each_is_told() {
        let mut simulation = Simulation::new(SimulationSettings::new(3, 1_795_312_800_000));
        let effects = vec!["a=10:20".parse().unwrap()];
        simulation = simulation.with_effects(effects);
        let mut converted = [0, 0];
        for number in 0..20_000_u64 {
            let customer = format!("C3-{:05}", number % 1_000);
            let id = format!("{number:032x}");
            let sent = number % 2 == 0;
            let decided = Decided {
                id: &id,
                customer: &customer,
                rule: "a",
                sent,
            };
            if simulation.decided(&decided).unwrap() {
                converted[usize::from(sent)] += 1;
                let event = simulation.next(1_795_312_800_000 + number as i64);
                assert!(
                    event
                        .subject
                        .starts_with("scene.events.trial.converted.C3-")
                );
                assert_eq!(event.customer, customer);
            }
            let other = Decided {
                rule: "b",
                ..decided
            };
            assert_eq!(simulation.decided(&other), None);
        }
        // Within four standard errors of 10 % and 20 % of ten thousand.
        assert!((880..1_120).contains(&converted[0]), "{converted:?}");
        assert!((1_840..2_160).contains(&converted[1]), "{converted:?}");
    }
}
