#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::io::AsHandle;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::Arc;

use windows_sys::Win32::Foundation::{
    ERROR_ALREADY_EXISTS, GENERIC_ALL, GENERIC_READ, GENERIC_WRITE, LocalFree,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo, SDDL_REVISION_1,
    SE_FILE_OBJECT, SE_KERNEL_OBJECT, SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetSecurityDescriptorDacl, GetSecurityDescriptorOwner,
    OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID,
    SECURITY_ATTRIBUTES,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateDirectoryW, DELETE, FILE_APPEND_DATA, FILE_DELETE_CHILD, FILE_GENERIC_EXECUTE,
    FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_READ_DATA, FILE_WRITE_DATA, WRITE_DAC, WRITE_OWNER,
};

use super::refused;
use crate::access::Security;
use crate::account::{ADMINISTRATORS, Account, SYSTEM, is_administrator, own_service, text_of};
use crate::win32::{answered, checked, code, long, raw, wide};

/// Rights with which somebody can put something into a folder, or take it over.
const CHANGING: u32 = FILE_WRITE_DATA
    | FILE_APPEND_DATA
    | FILE_DELETE_CHILD
    | DELETE
    | WRITE_DAC
    | WRITE_OWNER
    | GENERIC_WRITE
    | GENERIC_ALL;

/// Rights with which somebody can read a file, or have themselves given that right.
const READING: u32 = FILE_READ_DATA | GENERIC_READ | GENERIC_ALL | WRITE_DAC | WRITE_OWNER;

/// What [`crate::access::Access::Change`] lets do.
const CHANGE: u32 = FILE_GENERIC_READ | FILE_GENERIC_EXECUTE | FILE_GENERIC_WRITE | DELETE;

/// The longest path that a folder is made with, less the name of a file in it (CreateDirectoryW).
const LONGEST_PATH: usize = 247;

/// Stands for whoever made an object.
const CREATOR_OWNER: &str = "S-1-3-0";

/// Stands for whoever owns an object.
const OWNER_RIGHTS: &str = "S-1-3-4";
const EVERYONE: &str = "S-1-1-0";

/// Instead of the identifier of an owner, where there is none.
const NOBODY: &str = "nobody";

/// A security descriptor: this account owns the object; it, the administrators and the system may do
/// everything with it, nobody else anything.
pub(crate) struct Descriptor {
    memory: PSECURITY_DESCRIPTOR,
}

impl Descriptor {
    /// For something that holds nothing.
    pub fn of_object() -> io::Result<Self> {
        Self::new("")
    }

    /// For a folder, and all that is made in it.
    fn of_folder() -> io::Result<Self> {
        Self::new("OICI")
    }

    /// For a folder of the machine, and all that is made in it: it is the administrators'.
    fn of_the_machine() -> io::Result<Self> {
        Self::of_text(text(ADMINISTRATORS, "OICI", None))
    }

    fn new(inherited: &str) -> io::Result<Self> {
        let service = own_service()?;
        Self::of_text(text(Account::own()?.sid(), inherited, service.as_deref()))
    }

    /// For a pipe that somebody else may write to, too, and nothing more.
    pub fn of_pipe_for(writer: &str) -> io::Result<Self> {
        let service = own_service()?;
        let own = Account::own()?;
        Self::of_text(pipe_text(own.sid(), service.as_deref(), writer))
    }

    /// For a process of somebody else, and its thread: by default who guards it might not open it again.
    pub fn of_process_of(sid: &str) -> io::Result<Self> {
        let service = own_service()?;
        let own = Account::own()?;
        Self::of_text(process_text(own.sid(), service.as_deref(), sid))
    }

    fn of_text(text: String) -> io::Result<Self> {
        let mut memory = null_mut();
        // SAFETY: the text ends with a zero; what is made goes to a local and is freed once.
        checked(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                wide(text)?.as_ptr(),
                SDDL_REVISION_1,
                &mut memory,
                null_mut(),
            )
        })?;
        Ok(Self { memory })
    }

    /// For a call that makes something, which no child inherits. Valid as long as this is.
    pub fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: self.memory,
            bInheritHandle: 0,
        }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: it was made by a call that says to free it so.
        unsafe { LocalFree(self.memory) };
    }
}

