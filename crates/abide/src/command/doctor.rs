//! `abide doctor`: what keeps services from running, and what this machine is short of.

mod unit;

use std::fmt::Write as _;
use std::io::Write as _;

use abide_host::doctor::{self, Check, Finding, Level, Machine, Report, Unit};
use abide_host::{Error, Manager, Scope};
use serde::Serialize;
use serde_json::json;

use super::install::refused;
use super::{Answer, Context, write_json};
use crate::args::DoctorArgs;
use crate::failure::{Code, Failure};
use crate::installed;
use crate::render::words::count;
use crate::term::{Palette, Style};
use abide_daemon::installed::{Installed, all, find};

/// What the findings of the machine and of the home are about.
const MACHINE: &str = "this machine";

/// How many of those that nothing is wrong with are named.
const NAMED: usize = 8;

/// One subject and what is wrong with it.
struct Section {
    subject: String,
    /// What it is and how it is, for people.
    title: String,
    findings: Vec<Finding>,
}

/// A finding in `--json`.
#[derive(Serialize)]
struct Element<'a> {
    subject: &'a str,
    check: &'static str,
    level: &'static str,
    about: Option<&'a std::path::Path>,
    what: &'a str,
    fix: &'a str,
}

pub(super) async fn run(context: &mut Context<'_>, args: &DoctorArgs) -> Answer {
    let mut reports = Vec::new();
    let mut sections = Vec::new();
    match &args.service {
        // As everywhere, a name means the unit of this home that has it, unless a service was installed under it.
        Some(name) => match unit_of_home(context, args, name).await {
            Some(unit) => sections.push(of_unit(context, name.clone(), unit)?),
            None => reports.push(named(args, name)?),
        },
        None => {
            for service in all() {
                match of_installed(&service) {
                    Ok(report) => reports.push(report),
                    Err(failure) => sections.push(unreachable(&service, failure)),
                }
            }
        }
    }
    sections.extend(reports.iter().map(of_report));
    let home = context.client.home().directory.clone();
    let machine = doctor::read_machine(&home).map_err(refused)?;
    let mut found = doctor::judge_machine(&machine);
    if args.service.is_some() {
        // The home that this command was typed in is not the service's.
        found.retain(|finding| !matches!(finding.check, Check::Home | Check::Disk));
    } else {
        for (name, unit) in unit::of_home(context).await {
            sections.push(of_unit(context, name, unit)?);
        }
    }
    sections.push(Section {
        subject: MACHINE.to_owned(),
        title: MACHINE.to_owned(),
        findings: found,
    });
    if args.json {
        write_json(context.out, &as_json(&sections, &reports, &machine))?;
    } else {
        let text = as_text(&sections, context.out.palette);
        context.out.write_all(text.as_bytes())?;
    }
    Ok(verdict(&sections))
}

async fn unit_of_home(context: &Context<'_>, args: &DoctorArgs, name: &str) -> Option<Unit> {
    if args.at.user || args.at.manager.is_some() || find(name).is_some() {
        return None;
    }
    unit::of_home(context).await.remove(name)
}

fn of_unit(context: &Context<'_>, name: String, unit: Unit) -> Result<Section, Failure> {
    let home = context.client.home().directory.display();
    Ok(Section {
        title: format!("{name}, a unit of {home}"),
        subject: name,
        findings: doctor::of_home(&[unit]).map_err(refused)?,
    })
}

/// A service that was asked for: one of ours, else whichever the machine has.
fn named(args: &DoctorArgs, name: &str) -> Result<Report, Failure> {
    let noted = find(name)
        .filter(|noted| !args.at.user || noted.scope == Scope::User)
        .filter(|noted| {
            args.at
                .manager
                .is_none_or(|kind| kind.as_str() == noted.note.manager)
        });
    if let Some(noted) = noted {
        return of_installed(&noted);
    }
    let scope = if args.at.user {
        Scope::User
    } else {
        Scope::System
    };
    let kind = args.at.manager;
    let manager = kind.map_or_else(|| Manager::detect(scope), |kind| Manager::of(kind, scope));
    doctor::of_service(&manager.map_err(refused)?, name, None).map_err(refused)
}

