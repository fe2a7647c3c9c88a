//! Faults that are planted in a sound job of launchd, which is what abide itself writes.

use std::collections::BTreeMap;

use super::*;
use crate::doctor::definition::launchd::{Around, read};
use crate::{Kind, Manager, Restart, Scope, Service, Start};

const LIST: &str = "/Library/LaunchDaemons/shop.plist";

/// A Mac of paper, with one job.
struct Mac {
    world: World,
    text: String,
    scope: Scope,
    ours: bool,
}

fn shop() -> Service {
    let mut service = Service::new("shop", "/opt/shop/web");
    service.arguments = vec!["--home".to_owned(), "a <b> & c".to_owned()];
    service.directory = Some("/srv/shop".into());
    service.environment = [("NAME".to_owned(), "<&>".to_owned())].into();
    service.user = Some("shop".to_owned());
    service.log_file = Some("/var/log/shop/out.log".into());
    service.restart = Restart::OnAbnormal;
    service
}

impl Mac {
    fn of(service: &Service) -> Self {
        let manager = Manager::below(Kind::Launchd, Scope::System, Path::new("/nowhere"));
        let plan = manager.expect("it writes for others").plan_install(service);
        let mut world = World::sound();
        world.put(LIST, NodeKind::File, 0o644, 0);
        world.folder("/var/log", 0o755, 0);
        Self {
            world,
            text: plan.expect("a plan").files.remove(0).text,
            scope: Scope::System,
            ours: true,
        }
    }

    fn sound() -> Self {
        Self::of(&shop())
    }

    /// A service of bob's own, who asks.
    fn of_bob() -> Self {
        let mut mac = Self::sound();
        mac.scope = Scope::User;
        mac.world.user("bob", 1000);
        let bob = mac.world.facts.users.get("bob").cloned().flatten();
        mac.world.facts.default_user = bob.expect("bob");
        mac.world.change(LIST, |node| node.uid = 1000);
        mac.set("<key>UserName</key>\n\t<string>shop</string>\n", "");
        mac
    }

    fn set(&mut self, old: &str, new: &str) {
        assert!(self.text.contains(old), "{old} is not in {}", self.text);
        self.text = self.text.replace(old, new);
    }

    fn findings(&mut self) -> Vec<Finding> {
        let around = Around {
            name: "shop",
            scope: self.scope,
            ours: self.ours,
        };
        let definition = read(Path::new(LIST), self.text.as_bytes(), &around);
        self.world.answer_the_rest(&definition);
        service(&definition, &self.world.facts, &BTreeMap::new())
    }

    #[track_caller]
    fn has(&mut self, check: Check, level: Level, words: &str) -> Finding {
        only(self.findings(), (check, level), words)
    }
}

/// With one thing changed, there is one finding.
#[track_caller]
fn changed(old: &str, new: &str, check: Check, level: Level, words: &str) -> Finding {
    let mut mac = Mac::sound();
    mac.set(old, new);
    mac.has(check, level, words)
}

const RUN_AT_LOAD: &str = "<key>RunAtLoad</key>\n\t<true/>";
const KEEP_ALIVE: &str =
    "<key>KeepAlive</key>\n\t<dict>\n\t\t<key>SuccessfulExit</key>\n\t\t<false/>\n\t</dict>";
const PROGRAM: &str = "<string>/opt/shop/web</string>";

#[test]
fn nothing_is_found_in_what_abide_writes() {
    for start in [Start::Auto, Start::Delayed, Start::Manual] {
        for restart in [
            Restart::Never,
            Restart::OnAbnormal,
            Restart::OnFailure,
            Restart::Always,
        ] {
            let mut service = shop();
            service.start = start;
            service.restart = restart;
            assert_eq!(Mac::of(&service).findings(), [], "{start:?} {restart:?}");
        }
    }
    assert_eq!(Mac::of_bob().findings(), []);
    let mut plain = Mac::of(&Service::new("shop", "/opt/shop/web"));
    assert_eq!(plain.findings(), []);
}

