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
