use std::io;
use std::sync::Arc;
use std::time::Duration;

use abide_model::AccountName;
use abide_platform::service_manager::{self as manager, Configuration};
use abide_platform::{access, account, registry};

use super::super::explain;
use super::super::registration::Registration;
use super::{Calls, RunState, Setting, Value};
use crate::service::{Access, Password, Recovery, RecoveryAction, RecoveryKind, Right, ServiceSid};

struct Machine;

/// This machine.
pub(in super::super) fn machine() -> Arc<dyn Calls> {
    Arc::new(Machine)
}

fn configuration(of: &Registration) -> Configuration {
    Configuration {
        kind: of.kind,
        start: of.start,
        image_path: of.image_path.clone(),
        dependencies: of.dependencies.clone(),
        account: of.account.clone(),
        display_name: of.display_name.clone(),
    }
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn written(recovery: &Recovery) -> manager::Recovery {
    let action = |action: &RecoveryAction| {
        let kind = match action.kind {
            RecoveryKind::None => 0,
            RecoveryKind::Restart => 1,
            RecoveryKind::Reboot => 2,
            RecoveryKind::Run => 3,
        };
        (kind, milliseconds(action.after))
    };
    manager::Recovery {
        reset: u32::try_from(recovery.reset.as_secs()).unwrap_or(u32::MAX),
        actions: recovery.actions.iter().map(action).collect(),
        command: recovery.command.clone().unwrap_or_default(),
        reboot_message: recovery.reboot_message.clone().unwrap_or_default(),
    }
}

fn read(recovery: manager::Recovery, non_crash: bool) -> Recovery {
    let action = |&(kind, after): &(i32, u32)| RecoveryAction {
        kind: match kind {
            1 => RecoveryKind::Restart,
            2 => RecoveryKind::Reboot,
            3 => RecoveryKind::Run,
            _ => RecoveryKind::None,
        },
        after: Duration::from_millis(after.into()),
    };
    let text = |text: String| (!text.is_empty()).then_some(text);
    let actions: Vec<RecoveryAction> = recovery.actions.iter().map(action).collect();
    Recovery {
        // Without actions nothing is counted.
        reset: if actions.is_empty() {
            Duration::ZERO
        } else {
            Duration::from_secs(recovery.reset.into())
        },
        actions,
        non_crash,
        command: text(recovery.command),
        reboot_message: text(recovery.reboot_message),
    }
}

/// What this Windows does not know has its default.
fn known<T: Default>(answer: io::Result<T>) -> io::Result<T> {
    match answer {
        Err(error) if explain::unknown_setting(&error) => Ok(T::default()),
        answer => answer,
    }
}

fn identifier(account: &str) -> io::Result<String> {
    let found = account::sid_of(AccountName::new(account).looked_up())?;
    found.ok_or_else(|| io::Error::other("there is no such account"))
}

fn as_platform(access: Access) -> access::Access {
    match access {
        Access::Change => access::Access::Change,
        Access::Read => access::Access::Read,
    }
}

impl Calls for Machine {
    fn create(&self, service: &Registration) -> io::Result<()> {
        let password = service.password.as_ref().map(Password::reveal);
        manager::create(&service.name, &configuration(service), password)
    }

    fn change(&self, service: &Registration, account: bool) -> io::Result<()> {
        let password = service.password.as_ref().map(Password::reveal);
        manager::change(&service.name, &configuration(service), account, password)
    }

    fn set(&self, name: &str, setting: &Setting) -> io::Result<()> {
        match setting {
            Setting::Description(text) => manager::set_description(name, text),
            Setting::Delayed(on) => manager::set_delayed(name, *on),
            Setting::Recovery(recovery) => manager::set_recovery(name, &written(recovery)),
            Setting::NonCrash(on) => manager::set_non_crash(name, *on),
            Setting::Preshutdown(time) => manager::set_preshutdown(name, milliseconds(*time)),
            Setting::Sid(sid) => manager::set_sid(
                name,
                match sid {
                    ServiceSid::None => 0,
                    ServiceSid::Unrestricted => 1,
                    ServiceSid::Restricted => 3,
                },
            ),
            Setting::Privileges(privileges) => manager::set_privileges(name, privileges),
        }
    }

    fn configuration(&self, name: &str) -> io::Result<Registration> {
        let found = manager::configuration(name)?;
        let preshutdown = known(manager::preshutdown(name).map(Some))?;
        Ok(Registration {
            name: name.to_owned(),
            kind: found.kind,
            image_path: found.image_path,
            display_name: found.display_name,
            description: known(manager::description(name))?,
            start: found.start,
            delayed: known(manager::delayed(name))?,
            account: found.account,
            dependencies: found.dependencies,
            recovery: read(
                known(manager::recovery(name))?,
                known(manager::non_crash(name))?,
            ),
            preshutdown: preshutdown.map(|time| Duration::from_millis(time.into())),
            sid: match known(manager::sid(name))? {
                1 => ServiceSid::Unrestricted,
                3 => ServiceSid::Restricted,
                _ => ServiceSid::None,
            },
            privileges: known(manager::privileges(name))?,
            environment: Vec::new(),
            event_messages: None,
            rights: Vec::new(),
            password: None,
        })
    }

    fn state(&self, name: &str) -> io::Result<RunState> {
        let state = manager::state(name)?;
        Ok(RunState {
            state: state.state,
            pid: state.pid,
            exit: state.exit,
            own_exit: state.own_exit,
            checkpoint: state.checkpoint,
        })
    }

    fn start(&self, name: &str) -> io::Result<()> {
        manager::start(name, &[])
    }

    fn control(&self, name: &str, code: u32) -> io::Result<()> {
        manager::control(name, code)
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        manager::delete(name)
    }

    fn dependents(&self, name: &str) -> io::Result<Vec<String>> {
        manager::dependents(name)
    }

    fn ended(&self, pid: u32, within: Duration) -> io::Result<bool> {
        manager::wait_for_process(pid, within)
    }

    fn value(&self, key: &str, name: &str) -> io::Result<Option<Value>> {
        Ok(match registry::value(key, name)? {
            Some(registry::Value::Text(text)) => Some(Value::Text(text)),
            Some(registry::Value::Expanded(text)) => Some(Value::Expanded(text)),
            Some(registry::Value::Texts(texts)) => Some(Value::Texts(texts)),
            Some(registry::Value::Number(number)) => Some(Value::Number(number)),
            Some(registry::Value::Other) | None => None,
        })
    }

    fn set_value(&self, key: &str, name: &str, value: &Value) -> io::Result<()> {
        let value = match value.clone() {
            Value::Text(text) => registry::Value::Text(text),
            Value::Expanded(text) => registry::Value::Expanded(text),
            Value::Texts(texts) => registry::Value::Texts(texts),
            Value::Number(number) => registry::Value::Number(number),
        };
        registry::set(key, name, &value)
    }

    fn delete_value(&self, key: &str, name: &str) -> io::Result<()> {
        registry::delete_value(key, name)
    }

    fn delete_key(&self, key: &str) -> io::Result<()> {
        registry::delete_tree(key)
    }

    fn keys(&self, key: &str) -> io::Result<Vec<String>> {
        registry::keys(key)
    }

    fn account_exists(&self, name: &str) -> io::Result<bool> {
        Ok(account::sid_of(name)?.is_some())
    }

    fn may_be_service(&self, name: &str) -> io::Result<bool> {
        account::may_be_service(AccountName::new(name).looked_up())
    }

    fn let_be_service(&self, name: &str, allowed: bool) -> io::Result<()> {
        account::let_be_service(AccountName::new(name).looked_up(), allowed)
    }

    fn allow(&self, account: &str, right: &Right) -> io::Result<()> {
        access::allow(
            &right.path,
            &identifier(account)?,
            as_platform(right.access),
        )
    }

    fn forbid(&self, account: &str, right: &Right) -> io::Result<()> {
        access::forbid(
            &right.path,
            &identifier(account)?,
            as_platform(right.access),
        )
    }
}
