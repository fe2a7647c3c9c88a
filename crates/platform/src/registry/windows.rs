#![allow(unsafe_code)]

use std::io;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{
    ERROR_FILE_NOT_FOUND, ERROR_MORE_DATA, ERROR_NO_MORE_ITEMS, ERROR_SUCCESS,
};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, KEY_ENUMERATE_SUB_KEYS, KEY_QUERY_VALUE, KEY_SET_VALUE,
    KEY_WOW64_64KEY, REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_SZ, RegCloseKey, RegCreateKeyExW,
    RegDeleteTreeW, RegDeleteValueW, RegEnumKeyExW, RegOpenKeyExW, RegQueryValueExW,
    RegSetValueExW,
};

use crate::win32::wide;

/// The longest name of a key (winreg's element size limits).
const LONGEST_NAME: usize = 256;

/// What a key has under a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// REG_SZ.
    Text(String),
    /// REG_EXPAND_SZ: names of variables in it are replaced by whoever reads it.
    Expanded(String),
    /// REG_MULTI_SZ.
    Texts(Vec<String>),
    /// REG_DWORD.
    Number(u32),
    /// Something else.
    Other,
}

/// An open key.
struct Key(HKEY);

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: it is open, and nobody else closes it.
        unsafe { RegCloseKey(self.0) };
    }
}

fn checked(answer: u32) -> io::Result<()> {
    if answer == ERROR_SUCCESS {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(answer.cast_signed()))
    }
}

fn open(key: &str, access: u32) -> io::Result<Key> {
    let name = wide(key)?;
    let mut opened: HKEY = null_mut();
    // SAFETY: the name ends with a zero; the key goes to a local.
    checked(unsafe {
        RegOpenKeyExW(
            HKEY_LOCAL_MACHINE,
            name.as_ptr(),
            0,
            access | KEY_WOW64_64KEY,
            &mut opened,
        )
    })?;
    Ok(Key(opened))
}

/// `None` instead of "not found".
fn there<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.raw_os_error() == Some(ERROR_FILE_NOT_FOUND.cast_signed()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a key has under this name; `None`: nothing, or there is no such key.
///
/// # Errors
/// Those of RegOpenKeyExW and RegQueryValueExW.
pub fn value(key: &str, name: &str) -> io::Result<Option<Value>> {
    let Some(key) = there(open(key, KEY_QUERY_VALUE))? else {
        return Ok(None);
    };
    let name = wide(name)?;
    let (mut kind, mut size) = (0, 0);
    let mut data: Vec<u16> = Vec::new();
    loop {
        // SAFETY: the key is open, the name ends with a zero; the buffer has the size that is said.
        let answer = unsafe {
            RegQueryValueExW(
                key.0,
                name.as_ptr(),
                null(),
                &mut kind,
                if data.is_empty() {
                    null_mut()
                } else {
                    data.as_mut_ptr().cast()
                },
                &mut size,
            )
        };
        if answer != ERROR_MORE_DATA && there(checked(answer))?.is_none() {
            return Ok(None);
        }
        let units = (size as usize).div_ceil(2);
        if units <= data.len() && answer == ERROR_SUCCESS {
            data.truncate(units);
            break;
        }
        if units == 0 {
            break;
        }
        data.resize(units, 0);
        size = u32::try_from(units * 2).unwrap_or(u32::MAX);
    }
    let end = data.iter().position(|&unit| unit == 0);
    let first = || String::from_utf16_lossy(data.get(..end.unwrap_or(data.len())).unwrap_or(&[]));
    Ok(Some(match kind {
        REG_SZ => Value::Text(first()),
        REG_EXPAND_SZ => Value::Expanded(first()),
        REG_MULTI_SZ => Value::Texts(
            data.split(|&unit| unit == 0)
                .filter(|text| !text.is_empty())
                .map(String::from_utf16_lossy)
                .collect(),
        ),
        REG_DWORD => match data[..] {
            [low, high] => Value::Number(u32::from(high) << 16 | u32::from(low)),
            _ => Value::Other,
        },
        _ => Value::Other,
    }))
}

/// Sets a value; the key is made if it is not there.
///
/// # Errors
/// Those of RegCreateKeyExW and RegSetValueExW. `InvalidInput`: [`Value::Other`].
pub fn set(key: &str, name: &str, value: &Value) -> io::Result<()> {
    let (kind, data) = match value {
        Value::Text(text) => (REG_SZ, wide(text)?),
        Value::Expanded(text) => (REG_EXPAND_SZ, wide(text)?),
        Value::Texts(texts) => {
            let mut all = Vec::new();
            for text in texts {
                all.extend(wide(text)?);
            }
            all.push(0);
            (REG_MULTI_SZ, all)
        }
        Value::Number(number) => {
            let (low, high) = (number & 0xffff, number >> 16);
            (REG_DWORD, vec![low as u16, high as u16])
        }
        Value::Other => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let path = wide(key)?;
    let mut opened: HKEY = null_mut();
    // SAFETY: the name ends with a zero; the key goes to a local; null means no class and usual rights.
    checked(unsafe {
        RegCreateKeyExW(
            HKEY_LOCAL_MACHINE,
            path.as_ptr(),
            0,
            null(),
            0,
            KEY_SET_VALUE | KEY_WOW64_64KEY,
            null(),
            &mut opened,
            null_mut(),
        )
    })?;
    let key = Key(opened);
    let size = u32::try_from(data.len() * 2).unwrap_or(u32::MAX);
    // SAFETY: the key is open, the name ends with a zero, the data has that size.
    checked(unsafe {
        RegSetValueExW(
            key.0,
            wide(name)?.as_ptr(),
            0,
            kind,
            data.as_ptr().cast(),
            size,
        )
    })
}

/// Removes a value. It may not be there.
///
/// # Errors
/// Those of RegOpenKeyExW and RegDeleteValueW.
pub fn delete_value(key: &str, name: &str) -> io::Result<()> {
    let Some(key) = there(open(key, KEY_SET_VALUE))? else {
        return Ok(());
    };
    // SAFETY: the key is open, the name ends with a zero.
    there(checked(unsafe {
        RegDeleteValueW(key.0, wide(name)?.as_ptr())
    }))
    .map(drop)
}

/// Removes a key with all that is in it. It may not be there.
///
/// # Errors
/// Those of RegDeleteTreeW.
pub fn delete_tree(key: &str) -> io::Result<()> {
    // SAFETY: the name ends with a zero.
    let answer = unsafe { RegDeleteTreeW(HKEY_LOCAL_MACHINE, wide(key)?.as_ptr()) };
    there(checked(answer)).map(drop)
}

/// The names of the keys in a key; none if it is not there.
///
/// # Errors
/// Those of RegOpenKeyExW and RegEnumKeyExW.
pub fn keys(key: &str) -> io::Result<Vec<String>> {
    let Some(key) = there(open(key, KEY_ENUMERATE_SUB_KEYS))? else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for index in 0.. {
        let mut name = [0_u16; LONGEST_NAME];
        let mut length = LONGEST_NAME as u32;
        // SAFETY: the key is open; the name's buffer has that length; null: nothing else is asked for.
        let answer = unsafe {
            RegEnumKeyExW(
                key.0,
                index,
                name.as_mut_ptr(),
                &mut length,
                null(),
                null_mut(),
                null_mut(),
                null_mut(),
            )
        };
        if answer == ERROR_NO_MORE_ITEMS {
            break;
        }
        checked(answer)?;
        names.push(String::from_utf16_lossy(
            name.get(..length as usize).unwrap_or(&[]),
        ));
    }
    Ok(names)
}
