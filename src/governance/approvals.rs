//! Maker and checker: a rule that asks for approval goes live only in a text that a second person has approved.

use super::texts::{self, StoredOne};
use super::{GovernanceError, damaged, keys};
use crate::nats::{Connection, RulesEntry, read_rules, rules_history, write_rules};
use crate::policy::Signed;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the format.
const VERSION: u32 = 1;

/// What was submitted and approved of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    version: u32,
    /// The rule.
    pub rule: Box<str>,
    /// What waits for a second person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted: Option<Submission>,
    /// What was approved last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Approved>,
}

/// A text that somebody has submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The rule's file.
    pub text: StoredOne,
    /// Whether it asks for approval itself: if not, approving it ends that for the rule.
    pub asks: bool,
    /// Who made it.
    pub maker: Signed,
}

/// A text that a second person has approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approved {
    /// What was submitted.
    pub submission: Submission,
    /// Who approved it.
    pub checker: Signed,
}

/// Submits the text of a rule.
///
/// # Errors
/// When NATS does not take it.
pub async fn submit(
    connection: &Connection,
    rule: &str,
    text: &str,
    asks: bool,
    maker: Signed,
) -> Result<Submission, GovernanceError> {
    let text = texts::store_one(connection, text).await?;
    let submission = Submission { text, asks, maker };
    let (revision, mut approval) = read(connection, rule).await?;
    approval.submitted = Some(submission.clone());
    write(connection, &approval, revision).await?;
    Ok(submission)
}

/// Approves what was submitted of a rule, if it is the text whose SHA-256 begins so.
///
/// # Errors
/// When nothing was submitted, or another text, or by the same person; or NATS does not take it.
pub async fn approve(
    connection: &Connection,
    rule: &str,
    sha256: &str,
    checker: Signed,
) -> Result<Approved, GovernanceError> {
    let (revision, mut approval) = read(connection, rule).await?;
    let refuse = |why: String| GovernanceError::NotApproved {
        rule: rule.to_owned(),
        why,
    };
    let submission = approval.submitted.take();
    let submission = submission.ok_or_else(|| {
        refuse("nothing waits for approval: submit its text with `onscene approval submit`".into())
    })?;
    let submitted = submission.text.sha256();
    if sha256.is_empty() || !submitted.starts_with(sha256) {
        return Err(refuse(format!(
            "the text that waits has the SHA-256 {submitted}: look at it with `onscene approval show`, then approve that one"
        )));
    }
    if is_same(&submission.maker.by, &checker.by) {
        return Err(refuse(format!(
            "{} has submitted it: somebody else must approve it",
            submission.maker.by
        )));
    }
    let approved = Approved {
        submission,
        checker,
    };
    approval.approved = Some(approved.clone());
    write(connection, &approval, revision).await?;
    Ok(approved)
}

/// Whether two names are one person's, as far as names tell.
fn is_same(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.split_whitespace().collect::<String>().to_lowercase();
    plain(one) == plain(other)
}

/// What was submitted and approved of each rule.
///
/// # Errors
/// When NATS does not answer, or something cannot be read.
pub async fn list(
    connection: &Connection,
) -> Result<BTreeMap<Box<str>, Approval>, GovernanceError> {
    let entries = rules_history(connection, keys::APPROVALS, 1).await?;
    let read = |entry: &RulesEntry| decode(entry).map(|a| (a.rule.clone(), a));
    entries.iter().map(read).collect()
}

async fn read(connection: &Connection, rule: &str) -> Result<(u64, Approval), GovernanceError> {
    match read_rules(connection, &keys::approval(rule)).await? {
        Some(entry) => Ok((entry.revision, decode(&entry)?)),
        None => Ok((
            0,
            Approval {
                version: VERSION,
                rule: rule.into(),
                submitted: None,
                approved: None,
            },
        )),
    }
}

async fn write(
    connection: &Connection,
    approval: &Approval,
    revision: u64,
) -> Result<(), GovernanceError> {
    let value = serde_json::to_vec(approval).expect("invariant: text and numbers serialise");
    let key = keys::approval(&approval.rule);
    let written = write_rules(connection, &key, value.into(), Some(revision)).await?;
    let contended = || GovernanceError::Contended(format!("the approval of {}", approval.rule));
    written.map(|_| ()).ok_or_else(contended)
}

/// What a value of a rule's key says.
pub(super) fn decode(entry: &RulesEntry) -> Result<Approval, GovernanceError> {
    let approval: Approval =
        serde_json::from_slice(&entry.value).map_err(|error| damaged(&entry.key, error))?;
    if approval.version != VERSION {
        let what = format!(
            "it has version {}, and this one knows version {VERSION}",
            approval.version
        );
        return Err(damaged(&entry.key, what));
    }
    Ok(approval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_a_second_person_by_writing_their_name_otherwise() {
        assert!(is_same("Li Na", "li  na "));
        assert!(is_same("LiNa", "Li Na"));
        assert!(!is_same("Li Na", "Li Ne"));
    }

    /// The bytes in the bucket.
    #[test]
    fn an_approval_is_written_and_read_as_it_always_was() {
        let submission = r#"{"text":{"sha256":"ab","bytes":3},"asks":true,"maker":{"by":"Li","reason":"r","at":7}}"#;
        let bytes = format!(
            r#"{{"version":1,"rule":"a/b","submitted":{submission},"approved":{{"submission":{submission},"checker":{{"by":"Wang","reason":"ok","at":9}}}}}}"#
        );
        let entry = RulesEntry {
            key: "govern.approval.a/b".to_owned(),
            revision: 1,
            at: 0,
            value: bytes.clone().into(),
        };
        let approval = decode(&entry).unwrap();
        assert_eq!(serde_json::to_string(&approval).unwrap(), bytes);
        assert_eq!(&*approval.approved.unwrap().checker.by, "Wang");
    }
}
