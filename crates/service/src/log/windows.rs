/// What this machine calls itself.
pub(super) fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}
