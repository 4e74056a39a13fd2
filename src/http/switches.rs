//! `/api/switches`: what is switched off, and switching it.

use super::server::Sources;
use crate::clock::{format_rfc3339, now_ms};
use crate::governance::{self, GovernanceError};
use crate::policy::{Change, Position, Target};
use crate::state::Window;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::IpAddr;

/// Says who changes something. A page of another site cannot send it without asking first, which is never granted.
const BY: &str = "Onscene-By";

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// `{"rule": "win/dining"}`, `{"scene": …}`, `{"channel": …}` or `"all"`.
    target: Target,
    /// `paused`, `resumed`, `shadow` or `unshadowed`.
    to: To,
    /// Why.
    reason: String,
    /// How long a pause lasts, such as `2h`.
    #[serde(default, rename = "for")]
    length: Option<String>,
    /// Test customers of a rule in shadow mode.
    #[serde(default)]
    customers: Vec<Box<str>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum To {
    Paused,
    Resumed,
    Shadow,
    Unshadowed,
}

/// What is switched off as this engine knows it, and who changed what.
pub(super) async fn list(State(sources): State<Sources>) -> Response {
    let changes = match sources.desk.log().await {
        Ok(changes) => changes,
        Err(error) => return failed(&error),
    };
    let changes: Vec<Value> = (changes.iter().rev())
        .map(|changed| {
            json!({
                "revision": changed.revision,
                "at": format_rfc3339(changed.at),
                "change": changed.change,
            })
        })
        .collect();
    let switches = sources.desk.switches();
    Json(json!({ "switches": *switches, "log": changes })).into_response()
}

/// Changes a switch; answers when every partition obeys.
pub(super) async fn change(
    State(sources): State<Sources>,
    headers: HeaderMap,
    Json(asked): Json<Asked>,
) -> Response {
    if !is_asked_by_address(&headers) {
        let error =
            "ask by the address, such as http://127.0.0.1:8080: a name could be another site's";
        return refused(StatusCode::FORBIDDEN, error);
    }
    let Some(by) = headers
        .get(BY)
        .and_then(|by| std::str::from_utf8(by.as_bytes()).ok())
    else {
        let error = format!("say who changes it, in the header {BY}");
        return refused(StatusCode::BAD_REQUEST, &error);
    };
    let change = match asked.change(by) {
        Ok(change) => change,
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error),
    };
    if let Some(error) = unknown(&sources, &change.target) {
        return refused(StatusCode::NOT_FOUND, &error);
    }
    match sources.desk.switch(&change).await {
        Err(error) => failed(&error),
        Ok(switched) => {
            let witnessed = &switched.witnessed;
            let status = if witnessed.missing.is_empty() {
                StatusCode::OK
            } else {
                // It is written, and not everybody has said yet that they obey.
                StatusCode::ACCEPTED
            };
            let body = json!({
                "revision": switched.revision,
                "obeyed_from": witnessed.partitions,
                "missing": witnessed.missing,
            });
            (status, Json(body)).into_response()
        }
    }
}

impl Asked {
    fn change(self, by: &str) -> Result<Change, String> {
        let length = match self.length.as_deref() {
            None => None,
            Some(text) => {
                let length = Window::parse(text);
                Some(length.ok_or("`for` must be a length such as \"30m\" or \"2h\"")?)
            }
        };
        let is_rule = matches!(self.target, Target::Rule(_));
        let position = match self.to {
            To::Paused => Position::Paused {
                until: length.map(|length| now_ms().saturating_add(length.millis())),
            },
            To::Resumed => Position::Resumed,
            To::Shadow | To::Unshadowed if !is_rule => {
                return Err("only a rule has a shadow mode".to_owned());
            }
            To::Shadow => Position::Shadow {
                customers: self.customers.into_iter().collect(),
            },
            To::Unshadowed => Position::Unshadowed,
        };
        let signed = governance::sign(by, &self.reason).map_err(|error| error.to_string())?;
        Ok(Change {
            target: self.target,
            position,
            signed,
        })
    }
}

/// What is wrong with a name, as the live rules tell. A rule that is no longer there may still be resumed.
fn unknown(sources: &Sources, target: &Target) -> Option<String> {
    let set = sources.registry.live();
    let switches = sources.desk.switches();
    let mut rules = set.rules().iter();
    let is_known = match target {
        Target::All => true,
        Target::Rule(name) => {
            set.rule(name).is_some()
                || switches.rules.contains_key(name)
                || switches.in_shadow(name)
        }
        Target::Scene(name) => {
            rules.any(|rule| rule.terms.scene.as_deref() == Some(name))
                || switches.scenes.contains_key(name)
        }
        Target::Channel(name) => {
            rules.any(|rule| rule.terms.channels.contains(name))
                || switches.channels.contains_key(name)
        }
    };
    (!is_known).then(|| format!("the live rules know no {target}"))
}

/// Whether the request names an address, and no name that somebody else could have pointed here.
fn is_asked_by_address(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let Some(host) = host else {
        return true;
    };
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    bare == "localhost" || bare.parse::<IpAddr>().is_ok()
}

fn failed(error: &GovernanceError) -> Response {
    refused(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())
}

fn refused(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_by_a_name_that_could_be_anybodys_is_told_apart() {
        for (host, wanted) in [
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("localhost:8080", true),
            ("evil.example:8080", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            assert_eq!(is_asked_by_address(&headers), wanted, "{host}");
        }
        assert!(is_asked_by_address(&HeaderMap::new()));
    }

    #[test]
    fn only_rules_have_a_shadow_mode_and_nobody_changes_anything_unsigned() {
        let asked = |text: &str| -> Asked { serde_json::from_str(text).unwrap() };
        let scene = asked(r#"{"target":{"scene":"s"},"to":"shadow","reason":"r"}"#);
        assert!(scene.change("Li").is_err());
        let all = r#"{"target":"all","to":"paused","reason":"r","for":"2h"}"#;
        assert!(asked(all).change(" ").is_err());
        let change = asked(all).change("Li").unwrap();
        assert!(matches!(
            change.position,
            Position::Paused { until: Some(_) }
        ));
    }
}
