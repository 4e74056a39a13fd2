//! What the keys of `SCENE_RULES` are called.
//!
//! | key | value |
//! |---|---|
//! | `text.<SHA-256>` | bytes with that hash: a file, a piece of one, or a list of files |
//! | `generation.<generation>` | which list of files a generation is, and who stored it first |
//! | `live.<generation>` | that it went live in an engine |
//! | `govern.switch.pause.all`, `….scene.<scene>`, `….rule.<rule>`, `….channel.<channel>` | a pause, or its end |
//! | `govern.switch.shadow.<rule>` | that a rule is in shadow mode, or no longer |
//! | `govern.approval.<rule>` | what was submitted and approved of a rule |
//! | `govern.pin` | the generation that stays live, or none |
//!
//! Names are written as in `SCENE_BUDGETS`: what a key of NATS may not have as `=` and two hexadecimal digits.

use crate::durable::grants::key_part;
use crate::policy::{Change, Position, Target};

/// Everything that engines obey.
pub(super) const GOVERN: &str = "govern.>";
/// All switches.
pub(super) const SWITCHES: &str = "govern.switch.>";
/// What the keys of switches begin with.
const SWITCH: &str = "govern.switch.";
/// All approvals.
pub(super) const APPROVALS: &str = "govern.approval.>";
/// What the keys of approvals begin with.
const APPROVAL: &str = "govern.approval.";
/// The pin.
pub(super) const PIN: &str = "govern.pin";

/// The key of a switch.
pub(super) fn switch(change: &Change) -> String {
    let is_shadow = matches!(
        change.position,
        Position::Shadow { .. } | Position::Unshadowed
    );
    let mode = if is_shadow { "shadow" } else { "pause" };
    match (&change.target, is_shadow) {
        (Target::All, _) => format!("{SWITCH}{mode}.all"),
        (Target::Rule(name), true) => format!("{SWITCH}shadow.{}", key_part(name)),
        (Target::Scene(name), _) => format!("{SWITCH}{mode}.scene.{}", key_part(name)),
        (Target::Rule(name), false) => format!("{SWITCH}pause.rule.{}", key_part(name)),
        (Target::Channel(name), _) => format!("{SWITCH}{mode}.channel.{}", key_part(name)),
    }
}

/// What was submitted and approved of a rule.
pub(super) fn approval(rule: &str) -> String {
    format!("{APPROVAL}{}", key_part(rule))
}

/// Whether a key is an approval's.
pub(super) fn is_approval(key: &str) -> bool {
    key.starts_with(APPROVAL)
}

/// Whether a key is a switch's.
pub(super) fn is_switch(key: &str) -> bool {
    key.starts_with(SWITCH)
}

/// A text by the hexadecimal digits of its SHA-256.
pub(super) fn text(hash: &str) -> String {
    format!("text.{hash}")
}

/// The files of a generation.
pub(super) fn generation(generation: &str) -> String {
    format!("generation.{generation}")
}

/// That a generation went live.
pub(super) fn live(generation: &str) -> String {
    format!("live.{generation}")
}

/// Whether a generation is written as generations are: otherwise it might name other keys.
pub(super) fn is_generation(generation: &str) -> bool {
    !generation.is_empty() && generation.bytes().all(|byte| byte.is_ascii_hexdigit())
}
