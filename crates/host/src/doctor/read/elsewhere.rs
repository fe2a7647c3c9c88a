//! Systems without a Service Control Manager.

use std::path::PathBuf;

use crate::doctor::scm::ScmFacts;
use crate::doctor::scm::account::Account;
use crate::doctor::scm::execution::{Execution, Found, Program, Thing};
use crate::doctor::service::Unit;
use crate::manager::Examined;

/// Nothing but what was told: no such manager is there to tell anything.
pub(in crate::doctor) fn service(examined: Examined, _: Option<&Unit>) -> ScmFacts {
    ScmFacts {
        account: Account {
            there: examined.account,
            is_windows_own: !examined.needs_log_on,
            ..Account::default()
        },
        registration: examined.registration,
        ours: examined.ours,
        leaving: examined.leaving,
        meant: None,
        missing: examined.missing,
        disabled: examined.disabled,
        execution: Execution {
            programs: examined.program.map(unseen).into_iter().collect(),
            account: examined.account_name,
            ..Execution::default()
        },
        texts: None,
    }
}

fn unseen(program: String) -> Program {
    Program {
        by: "ImagePath".to_owned(),
        thing: Some(Thing {
            path: PathBuf::from(&program),
            found: Found::Hidden,
            way: Vec::new(),
        }),
        named: program,
        of_a_session: false,
        is_service: true,
    }
}

/// Files are judged by their modes here.
pub(in crate::doctor) fn unit(_: &Unit) -> Option<Execution> {
    None
}
