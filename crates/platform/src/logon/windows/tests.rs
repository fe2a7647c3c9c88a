//! A stand-in for Windows that notes each call, and what is asked of it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::os::windows::io::OwnedHandle;
use std::path::Path;
use std::sync::Arc;

use windows_sys::Win32::Security::{LOGON32_LOGON, TOKEN_ALL_ACCESS};

use super::before;
use super::password::{Password, Stamp};
use super::{Calls, Refused, Sessions, Whom};
use crate::account::{Found, SYSTEM, own_token};

/// Where SHOP\web, .\ada, LocalService and a managed account are, and ada is who asks.
#[derive(Default)]
pub(crate) struct Fake {
    pub said: RefCell<Vec<String>>,
    pub lacking: Vec<&'static str>,
    /// What LogonUserW answers, one after the other; none left: yes.
    pub logons: RefCell<VecDeque<u32>>,
    pub profile: Option<u32>,
    /// What is wrong with each file.
    pub file: Option<&'static str>,
    pub stamp: u64,
}

pub(crate) const ADA: &str = "S-1-5-21-7-1000";
pub(crate) const WEB: &str = "S-1-5-21-7-1001";
const FILE: &str = r"C:\shop\web.password";

fn error(number: u32) -> io::Error {
    io::Error::from_raw_os_error(number.cast_signed())
}

impl Fake {
    fn say(&self, text: String) {
        self.said.borrow_mut().push(text);
    }

    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.said.borrow_mut())
    }
}

impl Calls for Fake {
    fn own(&self) -> io::Result<Arc<str>> {
        Ok(ADA.into())
    }

    fn look_up(&self, name: &str) -> io::Result<Option<Found>> {
        self.say(format!("look up {name}"));
        let (sid, group) = match name {
            "ada" => (ADA, false),
            r"SHOP\web" => (WEB, false),
            r"SHOP\web$" => ("S-1-5-21-7-1002", false),
            r"SHOP\people" => ("S-1-5-21-7-513", true),
            r"NT AUTHORITY\LocalService" => ("S-1-5-19", false),
            r"NT SERVICE\web" => ("S-1-5-80-1", false),
            r"FAR\web" => return Err(error(1789)),
            _ => return Ok(None),
        };
        let sid = sid.into();
        Ok(Some(Found { sid, group }))
    }

    fn lacking(&self) -> io::Result<Vec<&'static str>> {
        self.say("rights".to_owned());
        Ok(self.lacking.clone())
    }

    fn password(&self, file: &Path) -> Result<(Password, Stamp), String> {
        self.say(format!("password in {}", file.display()));
        match self.file {
            None => Ok((Password::new("geheim"), (None, self.stamp))),
            Some(why) => Err(why.to_owned()),
        }
    }

    fn log_on(
        &self,
        user: &str,
        domain: Option<&str>,
        password: Option<&Password>,
        kind: LOGON32_LOGON,
    ) -> io::Result<OwnedHandle> {
        let password = password.map(Password::reveal);
        self.say(format!(
            "log on {user} of {domain:?} with {password:?} as {kind}"
        ));
        match self.logons.borrow_mut().pop_front() {
            // With our own token all that follows can be done in earnest.
            None | Some(0) => own_token(TOKEN_ALL_ACCESS),
            Some(number) => Err(error(number)),
        }
    }

    fn load_profile(&self, _token: &OwnedHandle, user: &str) -> io::Result<()> {
        self.say(format!("profile of {user}"));
        self.profile.map_or(Ok(()), |number| Err(error(number)))
    }
}

fn log_on(fake: &Fake, sessions: &Sessions, user: &str) -> Result<Option<Whom>, Refused> {
    sessions.log_on(fake, user, Some(Path::new(FILE)), true)
}

const AS_SERVICE: &str = r#"log on web of Some("SHOP") with Some("geheim") as 5"#;
const AS_BATCH: &str = r#"log on web of Some("SHOP") with Some("geheim") as 4"#;

#[test]
fn who_is_abide_itself_is_not_logged_on() {
    let (fake, sessions) = (Fake::default(), Sessions::default());
    for user in ["ada", r".\ada"] {
        assert!(log_on(&fake, &sessions, user).expect("fine").is_none());
        assert_eq!(fake.log(), ["look up ada"]);
    }
}

