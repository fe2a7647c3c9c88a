//! Which machines abide is built for.

/// A kind of machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// As it is called on the command line, and in names of files.
    pub name: &'static str,
    /// As the compiler calls it.
    pub triple: &'static str,
    /// Which C library.
    pub libc: Libc,
    /// As Debian calls the processor.
    pub debian: &'static str,
    /// There is a Debian package for it.
    pub deb: bool,
    /// Debian's C compiler for it, and the folder of musl below `/usr/lib`.
    pub gcc: &'static str,
    /// See `gcc`.
    pub musl: &'static str,
    /// What the C compiler has to be told about the processor.
    pub flags: &'static [&'static str],
    /// What runs its programs on an x86-64; `None`: it runs them itself.
    pub emulator: Option<&'static str>,
}

/// The C library.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Libc {
    /// glibc, of the machine that it runs on.
    Gnu,
    /// musl, in the program itself.
    Musl,
}

/// All of them. The Debian package is made of the program that uses Debian's own C library.
pub const TARGETS: &[Target] = &[
    Target {
        name: "x86_64-gnu",
        triple: "x86_64-unknown-linux-gnu",
        libc: Libc::Gnu,
        debian: "amd64",
        deb: true,
        gcc: "x86_64-linux-gnu-gcc",
        musl: "",
        flags: &[],
        emulator: None,
    },
    Target {
        name: "x86_64",
        triple: "x86_64-unknown-linux-musl",
        libc: Libc::Musl,
        debian: "amd64",
        deb: false,
        gcc: "x86_64-linux-gnu-gcc",
        musl: "x86_64-linux-musl",
        flags: &[],
        emulator: None,
    },
    Target {
        name: "aarch64",
        triple: "aarch64-unknown-linux-musl",
        libc: Libc::Musl,
        debian: "arm64",
        deb: true,
        gcc: "aarch64-linux-gnu-gcc",
        musl: "aarch64-linux-musl",
        flags: &["-mno-outline-atomics"],
        emulator: Some("qemu-aarch64-static"),
    },
    Target {
        name: "armv7",
        triple: "armv7-unknown-linux-musleabihf",
        libc: Libc::Musl,
        debian: "armhf",
        deb: true,
        gcc: "arm-linux-gnueabihf-gcc",
        musl: "arm-linux-musleabihf",
        flags: &[],
        emulator: Some("qemu-arm-static"),
    },
];

/// Those that are named; if none is, those that run here.
///
/// # Errors
/// There is none of that name.
pub fn chosen(names: &[String]) -> Result<Vec<&'static Target>, String> {
    if names.is_empty() {
        // Those for other processors have to be asked for: docs/known-gaps.md says how far they are.
        let own = TARGETS.iter().filter(|target| target.emulator.is_none());
        return Ok(own.collect());
    }
    names.iter().map(|name| named(name)).collect()
}

/// The one of this name.
///
/// # Errors
/// There is none.
pub fn named(name: &str) -> Result<&'static Target, String> {
    let found = TARGETS.iter().find(|target| target.name == name);
    found.ok_or_else(|| {
        let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        format!("there is no target {name}; there are {}", all.join(", "))
    })
}
