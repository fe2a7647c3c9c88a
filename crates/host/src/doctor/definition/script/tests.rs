use super::*;

#[test]
fn a_run_script_says_what_it_executes_as_whom_and_what_it_needs() {
    let text = "#!/bin/sh\n# a comment\nexec 2>&1\nsv -w 1 check db >/dev/null || exit 75\n\
                export A='x\ny'\ncd '/srv/my shop' || exit 111\n\
                exec chpst -u www:web -n 5 '/opt/my shop/web' --a 'b c'\n";
    let log = "#!/bin/sh\nexec svlogd -tt /var/log/web\n";
    let found = runit(Path::new("/etc/sv/web/run"), text, Some(log));
    assert_eq!(found.findings, []);
    let command = &found.commands[1];
    assert_eq!(command.words, ["/opt/my shop/web", "--a", "b c"]);
    assert_eq!(command.account.user.as_deref(), Some("www"));
    assert_eq!(command.account.group.as_deref(), Some("web"));
    assert_eq!(
        command.directory.as_deref(),
        Some(Path::new("/srv/my shop"))
    );
    assert_eq!(found.dependencies[0].name, "db");
    assert_eq!(found.logs, [Log::Folder("/var/log/web".into())]);
    // The script itself is executed, too.
    assert_eq!(found.commands[0].words, ["/etc/sv/web/run"]);
    let found = runit(Path::new("/etc/sv/web/run"), "#!/bin/sh\n/opt/web\n", None);
    assert!(found.findings[0].what.contains("exec"), "{found:?}");
}

#[test]
fn a_script_of_openrc_says_it_by_its_variables() {
    let text = "#!/sbin/openrc-run\ncommand='/opt/my shop/web'\ncommand_args='--a '\\''b c'\\'''\n\
                command_user=www:web\ndirectory=/srv\noutput_log=/var/log/web.log\nerror_log=/var/log/web.log\n\
                depend() {\n\tuse net logger\n\tneed db net\n}\n";
    let found = openrc(Path::new("/etc/init.d/web"), text);
    assert_eq!(found.findings, []);
    assert_eq!(found.commands[1].words, ["/opt/my shop/web", "--a", "b c"]);
    assert_eq!(found.commands[1].account.user.as_deref(), Some("www"));
    assert_eq!(found.dependencies.len(), 1);
    assert_eq!(found.logs, [Log::File("/var/log/web.log".into())]);
    let found = openrc(Path::new("/etc/init.d/web"), "#!/sbin/openrc-run\n");
    assert_eq!(found.findings[0].check, Check::Definition);
}

#[test]
fn a_script_of_sysv_says_it_in_its_header() {
    let text = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides:          web\n# Required-Start:    $remote_fs db\n\
                # Default-Start:     2 3 4 5\n### END INIT INFO\nPROGRAM='/opt/my shop/web'\nLOG=/var/log/web.log\n\
                launch() {\n\tcd /srv || exit 1\n\tsetpriv --reuid=www \"$PROGRAM\"\n}\n";
    let found = sysv(Path::new("/etc/init.d/web"), text);
    assert_eq!(found.findings, []);
    assert_eq!(found.commands[1].words, ["/opt/my shop/web"]);
    assert_eq!(found.commands[1].account.user.as_deref(), Some("www"));
    assert_eq!(
        found.commands[1].directory.as_deref(),
        Some(Path::new("/srv"))
    );
    assert_eq!(found.dependencies[0].name, "db");
    let never = text.replace("# Default-Start:     2 3 4 5\n", "");
    assert_eq!(
        sysv(Path::new("/etc/init.d/web"), &never).findings[0].check,
        Check::Boot
    );
    let found = sysv(
        Path::new("/etc/init.d/web"),
        "#!/bin/sh\nPROGRAM=/opt/web\n",
    );
    assert!(found.findings[0].what.contains("LSB"), "{found:?}");
}
