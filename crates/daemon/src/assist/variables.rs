//! What a command that runs on behalf of a unit is told in its environment (docs/hooks.md).

use abide_model::{ExitStatus, HookKind, LastExit, RunId, UnitName};

/// What a command is about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The unit.
    pub unit: &'a UnitName,
    /// The hook that it is; `None`: a reload command or a probe.
    pub hook: Option<HookKind>,
    /// The run that it is about: the one that begins, is there, or has ended.
    pub run: RunId,
    /// Restarts by abide since a person started the unit.
    pub restarts: u64,
    /// How the last run ended. One of an earlier run than `run` is told, too: what `before_start` of a
    /// restart wants to know.
    pub exit: Option<&'a LastExit>,
    /// The main process, if one lives.
    pub main: Option<u32>,
}

/// The variables, in the order of the documentation. What is not known is not set, so that a program
/// can tell it from an empty value.
#[must_use]
pub fn variables(about: &About<'_>) -> Vec<(String, String)> {
    let mut set = Vec::new();
    let mut put = |name: &str, value: String| set.push((name.to_owned(), value));
    put("ABIDE_UNIT", about.unit.to_string());
    if let Some(instance) = about.unit.instance() {
        put("ABIDE_INSTANCE", instance.to_owned());
    }
    if let Some(hook) = about.hook {
        put("ABIDE_HOOK", hook.as_str().to_owned());
    }
    put("ABIDE_RUN_ID", about.run.0.to_string());
    put("ABIDE_RESTARTS", about.restarts.to_string());
    if let Some(exit) = about.exit {
        put("ABIDE_EXIT_REASON", exit.reason.clone());
        match &exit.status {
            ExitStatus::Code(code) => put("ABIDE_EXIT_CODE", code.to_string()),
            ExitStatus::Signal { signal, .. } => put("ABIDE_EXIT_SIGNAL", signal.to_string()),
            ExitStatus::SpawnFailed(_) | ExitStatus::Unknown => {}
        }
    }
    if let Some(pid) = about.main {
        put("MAINPID", pid.to_string());
    }
    set
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use abide_model::{Signal, Wall};

    use super::*;

    fn text(about: &About<'_>) -> String {
        let lines = variables(about)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_hook_after_a_crash_is_told_how_the_run_ended() {
        let unit = UnitName::new("shop:web@2").expect("a name");
        let exit = LastExit {
            status: ExitStatus::Signal {
                signal: Signal(11),
                core: true,
            },
            at: Wall(0),
            run: RunId(7),
            ran_for: Duration::from_secs(3),
            output_may_be_lost: false,
            reason: "killed by SIGSEGV (core dumped)".into(),
        };
        let about = About {
            unit: &unit,
            hook: Some(HookKind::OnFailure),
            run: RunId(7),
            restarts: 3,
            exit: Some(&exit),
            main: None,
        };
        assert_eq!(
            text(&about),
            "ABIDE_UNIT=shop:web@2\nABIDE_INSTANCE=2\nABIDE_HOOK=on_failure\nABIDE_RUN_ID=7\n\
             ABIDE_RESTARTS=3\nABIDE_EXIT_REASON=killed by SIGSEGV (core dumped)\nABIDE_EXIT_SIGNAL=SIGSEGV"
        );
    }

    #[test]
    fn a_reload_command_finds_the_main_process_and_no_exit() {
        let unit = UnitName::new("web").expect("a name");
        let about = About {
            unit: &unit,
            hook: None,
            run: RunId(1),
            restarts: 0,
            exit: None,
            main: Some(42),
        };
        assert_eq!(
            text(&about),
            "ABIDE_UNIT=web\nABIDE_RUN_ID=1\nABIDE_RESTARTS=0\nMAINPID=42"
        );
    }
}
