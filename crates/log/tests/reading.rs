//! Whatever way the bytes took into segments, readers see the program's lines.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use abide_log::{Ending, Format, Query, Reader, Source, Stream, Text, Writer, render, tidy};
use abide_model::{LogEncoding, LogSpec, Wall};
use proptest::prelude::*;

/// One step in the life of a log directory.
#[derive(Clone, Debug)]
enum Step {
    /// A batch of output.
    Write(Vec<u8>),
    /// The segment is sealed.
    Seal,
    /// Sealed segments are compressed.
    Compress,
    /// The daemon dies and another one goes on.
    Reopen,
    /// Whoever follows reads what there is.
    Read,
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(b"\n".to_vec()),
        4 => Just(b"some text".to_vec()),
        2 => Just(b"\n\n\n".to_vec()),
        2 => Just(vec![0xff, 0xfe, 0x00]),
        1 => (1usize..40_000).prop_map(|n| vec![b'x'; n]),
        1 => (1usize..3_000).prop_map(|n| b"line\n".repeat(n)),
    ];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => bytes().prop_map(Step::Write),
        2 => Just(Step::Seal),
        1 => Just(Step::Compress),
        1 => Just(Step::Reopen),
        2 => Just(Step::Read),
    ];
    prop::collection::vec(step, 1..40)
}

fn spec() -> LogSpec {
    LogSpec {
        max_size: u64::MAX,
        keep: u32::MAX,
        max_age: None,
        ..LogSpec::default()
    }
}

fn source(dir: &Path) -> Source {
    Source {
        unit: "web".parse().expect("a name"),
        dir: dir.to_owned(),
        text: Text::default(),
    }
}

/// Time, bytes and whether the newline is there.
type Seen = (i64, Vec<u8>, bool);

fn read(reader: &mut Reader) -> Vec<Seen> {
    let mut seen = Vec::new();
    while let Some(record) = reader.next_line().expect("read") {
        seen.push((
            record.line.time.0,
            record.line.bytes,
            record.line.ending == Ending::Newline,
        ));
    }
    seen
}

fn all(dir: &Path, query: Query) -> Vec<Seen> {
    read(&mut Reader::open(vec![source(dir)], query).expect("opened"))
}

/// What a reader has to see: the lines of everything written, each with the time of its first byte.
fn expected(batches: &[(i64, Vec<u8>)]) -> Vec<Seen> {
    let (mut lines, mut open): (Vec<Seen>, Option<Seen>) = (Vec::new(), None);
    for (time, bytes) in batches {
        for &byte in bytes {
            let line = open.get_or_insert_with(|| (*time, Vec::new(), false));
            if byte == b'\n' {
                line.2 = true;
                lines.extend(open.take());
            } else {
                line.1.push(byte);
            }
        }
    }
    lines.extend(open);
    lines
}

fn write(writer: &mut Writer, time: i64, bytes: &[u8]) {
    writer.prepare(&spec(), Wall(time)).expect("prepared");
    let mut file = writer.file();
    file.seek(SeekFrom::Start(writer.offset())).expect("there");
    file.write_all(bytes).expect("written");
    writer.advance(writer.offset() + bytes.len() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_same_lines_come_out_however_they_were_written_sealed_and_compressed(steps in steps(), last in 0u64..200) {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path();
        let mut writer = Writer::open(dir, Stream::Out, 0, Wall(1)).expect("opened");
        let mut follower = Reader::open(vec![source(dir)], Query { follow: true, ..Query::default() }).expect("opened");
        let (mut batches, mut followed) = (Vec::new(), Vec::new());
        for (number, step) in steps.into_iter().enumerate() {
            let time = 1000 + number as i64;
            match step {
                Step::Write(bytes) => {
                    write(&mut writer, time, &bytes);
                    batches.push((time, bytes));
                }
                Step::Seal => writer.seal(Wall(time)).expect("sealed"),
                Step::Compress => { tidy(dir, &spec(), Wall(time)).expect("tidied"); }
                Step::Reopen => writer = Writer::open(dir, Stream::Out, 0, Wall(time)).expect("opened"),
                Step::Read => followed.extend(read(&mut follower)),
            }
        }
        let expected = expected(&batches);
        let complete: Vec<_> = expected.iter().filter(|line| line.2).cloned().collect();

        prop_assert_eq!(&all(dir, Query::default()), &expected);
        followed.extend(read(&mut follower));
        prop_assert_eq!(&followed, &complete);

        let tail = all(dir, Query { last: Some(last), ..Query::default() });
        prop_assert_eq!(&tail[..], &expected[expected.len().saturating_sub(last as usize)..]);

        let middle = expected.get(expected.len() / 2).map_or(1020, |line| line.0);
        let since = all(dir, Query { since: Some(Wall(middle)), ..Query::default() });
        let later: Vec<_> = expected.iter().filter(|line| line.0 >= middle).cloned().collect();
        prop_assert_eq!(since, later);

        let grep = Some(regex::bytes::Regex::new("e t|x").expect("a pattern"));
        let found = all(dir, Query { grep, last: Some(last), ..Query::default() });
        let matching: Vec<_> = expected.into_iter()
            .filter(|line| line.1.contains(&b'x')).collect();
        prop_assert_eq!(&found[..], &matching[matching.len().saturating_sub(last as usize)..]);
    }
}

#[test]
fn the_last_lines_followed_begin_where_a_plain_reader_would_end() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut writer = Writer::open(dir.path(), Stream::Out, 0, Wall(1)).expect("opened");
    write(&mut writer, 1, b"a\nb\nc\nhalf");
    let query = Query {
        last: Some(2),
        follow: true,
        ..Query::default()
    };
    let mut reader = Reader::open(vec![source(dir.path())], query).expect("opened");
    let shown = |reader: &mut Reader| {
        read(reader)
            .into_iter()
            .map(|line| line.1)
            .collect::<Vec<_>>()
    };
    assert_eq!(shown(&mut reader), [b"b", b"c"]);
    write(&mut writer, 2, b" a line\nd\n");
    assert_eq!(shown(&mut reader), [&b"half a line"[..], b"d"]);
    let none = Query {
        last: Some(0),
        follow: true,
        ..Query::default()
    };
    let mut reader = Reader::open(vec![source(dir.path())], none).expect("opened");
    assert_eq!(shown(&mut reader), Vec::<Vec<u8>>::new());
    write(&mut writer, 3, b"e\n");
    assert_eq!(shown(&mut reader), [b"e"]);
}

