use super::*;

fn read_text(text: &str) -> Definition {
    let around = Around {
        name: "web@1",
        pulled_in: true,
        ours: false,
    };
    read(
        &[("/etc/systemd/system/web@.service".into(), text.to_owned())],
        &around,
    )
}

fn first(text: &str) -> Vec<String> {
    let definition = read_text(&format!("[Service]\nExecStart={text}\n"));
    assert_eq!(definition.findings, [], "{text}");
    let command = definition.commands.into_iter().next();
    command.map_or_else(Vec::new, |command| command.words)
}

#[test]
fn words_are_parted_as_systemd_parts_them() {
    for (line, words) in [
        ("/bin/a b  c", vec!["/bin/a", "b", "c"]),
        ("\"/opt/my shop/web\" --a", vec!["/opt/my shop/web", "--a"]),
        ("'/opt/my shop/web'", vec!["/opt/my shop/web"]),
        (r"/opt/my\sshop/web", vec!["/opt/my shop/web"]),
        (
            r#"/bin/a "" "x\"y" \
            z"#,
            vec!["/bin/a", "", "x\"y", "z"],
        ),
        ("@/bin/a name", vec!["/bin/a", "name"]),
        ("/bin/a ; /bin/b", vec!["/bin/a"]),
        ("/bin/a \";\" b", vec!["/bin/a", ";", "b"]),
        (
            "/bin/a %n %i %p 100%%",
            vec!["/bin/a", "web@1.service", "1", "web", "100%"],
        ),
    ] {
        assert_eq!(first(line), words, "{line}");
    }
    // What cannot be known, or may fail.
    for line in ["/bin/%H", "${PROGRAM} x", "-/bin/false"] {
        assert_eq!(first(line), [""; 0], "{line}");
    }
}

#[test]
fn an_empty_value_begins_a_list_anew_and_a_drop_in_counts_after_the_unit() {
    let around = Around {
        name: "web",
        pulled_in: true,
        ours: false,
    };
    let files = [
        (
            "/a".into(),
            "[Service]\nExecStart=/bin/a\nUser=x\n".to_owned(),
        ),
        (
            "/b".into(),
            "[Service]\nExecStart=\nExecStart=/bin/b\nUser=y\n".to_owned(),
        ),
    ];
    let definition = read(&files, &around);
    assert_eq!(definition.commands.len(), 1);
    assert_eq!(definition.commands[0].words, ["/bin/b"]);
    assert_eq!(definition.commands[0].account.user.as_deref(), Some("y"));
    assert_eq!(definition.files, [PathBuf::from("/a"), PathBuf::from("/b")]);
}

#[test]
fn what_is_no_setting_is_found_with_its_line() {
    let found = read_text("[Service]\nExecStart=/bin/a\nrubbish\n").findings;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].what.contains("line 3"), "{found:?}");
    let found = read_text("[Service]\nExecStart=\"/bin/a\n").findings;
    assert!(found[0].what.contains("quote"), "{found:?}");
    let found = read_text("[Service]\r\nExecStart=/bin/a\r\n").findings;
    assert!(found[0].what.contains("Windows"), "{found:?}");
    assert_eq!(
        read_text("# nothing\n").findings[0].check,
        Check::Definition
    );
}

#[test]
fn abide_under_forking_is_found() {
    let around = Around {
        name: "web",
        pulled_in: true,
        ours: true,
    };
    let text = "[Service]\nType=forking\nExecStart=/usr/bin/abide daemon\n[Install]\nWantedBy=multi-user.target\n";
    let found = read(&[("/a".into(), text.to_owned())], &around).findings;
    assert!(
        found[0].what.contains("stays in the foreground"),
        "{found:?}"
    );
}
