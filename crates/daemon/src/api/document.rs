//! The routes, and the OpenAPI document that is made from them.

use std::collections::BTreeMap;

use abide_model::api::{ErrorBody, EventView, LogFormat, LogLine};
use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes as route;

use super::commands::PlainVerb;
use super::error::ApiError;
use super::{
    Context, beat, commands, config, daemon, events, logs, metrics, operations, spec, units,
    upgrade,
};

/// What holds for the whole document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "abide control API",
        description = "On the home's socket the owner and root may do everything. On TCP beats, \
                       /metrics and /healthz are open; everything else asks for the bearer token \
                       in the home's file `token`."
    ),
    components(schemas(ErrorBody, EventView, LogFormat, LogLine, PlainVerb)),
    modifiers(&TokenScheme),
    security(("token" = []))
)]
struct Base;

struct TokenScheme;

impl Modify for TokenScheme {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The content of the home's file `token`."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

fn build() -> (Router<Context>, Document) {
    OpenApiRouter::with_openapi(Base::openapi())
        .routes(route!(daemon::show))
        .routes(route!(daemon::health))
        .routes(route!(daemon::openapi))
        .routes(route!(metrics::metrics))
        .routes(route!(units::list))
        .routes(route!(units::brief))
        .routes(route!(units::show))
        .routes(route!(units::why))
        .routes(route!(spec::show))
        .routes(route!(commands::several))
        .routes(route!(commands::one))
        .routes(route!(commands::signal))
        .routes(route!(config::up))
        .routes(route!(config::run))
        .routes(route!(config::down))
        .routes(route!(config::scale))
        .routes(route!(config::reload))
        .routes(route!(upgrade::upgrade))
        .routes(route!(operations::show))
        .routes(route!(logs::several))
        .routes(route!(logs::one))
        .routes(route!(events::events))
        .routes(route!(beat::beat))
        .routes(route!(beat::beat_short))
        .split_for_parts()
}

/// The OpenAPI 3.1 document.
#[must_use]
pub fn document() -> Document {
    build().1
}

/// Every route as `(METHOD, path)`, in the document's own spelling.
#[must_use]
pub fn routes() -> Vec<(String, String)> {
    let document = serde_json::to_value(document()).unwrap_or_default();
    let paths = document["paths"].as_object();
    let mut routes = Vec::new();
    for (path, item) in paths.into_iter().flatten() {
        for method in item.as_object().into_iter().flat_map(|item| item.keys()) {
            routes.push((method.to_uppercase(), path.clone()));
        }
    }
    routes
}

pub(super) fn router(context: Context) -> Router {
    build()
        .0
        .fallback(async || {
            ApiError::new(
                StatusCode::NOT_FOUND,
                "no_such_path",
                "there is nothing at this path",
            )
            .help("GET /openapi.json lists what there is")
        })
        .method_not_allowed_fallback(async || {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this path does not take this method",
            )
            .into_response()
        })
        .with_state(context)
}

/// A group of error answers with one body, for the documentation of a route.
macro_rules! errors {
    ($(#[$doc:meta])* $name:ident: $($status:literal $text:literal),+ $(,)?) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$(($status, $text)),+]
                    .map(|(status, text)| (status.to_owned(), RefOr::T(error_response(text))))
                    .into()
            }
        }
    };
}

errors!(
    /// What any guarded route may answer.
    Guarded:
    "400" "The request is malformed.",
    "401" "TCP without the home's token.",
    "403" "Another user of the machine, another origin, or a host that is not loopback.",
    "500" "Something of the machine failed; the message says what.",
    "503" "The daemon goes down, or too much is asked of it at once. Try again.",
);

errors!(
    /// What an open route may answer.
    Open:
    "403" "Another user of the machine, another origin, or a host that is not loopback.",
);

errors!(
    /// What a route with a body may answer besides.
    WithBody:
    "408" "The body did not arrive in time.",
    "413" "The body is too large.",
);

errors!(
    /// What a route about units may answer besides.
    NoSuchUnit:
    "404" "No unit matches.",
);

errors!(
    /// What a route that changes something may answer besides.
    Refused:
    "409" "The request contradicts the state: the name is taken, the unit does not run, others require it, …",
    "422" "The configuration is not valid; `diagnostics` has every mistake.",
    "507" "It could not be written down, so it was not done.",
);

fn error_response(text: &str) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("ErrorBody")))
        .build();
    ResponseBuilder::new()
        .description(text)
        .content("application/json", content)
        .build()
}
