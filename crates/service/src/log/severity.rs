/// How much a message matters: the severities of syslog (RFC 5424, table 2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// The system is unusable.
    Emergency,
    /// Somebody must act at once.
    Alert,
    /// The service is at its end.
    Critical,
    /// Something failed.
    Error,
    /// Something may fail.
    Warning,
    /// Normal, and worth notice.
    Notice,
    /// What happens.
    Info,
    /// For whoever looks for a fault.
    Debug,
}

impl Severity {
    /// 0 to 7.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}
