use std::path::Path;

use abide_model::{CgroupLimits, LimitUnsupported};

/// The period over which a CPU share is counted, in microseconds (the kernel's default).
const PERIOD: f64 = 100_000.0;

/// One limit: the key in the configuration, the controller, its file, and the text to write.
type Wanted = (&'static str, &'static str, &'static str, Option<String>);

fn wanted(limits: &CgroupLimits) -> [Wanted; 3] {
    let share = limits.cpu.map(|cpus| {
        // At least what the kernel takes, 1 ms a period.
        let quota = (cpus * PERIOD).max(1000.0);
        format!("{quota:.0} {PERIOD:.0}")
    });
    [
        (
            "memory",
            "memory",
            "memory.max",
            limits.memory.map(|n| n.to_string()),
        ),
        ("cpu", "cpu", "cpu.max", share),
        (
            "processes",
            "pids",
            "pids.max",
            limits.processes.map(|n| n.to_string()),
        ),
    ]
}

/// Sets the limits of a group, also those that were there before and are no longer wanted. What
/// cannot be had is returned with its reason.
pub(crate) fn apply(group: &Path, limits: &CgroupLimits) -> Vec<LimitUnsupported> {
    let mut unsupported = Vec::new();
    for (limit, controller, file, value) in wanted(limits) {
        let path = group.join(file);
        let there = path.exists();
        match value {
            None if there => {
                // Nothing was asked for: best as it was made.
                let _ = std::fs::write(&path, "max");
            }
            None => {}
            Some(value) if there => {
                if let Err(e) = std::fs::write(&path, &value) {
                    let reason = format!("writing {value:?} to {}: {e}", path.display());
                    unsupported.push(LimitUnsupported {
                        limit: limit.into(),
                        reason,
                    });
                }
            }
            Some(_) => unsupported.push(LimitUnsupported {
                limit: limit.into(),
                reason: missing(group, controller),
            }),
        }
    }
    unsupported
}

/// What of these limits cannot be had in a home's group, or because there is none.
pub(crate) fn unsupported(
    group: Result<&Path, &str>,
    limits: &CgroupLimits,
) -> Vec<LimitUnsupported> {
    let reason = |controller: &str| match group {
        Err(reason) => Some(format!("no control group can be made ({reason})")),
        Ok(group) => {
            let text = std::fs::read_to_string(group.join("cgroup.subtree_control"));
            let text = text.unwrap_or_default();
            let there = text.split_ascii_whitespace().any(|word| word == controller);
            (!there).then(|| missing(group, controller))
        }
    };
    wanted(limits)
        .into_iter()
        .filter(|(.., value)| value.is_some())
        .filter_map(|(limit, controller, ..)| {
            Some(LimitUnsupported {
                limit: limit.into(),
                reason: reason(controller)?,
            })
        })
        .collect()
}

fn missing(group: &Path, controller: &str) -> String {
    let v1 = std::fs::read_to_string("/proc/self/cgroup").is_ok_and(|text| {
        text.lines().any(|line| {
            let named = line.split(':').nth(1).unwrap_or_default();
            named.split(',').any(|name| name == controller)
        })
    });
    if v1 {
        format!(
            "the {controller} controller is bound to cgroup v1 on this machine; boot with \
             systemd.unified_cgroup_hierarchy=1 or cgroup_no_v1=all to have it in cgroup v2"
        )
    } else {
        format!(
            "the {controller} controller of cgroup v2 is not available below {}",
            group.display()
        )
    }
}
