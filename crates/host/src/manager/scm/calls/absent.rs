use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::super::registration::Registration;
use crate::service::Right;

use super::{Calls, RunState, Setting, Value};

/// A machine without this manager: nothing is asked of it, as [`crate::Manager::of`] does not give it out.
struct Absent;

/// This machine.
pub(in super::super) fn machine() -> Arc<dyn Calls> {
    Arc::new(Absent)
}

fn absent<T>() -> io::Result<T> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "the Service Control Manager is that of Windows",
    ))
}

impl Calls for Absent {
    fn create(&self, _: &Registration) -> io::Result<()> {
        absent()
    }
    fn change(&self, _: &Registration, _: bool) -> io::Result<()> {
        absent()
    }
    fn set(&self, _: &str, _: &Setting) -> io::Result<()> {
        absent()
    }
    fn configuration(&self, _: &str) -> io::Result<Registration> {
        absent()
    }
    fn state(&self, _: &str) -> io::Result<RunState> {
        absent()
    }
    fn start(&self, _: &str) -> io::Result<()> {
        absent()
    }
    fn control(&self, _: &str, _: u32) -> io::Result<()> {
        absent()
    }
    fn delete(&self, _: &str) -> io::Result<()> {
        absent()
    }
    fn dependents(&self, _: &str) -> io::Result<Vec<String>> {
        absent()
    }
    fn ended(&self, _: u32, _: Duration) -> io::Result<bool> {
        absent()
    }
    fn value(&self, _: &str, _: &str) -> io::Result<Option<Value>> {
        absent()
    }
    fn set_value(&self, _: &str, _: &str, _: &Value) -> io::Result<()> {
        absent()
    }
    fn delete_value(&self, _: &str, _: &str) -> io::Result<()> {
        absent()
    }
    fn delete_key(&self, _: &str) -> io::Result<()> {
        absent()
    }
    fn keys(&self, _: &str) -> io::Result<Vec<String>> {
        absent()
    }
    fn account_exists(&self, _: &str) -> io::Result<bool> {
        absent()
    }
    fn may_be_service(&self, _: &str) -> io::Result<bool> {
        absent()
    }
    fn let_be_service(&self, _: &str, _: bool) -> io::Result<()> {
        absent()
    }
    fn allow(&self, _: &str, _: &Right) -> io::Result<()> {
        absent()
    }
    fn forbid(&self, _: &str, _: &Right) -> io::Result<()> {
        absent()
    }
}
