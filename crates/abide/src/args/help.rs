//! Help texts: the grouped overview, and examples for each command.

/// `abide --help`. clap cannot group commands, so the groups are written here; a test compares them with
/// the commands there are.
pub const TOP: &str = "\
{about}

{usage-heading} abide [OPTIONS] COMMAND

Begin:
  run           Guard one command: keep it running until it is removed
  up            Load units from a file, start abide if needed, wait until they are up
  down          Stop everything and abide itself, or only the units of one file

Look:
  status        What runs and how it fares               (also: ls, ps, list; top = status --watch)
  logs          What programs wrote                      (tail = logs -f)
  why           Why a unit is in its state, and what would change it
  show          One unit: settings, state, last lines
  events        What happened, when and why

Act:
  start  stop  restart       by name, glob, GROUP:* or all
  reload        Have units read their configuration again
  reset         Forget failures, so that a unit is tried afresh
  remove        Stop units and forget them               (also: rm, delete)
  enable  disable            whether units come up with abide
  signal        Send a signal to units
  control       Send a control code to services of Windows
  scale         Change how many instances of a unit there are
  wait          Wait until units are up, healthy or stopped

Configure:
  plan          What `up` would change
  check         Are these files valid?
  install       Make a program, a unit of a file, or abide itself a service of the OS
  uninstall     Stop such a service, and remove it
  doctor        What is wrong with a service or this machine, and how to put it right
  daemon        Run in the foreground, for service managers and containers
  host          Run one unit in the foreground, for service managers
  upgrade       Have another abide executable take over; everything runs on
  completions   Completion script for a shell
  manual        The manual pages, for `man abide`

Everywhere:
{options}

`abide COMMAND --help` explains a command with examples.
Exit codes: 0 done, 1 failed, 2 wrong usage or invalid configuration, 3 something asked about is not up, 4 no daemon
";

/// What `abide` alone says.
pub const START_HERE: &str = "\
abide keeps programs running in the background.

  abide run -- python3 -m http.server 8000    guard one command
  abide up                                    load ./abide.toml and bring its units up
  abide status                                what runs and how it fares
  abide logs -f                               what it writes
  abide down                                  stop everything, and abide itself

`abide --help` lists all commands.
";

pub const UPGRADE: &str = "\
Examples:
  abide upgrade                     the daemon becomes the abide that you type
  abide upgrade ./abide-0.2         this executable takes over
Programs run on, output is kept, connections wait. An executable that is no abide, or cannot read the
state here, is refused; one that fails to come up is followed by the one before.";

pub const UP: &str = "\
Examples:
  abide up                     load ./abide.toml, or bring back what was loaded before
  abide up shop.toml           make abide agree with this file: new units start, changed ones
                               restart, missing ones go, all others are left alone
  abide up --rolling shop.toml a few units at a time, and all back if that does not go well
  abide up conf.d --timeout 1m every *.toml in a directory; wait for one minute at most
`abide plan` says beforehand what would change.";

pub const DOWN: &str = "\
Examples:
  abide down                   stop all units, then abide; `abide up` brings them back
  abide down shop.toml         stop and forget the units of that file; abide goes on";

pub const RUN: &str = "\
Examples:
  abide run -- python3 -m http.server 8000
  abide run --name web --env PORT=8000 -C /srv/www -- ./server --verbose
  abide run --restart on-failure --attach -- make release
  abide run --name api --ready-http http://127.0.0.1:8000/health -- ./api
  abide run --name web --replace -- ./server --quiet
The directory and the PATH of the caller are remembered with the command.";

pub const STATUS: &str = "\
Examples:
  abide status                 everything
  abide status 'shop:*'        one group
  abide status --watch         refresh in place until q
  abide status --json | jq '.[] | select(.state != \"running\") | .name'
Exit code 3 when something that should be up is not, 4 when no daemon runs.";

pub const START: &str = "\
Examples:
  abide start web
  abide start 'shop:*' --timeout 30s
  abide start all --no-wait
A unit that had failed is tried again.";

pub const STOP: &str = "\
Examples:
  abide stop web
  abide stop 'web@*' db
What is stopped by hand stays stopped, also when abide comes back, until `abide start`.";

pub const RESTART: &str = "\
Examples:
  abide restart web
  abide restart all
  abide restart --rolling --first 10% --hold 1m 'web@*'    some first; the others one by one
