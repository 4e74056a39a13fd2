//! `[control_group]` of `policy.toml`: the customers to whom no rule speaks, so that it can be seen what
//! all rules together win.

use super::reader::Reader;
use crate::terms::Percent;
use toml::de::DeTable;

pub(super) const TABLE: &str = "control_group";

/// The customers to whom no rule speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlGroup {
    /// How many of all customers.
    pub percent: Percent,
    /// What they are drawn by: another salt draws others.
    pub salt: Box<str>,
}

pub(super) fn read(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Option<ControlGroup> {
    let section = reader.section(root, (TABLE, "[control_group]"))?;
    section.known(reader, &["percent", "salt"]);
    section.missing(reader, "percent", "5");
    let salt = section.text(reader, "salt");
    let percent = section.number(reader, "percent", |number| {
        // With all of them, nobody would ever be spoken to.
        Percent::exact(number).filter(|percent| *percent < Percent::ALL)
    });
    Some(ControlGroup {
        percent: percent?,
        salt: salt.map_or_else(Box::default, |(salt, _)| salt.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::policy::tests::{faults, read};
    use super::*;

    #[test]
    fn a_control_group_has_a_percentage_and_perhaps_a_salt() {
        let group = |text: &str| read(text).unwrap().0.control_group;
        let drawn = group("[control_group]\npercent = 2.5\nsalt = \"2026\"\n").unwrap();
        assert_eq!(drawn.percent.to_string(), "2.5");
        assert_eq!(&*drawn.salt, "2026");
        let whole = group("[control_group]\npercent = 5\n").unwrap();
        assert_eq!((whole.percent, &*whole.salt), (Percent::whole(5), ""));
        assert_eq!(group(""), None);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for wrong in ["100", "-1", "0.00001", "\"5\"", "inf", "true"] {
            let found = faults(&format!("[control_group]\npercent = {wrong}\n"));
            assert!(found[0].hint.contains("2.5"), "{found:?}");
            assert_eq!(found[0].span, 26..26 + wrong.len(), "{wrong}");
        }
        let unknown = faults("[control_group]\npercent = 5\nsaltt = \"\"\n");
        assert!(unknown[0].message.contains("saltt"), "{unknown:?}");
        let missing = faults("[control_group]\n");
        assert!(missing[0].message.contains("percent"), "{missing:?}");
    }
}
