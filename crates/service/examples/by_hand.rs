//! Started by hand it says how it is used; started by a manager, or with `run`, it runs.

use std::process::ExitCode;

use abide_service::manage::Sandbox;
use abide_service::{ByHand, Context, Service};

fn main() -> ExitCode {
    Service::new("abide-example-by-hand")
        .description("waits until it is stopped")
        .by_hand(ByHand::Usage)
        .ready_at_once()
        .sandbox(Sandbox::default())
        .main(body)
}

fn body(ctx: Context) -> Result<(), std::io::Error> {
    ctx.log().info(format_args!("started by {}", ctx.starter()));
    ctx.stopping().wait();
    ctx.log()
        .info(format_args!("stopped: {:?}", ctx.stop_reason()));
    Ok(())
}
