//! Which manager runs this machine.

use std::fs;

use super::{Kind, Scope, Surroundings};
use crate::Error;

/// The manager that runs the machine, or this user's services.
pub(super) fn kind(scope: Scope, around: &Surroundings) -> Result<Kind, Error> {
    if cfg!(windows) {
        return Ok(Kind::Scm);
    }
    if cfg!(target_os = "macos") {
        return Ok(Kind::Launchd);
    }
    let candidates: &[Kind] = match scope {
        Scope::System => &[Kind::Systemd, Kind::OpenRc, Kind::Runit, Kind::SysV],
        Scope::User => &[Kind::Systemd, Kind::Runit],
    };
    if let Some(kind) = candidates.iter().find(|kind| runs(**kind, scope, around)) {
        return Ok(*kind);
    }
    Err(none(scope, around))
}

/// This manager can be spoken to.
pub(super) fn present(kind: Kind, scope: Scope, around: &Surroundings) -> Result<(), Error> {
    let (there, what) = match kind {
        Kind::Systemd => (runs(kind, scope, around), "systemd does not run here"),
        Kind::Runit => (
            on_path("sv"),
            "there is no program sv, which comes with runit",
        ),
        Kind::OpenRc => (
            on_path("rc-service"),
            "there is no program rc-service, which comes with OpenRC",
        ),
        Kind::SysV => (
            around.root.join("etc/init.d").is_dir(),
            "there is no directory /etc/init.d",
        ),
        Kind::Launchd => (cfg!(target_os = "macos"), "launchd is the manager of macOS"),
        Kind::Scm => (
            cfg!(windows),
            "the Service Control Manager is that of Windows",
        ),
    };
    if there {
        return Ok(());
    }
    if kind == Kind::Systemd && scope == Scope::User && runs(kind, Scope::System, around) {
        return Err(none(scope, around));
    }
    let other = self::kind(scope, around).ok();
    Err(Error::NoManager {
        why: what.to_owned(),
        advice: match other {
            Some(other) => format!("this machine is run by {other}: leave out `--manager`"),
            None => advice_without(around),
        },
    })
}

fn runs(kind: Kind, scope: Scope, around: &Surroundings) -> bool {
    let at = |path: &str| around.root.join(path.trim_start_matches('/'));
    match (kind, scope) {
        // sd_booted(3).
        (Kind::Systemd, Scope::System) => at("/run/systemd/system").is_dir(),
        (Kind::Systemd, Scope::User) => around
            .runtime
            .as_ref()
            .is_some_and(|runtime| runtime.join("systemd").is_dir()),
        (Kind::OpenRc, _) => at("/run/openrc").is_dir(),
        (Kind::Runit, Scope::System) => {
            first_process(around).is_some_and(|name| name == "runit") || runsvdir(around)
        }
        (Kind::Runit, Scope::User) => around.svdir.is_some() && runsvdir(around),
        (Kind::SysV, _) => at("/etc/init.d").is_dir() && at("/etc/inittab").is_file(),
        (Kind::Launchd | Kind::Scm, _) => false,
    }
}

/// What process 1 is called.
fn first_process(around: &Surroundings) -> Option<String> {
    let name = fs::read_to_string(around.root.join("proc/1/comm")).ok()?;
    Some(name.trim().to_owned())
}

/// Some runsvdir runs, perhaps under another init.
fn runsvdir(around: &Surroundings) -> bool {
    let processes = fs::read_dir(around.root.join("proc"))
        .into_iter()
        .flatten()
        .flatten();
    processes
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with(|c: char| c.is_ascii_digit())
        })
        .any(|entry| {
            fs::read_to_string(entry.path().join("comm"))
                .is_ok_and(|name| name.trim() == "runsvdir")
        })
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// There is none: what there is, and what to do.
fn none(scope: Scope, around: &Surroundings) -> Error {
    if scope == Scope::User && runs(Kind::Systemd, Scope::System, around) {
        let why = match &around.runtime {
            None => {
                "this session has no XDG_RUNTIME_DIR, so no systemd of this user's own can be reached"
            }
            Some(_) => "no systemd of this user's own runs",
        };
        return Error::NoManager {
            why: why.to_owned(),
            advice: "log in anew (not by `su` or `sudo`), or as root `loginctl enable-linger USER` and \
                     `systemctl --user -M USER@ …`; without `--user` it becomes a service of the machine"
                .to_owned(),
        };
    }
    Error::NoManager {
        why: match container(around) {
            Some(what) => format!("this is a container ({what}), and none runs in it"),
            None => match first_process(around) {
                Some(name) => format!("process 1 is {name}, which is none that is known here"),
                None => "none is known on this system".to_owned(),
            },
        },
        advice: advice_without(around),
    }
}

