//! What a client is told when a request is not done: the one place where refusals become statuses.

use abide_model::Refusal;
use abide_model::api::ErrorBody;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::board::PatternError;
use crate::handle::AskError;

/// An answer with a status of 400 or more.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    body: Box<ErrorBody>,
}

pub(super) type Answer<T> = Result<T, ApiError>;

impl ApiError {
    pub(super) fn new(status: StatusCode, error: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            body: Box::new(ErrorBody {
                error: error.to_owned(),
                message: message.into(),
                help: None,
                diagnostics: None,
            }),
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// Something of the machine failed; `what` reads after "cannot".
    pub(super) fn internal(what: impl Into<String>) -> Self {
        let what = what.into();
        tracing::warn!(%what, "a request could not be answered");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", what)
    }

    pub(super) fn invalid_config(message: impl Into<String>, diagnostics: String) -> Self {
        let mut error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_config", message);
        error.body.diagnostics = Some(diagnostics);
        error
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn body(self) -> ErrorBody {
        *self.body
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.body.help = Some(help.into());
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"abide\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let (status, error) = match &refusal {
            Refusal::NoSuchUnit(_) => (StatusCode::NOT_FOUND, "no_such_unit"),
            Refusal::NameTaken(_) => (StatusCode::CONFLICT, "name_taken"),
            Refusal::OwnedByOther { .. } => (StatusCode::CONFLICT, "owned_by_other"),
            Refusal::RequiredBy { .. } => (StatusCode::CONFLICT, "required_by"),
            Refusal::NotRunning(_) => (StatusCode::CONFLICT, "not_running"),
            Refusal::NoReload(_) => (StatusCode::CONFLICT, "no_reload"),
            Refusal::NoHeartbeat(_) => (StatusCode::CONFLICT, "no_heartbeat"),
            Refusal::Stopping(_) => (StatusCode::CONFLICT, "stopping"),
            Refusal::Ambiguous { .. } => (StatusCode::CONFLICT, "ambiguous"),
            Refusal::RunsElsewhere { .. } => (StatusCode::CONFLICT, "runs_elsewhere"),
            Refusal::NotUpgraded(_) => (StatusCode::CONFLICT, "not_upgraded"),
            Refusal::Cycle(_) => (StatusCode::UNPROCESSABLE_ENTITY, "cycle"),
            Refusal::NoSuchDependency { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "no_such_dependency")
            }
            Refusal::InvalidConfig(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_config"),
            Refusal::BadRequest(_) => (StatusCode::BAD_REQUEST, "bad_request"),
            Refusal::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "shutting_down"),
            Refusal::NoRoom(_) => (StatusCode::INSUFFICIENT_STORAGE, "no_room"),
            Refusal::Storage(_) => (StatusCode::INSUFFICIENT_STORAGE, "storage"),
        };
        Self::new(status, error, refusal.to_string())
    }
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(refusal) => refusal.into(),
            AskError::Overloaded => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "overloaded",
                error.to_string(),
            ),
            AskError::Gone => Refusal::ShuttingDown.into(),
        }
    }
}

impl From<PatternError> for ApiError {
    fn from(error: PatternError) -> Self {
        match error {
            PatternError::NoMatch { pattern, near } => {
                let answer = Self::from(Refusal::NoSuchUnit(pattern));
                match near.as_slice() {
                    [] => answer,
                    near => answer.help(format!("did you mean {}?", near.join(" or "))),
                }
            }
            PatternError::Invalid { .. } => Self::bad_request(error.to_string()),
        }
    }
}
