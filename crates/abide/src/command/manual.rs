//! `abide manual`: the manual pages, made of what the command line's own help is made of.

use std::path::Path;

use clap::CommandFactory as _;

use super::Answer;
use crate::args::Cli;
use crate::failure::{Code, Failure, plain};

pub(super) fn run(folder: &Path) -> Answer {
    clap_mangen::generate_to(Cli::command(), folder).map_err(|e| {
        let why = plain(&e);
        Failure::new(format!(
            "cannot write manual pages into {}: {why}",
            folder.display()
        ))
    })?;
    Ok(Code::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_abide_and_one_for_each_command() {
        let place = tempfile::tempdir().expect("a folder");
        run(place.path()).expect("pages");
        let page = |name: &str| std::fs::read_to_string(place.path().join(name));
        assert!(
            page("abide.1")
                .expect("the page")
                .contains("abide\\-doctor(1)")
        );
        let doctor = page("abide-doctor.1").expect("the page");
        assert!(
            doctor.contains("SERVICE") && doctor.contains("Exit code 1"),
            "{doctor}"
        );
        let why = run(&place.path().join("none")).expect_err("no folder");
        assert!(
            why.message.contains("cannot write manual pages into"),
            "{why:?}"
        );
    }
}
