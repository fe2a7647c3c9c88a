//! Reading requests: every way in which one can be malformed ends in an [`ApiError`].

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use abide_model::api::BeatRequest;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use super::error::{Answer, ApiError};

/// The largest body of a request, in bytes: a generous configuration for `abide run`.
const MAX_BODY: usize = 1 << 20;

/// The largest body of a beat, or of several, in bytes.
const MAX_BEAT: usize = 64 << 10;

/// How much of a body that is too large is read, so that its sender sees the answer.
const MAX_DISCARDED: usize = 4 << 20;
const DISCARD_WITHIN: Duration = Duration::from_secs(2);

/// How long the whole body of a request may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// A JSON body. The content type is not asked for: a beat from a shell script need not say it, and
/// what keeps browsers out is the check of `Origin`. An empty body, and `null`, is `{}`.
#[derive(Debug)]
pub(super) struct Body<T>(pub T);

/// One beat, or several.
#[derive(Debug)]
pub(super) enum BeatBody {
    One(Box<BeatRequest>),
    /// Each is looked at by itself.
    Several(Vec<serde_json::Value>),
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        read(request, MAX_BODY).await.map(Self)
    }
}

impl<S: Sync> FromRequest<S> for BeatBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Answer<Self> {
        let bytes = receive(request, MAX_BEAT).await?;
        match bytes.trim_ascii_start().first() {
            Some(b'[') => parse(&bytes).map(Self::Several),
            _ => object(&bytes).map(|beat| Self::One(Box::new(beat))),
        }
    }
}

async fn read<T: DeserializeOwned>(request: Request, limit: usize) -> Answer<T> {
    let bytes = receive(request, limit).await?;
    let nothing = matches!(bytes.trim_ascii(), b"" | b"null");
    object(if nothing { b"{}" } else { &bytes })
}

fn object<T: DeserializeOwned>(text: &[u8]) -> Answer<T> {
    // Serde would take an array as the fields in their order.
    match text.trim_ascii_start().first() {
        Some(b'{') => parse(text),
        None => Err(ApiError::bad_request("there is no body; it must be JSON")),
        Some(_) => Err(ApiError::bad_request("the body must be a JSON object")),
    }
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Answer<T> {
    serde_json::from_slice(text)
        .map_err(|error| ApiError::bad_request(format!("the JSON body is not understood: {error}")))
}

/// The whole body. What is too large is refused before it is kept: at once if its length is announced,
/// else as soon as it is seen.
async fn receive(request: Request, limit: usize) -> Answer<Vec<u8>> {
    let announced = announced(request.headers());
    let waits = request.headers().contains_key(header::EXPECT);
    let mut body = request.into_body();
    let fits = announced.is_none_or(|length| length <= limit as u64);
    if fits {
        let kept = tokio::time::timeout(BODY_WITHIN, keep(&mut body, limit)).await;
        let kept = kept.map_err(|_| {
            ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                format!("the body did not arrive within {} s", BODY_WITHIN.as_secs()),
            )
        })??;
        if let Some(bytes) = kept {
            return Ok(bytes);
        }
    }
    // Most clients look at the answer only after they have sent everything; those that announce much
    // more, or asked first, do not.
    if !waits && announced.is_none_or(|length| length <= MAX_DISCARDED as u64) {
        // Later, the client sees the connection break off.
        let _ = tokio::time::timeout(DISCARD_WITHIN, discard(&mut body)).await;
    }
    Err(ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!("the body is larger than {limit} bytes"),
    ))
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// Reads as much as is allowed; `None`: there is more.
async fn keep(body: &mut axum::body::Body, limit: usize) -> Answer<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|e| ApiError::bad_request(format!("the body cannot be read: {e}")))?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > limit {
                return Ok(None);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(Some(bytes))
}

/// Reads on and keeps nothing.
async fn discard(body: &mut axum::body::Body) {
    let mut left = MAX_DISCARDED;
    while let Some(Ok(frame)) = body.frame().await {
        let Some(less) = left.checked_sub(frame.data_ref().map_or(0, |data| data.len())) else {
            return;
        };
        left = less;
    }
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
