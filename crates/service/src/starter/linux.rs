use std::io::{IsTerminal, stderr, stdin, stdout};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Starter;

/// What is looked at, apart from the looking.
#[derive(Default)]
struct Signs {
    pid: u32,
    parent: u32,
    parent_name: String,
    systemd_exec_pid: Option<u32>,
    invocation: bool,
    /// `JOURNAL_STREAM` names what stderr is.
    journal: bool,
    abide: bool,
    terminal: bool,
    container: bool,
}

pub(super) fn find() -> Starter {
    judge(&look())
}

fn judge(signs: &Signs) -> Starter {
    let systemd = signs.systemd_exec_pid == Some(signs.pid)
        // Before 248: a shell that somebody opened in a unit has the variables, but not the journal at stderr.
        || (signs.systemd_exec_pid.is_none()
            && signs.invocation
            && signs.journal
            && signs.parent_name == "systemd");
    if systemd {
        return Starter::Systemd;
    }
    if signs.abide && !signs.terminal {
        return Starter::Abide;
    }
    if signs.terminal {
        return Starter::Person;
    }
    match signs.parent_name.as_str() {
        // The kernel keeps fifteen characters of a name.
        "runsv" | "s6-supervise" | "supervise" | "supervisord" | "dinit" | "launchd"
        | "circusd" => Starter::Supervisor,
        "supervise-daemo" | "start-stop-daem" => Starter::Init,
        _ if signs.parent == 1 && !signs.container => Starter::Init,
        _ => Starter::Person,
    }
}

fn look() -> Signs {
    let parent = std::os::unix::process::parent_id();
    let number = |name: &str| std::env::var(name).ok()?.parse().ok();
    Signs {
        pid: std::process::id(),
        parent,
        parent_name: read(&format!("/proc/{parent}/comm")),
        systemd_exec_pid: number("SYSTEMD_EXEC_PID"),
        invocation: std::env::var_os("INVOCATION_ID").is_some(),
        journal: journal_reads_stderr(),
        abide: std::env::var_os("ABIDE_UNIT").is_some(),
        terminal: stdin().is_terminal() || stdout().is_terminal() || stderr().is_terminal(),
        container: in_container(),
    }
}

/// Whether stderr is the stream to the journal that `JOURNAL_STREAM` names (systemd.exec(5)).
pub(crate) fn journal_reads_stderr() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(stat) = std::fs::metadata("/proc/self/fd/2") else {
        return false;
    };
    stream == format!("{}:{}", stat.dev(), stat.ino())
}

/// The marks that container managers leave; process 1 of another name is no proof of one.
fn in_container() -> bool {
    std::env::var_os("container").is_some()
        || [
            "/run/.containerenv",
            "/.dockerenv",
            "/run/systemd/container",
        ]
        .iter()
        .any(|mark| Path::new(mark).exists())
}

fn read(path: &str) -> String {
    // A process that is not to be looked at is one that says nothing.
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(parent: u32, parent_name: &str) -> Signs {
        Signs {
            pid: 100,
            parent,
            parent_name: parent_name.to_owned(),
            ..Signs::default()
        }
    }

    #[test]
    fn systemd_is_known_by_its_word_about_this_very_process() {
        let mut of_systemd = signs(1, "systemd");
        of_systemd.systemd_exec_pid = Some(100);
        assert_eq!(judge(&of_systemd), Starter::Systemd);
        // A shell in a terminal that systemd started hands its variables on.
        let mut below = signs(99, "bash");
        below.systemd_exec_pid = Some(98);
        below.invocation = true;
        below.terminal = true;
        assert_eq!(judge(&below), Starter::Person);
    }

    #[test]
    fn a_terminal_is_a_person_and_abide_without_one_is_abide() {
        let mut by_hand = signs(99, "bash");
        by_hand.terminal = true;
        assert_eq!(judge(&by_hand), Starter::Person);
        by_hand.abide = true;
        assert_eq!(judge(&by_hand), Starter::Person);
        let mut guarded = signs(99, "abide");
        guarded.abide = true;
        assert_eq!(judge(&guarded), Starter::Abide);
    }

    #[test]
    fn a_child_of_process_one_is_a_service_but_not_in_a_container() {
        assert_eq!(judge(&signs(1, "init")), Starter::Init);
        let mut contained = signs(1, "sh");
        contained.container = true;
        assert_eq!(judge(&contained), Starter::Person);
    }

    #[test]
    fn a_supervisor_is_known_by_its_name_and_a_pipe_is_a_person() {
        assert_eq!(judge(&signs(50, "runsv")), Starter::Supervisor);
        assert_eq!(judge(&signs(50, "supervise-daemo")), Starter::Init);
        assert_eq!(judge(&signs(50, "bash")), Starter::Person);
    }
}
