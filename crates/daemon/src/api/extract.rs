//! Reading requests: every way in which one can be malformed ends in an [`ApiError`].

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::error::{Answer, ApiError};

/// The largest body of a request, in bytes: a generous configuration for `abide run`.
const MAX_BODY: usize = 1 << 20;

/// The largest body of a beat, in bytes.
const MAX_BEAT: usize = 4 << 10;

/// How long the whole body of a request may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// A JSON body. The content type is not asked for: a beat from a shell script need not say it, and
/// what keeps browsers out is the check of `Origin`. An empty body, and `null`, is `{}`.
#[derive(Debug)]
pub(super) struct Body<T>(pub T);

/// As [`Body`], but small.
#[derive(Debug)]
pub(super) struct SmallBody<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        read(request, MAX_BODY).await.map(Self)
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for SmallBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        read(request, MAX_BEAT).await.map(Self)
    }
}

async fn read<T: DeserializeOwned>(request: Request, limit: usize) -> Answer<T> {
    let body = Limited::new(request.into_body(), limit).collect();
    let bytes = match tokio::time::timeout(BODY_WITHIN, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                format!("the body is larger than {limit} bytes"),
            ));
        }
        Ok(Err(error)) => {
            return Err(ApiError::bad_request(format!(
                "the body cannot be read: {error}"
            )));
        }
        Err(_) => {
            return Err(ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                format!("the body did not arrive within {} s", BODY_WITHIN.as_secs()),
            ));
        }
    };
    let nothing = matches!(bytes.trim_ascii(), b"" | b"null");
    let text: &[u8] = if nothing { b"{}" } else { &bytes };
    // Serde would take an array as the fields in their order.
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(ApiError::bad_request("the body must be a JSON object"));
    }
    serde_json::from_slice(text)
        .map_err(|error| ApiError::bad_request(format!("the JSON body is not understood: {error}")))
}

/// A part of the path.
#[derive(Debug)]
pub(super) struct Segment<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segment<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(value)| Self(value))
            .map_err(|rejection: PathRejection| ApiError::bad_request(rejection.body_text()))
    }
}

/// The query string. Each parameter is taken out by name; what is left over at the end is an error,
/// so that a misspelt one is not silently ignored.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(pairs)| Self(pairs))
            .map_err(|rejection| ApiError::bad_request(rejection.body_text()))
    }
}

impl Params {
    /// Every value of a parameter that may be given several times.
    pub(super) fn all(&mut self, name: &str) -> Vec<String> {
        let named = self.0.extract_if(.., |(key, _)| key == name);
        named.map(|(_, value)| value).collect()
    }

    /// A parameter as text.
    pub(super) fn text(&mut self, name: &str) -> Answer<Option<String>> {
        let mut values = self.all(name);
        if values.len() > 1 {
            return Err(ApiError::bad_request(format!(
                "{name} can be given only once"
            )));
        }
        Ok(values.pop())
    }

    /// A parameter of a type that can be parsed.
    pub(super) fn take<T: FromStr<Err: Display>>(&mut self, name: &str) -> Answer<Option<T>> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|error: T::Err| {
            ApiError::bad_request(format!("{name}={text:?} is not understood: {error}"))
        })
    }

    /// A number that is documented as a 64-bit integer of 0 or more.
    pub(super) fn count(&mut self, name: &str) -> Answer<Option<u64>> {
        let number = self.take::<i64>(name)?;
        let count = number.map(u64::try_from).transpose();
        count.map_err(|_| ApiError::bad_request(format!("{name} cannot be negative")))
    }

    /// After all parameters were taken.
    pub(super) fn finish(self) -> Answer<()> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(ApiError::bad_request(format!(
                "there is no parameter {name:?} here"
            ))),
        }
    }
}
