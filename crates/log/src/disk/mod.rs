//! What differs between systems in the handling of files.
//!
//! - [`read_at`], [`read_exact_at`], [`write_all_at`]: bytes at an offset, wherever the file's own
//!   cursor stands;
//! - [`make_private_directory`], [`private`]: for the user of the daemon alone;
//! - [`is_removed`]: whether a file that we hold open has lost its name;
//! - [`to_sync`]: opens a file in a way in which it can be written through to the disk;
//! - [`sync_directory`]: names that came and went are on the disk;
//! - [`remove`]: a name that is free again at once, whoever still reads the file; [`remove_left`].

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub use unix::{
    is_removed, make_private_directory, private, read_at, read_exact_at, remove, remove_left,
    sync_directory, to_sync, write_all_at,
};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{
    is_removed, make_private_directory, private, read_at, read_exact_at, remove, remove_left,
    sync_directory, to_sync, write_all_at,
};

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};

    use super::*;

    fn opened(path: &std::path::Path) -> File {
        private(OpenOptions::new().read(true).write(true).create(true))
            .open(path)
            .expect("opened")
    }

    #[test]
    fn bytes_go_to_their_offset_and_come_from_there_in_any_order() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = opened(&dir.path().join("f"));
        write_all_at(&file, b"world", 6).expect("written");
        write_all_at(&file, b"hello ", 0).expect("written");
        let mut bytes = [0; 5];
        read_exact_at(&file, &mut bytes, 3).expect("read");
        assert_eq!(&bytes, b"lo wo");
        assert_eq!(read_at(&file, &mut bytes, 9).expect("read"), 2);
        assert_eq!(read_at(&file, &mut bytes, 11).expect("at the end"), 0);
        assert_eq!(read_at(&file, &mut bytes, 99).expect("beyond it"), 0);
        let short = read_exact_at(&file, &mut bytes, 9).expect_err("two bytes only");
        assert_eq!(short.kind(), std::io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_file_that_is_held_open_is_seen_to_be_removed() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("f");
        let file = opened(&path);
        assert!(!is_removed(&file, &path).expect("it can be looked at"));
        remove(&path).expect("removed");
        assert!(is_removed(&file, &path).expect("it can be looked at"));
    }

    #[test]
    fn a_name_is_free_though_the_file_is_read_on() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("f");
        let file = opened(&path);
        write_all_at(&file, b"old", 0).expect("written");
        remove(&path).expect("removed");
        let new = OpenOptions::new().write(true).create_new(true).open(&path);
        write_all_at(&new.expect("the name is free"), b"new", 0).expect("written");
        let mut bytes = [0; 3];
        read_exact_at(&file, &mut bytes, 0).expect("read");
        assert_eq!(&bytes, b"old");
        drop(file);
        remove_left(dir.path()).expect("tidied");
        let names = std::fs::read_dir(dir.path()).expect("read");
        assert_eq!(names.count(), 1);
        let missing = remove(&dir.path().join("none")).expect_err("there is none");
        assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    }

    #[test]
    fn what_was_made_can_be_written_through() {
        let dir = tempfile::tempdir().expect("a directory");
        let inner = dir.path().join("a").join("b");
        make_private_directory(&inner).expect("made");
        make_private_directory(&inner).expect("it may be there");
        let path = inner.join("f");
        write_all_at(&opened(&path), b"x", 0).expect("written");
        to_sync(&path).expect("opened").sync_data().expect("synced");
        sync_directory(&inner).expect("synced");
    }
}
