//! Property lists in XML (plist(5)): what launchd reads a service from.
//!
//! Only what such a list may be made of. What says where it is defined, such as the document type, is passed over.

/// How deep things may lie in each other. launchd's own lie three deep.
const DEPTH: u32 = 32;

/// Something in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    /// In the order in which they stand there.
    Dict(Vec<(String, Value)>),
    Array(Vec<Value>),
    String(String),
    Bool(bool),
    /// A number, a date or data, by the name of its tag: what it is does not matter here.
    Other(String),
}

impl Value {
    /// What it is, for people.
    pub(super) fn kind(&self) -> &str {
        match self {
            Self::Dict(_) => "a dict",
            Self::Array(_) => "an array",
            Self::String(_) => "a string",
            Self::Bool(_) => "true or false",
            Self::Other(tag) if tag == "integer" => "an integer",
            Self::Other(_) => "something else",
        }
    }
}

/// It is no property list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Broken {
    /// Where, from 1 on.
    pub line: usize,
    /// Why, after "line 3: ".
    pub why: String,
}

/// Reads one.
///
/// # Errors
/// The first thing that is wrong with it, and where.
pub(super) fn read(text: &str) -> Result<Value, Broken> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.document();
    value.map_err(|why| Broken {
        line: reader.line(),
        why,
    })
}

