//! Directories that are removed while somebody writes and reads in them. Elsewhere than on Unix systems one in
//! which a file is open cannot be removed.
#![cfg(unix)]

use std::os::unix::fs::FileExt;

use abide_log::{Query, Reader, Source, Stream, Writer};
use abide_model::{LogSpec, Wall};

fn write(writer: &mut Writer, time: i64, bytes: &[u8]) {
    let prepared = writer.prepare(&LogSpec::default(), Wall(time));
    prepared.expect("prepared");
    let written = writer.file().write_all_at(bytes, writer.offset());
    written.expect("written");
    writer.advance(writer.offset() + bytes.len() as u64);
}

fn read(reader: &mut Reader) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    while let Some(record) = reader.next_line().expect("read") {
        lines.push(record.line.bytes);
    }
    lines
}

#[test]
fn a_follower_survives_the_deletion_of_what_it_reads_and_of_the_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path().join("logs");
    let source = Source {
        unit: "web".parse().expect("a name"),
        dir: dir.clone(),
        text: abide_log::Text::default(),
    };
    let query = Query {
        follow: true,
        ..Query::default()
    };
    let mut reader = Reader::open(vec![source], query).expect("opened");
    assert_eq!(read(&mut reader), [b""; 0]);
    let mut writer = Writer::open(&dir, Stream::Out, 0, Wall(1)).expect("opened");
    write(&mut writer, 1, b"one\n");
    assert_eq!(read(&mut reader).len(), 1);
    write(&mut writer, 2, b"two\n");
    std::fs::remove_dir_all(&dir).expect("removed");
    write(&mut writer, 3, b"three\n");
    assert_eq!(read(&mut reader), [&b"two"[..], b"three"]);
}
