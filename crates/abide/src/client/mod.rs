//! The control API over the home's socket. The CLI uses nothing else of the daemon.

mod elements;
mod query;
mod requests;
mod sse;
mod stream;
mod transport;

use std::io;
use std::time::Duration;

use abide_model::api::ErrorBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::failure::{Code, Failure};
use crate::home::Home;

use elements::Elements;
use transport::Stream;

pub use query::{Query, segment};
pub use requests::Which;
pub use stream::{Events, Lines, Told};

/// How long an answer may take beyond what was asked for by `wait`.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a daemon that just died is waited for: the keeper brings it back at once.
const RETURN: Duration = Duration::from_secs(3);

/// Speaks to the daemon of one home. A connection for each request.
#[derive(Clone, Debug)]
pub struct Client {
    home: Home,
}

/// Why there is no answer, or not the one hoped for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens.
    #[error("no daemon runs in the home")]
    NoDaemon,
    /// Somebody else's home.
    #[error("the socket cannot be used: {0}")]
    Forbidden(io::Error),
    /// The connection broke; whether the request was carried out is not known.
    #[error("the daemon went away in the middle of the answer ({0})")]
    Broken(String),
    /// No answer in time.
    #[error("the daemon does not answer (waited {} s)", .0.as_secs())]
    Silent(Duration),
    /// It understood, and refuses.
    #[error("{}", .1.message)]
    Refused(StatusCode, Box<ErrorBody>),
    /// It says something that this version does not understand.
    #[error("the daemon's answer is not understood ({0}); is it of another version?")]
    Strange(String),
}

impl Client {
    /// Speaks to the daemon of `home`; connects only when asked something.
    #[must_use]
    pub fn new(home: Home) -> Self {
        Self { home }
    }

    /// The home.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// `GET path`. Asked again if the daemon dies meanwhile and comes back.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.get_within(path, PATIENCE).await
    }

    /// `GET path`, where the daemon itself waits for something up to `within`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get_within<T: DeserializeOwned>(
        &self,
        path: &str,
        within: Duration,
    ) -> Result<T, Error> {
        let patience = within.saturating_add(PATIENCE);
        let mut tries = 0;
        loop {
            let answer = self
                .exchange(Method::GET, path, Bytes::new(), patience)
                .await;
            match answer {
                Err(Error::Broken(_)) if tries < 3 => tries += 1,
                answer => return decode(&answer?),
            }
        }
    }

    /// `GET path`, which answers with an array. Asked again if the daemon dies meanwhile and comes back.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        let mut tries = 0;
        loop {
            match timeout(PATIENCE * 2, self.elements(path)).await {
                Err(_) => return Err(Error::Silent(PATIENCE * 2)),
                Ok(Err(Error::Broken(_))) if tries < 3 => tries += 1,
                Ok(answer) => return answer,
            }
        }
    }

    async fn elements<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        let strange = |e: serde_json::Error| Error::Strange(e.to_string());
        let mut body = self.follow(path).await?;
        let mut elements = Elements::new();
        while let Some(bytes) = stream::frame(&mut body).await? {
            elements.feed(&bytes).map_err(strange)?;
        }
        elements.end().map_err(strange)
    }

    /// `POST path` with a JSON body.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        self.post_within(path, body, PATIENCE * 3).await
    }

    /// `POST path` with a JSON body, answered within some time.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn post_within<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        patience: Duration,
    ) -> Result<T, Error> {
        let body = serde_json::to_vec(body).map_err(|e| Error::Strange(e.to_string()))?;
        decode(
            &self
                .exchange(Method::POST, path, body.into(), patience)
                .await?,
        )
    }

    /// `GET path`, the body as it comes.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn follow(&self, path: &str) -> Result<Incoming, Error> {
        let answer = self.send(Method::GET, path, Bytes::new(), PATIENCE).await?;
        Ok(answer.into_body())
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<Bytes, Error> {
        let answer = self.send(method, path, body, patience).await?;
        collect(answer.into_body(), patience).await
    }

    /// Sends a request; an answer of 400 or more is an error.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<Response<Incoming>, Error> {
        let stream = self.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| Error::Broken(e.to_string()))?;
        // Drives the connection until both sides are done; its error comes to the request as well.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(hyper::header::HOST, "localhost")
            .header(hyper::header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|e| Error::Strange(e.to_string()))?;
        let answer = timeout(patience, sender.send_request(request))
            .await
            .map_err(|_| Error::Silent(patience))?
            .map_err(|e| Error::Broken(e.to_string()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = collect(answer.into_body(), patience).await?;
        Err(match serde_json::from_slice(&body) {
            Ok(body) => Error::Refused(status, Box::new(body)),
            Err(_) => Error::Strange(format!("status {status} for {path}")),
        })
    }

    async fn connect(&self) -> Result<Stream, Error> {
        let home = &self.home.directory;
        let begun = std::time::Instant::now();
        loop {
            let error = match transport::connect(home).await {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            match error.kind() {
                io::ErrorKind::PermissionDenied => return Err(Error::Forbidden(error)),
                // A keeper without a daemon: it is on its way.
                _ if begun.elapsed() < RETURN && transport::keeper_lives(home) => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    return Err(Error::NoDaemon);
                }
                _ => return Err(Error::Broken(error.to_string())),
            }
        }
    }

    /// The process of a daemon that holds the home, though nobody listens there.
    fn daemon_without_api(&self) -> Option<u32> {
        abide_platform::lock::keeper(&self.home.directory)?;
        abide_platform::lock::holder(&self.home.directory)
    }

    /// What a person is told.
    #[must_use]
    pub fn failure(&self, error: Error) -> Failure {
        let home = self.home.directory.display();
        match error {
            Error::NoDaemon if self.daemon_without_api().is_some() => {
                let pid = self.daemon_without_api().unwrap_or_default();
                Failure::new(format!(
                    "the daemon in {home} (process {pid}) does not open its API; it may be starting, or in safe mode because the ones before it crashed again and again; its units are supervised"
                ))
                .help(format!(
                    "{log} says why; `{kill}` has it started again, with its API, and no unit notices",
                    log = self.home.directory.join("daemon.log").display(),
                    kill = transport::kill(pid),
                ))
                .code(Code::NoDaemon)
            }
            Error::NoDaemon => Failure::new(format!("no daemon runs in {home}"))
                .help(format!("`{}` starts one", self.home.hint("up")))
                .code(Code::NoDaemon),
            Error::Forbidden(error) => Failure::new(format!(
                "cannot speak to the daemon in {home}: {}",
                crate::failure::plain(&error)
            ))
            .help(format!(
                "only the home's owner and {} may; `--home DIR` names another home",
                transport::MASTER
            )),
            Error::Refused(status, body) => refused(status, *body),
            Error::Silent(_) => Failure::new(error.to_string())
                .help("its supervision goes on without the API; to kill the daemon is safe, its keeper brings it back"),
            Error::Broken(_) | Error::Strange(_) => Failure::new(error.to_string()),
        }
    }
}

