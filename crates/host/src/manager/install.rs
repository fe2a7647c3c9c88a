//! Installing, over what is there or not, and removing.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{ANSWER, Kind, Manager, State, act, is_ours, launchd, openrc, runit, systemd, sysv};
use crate::plan::{Plan, below, difference};
use crate::{Error, Service, check, disk};

/// What an installation did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Installed {
    /// To what was there.
    pub change: Change,
    /// What this manager does otherwise than was asked for.
    pub notes: Vec<String>,
}

/// What an installation did to what was there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// There was nothing of that name.
    New,
    /// It was just so.
    None,
    /// One of ours was changed in place: for each file how. One that runs goes on as it is until it is
    /// started again.
    Changed(Vec<(PathBuf, String)>),
}

impl Manager {
    /// Checks everything, writes what [`Manager::plan_install`] says and makes the manager know it. Does not
    /// start it. Over a service of ours it changes that one, over another's it refuses. What was written is
    /// taken back when something fails.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Foreign`], [`Error::AccessDenied`]: nothing was written; others: all was taken back.
    pub fn install(&self, service: &Service) -> Result<Installed, Error> {
        self.carry_out(service, &self.plan_install(service)?)
    }

    /// Whether what the service names is there: its program, its directory, its accounts.
    ///
    /// # Errors
    /// [`Error::Invalid`]: what is not.
    pub fn check(&self, service: &Service) -> Result<(), Error> {
        check::machine(service, self.kind, &self.root)?;
        match self.kind {
            Kind::Scm => self.scm()?.check(service),
            _ => Ok(()),
        }
    }

    /// As [`Manager::install`], by a plan of [`Manager::plan_install`] that may have got more files of the
    /// installer's own.
    ///
    /// # Errors
    /// As there.
    pub fn carry_out(&self, service: &Service, plan: &Plan) -> Result<Installed, Error> {
        self.check(service)?;
        let change = self.compare(service, plan)?;
        let applied = plan.write(&self.root)?;
        let mut notes = plan.notes.clone();
        if let Some(registration) = &plan.registration {
            match self.scm().and_then(|scm| scm.install(registration)) {
                Ok(unknown) => notes.extend(unknown),
                Err(error) => return Err(error.half_done(applied.take_back())),
            }
        }
        if self.running_root() {
            let called = plan
                .calls
                .iter()
                .try_for_each(|call| act(call, ANSWER))
                .and_then(|()| self.taken_up(service));
            if let Err(error) = called {
                let mut left = applied.take_back();
                let undone = plan.undo.iter().map(|call| act(call, ANSWER));
                left.extend(undone.filter_map(|done| Some(done.err()?.to_string())));
                return Err(error.half_done(left));
            }
        }
        for path in &plan.afterwards {
            let path = below(&self.root, path);
            disk::remove_if_there(&path).map_err(|e| Error::file("remove", &path, e))?;
        }
        Ok(Installed { change, notes })
    }

