//! Passwords that were wrong. A unit is started again and again, and so many wrong passwords would lock its account for
//! everybody: the same one is not tried again for a while.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use abide_model::AccountName;

use super::password::Stamp;

/// Windows counts wrong passwords for ten minutes or longer, where it is set as it is set usually.
pub(super) const PAUSE: Duration = Duration::from_secs(10 * 60);

/// By account.
#[derive(Default)]
pub(super) struct Refusals(BTreeMap<String, (Stamp, Instant)>);

impl Refusals {
    /// How long ago what a file holds was refused, if it is not to be tried again yet.
    pub fn of(&self, name: &AccountName, stamp: Stamp, now: Instant) -> Option<Duration> {
        let (refused, at) = self.0.get(&name.as_str().to_lowercase())?;
        let ago = now.saturating_duration_since(*at);
        (*refused == stamp && ago < PAUSE).then_some(ago)
    }

    /// It was refused then, or taken.
    pub fn note(&mut self, name: &AccountName, stamp: Stamp, refused: Option<Instant>) {
        let name = name.as_str().to_lowercase();
        match refused {
            Some(at) => self.0.insert(name, (stamp, at)),
            None => self.0.remove(&name),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_password_is_tried_again_when_its_file_is_another_one_or_time_has_passed() {
        let (mut refusals, begin) = (Refusals::default(), Instant::now());
        let web = AccountName::new("web");
        let (one, other) = ((None, 1), (None, 2));
        assert_eq!(refusals.of(&web, one, begin), None);
        refusals.note(&web, one, Some(begin));
        let soon = begin + Duration::from_secs(9);
        assert_eq!(
            refusals.of(&AccountName::new(r".\WEB"), one, soon),
            Some(Duration::from_secs(9))
        );
        assert_eq!(refusals.of(&web, other, soon), None, "it was written anew");
        assert_eq!(refusals.of(&AccountName::new("db"), one, soon), None);
        assert_eq!(refusals.of(&web, one, begin + PAUSE), None);
        refusals.note(&web, one, None);
        assert_eq!(refusals.of(&web, one, soon), None, "it was right after all");
    }
}
