//! `/api/report`: what worked, made from the log.

use super::server::Sources;
use crate::clock::{Millis, parse_rfc3339};
use crate::measurement::{Asked, MeasurementError, plan};
use crate::report::{Model, Period, csv, picture};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What can be asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    rule: Option<String>,
    scene: Option<String>,
    from: Option<String>,
    to: Option<String>,
    format: Option<String>,
    attribution: Option<String>,
}

pub(super) async fn report(
    State(sources): State<Sources>,
    Query(parameters): Query<Parameters>,
) -> Response {
    match answer(&sources, &parameters).await {
        Ok(response) => response,
        Err((status, error)) => (status, Json(json!({ "error": error }))).into_response(),
    }
}

async fn answer(
    sources: &Sources,
    parameters: &Parameters,
) -> Result<Response, (StatusCode, String)> {
    let wrong = |error: String| (StatusCode::BAD_REQUEST, error);
    let asked = Asked {
        period: Period {
            from: moment("from", parameters.from.as_deref()).map_err(wrong)?,
            to: moment("to", parameters.to.as_deref()).map_err(wrong)?,
        },
        rule: parameters.rule.clone(),
    };
    let model = model(parameters.attribution.as_deref()).map_err(wrong)?;
    let format = parameters.format.as_deref().unwrap_or("json");
    if !["json", "csv", "svg"].contains(&format) {
        return Err(wrong(format!(
            "no format is called `{format}`: write json, csv or svg"
        )));
    }
    let fold = sources.reports.read(&asked).await.map_err(|error| {
        let status = match error {
            MeasurementError::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::BAD_GATEWAY,
        };
        let reason = std::error::Error::source(&error).map(ToString::to_string);
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        (status, format!("{error}{reason}"))
    })?;
    let plan = plan(&sources.registry.live());
    let model = model.unwrap_or(plan.attribution);
    let scene = parameters.scene.as_deref();
    let report = fold.report(&plan, model, &sources.reports.currency, scene);
    let text = |kind: &'static str, text| ([(header::CONTENT_TYPE, kind)], text).into_response();
    Ok(match format {
        "csv" => text("text/csv; charset=utf-8", csv::csv(&report)),
        "svg" => text("image/svg+xml", picture::svg(&report)),
        _ => Json(json!({ "report": report, "verdicts_since_start": verdicts(sources) }))
            .into_response(),
    })
}

/// What the log does not have: how often each rule got each verdict since this engine started, whatever the period.
fn verdicts(sources: &Sources) -> BTreeMap<String, Map<String, Value>> {
    let mut rules = BTreeMap::<String, Map<String, Value>>::new();
    for ((rule, verdict), times) in sources.metrics.verdicts() {
        let rule = rules.entry(rule).or_default();
        rule.insert(verdict, times.into());
    }
    rules
}

fn moment(name: &str, text: Option<&str>) -> Result<Option<Millis>, String> {
    let Some(text) = text else { return Ok(None) };
    parse_rfc3339(text).map(Some).ok_or_else(|| {
        format!("`{name}` must be a time such as 2026-11-22T10:00:00Z (a + is written %2B)")
    })
}

fn model(name: Option<&str>) -> Result<Option<Model>, String> {
    match name {
        None => Ok(None),
        Some("last") => Ok(Some(Model::LastTouch)),
        Some("first") => Ok(Some(Model::FirstTouch)),
        Some("linear") => Ok(Some(Model::Linear)),
        Some(other) => Err(format!(
            "no attribution is called `{other}`: write last, first or linear"
        )),
    }
}
