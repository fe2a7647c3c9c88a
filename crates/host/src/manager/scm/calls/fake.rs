//! A Windows that stands in for Windows: it keeps services in memory, notes each call with its arguments, and fails
//! where it is told to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::registration::Registration;
use super::super::rights;
use super::{Calls, RunState, Setting, Value};
use crate::service::Right;

#[derive(Default)]
pub(in super::super) struct Fake(Mutex<Inner>);

#[derive(Default)]
pub(in super::super) struct Inner {
    pub services: BTreeMap<String, Registration>,
    pub registry: BTreeMap<(String, String), Value>,
    pub accounts: BTreeSet<String>,
    pub may_be_service: BTreeSet<String>,
    /// What accounts were given, as it is logged.
    pub rights: BTreeSet<String>,
    /// What each look at a service's state finds; the last one stays.
    pub states: VecDeque<RunState>,
    /// The calls so far that change something.
    pub log: Vec<String>,
    /// Calls that are refused, by how they are logged, with Windows's number.
    pub refused: Vec<(&'static str, i32)>,
    /// Services that run and depend on the one that is asked for.
    pub dependents: Vec<String>,
}

impl Fake {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calls since the last time.
    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.inner().log)
    }

    fn change<T>(
        &self,
        call: String,
        done: impl FnOnce(&mut Inner) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut inner = self.inner();
        let refused = inner
            .refused
            .iter()
            .find(|(what, _)| call.starts_with(what))
            .map(|&(_, code)| code);
        inner.log.push(call);
        match refused {
            Some(code) => error(code),
            None => done(&mut inner),
        }
    }
}

fn error<T>(code: i32) -> io::Result<T> {
    Err(io::Error::from_raw_os_error(code))
}

/// What CreateServiceW and ChangeServiceConfigW take.
fn basic(of: &Registration) -> String {
    format!(
        "{} type {:#x} start {} path {} dependencies {:?} account {} password {} display name {}",
        of.name,
        of.kind,
        of.start,
        of.image_path,
        of.dependencies,
        of.account,
        if of.password.is_some() {
            "given"
        } else {
            "none"
        },
        of.display_name
    )
}

impl Calls for Fake {
    fn create(&self, service: &Registration) -> io::Result<()> {
        self.change(format!("create {}", basic(service)), |inner| {
            if inner.services.contains_key(&service.name) {
                return error(1073);
            }
            let made = Registration {
                description: String::new(),
                delayed: false,
                recovery: crate::Recovery::default(),
                preshutdown: Some(Duration::from_secs(180)),
                sid: crate::ServiceSid::None,
                privileges: Vec::new(),
                environment: Vec::new(),
                event_messages: None,
                rights: Vec::new(),
                password: None,
                ..service.clone()
            };
            inner.services.insert(service.name.clone(), made);
            Ok(())
        })
    }

    fn change(&self, service: &Registration, account: bool) -> io::Result<()> {
        let with = if account { "with" } else { "without" };
        self.change(
            format!("change {with} account {}", basic(service)),
            |inner| {
                let Some(found) = inner.services.get_mut(&service.name) else {
                    return error(1060);
                };
                *found = Registration {
                    start: service.start,
                    image_path: service.image_path.clone(),
                    dependencies: service.dependencies.clone(),
                    display_name: service.display_name.clone(),
                    account: if account {
                        service.account.clone()
                    } else {
                        found.account.clone()
                    },
                    ..found.clone()
                };
                Ok(())
            },
        )
    }

    fn set(&self, name: &str, setting: &Setting) -> io::Result<()> {
        self.change(format!("set {name} {setting:?}"), |inner| {
            let Some(found) = inner.services.get_mut(name) else {
                return error(1060);
            };
            match setting.clone() {
                Setting::Description(text) => found.description = text,
                Setting::Delayed(on) => found.delayed = on,
                Setting::Recovery(recovery) => {
                    found.recovery = crate::Recovery {
                        non_crash: found.recovery.non_crash,
                        ..recovery
                    };
                }
                Setting::NonCrash(on) => found.recovery.non_crash = on,
                Setting::Preshutdown(time) => found.preshutdown = Some(time),
                Setting::Sid(sid) => found.sid = sid,
                Setting::Privileges(privileges) => found.privileges = privileges,
            }
            Ok(())
        })
    }