#[test]
fn somebody_else_is_logged_on_as_a_service_with_what_the_file_holds() {
    let (fake, sessions) = (Fake::default(), Sessions::default());
    let whom = log_on(&fake, &sessions, r"SHOP\web").expect("fine");
    let whom = whom.expect("somebody else");
    assert_eq!((&*whom.sid, whom.warning), (WEB, None));
    let asked = [
        r"look up SHOP\web",
        "rights",
        r"password in C:\shop\web.password",
        AS_SERVICE,
    ];
    assert_eq!(fake.log(), [&asked[..], &["profile of web"]].concat());
    // The profile is loaded by now; the password is read anew.
    log_on(&fake, &sessions, r"SHOP\web").expect("fine");
    assert_eq!(fake.log(), asked);
    // A hook or a check of the unit takes part in that logon.
    let file = Some(Path::new(FILE));
    let again = sessions
        .log_on(&fake, r"SHOP\web", file, false)
        .expect("fine");
    assert_eq!(fake.log(), [""; 0]);
    drop(whom.token);
    let token = again.expect("somebody else").token;
    assert_eq!(
        Arc::strong_count(&token),
        2,
        "it is kept once, and the one before is gone"
    );
    // Of another file nothing is known.
    let other = Some(Path::new("other"));
    sessions
        .log_on(&fake, r"SHOP\web", other, false)
        .expect("fine");
    assert_eq!(fake.log().len(), 4);
}

#[test]
fn an_account_that_may_not_be_a_service_is_logged_on_as_a_batch_job() {
    let (fake, sessions) = (Fake::default(), Sessions::default());
    *fake.logons.borrow_mut() = [1385].into();
    log_on(&fake, &sessions, r"SHOP\web").expect("fine");
    assert_eq!(fake.log()[3..5], [AS_SERVICE, AS_BATCH]);
    *fake.logons.borrow_mut() = [1385, 1385].into();
    let refused = log_on(&fake, &sessions, r"SHOP\web").expect_err("neither");
    assert_eq!(refused.code, Some(1385));
    assert!(
        refused
            .text
            .contains("neither as a service nor as a batch job"),
        "{}",
        refused.text
    );
}