#[test]
fn several_units_and_streams_are_merged_by_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut sources = Vec::new();
    for (unit, stream, times) in [
        ("a", Stream::Out, [1, 4, 7]),
        ("a", Stream::Err, [2, 5, 8]),
        ("b", Stream::Out, [3, 6, 9]),
    ] {
        let dir = dir.path().join(unit);
        let mut writer = Writer::open(&dir, stream, 0, Wall(1)).expect("opened");
        for time in times {
            write(&mut writer, time, format!("{time}\n").as_bytes());
        }
        sources.push(Source {
            unit: unit.parse().expect("a name"),
            dir,
            text: Text::default(),
        });
    }
    sources.dedup_by(|one, other| one.unit == other.unit);
    for (last, first) in [(None, 1), (Some(4), 6)] {
        let query = Query {
            last,
            ..Query::default()
        };
        let mut reader = Reader::open(sources.clone(), query).expect("opened");
        let lines: Vec<_> = read(&mut reader).into_iter().map(|line| line.1).collect();
        let expected: Vec<_> = (first..10)
            .map(|n: i32| n.to_string().into_bytes())
            .collect();
        assert_eq!(lines, expected);
    }
}

#[test]
fn a_damaged_compressed_segment_is_told_and_passed_over() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let mut writer = Writer::open(dir, Stream::Out, 0, Wall(1)).expect("opened");
    for text in ["one\n", "two\n", "three\n"] {
        write(&mut writer, 1, text.as_bytes());
        writer.seal(Wall(2)).expect("sealed");
    }
    tidy(dir, &spec(), Wall(3)).expect("tidied");
    std::fs::write(dir.join("out.00000002.log.zst"), [7; 100]).expect("damaged");
    let mut reader = Reader::open(vec![source(dir)], Query::default()).expect("opened");
    let mut next = || {
        reader
            .next_line()
            .map(|record| record.map(|r| r.line.bytes))
    };
    assert_eq!(next().expect("read"), Some(b"one".to_vec()));
    assert!(
        next()
            .expect_err("damaged")
            .to_string()
            .contains("out.00000002.log.zst: it is damaged")
    );
    assert_eq!(next().expect("read"), Some(b"three".to_vec()));
    assert_eq!(next().expect("read"), None);
}

#[test]
fn a_line_of_twenty_megabytes_comes_whole_in_pieces() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut writer = Writer::open(dir.path(), Stream::Out, 0, Wall(1)).expect("opened");
    let mut line: Vec<u8> = (0..20 << 20)
        .map(|i: u32| if i % 251 == 10 { b'.' } else { (i % 251) as u8 })
        .collect();
    line.retain(|&byte| byte != b'\n');
    write(&mut writer, 1, &line);
    writer.seal(Wall(1)).expect("sealed");
    tidy(dir.path(), &spec(), Wall(1)).expect("tidied");
    write(&mut writer, 2, b"\nnext\n");
    let mut out = Vec::new();
    let mut reader = Reader::open(vec![source(dir.path())], Query::default()).expect("opened");
    while let Some(record) = reader.next_line().expect("read") {
        render(Format::Raw, &record.unit, &record.line, &mut out);
    }
    line.extend_from_slice(b"\nnext\n");
    assert!(out == line);
    assert_eq!(
        all(
            dir.path(),
            Query {
                last: Some(1),
                ..Query::default()
            }
        )[0]
        .1,
        b"next"
    );
}