    /// What [`Manager::install`] would change of what is there.
    ///
    /// # Errors
    /// [`Error::Foreign`]: the name belongs to something that is not ours.
    pub fn compare(&self, service: &Service, plan: &Plan) -> Result<Change, Error> {
        let foreign = |what: String| Error::Foreign {
            name: service.name.clone(),
            what,
        };
        let mut changed = Vec::new();
        let mut new = false;
        if let Some(registration) = &plan.registration {
            match self.scm()?.compare(registration)? {
                Change::New => return Ok(Change::New),
                Change::None => {}
                Change::Changed(how) => changed = how,
            }
        }
        // Where files are what makes a service, the first one has the mark.
        let marked = plan.registration.is_none();
        for (n, file) in plan.files.iter().enumerate() {
            if plan.afterwards.contains(&file.path) {
                continue;
            }
            let path = below(&self.root, &file.path);
            match fs::read(&path) {
                Ok(old) => {
                    let old = String::from_utf8_lossy(&old);
                    if marked && n == 0 && !is_ours(&old) {
                        return Err(foreign(format!("{} is not one of ours", path.display())));
                    }
                    let how = difference(&old, &file.text);
                    if !how.is_empty() {
                        changed.push((file.path.clone(), how));
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    new |= marked && n == 0;
                    changed.push((file.path.clone(), difference("", &file.text)));
                }
                Err(e) => return Err(Error::file("read", &path, e)),
            }
        }
        for link in &plan.links {
            let path = below(&self.root, &link.path);
            let target = fs::read_link(&path).ok();
            if target.as_ref() != Some(&link.target) {
                if new && fs::symlink_metadata(&path).is_ok() {
                    return Err(foreign(format!("{} is there", path.display())));
                }
                changed.push((
                    link.path.clone(),
                    format!("+ -> {}\n", link.target.display()),
                ));
            }
        }
        for path in plan.removed.iter().chain(&plan.afterwards) {
            if fs::symlink_metadata(below(&self.root, path)).is_ok() {
                changed.push((path.clone(), "- (removed)\n".to_owned()));
            }
        }
        if new {
            if self.kind == Kind::Systemd
                && self.running_root()
                && systemd::knows(self.scope, &service.name)?
            {
                return Err(foreign(
                    "systemd has a service of that name from elsewhere".to_owned(),
                ));
            }
            return Ok(Change::New);
        }
        Ok(if changed.is_empty() {
            Change::None
        } else {
            Change::Changed(changed)
        })
    }

    fn uninstall_registration(&self, name: &str, within: Duration) -> Result<(), Error> {
        let scm = self.scm()?;
        if scm.is_ours(name)? == Some(false) {
            return Err(Error::Foreign {
                name: name.to_owned(),
                what: "that service was not made by abide, and stays".to_owned(),
            });
        }
        scm.remove(name, within)
    }

    fn taken_up(&self, service: &Service) -> Result<(), Error> {
        match self.kind {
            Kind::Runit => runit::taken_up(&self.places, service),
            _ => Ok(()),
        }
    }

    /// Stops the service, removes everything that [`Manager::install`] has written, and waits until the manager does
    /// not know it any more.
    ///
    /// # Errors
    /// [`Error::NotInstalled`]; [`Error::Foreign`]: it is not ours; [`Error::TimedOut`]: it does not stop.
    pub fn uninstall(&self, name: &str, within: Duration) -> Result<(), Error> {
        self.known(name)?;
        if self.kind == Kind::Scm {
            return self.uninstall_registration(name, within);
        }
        let main = below(&self.root, &self.main_file(name));
        if self.definition(name).is_none() {
            return Err(Error::Foreign {
                name: name.to_owned(),
                what: format!("{} is not one of ours, and stays", main.display()),
            });
        }
        let begun = Instant::now();
        let left = || within.saturating_sub(begun.elapsed());
        // Before anything is taken from under it, and so that nothing is when it may not be.
        disk::may_remove(&main).map_err(|e| Error::file("remove", &main, e))?;
        if self.running_root() {
            self.stop(name, left())?;
        }
        match self.kind {
            Kind::Systemd => systemd::remove(
                self.scope,
                &self.places,
                &self.root,
                self.running_root(),
                name,
            )?,
            Kind::Runit => {
                runit::remove(&self.places, &self.root, self.running_root(), name, left())?
            }
            Kind::OpenRc => openrc::remove(&self.places, &self.root, name)?,
            Kind::SysV => sysv::remove(&self.places, &self.root, self.running_root(), name)?,
            Kind::Launchd => launchd::remove(self.scope, &self.places, &self.root, name)?,
            Kind::Scm => {}
        }
        if self.running_root() && self.status(name)?.state != State::NotInstalled {
            return Err(Error::TimedOut {
                action: format!("{name} to be gone"),
                within,
                state: "its manager still knows it".to_owned(),
            });
        }
        Ok(())
    }
}

/// The names of the services whose files are ours.
pub(super) fn ours(manager: &Manager) -> Result<Vec<String>, Error> {
    if manager.kind == Kind::Scm {
        return manager.scm()?.installed();
    }
    let directory = below(&manager.root, &manager.places.definitions);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::file("read", &directory, e)),
    };
    let suffix = match manager.kind {
        Kind::Systemd => ".service",
        Kind::Launchd => ".plist",
        _ => "",
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter_map(|file| file.strip_suffix(suffix).map(str::to_owned))
        .filter(|name| manager.definition(name).is_some())
        .collect();
    names.sort();
    Ok(names)
}
