//! `reload`: how a unit is told to read its configuration again.

use std::time::Duration;

use abide_model::{Command, Reload, ReloadAction, Signal};

use super::Reader;
use super::command::command;
use super::hook::Written as WrittenHook;
use super::probe::Here;
use crate::keys::Table;
use crate::values::Wrong;

/// `reload` as it is written.
#[derive(Clone)]
pub(super) struct Written {
    action: Action,
    pub confirm: bool,
    within: Duration,
}

#[derive(Clone)]
enum Action {
    Signal(Signal),
    Command(WrittenHook),
}

/// Reads `reload`.
pub(super) fn reload(reader: &Reader<'_>) -> Option<Written> {
    let table = reader.tables("reload", Table::Reload)?;
    let action = action(&table);
    let confirm = table.get_or("confirm", false);
    let within: Duration = table.get_or("within", Reload::WITHIN);
    if let Some(field) = table.field("within").filter(|_| within.is_zero()) {
        let wrong = Wrong::new("nothing is reloaded in no time").help("such as \"30s\"");
        table.wrong(&field, wrong);
    }
    Some(Written {
        action: action?,
        confirm,
        within,
    })
}

fn action(table: &Reader<'_>) -> Option<Action> {
    let (by_signal, by_command) = (table.field("signal"), table.field("command"));
    if let (Some(signal), Some(command)) = (&by_signal, &by_command)
        && signal.kind == command.kind
    {
        let wrong = Wrong::new("`signal` and `command` are two ways to do it")
            .help("take one of them out; a command finds the main process in MAINPID");
        table.wrong(signal, wrong);
        return None;
    }
    // What the unit says holds, whatever [defaults] say.
    let field = by_command.filter(|command| {
        by_signal
            .as_ref()
            .is_none_or(|signal| signal.kind < command.kind)
    });
    let Some(field) = field else {
        if table.field("shell").is_some() && table.field("command").is_none() {
            table.get::<bool>("shell");
        }
        return Some(Action::Signal(table.get_or("signal", Signal::HUP)));
    };
    let (command, spans) = command(table)?;
    Some(Action::Command(WrittenHook::new(
        &field,
        spans.first().cloned(),
        command,
    )))
}

impl Written {
    /// The reload of one instance; a program that is not there is reported.
    pub fn settle(&self, reader: &Reader<'_>, here: &Here<'_>) -> Reload {
        let action = match &self.action {
            Action::Signal(signal) => ReloadAction::Signal(*signal),
            Action::Command(written) => {
                let command: Command = written.settle(reader, here).command;
                ReloadAction::Command(command)
            }
        };
        Reload {
            action,
            confirm: self.confirm,
            within: self.within,
        }
    }
}