/// As the security descriptor definition language has it: owner; list, protected from what is inherited. `service`: the
/// identifier of a restricted service, which has to be let write besides; as [`crate::access`] does it, which takes that away
/// with the service.
fn text(sid: &str, inherited: &str, service: Option<&str>) -> String {
    let mut text = format!(
        "O:{sid}D:P(A;{inherited};FA;;;{sid})(A;{inherited};FA;;;BA)(A;{inherited};FA;;;SY)"
    );
    if let Some(service) = service {
        text.push_str(&format!("(A;{inherited};{CHANGE:#x};;;{service})"));
    }
    text
}

/// `FW` is FILE_GENERIC_WRITE, with which a program opens what it writes to; a second instance of the pipe is nobody's to make, as
/// it has only one.
fn pipe_text(own: &str, service: Option<&str>, writer: &str) -> String {
    format!("{}(A;;FW;;;{writer})", text(own, "", service))
}

/// `service`: as for [`text`].
fn process_text(own: &str, service: Option<&str>, sid: &str) -> String {
    let all = [Some(own), Some("SY"), service, Some(sid)];
    let entries = all.into_iter().flatten();
    let entries: String = entries.map(|sid| format!("(A;;GA;;;{sid})")).collect();
    format!("D:P{entries}")
}

/// Makes a folder, and those above it. The folder itself is for this account, the administrators and the
/// system; one that is there stays as it is.
///
/// # Errors
/// Those of CreateDirectoryW.
pub fn create_directory(path: &Path) -> io::Result<()> {
    // Before those above it are looked at, which this account may not.
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    make_directory(path, &Descriptor::of_folder()?)
}

/// Makes a folder, in one that is there, for something of the machine's: whoever acts as an administrator makes it
/// for the administrators and the system, so that a service finds it to be nobody's own. One that is there stays as
/// it is.
///
/// # Errors
/// Those of CreateDirectoryW.
pub fn create_machine_directory(path: &Path) -> io::Result<()> {
    if is_administrator() {
        make_directory(path, &Descriptor::of_the_machine()?)
    } else {
        make_directory(path, &Descriptor::of_folder()?)
    }
}

fn make_directory(path: &Path, descriptor: &Descriptor) -> io::Result<()> {
    let name = wide(long(path.to_owned(), LONGEST_PATH))?;
    let attributes = descriptor.attributes();
    // SAFETY: the path ends with a zero; the attributes outlive the call.
    match checked(unsafe { CreateDirectoryW(name.as_ptr(), &attributes) }) {
        Err(error) if code(&error) == Some(ERROR_ALREADY_EXISTS) && path.is_dir() => Ok(()),
        answer => answer,
    }
}

