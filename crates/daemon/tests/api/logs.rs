//! Reading and following logs.

use std::io::Write;

use serde_json::Value;

use super::fake;

#[test]
fn the_last_lines_of_several_units_come_in_the_order_of_their_times() {
    let fake = fake::start();
    fake.add(1, "web", |_, _| {});
    fake.add(2, "db", |_, _| {});
    let (mut web, mut db) = (fake.output("web"), fake.output("db"));
    for n in 0..10 {
        writeln!(web, "web {n}").expect("written");
        fake.flush("web");
        writeln!(db, "db {n}").expect("written");
        fake.flush("db");
    }
    let both = fake.get("/v1/logs?lines=4").text();
    assert_eq!(both, "web 8\ndb 8\nweb 9\ndb 9\n");
    assert_eq!(
        fake.get("/v1/units/web/logs?lines=2").text(),
        "web 8\nweb 9\n"
    );
    assert_eq!(
        fake.get("/v1/logs?pattern=d*&grep=%5B12%5D&lines=all")
            .text(),
        "db 1\ndb 2\n"
    );
    let line: Value = fake.get("/v1/logs?lines=1&format=json").json();
    assert_eq!(
        (line["unit"].as_str(), line["line"].as_str()),
        (Some("db"), Some("db 9"))
    );
    assert!(
        fake.get("/v1/logs?lines=1&format=human")
            .text()
            .ends_with("Z db | db 9\n")
    );
    assert_eq!(fake.get("/v1/logs?since=4000000000").text(), "");
}

#[test]
fn the_last_hundred_lines_are_shown_unless_told_otherwise() {
    let fake = fake::start();
    fake.add(1, "web", |_, _| {});
    let mut web = fake.output("web");
    for n in 0..250 {
        writeln!(web, "{n}").expect("written");
    }
    fake.flush("web");
    assert_eq!(fake.get("/v1/logs").text().lines().count(), 100);
    assert_eq!(fake.get("/v1/logs?since=0").text().lines().count(), 250);
    assert_eq!(fake.get("/v1/logs?lines=all").text().lines().count(), 250);
}

#[test]
fn a_follower_sees_new_lines_of_old_units_and_of_new_ones() {
    let fake = fake::start();
    fake.add(1, "web", |_, _| {});
    let mut web = fake.output("web");
    writeln!(web, "old").expect("written");
    fake.flush("web");
    let mut stream = fake.get("/v1/logs?pattern=*&lines=1&follow=true");
    stream.until(|text| text == "old\n");
    for n in 0..50 {
        writeln!(web, "new {n}").expect("written");
        stream.until(|text| text == format!("new {n}\n"));
    }
    fake.add(2, "late", |_, _| {});
    let mut late = fake.output("late");
    writeln!(late, "hello").expect("written");
    // As when its run begins.
    fake.add(2, "late", |_, view| view.restarts = 1);
    stream.until(|text| text == "hello\n");
    writeln!(late, "again").expect("written");
    stream.until(|text| text == "again\n");
}

#[test]
fn logs_of_a_unit_that_is_gone_can_still_be_read() {
    let fake = fake::start();
    fake.add(1, "web", |_, _| {});
    writeln!(fake.output("web"), "last words").expect("written");
    fake.flush("web");
    fake.board.forget(abide_model::UnitId(1));
    assert_eq!(fake.get("/v1/units/web/logs").text(), "last words\n");
    assert_eq!(fake.get("/v1/units/nope/logs").status, 404);
    for query in [
        "lines=x",
        "grep=%5B",
        "since=yesterday",
        "format=xml",
        "follow=1",
        "n=3",
    ] {
        assert_eq!(
            fake.get(&format!("/v1/logs?{query}")).status,
            400,
            "{query}"
        );
    }
}
