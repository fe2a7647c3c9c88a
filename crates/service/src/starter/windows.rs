use super::Starter;

pub(super) fn find() -> Starter {
    if abide_host::scm::started_by_manager() {
        Starter::Scm
    } else if std::env::var_os("ABIDE_UNIT").is_some() {
        Starter::Abide
    } else {
        Starter::Person
    }
}
