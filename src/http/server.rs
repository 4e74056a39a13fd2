//! The HTTP server and its routes.

use super::explain::{self, Explaining};
use super::{api, report, switches};
use crate::governance::Desk;
use crate::health::Health;
use crate::measurement::Reports;
use crate::registry::RuleRegistry;
use crate::state::{Customers, Ledger};
use crate::telemetry::{CONTENT_TYPE, Metrics};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
#[error("could not listen on {address} for HTTP; choose another address with --http")]
pub struct HttpError {
    address: SocketAddr,
    source: std::io::Error,
}

/// What is shown.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Rules.
    pub registry: Arc<RuleRegistry>,
    /// Customers.
    pub customers: Arc<Customers>,
    /// Readiness.
    pub health: Arc<Health>,
    /// What budgets have spent.
    pub ledger: Arc<Ledger>,
    /// What worked.
    pub reports: Reports,
    /// Switches.
    pub desk: Desk,
    /// What became of events, and why.
    pub explaining: Explaining,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens on an address; port 0 takes a free one.
    ///
    /// Off loopback, only health and metrics answer: this version knows no tokens.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(address: SocketAddr, sources: Sources) -> Result<Self, HttpError> {
        let failed = |source| HttpError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let router = router(sources, address.ip().is_loopback());
        let task = tokio::spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(stopped);
            if let Err(error) = served.await {
                tracing::error!(%error, "the HTTP server ended");
            }
        });
        Ok(Self {
            address,
            stop,
            task,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets requests under way finish, then ends.
    pub async fn stop(self) {
        self.stop.cancel();
        // It ends by itself or has reported why it did not.
        let _ = self.task.await;
    }
}

fn router(sources: Sources, loopback: bool) -> Router {
    let mut api = Router::new()
        .route("/api/rules", get(api::rules))
        .route("/api/customers/{id}", get(api::customer))
        .route("/api/report", get(report::report))
        .route("/api/switches", get(switches::list).post(switches::change))
        .route("/api/explain", get(explain::explain));
    if !loopback {
        api = api.layer(middleware::from_fn(refuse));
    }
    api.route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(sources)
}

async fn refuse(_request: Request, _next: Next) -> Response {
    let error = "off loopback only /healthz, /readyz and /metrics answer: ask on the machine itself, with --http 127.0.0.1:8080";
    (StatusCode::FORBIDDEN, Json(json!({ "error": error }))).into_response()
}

async fn metrics(State(sources): State<Sources>) -> Response {
    let show = |what: &str, cause: &str, count| sources.metrics.waiting(what, cause, count);
    sources.health.count_waiting(show);
    match sources.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn ready(State(sources): State<Sources>) -> Response {
    let obstacles = sources.health.obstacles();
    let status = if obstacles.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({ "ready": obstacles.is_empty(), "obstacles": obstacles });
    (status, Json(body)).into_response()
}
