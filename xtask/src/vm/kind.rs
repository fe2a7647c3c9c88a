//! The processors that a machine can have.

use crate::dist::Static;

/// A kind of machine, as QEMU and Debian call it.
pub struct Kind {
    /// As it is called on the command line.
    pub name: &'static str,
    /// What plays it.
    pub qemu: &'static str,
    /// The package that this comes in.
    pub package: &'static str,
    /// What it is told of processor and board.
    pub board: &'static [&'static str],
    /// Where the kernel's console is.
    pub console: &'static str,
    /// As Debian calls the processor.
    pub debian: &'static str,
    /// Always depends on the newest kernel.
    pub kernel: &'static str,
    /// The static build whose programs it runs; `None`: those that are built for this machine.
    pub programs: Option<&'static str>,
}

/// The first is this machine's own. None uses KVM: where it is offered to a container it often does not work.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "native",
        programs: None,
        ..X86_64
    },
    X86_64,
    Kind {
        name: "aarch64",
        qemu: "qemu-system-aarch64",
        package: "qemu-system-arm",
        // Its own authentication of pointers costs an emulator most of its time.
        board: &["-machine", "virt", "-cpu", "max,pauth-impdef=on"],
        console: "ttyAMA0",
        debian: "arm64",
        kernel: "linux-image-cloud-arm64",
        programs: Some("aarch64"),
    },
    Kind {
        name: "armv7",
        qemu: "qemu-system-arm",
        package: "qemu-system-arm",
        // Its kernel reaches no device above 4 GiB.
        board: &["-machine", "virt,highmem=off", "-cpu", "cortex-a15"],
        console: "ttyAMA0",
        debian: "armhf",
        kernel: "linux-image-armmp",
        programs: Some("armv7"),
    },
];

const X86_64: Kind = Kind {
    name: "x86_64",
    qemu: "qemu-system-x86_64",
    package: "qemu-system-x86",
    board: &["-cpu", "max"],
    console: "ttyS0",
    debian: "amd64",
    kernel: "linux-image-cloud-amd64",
    programs: Some("x86_64"),
};

impl Kind {
    /// The one of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<&'static Self, String> {
        KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| {
            let all: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
            format!("there is no machine {name}; there are {}", all.join(", "))
        })
    }

    /// How its programs are built, if not for this machine.
    ///
    /// # Errors
    /// What that needs cannot be had.
    pub fn build(&self) -> Result<Option<Static>, String> {
        self.programs.map(Static::named).transpose()
    }
}
