//! `/api/explain`: why, and why not.

use super::server::Sources;
use crate::explain::{Ask, ExplainError, Explainer, Texts};
use crate::partitioning::{CUSTOMER_ID_BYTES_MAX, CustomerId};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OnceCell, Semaphore};

/// Explanations that are made at the same time: each reads a checkpoint into memory.
const EXPLANATIONS_MAX: usize = 2;
/// How long one may take.
const TIMEOUT: Duration = Duration::from_secs(60);

type Opening = Pin<Box<dyn Future<Output = Result<Explainer, String>> + Send>>;

/// Makes the explainer when it is asked for first: it reads by a connection of its own.
#[derive(Clone)]
pub struct Explaining(Arc<Inner>);

struct Inner {
    open: Box<dyn Fn() -> Opening + Send + Sync>,
    explainer: OnceCell<Explainer>,
    turns: Semaphore,
}

impl std::fmt::Debug for Explaining {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Explaining")
    }
}

impl Explaining {
    /// One that is opened by `open`, which says why if it cannot be.
    pub fn new<F>(open: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Explainer, String>> + Send + 'static,
    {
        Self(Arc::new(Inner {
            open: Box::new(move || Box::pin(open())),
            explainer: OnceCell::new(),
            turns: Semaphore::new(EXPLANATIONS_MAX),
        }))
    }
}

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    customer: String,
    event: String,
    source: Option<String>,
    rule: Option<String>,
}

pub(super) async fn explain(
    State(sources): State<Sources>,
    Query(parameters): Query<Parameters>,
) -> Response {
    let Some(customer) = CustomerId::new(&parameters.customer) else {
        let error = format!("a customer's id has 1 to {CUSTOMER_ID_BYTES_MAX} bytes");
        return refuse(StatusCode::BAD_REQUEST, error);
    };
    let ask = Ask {
        customer,
        event: parameters.event.into(),
        source: parameters.source.map(Into::into),
        rule: parameters.rule.map(Into::into),
        as_given: false,
    };
    match tokio::time::timeout(TIMEOUT, answer(&sources, &ask)).await {
        Ok(response) => response,
        Err(_) => refuse(
            StatusCode::GATEWAY_TIMEOUT,
            format!(
                "there was no explanation within {} s: try again, or run `onscene explain`, which takes its time",
                TIMEOUT.as_secs()
            ),
        ),
    }
}

async fn answer(sources: &Sources, ask: &Ask) -> Response {
    let Inner {
        open,
        explainer,
        turns,
    } = &*sources.explaining.0;
    let Ok(_turn) = turns.acquire().await else {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "the engine stops".to_owned(),
        );
    };
    let explainer = match explainer.get_or_try_init(open).await {
        Ok(explainer) => explainer,
        Err(error) => return refuse(StatusCode::SERVICE_UNAVAILABLE, error),
    };
    let (set, texts) = sources.registry.live_texts();
    let texts = Texts {
        set,
        sources: Arc::new(texts),
        from: format!("the live ones of {}", sources.registry.folder().display()),
    };
    match explainer.explain(ask, texts).await {
        Ok(explanation) => Json(explanation).into_response(),
        Err(error) => refuse(status(&error), said(&error)),
    }
}

fn status(error: &ExplainError) -> StatusCode {
    match error {
        ExplainError::NotFound { .. } | ExplainError::NoSuchRule(_) => StatusCode::NOT_FOUND,
        ExplainError::Ambiguous { .. } => StatusCode::BAD_REQUEST,
        ExplainError::Broadcast { .. }
        | ExplainError::Refused { .. }
        | ExplainError::Imported { .. }
        | ExplainError::Unapplied { .. } => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn said(error: &ExplainError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn refuse(status: StatusCode, error: String) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}