#[test]
fn a_compressed_segment_is_what_any_zstd_reads() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut writer = Writer::open(dir.path(), Stream::Out, 0, Wall(1)).expect("opened");
    let text: Vec<u8> = (0..100_000)
        .flat_map(|i| format!("line {i}\n").into_bytes())
        .collect();
    write(&mut writer, 1, &text);
    writer.seal(Wall(1)).expect("sealed");
    tidy(dir.path(), &spec(), Wall(1)).expect("tidied");
    let packed = std::fs::File::open(dir.path().join("out.00000001.log.zst")).expect("opened");
    assert!(zstd::stream::decode_all(packed).expect("decoded") == text);
}

fn in_utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A unit that writes UTF-16; nobody knows code pages.
fn wide_source(dir: &Path) -> Source {
    Source {
        text: Text::new(LogEncoding::Utf16, |_, _| None),
        ..source(dir)
    }
}

fn texts(reader: &mut Reader) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(record) = reader.next_line().expect("read") {
        let decoded = record.line.decoded.expect("text");
        assert_eq!(decoded.from, LogEncoding::Utf16);
        texts.push(decoded.text);
    }
    texts
}

/// U+010A and U+0A05 have the byte of a newline in their codes.
const WIDE: [&str; 6] = [
    "größer 𝄞",
    "",
    "\u{10a}\u{a05}\u{a0a}",
    "日本",
    "x",
    "no end",
];

#[test]
fn utf_16_is_read_by_its_lines_wherever_batches_and_segments_end() {
    let bytes = in_utf_16(&format!("\u{feff}{}", WIDE.join("\n")));
    let japan = regex::bytes::Regex::new("^日本$").expect("a pattern");
    for cut in 0..=bytes.len() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path();
        let mut writer = Writer::open(dir, Stream::Out, 0, Wall(1)).expect("opened");
        let follow = Query {
            follow: true,
            ..Query::default()
        };
        let mut follower = Reader::open(vec![wide_source(dir)], follow).expect("opened");
        write(&mut writer, 10, &bytes[..cut]);
        let mut followed = texts(&mut follower);
        writer.seal(Wall(15)).expect("sealed");
        write(&mut writer, 20, &bytes[cut..]);
        followed.extend(texts(&mut follower));
        assert_eq!(followed, WIDE[..5], "cut at {cut}");
        for last in 0..=WIDE.len() {
            let query = Query {
                last: Some(last as u64),
                ..Query::default()
            };
            let mut reader = Reader::open(vec![wide_source(dir)], query).expect("opened");
            let read = texts(&mut reader);
            assert_eq!(
                read,
                WIDE[WIDE.len() - last..],
                "the last {last}, cut at {cut}"
            );
        }
        let query = Query {
            grep: Some(japan.clone()),
            ..Query::default()
        };
        let mut reader = Reader::open(vec![wide_source(dir)], query).expect("opened");
        assert_eq!(texts(&mut reader), ["日本"], "cut at {cut}");
    }
}

#[test]
fn utf_16_is_given_out_raw_byte_for_byte() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    // Half a character in between, from a program that was killed.
    let bytes = [in_utf_16("one\ntw"), b"o".to_vec(), in_utf_16("\nthree\n")].concat();
    let mut writer = Writer::open(dir, Stream::Out, 0, Wall(1)).expect("opened");
    write(&mut writer, 10, &bytes);
    let mut reader = Reader::open(vec![wide_source(dir)], Query::default()).expect("opened");
    let (mut raw, mut shown) = (Vec::new(), Vec::new());
    while let Some(record) = reader.next_line().expect("read") {
        render(Format::Raw, &record.unit, &record.line, &mut raw);
        shown.push(String::from_utf8_lossy(record.line.shown()).into_owned());
    }
    assert_eq!(raw, bytes);
    assert_eq!(shown, ["one", "tw\u{fffd}", "three"]);
}

#[test]
fn a_remark_among_utf_16_is_a_line_of_its_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    let mut writer = Writer::open(dir, Stream::Out, 0, Wall(1)).expect("opened");
    write(&mut writer, 10, &in_utf_16("begun"));
    for text in ["gone", "gone again"] {
        writer.remark(text, LogEncoding::Utf16).expect("written");
    }
    write(&mut writer, 20, &in_utf_16("on\n"));
    let mut reader = Reader::open(vec![wide_source(dir)], Query::default()).expect("opened");
    assert_eq!(texts(&mut reader), ["begun", "gone", "gone again", "on"]);
}
