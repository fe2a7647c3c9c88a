use super::*;

#[test]
fn a_name_that_a_manager_cannot_have_is_refused_with_the_reason() {
    for good in ["web", "Web-2.1_x", "9p"] {
        assert!(name(good, Kind::Runit).is_ok(), "{good}");
    }
    assert!(name("getty@tty1", Kind::Systemd).is_ok());
    let long = "x".repeat(201);
    for (bad, why) in [
        ("", "empty"),
        ("a/b", "'/'"),
        ("../x", "'/'"),
        (".hidden", "begin"),
        ("-x", "begin"),
        ("a b", "' '"),
        ("web.service", "ending"),
        ("web@1", "'@'"),
        ("größe", "'ö'"),
        (&long, "longer"),
    ] {
        let error = name(bad, Kind::Runit).expect_err(bad).to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn what_is_wrong_is_found_before_anything_is_written() {
    let service = |change: &dyn Fn(&mut Service)| {
        let mut service = Service::new("web", "/bin/sh");
        change(&mut service);
        settings(&service, Kind::Systemd, Scope::System)
            .and_then(|()| machine(&service, Kind::Systemd, Path::new("/")))
            .map_err(|error| error.to_string())
    };
    assert_eq!(service(&|_| {}), Ok(()));
    type Change<'a> = &'a dyn Fn(&mut Service);
    let cases: [(Change<'_>, &str); 12] = [
        (&|s| s.program = "sh".into(), "not an absolute path"),
        (&|s| s.program = "/no/such/program".into(), "is not there"),
        (&|s| s.program = "/etc".into(), "is a directory"),
        (&|s| s.program = "/etc/passwd".into(), "not executable"),
        (&|s| s.directory = Some("/no/such".into()), "is not there"),
        (&|s| s.directory = Some("x".into()), "not an absolute path"),
        (
            &|s| s.user = Some("no-such-user".into()),
            "there is no user",
        ),
        (
            &|s| s.group = Some("no-such-group".into()),
            "there is no group",
        ),
        (
            &|s| s.description = Some("a\n[Service]".into()),
            "more than one line",
        ),
        (
            &|s| drop(s.environment.insert("A B".into(), String::new())),
            "no name of a variable",
        ),
        (
            &|s| s.dependencies = vec!["a b".into()],
            "no name of a service",
        ),
        (&|s| s.reload_signal = Some("HUP; rm".into()), "no signal"),
    ];
    for (change, why) in cases {
        let error = service(change).expect_err(why);
        assert!(error.contains(why), "{error}");
    }
}