#[test]
fn a_switched_off_job_is_told() {
    let mut service = shop();
    service.start = Start::Disabled;
    let found = Mac::of(&service).has(Check::Boot, Level::Warning, "says Disabled");
    assert!(
        found.fix.contains("`launchctl enable system/shop`"),
        "{found:?}"
    );
}

#[test]
fn a_broken_list_is_found_with_its_line() {
    let found = changed(
        "</array>",
        "",
        Check::Definition,
        Level::Fault,
        "no property list",
    );
    assert!(found.what.contains("line 14: "), "{found:?}");
    changed(
        "<dict>",
        "<dct>",
        Check::Definition,
        Level::Fault,
        "there is no <dct>",
    );
    let mut mac = Mac::sound();
    mac.text = "<plist><array/></plist>".to_owned();
    mac.has(Check::Definition, Level::Fault, "is an array and no <dict>");
    mac.text = "bplist00\u{1}".to_owned();
    let found = mac.has(Check::Definition, Level::Warning, "a binary property list");
    assert!(found.fix.contains("plutil -convert xml1"), "{found:?}");
}

#[test]
fn a_label_that_is_not_the_name_is_found() {
    let label = "<string>shop</string>\n\t<key>Program";
    let other = "<string>com.example.shop</string>\n\t<key>Program";
    let words = "has the Label com.example.shop";
    let found = changed(label, other, Check::Registered, Level::Fault, words);
    assert!(found.fix.contains("com.example.shop.plist"), "{found:?}");
    // Others do so, and it runs.
    let mut mac = Mac::sound();
    mac.ours = false;
    mac.set(label, other);
    mac.has(Check::Registered, Level::Warning, words);
    let (check, level) = (Check::Definition, Level::Fault);
    changed(
        "<key>Label</key>\n\t<string>shop</string>\n",
        "",
        check,
        level,
        "has no Label",
    );
}

#[test]
fn a_program_that_is_missing_relative_or_not_named_is_found() {
    let mut mac = Mac::sound();
    mac.world.remove("/opt/shop/web");
    mac.has(
        Check::Program,
        Level::Fault,
        "/opt/shop/web, which ProgramArguments executes, is not there",
    );
    let (check, level) = (Check::Definition, Level::Fault);
    let words = "ProgramArguments in /Library/LaunchDaemons/shop.plist names shop/web";
    changed(PROGRAM, "<string>shop/web</string>", check, level, words);
    let plain = "<string>shop-web</string>";
    let found = changed(PROGRAM, plain, Check::Program, Level::Fault, "shop-web");
    assert!(
        found.fix.contains("/usr/bin:/bin:/usr/sbin:/sbin"),
        "{found:?}"
    );
    let program = "<key>Program</key>\n\t<string>web</string>\n\t<key>RunAtLoad</key>";
    changed("<key>RunAtLoad</key>", program, check, level, "Program in");
    let mut mac = Mac::sound();
    let (from, to) = (
        mac.text.find("\t<key>ProgramArguments"),
        mac.text.find("\t<key>RunAt"),
    );
    mac.text
        .replace_range(from.expect("a key")..to.expect("a key"), "");
    mac.has(check, level, "neither Program nor ProgramArguments");
}

#[test]
fn a_path_with_a_blank_in_it_is_whole_in_a_list() {
    let mut mac = Mac::sound();
    mac.set(PROGRAM, "<string>/opt/my shop/web</string>");
    mac.world.program("/opt/my shop/web", 0o755, X86_64);
    assert_eq!(mac.findings(), []);
}