/// Makes a folder the administrators' and the system's, as one that [`create_machine_directory`] has made: with all that
/// inherits from it.
///
/// # Errors
/// Those of SetNamedSecurityInfoW.
pub fn give_to_machine(path: &Path) -> io::Result<()> {
    let descriptor = Descriptor::of_the_machine()?;
    let (mut owner, mut list) = (null_mut(), null_mut());
    let (mut defaulted, mut present) = (0, 0);
    // SAFETY: the descriptor outlives the calls, and both point into it; the path ends with a zero.
    unsafe {
        checked(GetSecurityDescriptorOwner(
            descriptor.memory,
            &mut owner,
            &mut defaulted,
        ))?;
        checked(GetSecurityDescriptorDacl(
            descriptor.memory,
            &mut present,
            &mut list,
            &mut defaulted,
        ))?;
        answered(SetNamedSecurityInfoW(
            wide(long(path.to_owned(), LONGEST_PATH))?.as_ptr(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION
                | DACL_SECURITY_INFORMATION
                | PROTECTED_DACL_SECURITY_INFORMATION,
            owner,
            null_mut(),
            list,
            null_mut(),
        ))
    }
}

/// Refuses a folder that somebody else owns, or that others may write to.
///
/// # Errors
/// Why, after "cannot", and the way out.
pub fn check_directory(path: &Path) -> io::Result<()> {
    let own = Account::own()?;
    let service = own_service()?;
    let all: Vec<&str> = std::iter::once(own.sid())
        .chain(service.as_deref())
        .collect();
    check_directory_for(path, &all)
}

/// As [`check_directory`], for the account with the first of these identifiers, and others that are its own.
///
/// # Errors
/// As there.
pub fn check_directory_for(path: &Path, accounts: &[&str]) -> io::Result<()> {
    let account = accounts.first().copied().unwrap_or_default();
    let is_trusted = |sid: &str| accounts.contains(&sid) || [ADMINISTRATORS, SYSTEM].contains(&sid);
    let security = Security::of(path)?;
    let owner = security.owner.as_deref().unwrap_or(NOBODY);
    if !is_trusted(owner) {
        let why = format!(
            "it belongs to account {owner}, and this is account {account}; choose another --home"
        );
        return Err(refused(path, &why));
    }
    for (sid, rights) in allowed(security) {
        if rights & CHANGING != 0 && !is_trusted(&sid) && sid != CREATOR_OWNER {
            let why = format!(
                "account {sid} may write to it; choose as --home a folder that is not there yet, which is then made for you alone"
            );
            return Err(refused(path, &why));
        }
    }
    Ok(())
}

/// Who but its owner, administrators, the system and this account may read an open file, or let themselves read it. By name
/// where it is a usual group, else by identifier.
///
/// # Errors
/// Those of GetSecurityInfo.
pub(crate) fn who_may_read(file: &File) -> io::Result<Vec<String>> {
    let mut security = Security::of_open(file)?;
    let owner = security.owner.take();
    let owner = owner.as_deref().unwrap_or(NOBODY);
    Ok(readers(allowed(security), owner, Account::own()?.sid()))
}

fn readers(found: Vec<(String, u32)>, owner: &str, own: &str) -> Vec<String> {
    let is_trusted = |sid: &str| [owner, own, OWNER_RIGHTS].contains(&sid) || is_the_machines(sid);
    let found = found.into_iter();
    let who: BTreeSet<String> = found
        .filter(|(sid, allowed)| allowed & READING != 0 && !is_trusted(sid))
        .map(|(sid, _)| usual_name(&sid).to_owned())
        .collect();
    who.into_iter().collect()
}

/// The system, and administrators: the first one and those of a domain have their numbers at the end.
fn is_the_machines(sid: &str) -> bool {
    let of_accounts = sid.starts_with("S-1-5-21-");
    let administrators = of_accounts && (sid.ends_with("-500") || sid.ends_with("-512"));
    administrators || [ADMINISTRATORS, SYSTEM].contains(&sid)
}

fn usual_name(sid: &str) -> &str {
    match sid {
        EVERYONE => "Everyone",
        "S-1-5-4" => "Interactive",
        "S-1-5-7" => "Anonymous",
        "S-1-5-11" => "Authenticated Users",
        "S-1-5-32-545" => "Users",
        "S-1-5-32-546" => "Guests",
        sid => sid,
    }
}

/// Whether this account's own entry lets it put something into a folder.
pub(crate) fn may_add(path: &Path, account: &str) -> io::Result<bool> {
    let adds = |(sid, rights): &(String, u32)| {
        sid == account && rights & (FILE_WRITE_DATA | GENERIC_WRITE | GENERIC_ALL) != 0
    };
    Ok(allowed(Security::of(path)?).iter().any(adds))
}

/// Whom the list allows something, and what; what it denies is not taken off.
fn allowed(security: Security) -> Vec<(String, u32)> {
    let Some(entries) = security.entries else {
        return vec![(EVERYONE.to_owned(), GENERIC_ALL)];
    };
    let entries = entries.into_iter().filter(|entry| entry.allows);
    entries.map(|entry| (entry.sid, entry.rights)).collect()
}

/// A new file. Who may read it follows from its folder, which is private.
///
/// # Errors
/// Those of CreateFileW; `AlreadyExists` if there is one.
pub fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Nothing: who may read a file of a private folder follows from the folder.
///
/// # Errors
/// None.
pub fn restrict_file(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Something that has an owner.
pub(crate) enum Owned<'a, T: AsHandle> {
    /// A folder or file.
    File(&'a Path),
    /// A pipe, by a handle that may read its descriptor.
    Pipe(&'a T),
}

/// The identifier of its owner.
pub(crate) fn owner_of<T: AsHandle>(object: &Owned<'_, T>) -> io::Result<Arc<str>> {
    match object {
        Owned::File(path) => Ok(Security::of(path)?
            .owner
            .as_deref()
            .unwrap_or(NOBODY)
            .into()),
        Owned::Pipe(pipe) => owner_of_pipe(*pipe),
    }
}

fn owner_of_pipe(pipe: &impl AsHandle) -> io::Result<Arc<str>> {
    let mut owner: PSID = null_mut();
    let mut memory: PSECURITY_DESCRIPTOR = null_mut();
    // SAFETY: the handle is borrowed; owner and memory go to locals.
    answered(unsafe {
        GetSecurityInfo(
            raw(pipe),
            SE_KERNEL_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &mut owner,
            null_mut(),
            null_mut(),
            null_mut(),
            &mut memory,
        )
    })?;
    if owner.is_null() {
        // SAFETY: it was made by a call that says to free it so.
        unsafe { LocalFree(memory) };
        return Ok(NOBODY.into());
    }
    // SAFETY: it points to an identifier in the memory, which is freed once, after that was copied.
    unsafe {
        let text = text_of(owner);
        LocalFree(memory);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_folder_is_for_its_owner_the_administrators_and_the_system() {
        assert_eq!(
            text("S-1-5-21-7", "OICI", None),
            "O:S-1-5-21-7D:P(A;OICI;FA;;;S-1-5-21-7)(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)"
        );
        assert_eq!(
            text("S-1-5-18", "", Some("S-1-5-80-1-2-3-4-5")),
            "O:S-1-5-18D:P(A;;FA;;;S-1-5-18)(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1301bf;;;S-1-5-80-1-2-3-4-5)"
        );
    }

    #[test]
    fn a_folder_that_is_given_to_the_machine_is_still_an_administrator_s_to_use() {
        let place = tempfile::tempdir().expect("a directory");
        let home = place.path().join("home");
        create_directory(&home).expect("it is made");
        std::fs::write(home.join("state"), "kept").expect("it is written");
        if !is_administrator() {
            return;
        }
        give_to_machine(&home).expect("it is given");
        check_directory(&home).expect("it is refused to nobody who may use it");
        let kept = std::fs::read_to_string(home.join("state")).expect("it is read");
        assert_eq!(kept, "kept");
        create_file(&home.join("more")).expect("it is made");
        assert!(give_to_machine(&place.path().join("none")).is_err());
    }

    #[test]
    fn a_unit_of_another_account_writes_to_its_pipe_and_is_opened_by_who_guards_it() {
        let (own, web) = ("S-1-5-18", "S-1-5-21-7");
        assert_eq!(
            pipe_text(own, None, web),
            "O:S-1-5-18D:P(A;;FA;;;S-1-5-18)(A;;FA;;;BA)(A;;FA;;;SY)(A;;FW;;;S-1-5-21-7)"
        );
        assert_eq!(
            process_text(own, None, web),
            "D:P(A;;GA;;;S-1-5-18)(A;;GA;;;SY)(A;;GA;;;S-1-5-21-7)"
        );
        let service = Some("S-1-5-80-1");
        assert!(pipe_text(own, service, web).contains("(A;;0x1301bf;;;S-1-5-80-1)"));
        assert!(process_text(own, service, web).contains("(A;;GA;;;S-1-5-80-1)"));
        for made in [Descriptor::of_pipe_for(web), Descriptor::of_process_of(web)] {
            made.expect("Windows takes it");
        }
    }

    #[test]
    fn who_may_read_a_file_is_told_but_for_those_whose_it_is() {
        let (owner, own, web) = ("S-1-5-21-7-1000", "S-1-5-20", "S-1-5-21-7-1001");
        let of = |list: &[(&str, u32)]| {
            let list = list.iter().map(|(sid, rights)| ((*sid).into(), *rights));
            readers(list.collect(), owner, own)
        };
        let trusted = [
            owner,
            own,
            ADMINISTRATORS,
            SYSTEM,
            OWNER_RIGHTS,
            "S-1-5-21-7-500",
        ];
        assert_eq!(of(&trusted.map(|sid| (sid, GENERIC_ALL))), [""; 0]);
        for right in [
            FILE_READ_DATA,
            GENERIC_READ,
            WRITE_DAC,
            WRITE_OWNER,
            0x0012_0089,
        ] {
            assert_eq!(of(&[("S-1-1-0", right), (web, right)]), ["Everyone", web]);
        }
        assert_eq!(of(&[(web, FILE_WRITE_DATA | DELETE)]), [""; 0]);
        let service = "S-1-5-80-1-2-3-4-500";
        assert_eq!(of(&[(service, GENERIC_READ)]), [service]);
    }

    #[test]
    fn a_private_folder_is_taken_and_may_be_there_already() {
        let place = tempfile::tempdir().expect("a directory");
        let long = place.path().join("x".repeat(120)).join("y".repeat(120));
        create_directory(&long).expect("it is made");
        check_directory(&long).expect("it is ours");
        let home = place.path().join("above").join("hömé");
        for _ in 0..2 {
            create_directory(&home).expect("it is made, or there");
            check_directory(&home).expect("it is ours");
        }
        let file = home.join("token");
        create_file(&file).expect("it is made");
        assert!(create_file(&file).is_err());
        assert!(create_directory(&file).is_err(), "a file is in its place");
    }
}
