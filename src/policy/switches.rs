//! What people have switched off: a pause of everything, of a scene, of a rule or of a channel, and rules that
//! only decide and do not send (shadow).
//!
//! A partition's switches are part of its fold: the log says from which message on they were in force. Whether
//! one that ends by itself has ended is a question of policy time, so the same log gives the same answer.

use crate::clock::Millis;
use crate::terms::Terms;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a switch is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Every rule.
    All,
    /// Every rule of a scene.
    Scene(Box<str>),
    /// One rule.
    Rule(Box<str>),
    /// Whatever would go out by a channel.
    Channel(Box<str>),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("everything"),
            Self::Scene(name) => write!(f, "scene {name}"),
            Self::Rule(name) => write!(f, "rule {name}"),
            Self::Channel(name) => write!(f, "channel {name}"),
        }
    }
}

/// Who changed something, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Who.
    pub by: Box<str>,
    /// Why.
    pub reason: Box<str>,
    /// When, by the clock of whoever changed it.
    pub at: Millis,
}

/// To what a switch is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// Nothing goes out.
    Paused {
        /// Policy time from which on it does again; until somebody resumes it, if there is none.
        until: Option<Millis>,
    },
    /// It goes on.
    Resumed,
    /// A rule decides and records, and sends to nobody but its test customers.
    Shadow {
        /// Customers to whom it really sends.
        customers: BTreeSet<Box<str>>,
    },
    /// A rule sends again.
    Unshadowed,
}

impl Position {
    /// As it is told.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Paused { .. } => "paused",
            Self::Resumed => "resumed",
            Self::Shadow { .. } => "shadow",
            Self::Unshadowed => "unshadowed",
        }
    }
}

/// One change of a switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What it is about.
    pub target: Target,
    /// To what it is set.
    pub position: Position,
    /// Who set it.
    pub signed: Signed,
}

/// Something that is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Policy time from which on it no longer is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    /// Who paused it.
    pub signed: Signed,
}

/// A rule in shadow mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shadow {
    /// Customers to whom it really sends.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub customers: BTreeSet<Box<str>>,
    /// Who put it there.
    pub signed: Signed,
}

/// All switches that are not as they are by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Switches {
    /// When the bucket was created that they are of, in nanoseconds since the Unix epoch: another bucket has revisions
    /// of its own.
    pub created: i64,
    /// Of which revision of `SCENE_RULES` they are; 0 before anybody changed anything.
    pub revision: u64,
    /// The pause of everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<Pause>,
    /// Paused scenes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub scenes: BTreeMap<Box<str>, Pause>,
    /// Paused rules.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<Box<str>, Pause>,
    /// Paused channels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub channels: BTreeMap<Box<str>, Pause>,
    /// Rules in shadow mode.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub shadows: BTreeMap<Box<str>, Shadow>,
}

