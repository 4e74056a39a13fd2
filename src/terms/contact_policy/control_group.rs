//! `[control_group]` of `policy.toml`: the customers to whom no rule speaks, so that it can be seen what
//! all rules together win.

use super::PolicyError;
use crate::terms::Percent;
use rust_decimal::Decimal;

/// The customers to whom no rule speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlGroup {
    /// How many of all customers.
    pub percent: Percent,
    /// What they are drawn by: another salt draws others.
    pub salt: Box<str>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawControlGroup {
    percent: toml::Spanned<toml::Value>,
    #[serde(default)]
    salt: Box<str>,
}

impl RawControlGroup {
    pub(super) fn read(self) -> Result<ControlGroup, PolicyError> {
        let fault = || {
            PolicyError {
            message: "`percent` of the control group must be a number from 0 up to, but not, 100 with at most \
                      four decimals, such as 5 or 2.5"
                .to_owned(),
            span: Some(self.percent.span()),
        }
        };
        // A TOML float is printed as the shortest decimal that means it, which is the one that was written.
        let decimal: Option<Decimal> = match self.percent.get_ref() {
            toml::Value::Integer(number) => Some((*number).into()),
            toml::Value::Float(number) => number.to_string().parse().ok(),
            _ => None,
        };
        let percent = decimal.and_then(Percent::exact);
        // Nobody would ever be spoken to.
        let percent = percent.filter(|percent| *percent < Percent::ALL);
        Ok(ControlGroup {
            percent: percent.ok_or_else(fault)?,
            salt: self.salt,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ContactPolicy;
    use super::*;

    fn parse(text: &str) -> Result<Option<ControlGroup>, PolicyError> {
        ContactPolicy::parse(text).map(|policy| policy.control_group)
    }

    #[test]
    fn a_control_group_has_a_percentage_and_perhaps_a_salt() {
        let group = |text: &str| parse(text).unwrap().unwrap();
        let read = group("[control_group]\npercent = 2.5\nsalt = \"2026\"\n");
        assert_eq!(read.percent.to_string(), "2.5");
        assert_eq!(&*read.salt, "2026");
        let whole = group("[control_group]\npercent = 5\n");
        assert_eq!((whole.percent, &*whole.salt), (Percent::whole(5), ""));
        assert_eq!(parse(""), Ok(None));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for wrong in ["100", "-1", "0.00001", "\"5\"", "inf", "true"] {
            let fault = parse(&format!("[control_group]\npercent = {wrong}\n")).unwrap_err();
            assert!(fault.message.contains("2.5"), "{fault}");
            assert_eq!(fault.span, Some(26..26 + wrong.len()), "{wrong}");
        }
        let unknown = parse("[control_group]\npercent = 5\nsaltt = \"\"\n").unwrap_err();
        assert!(unknown.message.contains("saltt"), "{unknown}");
        let missing = parse("[control_group]\n").unwrap_err();
        assert!(missing.message.contains("percent"), "{missing}");
    }
}