/// A piece of the text.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    /// `<tag …>`
    Open(String),
    /// `<tag …/>`
    Empty(String),
    /// `</tag>`
    Close(String),
    /// What is between them, with characters instead of their names.
    Text(String),
    End,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn line(&self) -> usize {
        1 + self.text[..self.at].matches('\n').count()
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn document(&mut self) -> Result<Value, String> {
        let value = match self.tag()? {
            Token::Open(tag) if tag == "plist" => {
                let first = self.tag()?;
                let value = self.value(first, DEPTH)?;
                self.close("plist")?;
                value
            }
            Token::End => return Err("there is nothing in it".to_owned()),
            first => self.value(first, DEPTH)?,
        };
        match self.tag()? {
            Token::End => Ok(value),
            _ => Err("something follows its end".to_owned()),
        }
    }

    fn value(&mut self, first: Token, depth: u32) -> Result<Value, String> {
        if depth == 0 {
            return Err(format!("things lie more than {DEPTH} deep in each other"));
        }
        match first {
            Token::Empty(tag) => match tag.as_str() {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                "dict" => Ok(Value::Dict(Vec::new())),
                "array" => Ok(Value::Array(Vec::new())),
                "string" => Ok(Value::String(String::new())),
                _ => Err(unknown(&tag)),
            },
            Token::Open(tag) => match tag.as_str() {
                "dict" => self.dict(depth),
                "array" => self.array(depth),
                "string" => Ok(Value::String(self.words("string")?)),
                "true" | "false" => {
                    self.close(&tag)?;
                    Ok(Value::Bool(tag == "true"))
                }
                "integer" | "real" | "date" | "data" => {
                    self.words(&tag)?;
                    Ok(Value::Other(tag))
                }
                _ => Err(unknown(&tag)),
            },
            Token::Close(tag) => Err(format!("</{tag}> ends what was not begun")),
            Token::Text(text) => Err(format!("{:?} stands outside of a value", text.trim())),
            Token::End => Err("it ends in the middle".to_owned()),
        }
    }

    fn dict(&mut self, depth: u32) -> Result<Value, String> {
        let mut entries = Vec::new();
        loop {
            match self.tag()? {
                Token::Close(tag) if tag == "dict" => return Ok(Value::Dict(entries)),
                Token::Open(tag) if tag == "key" => {
                    let key = self.words("key")?;
                    let first = self.tag()?;
                    if matches!(&first, Token::Close(tag) if tag == "dict")
                        || matches!(&first, Token::Open(tag) if tag == "key")
                    {
                        return Err(format!("{key} has no value"));
                    }
                    entries.push((key, self.value(first, depth - 1)?));
                }
                Token::End => return Err("a <dict> does not end".to_owned()),
                Token::Open(tag) | Token::Empty(tag) => {
                    return Err(format!("<{tag}> stands in a <dict> without a <key>"));
                }
                Token::Close(tag) => return Err(format!("</{tag}> ends a <dict>")),
                Token::Text(text) => {
                    return Err(format!("{:?} stands outside of a value", text.trim()));
                }
            }
        }
    }

    fn array(&mut self, depth: u32) -> Result<Value, String> {
        let mut values = Vec::new();
        loop {
            match self.tag()? {
                Token::Close(tag) if tag == "array" => return Ok(Value::Array(values)),
                Token::End => return Err("an <array> does not end".to_owned()),
                first => values.push(self.value(first, depth - 1)?),
            }
        }
    }

    /// The text up to the end of a tag.
    fn words(&mut self, tag: &str) -> Result<String, String> {
        let mut words = String::new();
        loop {
            match self.next()? {
                Token::Text(text) => words.push_str(&text),
                Token::Close(end) if end == tag => return Ok(words),
                Token::End => return Err(format!("a <{tag}> does not end")),
                Token::Open(other) | Token::Empty(other) | Token::Close(other) => {
                    return Err(format!("<{other}> stands in a <{tag}>"));
                }
            }
        }
    }

    fn close(&mut self, tag: &str) -> Result<(), String> {
        match self.tag()? {
            Token::Close(end) if end == tag => Ok(()),
            _ => Err(format!("a <{tag}> does not end where it should")),
        }
    }

    /// The next piece that is not blank.
    fn tag(&mut self) -> Result<Token, String> {
        loop {
            match self.next()? {
                Token::Text(text) if text.trim().is_empty() => {}
                token => return Ok(token),
            }
        }
    }

    fn next(&mut self) -> Result<Token, String> {
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                return Ok(Token::End);
            }
            if rest.starts_with("<!--") {
                self.past("-->", "a comment")?;
            } else if rest.starts_with("<?") {
                self.past("?>", "what begins with <?")?;
            } else if rest.starts_with("<![CDATA[") {
                let inside = self.past("]]>", "a <![CDATA[")?;
                return Ok(Token::Text(inside["<![CDATA[".len()..].to_owned()));
            } else if rest.starts_with("<!") {
                // A document type may have a part of its own in brackets.
                let bracket = rest.split('>').next().is_some_and(|to| to.contains('['));
                self.past(if bracket { "]>" } else { ">" }, "what begins with <!")?;
            } else if rest.starts_with('<') {
                return self.element();
            } else {
                let end = rest.find('<').unwrap_or(rest.len());
                let text = characters(&rest[..end])?;
                self.at += end;
                return Ok(Token::Text(text));
            }
        }
    }

    /// Goes on behind the next `end`; what was passed.
    fn past(&mut self, end: &str, what: &str) -> Result<&'a str, String> {
        let rest = self.rest();
        let found = rest
            .find(end)
            .ok_or_else(|| format!("{what} does not end"))?;
        self.at += found + end.len();
        Ok(&rest[..found])
    }

    fn element(&mut self) -> Result<Token, String> {
        let passed = self.past(">", "a tag")?;
        let inside = &passed[1..];
        if inside.contains('<') {
            return Err("a tag does not end".to_owned());
        }
        let name = |text: &str| {
            let name = text.split_whitespace().next().unwrap_or_default();
            name.to_owned()
        };
        Ok(if let Some(closed) = inside.strip_prefix('/') {
            Token::Close(name(closed))
        } else if let Some(empty) = inside.strip_suffix('/') {
            Token::Empty(name(empty))
        } else {
            Token::Open(name(inside))
        })
    }
}

fn unknown(tag: &str) -> String {
    format!("there is no <{tag}> in a property list")
}

