//! Connections: taking them, limiting them, ending them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use abide_model::EventKind;
use abide_platform::account::Account;
use abide_platform::control::Place;
use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::AbortHandle;

use super::auth::{Guard, Peer, Token};
use super::followers::Followers;
use super::listeners::Listeners;
use super::socket::{Acceptor, account};
use super::stall::StallGuard;
use super::tidying;
use super::usage::Sampler;
use super::{ApiConfig, Context, document};
use crate::monitor::{self, Remotes};
use crate::report::{self, Tally};

/// Connections at once: on the socket, and on TCP. Two bounds, so that whoever can reach the port
/// cannot keep the owner out.
const MAX_SOCKET: u32 = 256;
const MAX_TCP: u32 = 256;

/// With more connections than this on TCP none is kept for a next request: a thousand programs that
/// report every few seconds, each on a connection of its own, must not wait for each other.
const CROWD: usize = 64;

/// How long the head of a request may take, and how long an idle connection is kept; and the same
/// for a connection that comes into a crowd.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
const HEAD_WITHIN_CROWD: Duration = Duration::from_secs(1);

/// How long answers that are under way may take when the API ends.
const GRACE: Duration = Duration::from_secs(1);

/// How long a connection may bring another request when the API ends.
const LINGER: Duration = Duration::from_millis(50);

/// How long to wait before an address that is taken is tried again, or after the system has no
/// descriptors left.
const AGAIN: Duration = Duration::from_secs(2);

/// A server that is bound and serves nobody yet.
pub(super) struct Server {
    config: ApiConfig,
    socket: Place,
    guard: Guard,
}

/// What all connections share.
struct Shared {
    guard: Guard,
    router: TowerToHyperService<Router>,
    version: HeaderValue,
    ending: watch::Receiver<bool>,
    tcp_places: Arc<Semaphore>,
    /// Told of every connection.
    used: Arc<Notify>,
}

impl Shared {
    /// This connection has to make room soon.
    fn crowded(&self, peer: &Peer) -> bool {
        let taken = MAX_TCP as usize - self.tcp_places.available_permits();
        matches!(peer, Peer::Tcp { .. }) && taken > CROWD
    }
}

/// What the system said of a file.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}", path = .path.display())]
struct At {
    path: PathBuf,
    source: io::Error,
}

impl Server {
    /// Reads or makes the token, and binds the socket.
    pub(super) fn bind(config: ApiConfig) -> io::Result<Self> {
        let named = |path, source: io::Error| io::Error::new(source.kind(), At { path, source });
        let token = Token::load_or_create(&config.home.token())
            .map_err(|error| named(config.home.token(), error))?;
        let socket = match &config.doors.socket {
            Some(socket) => socket.try_clone(),
            None => Place::take(config.home.root()),
        };
        let socket = socket.map_err(|error| named(config.home.socket(), error))?;
        Ok(Self {
            guard: Guard::new(Account::own()?, token),
            socket,
            config,
        })
    }

    /// Serves until `ending`.
    pub(super) async fn run(self, mut ending: watch::Receiver<bool>) -> io::Result<()> {
        let listeners = Arc::new(Listeners::default());
        let version = HeaderValue::from_str(&self.config.handle.board().daemon().version);
        let tally = Arc::new(Tally::default());
        let remotes = Arc::new(Remotes::default());
        let context = Context {
            config: self.config,
            sampler: Arc::new(Sampler::default()),
            followers: Followers::new(),
            listeners: Arc::clone(&listeners),
            suggestions: Arc::default(),
            reports: Arc::clone(&tally),
            remotes: Arc::clone(&remotes),
            machine: report::this_machine().into(),
            configuring: Arc::default(),
            ending: ending.clone(),
        };
        let places = Arc::new(Semaphore::new(MAX_SOCKET as usize));
        let tcp_places = Arc::new(Semaphore::new(MAX_TCP as usize));
        let shared = Arc::new(Shared {
            tcp_places: Arc::clone(&tcp_places),
            guard: self.guard,
            router: TowerToHyperService::new(document::router(context.clone())),
            version: version.unwrap_or(HeaderValue::from_static("unknown")),
            ending: ending.clone(),
            used: Arc::default(),
        });
        let accept = accept_socket(
            Acceptor::new(self.socket)?,
            Arc::clone(&shared),
            Arc::clone(&places),
        );
        let handle = context.handle().clone();
        let tidying = tidying::after_use(Arc::clone(&shared.used), handle.clone());
        let reports = tokio::spawn(report::follow(handle.clone(), tally, ending.clone()));
        let monitor = tokio::spawn(monitor::follow(
            remotes,
            handle.clone(),
            context.config.home.remotes(),
            context.config.assistants.clone(),
            ending.clone(),
        ));
        let tcp = follow_addresses(context, shared, Arc::clone(&tcp_places));
        tokio::select! {
            () = handle.pass_beats_on() => {}
            () = accept => {}
            () = tcp => {}
            never = tidying => match never {},
            _ = ending.wait_for(|ending| *ending) => {}
        }
        // Each connection gives its place back when it is done.
        let all_done = async {
            let _socket = places.acquire_many(MAX_SOCKET).await;
            let _tcp = tcp_places.acquire_many(MAX_TCP).await;
        };
        // Those that are not done by then are broken off with the runtime.
        let _ =
            tokio::time::timeout(GRACE, async { tokio::join!(all_done, reports, monitor) }).await;
        Ok(())
    }
}