impl Switches {
    /// Whether nobody ever changed anything.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.revision == 0
    }

    /// Whether these come after others, which are then no longer in force. An engine that is behind does not undo
    /// what another one has obeyed already.
    #[must_use]
    pub fn follow(&self, others: &Self) -> bool {
        let is_any = !(self.is_untouched() && others.is_untouched());
        is_any && (self.created, self.revision) > (others.created, others.revision)
    }

    /// The same after a change with a later revision.
    #[must_use]
    pub fn with(&self, change: &Change, revision: u64) -> Self {
        let mut after = self.clone();
        after.revision = revision;
        let signed = change.signed.clone();
        match (&change.target, &change.position) {
            (target, Position::Paused { until }) => {
                let until = *until;
                after.put_pause(target, Some(Pause { until, signed }));
            }
            (target, Position::Resumed) => after.put_pause(target, None),
            (Target::Rule(rule), Position::Shadow { customers }) => {
                let customers = customers.clone();
                let shadow = Shadow { customers, signed };
                after.shadows.insert(rule.clone(), shadow);
            }
            (Target::Rule(rule), Position::Unshadowed) => {
                after.shadows.remove(rule);
            }
            // Only rules have a shadow mode; whoever writes a change sees to that.
            (_, Position::Shadow { .. } | Position::Unshadowed) => {}
        }
        after
    }

    fn put_pause(&mut self, target: &Target, pause: Option<Pause>) {
        let (map, name) = match target {
            Target::All => {
                self.all = pause;
                return;
            }
            Target::Scene(name) => (&mut self.scenes, name),
            Target::Rule(name) => (&mut self.rules, name),
            Target::Channel(name) => (&mut self.channels, name),
        };
        match pause {
            Some(pause) => map.insert(name.clone(), pause),
            None => map.remove(name),
        };
    }

    /// What keeps a rule from speaking at a policy time, whatever the customer: a pause of everything, of its
    /// scene, of itself, or of each of its channels.
    #[must_use]
    pub fn paused(&self, terms: &Terms, at: Millis) -> Option<&Pause> {
        if self.is_open() {
            return None;
        }
        let scene = terms.scene.as_deref();
        let scene = scene.and_then(|scene| self.scenes.get(scene));
        let mut wide = [self.all.as_ref(), scene, self.rules.get(&*terms.name)].into_iter();
        if let Some(pause) = wide.find_map(|pause| pause.filter(|pause| pause.holds(at))) {
            return Some(pause);
        }
        let mut channels = terms.channels.iter();
        let first = self.channel_paused(channels.next()?, at)?;
        channels
            .all(|channel| self.channel_paused(channel, at).is_some())
            .then_some(first)
    }

    /// Whether a rule is, or will have been, kept from speaking by a pause that is set, whenever that ends.
    #[must_use]
    pub fn concern(&self, terms: &Terms) -> bool {
        self.paused(terms, Millis::MIN).is_some()
    }

    /// What keeps a channel from being used at a policy time.
    #[must_use]
    pub fn channel_paused(&self, channel: &str, at: Millis) -> Option<&Pause> {
        if self.channels.is_empty() {
            return None;
        }
        self.channels.get(channel).filter(|pause| pause.holds(at))
    }

    /// Whether a rule only decides about a customer and does not send.
    #[must_use]
    pub fn is_shadow(&self, rule: &str, customer: &str) -> bool {
        let shadow = self.shadows.get(rule);
        shadow.is_some_and(|shadow| !shadow.customers.contains(customer))
    }

    /// Whether a rule is in shadow mode for all but its test customers.
    #[must_use]
    pub fn in_shadow(&self, rule: &str) -> bool {
        self.shadows.contains_key(rule)
    }

    /// Whether nothing is switched off for anybody.
    #[must_use]
    pub fn are_idle(&self) -> bool {
        self.is_open() && self.shadows.is_empty()
    }

    /// Whether nothing is paused: nearly always so.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.all.is_none()
            && self.scenes.is_empty()
            && self.rules.is_empty()
            && self.channels.is_empty()
    }

    /// How many pauses hold at a time, by what they are about, and how many rules are in shadow mode.
    #[must_use]
    pub fn counts(&self, at: Millis) -> [(&'static str, usize); 5] {
        let count =
            |pauses: &BTreeMap<Box<str>, Pause>| pauses.values().filter(|p| p.holds(at)).count();
        let all = self.all.as_ref().filter(|pause| pause.holds(at));
        [
            ("all", all.iter().count()),
            ("scene", count(&self.scenes)),
            ("rule", count(&self.rules)),
            ("channel", count(&self.channels)),
            ("shadow", self.shadows.len()),
        ]
    }
}

