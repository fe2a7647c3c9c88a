//! After keeper and daemon were both gone: what they held for runs that are still there is taken back from
//! those runs, or made again where they look for it.

use abide_model::UnitId;
use abide_platform::listen;
use abide_platform::notify::NotifySocket;

use super::run::Daemon;
use super::unit::Main;

impl Daemon {
    /// Takes back what can be had. What cannot is made anew for the next run.
    pub(super) fn take_back(&mut self) {
        let alive: Vec<UnitId> = self
            .units
            .iter()
            .filter(|(_, unit)| unit.run.as_ref().is_some_and(|r| r.main == Main::Alive))
            .map(|(id, _)| id)
            .collect();
        let owes = |id: &UnitId| {
            let unit = self.units.get(*id);
            unit.is_some_and(|unit| unit.spec.policy.heartbeat.is_some())
        };
        if self.beats.is_none() && alive.iter().any(owes) {
            self.reopen_beats();
        }
        for id in alive {
            self.take_back_listeners(id);
            self.listen_again(id);
        }
    }

    /// Without them no other instance could listen there for as long as this run lives.
    fn take_back_listeners(&mut self, id: UnitId) {
        let Some(unit) = self.units.get(id) else {
            return;
        };
        let socket = unit.spec.around().socket.as_ref();
        let wanted = socket.map_or(&[][..], |socket| &socket.listen);
        let missing: Vec<_> = wanted
            .iter()
            .map(|listen| listen.address.clone())
            .filter(|address| !self.sockets.has(address))
            .collect();
        if missing.is_empty() {
            return;
        }
        let handle = unit.run.as_ref().and_then(|run| run.handle.as_ref());
        let pid = handle.map_or(0, |handle| handle.identity().pid);
        for (address, fd) in handle.map(listen::held_by).unwrap_or_default() {
            if missing.contains(&address) && !self.sockets.has(&address) {
                self.install_listener(address, fd);
            }
        }
        for address in missing {
            if !self.sockets.has(&address) {
                self.warn(
                    Some(id),
                    format!(
                        "its socket {address} cannot be taken back from process {pid} (Linux before 5.6 has no way, and an ordinary user needs \
                         kernel.yama.ptrace_scope=0): while that process has it, no other can listen there"
                    ),
                );
            }
        }
    }

    /// A program finds its notify socket by the path, also a new one: without it, one that lives would
    /// be taken for one that hangs. (An abstract name cannot be had again: nobody else may guess it.)
    fn listen_again(&mut self, id: UnitId) {
        let Some(unit) = self.units.get(id) else {
            return;
        };
        let launch = unit.spec.around();
        if launch.notify.is_none()
            || unit.notify.is_some()
            || launch.user.is_some()
            || launch.group.is_some()
        {
            return;
        }
        let path = self.home.unit_run(&unit.name).join("notify");
        let name = format!("abide/{}/{}", self.nonce, id.0);
        let made = NotifySocket::bind(Some(&path), &name, None)
            .and_then(|socket| self.install_notify(id, socket));
        if let Err(error) = made {
            self.warn(
                Some(id),
                format!("its notify socket cannot be made again: {error}"),
            );
        }
    }
}
