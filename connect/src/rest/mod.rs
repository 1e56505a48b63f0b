//! Kafka Connect's REST interface: its paths, codes and bodies.
//!
//! Every path also answers with a slash at its end, because some tools send one. Names in paths
//! are percent-decoded once.

mod body;
mod connectors;
mod error;
mod plugins;

use std::future::Future;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;

use crate::worker::Worker;
use error::RestError;

/// The interface of a worker, to be served or nested in another.
pub fn router(worker: Worker) -> Router {
    let routes: [(&str, MethodRouter<Worker>); 17] = [
        ("/health", get(health)),
        (
            "/connectors",
            get(connectors::list).post(connectors::create),
        ),
        (
            "/connectors/{name}",
            get(connectors::info).delete(connectors::delete),
        ),
        (
            "/connectors/{name}/config",
            get(connectors::config)
                .put(connectors::put_config)
                .patch(connectors::patch_config),
        ),
        ("/connectors/{name}/status", get(connectors::status)),
        ("/connectors/{name}/tasks", get(connectors::tasks)),
        (
            "/connectors/{name}/tasks/{task}/status",
            get(connectors::task_status),
        ),
        (
            "/connectors/{name}/tasks/{task}/restart",
            post(connectors::restart_task),
        ),
        ("/connectors/{name}/restart", post(connectors::restart)),
        ("/connectors/{name}/pause", put(connectors::pause)),
        ("/connectors/{name}/resume", put(connectors::resume)),
        ("/connectors/{name}/stop", put(connectors::stop)),
        ("/connectors/{name}/topics", get(connectors::topics)),
        (
            "/connectors/{name}/topics/reset",
            put(connectors::reset_topics),
        ),
        ("/connectors/{name}/offsets", get(connectors::offsets)),
        ("/connector-plugins/{plugin}/config", get(plugins::config)),
        (
            "/connector-plugins/{plugin}/config/validate",
            put(plugins::validate),
        ),
    ];
    let mut router = Router::new()
        .route("/", get(root))
        .route("/connector-plugins", get(plugins::list))
        .route("/connector-plugins/", get(plugins::list));
    for (path, methods) in routes {
        router = router
            .route(path, methods.clone())
            .route(&format!("{path}/"), methods);
    }
    router
        .fallback(async || plain(StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(async || plain(StatusCode::METHOD_NOT_ALLOWED))
        .with_state(worker)
}

/// Serves a worker's interface until `stopped` resolves, then lets requests under way end.
///
/// # Errors
/// If the listener fails.
pub async fn serve(
    listener: TcpListener,
    worker: Worker,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router(worker))
        .with_graceful_shutdown(stopped)
        .await
}

/// What Jersey answers where no resource does.
fn plain(status: StatusCode) -> Response {
    let reason = status.canonical_reason().unwrap_or_default();
    RestError::new(status, format!("HTTP {} {reason}", status.as_u16())).into_response()
}

async fn root(State(worker): State<Worker>) -> Result<Response, RestError> {
    let cluster = worker.client().admin().describe_cluster().await;
    let cluster = cluster.map_err(|error| RestError::internal(&error))?;
    let body = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "commit": option_env!("HEADWATER_COMMIT").unwrap_or("unknown"),
        "kafka_cluster_id": cluster.cluster_id,
    });
    Ok(Json(body).into_response())
}

async fn health() -> Response {
    // A worker that serves has completed its start.
    let message = "Worker has completed startup and is ready to handle requests.";
    Json(json!({ "status": "healthy", "message": message })).into_response()
}
