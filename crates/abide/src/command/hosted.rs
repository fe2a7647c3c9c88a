//! Commands that look at one unit find that of a service as well, in the home that is there for it alone.

use super::Context;
use crate::client::{Client, Error};
use crate::installed;
use abide_daemon::installed::find;

/// If this home has no unit of that name, and a service has: turns to that service's home, where the name becomes
/// that of the unit.
pub(super) async fn turn_to(context: &mut Context<'_>, name: &mut String) {
    let Some(service) = find(name) else { return };
    let Some(unit) = &service.note.unit else {
        return;
    };
    match context.client.unit(name).await {
        Ok(_) => return,
        // Its log is still to be read.
        Err(Error::NoDaemon) if has_log(context, name) => return,
        Err(_) => {}
    }
    *name = unit.name.to_string();
    context.client = Client::new(installed::home(&service));
}

/// As [`turn_to`], where patterns can be given: for one of them.
pub(super) async fn turn_to_one(context: &mut Context<'_>, patterns: &mut [String]) {
    if let [name] = patterns {
        turn_to(context, name).await;
    }
}

fn has_log(context: &Context<'_>, name: &str) -> bool {
    let home = abide_daemon::home::Home::new(context.client.home().directory.clone());
    name.parse()
        .is_ok_and(|unit| home.unit_logs(&unit).is_dir())
}
