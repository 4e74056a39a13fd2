//! Who may change what, and what was changed: kept in the bucket `SCENE_RULES`, so that every engine and every
//! command knows the same.
//!
//! * [`keys`]: what the keys of the bucket are called
//! * [`texts`]: the rule texts of every generation that went live
//! * [`keeper`]: stores them before a generation goes live, and as soon as possible if the broker is away
//! * [`history`]: which generation went live when
//! * [`switches`]: what people have switched off, and who did
//! * [`pins`]: the generation that stays live
//! * [`approvals`]: the texts of rules that a second person has approved
//! * [`board`]: what engines obey of that, whenever it changes
//! * [`desk`]: changing it over HTTP
//! * [`witness`]: whether every partition obeys

pub mod approvals;
mod board;
mod desk;
mod history;
mod keeper;
mod keys;
pub mod pins;
pub mod switches;
pub mod texts;
mod witness;

use crate::clock::now_ms;
use crate::nats::InfoError;
use crate::policy::Signed;

pub use board::{Board, Governed};
pub use desk::Desk;
pub use history::{LiveRecord, history, previous};
pub use keeper::{Keeper, keep};
pub use pins::Pin;
pub use witness::{Witness, Witnessed};

/// Why the bucket could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GovernanceError {
    /// There is no bucket.
    #[error(
        "use the bucket SCENE_RULES: it is not there; start an engine of this version once, which creates it"
    )]
    NoBucket,
    /// Nobody answers, or not as expected.
    #[error("use the bucket SCENE_RULES: {0}; see that NATS runs and has room, then try again")]
    Broker(String),
    /// Somebody else changed the same at the same time.
    #[error("change {0}: somebody else changed it at the same time; look at it, then try again")]
    Contended(String),
    /// A value is not what it should be.
    #[error("read {key} of SCENE_RULES: {what}")]
    Damaged {
        /// Which.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// A generation that is not there.
    #[error(
        "find the generation {0}: its texts are not in SCENE_RULES; `onscene history` lists those that are"
    )]
    UnknownGeneration(String),
    /// Nobody stands for a change.
    #[error("sign the change: say {what} in 1 to {chars_max} characters, without line breaks")]
    Unsigned {
        /// What is missing.
        what: &'static str,
        /// How long it may be.
        chars_max: usize,
    },
    /// An approval that cannot be.
    #[error("approve {rule}: {why}")]
    NotApproved {
        /// Of which rule.
        rule: String,
        /// Why not.
        why: String,
    },
    /// A generation that this version cannot compile.
    #[error("compile the generation {0} with this version of the engine:\n{1}")]
    NotCompiled(String, String),
}

/// Longest name of a person, and longest reason, in characters.
const NAME_CHARS_MAX: usize = 100;
const REASON_CHARS_MAX: usize = 1_000;

/// Who changes something now, and why.
///
/// # Errors
/// When nobody is named, or no reason, or either is too long.
pub fn sign(by: &str, reason: &str) -> Result<Signed, GovernanceError> {
    let checked = |text: &str, what: &'static str, chars_max: usize| {
        let text = text.trim();
        let is_plain = !text.is_empty() && !text.chars().any(char::is_control);
        if is_plain && text.chars().count() <= chars_max {
            Ok(Box::from(text))
        } else {
            Err(GovernanceError::Unsigned { what, chars_max })
        }
    };
    Ok(Signed {
        by: checked(by, "who changes it", NAME_CHARS_MAX)?,
        reason: checked(reason, "the reason", REASON_CHARS_MAX)?,
        at: now_ms(),
    })
}

impl From<InfoError> for GovernanceError {
    fn from(error: InfoError) -> Self {
        match error {
            InfoError::Missing => Self::NoBucket,
            InfoError::Other(reason) => Self::Broker(reason),
        }
    }
}

fn damaged(key: &str, what: impl std::fmt::Display) -> GovernanceError {
    GovernanceError::Damaged {
        key: key.to_owned(),
        what: what.to_string(),
    }
}
