//! What only all files together can tell: names that are there twice, names that are not there, and
//! dependencies in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use abide_model::{ListenAddress, UnitName};

use crate::decode::{Dependency, Draft, Kind};
use crate::diagnostic::Diagnostics;
use crate::keys::nearest;
use crate::source::{SourceText, quoted};

/// One file's units.
pub(crate) struct Linkable<'a> {
    pub source: &'a SourceText,
    pub group: Option<&'a str>,
    pub drafts: &'a mut Vec<Draft>,
}

/// A unit: file and place in it.
type Place = (usize, usize);

/// A dependency between two units of these files.
struct Edge {
    to: Place,
    span: Range<usize>,
}

/// Looks all names up. `complete`: every table of every file could be read, so that a name that is not
/// there is a mistake.
pub(crate) fn link(
    files: &mut [Linkable<'_>],
    known: &BTreeSet<UnitName>,
    complete: bool,
    diagnostics: &mut Diagnostics,
) {
    let index = index(files, known, diagnostics);
    let mut edges: BTreeMap<Place, Vec<Edge>> = BTreeMap::new();
    let mut resolved: Vec<(Place, Kind, Vec<UnitName>)> = Vec::new();
    for (f, file) in files.iter().enumerate() {
        for (d, draft) in file.drafts.iter().enumerate() {
            for dependency in &draft.dependencies {
                match look_up(&dependency.text, file.group, &index, files, known) {
                    Some((to, names)) => {
                        if let Some(to) = to {
                            edges.entry((f, d)).or_default().push(Edge {
                                to,
                                span: dependency.span.clone(),
                            });
                        }
                        resolved.push(((f, d), dependency.kind, names));
                    }
                    None if complete && diagnostics.is_full() => diagnostics.hidden += 1,
                    None if complete => diagnostics.push(unknown(file, dependency, &index, known)),
                    None => {}
                }
            }
        }
    }
    circles(files, &edges, diagnostics);
    listeners(files, diagnostics);
    for ((f, d), kind, names) in resolved {
        for unit in &mut files[f].drafts[d].units {
            let policy = &mut unit.spec.policy;
            let list = match kind {
                Kind::Requires => &mut policy.requires,
                Kind::Wants => &mut policy.wants,
                Kind::After => &mut policy.after,
            };
            for name in &names {
                if !list.contains(name) {
                    list.push(name.clone());
                }
            }
        }
    }
}

/// Every unit by its full name without an instance; one that is there twice is reported.
fn index(
    files: &[Linkable<'_>],
    known: &BTreeSet<UnitName>,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<String, Place> {
    let known: BTreeSet<String> = known.iter().map(without_instance).collect();
    let mut index: BTreeMap<String, Place> = BTreeMap::new();
    for (f, file) in files.iter().enumerate() {
        for (d, draft) in file.drafts.iter().enumerate() {
            let name = draft.name.to_string();
            let twice = |message: String| {
                file.source.error(draft.span.clone(), message).label("the second one").help(
                    "rename one of them, or give their files different groups: `group = \"NAME\"` at the top",
                )
            };
            if let Some((first_file, first)) = index.get(&name).copied() {
                let other = &files[first_file];
                let note = other
                    .source
                    .note(&other.drafts[first].span, "the first one is here");
                diagnostics
                    .push(twice(format!("the unit {} is there twice", quoted(&name))).note(note));
            } else if known.contains(&name) {
                diagnostics.push(twice(format!(
                    "the unit {} already comes from another file",
                    quoted(&name)
                )));
            } else {
                index.insert(name, (f, d));
            }
        }
    }
    index
}

fn without_instance(name: &UnitName) -> String {
    match name.as_str().split_once('@') {
        Some((base, _)) => base.to_owned(),
        None => name.to_string(),
    }
}

/// The unit that a name means, seen from a group, and the full names of its instances. The unit is
/// `None` when it comes from a file that is not being loaded.
fn look_up(
    text: &str,
    group: Option<&str>,
    index: &BTreeMap<String, Place>,
    files: &[Linkable<'_>],
    known: &BTreeSet<UnitName>,
) -> Option<(Option<Place>, Vec<UnitName>)> {
    let mut candidates = vec![text.to_owned()];
    if let Some(group) = group.filter(|_| !text.contains(':')) {
        candidates.insert(0, format!("{group}:{text}"));
    }
    for full in candidates {
        let base = full.split_once('@').map_or(full.as_str(), |(base, _)| base);
        let wanted = |name: &UnitName| {
            name.as_str() == full || (base == full && without_instance(name) == full)
        };
        if let Some((f, d)) = index.get(base).copied() {
            let units = &files[f].drafts[d].units;
            let names: Vec<_> = units
                .iter()
                .map(|unit| &unit.spec.name)
                .filter(|name| wanted(name))
                .cloned()
                .collect();
            // A unit with a mistake of its own has no instances; its name is there all the same.
            if !names.is_empty() || units.is_empty() {
                return Some((Some((f, d)), names));
            }
        }
        let names: Vec<_> = known.iter().filter(|name| wanted(name)).cloned().collect();
        if !names.is_empty() {
            return Some((None, names));
        }
    }
    None
}

fn unknown(
    file: &Linkable<'_>,
    dependency: &Dependency,
    index: &BTreeMap<String, Place>,
    known: &BTreeSet<UnitName>,
) -> crate::Diagnostic {
    let report = file.source.error(
        dependency.span.clone(),
        format!(
            "`{}` names {}, which does not exist",
            dependency.kind.key(),
            quoted(&dependency.text)
        ),
    );
    let names: BTreeSet<&str> = index
        .keys()
        .map(String::as_str)
        .chain(known.iter().map(UnitName::as_str))
        .collect();
    let short = |name: &str| name.rsplit(':').next().unwrap_or_default().to_owned();
    let full = names.iter().copied();
    if let Some(near) = nearest(&dependency.text, full) {
        return report.label(format!("did you mean \"{near}\"?"));
    }
    // In another group, or misspelt in this one.
    let bare: BTreeMap<String, &str> = names.iter().map(|name| (short(name), *name)).collect();
    if let Some(near) = nearest(&short(&dependency.text), bare.keys().map(String::as_str)) {
        let mut name = bare.get(near).copied().unwrap_or(near);
        if let Some(group) = file.group {
            name = name
                .strip_prefix(group)
                .and_then(|rest| rest.strip_prefix(':'))
                .unwrap_or(name);
        }
        return report.label(format!("did you mean \"{name}\"?"));
    }
    report
        .label("no such unit")
        .help("add it, or give the file that holds it as well")
}

/// Reports circles, each unit in at most one.
fn circles(
    files: &[Linkable<'_>],
    edges: &BTreeMap<Place, Vec<Edge>>,
    diagnostics: &mut Diagnostics,
) {
    let mut done: BTreeSet<Place> = BTreeSet::new();
    for start in edges.keys() {
        if done.contains(start) {
            continue;
        }
        // Depth first without recursion: a chain may be as long as there are units.
        let mut path: Vec<(Place, usize)> = vec![(*start, 0)];
        let mut on_path: BTreeSet<Place> = BTreeSet::from([*start]);
        while let Some((at, next)) = path.last_mut() {
            let edge = edges.get(at).and_then(|all| all.get(*next));
            *next += 1;
            match edge {
                None => {
                    done.insert(*at);
                    on_path.remove(&*at);
                    path.pop();
                }
                Some(edge) if on_path.contains(&edge.to) => {
                    let from = path
                        .iter()
                        .position(|(place, _)| *place == edge.to)
                        .unwrap_or(0);
                    let members: Vec<(Place, &Edge)> = path[from..]
                        .iter()
                        .filter_map(|(place, next)| {
                            Some((*place, edges.get(place)?.get(next - 1)?))
                        })
                        .collect();
                    diagnostics.push(circle(files, &members));
                    done.extend(members.iter().map(|(place, _)| *place));
                }
                Some(edge) if done.contains(&edge.to) => {}
                Some(edge) => {
                    on_path.insert(edge.to);
                    path.push((edge.to, 0));
                }
            }
        }
    }
}

fn circle(files: &[Linkable<'_>], members: &[(Place, &Edge)]) -> crate::Diagnostic {
    let name = |(f, d): Place| files[f].drafts[d].name.to_string();
    // Begins with the unit that is written first, wherever the search began.
    let first = members
        .iter()
        .enumerate()
        .min_by_key(|(_, (place, _))| *place)
        .map_or(0, |(n, _)| n);
    let members: Vec<_> = members[first..].iter().chain(&members[..first]).collect();
    let mut names: Vec<String> = members.iter().map(|(place, _)| name(*place)).collect();
    names.extend(names.first().cloned());
    let ((f, _), edge) = members[0];
    if members.len() == 1 {
        return files[*f]
            .source
            .error(
                edge.span.clone(),
                format!("{} depends on itself", quoted(&names[0])),
            )
            .help("take it out");
    }
    let mut report = files[*f]
        .source
        .error(
            edge.span.clone(),
            format!("dependencies go in a circle: {}", names.join(" → ")),
        )
        .label("the circle begins here")
        .help("take one of these dependencies out");
    for ((f, d), edge) in members.iter().skip(1).take(4) {
        report = report.note(
            files[*f]
                .source
                .note(&edge.span, format!("{} goes on here", name((*f, *d)))),
        );
    }
    report
}

/// Reports addresses that two units listen on. Instances of one unit share theirs.
fn listeners(files: &[Linkable<'_>], diagnostics: &mut Diagnostics) {
    type Taken<'a> = (
        &'a Linkable<'a>,
        &'a Draft,
        &'a Range<usize>,
        &'a ListenAddress,
    );
    let mut taken: BTreeMap<ListenAddress, Taken<'_>> = BTreeMap::new();
    // What stands in the way of one who wants all interfaces.
    let mut ports: BTreeMap<ListenAddress, Taken<'_>> = BTreeMap::new();
    let all = files
        .iter()
        .flat_map(|file| file.drafts.iter().map(move |draft| (file, draft)));
    for (file, draft) in all {
        for (address, span) in &draft.sockets {
            let everywhere = everywhere(address);
            let other = taken
                .get(address)
                .or_else(|| taken.get(everywhere.as_ref()?))
                .or_else(|| ports.get(address));
            if let Some((other, first, place, there)) = other {
                let name = quoted(first.name.as_str());
                let note = other.source.note(place, "the first one is here");
                diagnostics.push(
                    file.source
                        .error(span.clone(), format!("{name} listens on {there} already"))
                        .label("taken")
                        .help("choose another address; copies that share one are `instances = N` of one unit")
                        .note(note),
                );
                continue;
            }
            taken.insert(address.clone(), (file, draft, span, address));
            if let Some(everywhere) = everywhere {
                ports
                    .entry(everywhere)
                    .or_insert((file, draft, span, address));
            }
        }
    }
}

/// The address of all interfaces that stands in the way of this one, if there is one.
fn everywhere(address: &ListenAddress) -> Option<ListenAddress> {
    use std::net::{Ipv4Addr, SocketAddr};
    let all = |ip: &SocketAddr| {
        ip.is_ipv4()
            .then(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, ip.port())))
    };
    match address {
        ListenAddress::Tcp(ip) => all(ip).map(ListenAddress::Tcp),
        ListenAddress::Udp(ip) => all(ip).map(ListenAddress::Udp),
        ListenAddress::Unix(_) => None,
    }
}