fn advice_without(around: &Surroundings) -> String {
    if container(around).is_some() {
        "let abide be the container's program: `abide daemon FILE`".to_owned()
    } else {
        "`abide up` keeps programs running without one; `--manager KIND` names one that is to be used all the same"
            .to_owned()
    }
}

/// What this container is one of, if it is one.
fn container(around: &Surroundings) -> Option<String> {
    if let Some(name) = &around.container {
        return Some(name.clone());
    }
    let files = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];
    let found = files
        .iter()
        .find(|(path, _)| around.root.join(path.trim_start_matches('/')).exists());
    if let Some((_, name)) = found {
        return Some((*name).to_owned());
    }
    let text = fs::read_to_string(around.root.join("run/systemd/container")).ok()?;
    Some(text.trim().to_owned()).filter(|name| !name.is_empty())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::path::Path;

    use super::*;

    /// `path` exists below the root.
    fn make(root: &Path, path: &str, text: Option<&str>) {
        let path = root.join(path);
        match text {
            Some(text) => {
                fs::create_dir_all(path.parent().expect("a parent")).expect("mkdir");
                fs::write(path, text).expect("write");
            }
            None => fs::create_dir_all(path).expect("mkdir"),
        }
    }

    fn around(root: &Path) -> Surroundings {
        Surroundings {
            root: root.to_owned(),
            home: None,
            config_home: None,
            runtime: None,
            svdir: None,
            container: None,
        }
    }

    #[test]
    fn each_manager_is_known_by_what_only_it_has() {
        type Made<'a> = &'a [(&'a str, Option<&'a str>)];
        let cases: [(Made<'_>, Kind); 6] = [
            (&[("run/systemd/system", None)], Kind::Systemd),
            // Under systemd others may have left their scripts.
            (
                &[
                    ("run/systemd/system", None),
                    ("etc/init.d", None),
                    ("etc/inittab", Some("")),
                ],
                Kind::Systemd,
            ),
            (
                &[("run/openrc", None), ("proc/1/comm", Some("init\n"))],
                Kind::OpenRc,
            ),
            (&[("proc/1/comm", Some("runit\n"))], Kind::Runit),
            (
                &[
                    ("proc/1/comm", Some("sh\n")),
                    ("proc/70/comm", Some("runsvdir\n")),
                ],
                Kind::Runit,
            ),
            (
                &[
                    ("proc/1/comm", Some("init\n")),
                    ("etc/init.d", None),
                    ("etc/inittab", Some("")),
                ],
                Kind::SysV,
            ),
        ];
        for (made, is) in cases {
            let root = tempfile::tempdir().expect("a directory");
            for (path, text) in made {
                make(root.path(), path, *text);
            }
            let found = kind(Scope::System, &around(root.path()));
            assert_eq!(found.ok(), Some(is), "{made:?}");
        }
    }

    #[test]
    fn no_manager_is_told_with_what_to_do_instead() {
        let root = tempfile::tempdir().expect("a directory");
        make(root.path(), "proc/1/comm", Some("bash\n"));
        let error = kind(Scope::System, &around(root.path())).expect_err("none");
        let text = error.to_string();
        assert!(
            text.contains("process 1 is bash") && text.contains("`abide up`"),
            "{text}"
        );
        make(root.path(), ".dockerenv", Some(""));
        let text = kind(Scope::System, &around(root.path()))
            .expect_err("none")
            .to_string();
        assert!(
            text.contains("docker") && text.contains("`abide daemon FILE`"),
            "{text}"
        );
    }

    #[test]
    fn a_user_without_a_session_is_told_how_to_get_one() {
        let root = tempfile::tempdir().expect("a directory");
        make(root.path(), "run/systemd/system", None);
        let error = kind(Scope::User, &around(root.path())).expect_err("none");
        assert!(
            error.to_string().contains("loginctl enable-linger"),
            "{error}"
        );
        make(root.path(), "run/user/7/systemd", None);
        let with = Surroundings {
            runtime: Some(root.path().join("run/user/7")),
            ..around(root.path())
        };
        assert_eq!(kind(Scope::User, &with).ok(), Some(Kind::Systemd));
    }
}
