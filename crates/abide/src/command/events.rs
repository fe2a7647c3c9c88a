//! `abide events`.

use std::io::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Answer, Context, left, until_left};
use crate::args::EventsArgs;
use crate::client::{Error, Told, Which};
use crate::failure::Code;
use crate::render::line::Lines;

pub(super) async fn run(context: &mut Context<'_>, args: &EventsArgs) -> Answer {
    if !args.follow {
        return show(context, args).await;
    }
    match until_left(show(context, args)).await? {
        Some(ended) => ended,
        None => Err(left(context)?),
    }
}

async fn show(context: &mut Context<'_>, args: &EventsArgs) -> Answer {
    let client = context.client.clone();
    let which = Which {
        patterns: &args.patterns,
        kinds: &args.kinds,
    };
    let events = client.events(args.lines, args.follow, which).await;
    let mut events = events.map_err(|error| client.failure(error))?;
    let mut lines = Lines::new(
        context.out.palette,
        context.out.terminal,
        TimeZone::system(),
        true,
    );
    let mut last = None;
    loop {
        match events.next_told().await {
            Ok(Some(Told { event, data })) => {
                last = Some(event.seq);
                if args.json {
                    context.out.write_all(&data)?;
                    context.out.write_all(b"\n")?;
                } else {
                    let line = lines.event(&event, Timestamp::now());
                    writeln!(context.out, "{line}")?;
                }
                if args.follow && !events.has_more() {
                    context.out.flush()?;
                }
            }
            Ok(None) if !args.follow => return Ok(Code::Done),
            Ok(None) | Err(Error::Broken(_)) if args.follow => {
                // The daemon went away; its successor numbers on where it stopped.
                context.out.flush()?;
                let again = match last {
                    Some(last) => client.events_after(last, which).await,
                    None => client.events(0, true, which).await,
                };
                events = again.map_err(|error| client.failure(error))?;
            }
            Ok(None) => return Ok(Code::Done),
            Err(error) => return Err(client.failure(error)),
        }
    }
}