Units that require a restarted one are left alone, as after a crash.";

pub const RELOAD: &str = "\
Examples:
  abide reload web
  abide reload 'shop:*'
A unit says how in its `reload` (a signal or a command, confirmed or not); one without it is refused.
Whatever comes of it, the unit runs on. To read abide's own files again: `abide up`.
A service of the operating system reloads as its manager has it; one that `abide install` made reads its file
again, and its program its configuration, if its unit has a `reload`.";

pub const RESET: &str = "\
Example:
  abide reset web              try again now and count from zero";

pub const REMOVE: &str = "\
Examples:
  abide remove web
  abide rm 'job-*'
A unit that stands in a file comes back with the next `abide up` of that file.";

pub const ENABLE: &str = "\
Example:
  abide enable web             from now on it comes up with abide";

pub const DISABLE: &str = "\
Example:
  abide disable web            it runs on, but does not come up next time";

pub const SIGNAL: &str = "\
Examples:
  abide signal HUP web
  abide signal SIGUSR1 'web@*'";

pub const CONTROL: &str = "\
Example:
  abide control 128 web        the same as `sc control web 128`
What a code means to a service of abide says `--control CODE=COMMAND` of `abide install`.";

pub const SCALE: &str = "\
Example:
  abide scale web=3            web@1, web@2 and web@3";

pub const WAIT: &str = "\
Examples:
  abide wait db                until db is up
  abide wait --for healthy 'shop:*' --timeout 30s
  abide wait --for stopped all
Exit code 3 when the time is over and something is still not up.";

pub const SHOW: &str = "\
Example:
  abide show web";

pub const WHY: &str = "\
Example:
  abide why web";

pub const LOGS: &str = "\
Examples:
  abide logs web               the last 100 lines
  abide logs -f                all units, merged by time, as they come
  abide logs web --since 10m --grep 'error|warn'
  abide logs web -n all --format raw > web.log
Works without a daemon too: the files of the home are read.";

pub const EVENTS: &str = "\
Examples:
  abide events                 the last 100
  abide events web -f
  abide events --kind failed,unhealthy,out_of_memory
  abide events --json | jq 'select(.event == \"exited\")'";

pub const PLAN: &str = "\
Examples:
  abide plan shop.toml
  abide plan shop.toml --json";

pub const CHECK: &str = "\
Examples:
  abide check shop.toml
  abide check conf.d
Every mistake is shown with its place. No daemon is needed.";

pub const DAEMON: &str = "\
Examples:
  abide daemon /etc/abide/abide.toml
  abide --home /data/abide daemon
SIGTERM stops all units in order and ends it; SIGHUP reads the files again.";

pub const INSTALL: &str = "\
Examples:
  abide install                                        abide itself, and with it all that it keeps
  abide install --name web -- /usr/local/bin/web -p 80 one program, guarded by an abide of its own
  abide install shop.toml:web --now                    one unit of a file
  abide install --name web --dry-run -- /opt/web/web   exactly what would be written and called
  abide install --user --name notes -- ~/bin/notes     a service of your own, without root
`abide start`, `stop`, `restart`, `status`, `enable` and `disable` act on it by its name, as the
manager's own tools do. Done again, it is changed in place, and what differs is shown.";

pub const UNINSTALL: &str = "\
Examples:
  abide uninstall web
  abide uninstall                                      abide itself; its home stays
A service that abide has not installed is left alone.";

pub const DOCTOR: &str = "\
Examples:
  abide doctor                 this machine, the home, its units, and every service that abide installed
  abide doctor web             one service of the operating system, made by abide or not
  abide doctor web --json | jq '.findings[].fix'
Exit code 1 when there is a fault; a warning is none. Nothing is changed.";

pub const HOST: &str = "\
Examples:
  abide host shop.toml:web
  abide --home /data/web host /etc/abide/services/web/unit.toml:web
Ready (sd_notify) when the unit is; ends when the unit ended or has failed for good, with its exit code.";

pub const MANUAL: &str = "\
Example:
  mkdir -p ~/.local/share/man/man1 && abide manual ~/.local/share/man/man1
A page for abide and one for each command, as this help has it; packages bring them along.";

pub const COMPLETIONS: &str = "\
Examples:
  abide completions bash > ~/.local/share/bash-completion/completions/abide
  abide completions zsh > ~/.zfunc/_abide
  abide completions fish > ~/.config/fish/completions/abide.fish";
