//! `limits` and `log`.

use abide_model::{CgroupLimits, Limits, LogSpec, Rlimit, RlimitKind};

use super::Reader;
use crate::keys::Table;
use crate::values::{DurationOrUnlimited, Int, Percent, Size, SizeOrUnlimited, Value, Wrong};

/// A number, or no bound.
struct CountOrUnlimited(Option<u64>);

impl Value for CountOrUnlimited {
    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Wrong> {
        match value.as_str() {
            Some("unlimited" | "infinity") => Ok(Self(None)),
            _ => Int::<1, { i64::MAX }>::read(value).map(|n| Self(Some(n.0.unsigned_abs()))),
        }
    }

    fn show(&self) -> String {
        self.0
            .map_or_else(|| "\"unlimited\"".into(), |n| n.to_string())
    }
}

/// Reads `limits`.
pub(super) fn limits(reader: &Reader<'_>) -> Limits {
    let Some(table) = reader.tables("limits", Table::Limits) else {
        return Limits::default();
    };
    let tree = CgroupLimits {
        memory: table.get::<Size>("memory").map(|size| size.0),
        cpu: table.get::<Percent>("cpu").map(|percent| percent.0),
        processes: table
            .get::<Int<1, { i64::MAX }>>("processes")
            .map(|n| n.0.unsigned_abs()),
        io_read: rate(&table, "io_read"),
        io_write: rate(&table, "io_write"),
    };
    if let (Some(memory), Some(field)) = (tree.memory, table.field("memory"))
        && memory < 64 << 10
    {
        table.wrong(
            &field,
            Wrong::new("nothing can run in so little memory")
                .label("less than 64K")
                .help("write it such as \"512M\""),
        );
    }
    let mut process = Vec::new();
    let mut add = |kind, value: Option<Option<u64>>| {
        process.extend(value.map(|value| Rlimit { kind, value }));
    };
    add(
        RlimitKind::OpenFiles,
        table.get::<CountOrUnlimited>("open_files").map(|n| n.0),
    );
    for (name, kind) in [
        ("core_size", RlimitKind::CoreSize),
        ("file_size", RlimitKind::FileSize),
        ("stack", RlimitKind::Stack),
        ("address_space", RlimitKind::AddressSpace),
        ("locked_memory", RlimitKind::LockedMemory),
    ] {
        add(kind, table.get::<SizeOrUnlimited>(name).map(|size| size.0));
    }
    // The kernel counts whole seconds; a part of one is rounded up, so that nothing becomes zero.
    let seconds = |time: std::time::Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
    add(
        RlimitKind::CpuTime,
        table
            .get::<DurationOrUnlimited>("cpu_time")
            .map(|time| time.0.map(seconds)),
    );
    Limits { tree, process }
}

/// Bytes a second.
fn rate(table: &Reader<'_>, name: &str) -> Option<u64> {
    let rate = table.get::<Size>(name)?.0;
    if let Some(field) = table.field(name).filter(|_| rate < 4096) {
        let wrong = Wrong::new("nothing can run with so little")
            .label("less than 4K a second")
            .help("write it such as \"10M\": bytes a second");
        table.wrong(&field, wrong);
    }
    Some(rate)
}

/// Reads `log`.
pub(super) fn log(reader: &Reader<'_>) -> LogSpec {
    let table = reader
        .tables("log", Table::Log)
        .unwrap_or_else(|| reader.empty("log", Table::Log));
    let standard = LogSpec::default();
    let spec = LogSpec {
        max_size: table.get_or("max_size", Size(standard.max_size)).0,
        keep: u32::try_from(
            table
                .get_or::<Int<0, 100_000>>("keep", Int(i64::from(standard.keep)))
                .0,
        )
        .unwrap_or(standard.keep),
        max_age: table
            .get_or("max_age", DurationOrUnlimited(standard.max_age))
            .0,
        max_total: table
            .get_or("max_total", SizeOrUnlimited(standard.max_total))
            .0,
        compress: table.get_or("compress", standard.compress),
        streams: table.get_or("streams", standard.streams),
        sync: table.get_or("sync", standard.sync),
        when_full: table.get_or("when_full", standard.when_full),
        encoding: table.get_or("encoding", standard.encoding),
        system: super::system_log::system_log(reader),
    };
    if let Some(field) = table.field("encoding")
        && let Some(reason) = (reader.context.caller.unreadable)(spec.encoding)
    {
        table.wrong(&field, Wrong::new(reason));
    }
    if let Some(field) = table.field("max_size")
        && spec.max_size < 4096
    {
        table.wrong(
            &field,
            Wrong::new("a log file has at least 4K")
                .label("too small")
                .help("write it such as \"10M\""),
        );
    }
    if let (Some(field), Some(max_total)) = (table.field("max_total"), spec.max_total)
        && max_total < spec.max_size
    {
        let wrong = Wrong::new("less than one log file")
            .label("too small")
            .help(format!(
                "`max_size` is {}; make that smaller or this larger",
                crate::values::show_size(spec.max_size)
            ));
        table.wrong(&field, wrong);
    }
    spec
}
