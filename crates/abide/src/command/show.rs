//! `abide show`: one unit, everything about it.

use std::io::Write as _;

use abide_model::UnitStatus;
use abide_model::api::SpecAnswer;
use jiff::Timestamp;
use serde::Serialize;

use super::deaths::last_lines;
use super::{Answer, Context, write_json};
use crate::args::OneUnit;
use crate::failure::Code;
use crate::render;
use crate::render::status::View;

/// How many of its last lines are shown.
const LINES: usize = 10;

/// `show --json`.
#[derive(Serialize)]
struct Shown {
    status: UnitStatus,
    spec: SpecAnswer,
    last_lines: Vec<String>,
}

pub(super) async fn run(context: &mut Context<'_>, args: &OneUnit) -> Answer {
    let client = context.client.clone();
    let status = client
        .unit(&args.unit)
        .await
        .map_err(|error| client.failure(error))?;
    let spec = client
        .spec(&args.unit)
        .await
        .map_err(|error| client.failure(error))?;
    let last_lines = last_lines(context, &args.unit, LINES).await;
    if args.json {
        write_json(
            context.out,
            &Shown {
                status,
                spec,
                last_lines,
            },
        )?;
    } else {
        let view = View {
            now: Timestamp::now(),
            columns: context.out.columns(),
            palette: context.out.palette,
        };
        let text = render::unit::show(&status, &spec, &last_lines, view);
        context.out.write_all(text.as_bytes())?;
    }
    Ok(Code::Done)
}
