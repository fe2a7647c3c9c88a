//! What `bench/programs/windows-child.c` writes as `hostile`, and how much of it is in a log.

/// What is counted, and how much of it there is.
pub const EXPECTED: [(&str, usize); 6] = [
    ("lines kept: plain", 100),
    ("lines kept: not UTF-8", 100),
    ("lines kept: blank", 100),
    ("lines kept: of 1 MiB", 1),
    ("lines kept: a burst before the end", 10_000),
    ("lines kept: a last one without a newline", 1),
];

/// As [`EXPECTED`].
pub type Kept = [usize; 6];

/// How much of it is among these lines, each of which counts if it is what was written.
#[must_use]
pub fn count(lines: &[Vec<u8>]) -> Kept {
    let large = vec![b'x'; 1 << 20];
    let mut kept = Kept::default();
    for line in lines {
        let place = match line.as_slice() {
            b"" => 2,
            b"the end" => 5,
            line if line.starts_with(b"plain ") => 0,
            line if line.starts_with(b"bytes \xff\xfe ") => 1,
            line if line.starts_with(b"burst ") => 4,
            line if line == large => 3,
            _ => continue,
        };
        kept[place] += 1;
    }
    kept
}

#[cfg(test)]
mod check {
    use super::*;

    #[test]
    fn only_what_is_as_it_was_written_counts() {
        let large = vec![b'x'; 1 << 20];
        let lines = [
            &b"plain 7"[..],
            b"",
            b"bytes \xff\xfe 1",
            b"bytes ?? 1",
            &large,
            b"xx",
            b"the end",
        ];
        let lines = lines.map(<[u8]>::to_vec);
        assert_eq!(count(&lines), [1, 1, 1, 1, 0, 1]);
    }
}