/// The daemon's refusals, with their exit codes.
fn refused(status: StatusCode, body: ErrorBody) -> Failure {
    let code = match status {
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Code::Usage,
        _ => match body.error.as_str() {
            "invalid_config" | "bad_request" | "cycle" | "no_such_dependency"
            | "owned_by_other" => Code::Usage,
            _ => Code::Failed,
        },
    };
    if let Some(diagnostics) = body.diagnostics.filter(|text| !text.is_empty()) {
        return Failure::rendered(diagnostics, code);
    }
    let mut failure = Failure::new(body.message).code(code);
    match body.help {
        Some(help) => failure.help = Some(help),
        None => failure.split_help(),
    }
    failure
}

fn decode<T: DeserializeOwned>(body: &Bytes) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|e| Error::Strange(e.to_string()))
}

async fn collect(body: Incoming, patience: Duration) -> Result<Bytes, Error> {
    let whole = timeout(patience, body.collect())
        .await
        .map_err(|_| Error::Silent(patience))?;
    whole
        .map(|body| body.to_bytes())
        .map_err(|e| Error::Broken(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(error: &str, message: &str) -> ErrorBody {
        ErrorBody {
            error: error.into(),
            message: message.into(),
            help: None,
            diagnostics: None,
        }
    }

    #[test]
    fn each_refusal_has_its_exit_code() {
        for (status, error, code) in [
            (StatusCode::NOT_FOUND, "no_such_unit", Code::Failed),
            (StatusCode::CONFLICT, "name_taken", Code::Failed),
            (StatusCode::CONFLICT, "owned_by_other", Code::Usage),
            (StatusCode::UNPROCESSABLE_ENTITY, "cycle", Code::Usage),
            (StatusCode::BAD_REQUEST, "bad_request", Code::Usage),
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "shutting_down",
                Code::Failed,
            ),
        ] {
            assert_eq!(refused(status, body(error, "x")).code, code, "{error}");
        }
    }

    #[test]
    fn mistakes_in_a_file_are_shown_as_they_were_drawn() {
        let mut answer = body("invalid_config", "2 errors");
        answer.diagnostics = Some("error: unknown key\n".into());
        let failure = refused(StatusCode::UNPROCESSABLE_ENTITY, answer);
        let shown = failure.render(crate::term::Palette::plain());
        assert_eq!(
            (shown.as_str(), failure.code),
            ("error: unknown key\n", Code::Usage)
        );
    }

    #[test]
    fn without_a_daemon_the_way_out_is_named() {
        let home = Home {
            directory: "/h".into(),
            named: true,
        };
        let failure = Client::new(home).failure(Error::NoDaemon);
        assert_eq!(
            failure.render(crate::term::Palette::plain()),
            "error: no daemon runs in /h\nhelp: `abide --home /h up` starts one\n"
        );
        assert_eq!(failure.code, Code::NoDaemon);
    }
}
