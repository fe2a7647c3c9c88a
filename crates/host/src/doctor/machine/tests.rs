use super::*;
use crate::doctor::finding::Level;

fn modes(mode: u32, owner: u32) -> Folder {
    Folder::Modes {
        mode,
        owner,
        user: 0,
    }
}

fn sound() -> Machine {
    Machine {
        home: "/var/lib/abide".into(),
        socket: Some(107),
        long_paths: None,
        home_folder: Some(modes(0o700, 0)),
        disk: Some(Disk {
            free: 1 << 30,
            free_files: Some(100_000),
            read_only: false,
            network: None,
        }),
        clock: Clock {
            now: 1_800_000_000,
            newest: 1_799_999_999,
        },
        kernel: Kernel {
            open_files: (Some(1024), Some(4096)),
            file_size: None,
            files: Some(Use {
                used: 1000,
                of: 100_000,
            }),
            threads: Some(Use {
                used: 100,
                of: 32_768,
            }),
            group_processes: None,
            memory: Some((1 << 30, 4 << 30)),
            commit: None,
            inotify_instances: Some(128),
            inotify_used_up: false,
            control_groups: None,
        },
    }
}

#[track_caller]
fn only(change: impl Fn(&mut Machine), check: Check, words: &str) {
    let mut machine = sound();
    change(&mut machine);
    let found = judge(&machine);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].check, check);
    assert!(found[0].what.contains(words), "{found:#?}");
    assert!(!found[0].fix.is_empty());
}

#[test]
fn a_sound_machine_has_no_findings() {
    assert_eq!(judge(&sound()), []);
}

#[test]
fn what_is_wrong_with_a_home_is_found() {
    only(
        |m| m.home_folder = Some(modes(0o777, 0)),
        Check::Home,
        "by everyone",
    );
    only(
        |m| m.home_folder = Some(modes(0o700, 1000)),
        Check::Home,
        "belongs to account 1000",
    );
    let long = format!("/{}", "x".repeat(100));
    only(
        |m| m.home = long.clone().into(),
        Check::Home,
        "too long for the socket in it, by 5 bytes",
    );
    let disk = |change: fn(&mut Disk)| move |m: &mut Machine| m.disk.iter_mut().for_each(change);
    only(disk(|d| d.free = 4096), Check::Disk, "4 KiB are left");
    only(
        disk(|d| d.free_files = Some(3)),
        Check::Disk,
        "room for 3 files",
    );
    only(
        disk(|d| d.read_only = true),
        Check::Disk,
        "can only be read",
    );
    only(
        disk(|d| d.network = Some("NFS".into())),
        Check::Disk,
        "(NFS)",
    );
}

#[test]
fn what_the_machine_is_short_of_is_found() {
    only(|m| m.clock.now -= 3 * A_DAY, Check::Clock, "2 days behind");
    only(
        |m| m.kernel.open_files = (Some(64), Some(64)),
        Check::OpenFiles,
        "64 files at most",
    );
    only(
        |m| m.kernel.file_size = Some(1024),
        Check::OpenFiles,
        "1024 bytes",
    );
    only(
        |m| m.kernel.files = Some(Use { used: 95, of: 100 }),
        Check::OpenFiles,
        "95 of 100",
    );
    only(
        |m| m.kernel.threads = Some(Use { used: 95, of: 100 }),
        Check::Processes,
        "threads",
    );
    only(
        |m| m.kernel.group_processes = Some(Use { used: 9, of: 10 }),
        Check::Processes,
        "9 of 10",
    );
    only(
        |m| m.kernel.inotify_used_up = true,
        Check::Inotify,
        "none of the 128",
    );
    only(
        |m| m.kernel.memory = Some((1 << 20, 4 << 30)),
        Check::Memory,
        "1 MiB of 4096 MiB",
    );
    let mut machine = sound();
    machine.kernel.memory = Some((1 << 20, 4 << 30));
    assert_eq!(judge(&machine)[0].level, Level::Warning);
}

#[test]
fn what_is_wrong_with_a_home_and_a_machine_of_windows_is_found() {
    let sound = || Machine {
        home: r"C:\ProgramData\abide".into(),
        socket: None,
        long_paths: Some(false),
        home_folder: Some(Folder::List {
            other_owner: None,
            changers: Vec::new(),
        }),
        disk: sound().disk,
        clock: sound().clock,
        kernel: Kernel {
            memory: Some((1 << 30, 4 << 30)),
            commit: Some(Use {
                used: 4 << 30,
                of: 8 << 30,
            }),
            ..Kernel::default()
        },
    };
    assert_eq!(judge(&sound()), []);
    let list = |owner: Option<&str>, changers: &[&str]| {
        Some(Folder::List {
            other_owner: owner.map(str::to_owned),
            changers: changers.iter().map(|name| (*name).to_owned()).collect(),
        })
    };
    type Plant<'a> = &'a dyn Fn(&mut Machine);
    let plants: [(Plant<'_>, Check, Level, &str); 7] = [
        (
            &|m| m.home_folder = list(Some(r"SHOP\eve"), &[]),
            Check::Home,
            Level::Fault,
            r"belongs to another account (SHOP\eve)",
        ),
        (
            &|m| m.home_folder = list(None, &["Users", "Everyone"]),
            Check::Home,
            Level::Fault,
            "can be written to by Users, Everyone",
        ),
        (
            &|m| m.home = format!(r"C:\{}", "x".repeat(220)).into(),
            Check::Home,
            Level::Warning,
            "has 223 characters",
        ),
        (
            &|m| m.disk.iter_mut().for_each(|disk| disk.read_only = true),
            Check::Disk,
            Level::Fault,
            "can only be read",
        ),
        (
            &|m| {
                m.disk
                    .iter_mut()
                    .for_each(|disk| disk.network = Some(r"Z:\".into()))
            },
            Check::Disk,
            Level::Warning,
            "another machine's disk",
        ),
        (
            &|m| m.disk.iter_mut().for_each(|disk| disk.free = 4096),
            Check::Disk,
            Level::Fault,
            "4 KiB are left",
        ),
        (
            &|m| {
                m.kernel.commit = Some(Use {
                    used: 8 << 30,
                    of: (8 << 30) + 4096,
                })
            },
            Check::Memory,
            Level::Warning,
            "0 MiB of 8192 MiB that programs may ask for",
        ),
    ];
    for (plant, check, level, words) in plants {
        let mut machine = sound();
        plant(&mut machine);
        let found = judge(&machine);
        assert_eq!(found.len(), 1, "{words}: {found:#?}");
        assert_eq!((found[0].check, found[0].level), (check, level));
        assert!(found[0].what.contains(words), "{words}: {}", found[0].what);
        assert!(!found[0].fix.is_empty());
    }
    let mut long = sound();
    long.home = format!(r"C:\{}", "x".repeat(220)).into();
    long.long_paths = Some(true);
    assert_eq!(judge(&long), [], "programs can be prepared for it");
}
