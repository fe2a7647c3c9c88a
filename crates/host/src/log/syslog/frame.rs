//! Telling messages apart in a stream of bytes.

/// How it is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// The length in front of each message (RFC 6587, section 3.4.1; RFC 5425, section 4.3).
    OctetCounting,
    /// A zero behind each, as syslog(3) does on a Unix stream socket. A zero inside becomes a space.
    Zero,
}

/// The message as it goes into the stream.
#[must_use]
pub fn framed(framing: Framing, mut message: Vec<u8>) -> Vec<u8> {
    match framing {
        Framing::OctetCounting => {
            let mut out = format!("{} ", message.len()).into_bytes();
            out.append(&mut message);
            out
        }
        Framing::Zero => {
            for byte in &mut message {
                if *byte == 0 {
                    *byte = b' ';
                }
            }
            message.push(0);
            message
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_can_be_told_from_the_next() {
        let counted = framed(Framing::OctetCounting, "ä\nb".as_bytes().to_vec());
        assert_eq!(counted, "4 ä\nb".as_bytes());
        assert_eq!(framed(Framing::Zero, b"a\0\nb".to_vec()), b"a \nb\0");
    }
}
