//! The table of all fault points. Add a line where you add a point; `cargo xtask faults` visits
//! each.

/// Name, who passes it, and where it lies.
///
/// Who: `daemon`, `keeper`, `child` (between clone and exec, in the daemon's memory), `cli`.
pub const POINTS: &[(&str, &str, &str)] = &[
    // A run begins.
    (
        "spawn.ordered",
        "daemon",
        "the core wants a run; nothing was done",
    ),
    (
        "spawn.group",
        "daemon",
        "groups of v1 of the run before are gone; its own is not made",
    ),
    (
        "spawn.planned",
        "daemon",
        "all is prepared; before the clone",
    ),
    (
        "spawn.cloned",
        "daemon",
        "the program was executed, and nobody was told",
    ),
    (
        "spawn.reported",
        "daemon",
        "the driver hears of it, the core not yet",
    ),
    ("spawn.born", "child", "the first thing a child does"),
    (
        "spawn.told",
        "child",
        "the keeper was told; the record is not written",
    ),
    ("spawn.recorded", "child", "the record is written"),
    (
        "spawn.execute",
        "child",
        "the last thing before its program",
    ),
    // A run ends.
    ("exit.seen", "keeper", "a child has ended; not reaped"),
    ("exit.reaped", "keeper", "it is reaped, and noted nowhere"),
    (
        "exit.noted",
        "keeper",
        "it is in the table; the daemon was not told",
    ),
    ("exit.told", "keeper", "the daemon was told"),
    (
        "exit.heard",
        "daemon",
        "the keeper's word is read; the core does not know",
    ),
    (
        "exit.decided",
        "daemon",
        "the core knows; nothing is carried out",
    ),
    (
        "exit.taken",
        "daemon",
        "written down; the keeper may forget it, and was not told so",
    ),
    // The state.
    ("store.write", "daemon", "before lines are written"),
    ("store.written", "daemon", "they are written; not synced"),
    ("store.synced", "daemon", "they are synced; nobody was told"),
    (
        "store.compact",
        "daemon",
        "before the journal is written anew",
    ),
    (
        "store.compacted",
        "daemon",
        "the new file is whole; without its name",
    ),
    (
        "store.renamed",
        "daemon",
        "it has its name; the old one is there too",
    ),
    ("store.removed", "daemon", "the old one is gone"),
    // Output.
    (
        "stage.taken",
        "daemon",
        "a stage is here; the keeper does not have it",
    ),
    (
        "stage.held",
        "daemon",
        "the keeper has it; nothing is in it",
    ),
    (
        "stage.empty",
        "daemon",
        "a quiet stage is to be let go of; the keeper has it",
    ),
    (
        "stage.released",
        "daemon",
        "the keeper was told; it is still here",
    ),
    (
        "capture.filled",
        "daemon",
        "the stage is full; nothing is in a segment",
    ),
    (
        "capture.noted",
        "daemon",
        "the index has the batch, the segment not",
    ),
    ("capture.drained", "daemon", "the segment has it"),
    (
        "rotate.begin",
        "daemon",
        "the segment is full; nothing was done",
    ),
    (
        "rotate.index",
        "daemon",
        "the next one's index is there, the next one not",
    ),
    (
        "rotate.created",
        "daemon",
        "the next one is there, and not yet the current one",
    ),
    ("rotate.done", "daemon", "the next one is the current one"),
    (
        "pack.begin",
        "daemon",
        "before a sealed segment is compressed",
    ),
    (
        "pack.written",
        "daemon",
        "the compressed file is whole; without its name",
    ),
    (
        "pack.renamed",
        "daemon",
        "it has its name; the plain one is there too",
    ),
    (
        "pack.plain-gone",
        "daemon",
        "the plain one is gone, its index not",
    ),
    ("pack.done", "daemon", "both are gone"),
    ("keep.remove", "daemon", "before an old segment is removed"),
    // A run is ended.
    ("stop.ask", "daemon", "before a stop's signal is sent"),
    ("stop.asked", "daemon", "it is sent; the core was not told"),
    ("stop.kill", "daemon", "before the tree is killed"),
    (
        "stop.empty",
        "daemon",
        "nothing is left of the run; the core was not told",
    ),
    // A daemon comes up.
    ("adopt.locked", "daemon", "the home's lock is held"),
    ("adopt.connected", "daemon", "the keeper's table is here"),
    ("adopt.loaded", "daemon", "the state is read"),
    ("adopt.found", "daemon", "what lives was found"),
    (
        "adopt.resumed",
        "daemon",
        "the core knows; its effects are not carried out",
    ),
    (
        "adopt.streams",
        "daemon",
        "pipes and sockets are taken over",
    ),
    ("adopt.ready", "daemon", "before it says that it is ready"),
    // Another executable takes over.
    (
        "upgrade.ask",
        "daemon",
        "the new executable said that it can; the keeper was not asked",
    ),
    ("upgrade.asked", "daemon", "the keeper was asked for it"),
    (
        "upgrade.prepare",
        "daemon",
        "the new one, beside the old one: it has read the state",
    ),
    (
        "upgrade.prepared",
        "daemon",
        "the new one has said that it is prepared",
    ),
    (
        "upgrade.yield",
        "daemon",
        "the old one hears that it is to go",
    ),
    (
        "upgrade.answers",
        "daemon",
        "the old one gives its last answers",
    ),
    ("upgrade.leave", "daemon", "it has given them"),
    (
        "upgrade.left",
        "daemon",
        "all is written; the old one only has to end",
    ),
    (
        "upgrade.turn",
        "daemon",
        "the old one is gone; the new one has nothing yet",
    ),
    // A command.
    (
        "command.heard",
        "daemon",
        "a request came; the core does not know",
    ),
    (
        "command.decided",
        "daemon",
        "the core has decided; there is no answer yet",
    ),
    (
        "config.read",
        "daemon",
        "files are read; nothing has changed",
    ),
    (
        "config.applied",
        "daemon",
        "the core has the change; nothing is written",
    ),
    // The keeper.
    (
        "keeper.begin",
        "keeper",
        "it is a keeper, with what it was handed over",
    ),
    ("keeper.fork", "keeper", "before it makes a daemon"),
    ("keeper.forked", "keeper", "the daemon is there"),
    (
        "keeper.hold",
        "keeper",
        "a descriptor came; it is not in the table",
    ),
    ("keeper.hello", "keeper", "a daemon wants the table"),
    ("keeper.table", "keeper", "a part of the table is sent"),
    (
        "keeper.gone",
        "keeper",
        "the daemon has ended; that is known",
    ),
    (
        "keeper.successor",
        "keeper",
        "an upgrade is asked for; before it makes a daemon",
    ),
    (
        "keeper.succeeding",
        "keeper",
        "the successor is there, beside the daemon",
    ),
    (
        "keeper.prepared",
        "keeper",
        "the successor is prepared; the daemon was not told",
    ),
    (
        "keeper.yielded",
        "keeper",
        "the old daemon has ended; the successor was not told",
    ),
    (
        "keeper.rolled-back",
        "keeper",
        "the new daemon has failed; the old file is not started",
    ),
    (
        "keeper.upgraded",
        "keeper",
        "the new daemon is ready; its file is not yet the daemon's for good",
    ),
    (
        "keeper.renew",
        "keeper",
        "before it writes its table for the file that it executes",
    ),
    (
        "keeper.written",
        "keeper",
        "the table is written; before it executes that file",
    ),
    (
        "handover.begin",
        "daemon",
        "the keeper is gone; nothing was done",
    ),
    (
        "handover.started",
        "daemon",
        "there is a new one, and it has nothing",
    ),
    (
        "handover.sent",
        "daemon",
        "it has everything, and waits for this process's end",
    ),
    // The command line.
    ("cli.launch", "cli", "before it starts a keeper"),
    (
        "cli.launched",
        "cli",
        "the keeper is started; not waited for",
    ),
    (
        "cli.ready",
        "cli",
        "the daemon is ready; nothing was asked of it",
    ),
    ("cli.asked", "cli", "the daemon has taken the command"),
];
