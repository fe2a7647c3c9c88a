//! The variables of a run: those of the account, made from the registry and not from this process, then the
//! unit's.

#![allow(unsafe_code)]

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io;
use std::os::windows::io::OwnedHandle;

use windows_sys::Win32::Globalization::{CSTR_EQUAL, CSTR_LESS_THAN, CompareStringOrdinal};
use windows_sys::Win32::Security::{TOKEN_DUPLICATE, TOKEN_QUERY};
use windows_sys::Win32::System::Environment::{CreateEnvironmentBlock, DestroyEnvironmentBlock};

use crate::account::own_token;
use crate::win32::{checked, raw};

/// A variable's name: case does not count, but is kept.
#[derive(Clone, Debug)]
pub(super) struct Name(Vec<u16>);

impl Name {
    fn new(text: &str) -> Self {
        Self(text.encode_utf16().collect())
    }
}

impl Ord for Name {
    /// As Windows sorts them: by upper case, without regard to any language.
    fn cmp(&self, other: &Self) -> Ordering {
        let length = |name: &Self| i32::try_from(name.0.len()).unwrap_or(i32::MAX);
        // SAFETY: both texts are as long as is said.
        let answer = unsafe {
            CompareStringOrdinal(
                self.0.as_ptr(),
                length(self),
                other.0.as_ptr(),
                length(other),
                1,
            )
        };
        match answer {
            CSTR_LESS_THAN => Ordering::Less,
            CSTR_EQUAL => Ordering::Equal,
            _ => Ordering::Greater,
        }
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Name {}

/// Variables in the order in which Windows wants them.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment(BTreeMap<Name, Vec<u16>>);

impl Environment {
    /// What somebody finds who logs on with the account of this process.
    pub fn of_the_account() -> io::Result<Self> {
        Self::of(&own_token(TOKEN_QUERY | TOKEN_DUPLICATE)?)
    }

    /// What somebody finds who logs on and gets this token.
    pub fn of(token: &OwnedHandle) -> io::Result<Self> {
        let mut block = std::ptr::null_mut();
        // SAFETY: the token is borrowed; the block ends with an empty text, and is freed once.
        unsafe {
            checked(CreateEnvironmentBlock(&mut block, raw(token), 0))?;
            let (mut texts, mut at) = (Vec::new(), block.cast::<u16>().cast_const());
            loop {
                let length = (0..).take_while(|&i| *at.add(i) != 0).count();
                if length == 0 {
                    break;
                }
                texts.push(std::slice::from_raw_parts(at, length).to_vec());
                at = at.add(length + 1);
            }
            DestroyEnvironmentBlock(block);
            let mut environment = Self::default();
            for text in texts {
                // "=C:=C:\x" are current directories of drives: nobody's business here.
                let equals = text
                    .iter()
                    .skip(1)
                    .position(|&unit| unit == u16::from(b'='));
                if let Some(at) = equals.filter(|_| text[0] != u16::from(b'=')) {
                    let value = text[at + 2..].to_vec();
                    environment.0.insert(Name(text[..=at].to_vec()), value);
                }
            }
            Ok(environment)
        }
    }

    /// Sets a variable; the last one of a name wins, and brings its own way of writing it.
    ///
    /// # Errors
    /// Reads after "cannot".
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(format!(
                "set the variable {name:?}: Windows has no such variable"
            ));
        }
        let name = Name::new(name);
        self.0.remove(&name);
        self.0.insert(name, value.encode_utf16().collect());
        Ok(())
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = self.0.get(&Name::new(name))?;
        Some(String::from_utf16_lossy(value))
    }

    /// As CreateProcess takes it: `NAME=value` one after the other, each with a zero, and another zero.
    pub fn block(&self) -> Vec<u16> {
        let mut block = Vec::new();
        for (name, value) in &self.0 {
            block.extend_from_slice(&name.0);
            block.push(u16::from(b'='));
            block.extend_from_slice(value);
            block.push(0);
        }
        if block.is_empty() {
            block.push(0);
        }
        block.push(0);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_sorted_without_regard_to_case_and_the_last_of_a_name_wins() {
        let mut environment = Environment::default();
        for (name, value) in [
            ("b", "1"),
            ("Path", "x"),
            ("A", "ö"),
            ("PATH", "y"),
            ("a_", "2"),
        ] {
            environment.set(name, value).expect("it can be set");
        }
        let block = String::from_utf16(&environment.block()).expect("text");
        assert_eq!(block, "A=ö\0a_=2\0b=1\0PATH=y\0\0");
        assert_eq!(environment.get("path").as_deref(), Some("y"));
        assert!(environment.set("a=b", "").is_err());
        assert!(environment.set("", "").is_err());
        assert_eq!(Environment::default().block(), [0, 0]);
    }

    #[test]
    fn the_account_has_what_every_program_of_windows_needs_and_nothing_of_this_process() {
        let environment = Environment::of_the_account().expect("it can be asked for");
        for name in ["SystemRoot", "PATH", "ComSpec"] {
            assert!(environment.get(name).is_some(), "{name}: {environment:?}");
        }
        // Cargo sets it for tests.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        assert_eq!(environment.get("CARGO_MANIFEST_DIR"), None);
    }
}
