//! JSON objects, read in one pass; of what is not looked for nothing is kept.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Found, Lifted, Value, table};

pub(super) fn lift(line: &[u8]) -> Lifted {
    let mut found = Found::default();
    let mut reader = serde_json::Deserializer::from_slice(line);
    let fields = Fields {
        found: &mut found,
        parent: "",
    };
    match reader.deserialize_map(fields).and_then(|()| reader.end()) {
        Ok(()) => found.lifted(),
        Err(_) => Lifted::default(),
    }
}

/// The members of the object itself, or of one that is known to hold something.
struct Fields<'f> {
    found: &'f mut Found,
    parent: &'static str,
}

/// What a member's name says.
struct Name {
    /// It is this key.
    key: Option<usize>,
    /// Its members may be keys.
    parent: Option<&'static str>,
}

struct NameOf(&'static str);

struct Member<'f> {
    found: &'f mut Found,
    name: Name,
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(NameOf(self.parent))? {
            if name.key.is_none() && name.parent.is_none() {
                map.next_value::<IgnoredAny>()?;
            } else {
                map.next_value_seed(Member {
                    found: &mut *self.found,
                    name,
                })?;
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for NameOf {
    type Value = Name;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Name, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for NameOf {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Name, E> {
        Ok(Name {
            key: table::place(self.0, name),
            // One level: what is deeper is data.
            parent: self.0.is_empty().then(|| table::parent(name)).flatten(),
        })
    }
}

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl Member<'_> {
    fn take(self, value: &Value<'_>) {
        if let Some(key) = self.name.key {
            self.found.take(key, value);
        }
    }
}

impl<'de> Visitor<'de> for Member<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.take(&Value::Text(text));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.take(&Value::Whole(number));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        if let Ok(number) = i64::try_from(number) {
            self.take(&Value::Whole(number));
        }
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.take(&Value::Number(number));
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        match self.name.parent {
            Some(parent) => Fields {
                found: self.found,
                parent,
            }
            .visit_map(map),
            None => {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(())
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Some(parent) = self.name.parent else {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        // .NET's scopes are an array of objects.
        let found = self.found;
        loop {
            let item = Member {
                found: &mut *found,
                name: Name {
                    key: None,
                    parent: Some(parent),
                },
            };
            if items.next_element_seed(item)?.is_none() {
                return Ok(());
            }
        }
    }
}
