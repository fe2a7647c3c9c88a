//! A table that never allocates but in [`Map::room`], where running out of memory is an answer.
//! Entries stay where they are, so that a walk can be interrupted and continued.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};

/// The end of a chain of slots.
const END: u32 = u32::MAX;

pub(super) struct Map<K, V> {
    slots: Vec<Slot<K, V>>,
    /// The first slot of each chain; as many as a power of two.
    heads: Vec<u32>,
    /// The chain of those that are free.
    free: u32,
}

struct Slot<K, V> {
    key: K,
    /// `None`: free.
    value: Option<V>,
    next: u32,
}

impl<K: Copy + Eq + Hash, V> Map<K, V> {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            heads: Vec::new(),
            free: END,
        }
    }

    /// Makes room for this many more. False: there is no memory; all is as it was.
    pub(super) fn room(&mut self, more: usize) -> bool {
        if self.slots.try_reserve(more).is_err() {
            return false;
        }
        let wanted = self.slots.capacity().next_power_of_two();
        let mut heads = Vec::new();
        if wanted <= self.heads.len() {
            return true;
        }
        if heads.try_reserve_exact(wanted).is_err() {
            // Longer chains; without any there is no place.
            return !self.heads.is_empty();
        }
        heads.resize(wanted, END);
        self.heads = heads;
        self.free = END;
        for at in 0..u32::try_from(self.slots.len()).unwrap_or(END) {
            self.chain(at);
        }
        true
    }

    fn bucket(&self, key: &K) -> Option<usize> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        let mask = self.heads.len().checked_sub(1)?;
        Some(usize::try_from(hash & u64::try_from(mask).ok()?).unwrap_or(0))
    }

    fn head(&mut self, key: &K) -> Option<&mut u32> {
        let bucket = self.bucket(key)?;
        self.heads.get_mut(bucket)
    }

    /// Puts a slot at the front of its key's chain, or of the free ones.
    fn chain(&mut self, at: u32) {
        let Some((key, used)) = self.slot(at).map(|slot| (slot.key, slot.value.is_some())) else {
            return;
        };
        let mut free = self.free;
        let next = match self.head(&key) {
            Some(head) if used => std::mem::replace(head, at),
            _ => std::mem::replace(&mut free, at),
        };
        self.free = free;
        if let Some(slot) = self.slot(at) {
            slot.next = next;
        }
    }

    fn slot(&mut self, at: u32) -> Option<&mut Slot<K, V>> {
        self.slots.get_mut(usize::try_from(at).ok()?)
    }

    /// The slot of a key, and the one before it in the chain.
    fn find(&self, key: &K) -> Option<(u32, Option<u32>)> {
        let (mut at, mut before) = (*self.heads.get(self.bucket(key)?)?, None);
        while let Some(slot) = self.slots.get(usize::try_from(at).ok()?) {
            if slot.key == *key {
                return Some((at, before));
            }
            (before, at) = (Some(at), slot.next);
        }
        None
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        let (at, _) = self.find(key)?;
        self.slots.get(usize::try_from(at).ok()?)?.value.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let (at, _) = self.find(key)?;
        self.slot(at)?.value.as_mut()
    }

    /// In the place of what is there under that key. What [`Map::room`] was not made for is dropped.
    pub(super) fn insert(&mut self, key: K, value: V) {
        if let Some(there) = self.get_mut(&key) {
            *there = value;
            return;
        }
        let at = self.free;
        let value = Some(value);
        let new = if let Some(slot) = self.slot(at) {
            let next = slot.next;
            (slot.key, slot.value) = (key, value);
            self.free = next;
            at
        } else if self.slots.len() < self.slots.capacity() && !self.heads.is_empty() {
            let next = END;
            self.slots.push(Slot { key, value, next });
            u32::try_from(self.slots.len().saturating_sub(1)).unwrap_or(END)
        } else {
            return;
        };
        self.chain(new);
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let (at, before) = self.find(key)?;
        let slot = self.slot(at)?;
        let (value, next) = (slot.value.take(), slot.next);
        match before {
            Some(before) => self.slot(before)?.next = next,
            None => *self.head(key)? = next,
        }
        self.chain(at);
        value
    }

    pub(super) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    /// All from this place on, each with the place after it.
    pub(super) fn from(&self, place: usize) -> impl Iterator<Item = (usize, &K, &V)> {
        let slots = self.slots.iter().zip(1_usize..).skip(place);
        slots.filter_map(|(slot, next)| Some((next, &slot.key, slot.value.as_ref()?)))
    }

    pub(super) fn values(&mut self) -> impl Iterator<Item = &mut V> {
        self.slots.iter_mut().filter_map(|slot| slot.value.as_mut())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_does_as_a_tree_does(steps in prop::collection::vec((0_u8..3, 0_u16..60), 1..400)) {
            let (mut map, mut tree) = (Map::new(), BTreeMap::new());
            for (n, (what, key)) in steps.into_iter().enumerate() {
                match what {
                    0 => prop_assert_eq!(map.remove(&key), tree.remove(&key)),
                    _ => {
                        prop_assert!(map.room(1));
                        map.insert(key, n);
                        tree.insert(key, n);
                    }
                }
                prop_assert_eq!(map.get(&key).copied(), tree.get(&key).copied());
                let mut all: Vec<_> = map.from(0).map(|(_, key, n)| (*key, *n)).collect();
                all.sort_unstable();
                prop_assert_eq!(all, tree.clone().into_iter().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_walk_goes_on_where_it_was() {
        let mut map = Map::new();
        assert!(map.room(10));
        for key in 0..10 {
            map.insert(key, ());
        }
        map.remove(&7);
        let (place, key, ()) = map.from(0).nth(4).expect("there are more");
        assert_eq!(*key, 4);
        let rest: Vec<i32> = map.from(place).map(|(_, key, ())| *key).collect();
        assert_eq!(rest, [5, 6, 8, 9]);
    }

    #[test]
    fn what_there_is_no_room_for_is_not_taken() {
        let mut map = Map::new();
        map.insert(1, ());
        assert!(map.get(&1).is_none());
        assert!(!map.room(usize::MAX));
    }
}
