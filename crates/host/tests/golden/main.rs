//! What is written for each manager, word for word. `ABIDE_GOLDEN=write cargo test -p abide-host --test golden` writes
//! what is written now; the difference is to be read before it is kept.

#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use abide_host::{
    Kind, Manager, NotifyFrom, Ready, Restart, Sandbox, Scope, Service, Start, StopTo,
};

/// Nothing but what has to be said.
fn plain() -> Service {
    Service::new("web", "/usr/bin/web")
}

/// Everything, with all that some manager might take for something else.
fn everything() -> Service {
    let mut service = plain();
    service.display_name = Some("Shop".into());
    service.description = Some("sells 100% of $HOME's \"things\"".into());
    service.program = "/opt/my shop/50%/web".into();
    service.arguments = [
        "--root", "/srv/a b", "$HOME", "it's", "\"", "\\", ";", "", "a\nb", "größe", "<&>",
    ]
    .map(str::to_owned)
    .to_vec();
    service.directory = Some("/srv/shop pages".into());
    service.environment = [("GREETING", "a \"b\" $c %d"), ("PORT", "8000")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    service.user = Some("www-data".into());
    service.group = Some("www".into());
    service.start = Start::Delayed;
    service.dependencies = vec!["db".into(), "mq.socket".into()];
    service.ready = Ready::Notify {
        from: NotifyFrom::Main,
    };
    service.watchdog = Some(Duration::from_secs(30));
    service.start_timeout = Some(Duration::from_secs(60));
    service.stop_timeout = Some(Duration::from_millis(12_500));
    service.stop_to = StopTo::Main;
    service.restart = Restart::OnAbnormal;
    service.restart_delay = Duration::from_millis(250);
    service.reload_signal = Some("HUP".into());
    service.delegate = true;
    service.sandbox = Some(Sandbox {
        network: true,
        writable: vec!["/srv/up loads".into()],
    });
    service
}

/// Not by itself, and never again.
fn manual() -> Service {
    let mut service = plain();
    service.start = Start::Manual;
    service.restart = Restart::Never;
    service
}

fn manager(kind: Kind, root: &Path) -> Manager {
    Manager::below(kind, Scope::System, root).expect("it writes for other systems")
}

#[test]
fn what_is_written_for_each_manager_is_as_it_was() {
    let nowhere = tempfile::tempdir().expect("a directory");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let write = std::env::var_os("ABIDE_GOLDEN").is_some();
    let mut different = Vec::new();
    for kind in [
        Kind::Systemd,
        Kind::Runit,
        Kind::OpenRc,
        Kind::SysV,
        Kind::Launchd,
    ] {
        for (name, service) in [
            ("plain", plain()),
            ("everything", everything()),
            ("manual", manual()),
        ] {
            let plan = manager(kind, nowhere.path())
                .plan_install(&service)
                .expect("a plan");
            let text = plan.to_string();
            let file = folder.join(format!("{kind}-{name}.txt"));
            if write {
                fs::write(&file, &text).expect("write");
            } else if fs::read_to_string(&file).unwrap_or_default() != text {
                different.push(format!("{}:\n{text}", file.display()));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn a_service_goes_into_a_folder_and_out_of_it_again() {
    for kind in [Kind::Systemd, Kind::Runit, Kind::OpenRc, Kind::SysV] {
        let root = tempfile::tempdir().expect("a directory");
        let root = root.path();
        let program = root.join("usr/bin/web");
        fs::create_dir_all(program.parent().expect("a parent")).expect("mkdir");
        fs::write(&program, "#!/bin/sh\n").expect("write");
        fs::set_permissions(
            &program,
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .expect("chmod");
        let manager = manager(kind, root);
        let before = files(root);
        let installed = manager.install(&plain()).expect("it is installed");
        assert_eq!(installed.change, abide_host::Change::New, "{kind}");
        assert_eq!(manager.installed().expect("readable"), ["web"], "{kind}");
        let again = manager.install(&plain()).expect("again");
        assert_eq!(again.change, abide_host::Change::None, "{kind}");
        let mut other = plain();
        other.arguments = vec!["--loud".into()];
        let changed = manager.install(&other).expect("it is changed");
        let abide_host::Change::Changed(changes) = changed.change else {
            panic!("{kind}: nothing was changed");
        };
        assert!(
            changes
                .iter()
                .any(|(_, how)| how.contains("+ ") && how.contains("--loud")),
            "{kind}"
        );
        manager
            .uninstall("web", Duration::from_secs(10))
            .expect("it is removed");
        let left: Vec<PathBuf> = files(root)
            .into_iter()
            .filter(|file| !before.contains(file))
            .collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "{kind}");
        let error = manager
            .uninstall("web", Duration::from_secs(10))
            .expect_err("it is gone");
        assert!(
            matches!(error, abide_host::Error::NotInstalled { .. }),
            "{error}"
        );
    }
}

#[test]
fn what_somebody_else_has_written_is_not_touched() {
    for (kind, file) in [
        (Kind::Systemd, "etc/systemd/system/web.service"),
        (Kind::Runit, "etc/sv/web/run"),
        (Kind::OpenRc, "etc/init.d/web"),
        (Kind::SysV, "etc/init.d/web"),
    ] {
        let root = tempfile::tempdir().expect("a directory");
        let root = root.path();
        for path in [file, "usr/bin/web"] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("mkdir");
            fs::write(&path, "theirs\n").expect("write");
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .expect("chmod");
        }
        let before = files(root);
        let manager = manager(kind, root);
        let error = manager.install(&plain()).expect_err("it is theirs");
        assert!(
            matches!(error, abide_host::Error::Foreign { .. }),
            "{kind}: {error}"
        );
        let error = manager
            .uninstall("web", Duration::from_secs(10))
            .expect_err("it is theirs");
        assert!(
            matches!(error, abide_host::Error::Foreign { .. }),
            "{kind}: {error}"
        );
        assert_eq!(files(root), before, "{kind}");
    }
}

#[test]
fn what_this_machine_cannot_do_is_said() {
    let error =
        Manager::below(Kind::OpenRc, Scope::User, Path::new("/")).expect_err("it has no users");
    assert!(error.to_string().contains("leave out `--user`"), "{error}");
    let scm = Manager::of(Kind::Scm, Scope::System).expect_err("it is that of Windows");
    assert!(matches!(scm, abide_host::Error::NoManager { .. }), "{scm}");
}

/// All files and links below.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).expect("a directory").flatten() {
            if entry.file_type().expect("a type").is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// What systemd itself says of the unit files: nothing.
#[test]
fn systemd_finds_nothing_wrong_with_a_unit_file() {
    let place = tempfile::tempdir().expect("a directory");
    let mut service = everything();
    // What it names has to be there.
    service.program = place.path().join("my shop 50% $x");
    fs::write(&service.program, "#!/bin/sh\n").expect("write");
    fs::set_permissions(
        &service.program,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .expect("chmod");
    (service.user, service.group) = (Some("root".into()), Some("root".into()));
    service.dependencies.clear();
    let plan = manager(Kind::Systemd, Path::new("/"))
        .plan_install(&service)
        .expect("a plan");
    let unit = place.path().join("web.service");
    fs::write(&unit, &plan.files[0].text).expect("write");
    let verify = std::process::Command::new("systemd-analyze")
        .arg("verify")
        .arg("--man=no")
        .arg(&unit)
        .output();
    let Ok(said) = verify else {
        use std::io::Write as _;
        let _ = std::io::stderr().write_all(
            b"SKIPPED systemd_finds_nothing_wrong_with_a_unit_file: no systemd-analyze\n",
        );
        return;
    };
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(
        said.status.success() && !text.contains("web.service"),
        "{text}\n{}",
        plan.files[0].text
    );
    // 50 of 100 is where it ceases to be OK.
    let security = std::process::Command::new("systemd-analyze")
        .args(["security", "--offline=yes", "--threshold=50", "--no-pager"])
        .arg(&unit)
        .output()
        .expect("it was there");
    assert!(
        security.status.success(),
        "{}",
        String::from_utf8_lossy(&security.stdout)
    );
}
