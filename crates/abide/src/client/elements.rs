//! A JSON array taken apart as its bytes arrive, so that the daemon and whoever asks work at once.

use serde::de::DeserializeOwned;
use serde_json::{Deserializer, Error};

/// The elements that are complete so far.
#[derive(Debug)]
pub struct Elements<T> {
    found: Vec<T>,
    /// Bytes that are no whole element yet.
    rest: Vec<u8>,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Before,
    Within,
    After,
}

impl<T: DeserializeOwned> Elements<T> {
    /// Nothing has arrived.
    #[must_use]
    pub fn new() -> Self {
        Self {
            found: Vec::new(),
            rest: Vec::new(),
            place: Place::Before,
        }
    }

    /// Takes some bytes.
    ///
    /// # Errors
    /// They do not belong to an array of such elements.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.rest.extend_from_slice(bytes);
        let mut taken = 0;
        while let Some(rest) = self.rest.get(taken..)
            && let Some(first) = rest.first()
        {
            match (self.place, first) {
                (_, b' ' | b'\n' | b'\r' | b'\t') | (Place::Within, b',') => taken += 1,
                (Place::Before, b'[') => {
                    self.place = Place::Within;
                    taken += 1;
                }
                (Place::Within, b']') => {
                    self.place = Place::After;
                    taken += 1;
                }
                (Place::Within, _) => {
                    let mut values = Deserializer::from_slice(rest).into_iter();
                    match values.next() {
                        Some(Ok(element)) => self.found.push(element),
                        Some(Err(error)) if !error.is_eof() => return Err(error),
                        // The rest of it is on its way.
                        Some(Err(_)) | None => break,
                    }
                    taken += values.byte_offset();
                }
                (Place::Before | Place::After, _) => {
                    return Err(serde::de::Error::custom("this is no array"));
                }
            }
        }
        self.rest.drain(..taken);
        Ok(())
    }

    /// All elements, when nothing more will arrive.
    ///
    /// # Errors
    /// The end of the array is missing.
    pub fn end(self) -> Result<Vec<T>, Error> {
        match self.place {
            Place::After => Ok(self.found),
            Place::Before | Place::Within => Err(serde::de::Error::custom("its end is missing")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_whole_however_its_bytes_arrive() {
        let text = br#" [{"a":"x,]\"["}, {"b":"y"},{}
            ] "#;
        let whole: Vec<serde_json::Value> = serde_json::from_slice(text).expect("JSON");
        for size in 1..=text.len() {
            let mut elements = Elements::<serde_json::Value>::new();
            for part in text.chunks(size) {
                elements.feed(part).expect("a part of an array");
            }
            assert_eq!(elements.end().expect("an array"), whole, "{size} at a time");
        }
    }

    #[test]
    fn what_is_no_whole_array_is_an_error() {
        for text in ["", "{}", "[{}", "[{}] x", "[}"] {
            let mut elements = Elements::<serde_json::Value>::new();
            let fed = elements.feed(text.as_bytes());
            assert!(fed.is_err() || elements.end().is_err(), "{text}");
        }
    }
}
