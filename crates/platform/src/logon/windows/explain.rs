//! Why nobody could be logged on, in words that say what to do.

use std::io;
use std::path::Path;
use std::time::Duration;

use abide_model::{AccountKind, AccountName};
use windows_sys::Win32::Foundation::{
    ERROR_ACCOUNT_DISABLED, ERROR_ACCOUNT_EXPIRED, ERROR_ACCOUNT_LOCKED_OUT,
    ERROR_ACCOUNT_RESTRICTION, ERROR_INVALID_LOGON_HOURS, ERROR_INVALID_WORKSTATION,
    ERROR_LOGON_FAILURE, ERROR_LOGON_TYPE_NOT_GRANTED, ERROR_NO_LOGON_SERVERS,
    ERROR_NO_SUCH_DOMAIN, ERROR_PASSWORD_EXPIRED, ERROR_PASSWORD_MUST_CHANGE,
    ERROR_TRUSTED_RELATIONSHIP_FAILURE,
};

use super::Refused;
use super::refusals::PAUSE;
use crate::exit::errno_text;
use crate::win32::code;

/// The system's words.
pub(super) fn words(error: &io::Error) -> String {
    error
        .raw_os_error()
        .map_or_else(|| error.to_string(), errno_text)
}

/// abide itself may not start anything as somebody else.
pub(super) fn lacking(name: &AccountName, lacking: &[&str]) -> String {
    format!(
        "run as {name}: abide's own account lacks {}; have abide run as a service with LocalSystem (`abide install`), which has it, or take \
         `user` out",
        lacking.join(" and ")
    )
}

/// Others may read the file with the password.
pub(super) fn readers(path: &Path, readers: &[String]) -> String {
    let path = path.display();
    let who = readers.join(" and ");
    format!(
        "{who} may read its password in {path}; leave that to its owner, administrators and the system: \
         `icacls \"{path}\" /inheritance:r /grant:r *S-1-5-32-544:F *S-1-5-18:F`"
    )
}

/// The same password was refused not long ago.
pub(super) fn not_again(file: &Path, ago: Duration) -> String {
    format!(
        "what {} holds was refused as its password {} s ago, and is not tried again for {} min, since wrong passwords lock an account; write \
         the right one, or save the file again to have it tried at once",
        file.display(),
        ago.as_secs(),
        PAUSE.as_secs() / 60
    )
}

/// LogonUserW has failed.
pub(super) fn logon(name: &AccountName, file: Option<&Path>, error: &io::Error) -> Refused {
    let holds = file.map_or_else(String::new, |file| file.display().to_string());
    let why = match code(error) {
        Some(ERROR_LOGON_FAILURE) if file.is_some() => {
            format!("what {holds} holds is not its password; write the right one into the file")
        }
        Some(ERROR_LOGON_FAILURE) if name.kind() == AccountKind::Managed => {
            "this machine may not use this managed account, or there is none of this name; see `Test-ADServiceAccount`, and \
             `Install-ADServiceAccount`"
                .to_owned()
        }
        Some(ERROR_LOGON_TYPE_NOT_GRANTED) => {
            "it may log on neither as a service nor as a batch job; give it \"Log on as a service\" (secpol.msc, Local Policies, User Rights \
             Assignment), and see that nothing there denies it"
                .to_owned()
        }
        Some(ERROR_ACCOUNT_DISABLED) => {
            "the account is disabled; enable it (`Enable-LocalUser`)".to_owned()
        }
        Some(ERROR_ACCOUNT_LOCKED_OUT) => {
            "the account is locked, after too many wrong passwords; unlock it, or wait until Windows does".to_owned()
        }
        Some(ERROR_ACCOUNT_EXPIRED) => {
            "the account has expired; give it another date (`Set-LocalUser -AccountExpires`)".to_owned()
        }
        Some(ERROR_PASSWORD_EXPIRED) => format!(
            "its password has expired; set a new one and write it into {holds}, or let it never expire (`Set-LocalUser \
             -PasswordNeverExpires`)"
        ),
        Some(ERROR_PASSWORD_MUST_CHANGE) => format!(
            "its password must be changed at the first logon; set one that need not be, and write it into {holds}"
        ),
        Some(ERROR_ACCOUNT_RESTRICTION) => {
            "a policy of Windows forbids it, such as that an account without a password logs on at the machine alone; give it a password"
                .to_owned()
        }
        Some(ERROR_INVALID_LOGON_HOURS) => {
            "it may not log on at this time of the week; change its hours (`net user NAME /times:all`)".to_owned()
        }
        Some(ERROR_INVALID_WORKSTATION) => {
            "it may not log on at this machine; change that at its domain".to_owned()
        }
        Some(ERROR_NO_LOGON_SERVERS | ERROR_NO_SUCH_DOMAIN | ERROR_TRUSTED_RELATIONSHIP_FAILURE) => {
            format!("its domain cannot be asked ({})", words(error))
        }
        _ => words(error),
    };
    Refused {
        code: code(error),
        text: format!("log on as {name}: {why}"),
    }
}