impl Pause {
    /// Whether it holds at a policy time.
    #[must_use]
    pub fn holds(&self, at: Millis) -> bool {
        self.until.is_none_or(|until| at < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> Signed {
        Signed {
            by: "Li".into(),
            reason: "wrong amount".into(),
            at: 7,
        }
    }

    fn pause(target: Target, until: Option<Millis>) -> Change {
        Change {
            target,
            position: Position::Paused { until },
            signed: signed(),
        }
    }

    fn resume(target: Target) -> Change {
        Change {
            target,
            position: Position::Resumed,
            signed: signed(),
        }
    }

    fn terms() -> Terms {
        Terms {
            scene: Some("dining".into()),
            channels: vec!["push".into(), "sms".into()],
            ..Terms::new("a/b")
        }
    }

    #[test]
    fn a_pause_holds_for_what_it_names_until_it_is_resumed() {
        let others = [
            Target::Scene("fuel".into()),
            Target::Rule("a/c".into()),
            Target::Channel("push".into()),
        ];
        let mut switches = Switches::default();
        for (other, revision) in others.into_iter().zip(1..) {
            switches = switches.with(&pause(other, None), revision);
        }
        assert_eq!(switches.paused(&terms(), 0), None);
        for target in [
            Target::All,
            Target::Scene("dining".into()),
            Target::Rule("a/b".into()),
            // One of its channels is paused already.
            Target::Channel("sms".into()),
        ] {
            let held = switches.with(&pause(target.clone(), None), 4);
            assert!(held.paused(&terms(), 0).is_some(), "{target}");
            let again = held.with(&resume(target.clone()), 5);
            assert_eq!(again.paused(&terms(), 0), None, "{target}");
            assert_eq!(again.revision, 5);
        }
    }

    #[test]
    fn a_pause_with_an_end_holds_until_that_policy_time_and_not_at_it() {
        let switches = Switches::default().with(&pause(Target::All, Some(10)), 1);
        assert!(switches.paused(&terms(), 9).is_some());
        assert_eq!(switches.paused(&terms(), 10), None);
        assert_eq!(switches.counts(9)[0], ("all", 1));
        assert_eq!(switches.counts(10)[0], ("all", 0));
    }

    #[test]
    fn a_rule_in_shadow_sends_to_its_test_customers_alone() {
        let shadow = |customers: &[&str]| Change {
            target: Target::Rule("a/b".into()),
            position: Position::Shadow {
                customers: customers.iter().map(|c| (*c).into()).collect(),
            },
            signed: signed(),
        };
        let switches = Switches::default().with(&shadow(&["C1"]), 1);
        assert!(switches.is_shadow("a/b", "C2"));
        assert!(!switches.is_shadow("a/b", "C1"));
        assert!(!switches.is_shadow("a/c", "C2"));
        let position = Position::Unshadowed;
        let ended = switches.with(
            &Change {
                position,
                ..shadow(&[])
            },
            2,
        );
        assert!(!ended.is_shadow("a/b", "C2"));
    }

    #[test]
    fn whoever_is_behind_undoes_nothing_and_a_new_bucket_counts_from_its_beginning() {
        let of = |created, revision| Switches {
            created,
            revision,
            ..Switches::default()
        };
        assert!(of(1, 5).follow(&of(1, 4)));
        assert!(!of(1, 4).follow(&of(1, 5)));
        assert!(!of(1, 5).follow(&of(1, 5)));
        assert!(of(2, 1).follow(&of(1, 9)));
        assert!(of(2, 0).follow(&of(1, 9)), "nothing is paused there");
        assert!(!of(2, 0).follow(&of(0, 0)), "nobody ever changed anything");
    }

    /// The bytes in logs and checkpoints.
    #[test]
    fn switches_are_written_and_read_as_they_always_were() {
        let bytes = r#"{"created":3,"revision":4,"all":{"until":10,"signed":{"by":"Li","reason":"wrong amount","at":7}},"rules":{"a/b":{"signed":{"by":"Li","reason":"wrong amount","at":7}}},"shadows":{"a/c":{"customers":["C1"],"signed":{"by":"Li","reason":"wrong amount","at":7}}}}"#;
        let switches: Switches = serde_json::from_str(bytes).unwrap();
        assert_eq!(serde_json::to_string(&switches).unwrap(), bytes);
        assert!(switches.paused(&terms(), 11).is_some());
        assert_eq!(
            serde_json::from_str::<Switches>("{}").unwrap(),
            Switches::default()
        );
    }
}
