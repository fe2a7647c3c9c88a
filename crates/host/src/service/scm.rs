//! What only the Service Control Manager of Windows can be told of a service.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Settings that other managers do not have. They pass over them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ScmSettings {
    /// Load-order groups of which a member must run first, beside the services of
    /// [`Service::dependencies`](crate::Service::dependencies).
    pub groups: Vec<String>,
    /// The password of the account. Accounts of the system, virtual ones (`NT SERVICE\NAME`) and managed ones (a name
    /// that ends with `$`) have none.
    pub password: Option<Password>,
    /// What is done when the service fails; `None`: what [`Service::restart`](crate::Service::restart) and
    /// [`Service::restart_delay`](crate::Service::restart_delay) say.
    pub recovery: Option<Recovery>,
    /// How long it may take to end when the machine shuts down, for services that take that control; `None`:
    /// [`Service::stop_timeout`](crate::Service::stop_timeout), or what Windows gives (3 minutes, 10 s since Windows 10
    /// 15063).
    pub preshutdown: Option<Duration>,
    /// Whether it has an identifier of its own (`NT SERVICE\NAME`) that rights can be given to.
    pub sid: ServiceSid,
    /// Of the account's privileges, those that it keeps (`SeChangeNotifyPrivilege`, …); none listed: all.
    pub privileges: Vec<String>,
    /// The file whose message table has the texts of what it reports to the Event Log; names of variables
    /// (`%SystemRoot%`) are replaced. A source of the service's name is registered; `None`: none is.
    pub event_messages: Option<String>,
    /// What the account, or the service's identifier, is to be able to do with folders and files of the service's: given when
    /// it is installed, taken away when it is removed. `LocalSystem` needs none as an account.
    pub rights: Vec<Right>,
}

/// What somebody may do with a folder and all that is in it, or with a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Right {
    /// Who.
    pub holder: Holder,
    /// With which.
    pub path: PathBuf,
    /// What.
    pub access: Access,
}

/// Who has a [`Right`] because of a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holder {
    /// Its account.
    Account,
    /// Its own identifier, `NT SERVICE\NAME`: what a restricted service is to write to must be open to that, too.
    Identifier,
}

/// What can be done with a folder or a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Reading, writing, executing, removing.
    Change,
    /// Reading and executing.
    Read,
}

/// Whether a service's own identifier is in its token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ServiceSid {
    /// No.
    #[default]
    None,
    /// Yes.
    Unrestricted,
    /// Yes, and it can write only to what that identifier, or everybody, may write to.
    Restricted,
}

/// What the manager does when a service fails.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovery {
    /// For the first failure, the second, …; the last one for all that follow. Empty: nothing.
    pub actions: Vec<RecoveryAction>,
    /// After so long without a failure the count begins anew. Whole seconds.
    pub reset: Duration,
    /// A stop with an error is a failure, too, and not only a process that ended without having said that it
    /// stopped.
    pub non_crash: bool,
    /// The command line of [`RecoveryKind::Run`].
    pub command: Option<String>,
    /// What users are told before [`RecoveryKind::Reboot`].
    pub reboot_message: Option<String>,
}

/// One step of a [`Recovery`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecoveryAction {
    /// What is done.
    pub kind: RecoveryKind,
    /// How long after the failure. Whole milliseconds.
    pub after: Duration,
}

/// What can be done when a service fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecoveryKind {
    /// Nothing.
    None,
    /// The service is started again.
    Restart,
    /// The machine is restarted.
    Reboot,
    /// The command is run.
    Run,
}

/// A password. It is in no text that is made of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// This one.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As it is, for whoever hands it on.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}