    fn configuration(&self, name: &str) -> io::Result<Registration> {
        match self.inner().services.get(name) {
            Some(found) => Ok(found.clone()),
            None => error(1060),
        }
    }

    fn state(&self, name: &str) -> io::Result<RunState> {
        let mut inner = self.inner();
        if !inner.services.contains_key(name) {
            return error(1060);
        }
        let state = inner.states.front().copied().unwrap_or(RunState {
            state: 1,
            ..RunState::default()
        });
        if inner.states.len() > 1 {
            inner.states.pop_front();
        }
        Ok(state)
    }

    fn start(&self, name: &str) -> io::Result<()> {
        self.change(format!("start {name}"), |_| Ok(()))
    }

    fn control(&self, name: &str, code: u32) -> io::Result<()> {
        self.change(format!("control {name} {code}"), |_| Ok(()))
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        self.change(format!("delete {name}"), |inner| {
            let key = Registration::key(name);
            inner.registry.retain(|(at, _), _| !at.starts_with(&key));
            inner
                .services
                .remove(name)
                .map_or_else(|| error(1060), |_| Ok(()))
        })
    }

    fn dependents(&self, _name: &str) -> io::Result<Vec<String>> {
        Ok(self.inner().dependents.clone())
    }

    fn ended(&self, pid: u32, _within: Duration) -> io::Result<bool> {
        self.change(format!("wait for process {pid}"), |_| Ok(true))
    }

    fn value(&self, key: &str, name: &str) -> io::Result<Option<Value>> {
        if name == "ObjectName" {
            let service = key.rsplit('\\').next().unwrap_or_default();
            let inner = self.inner();
            let account = inner.services.get(service).map(|found| &found.account);
            return Ok(account.map(|account| Value::Text(account.clone())));
        }
        let at = (key.to_owned(), name.to_owned());
        Ok(self.inner().registry.get(&at).cloned())
    }

    fn set_value(&self, key: &str, name: &str, value: &Value) -> io::Result<()> {
        self.change(format!(r"write {key}\{name} {value:?}"), |inner| {
            let at = (key.to_owned(), name.to_owned());
            inner.registry.insert(at, value.clone());
            Ok(())
        })
    }

    fn delete_value(&self, key: &str, name: &str) -> io::Result<()> {
        self.change(format!(r"remove {key}\{name}"), |inner| {
            inner.registry.remove(&(key.to_owned(), name.to_owned()));
            Ok(())
        })
    }

    fn delete_key(&self, key: &str) -> io::Result<()> {
        self.change(format!("remove {key}"), |inner| {
            inner.registry.retain(|(at, _), _| at != key);
            Ok(())
        })
    }

    fn keys(&self, _key: &str) -> io::Result<Vec<String>> {
        Ok(self.inner().services.keys().cloned().collect())
    }

    fn account_exists(&self, account: &str) -> io::Result<bool> {
        Ok(self.inner().accounts.contains(account))
    }

    fn may_be_service(&self, account: &str) -> io::Result<bool> {
        Ok(self.inner().may_be_service.contains(account))
    }

    fn let_be_service(&self, account: &str, allowed: bool) -> io::Result<()> {
        self.change(
            format!("log on as a service {account} {allowed}"),
            |inner| {
                if allowed {
                    inner.may_be_service.insert(account.to_owned());
                } else {
                    inner.may_be_service.remove(account);
                }
                Ok(())
            },
        )
    }

    fn allow(&self, account: &str, right: &Right) -> io::Result<()> {
        let entry = format!("{account} {}", rights::text(right));
        self.change(format!("let {entry}"), |inner| {
            inner.rights.insert(entry);
            Ok(())
        })
    }

    fn forbid(&self, account: &str, right: &Right) -> io::Result<()> {
        let entry = format!("{account} {}", rights::text(right));
        self.change(format!("no more let {entry}"), |inner| {
            inner.rights.remove(&entry);
            Ok(())
        })
    }
}
