//! `abide why`: the core's own explanation.

use std::io::Write as _;

use super::{Answer, Context, write_json};
use crate::args::OneUnit;
use crate::failure::Code;
use crate::render;

pub(super) async fn run(context: &mut Context<'_>, args: &OneUnit) -> Answer {
    let why = context.client.why(&args.unit).await;
    let why = why.map_err(|error| context.client.failure(error))?;
    if args.json {
        write_json(context.out, &why)?;
    } else {
        let text = render::unit::why(&why, context.out.columns(), context.out.palette);
        context.out.write_all(text.as_bytes())?;
    }
    Ok(Code::Done)
}