/// Text with characters in the place of their names (Extensible Markup Language, 4.6).
fn characters(text: &str) -> Result<String, String> {
    let mut done = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        done.push_str(&rest[..at]);
        let named = &rest[at + 1..];
        let end = named
            .find(';')
            .ok_or("an & that begins no name has to be written &amp;")?;
        let name = &named[..end];
        let number = name
            .strip_prefix('#')
            .and_then(|number| match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => number.parse().ok(),
            });
        let character = match (name, number) {
            ("amp", _) => Some('&'),
            ("lt", _) => Some('<'),
            ("gt", _) => Some('>'),
            ("quot", _) => Some('"'),
            ("apos", _) => Some('\''),
            (_, Some(number)) => char::from_u32(number),
            _ => None,
        };
        done.push(character.ok_or("an & that begins no name has to be written &amp;")?);
        rest = &named[end + 1..];
    }
    done.push_str(rest);
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> Value {
        Value::String(text.to_owned())
    }

    #[test]
    fn what_a_list_may_be_made_of_is_read() {
        let text = "<?xml version=\"1.0\"?>\n<!-- <dict> -->\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"x\">\n\
                    <plist version=\"1.0\">\n<dict>\n <key>A &amp; B</key> <string> a &lt;&#x41;&#66;&gt;&quot;&apos;<![CDATA[<&>]]></string>\n\
                    <key>C</key><array><true/><false></false><integer>7</integer><string/></array>\n\
                    <key>D</key><dict/>\n</dict>\n</plist>\n";
        let entries = [
            ("A & B", string(" a <AB>\"'<&>")),
            (
                "C",
                Value::Array(vec![
                    Value::Bool(true),
                    Value::Bool(false),
                    Value::Other("integer".to_owned()),
                    string(""),
                ]),
            ),
            ("D", Value::Dict(Vec::new())),
        ];
        let entries = entries.map(|(key, value)| (key.to_owned(), value)).to_vec();
        assert_eq!(read(text), Ok(Value::Dict(entries)));
        assert_eq!(read("<string>a</string>"), Ok(string("a")));
        let own = "<!DOCTYPE plist [ <!ENTITY a \"b\"> ]><plist><true/></plist>";
        assert_eq!(read(own), Ok(Value::Bool(true)));
    }

    #[test]
    fn what_is_broken_is_told_with_its_line() {
        for (text, line, why) in [
            ("", 1, "nothing in it"),
            ("<plist>\n<dict>\n", 3, "a <dict> does not end"),
            (
                "<plist><dict>\n<key>A</key>\n</dict></plist>",
                3,
                "A has no value",
            ),
            (
                "<dict><key>A</key><key>B</key><true/></dict>",
                1,
                "A has no value",
            ),
            ("<dict><true/></dict>", 1, "without a <key>"),
            (
                "<dict>\n<key>A</key>\n<sting>a</sting></dict>",
                3,
                "no <sting>",
            ),
            ("<array>\n<string>a</array>", 2, "</array>"),
            ("<string>a & b</string>", 1, "&amp;"),
            ("<string>&nbsp;</string>", 1, "&amp;"),
            ("<string>a", 1, "a <string> does not end"),
            ("<string", 1, "a tag does not end"),
            ("<!-- a", 1, "a comment does not end"),
            ("<true/>\n<true/>", 2, "follows its end"),
            ("hello", 1, "\"hello\" stands outside"),
        ] {
            let broken = read(text).expect_err(text);
            assert_eq!(broken.line, line, "{text}: {broken:?}");
            // Of an end that is another's, its name is enough.
            let why = why.trim_start_matches("</").trim_end_matches('>');
            assert!(broken.why.contains(why), "{text}: {broken:?}");
        }
    }

    #[test]
    fn a_list_that_is_too_deep_is_refused_and_does_no_harm() {
        let deep = "<array>".repeat(100_000);
        assert!(read(&deep).expect_err("it is too deep").why.contains("32"));
    }
}