#[test]
fn a_list_that_launchd_refuses_is_found() {
    for mode in [0o646, 0o664] {
        let mut mac = Mac::sound();
        mac.world.change(LIST, |node| node.mode = mode);
        let found = mac.has(
            Check::Writable,
            Level::Fault,
            "launchd does not take it then",
        );
        assert_eq!(found.fix, format!("`chmod go-w {LIST}`"));
    }
    let mut mac = Mac::sound();
    mac.world.change(LIST, |node| node.uid = 1000);
    let found = mac.has(Check::Writable, Level::Fault, "belongs to bob");
    assert_eq!(found.fix, format!("`chown root:wheel {LIST}`"));
    // Also when bob asks: it is not a service of his own.
    let mut mac = Mac::of_bob();
    mac.scope = Scope::System;
    mac.has(Check::Writable, Level::Fault, "belongs to bob");
    let mut mac = Mac::of_bob();
    mac.world.change(LIST, |node| node.uid = 999);
    let found = mac.has(Check::Writable, Level::Fault, "belongs to shop");
    assert_eq!(found.fix, format!("`chown bob {LIST}`"));
    // The folder is another matter.
    let mut mac = Mac::sound();
    mac.world
        .change("/Library/LaunchDaemons", |node| node.mode = 0o777);
    let found = mac.has(
        Check::Writable,
        Level::Fault,
        "can be written to by everyone",
    );
    assert_eq!(found.fix, "`chmod o-w /Library/LaunchDaemons`");
}

#[test]
fn a_wrong_account_is_found() {
    let mut mac = Mac::sound();
    mac.set(
        "<string>shop</string>\n\t<key>Standard",
        "<string>shoop</string>\n\t<key>Standard",
    );
    let found = mac.has(Check::Account, Level::Fault, "there is no user shoop");
    assert!(!found.fix.contains("useradd"), "{found:?}");
    let mut mac = Mac::of_bob();
    let user = "<key>UserName</key><string>shop</string><key>RunAtLoad</key>";
    mac.set("<key>RunAtLoad</key>", user);
    mac.has(Check::Account, Level::Warning, "UserName in");
}

#[test]
fn a_job_that_nothing_starts_is_found() {
    let mut mac = Mac::sound();
    mac.set(RUN_AT_LOAD, "");
    // It is kept alive, which starts it.
    assert_eq!(mac.findings(), []);
    mac.set(KEEP_ALIVE, "");
    mac.has(Check::Boot, Level::Fault, "neither RunAtLoad nor KeepAlive");
    mac.set("<key>Label", "<key>WatchPaths</key><array/><key>Label");
    assert_eq!(mac.findings(), []);
}

#[test]
fn what_contradicts_itself_is_found() {
    let never = "<key>RunAtLoad</key>\n\t<false/>";
    changed(
        RUN_AT_LOAD,
        never,
        Check::Boot,
        Level::Warning,
        "but what has KeepAlive is",
    );
    let after_success = KEEP_ALIVE.replace("false", "true");
    let (check, level) = (Check::Definition, Level::Fault);
    changed(KEEP_ALIVE, &after_success, check, level, "so after a stop");
    let once = format!("{KEEP_ALIVE}<key>LaunchOnlyOnce</key><true/>");
    changed(KEEP_ALIVE, &once, check, Level::Warning, "LaunchOnlyOnce");
}

#[test]
fn what_launchd_does_not_understand_is_told() {
    let (check, level) = (Check::Definition, Level::Warning);
    let found = changed(
        "ThrottleInterval",
        "throttleInterval",
        check,
        level,
        "it knows ThrottleInterval",
    );
    assert_eq!(found.fix, "write ThrottleInterval");
    let text = "<key>RunAtLoad</key>\n\t<string>true</string>";
    changed(
        RUN_AT_LOAD,
        text,
        check,
        level,
        "RunAtLoad in /Library/LaunchDaemons/shop.plist is a string",
    );
    let twice = format!("{RUN_AT_LOAD}{RUN_AT_LOAD}");
    changed(RUN_AT_LOAD, &twice, check, level, "has RunAtLoad twice");
    let number = "<integer>1</integer>\n\t</dict>\n\t<key>User";
    changed(
        "<string>&lt;&amp;&gt;</string>\n\t</dict>\n\t<key>User",
        number,
        Check::Environment,
        level,
        "the variable NAME",
    );
}

#[test]
fn places_that_are_not_there_are_found() {
    let mut mac = Mac::sound();
    mac.world.remove("/srv/shop");
    mac.has(Check::Directory, Level::Fault, "/srv/shop, is not there");
    let mut mac = Mac::sound();
    mac.world.remove("/var/log/shop");
    mac.has(Check::Log, Level::Fault, "whose folder is not there");
}
