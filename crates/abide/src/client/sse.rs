//! Server-sent events: bytes in, the `data` of each event out.
//! Source of the rules: the HTML standard, "Interpreting an event stream".

/// Takes a stream apart.
#[derive(Default, Debug)]
pub struct Parser {
    line: Vec<u8>,
    data: Vec<u8>,
    any: bool,
}

impl Parser {
    /// Takes some bytes; `each` gets the data of every event that is complete with them.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        for &byte in bytes {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
            if self.line.is_empty() {
                if self.any {
                    each(&self.data);
                }
                self.data.clear();
                self.any = false;
            } else if let Some(data) = self.line.strip_prefix(b"data:") {
                if self.any {
                    self.data.push(b'\n');
                }
                self.data
                    .extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
                self.any = true;
            }
            // `id:` is in the data as well, `event:` too, and lines that begin with `:` keep the
            // connection alive.
            self.line.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_whole_however_its_bytes_arrive() {
        let stream = b": hello\n\nid: 1\nevent: started\ndata: {\"a\":\ndata: 1}\n\ndata:x\r\n\r\n";
        for chunk in 1..stream.len() {
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for part in stream.chunks(chunk) {
                parser.feed(part, |data| {
                    events.push(String::from_utf8_lossy(data).into_owned())
                });
            }
            assert_eq!(events, ["{\"a\":\n1}", "x"], "in chunks of {chunk}");
        }
    }
}
