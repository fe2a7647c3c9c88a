//! TLS for a stream (RFC 5425), by rustls.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Instant;

use rustix::event::PollFlags;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::stream::{Socket, hung_up};
use super::{patiently, wait};
use crate::log::Trust;

/// One end of a TLS connection.
#[derive(Debug)]
pub struct Tls(ClientConnection);

impl Tls {
    /// Reads the certificates that are trusted.
    pub fn new(host: &str, trust: &Trust) -> io::Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots(trust)?);
        let config = match &trust.identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| unusable("private key", key, &error))?;
                config
                    .with_client_auth_cert(chain, key)
                    .map_err(io::Error::other)?
            }
        };
        let name = trust.name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let mut connection =
            ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        // A message is taken whole, however large.
        connection.set_buffer_limit(None);
        Ok(Self(connection))
    }

    /// Goes on until both have agreed.
    pub fn shake_hands(&mut self, socket: &Socket, until: Instant) -> io::Result<()> {
        while self.0.is_handshaking() {
            while self.0.wants_write() {
                patiently(socket, PollFlags::OUT, until, || {
                    self.0.write_tls(&mut &*socket)
                })?;
            }
            if self.0.is_handshaking() {
                wait(socket, PollFlags::IN, until)?;
                match self.read(socket) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    other => other?,
                }
            }
        }
        self.write(socket, until)
    }

    /// Takes what the receiver says: alerts, keys, or that it hangs up.
    pub fn listen(&mut self, socket: &Socket) -> io::Result<()> {
        loop {
            match self.read(socket) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&mut self, socket: &Socket) -> io::Result<()> {
        if self.0.read_tls(&mut &*socket)? == 0 {
            return Err(hung_up());
        }
        let state = self.0.process_new_packets().map_err(|error| {
            // The receiver is told why, if it still listens.
            let _ = self.0.write_tls(&mut &*socket);
            io::Error::new(io::ErrorKind::InvalidData, error)
        })?;
        if state.peer_has_closed() {
            return Err(hung_up());
        }
        let mut left = state.plaintext_bytes_to_read();
        let mut ignored = [0; 256];
        while left > 0 {
            left -= self.0.reader().read(&mut ignored)?.clamp(1, left);
        }
        Ok(())
    }

    pub fn begin(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.writer().write_all(message)
    }

    pub fn write(&mut self, socket: &Socket, until: Instant) -> io::Result<()> {
        while self.0.wants_write() {
            patiently(socket, PollFlags::OUT, until, || {
                self.0.write_tls(&mut &*socket)
            })?;
        }
        Ok(())
    }
}

fn roots(trust: &Trust) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(path) = &trust.authorities else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(io::Error::other(
                "this system trusts no certificates (package ca-certificates); name those to trust in `ca`",
            ));
        }
        return Ok(roots);
    };
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| unusable("certificate", path, &error))?;
    }
    Ok(roots)
}

fn certificates(path: &std::path::Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let read = |error: &dyn std::fmt::Display| unusable("certificate", path, error);
    let found = CertificateDer::pem_file_iter(path).map_err(|error| read(&error))?;
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|error| read(&error))?;
    if found.is_empty() {
        return Err(read(&"there is none in it"));
    }
    Ok(found)
}

fn unusable(what: &str, path: &std::path::Path, why: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!(
        "the {what} {} cannot be used: {why}",
        path.display()
    ))
}
