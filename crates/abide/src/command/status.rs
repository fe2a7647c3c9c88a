//! `abide status` and `abide top`.

use std::io::Write as _;
use std::time::Duration;

use abide_model::UnitStatus;
use jiff::Timestamp;

use super::{Answer, Context, service, write_json};
use crate::args::StatusArgs;
use crate::client::Error;
use crate::failure::{Code, Failure};
use crate::render::status::{View, is_well, table};
use crate::term::{Asked, Key, Screen, Signals, escape, truncate};

/// How often `--watch` looks.
const REFRESH: Duration = Duration::from_secs(1);

pub(super) async fn run(context: &mut Context<'_>, args: &StatusArgs) -> Answer {
    if args.watch {
        if !context.out.terminal {
            return Err(Failure::usage(
                "cannot refresh in place: the output is no terminal".to_owned(),
            )
            .help("`abide events -f` tells a pipe what happens"));
        }
        return watch(context, &args.patterns).await;
    }
    let units = if args.json {
        context.client.units(&args.patterns).await
    } else {
        context.client.units_in_brief(&args.patterns).await
    };
    let services = service::statuses(&args.patterns).await;
    let units = match units {
        // A name may be that of a service of the operating system.
        Err(error) if services.is_empty() => return Err(context.client.failure(error)),
        Err(Error::NoDaemon) => services,
        Err(Error::Refused(..)) if args.patterns.iter().all(|name| is_one_of(&services, name)) => {
            services
        }
        Err(error) => return Err(context.client.failure(error)),
        Ok(units) => units.into_iter().chain(services).collect(),
    };
    if args.json {
        write_json(context.out, &units)?;
    } else if units.is_empty() {
        let hint = context.client.home().hint("run -- COMMAND");
        writeln!(
            context.out,
            "no units yet: `{hint}` guards a command, `{}` loads a file",
            context.client.home().hint("up FILE")
        )?;
    } else {
        let view = View {
            now: Timestamp::now(),
            columns: context.out.columns(),
            palette: context.out.palette,
        };
        let text = table(&units, view);
        context.out.write_all(text.as_bytes())?;
    }
    Ok(verdict(&units))
}

fn is_one_of(units: &[UnitStatus], name: &str) -> bool {
    units.iter().any(|unit| unit.name == name)
}

fn verdict(units: &[UnitStatus]) -> Code {
    if units.iter().all(is_well) {
        Code::Done
    } else {
        Code::NotUp
    }
}

/// Refreshes in place until `q` or Ctrl-C.
async fn watch(context: &mut Context<'_>, patterns: &[String]) -> Answer {
    // Before the screen is taken over, so that a wrong name or no daemon is said the usual way.
    let mut last = context.client.units_in_brief(patterns).await;
    if let Err(error) = last {
        return Err(context.client.failure(error));
    }
    let mut signals = Signals::listen()?;
    let mut screen = Screen::enter()?;
    let mut tick = tokio::time::interval(REFRESH);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        screen.draw(&page(context, &last, patterns))?;
        tokio::select! {
            _ = tick.tick() => last = context.client.units_in_brief(patterns).await,
            key = screen.key() => if key? == Key::Quit { break },
            asked = signals.next() => if asked == Asked::Leave { break },
        }
    }
    drop(screen);
    Ok(last.map_or(Code::NoDaemon, |units| verdict(&units)))
}

/// What fits on the screen.
fn page(
    context: &Context<'_>,
    units: &Result<Vec<UnitStatus>, Error>,
    patterns: &[String],
) -> String {
    let (columns, rows) = context.out.size().unwrap_or((80, 24));
    let now = Timestamp::now();
    let palette = context.out.palette;
    let zone = jiff::tz::TimeZone::system();
    let of = if patterns.is_empty() {
        String::new()
    } else {
        format!(" {}", patterns.join(" "))
    };
    let head = format!(
        "abide{} · {} · {} · q leaves",
        escape(&of),
        context.client.home().directory.display(),
        now.to_zoned(zone).strftime("%H:%M:%S"),
    );
    let body = match units {
        Ok(units) => table(
            units,
            View {
                now,
                columns: Some(columns),
                palette,
            },
        ),
        Err(error) => format!("{error}; still looking\n"),
    };
    let mut lines: Vec<&str> = body.lines().collect();
    // The summary stays in sight when the table is too long.
    let room = rows.saturating_sub(2);
    let hidden = lines.len().saturating_sub(room);
    let more;
    if hidden > 0 && lines.len() > 2 {
        let summary = lines.pop().unwrap_or_default();
        lines.truncate(room.saturating_sub(2));
        more = format!("… {} more", hidden + 1);
        lines.push(&more);
        lines.push(summary);
    }
    format!("{}\n\n{}", truncate(&head, columns), lines.join("\n"))
}
