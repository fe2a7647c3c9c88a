//! `abide uninstall`: stops a service of the operating system, and removes all that `install` has written.

use std::io::Write as _;

use abide_host::{Manager, Scope, State};
use serde_json::json;

use super::install::refused;
use super::{Answer, Context, write_json};
use crate::args::UninstallArgs;
use crate::failure::Code;
use crate::installed;

pub(super) fn run(context: &mut Context<'_>, args: &UninstallArgs) -> Answer {
    let noted = abide_daemon::installed::find(&args.name)
        .filter(|noted| !args.at.user || noted.scope == Scope::User)
        .filter(|noted| {
            args.at
                .manager
                .is_none_or(|kind| kind.as_str() == noted.note.manager)
        });
    let manager = match (&noted, args.at.manager) {
        (Some(noted), _) => installed::manager(noted),
        (None, kind) => {
            let scope = if args.at.user {
                Scope::User
            } else {
                Scope::System
            };
            kind.map_or_else(|| Manager::detect(scope), |kind| Manager::of(kind, scope))
        }
    };
    let manager = manager.map_err(refused)?;
    let there = manager.status(&args.name).map_err(refused)?.state != State::NotInstalled;
    // What was half removed, or lost its manager's part otherwise, can be removed, too.
    if there || noted.is_none() {
        manager
            .uninstall(&args.name, args.timeout)
            .map_err(refused)?;
    }
    if let Some(noted) = &noted {
        installed::forget(noted, !args.keep_logs)?;
    }
    if args.json {
        let answer = json!({ "name": args.name, "manager": manager.kind().as_str() });
        write_json(context.out, &answer)?;
    } else {
        writeln!(context.out, "{} is gone", args.name)?;
    }
    Ok(Code::Done)
}
