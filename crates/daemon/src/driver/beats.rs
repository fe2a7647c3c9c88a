//! Where programs send their beats: a loopback port that the keeper holds, so that beats wait in
//! its backlog while there is no daemon.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use abide_core::Input;
use abide_model::{RunId, UnitId};
use abide_platform::keeper::Key;
use abide_platform::{Handle, Lend, clock, listen};

use super::run::Daemon;
use super::streams::BEATS;

/// The port, once a unit owes beats.
pub struct Beats {
    /// Where it listens.
    pub address: SocketAddr,
    /// Until the API takes it.
    pub listener: Option<TcpListener>,
}

const KEY: Key = Key {
    kind: BEATS,
    unit: 0,
    sub: 0,
};

impl Daemon {
    /// What `ABIDE_HEARTBEAT_URL` says.
    pub(super) fn beats_url(&self) -> Option<String> {
        self.beats
            .as_ref()
            .map(|beats| format!("http://{}/v1/heartbeat", beats.address))
    }

    /// Goes on with the port of the daemon before.
    pub(super) fn adopt_beats(&mut self, held: Handle) {
        let listener = listen::from_held(held);
        match listener.and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((address, listener)) => {
                self.beats = Some(Beats {
                    address,
                    listener: Some(listener),
                })
            }
            Err(error) => self.warn(None, format!("the port for heartbeats is lost: {error}")),
        }
    }

    /// Opens the port if a unit owes beats and there is none.
    pub(super) fn serve_beats_if_wanted(&mut self) {
        let wanted = self
            .units
            .iter()
            .any(|(_, unit)| unit.spec.policy.heartbeat.is_some());
        if wanted && self.beats.is_none() {
            match self.open_beats(0) {
                Ok(beats) => self.beats = Some(beats),
                Err(error) => self.warn(
                    None,
                    format!("there is no port for heartbeats ({error}); programs can send them to the home's socket"),
                ),
            }
        }
        if let Some(beats) = &mut self.beats
            && let Some(listener) = beats.listener.take()
        {
            self.board.offer_listener(listener);
        }
    }

    /// Keeper and daemon were both gone: programs that are still there look for the port where it was.
    /// Somebody else may have it now; then they find the new one with their next run.
    pub(super) fn reopen_beats(&mut self) {
        let port = std::fs::read_to_string(self.home.beats_port());
        let port = port.ok().and_then(|text| text.trim().parse().ok());
        if let Some(port) = port.filter(|port| *port != 0) {
            match self.open_beats(port) {
                Ok(beats) => self.beats = Some(beats),
                Err(error) => {
                    tracing::info!(%error, port, "cannot have the port for heartbeats again")
                }
            }
        }
    }

    fn open_beats(&mut self, port: u16) -> io::Result<Beats> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        match listen::to_hold(&listener) {
            Ok(held) => self.keeper.hold(KEY, held.lend())?,
            // The next daemon opens the same port again.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(error) => return Err(error),
        }
        let port = address.port();
        let file = self.home.beats_port();
        let written = self.files.submit(move || {
            if let Err(error) = std::fs::write(&file, port.to_string()) {
                tracing::warn!(path = %file.display(), %error, "cannot write down the port for heartbeats");
            }
        });
        if let Err(error) = written {
            tracing::warn!(%error, "cannot write down the port for heartbeats");
        }
        Ok(Beats {
            address,
            listener: Some(listener),
        })
    }
}

impl Daemon {
    /// A beat that came by another way than HTTP.
    pub(super) fn take_beat(&mut self, unit: UnitId, run: RunId) {
        if let Some(known) = self.units.get_mut(unit) {
            known.beat = Some((clock::now().wall, None));
            self.dirty.insert(unit);
        }
        self.input(Input::Beat { unit, run });
    }
}