fn of_installed(service: &Installed) -> Result<Report, Failure> {
    let manager = installed::manager(service).map_err(refused)?;
    let unit = unit::of_service(service);
    doctor::of_service(&manager, &service.name, unit.as_ref()).map_err(refused)
}

/// A service whose manager is not here any more.
fn unreachable(service: &Installed, failure: Failure) -> Section {
    let fix = format!("`abide uninstall {}` forgets it", service.name);
    Section {
        subject: service.name.clone(),
        title: format!("{}, a service of {}", service.name, service.note.manager),
        findings: vec![Finding {
            check: Check::Registered,
            level: Level::Fault,
            about: Some(service.directory.clone()),
            what: failure.message,
            fix: failure.help.unwrap_or(fix),
        }],
    }
}

/// What is said of a start that did not come to an end: the first fault that is found, with its way out.
pub(super) fn explained(error: Error, manager: &Manager, name: &str) -> Failure {
    let worth_a_look = matches!(
        error,
        Error::NotUp { .. } | Error::TimedOut { .. } | Error::Failed { .. }
    );
    let failure = refused(error);
    if worth_a_look {
        looked_at(failure, manager, name)
    } else {
        failure
    }
}

/// The same for a failure that was put in words already.
pub(super) fn looked_at(mut failure: Failure, manager: &Manager, name: &str) -> Failure {
    let unit = find(name).and_then(|service| unit::of_service(&service));
    // Where the doctor cannot look, the failure stands as it is.
    let Ok(report) = doctor::of_service(manager, name, unit.as_ref()) else {
        return failure;
    };
    let Some(fault) = report.first_fault() else {
        return failure;
    };
    let more = report.findings.len() - 1;
    failure.message = format!("{}\n{}: {}", failure.message, fault.check, fault.what);
    failure.help = Some(if more > 0 {
        format!("{}; `abide doctor {name}` has {more} more", fault.fix)
    } else {
        fault.fix.clone()
    });
    failure
}

fn of_report(report: &Report) -> Section {
    let whose = match report.scope {
        Scope::System => "",
        Scope::User => " of this user",
    };
    let state = report.status.as_ref().map_or_else(String::new, |status| {
        let detail = status.detail.as_deref();
        let detail = detail.map_or_else(String::new, |detail| format!(" ({detail})"));
        format!(": {}{detail}", status.state)
    });
    Section {
        subject: report.name.clone(),
        title: format!(
            "{}, a service of {}{whose}{state}",
            report.name, report.manager
        ),
        findings: report.findings.clone(),
    }
}

fn verdict(sections: &[Section]) -> Code {
    let mut findings = sections.iter().flat_map(|section| &section.findings);
    if findings.any(|finding| finding.level == Level::Fault) {
        Code::Failed
    } else {
        Code::Done
    }
}

fn as_json(sections: &[Section], reports: &[Report], machine: &Machine) -> serde_json::Value {
    let findings = sections.iter().flat_map(|section| {
        section.findings.iter().map(|finding| Element {
            subject: &section.subject,
            check: finding.check.as_str(),
            level: finding.level.as_str(),
            about: finding.about.as_deref(),
            what: &finding.what,
            fix: &finding.fix,
        })
    });
    let checks = Check::OF_SERVICE.iter().chain(&Check::OF_MACHINE);
    let kernel = &machine.kernel;
    json!({
        "healthy": verdict(sections) == Code::Done,
        "findings": findings.collect::<Vec<_>>(),
        "services": reports.iter().map(|report| json!({
            "name": report.name,
            "manager": report.manager.as_str(),
            "user": report.scope == Scope::User,
            "state": report.status.as_ref().map(|status| status.state.as_str()),
            "enabled": report.status.as_ref().map(|status| status.enabled),
        })).collect::<Vec<_>>(),
        "machine": {
            "home": machine.home,
            "disk_free_bytes": machine.disk.as_ref().map(|disk| disk.free),
            "open_files_soft": kernel.open_files.0,
            "open_files_hard": kernel.open_files.1,
            "memory_available_bytes": kernel.memory.map(|(available, _)| available),
            "inotify_instances": kernel.inotify_instances,
            "control_groups": kernel.control_groups,
        },
        "checks": checks.map(|check| check.as_str()).collect::<Vec<_>>(),
    })
}

