#![allow(unsafe_code)]

use std::fs::OpenOptions;
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, OwnedHandle};
use std::path::Path;
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_PIPE_BUSY};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, PIPE_ACCESS_DUPLEX,
    SECURITY_IDENTIFICATION, SECURITY_SQOS_PRESENT,
};
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, GetNamedPipeHandleStateW, PIPE_READMODE_BYTE, PIPE_REJECT_REMOTE_CLIENTS,
    PIPE_TYPE_BYTE, PIPE_UNLIMITED_INSTANCES, PIPE_WAIT,
};

use crate::account::{ADMINISTRATORS, Account, SYSTEM};
use crate::private::{Descriptor, Owned, may_add, owner_of};
use crate::win32::{checked, code, owned, raw, wide};

/// How much may wait in each direction.
const BUFFER: u32 = 64 << 10;

/// The pipe of a home.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    name: String,
    number: u64,
}

impl Address {
    /// Where the daemon of a home is asked.
    ///
    /// # Errors
    /// `NotFound`: there is no such folder; others of opening it.
    pub fn of(home: &Path) -> io::Result<Self> {
        // One folder has many names: relative, short (8.3), in other cases, through junctions.
        let real = std::fs::canonicalize(home)?;
        let hash = hash(real.to_string_lossy().to_lowercase().as_bytes());
        Ok(Self {
            name: format!(r"\\.\pipe\abide-{hash:032x}"),
            number: hash as u64,
        })
    }

    /// To connect to, and to make instances of.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// FNV-1a with 128 bits. The name is no secret: who sits there is told by the pipe's owner.
fn hash(bytes: &[u8]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes.iter().fold(BASIS, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(PRIME)
    })
}

/// The first instance of the home's pipe. It serves nobody: it makes the name ours for as long as somebody
/// holds it, and gives each further instance its security descriptor.
#[derive(Debug)]
pub struct Place {
    address: Address,
    instance: OwnedHandle,
}

impl Place {
    /// Takes the name of a home's pipe, for this account, the administrators and the system; nobody reaches it
    /// from another machine.
    ///
    /// # Errors
    /// `AddrInUse`: somebody else has it, and would be asked in our stead.
    pub fn take(home: &Path) -> io::Result<Self> {
        let address = Address::of(home)?;
        let descriptor = Descriptor::of_object()?;
        let attributes = descriptor.attributes();
        // SAFETY: the name ends with a zero, the attributes outlive the call, the handle is ours.
        let instance = unsafe {
            owned(CreateNamedPipeW(
                wide(&address.name)?.as_ptr(),
                PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
                PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
                PIPE_UNLIMITED_INSTANCES,
                BUFFER,
                BUFFER,
                0,
                &attributes,
            ))
        };
        let instance = match instance {
            Ok(instance) => instance,
            Err(error) => {
                return Err(match code(&error) {
                    Some(ERROR_ACCESS_DENIED | ERROR_PIPE_BUSY) => address.taken(),
                    _ => error,
                });
            }
        };
        // Where the flag is not heeded (Wine), it still shows.
        if instances(&instance)? != 1 {
            return Err(address.taken());
        }
        let place = Self { address, instance };
        place.occupy()?;
        Ok(place)
    }

    /// An instance that nobody has connected to would be given to the first who does. This one is connected to
    /// by ourselves and left again, and so is nobody's until it is closed.
    fn occupy(&self) -> io::Result<()> {
        let client = OpenOptions::new()
            .read(true)
            .write(true)
            .security_qos_flags(SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION)
            .open(&self.address.name)?;
        drop(client);
        Ok(())
    }

    /// By which it is known among what the keeper holds.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn number(home: &Path) -> io::Result<u64> {
        Ok(Address::of(home)?.number)
    }

    /// Goes on with one that the keeper held.
    ///
    /// # Errors
    /// It is another home's, or no pipe.
    pub fn adopt(home: &Path, number: u64, held: OwnedHandle) -> io::Result<Self> {
        let address = Address::of(home)?;
        if address.number != number {
            return Err(io::Error::other("it is another home's"));
        }
        instances(&held)?;
        Ok(Self {
            address,
            instance: held,
        })
    }

    /// The same one again.
    ///
    /// # Errors
    /// Those of DuplicateHandle.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            address: self.address.clone(),
            instance: self.instance.try_clone()?,
        })
    }

    /// Further instances are made by this name: of bytes, in both directions, as many as there can be. They have the first
    /// one's security descriptor.
    #[must_use]
    pub fn name(&self) -> &str {
        self.address.name()
    }
}

