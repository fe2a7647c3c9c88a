//! `abide plan`: what `up` would change.

use std::io::Write as _;

use abide_model::api::{Plan, PlanAction, PlanChange, UpRequest};

use super::{Answer, Context, files, write_json};
use crate::args::PlanArgs;
use crate::client::Error;
use crate::failure::Code;
use crate::render;

pub(super) async fn run(context: &mut Context<'_>, args: &PlanArgs) -> Answer {
    let named = files::required(&args.files, "plan")?;
    let environment = files::check_first(context, &named).await?;
    let request = UpRequest {
        files: named.clone(),
        environment,
        dry_run: true,
        rolling: None,
    };
    let plan = match context.client.plan(&request).await {
        Ok(plan) => plan,
        Err(Error::NoDaemon) => {
            let home = context.client.home().directory.display();
            context.out.aside(format_args!(
                "note: no daemon runs in {home}; `up` would start one"
            ));
            everything(&named)?
        }
        Err(error) => return Err(context.client.failure(error)),
    };
    if args.json {
        write_json(context.out, &plan)?;
    } else {
        let text = render::plan::plan(&plan, context.out.palette);
        context.out.write_all(text.as_bytes())?;
    }
    Ok(Code::Done)
}

/// Without a daemon: all of it is new, as far as can be told.
fn everything(named: &[std::path::PathBuf]) -> Result<Plan, crate::failure::Failure> {
    let loaded = abide_config::load(named, &files::caller()?);
    let mut changes: Vec<PlanChange> = loaded
        .specs()
        .map(|spec| PlanChange {
            unit: spec.name.to_string(),
            action: PlanAction::Add,
            fields: Vec::new(),
        })
        .collect();
    changes.sort_by(|a, b| a.unit.cmp(&b.unit));
    Ok(Plan { changes })
}