fn as_text(sections: &[Section], palette: Palette) -> String {
    let mut text = String::new();
    let mut sound = Vec::new();
    for section in sections {
        if section.findings.is_empty() {
            sound.push(section.subject.as_str());
            continue;
        }
        // Writing to a String cannot fail; the same below.
        let _ = writeln!(text, "{}", palette.paint(Style::Bold, &section.title));
        for finding in &section.findings {
            let style = match finding.level {
                Level::Fault => Style::Bad,
                Level::Warning => Style::Busy,
            };
            let level = palette.paint(style, format!("{:<8}", finding.level.as_str()));
            let _ = writeln!(text, "  {level} {:<12} {}", finding.check, finding.what);
            let _ = writeln!(text, "{:24}fix: {}", "", finding.fix);
        }
    }
    if !sound.is_empty() {
        let more = sound.len().saturating_sub(NAMED);
        sound.truncate(NAMED);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let _ = writeln!(text, "nothing is wrong with {}{more}", sound.join(", "));
    }
    let of = |level| {
        let all = sections.iter().flat_map(|section| &section.findings);
        all.filter(|finding| finding.level == level).count()
    };
    let (faults, warnings) = (of(Level::Fault), of(Level::Warning));
    if faults + warnings > 0 {
        let _ = writeln!(
            text,
            "{}, {}",
            count(faults, "fault"),
            count(warnings, "warning")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(subject: &str, findings: Vec<Finding>) -> Section {
        Section {
            subject: subject.to_owned(),
            title: format!("{subject}, a service of systemd: failed"),
            findings,
        }
    }

    fn finding(level: Level) -> Finding {
        Finding {
            check: Check::Program,
            level,
            about: Some("/opt/web".into()),
            what: "/opt/web, which ExecStart= executes, is not there".to_owned(),
            fix: "put it there".to_owned(),
        }
    }

    #[test]
    fn each_finding_is_told_with_its_way_out_and_counts_for_the_exit_code() {
        let faulty = [
            section("web", vec![finding(Level::Fault)]),
            section(MACHINE, Vec::new()),
        ];
        assert_eq!(
            as_text(&faulty, Palette::plain()),
            "web, a service of systemd: failed\n  fault    program      /opt/web, which ExecStart= executes, is \
             not there\n                        fix: put it there\nnothing is wrong with this machine\n1 fault, \
             0 warnings\n"
        );
        assert_eq!(verdict(&faulty), Code::Failed);
        let warned = [section("web", vec![finding(Level::Warning)])];
        assert_eq!(verdict(&warned), Code::Done, "a warning is no failure");
    }

    #[test]
    fn a_sound_service_is_named_and_nothing_is_wrong_with_it() {
        let sound = [section("web", Vec::new()), section(MACHINE, Vec::new())];
        assert_eq!(
            as_text(&sound, Palette::plain()),
            "nothing is wrong with web, this machine\n"
        );
        assert_eq!(verdict(&sound), Code::Done);
    }

    #[test]
    fn the_document_has_what_is_promised() {
        let sections = [section("web", vec![finding(Level::Fault)])];
        let document = as_json(&sections, &[], &Machine::default());
        assert_eq!(document["healthy"], false);
        let found = &document["findings"][0];
        for (key, value) in [
            ("subject", "web"),
            ("check", "program"),
            ("level", "fault"),
            ("about", "/opt/web"),
            ("fix", "put it there"),
        ] {
            assert_eq!(found[key], value, "{key}");
        }
        assert!(
            document["checks"]
                .as_array()
                .is_some_and(|checks| checks.len() == 22)
        );
    }
}