impl From<Place> for OwnedHandle {
    fn from(place: Place) -> Self {
        place.instance
    }
}

impl Address {
    fn taken(&self) -> io::Error {
        io::Error::new(
            io::ErrorKind::AddrInUse,
            format!(
                "another process has the pipe {}, by which this home's daemon is asked; end that process",
                self.name
            ),
        )
    }
}

/// How many instances the pipe has.
fn instances(pipe: &OwnedHandle) -> io::Result<u32> {
    let mut count = 0;
    // SAFETY: the handle is borrowed, the number goes to a local; nothing else is asked for.
    checked(unsafe {
        GetNamedPipeHandleStateW(
            raw(pipe),
            null_mut(),
            &mut count,
            null_mut(),
            null_mut(),
            null_mut(),
            0,
        )
    })?;
    Ok(count)
}

/// Refuses a pipe whose owner is neither this account, nor the home's owner, nor the machine's, nor an account that was
/// given the home: a stranger could have made one of that name while there was no daemon.
///
/// # Errors
/// `PermissionDenied`: it is a stranger's.
pub fn check_server(pipe: &impl AsHandle, home: &Path) -> io::Result<()> {
    let owner = owner_of(&Owned::Pipe(pipe))?;
    if [Account::own()?.sid(), ADMINISTRATORS, SYSTEM].contains(&&*owner)
        || owner_of::<OwnedHandle>(&Owned::File(home))? == owner
        || may_add(home, &owner)?
    {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("account {owner} answers there, to whom the home does not belong"),
    ))
}

/// Nothing: the name goes with its last instance.
///
/// # Errors
/// None.
pub fn remove(_home: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use windows_sys::Win32::Foundation::ERROR_FILE_NOT_FOUND;

    #[test]
    fn the_hash_is_the_published_one() {
        // draft-eastlake-fnv, test vectors for 128 bits.
        assert_eq!(hash(b""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(hash(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
    }

    #[test]
    fn a_home_has_one_name_however_it_is_written() {
        let dir = tempfile::tempdir().expect("a directory");
        let home = dir.path().join("Home");
        assert_eq!(
            Address::of(&home).expect_err("it is not there").kind(),
            io::ErrorKind::NotFound
        );
        std::fs::create_dir(&home).expect("mkdir");
        let address = Address::of(&home).expect("an address");
        let other = dir.path().join(".").join("hOME");
        assert_eq!(Address::of(&other).expect("an address"), address);
        assert_ne!(Address::of(dir.path()).expect("an address"), address);
    }

    #[test]
    fn a_name_that_a_stranger_has_is_not_taken() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = Place::take(dir.path()).expect("it is free");
        let refused = Place::take(dir.path()).expect_err("it is taken");
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse, "{refused}");
        drop(first);
        Place::take(dir.path()).expect("it is free again");
    }

    #[test]
    fn while_nobody_serves_a_client_is_told_to_ask_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let connect = || {
            let name = Address::of(dir.path()).expect("an address").name;
            OpenOptions::new().read(true).write(true).open(name)
        };
        let absent = connect().expect_err("nobody is there");
        assert_eq!(code(&absent), Some(ERROR_FILE_NOT_FOUND));
        let place = Place::take(dir.path()).expect("it is free");
        // As the keeper has it, when the daemon is gone.
        let held = OwnedHandle::from(place.try_clone().expect("a duplicate"));
        drop(place);
        for _ in 0..2 {
            let busy = connect().expect_err("nobody serves");
            assert_eq!(code(&busy), Some(ERROR_PIPE_BUSY));
        }
        let number = Place::number(dir.path()).expect("a number");
        let copy = held.try_clone().expect("a duplicate");
        Place::adopt(dir.path(), number, copy).expect("it is this home's");
        assert!(Place::adopt(dir.path(), number ^ 1, held).is_err());
    }
}
