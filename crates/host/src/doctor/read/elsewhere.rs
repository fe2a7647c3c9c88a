//! Systems without a Service Control Manager.

use crate::doctor::scm::{Found, ScmFacts};
use crate::manager::Examined;

/// Nothing but what was told: no such manager is there to tell anything.
pub(in crate::doctor) fn service(examined: Examined) -> ScmFacts {
    ScmFacts {
        registration: examined.registration,
        ours: examined.ours,
        program: examined.program.map(Into::into),
        found: Found::Hidden,
        meant: None,
        changers: Vec::new(),
        account: examined.account,
        missing: examined.missing,
        texts: None,
    }
}
