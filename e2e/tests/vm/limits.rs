//! Limits of a whole tree.

use crate::Test;
use crate::machine::{Groups, home};

pub const ALL: &[Test] = &[(
    "limits_that_cannot_be_had_are_named_with_the_reason",
    &[Groups::None],
    unsupported,
)];

fn unsupported() {
    let home = home(
        "unsupported",
        &["idle"],
        "limits = { memory = \"64M\", cpu = \"50%\", processes = 10 }",
    );
    home.wait_running("it");
    let unit = home.unit("it").expect("it is there");
    let named: Vec<&str> = unit["limits_unsupported"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|limit| limit["limit"].as_str())
        .collect();
    assert_eq!(named, ["memory", "cpu", "processes"], "{unit:#}");
    home.ok(&["down"]);
}
