//! An HTTP server: says good day, with words from a file that it reads again when asked to.
//!
//! ```sh
//! web run 127.0.0.1:8080 GREETING-FILE
//! curl http://127.0.0.1:8080/
//! kill -HUP PID                      # or `systemctl reload`, `abide reload`: reads the file again
//! ```
//!
//! It is ready when it listens. Asked to stop, it takes no more connections, gives the answers that are
//! under way, and ends; who has sent nothing for five seconds is not waited for any longer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use abide_service::{BoxError, Context, Failure, Service};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long connections may take to end.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

type Greeting = Arc<RwLock<String>>;

fn main() -> ExitCode {
    let service = Service::new("abide-example-web")
        .display_name("Example web server")
        .description("says good day")
        .reloads();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(service.main_async(serve)),
        Err(error) => {
            eprintln!("cannot start a runtime: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(ctx: Context) -> Result<(), BoxError> {
    let (address, file) = arguments(&ctx)?;
    let greeting = Greeting::new(RwLock::new(read(&file)?));
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}"))?;
    ctx.log()
        .info(format_args!("listening on {}", listener.local_addr()?));
    ctx.ready();
    let mut connections = JoinSet::new();
    let mut stopping = ctx.stopping();
    let mut reloading = ctx.reloading();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                connections.spawn(answer(accepted?.0, Arc::clone(&greeting), ctx.clone()));
            }
            Some(reload) = &mut reloading => {
                match read(&file) {
                    Ok(new) => *greeting.write().unwrap_or_else(|e| e.into_inner()) = new,
                    Err(error) => ctx.log().warning(format_args!("{error}; the old words stay")),
                }
                reload.done();
                reloading = ctx.reloading();
            }
            // What has ended is let go of.
            Some(_ended) = connections.join_next() => {}
            () = &mut stopping => break,
        }
    }
    drop(listener);
    ctx.status(format_args!("{} connections to end", connections.len()));
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_ANSWERS, all).await.is_err() {
        ctx.log().warning("some connections had not ended");
    }
    Ok(())
}

fn arguments(ctx: &Context) -> Result<(SocketAddr, String), Failure> {
    let usage = || Failure::new(64, "web run ADDRESS:PORT GREETING-FILE");
    let [address, file] = ctx.args() else {
        return Err(usage());
    };
    match (address.to_str().map(str::parse), file.to_str()) {
        (Some(Ok(address)), Some(file)) => Ok((address, file.to_owned())),
        _ => Err(usage()),
    }
}

fn read(file: impl AsRef<Path>) -> Result<String, String> {
    let file = file.as_ref();
    std::fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))
}

async fn answer(stream: TcpStream, greeting: Greeting, ctx: Context) {
    let service = service_fn(move |request: Request<Incoming>| {
        let greeting = Arc::clone(&greeting);
        async move { Ok::<_, Infallible>(respond(request.uri().path(), &greeting)) }
    });
    let mut connection =
        pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = ctx.stopping() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        ctx.log()
            .warning(format_args!("a connection ended early: {error}"));
    }
}

fn respond(path: &str, greeting: &Greeting) -> Response<http_body_util::Full<Bytes>> {
    let (status, text) = match path {
        "/" => (
            StatusCode::OK,
            greeting.read().unwrap_or_else(|e| e.into_inner()).clone(),
        ),
        _ => (StatusCode::NOT_FOUND, "there is only /\n".to_owned()),
    };
    let mut response = Response::new(http_body_util::Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
}
