//! Whose beats are taken: `NAME`, or `HOST/NAME` of those that say their host.

use abide_model::UnitName;
use globset::{Glob, GlobMatcher};

use super::machine::Key;

/// One entry of `services`.
#[derive(Clone, Debug)]
pub struct Service {
    host: Option<GlobMatcher>,
    name: GlobMatcher,
}

impl Service {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Why it is none.
    pub fn new(text: &str) -> Result<Self, String> {
        let glob = |text: &str| {
            let glob = Glob::new(text).map_err(|error| error.kind().to_string())?;
            Ok::<_, String>(glob.compile_matcher())
        };
        let (host, name) = match text.split_once('/') {
            Some((host, name)) => (Some(glob(host)?), name),
            None => (None, text),
        };
        Ok(Self {
            host,
            name: glob(name)?,
        })
    }

    /// A pattern without a host means services of every host, and those that say none.
    #[must_use]
    pub fn matches(&self, key: &Key) -> bool {
        let host = match (&self.host, &key.host) {
            (None, _) => true,
            (Some(wanted), Some(host)) => wanted.is_match(host),
            (Some(_), None) => false,
        };
        host && self.name.is_match(key.service.as_str())
    }
}

/// Who a beat is from; `None`: no such service can be shown here.
#[must_use]
pub fn key(service: &str, host: Option<&str>) -> Option<Key> {
    let bad = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '/' | '*' | '?');
    if host.is_some_and(|host| host.is_empty() || host.len() > 253 || host.contains(bad)) {
        return None;
    }
    Some(Key {
        service: UnitName::new(service).ok()?,
        host: host.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_without_a_host_means_every_host_and_one_with_it_that_host() {
        let of = |service, host| key(service, host).expect("a key");
        let any = Service::new("web*").expect("a pattern");
        assert!(any.matches(&of("web", None)) && any.matches(&of("webby", Some("a"))));
        assert!(!any.matches(&of("db", None)));
        let one = Service::new("a-?/*").expect("a pattern");
        assert!(one.matches(&of("shop:web@1", Some("a-1"))));
        assert!(!one.matches(&of("web", Some("b"))) && !one.matches(&of("web", None)));
    }

    #[test]
    fn what_cannot_be_shown_is_nobody() {
        assert!(key("a b", None).is_none() && key("", None).is_none());
        assert!(key("web", Some("")).is_none() && key("web", Some("a/b")).is_none());
        assert!(key("web", Some(&"h".repeat(300))).is_none());
    }
}
