//! The file as a whole.

use super::reader::{Mention, PolicyError, Reader};
use super::{
    Arbitration, AttributionModel, ChannelOrder, ConsentDefaults, ControlGroup, Exclusions,
    Household, Limit, Lists, QuietHours,
};
use super::{
    arbitration, attribution, channels, consent, control_group, exclusions, household, limit,
    quiet_hours,
};
use crate::event::Schema;
use toml::de::DeTable;

/// The contact policy of all rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContactPolicy {
    /// How often a customer may hear from us.
    pub caps: Vec<Limit>,
    /// How long we are silent after each contact.
    pub cooldowns: Vec<Limit>,
    /// When nobody is disturbed.
    pub quiet: Vec<QuietHours>,
    /// What holds for channels and purposes of which a profile says nothing.
    pub consent: ConsentDefaults,
    /// To whom nothing is said.
    pub exclusions: Exclusions,
    /// In which order channels are tried.
    pub channels: ChannelOrder,
    /// How many may speak at one event.
    pub arbitration: Arbitration,
    /// Who shares caps.
    pub household: Household,
    /// To whom no rule speaks.
    pub control_group: Option<ControlGroup>,
    /// To which of several touches a conversion is put down.
    pub attribution: AttributionModel,
}

/// The names of the tables.
const TABLES: [&str; 10] = [
    limit::CAP,
    limit::COOLDOWN,
    quiet_hours::TABLE,
    consent::TABLE,
    exclusions::TABLE,
    channels::TABLE,
    arbitration::TABLE,
    household::TABLE,
    control_group::TABLE,
    attribution::TABLE,
];

fn tables(reader: &mut Reader<'_>, root: &DeTable<'_>) -> ContactPolicy {
    ContactPolicy {
        caps: limit::caps(reader, root),
        cooldowns: limit::cooldowns(reader, root),
        quiet: quiet_hours::read(reader, root),
        consent: consent::read(reader, root),
        exclusions: exclusions::read(reader, root),
        channels: channels::read(reader, root),
        arbitration: arbitration::read(reader, root),
        household: household::read(reader, root),
        control_group: control_group::read(reader, root),
        attribution: attribution::read(reader, root),
    }
}

/// What a policy refers to.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The declared attributes.
    pub schema: &'a Schema,
    /// The files of `lists/`.
    pub lists: &'a Lists,
}

impl ContactPolicy {
    /// Reads the file, and which scenes, rules, channels and lists it mentions.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file.
    pub fn parse(
        text: &str,
        surroundings: Surroundings<'_>,
    ) -> Result<(Self, Vec<Mention>), Vec<PolicyError>> {
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut reader = Reader::new(surroundings);
        for error in errors {
            reader.fault(
                error.span().unwrap_or(0..0),
                format!("this is not TOML: {}", error.message()),
                "write `key = \"text\"` under a `[table]`; texts stand in double quotes",
            );
        }
        // What cannot be read leaves holes, about which there is nothing more to say.
        if reader.is_sound() {
            reader.known(root.get_ref(), "policy.toml", "table", &TABLES);
            let policy = tables(&mut reader, root.get_ref());
            policy.check(&mut reader, root.get_ref());
            if reader.is_sound() {
                return Ok((policy, reader.mentions()));
            }
        }
        Err(reader.faults())
    }

    /// What only shows when several tables are seen.
    fn check(&self, reader: &mut Reader<'_>, root: &DeTable<'_>) {
        let limits = self.caps.iter().chain(&self.cooldowns);
        if self.household.attribute.is_some() || !limits.clone().any(|limit| limit.household) {
            return;
        }
        for table in [limit::CAP, limit::COOLDOWN] {
            if let Some(at) = reader.place_of(root, table, "household") {
                reader.fault(
                    at,
                    "nothing says who is of one household",
                    "add a table `[household]` with `attribute = \"household\"`: the profile attribute that they share",
                );
            }
        }
    }

    /// Whether it lets everything pass.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::state::Window;
    use crate::terms::contact_policy::{CustomerList, Per, Scope};
    use std::sync::Arc;

    /// What is wrong with a policy.
    pub(in super::super) fn faults(text: &str) -> Vec<PolicyError> {
        read(text).unwrap_err()
    }

    pub(in super::super) fn read(
        text: &str,
    ) -> Result<(ContactPolicy, Vec<Mention>), Vec<PolicyError>> {
        let schema =
            Schema::parse("[attributes]\nhousehold = \"text\"\nquiet = \"boolean\"\n").unwrap();
        let list = CustomerList::parse("C1\n# all\n\n C 2 \n").unwrap();
        let lists = Lists::from([("mourning".into(), Arc::new(list))]);
        let surroundings = Surroundings {
            schema: &schema,
            lists: &lists,
        };
        ContactPolicy::parse(text, surroundings)
    }

    #[test]
    fn an_empty_file_lets_everything_pass() {
        assert!(read("").unwrap().0.is_empty());
    }

    #[test]
    fn caps_and_cooldowns_have_a_scope_a_count_and_a_window() {
        let text = "[[cap]]\ncount = 2\nper = \"week\"\nscene = \"bills\"\n[[cooldown]]\nlength = \"30m\"\nchannel = \"sms\"\n";
        let (policy, mentions) = read(text).unwrap();
        let none = Scope::default;
        assert_eq!(policy.caps.len(), 1);
        assert_eq!((policy.caps[0].count, policy.caps[0].per), (2, Per::Week));
        let scene = Some("bills".into());
        assert_eq!(policy.caps[0].scope, Scope { scene, ..none() });
        let length = Per::Rolling(Window::parse("30m").unwrap());
        assert_eq!(
            (policy.cooldowns[0].count, policy.cooldowns[0].per),
            (1, length)
        );
        assert_eq!(mentions.len(), 2);
    }

    #[test]
    fn quiet_hours_may_be_one_table_or_several() {
        let one = "[quiet_hours]\nhours = \"22:00-08:00\"\nchannels = [\"push\"]\n";
        let quiet = read(one).unwrap().0.quiet;
        assert!(quiet[0].cover("push") && !quiet[0].cover("im"));
        let two =
            "[[quiet_hours]]\nhours = \"22:00-08:00\"\n[[quiet_hours]]\nhours = \"12:00-13:00\"\n";
        assert_eq!(read(two).unwrap().0.quiet.len(), 2);
    }

    #[test]
    fn exclusions_know_their_lists_by_name() {
        let (policy, _) =
            read("[exclusions]\nlists = [\"mourning\"]\nattributes = [\"quiet\"]\n").unwrap();
        let (name, list) = &policy.exclusions.lists[0];
        assert_eq!((&**name, list.len()), ("mourning", 2));
        assert!(list.has("C1") && list.has("C 2") && !list.has("C3"));
    }
}
