//! Who may ask for what.
//!
//! On the home's socket (on Windows its pipe): the owner of the home and the machine's administrators, told by
//! the kernel. On TCP: beats, metrics
//! and liveness are open, everything else asks for the bearer token in the home's `token` file; and
//! because a browser on this machine can reach loopback too, `Host` must be a loopback name (a
//! hostile name may resolve to 127.0.0.1) and `Origin`, if there is one, must be this server's own.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use abide_platform::account::Account;
use abide_platform::{private, random};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri, header};

use super::error::{Answer, ApiError};

/// What TCP answers without a token.
const OPEN: [(&str, &str); 4] = [
    ("/v1/heartbeat", "POST"),
    ("/heartbeat", "POST"),
    ("/metrics", "GET"),
    ("/healthz", "GET"),
];

/// Who is at the other end of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Peer {
    /// On the home's socket.
    Socket {
        /// Who connected.
        account: Account,
    },
    /// On TCP; nothing is known of whom.
    Tcp {
        /// The address of this side.
        local: SocketAddr,
    },
}

/// The rules for one server.
#[derive(Debug)]
pub(super) struct Guard {
    owner: Account,
    token: Token,
}

/// The bearer token of a home.
pub(super) struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Guard {
    pub(super) fn new(owner: Account, token: Token) -> Self {
        Self { owner, token }
    }

    /// Whether this request may be looked at.
    pub(super) fn check(
        &self,
        peer: &Peer,
        method: &str,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Answer<()> {
        match peer {
            Peer::Socket { account } if account.may_command(&self.owner) => Ok(()),
            Peer::Socket { account } => Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                format!(
                    "this socket belongs to {}; {account} may not use it",
                    self.owner
                ),
            )),
            Peer::Tcp { local } => {
                check_host(uri, headers)?;
                check_origin(*local, headers)?;
                let method = if method == "HEAD" { "GET" } else { method };
                if OPEN.contains(&(uri.path(), method)) {
                    return Ok(());
                }
                self.check_token(headers)
            }
        }
    }

    fn check_token(&self, headers: &HeaderMap) -> Answer<()> {
        let given = headers.get(header::AUTHORIZATION).map(|value| {
            let value = value.as_bytes();
            match value.split_at_checked(7) {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => token,
                _ => b"",
            }
        });
        let why = match given {
            Some(token) if self.token.is(token.trim_ascii()) => return Ok(()),
            Some(_) => "the bearer token is not this home's",
            None => "there is no bearer token",
        };
        Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            format!("this is not answered over TCP without the home's token: {why}"),
        )
        .help("send `Authorization: Bearer TOKEN` with the content of the home's file `token`"))
    }
}

fn check_host(uri: &Uri, headers: &HeaderMap) -> Answer<()> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    // An absolute request target (as proxies send it) wins over the header (RFC 9112, 3.2.2).
    let authority = match (uri.authority(), host) {
        (Some(authority), _) => Some(authority.clone()),
        (None, Some(host)) => host.parse::<Authority>().ok(),
        (None, None) => None,
    };
    if hosts.next().is_none() && authority.is_some_and(|it| is_loopback(it.host())) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "forbidden",
        "this Host is not served; use localhost or a loopback address",
    ))
}

fn check_origin(local: SocketAddr, headers: &HeaderMap) -> Answer<()> {
    for origin in headers.get_all(header::ORIGIN) {
        let own = origin
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix("http://")?.parse::<Authority>().ok())
            .is_some_and(|it| {
                is_loopback(it.host()) && it.port_u16().unwrap_or(80) == local.port()
            });
        if !own {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "web pages of other origins are not answered",
            ));
        }
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

impl Token {
    /// Reads the home's token, or makes one: 32 random bytes, readable by the owner alone.
    ///
    /// # Errors
    /// The file cannot be read, written or made private, or the system gives no random bytes.
    pub(super) fn load_or_create(path: &Path) -> io::Result<Self> {
        match File::open(path) {
            Ok(file) => {
                let mut text = String::new();
                (&file).take(1024).read_to_string(&mut text)?;
                let token = text.trim();
                // Shorter: written by hand, or by a daemon that was killed in the middle of it.
                if token.len() >= 32 && token.bytes().all(|b| b.is_ascii_graphic()) {
                    private::restrict_file(&file)?;
                    return Ok(Self(token.to_owned()));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let token = random_hex()?;
        let temporary = path.with_extension("new");
        if let Err(error) = std::fs::remove_file(&temporary)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut file = private::create_file(&temporary)?;
        writeln!(file, "{token}")?;
        file.sync_all()?;
        abide_platform::file::replace(&temporary, path)?;
        Ok(Self(token))
    }

    /// Compares in a time that does not tell how much of it was right.
    fn is(&self, given: &[u8]) -> bool {
        let ours = self.0.as_bytes();
        let mut differ = ours.len() ^ given.len();
        for (i, byte) in ours.iter().enumerate() {
            differ |= usize::from(byte ^ given.get(i).copied().unwrap_or(0));
        }
        std::hint::black_box(differ) == 0
    }
}

fn random_hex() -> io::Result<String> {
    let mut bytes = [0u8; 32];
    random::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_loopback() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::2]",
            "0.0.0.0",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_token_is_made_once_and_a_torn_one_is_made_anew() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("token");
        let first = Token::load_or_create(&path).expect("create").0;
        assert_eq!(first.len(), 64);
        assert_eq!(Token::load_or_create(&path).expect("load").0, first);
        std::fs::write(&path, "abc").expect("write");
        assert_ne!(Token::load_or_create(&path).expect("anew").0, "abc");
    }

    #[test]
    fn a_token_equals_itself_alone() {
        let token = Token("a".repeat(64));
        assert!(token.is("a".repeat(64).as_bytes()));
        for wrong in ["", "a", &"a".repeat(63), &"a".repeat(65), &"b".repeat(64)] {
            assert!(!token.is(wrong.as_bytes()), "{wrong:?}");
        }
    }
}
