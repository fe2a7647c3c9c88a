//! Units with a user of their own, as far as an ordinary account and Wine can have them: abide's own account, and others
//! which that may not start programs as.

use crate::shop::{Shop, running, wait_until};

/// Who this test runs as.
fn own() -> String {
    std::env::var("USERNAME").expect("Windows sets it")
}

#[test]
fn a_unit_with_abides_own_account_is_started_as_ever() {
    let shop = Shop::new();
    let (bare, local) = (own(), format!(r".\{}", own()));
    let [one, two] = [&bare, &local].map(|name| format!("user = '{name}'"));
    shop.configure(&[("bare", "idle", &one), ("local", "idle", &two)]);
    shop.ask(&["up"]);
    for (name, user) in [("bare", &bare), ("local", &local)] {
        shop.wait_for(name, running);
        wait_until("its program", || {
            (shop.starts(name).len() == 1).then_some(())
        });
        // As it would stand in a configuration file.
        let shown = shop.ask(&["show", name]);
        assert!(shown.contains(&user.replace('\\', r"\\")), "{shown}");
    }
    shop.ask(&["down"]);
}

#[test]
fn a_unit_of_somebody_whom_abide_may_not_be_fails_to_start_as_its_policy_says() {
    let shop = Shop::new();
    let more = "user = 'LocalService'\nbackoff = { initial = \"10ms\", max = \"20ms\" }\ngive_up = { restarts = 3, within = \"100m\" }";
    shop.configure(&[("other", "idle", more), ("own", "idle", "")]);
    shop.run(&["up"]);
    let unit = shop.wait_for("other", |unit| unit["state"] == "failed");
    let said = unit.to_string();
    let why = r"run as NT AUTHORITY\\LocalService: abide's own account lacks SeAssignPrimaryTokenPrivilege";
    assert!(said.contains(why), "{unit:#}");
    assert_eq!(shop.starts("other").len(), 0);
    shop.wait_for("own", running);
    shop.ask(&["down"]);
}

#[test]
fn who_cannot_be_a_user_is_told_before_anything_is_started() {
    let shop = Shop::new();
    shop.write("password", "geheim");
    for (more, why) in [
        (
            "user = 'nobody-here'",
            "there is no user .\\nobody-here on this machine",
        ),
        (
            r"user = 'NT SERVICE\web'",
            "only the Service Control Manager logs a virtual account on",
        ),
        (
            "user = 'LocalService'\npassword_file = 'password'",
            "has no password that anybody knows",
        ),
        ("password_file = 'password'", "it is nobody's"),
        ("group = 'Users'", "a process has the groups of its account"),
    ] {
        shop.configure(&[("other", "idle", more)]);
        let checked = shop.run(&["check"]);
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert_eq!(checked.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
        assert!(!said.contains("geheim"), "{said}");
    }
}
