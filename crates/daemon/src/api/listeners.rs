//! TCP addresses: bound when configuration asks for them, let go when it no longer does.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};

use abide_platform::listen;
use axum::http::StatusCode;

use super::error::{Answer, ApiError};
use super::{ApiConfig, Door};

/// What is bound: by the address that was asked for, which may have port 0.
#[derive(Debug, Default)]
pub(super) struct Listeners(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Bound for a configuration that is about to be applied, not yet served.
    prepared: BTreeMap<SocketAddr, TcpListener>,
    /// Served: the real address.
    served: BTreeMap<SocketAddr, SocketAddr>,
}

/// Addresses bound for a configuration; let go again unless it is applied.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    listeners: &'a Listeners,
    fresh: Vec<SocketAddr>,
}

impl Listeners {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses that are served.
    pub(super) fn bound(&self) -> Vec<SocketAddr> {
        self.lock().served.values().copied().collect()
    }

    /// Binds what is not bound yet.
    pub(super) fn prepare(&self, wanted: impl Iterator<Item = SocketAddr>) -> Answer<Prepared<'_>> {
        let mut prepared = Prepared {
            listeners: self,
            fresh: Vec::new(),
        };
        for address in wanted {
            let mut state = self.lock();
            if state.served.contains_key(&address) || state.prepared.contains_key(&address) {
                continue;
            }
            let listener = bind(address).map_err(|why| {
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "cannot_listen", why)
                    .help("choose another address for `listen` in [daemon]; nothing was changed")
            })?;
            state.prepared.insert(address, listener);
            prepared.fresh.push(address);
        }
        Ok(prepared)
    }

    /// A listener to serve on: the one of before, if the API or the daemon was away meanwhile.
    pub(super) fn take(
        &self,
        address: SocketAddr,
        config: &ApiConfig,
    ) -> Result<TcpListener, String> {
        let before = match config.doors.tcp().get(&address) {
            Some(before) => before.try_clone().ok(),
            None => None,
        };
        let listener = match before {
            Some(before) => before,
            None => {
                let prepared = self.lock().prepared.remove(&address);
                let listener = prepared.map_or_else(|| bind(address), Ok)?;
                keep(address, &listener, config);
                listener
            }
        };
        let real = listener.local_addr().unwrap_or(address);
        self.lock().served.insert(address, real);
        Ok(listener)
    }

    /// No longer served.
    pub(super) fn gone(&self, address: SocketAddr, config: &ApiConfig) {
        self.lock().served.remove(&address);
        config.doors.tcp().remove(&address);
        // A driver that is gone takes everything with it.
        let _ = config.handle.drop_door(Door::Tcp(address));
    }
}

/// Has the socket outlive this API and this daemon. Without that, who connects while there is none is
/// refused; it is served all the same.
fn keep(address: SocketAddr, listener: &TcpListener, config: &ApiConfig) {
    let kept = listener.try_clone().and_then(|for_us| {
        config.doors.tcp().insert(address, for_us);
        let for_keeper = listen::to_hold(listener)?;
        let told = config.handle.keep_door(Door::Tcp(address), for_keeper);
        told.map_err(|error| std::io::Error::other(error.to_string()))
    });
    if let Err(error) = kept {
        tracing::warn!(%address, %error, "a listening socket cannot outlive the daemon");
    }
}

impl Prepared<'_> {
    /// The configuration was applied.
    pub(super) fn keep(mut self) {
        self.fresh.clear();
    }
}

impl Drop for Prepared<'_> {
    fn drop(&mut self) {
        let mut state = self.listeners.lock();
        for address in &self.fresh {
            state.prepared.remove(address);
        }
    }
}

fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    if !address.ip().is_loopback() {
        return Err(format!(
            "{address} is not a loopback address: until there are TLS and roles, the API is for this machine only"
        ));
    }
    let listener = TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map_err(|error| format!("the API cannot listen on {address}: {error}"))
}
