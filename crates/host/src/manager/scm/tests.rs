mod rights;

use std::sync::Arc;
use std::time::Duration;

use super::Scm;
use super::calls::RunState;
use super::calls::fake::Fake;
use super::registration::Registration;
use crate::manager::Change;
use crate::{
    Access, Error, Exit, Holder, Password, Recovery, RecoveryAction, RecoveryKind, Restart, Right,
    Service, ServiceSid, Start, State,
};

const WITHIN: Duration = Duration::from_secs(10);

fn fake() -> (Arc<Fake>, Scm) {
    let fake = Fake::new();
    let calls: Arc<dyn super::Calls> = Arc::<Fake>::clone(&fake);
    (fake, Scm { calls })
}

fn plain() -> Service {
    let mut service = Service::new("web", r"C:\Program Files\shop\web.exe");
    service.arguments = vec!["--port".into(), "80".into(), r"C:\a b\".into()];
    service.restart = Restart::Never;
    service
}

fn everything() -> Service {
    let mut service = plain();
    service.display_name = Some("Shop".into());
    service.description = Some("sells things".into());
    service.start = Start::Delayed;
    service.dependencies = vec!["db".into()];
    service.user = Some(r"SHOP\web".into());
    service.environment = [("PORT", "80"), ("GREETING", "a b")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    service.scm.groups = vec!["TDI".into()];
    service.scm.password = Some(Password::new("geheim"));
    service.scm.recovery = Some(Recovery {
        actions: [
            (RecoveryKind::Restart, 1_000),
            (RecoveryKind::Run, 2_000),
            (RecoveryKind::Reboot, 60_000),
        ]
        .map(|(kind, after)| RecoveryAction {
            kind,
            after: Duration::from_millis(after),
        })
        .into(),
        reset: Duration::from_secs(3_600),
        non_crash: true,
        command: Some(r"C:\shop\tell.exe".into()),
        reboot_message: Some("again".into()),
    });
    service.scm.preshutdown = Some(Duration::from_secs(45));
    service.scm.sid = ServiceSid::Restricted;
    service.scm.privileges = vec!["SeChangeNotifyPrivilege".into()];
    service.scm.event_messages = Some(r"%SystemRoot%\System32\EventCreate.exe".into());
    service.scm.rights = [
        (r"C:\homes\web", Access::Change),
        (r"C:\notes\web", Access::Read),
    ]
    .map(|(path, access)| Right {
        holder: Holder::Account,
        path: path.into(),
        access,
    })
    .into();
    service
}

fn registration(service: &Service) -> Registration {
    Registration::of(service).expect("it can be written")
}

fn install(scm: &Scm, service: &Service) -> Result<Vec<String>, Error> {
    scm.install(&registration(service))
}

fn state(state: u32, pid: u32) -> RunState {
    RunState {
        state,
        pid,
        ..RunState::default()
    }
}

#[test]
fn a_plain_service_is_one_call_and_its_mark() {
    let (fake, scm) = fake();
    install(&scm, &plain()).expect("it is installed");
    assert_eq!(
        fake.log(),
        [
            r#"create web type 0x10 start 2 path "C:\Program Files\shop\web.exe" --port 80 "C:\a b\\" dependencies [] account LocalSystem password none display name web"#,
            r#"write SYSTEM\CurrentControlSet\Services\web\Parameters\InstalledBy Text("abide-host")"#,
        ]
    );
}

#[test]
fn every_option_reaches_the_call_that_is_for_it() {
    let (fake, scm) = fake();
    install(&scm, &everything()).expect("it is installed");
    assert_eq!(
        fake.log(),
        [
            r#"create web type 0x10 start 2 path "C:\Program Files\shop\web.exe" --port 80 "C:\a b\\" dependencies ["db", "+TDI"] account SHOP\web password given display name Shop"#,
            r#"write SYSTEM\CurrentControlSet\Services\web\Parameters\InstalledBy Text("abide-host")"#,
            r#"set web Description("sells things")"#,
            "set web Delayed(true)",
            r#"set web Recovery(Recovery { actions: [RecoveryAction { kind: Restart, after: 1s }, RecoveryAction { kind: Run, after: 2s }, RecoveryAction { kind: Reboot, after: 60s }], reset: 3600s, non_crash: false, command: Some("C:\\shop\\tell.exe"), reboot_message: Some("again") })"#,
            "set web NonCrash(true)",
            "set web Preshutdown(45s)",
            "set web Sid(Restricted)",
            r#"set web Privileges(["SeChangeNotifyPrivilege"])"#,
            r#"write SYSTEM\CurrentControlSet\Services\web\Environment Texts(["GREETING=a b", "PORT=80"])"#,
            r#"write SYSTEM\CurrentControlSet\Services\EventLog\Application\web\EventMessageFile Expanded("%SystemRoot%\\System32\\EventCreate.exe")"#,
            r#"write SYSTEM\CurrentControlSet\Services\EventLog\Application\web\TypesSupported Number(31)"#,
            r#"write SYSTEM\CurrentControlSet\Services\EventLog\Application\web\InstalledBy Text("abide-host")"#,
            r"log on as a service SHOP\web true",
            r#"write SYSTEM\CurrentControlSet\Services\web\Parameters\LogOnRightGivenTo Text("SHOP\\web")"#,
            r"let SHOP\web change C:\homes\web",
            r"let SHOP\web read C:\notes\web",
            r#"write SYSTEM\CurrentControlSet\Services\web\Parameters\Rights Texts(["change C:\\homes\\web", "read C:\\notes\\web"])"#,
        ]
    );
}

#[test]
fn a_dry_run_shows_every_value_and_no_password() {
    let plan = Scm::plan(&everything()).expect("a plan").to_string();
    assert_eq!(
        plan,
        r#"service web
    ImagePath = "C:\Program Files\shop\web.exe" --port 80 "C:\a b\\"
    DisplayName = Shop
    Description = sells things
    Start = 2 (at boot, delayed)
    ObjectName = SHOP\web
    DependOnService = db
    DependOnGroup = TDI
    FailureActions = restart after 1000 ms, run after 2000 ms, reboot after 60000 ms; counted anew after 3600 s
    FailureActionsOnNonCrashFailures = 1
    FailureCommand = C:\shop\tell.exe
    RebootMessage = again
    PreshutdownTimeout = 45000 ms
    ServiceSidType = 3 (restricted)
    RequiredPrivileges = SeChangeNotifyPrivilege
    Environment = GREETING=a b
    Environment = PORT=80
    SYSTEM\CurrentControlSet\Services\EventLog\Application\web\EventMessageFile = %SystemRoot%\System32\EventCreate.exe
    right of SHOP\web = log on as a service
    right of SHOP\web = change C:\homes\web
    right of SHOP\web = read C:\notes\web
"#
    );
    assert!(!format!("{:?}", everything()).contains("geheim"));
}

#[test]
fn one_of_ours_is_changed_in_place_and_the_difference_is_shown() {
    let (fake, scm) = fake();
    let mut service = everything();
    install(&scm, &service).expect("it is installed");
    service.scm.password = None;
    assert_eq!(
        scm.compare(&registration(&service)).expect("ours"),
        Change::None
    );
    fake.log();
    install(&scm, &service).expect("it is so");
    // A folder may have been made anew.
    let given = [
        r"let SHOP\web change C:\homes\web",
        r"let SHOP\web read C:\notes\web",
    ];
    assert_eq!(fake.log(), given);
    service.arguments = vec!["--port".into(), "81".into()];
    service.scm.sid = ServiceSid::None;
    let Change::Changed(changes) = scm.compare(&registration(&service)).expect("ours") else {
        panic!("no change");
    };
    assert_eq!(
        changes[0].1,
        "- ImagePath = \"C:\\Program Files\\shop\\web.exe\" --port 80 \"C:\\a b\\\\\"\n\
         + ImagePath = \"C:\\Program Files\\shop\\web.exe\" --port 81\n\
         - ServiceSidType = 3 (restricted)\n"
    );
    install(&scm, &service).expect("it is changed");
    assert_eq!(
        fake.log(),
        [
            r#"change without account web type 0x10 start 2 path "C:\Program Files\shop\web.exe" --port 81 dependencies ["db", "+TDI"] account SHOP\web password none display name Shop"#,
            "set web Sid(None)",
            given[0],
            given[1],
        ]
    );
}

#[test]
fn a_service_that_others_made_is_left_alone() {
    let (fake, scm) = fake();
    fake.inner()
        .services
        .insert("web".into(), registration(&plain()));
    let error = install(&scm, &everything()).expect_err("it is not ours");
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    assert_eq!(fake.log(), [""; 0]);
    assert_eq!(scm.is_ours("web").expect("there"), Some(false));
}

#[test]
fn an_installation_that_fails_is_taken_back_whichever_call_fails() {
    for call in [
        "write",
        "set web Delayed",
        "set web Privileges",
        "log on",
        r"write SYSTEM\CurrentControlSet\Services\web\Parameters\LogOn",
        r"let SHOP\web change",
        r"let SHOP\web read",
        r"write SYSTEM\CurrentControlSet\Services\web\Parameters\Rights",
    ] {
        let (fake, scm) = fake();
        fake.inner().refused.push((call, 87));
        install(&scm, &everything()).expect_err("a call is refused");
        let inner = fake.inner();
        assert!(inner.services.is_empty(), "{call}");
        assert!(inner.registry.is_empty(), "{call}: {:?}", inner.registry);
        assert!(inner.may_be_service.is_empty(), "{call}");
        assert!(inner.rights.is_empty(), "{call}: {:?}", inner.rights);
    }
}

#[test]
fn a_change_that_fails_leaves_what_was() {
    let (fake, scm) = fake();
    install(&scm, &everything()).expect("it is installed");
    let services = fake.inner().services.clone();
    let registry = fake.inner().registry.clone();
    let rights = fake.inner().rights.clone();
    fake.inner().refused.push(("set web Privileges", 5));
    let mut service = plain();
    service.scm.event_messages = Some("other.exe".into());
    let error = install(&scm, &service).expect_err("a call is refused");
    assert!(matches!(error, Error::AccessDenied { .. }), "{error}");
    fake.inner().refused.clear();
    assert_eq!(fake.inner().services, services);
    assert_eq!(fake.inner().registry, registry);
    assert_eq!(fake.inner().rights, rights);
    // The account's rights are the last thing that is changed.
    let mut service = everything();
    service.user = Some(r"SHOP\other".into());
    service.scm.rights.truncate(1);
    for call in [
        "no more let",
        r"let SHOP\other",
        r"write SYSTEM\CurrentControlSet\Services\web\Parameters",
    ] {
        fake.inner().refused = vec![(call, 87)];
        install(&scm, &service).expect_err("a call is refused");
        fake.inner().refused.clear();
        assert_eq!(fake.inner().rights.len(), 2, "{call}");
    }
}

#[test]
fn what_this_windows_does_not_know_is_a_note() {
    let (fake, scm) = fake();
    fake.inner().refused.push(("set web Sid", 124));
    let notes = install(&scm, &everything()).expect("it is installed");
    assert_eq!(
        notes,
        ["this Windows does not know the setting ServiceSidType"]
    );
}

#[test]
fn a_missing_right_is_named_with_the_way_to_it() {
    let (fake, scm) = fake();
    fake.inner().refused.push(("create", 5));
    let error = install(&scm, &plain()).expect_err("it is refused");
    assert_eq!(
        error.to_string(),
        "install web: the right of an administrator is needed; run it in a console that was opened with \"Run as administrator\""
    );
}

#[test]
fn accounts_are_checked_before_anything_is_written() {
    let (fake, scm) = fake();
    fake.inner().accounts.insert(r"SHOP\web".into());
    let check = |user: &str, password: Option<&str>| {
        let mut service = plain();
        service.user = Some(user.into());
        service.scm.password = password.map(Password::new);
        scm.check(&service).map_err(|e| e.to_string())
    };
    assert_eq!(check(r"SHOP\web", Some("x")), Ok(()));
    assert_eq!(
        check(r"SHOP\web", None),
        Err(r"install web: the account SHOP\web logs on with a password; give it".into())
    );
    assert_eq!(
        check(r"SHOP\nobody", Some("x")),
        Err(r"install web: there is no account SHOP\nobody".into())
    );
    assert_eq!(
        check("LocalSystem", Some("x")),
        Err("install web: LocalSystem has no password; leave it out".into())
    );
    assert_eq!(check(r"NT SERVICE\web", None), Ok(()));
    for (short, long) in [
        ("system", "LocalSystem"),
        ("LocalService", r"NT AUTHORITY\LocalService"),
        (
            r"NT AUTHORITY\Network Service",
            r"NT AUTHORITY\NetworkService",
        ),
        (r"SHOP\web$", r"SHOP\web$"),
        ("web", r".\web"),
    ] {
        let mut service = plain();
        service.user = Some(short.into());
        assert_eq!(registration(&service).account, long);
    }
}

#[test]
fn a_start_waits_until_it_runs() {
    let (fake, scm) = fake();
    install(&scm, &plain()).expect("it is installed");
    fake.log();
    fake.inner().states = [state(1, 0), state(2, 7), state(2, 7), state(4, 7)].into();
    scm.start("web", WITHIN).expect("it is up");
    assert_eq!(fake.log(), ["start web"]);
    // It may be up already.
    scm.start("web", WITHIN).expect("it is up");
    assert_eq!(fake.log(), [""; 0]);
}

#[test]
fn a_start_that_fails_says_why() {
    let (fake, scm) = fake();
    install(&scm, &plain()).expect("it is installed");
    let ended = |exit, own_exit| RunState {
        state: 1,
        exit,
        own_exit,
        ..RunState::default()
    };
    fake.inner().states = [state(1, 0), state(2, 7), ended(1066, 42)].into();
    let error = scm.start("web", WITHIN).expect_err("it ended");
    assert_eq!(error.to_string(), "start web: it ended with exit code 42");
    let status = scm.status("web").expect("it says");
    assert_eq!(
        (status.state, status.exit),
        (State::Failed, Some(Exit::Code(42)))
    );
    fake.inner().states = [state(1, 0), state(2, 7), ended(1067, 0)].into();
    let error = scm.start("web", WITHIN).expect_err("it ended").to_string();
    assert!(
        error.contains("without having said that the service stops (error 1067)"),
        "{error}"
    );
    for (code, word) in [
        (1069, "could not log on"),
        (2, "not there"),
        (1058, "disabled"),
    ] {
        fake.inner().states = [state(1, 0)].into();
        fake.inner().refused = vec![("start", code)];
        let error = scm.start("web", WITHIN).expect_err("refused").to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn every_wait_ends() {
    let (fake, scm) = fake();
    install(&scm, &plain()).expect("it is installed");
    let soon = Duration::from_millis(60);
    fake.inner().states = [RunState {
        checkpoint: 3,
        ..state(2, 7)
    }]
    .into();
    let error = scm.start("web", soon).expect_err("it does not come up");
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    assert!(error.to_string().contains("its step 3"), "{error}");
    fake.inner().states = [state(3, 7)].into();
    let error = scm.stop("web", soon).expect_err("it does not go down");
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    fake.inner().states = [state(4, 7)].into();
    fake.inner().refused = vec![("control", 1061)];
    let error = scm.stop("web", soon).expect_err("it takes no control");
    assert!(!error.to_string().is_empty());
}

#[test]
fn a_stop_waits_for_the_process_too() {
    let (fake, scm) = fake();
    install(&scm, &plain()).expect("it is installed");
    fake.log();
    fake.inner().states = [state(4, 7), state(3, 7), state(1, 0)].into();
    scm.stop("web", WITHIN).expect("it is down");
    assert_eq!(fake.log(), ["control web 1", "wait for process 7"]);
    scm.stop("web", WITHIN).expect("it is down already");
    assert_eq!(fake.log(), [""; 0]);
}

#[test]
fn a_stop_names_the_services_that_keep_it_from_that() {
    let (fake, scm) = fake();
    install(&scm, &plain()).expect("it is installed");
    fake.inner().states = [state(4, 7)].into();
    fake.inner().refused = vec![("control", 1051)];
    fake.inner().dependents = vec!["shop".into(), "till".into()];
    assert_eq!(
        scm.stop("web", WITHIN).expect_err("refused").to_string(),
        "stop web: shop, till depend on it and run; stop them first"
    );
}

#[test]
fn only_codes_of_services_own_are_sent() {
    let (fake, scm) = fake();
    install(&scm, &plain()).expect("it is installed");
    fake.log();
    scm.control("web", 200).expect("sent");
    assert_eq!(fake.log(), ["control web 200"]);
    let error = scm.control("web", 1).expect_err("a stop is none");
    assert!(matches!(error, Error::Invalid(_)), "{error}");
}

#[test]
fn a_reload_is_told_as_changed_parameters_to_one_that_takes_them() {
    let (fake, scm) = fake();
    install(&scm, &plain()).expect("it is installed");
    fake.log();
    scm.reload("web").expect("told");
    assert_eq!(fake.log(), ["control web 6"]);
    fake.inner().refused.push(("control", 1052));
    let error = scm.reload("web").expect_err("it does not");
    assert_eq!(
        error.to_string(),
        "reload web: it does not take that control, or not now (error 1052)"
    );
}

#[test]
fn it_is_gone_with_its_source_when_it_is_removed() {
    let (fake, scm) = fake();
    install(&scm, &everything()).expect("it is installed");
    assert_eq!(scm.installed().expect("a list"), ["web"]);
    scm.remove("web", WITHIN).expect("it is removed");
    assert!(fake.inner().services.is_empty());
    assert!(fake.inner().registry.is_empty());
    assert!(fake.inner().rights.is_empty());
    assert!(fake.inner().may_be_service.is_empty());
    assert_eq!(
        scm.status("web").expect("it says").state,
        State::NotInstalled
    );
}

#[test]
fn a_name_that_does_not_go_is_explained() {
    let (fake, scm) = fake();
    install(&scm, &plain()).expect("it is installed");
    // Somebody has it open: it is marked, and stays.
    fake.inner().refused = vec![("delete", 1072)];
    let error = scm
        .remove("web", Duration::from_millis(60))
        .expect_err("it stays");
    let text = error.to_string();
    assert!(
        text.contains("marked for deletion") && text.contains("services.msc"),
        "{text}"
    );
}

#[test]
fn enabling_changes_the_start_and_nothing_else() {
    let (fake, scm) = fake();
    install(&scm, &everything()).expect("it is installed");
    let before = fake.inner().services["web"].clone();
    scm.enable("web", false).expect("disabled");
    assert!(!scm.status("web").expect("it says").enabled);
    scm.enable("web", true).expect("enabled");
    assert_eq!(fake.inner().services["web"], before);
}
