//! `supervise/status` of runsv: 20 bytes (runsv.c, `update_status`).

use std::path::Path;

/// What runsv says of a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stat {
    pub pid: Option<u32>,
    /// It is wanted up.
    pub wanted: bool,
    pub got_term: bool,
    pub phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Down,
    Run,
    Finish,
}

impl Stat {
    /// `None`: there is none, or it is not whole.
    pub(super) fn read(service: &Path) -> Option<Self> {
        Self::parse(&std::fs::read(service.join("supervise/status")).ok()?)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 20] = bytes.try_into().ok()?;
        let pid = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
        Some(Self {
            pid: (pid != 0).then_some(pid),
            wanted: bytes[17] == b'u',
            got_term: bytes[18] != 0,
            phase: match bytes[19] {
                0 => Phase::Down,
                1 => Phase::Run,
                2 => Phase::Finish,
                _ => return None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twenty_bytes_are_read() {
        let mut bytes = [0_u8; 20];
        bytes[12] = 77;
        bytes[17] = b'u';
        bytes[19] = 1;
        assert_eq!(
            Stat::parse(&bytes),
            Some(Stat {
                pid: Some(77),
                wanted: true,
                got_term: false,
                phase: Phase::Run
            })
        );
        bytes[19] = 9;
        assert_eq!(Stat::parse(&bytes), None);
        assert_eq!(Stat::parse(&bytes[..19]), None);
    }
}
