//! Listening sockets: made once, held by the keeper, shared by the instances of a unit, inherited by
//! run after run. Whoever connects while nobody accepts waits in the kernel's queue.
//!
//! A socket is known by its address, which it tells itself ([`listen::address_of`]); so what the
//! keeper held needs no other record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use abide_core::{Input, Outcome};
use abide_model::{EffectId, ListenAddress, SocketPass, UnitId};
use abide_platform::keeper::Key;
use abide_platform::poll::Interest;
use abide_platform::{Handle, Lend, listen};

use super::run::{Daemon, Message};
use super::streams::LISTENER;
use super::watches::Watched;

/// All sockets that are listened on.
#[derive(Default)]
pub struct Sockets {
    held: BTreeMap<ListenAddress, Listener>,
    next: u64,
    /// Being made by a job for some unit: others that want them wait for that.
    pub making: BTreeSet<ListenAddress>,
}

struct Listener {
    fd: Arc<Handle>,
    /// Its place in the keeper's table.
    number: u64,
    /// Units that have it in their configuration.
    users: BTreeSet<UnitId>,
    /// Those of them that wait for a connection.
    waiting: BTreeSet<UnitId>,
}

/// What a run finds open beside its output.
#[derive(Default)]
pub struct Passed {
    /// From descriptor 3 on, each with its name.
    pub named: Vec<(Arc<Handle>, String)>,
    /// Standard input, where that is a socket.
    pub stdin: Option<Arc<Handle>>,
}

fn key(number: u64) -> Key {
    Key {
        kind: LISTENER,
        unit: 0,
        sub: number,
    }
}

impl Sockets {
    /// It is there.
    pub fn has(&self, address: &ListenAddress) -> bool {
        self.held.contains_key(address)
    }

    /// Every socket, with its place in the keeper's table.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &Handle)> {
        self.held.values().map(|held| (key(held.number), &*held.fd))
    }

    /// Paths of socket files.
    pub fn files(&self) -> impl Iterator<Item = &std::path::Path> {
        self.held.keys().filter_map(|address| match address {
            ListenAddress::Unix(path) => Some(path.as_path()),
            ListenAddress::Tcp(_) | ListenAddress::Udp(_) => None,
        })
    }
}

impl Daemon {
    /// A socket was made: the keeper holds it from now on.
    pub(super) fn install_listener(&mut self, address: ListenAddress, fd: Handle) {
        let number = self.sockets.next;
        self.sockets.next += 1;
        if let Err(error) = self.keeper.hold(key(number), fd.lend()) {
            // It works as long as this daemon lives.
            self.warn(None, format!("the keeper cannot hold {address}: {error}"));
        }
        self.hold_listener(address, number, fd);
    }

    /// A socket that the keeper held. One that no unit wants any more goes away.
    pub(super) fn adopt_listener(&mut self, number: u64, fd: Handle) {
        self.sockets.next = self.sockets.next.max(number + 1);
        match listen::address_of(&fd) {
            Some(address) if !self.sockets.has(&address) => {
                self.hold_listener(address, number, fd);
            }
            _ => self.keeper.release(key(number)),
        }
    }

    fn hold_listener(&mut self, address: ListenAddress, number: u64, fd: Handle) {
        let held = Listener {
            fd: Arc::new(fd),
            number,
            users: BTreeSet::new(),
            waiting: BTreeSet::new(),
        };
        self.sockets.held.insert(address, held);
    }

    /// Notes which sockets the unit's configuration names, and closes those that it alone named
    /// before. A run that has one keeps it.
    pub(super) fn note_sockets(&mut self, id: UnitId) {
        let Some(unit) = self.units.get(id) else {
            return;
        };
        let spec = Arc::clone(&unit.spec);
        let socket = spec.around().socket.as_ref();
        let wanted = socket.map_or(&[][..], |socket| &socket.listen);
        let mut noted = Vec::new();
        for listen in wanted {
            if let Some(held) = self.sockets.held.get_mut(&listen.address) {
                held.users.insert(id);
                noted.push(listen.address.clone());
            }
        }
        self.change_sockets(id, noted);
    }

    /// The unit is gone.
    pub(super) fn drop_sockets(&mut self, id: UnitId) {
        self.change_sockets(id, Vec::new());
    }

    fn change_sockets(&mut self, id: UnitId, noted: Vec<ListenAddress>) {
        let Some(unit) = self.units.get_mut(id) else {
            return;
        };
        if unit.sockets != noted {
            let shown = noted.iter().map(ToString::to_string).collect();
            Arc::make_mut(&mut unit.facts).sockets = shown;
        }
        let before = std::mem::replace(&mut unit.sockets, noted.clone());
        self.dirty.insert(id);
        for address in before {
            if noted.contains(&address) {
                continue;
            }
            self.unwatch_one(&address, id);
            if let Some(held) = self.sockets.held.get_mut(&address) {
                held.users.remove(&id);
                if held.users.is_empty() {
                    self.close_socket(&address);
                }
            }
        }
    }

