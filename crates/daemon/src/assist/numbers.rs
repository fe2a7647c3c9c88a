//! Numbers of commands' trees: no two that live have the same.

use std::collections::HashSet;

/// As many as a tag has room for ([`abide_platform::tree::Trees::auxiliary`]).
const NUMBERS: u32 = 1 << 19;

#[derive(Default)]
pub struct Numbers {
    next: u32,
    taken: HashSet<u32>,
}

impl Numbers {
    /// One that is free; it is taken until [`Numbers::free`].
    pub fn take(&mut self) -> u32 {
        // There are far fewer commands at a time than numbers.
        loop {
            let n = self.next;
            self.next = (n + 1) % NUMBERS;
            if self.taken.insert(n) {
                return n;
            }
        }
    }

    /// Somebody has it already.
    pub fn reserve(&mut self, n: u32) {
        self.taken.insert(n % NUMBERS);
    }

    pub fn free(&mut self, n: u32) {
        self.taken.remove(&n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_not_given_twice_while_it_is_taken() {
        let mut numbers = Numbers::default();
        numbers.reserve(1);
        assert_eq!(numbers.take(), 0);
        assert_eq!(numbers.take(), 2);
        numbers.next = 0;
        assert_eq!(numbers.take(), 3);
        numbers.free(1);
        numbers.next = 0;
        assert_eq!(numbers.take(), 1);
    }
}