async fn accept_socket(mut acceptor: Acceptor, shared: Arc<Shared>, places: Arc<Semaphore>) {
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match acceptor.accept().await {
            Ok(stream) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let account = account(&stream, HEAD_WITHIN).await;
                    serve(stream, Peer::Socket { account }, shared).await;
                    drop(place);
                });
            }
            Err(error) => cannot_accept(&error).await,
        }
    }
}

async fn accept_tcp(
    listener: TcpListener,
    local: SocketAddr,
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
) {
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    serve(stream, Peer::Tcp { local }, shared).await;
                    drop(place);
                });
            }
            Err(error) => cannot_accept(&error).await,
        }
    }
}

/// No descriptors left, usually: they come back when connections end.
async fn cannot_accept(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be taken");
    tokio::time::sleep(AGAIN).await;
}

/// Listens on what the board says, as it changes.
async fn follow_addresses(context: Context, shared: Arc<Shared>, places: Arc<Semaphore>) {
    let mut changes = context.board().watch_daemon();
    let mut serving: BTreeMap<SocketAddr, AbortHandle> = BTreeMap::new();
    let mut complained = Vec::new();
    let mut known = 0;
    loop {
        changes.borrow_and_update();
        match offered(&context, known) {
            Ok(listeners) => {
                for (listener, local) in listeners {
                    known += 1;
                    let task =
                        accept_tcp(listener, local, Arc::clone(&shared), Arc::clone(&places));
                    tokio::spawn(task);
                }
            }
            Err(error) => warn(
                &context.config,
                format!("the port for heartbeats cannot be served: {error}"),
            ),
        }
        let wanted = context.board().daemon().listen;
        serving.retain(|address, task| {
            let stays = wanted.contains(address);
            if !stays {
                task.abort();
                context.listeners.gone(*address, &context.config);
            }
            stays
        });
        complained.retain(|address| wanted.contains(address));
        let mut failed = false;
        for address in wanted {
            if serving.contains_key(&address) {
                continue;
            }
            match listen(&context, address) {
                Ok((listener, local)) => {
                    let task =
                        accept_tcp(listener, local, Arc::clone(&shared), Arc::clone(&places));
                    serving.insert(address, tokio::spawn(task).abort_handle());
                }
                Err(text) => {
                    failed = true;
                    if !complained.contains(&address) {
                        complained.push(address);
                        warn(&context.config, text);
                    }
                }
            }
        }
        let again = async {
            if failed {
                tokio::time::sleep(AGAIN).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = again => {}
        }
    }
}

fn listen(context: &Context, address: SocketAddr) -> Result<(TcpListener, SocketAddr), String> {
    let listener = context.listeners.take(address, &context.config)?;
    let local = listener.local_addr().unwrap_or(address);
    let listener = TcpListener::from_std(listener)
        .map_err(|error| format!("the API cannot listen on {address}: {error}"))?;
    Ok((listener, local))
}

/// Sockets that the driver opened, or that an earlier daemon left with the keeper.
fn offered(context: &Context, known: usize) -> io::Result<Vec<(TcpListener, SocketAddr)>> {
    let listeners = context.board().listeners(known)?.into_iter();
    listeners
        .map(|listener| {
            let local = listener.local_addr()?;
            Ok((TcpListener::from_std(listener)?, local))
        })
        .collect()
}

/// Tells a person in the events.
pub(super) fn warn(config: &ApiConfig, text: String) {
    let at = abide_platform::clock::now().wall;
    config
        .handle
        .events()
        .record(at, None, None, EventKind::Warning { text });
}

async fn serve<S>(stream: S, peer: Peer, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let used = Arc::clone(&shared.used);
    used.notify_one();
    let mut ending = shared.ending.clone();
    let head_within = if shared.crowded(&peer) {
        HEAD_WITHIN_CROWD
    } else {
        HEAD_WITHIN
    };
    let service = service_fn(move |request| answer(Arc::clone(&shared), peer.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_within)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(StallGuard::new(stream)), service);
    tokio::pin!(connection);
    // What went wrong on a connection is the client's to see.
    tokio::select! {
        _ = connection.as_mut() => return used.notify_one(),
        _ = ending.wait_for(|ending| *ending) => {}
    }
    // Every answer now ends its connection. One that was just made, or over which the next request is on
    // its way, gets that answer; one that is idle is let go.
    if tokio::time::timeout(LINGER, connection.as_mut())
        .await
        .is_err()
    {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

async fn answer(
    shared: Arc<Shared>,
    peer: Peer,
    mut request: hyper::Request<Incoming>,
) -> Result<Response, Infallible> {
    let allowed = shared.guard.check(
        &peer,
        request.method().as_str(),
        request.uri(),
        request.headers(),
    );
    let mut response = match allowed {
        Ok(()) => {
            request.extensions_mut().insert(peer.clone());
            shared.router.call(request).await?
        }
        Err(error) => error.into_response(),
    };
    let last = shared.crowded(&peer) || *shared.ending.borrow();
    let headers = response.headers_mut();
    if last {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    headers.insert(abide_model::api::VERSION_HEADER, shared.version.clone());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    Ok(response)
}
