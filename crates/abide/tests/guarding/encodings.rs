//! Programs that do not write UTF-8: their bytes are kept, and read as text.

use serde_json::Value;

use crate::shop::Shop;
use crate::system::HAS_CODE_PAGES;

fn stored(shop: &Shop, unit: &str) -> Vec<u8> {
    let logs = shop.path().join("home").join("logs");
    std::fs::read(logs.join(unit).join("out.00000001.log")).expect("it has written")
}

fn ends_with(stored: &[u8], text: &[u8]) {
    let shown = String::from_utf8_lossy(stored);
    assert!(stored.ends_with(text), "{shown:?}");
}

#[test]
fn output_in_utf_16_is_kept_as_it_is_and_read_as_text() {
    let shop = Shop::new();
    let settings = "log = { encoding = \"utf-16\" }\nready = { log = \"^größe 𝄞$\" }";
    shop.configure(&[("wide", "wide", settings)]);
    // It is ready by what it says.
    shop.ask(&["up"]);
    let bytes: Vec<u8> = "\r\ngröße 𝄞\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    ends_with(&stored(&shop, "wide"), &bytes);

    let shown = shop.ask(&["logs", "wide", "--grep", "^größe", "-n", "1"]);
    assert!(shown.contains("größe 𝄞"), "{shown}");
    let json = shop.ask(&["logs", "wide", "--json", "-n", "1"]);
    let json: Value = serde_json::from_str(&json).expect("one line");
    assert_eq!(json["line"], "größe 𝄞\r");
    assert_eq!(json["encoding"], "utf-16");
    let raw = shop.run(&["logs", "wide", "--format", "raw", "-n", "all"]);
    assert_eq!(raw.stdout, stored(&shop, "wide"));

    // Without a daemon, too.
    shop.ask(&["down"]);
    let shown = shop.ask(&["logs", "wide", "-n", "1"]);
    assert!(shown.contains("größe 𝄞"), "{shown}");
}

#[test]
fn output_in_a_code_page_is_read_where_the_system_has_it_and_else_refused() {
    let shop = Shop::new();
    shop.configure(&[(
        "paged",
        "paged",
        "log = { encoding = \"cp850\" }\nready = { log = \"größe\" }",
    )]);
    if !HAS_CODE_PAGES {
        let refused = shop.run(&["up"]);
        let why = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{why}");
        assert!(why.contains("code pages are those of Windows"), "{why}");
        return;
    }
    shop.ask(&["up"]);
    ends_with(&stored(&shop, "paged"), b"gr\x94\xe1e\r\n");
    let shown = shop.ask(&["logs", "paged", "-n", "1"]);
    assert!(shown.contains("größe"), "{shown}");
    let raw = shop.run(&["logs", "paged", "--format", "raw", "-n", "1"]);
    assert_eq!(raw.stdout, b"gr\x94\xe1e\r\n");
    shop.ask(&["down"]);
}