#[test]
fn windows_own_accounts_and_managed_ones_have_no_password_that_anybody_knows() {
    let (fake, sessions) = (Fake::default(), Sessions::default());
    let on = |user: &str| sessions.log_on(&fake, user, None, true);
    on("LocalService").expect("fine");
    assert_eq!(
        fake.log()[1..],
        [
            "rights",
            r#"log on LocalService of Some("NT AUTHORITY") with None as 5"#
        ]
    );
    on(r"SHOP\web$").expect("fine");
    let known = "_SA_{262E99C9-6160-4871-ACEC-4E61736B6F21}";
    let managed = format!(r#"log on web$ of Some("SHOP") with Some("{known}") as 5"#);
    assert_eq!(fake.log()[1..], ["rights", &managed, "profile of web$"]);
    *fake.logons.borrow_mut() = [1326].into();
    let refused = on(r"SHOP\web$").expect_err("not here").text;
    assert!(
        refused.contains("this machine may not use this managed account"),
        "{refused}"
    );
    for user in ["LocalService", r"SHOP\web$"] {
        let refused = log_on(&fake, &sessions, user)
            .expect_err("with a file")
            .text;
        assert!(refused.contains("take `password_file` out"), "{refused}");
    }
    let refused = on(r"SHOP\web").expect_err("without one").text;
    assert!(refused.contains("name a file that holds it"), "{refused}");
}

#[test]
fn who_cannot_be_logged_on_is_refused_before_anything_is_asked_for() {
    let sessions = Sessions::default();
    let fake = Fake {
        lacking: vec!["SeThis", "SeThat"],
        ..Fake::default()
    };
    let refused = log_on(&fake, &sessions, r"SHOP\web")
        .expect_err("may not")
        .text;
    assert!(
        refused.starts_with(r"run as SHOP\web: abide's own account lacks SeThis and SeThat; "),
        "{refused}"
    );
    assert_eq!(fake.log(), [r"look up SHOP\web", "rights"]);
    for (user, why) in [
        ("nobody", "there is no such account"),
        (
            "LocalSystem",
            "only abide that runs as LocalSystem itself can",
        ),
        (r"NT SERVICE\web", "only the Service Control Manager"),
        (r"FAR\web", "look up the account FAR"),
    ] {
        let refused = log_on(&fake, &sessions, user).expect_err("refused").text;
        assert!(refused.contains(why), "{refused}");
        assert!(fake.log().len() <= 1);
    }
    let own = super::other(&fake, "system").expect_err("ada is not");
    assert!(own.text.contains(SYSTEM) || own.text.contains("LocalSystem"));
}

#[test]
fn each_reason_of_windows_is_told_with_the_way_out() {
    for (number, word) in [
        (1326, "write the right one into the file"),
        (1327, "a policy of Windows forbids it"),
        (1328, "at this time of the week"),
        (1329, "at this machine"),
        (1330, "its password has expired"),
        (1331, "Enable-LocalUser"),
        (1793, "the account has expired"),
        (1907, "must be changed at the first logon"),
        (1909, "the account is locked"),
        (1311, "its domain cannot be asked"),
        (1355, "its domain cannot be asked"),
        (1789, "its domain cannot be asked"),
        (5, "log on as"),
    ] {
        let (fake, sessions) = (Fake::default(), Sessions::default());
        *fake.logons.borrow_mut() = [number].into();
        let refused = log_on(&fake, &sessions, r"SHOP\web").expect_err("refused");
        assert_eq!(refused.code, Some(number));
        assert!(
            refused.text.starts_with(r"log on as SHOP\web: "),
            "{}",
            refused.text
        );
        assert!(refused.text.contains(word), "{}", refused.text);
        assert!(!refused.text.contains("geheim"), "{}", refused.text);
        assert!(sessions.state().tokens.is_empty());
    }
}

#[test]
fn a_wrong_password_is_not_tried_until_its_file_is_another_one() {
    let sessions = Sessions::default();
    let mut fake = Fake::default();
    *fake.logons.borrow_mut() = [1326].into();
    log_on(&fake, &sessions, r"SHOP\web").expect_err("wrong");
    fake.log();
    let refused = log_on(&fake, &sessions, r"SHOP\web")
        .expect_err("not again")
        .text;
    assert!(
        refused.contains("wrong passwords lock an account"),
        "{refused}"
    );
    assert!(!fake.log().iter().any(|call| call.starts_with("log on")));
    fake.stamp = 1;
    log_on(&fake, &sessions, r"SHOP\web").expect("it was written anew");
    fake.file = Some("Everyone may read it");
    let refused = log_on(&fake, &sessions, r"SHOP\web")
        .expect_err("not private")
        .text;
    assert_eq!(refused, r"log on as SHOP\web: Everyone may read it");
}

#[test]
fn a_profile_that_cannot_be_loaded_is_a_warning_and_tried_again() {
    let sessions = Sessions::default();
    let mut fake = Fake {
        profile: Some(1314),
        ..Fake::default()
    };
    let whom = log_on(&fake, &sessions, r"SHOP\web")
        .expect("fine")
        .expect("else");
    let warning = whom.warning.expect("it is told");
    assert!(
        warning.starts_with(r"cannot load the profile of SHOP\web: "),
        "{warning}"
    );
    fake.profile = None;
    fake.log();
    let whom = log_on(&fake, &sessions, r"SHOP\web")
        .expect("fine")
        .expect("else");
    assert_eq!(whom.warning, None);
    assert!(fake.log().contains(&"profile of web".to_owned()));
}

#[test]
fn what_is_known_beforehand_is_told_beforehand() {
    let fake = Fake::default();
    let user = |name| before::user(&fake, name).map_err(|unfit| (unfit.why, unfit.unknown));
    for name in [
        "ada",
        r"SHOP\web",
        "LocalSystem",
        "LocalService",
        r"FAR\web",
    ] {
        assert_eq!(user(name), Ok(()));
    }
    let unknown = r"there is no user .\nobody on this machine".to_owned();
    assert_eq!(user("nobody"), Err((unknown, true)));
    let group = r"SHOP\people is a group, and no user".to_owned();
    assert_eq!(user(r"SHOP\people"), Err((group, false)));
    let (why, _) = user(r"NT SERVICE\web").expect_err("nobody logs it on");
    assert!(why.contains("Service Control Manager"), "{why}");

    let file = Some(Path::new(FILE));
    let fits = |user, file| before::fits(&fake, user, file).map_err(|unfit| unfit.why);
    assert_eq!(fits(None, None), Ok(()));
    assert_eq!(fits(Some("ada"), None), Ok(()), "that is abide's own");
    assert_eq!(fits(Some(r"SHOP\web"), file), Ok(()));
    assert_eq!(fits(Some("LocalService"), None), Ok(()));
    assert_eq!(fits(None, file), Err("it is nobody's".to_owned()));
    for (user, file) in [
        (r"SHOP\web", None),
        ("LocalService", file),
        ("system", file),
    ] {
        let why = fits(Some(user), file).expect_err("it does not fit");
        assert!(why.contains("password"), "{why}");
    }
}