    /// Closes what the keeper held and no unit names any more.
    pub(super) fn close_unused_sockets(&mut self) {
        let held = self.sockets.held.iter();
        let unused = held.filter(|(_, held)| held.users.is_empty());
        let unused: Vec<_> = unused.map(|(address, _)| address.clone()).collect();
        for address in unused {
            self.close_socket(&address);
        }
    }

    fn close_socket(&mut self, address: &ListenAddress) {
        let Some(held) = self.sockets.held.remove(address) else {
            return;
        };
        let what = Watched::Listener(address.clone());
        self.watches.remove(&self.poll, &held.fd, &what);
        self.keeper.release(key(held.number));
        if let ListenAddress::Unix(path) = address {
            let path = path.clone();
            if let Err(error) = self.files.submit(move || remove_file(&path)) {
                tracing::warn!(%error, "cannot remove a socket file");
            }
        }
    }

    /// What the unit's next run finds from descriptor 3 on: its sockets, then what it left here; or, in
    /// the manner of inetd, its socket as standard input.
    pub(super) fn passed(&self, id: UnitId) -> Result<Passed, String> {
        let unit = self.units.get(id).ok_or("the unit is gone")?;
        let mut passed = Passed::default();
        if let Some(socket) = &unit.spec.around().socket {
            for listen in &socket.listen {
                let held = self.sockets.held.get(&listen.address);
                let held = held.ok_or_else(|| format!("its socket {} is gone", listen.address))?;
                match socket.pass {
                    SocketPass::Fds => {
                        passed
                            .named
                            .push((Arc::clone(&held.fd), listen.name.clone()));
                    }
                    SocketPass::Stdin => passed.stdin = Some(Arc::clone(&held.fd)),
                }
            }
        }
        let stored = unit.stored.iter();
        let stored = stored.map(|stored| (Arc::clone(&stored.fd), stored.name.clone()));
        passed.named.extend(stored);
        Ok(passed)
    }

    /// Begins to look for a connection to the unit. Its sockets are there.
    pub(super) fn watch_socket(&mut self, id: UnitId) {
        let addresses = self.units.get(id).map(|unit| unit.sockets.clone());
        for address in addresses.unwrap_or_default() {
            let Some(held) = self.sockets.held.get_mut(&address) else {
                continue;
            };
            held.waiting.insert(id);
            let what = Watched::Listener(address.clone());
            let added = self
                .watches
                .add(&self.poll, &held.fd, Interest::Input, what);
            if let Err(error) = added {
                tracing::error!(%address, %error, "cannot watch a socket");
            }
        }
    }

    /// Looks no longer.
    pub(super) fn unwatch_socket(&mut self, id: UnitId) {
        let addresses = self.units.get(id).map(|unit| unit.sockets.clone());
        for address in addresses.unwrap_or_default() {
            self.unwatch_one(&address, id);
        }
    }

    fn unwatch_one(&mut self, address: &ListenAddress, id: UnitId) {
        let Some(held) = self.sockets.held.get_mut(address) else {
            return;
        };
        if held.waiting.remove(&id) && held.waiting.is_empty() {
            let what = Watched::Listener(address.clone());
            self.watches.remove(&self.poll, &held.fd, &what);
        }
    }

    /// Looks whether anybody is connected, as a job: the tables of all sockets take a while to read.
    pub(super) fn look_idle(&mut self, effect: EffectId, id: UnitId) {
        let addresses = self.units.get(id).map(|unit| unit.sockets.clone());
        let addresses = addresses.unwrap_or_default();
        let mailbox = self.mailbox.clone();
        let job = move || {
            let outcome = match listen::connected(&addresses) {
                Ok(0) => Outcome::Ok,
                Ok(n) => failed(format!("{n} connections")),
                Err(error) => failed(format!("its connections cannot be counted: {error}")),
            };
            mailbox.send(Message::Done(effect, outcome));
        };
        if let Err(error) = self.jobs.submit(job) {
            let outcome = failed(format!("start a thread: {error}"));
            self.input(Input::Done { effect, outcome });
        }
    }

    /// Somebody connects: all units that wait for this are started.
    pub(super) fn on_connection(&mut self, address: &ListenAddress) {
        let Some(held) = self.sockets.held.get(address) else {
            return;
        };
        for unit in held.waiting.clone() {
            self.unwatch_socket(unit);
            self.input(Input::Connection { unit });
        }
    }
}

fn failed(reason: String) -> Outcome {
    Outcome::Failed { reason }
}

/// Removes a socket file. May block.
pub(super) fn remove_file(path: &std::path::Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "cannot remove a socket file");
    }
}
