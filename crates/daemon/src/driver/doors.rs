//! The API's listening sockets, held by the keeper: who connects while there is no daemon waits.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;

use abide_platform::control::Place;
use abide_platform::keeper::Key;
use abide_platform::{Borrowed, Handle, Lend, listen};

use super::run::Daemon;
use super::streams::{API_SOCKET, API_TCP};
use crate::api::{Door, Doors};

/// What the keeper holds for the API, and what was found of it.
#[derive(Default)]
pub struct Held {
    /// Copies, for a keeper that comes anew.
    doors: BTreeMap<Door, Handle>,
    socket: Option<Arc<Place>>,
    tcp: Vec<(Door, TcpListener)>,
}

impl Held {
    /// Every one, with its place in the keeper's table.
    pub fn iter(&self) -> impl Iterator<Item = (Key, Borrowed<'_>)> {
        self.doors
            .iter()
            .filter_map(|(door, fd)| Some((key(*door)?, fd.lend())))
    }
}

fn key(door: Door) -> Option<Key> {
    let kind = match door {
        Door::Socket(_) => API_SOCKET,
        Door::Tcp(_) => API_TCP,
    };
    Some(Key {
        kind,
        unit: 0,
        sub: door.number()?,
    })
}

impl Daemon {
    /// One that the keeper held.
    pub(super) fn adopt_door(&mut self, found: Key, fd: Handle) {
        let copy = fd.try_clone();
        let (door, adopted) = if found.kind == API_SOCKET {
            let adopted = Place::adopt(self.home.root(), found.sub, fd)
                .map(|socket| self.held.socket = Some(Arc::new(socket)));
            (Door::Socket(found.sub), adopted)
        } else {
            let door = Door::tcp(found.sub);
            let adopted = listen::from_held(fd).and_then(|listener| {
                listener.set_nonblocking(true)?;
                self.held.tcp.push((door, listener));
                Ok(())
            });
            (door, adopted)
        };
        match (adopted, copy) {
            (Ok(()), Ok(copy)) => drop(self.held.doors.insert(door, copy)),
            (Err(error), _) | (_, Err(error)) => {
                tracing::info!(?door, %error, "a socket of the API is made anew");
                self.keeper.release(found);
            }
        }
    }

    /// What the API is to listen on: what was found and is wanted, and the home's socket in any case.
    ///
    /// # Errors
    /// The home's socket cannot be made.
    pub(super) fn doors(&mut self) -> std::io::Result<Doors> {
        let socket = match self.held.socket.take() {
            Some(socket) => socket,
            None => {
                let home = self.home.root();
                let socket = Place::take(home)?;
                let door = Door::Socket(Place::number(home)?);
                self.keep_door(door, socket.try_clone()?.into());
                Arc::new(socket)
            }
        };
        let wanted = self.board.daemon().listen;
        let mut tcp = BTreeMap::new();
        for (door, listener) in std::mem::take(&mut self.held.tcp) {
            match door {
                Door::Tcp(address) if wanted.contains(&address) => {
                    tcp.insert(address, listener);
                }
                _ => self.drop_door(door),
            }
        }
        Ok(Doors {
            socket: Some(socket),
            tcp: Arc::new(tcp.into()),
        })
    }

    /// There is no API: who connects is to be told so at once.
    pub(super) fn close_doors(&mut self) {
        self.held.socket = None;
        self.held.tcp.clear();
        let doors: Vec<Door> = self.held.doors.keys().copied().collect();
        for door in doors {
            self.drop_door(door);
        }
    }

    pub(super) fn keep_door(&mut self, door: Door, fd: Handle) {
        let Some(key) = key(door) else { return };
        if let Err(error) = self.keeper.hold(key, fd.lend()) {
            tracing::warn!(?door, %error, "a socket of the API cannot be held by the keeper");
        }
        self.held.doors.insert(door, fd);
    }

    pub(super) fn drop_door(&mut self, door: Door) {
        self.held.doors.remove(&door);
        if let Some(key) = key(door) {
            self.keeper.release(key);
        }
    }
}
