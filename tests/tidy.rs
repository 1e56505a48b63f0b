//! Holds the invariants that ARCHITECTURE.md states: who may depend on whom, and which knowledge
//! stays in which room. Each rule names itself when it fails.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The workspace crates each crate may name in `[dependencies]`. Development dependencies are
/// free: tests run against real parts.
const ARROWS: &[(&str, &[&str])] = &[
    ("headwater-wire-derive", &[]),
    ("headwater-wire", &["headwater-wire-derive"]),
    ("headwater-env", &[]),
    ("headwater-storage", &["headwater-env", "headwater-wire"]),
    ("headwater-coordination", &["headwater-wire"]),
    (
        "headwater-broker",
        &[
            "headwater-env",
            "headwater-wire",
            "headwater-storage",
            "headwater-coordination",
        ],
    ),
    ("headwater-client", &["headwater-wire"]),
    ("headwater-streams", &["headwater-client", "headwater-wire"]),
    ("headwater-connect", &["headwater-client", "headwater-wire"]),
    (
        "headwater-sql",
        &["headwater-client", "headwater-streams", "headwater-wire"],
    ),
    ("headwater-differential", &["headwater-wire"]),
    (
        "headwater",
        &[
            "headwater-env",
            "headwater-wire",
            "headwater-storage",
            "headwater-broker",
            "headwater-client",
            "headwater-streams",
            "headwater-connect",
            "headwater-sql",
        ],
    ),
];

/// Third-party crates that a workspace crate must not reach, at any depth.
const UNREACHABLE: &[(&str, &[&str])] = &[
    ("headwater-wire", &["tokio", "sled", "datafusion"]),
    (
        "headwater-coordination",
        &["tokio", "sled", "datafusion", "rand"],
    ),
    ("headwater-broker", &["datafusion", "arrow", "sled", "axum"]),
    ("headwater-client", &["datafusion", "arrow", "sled", "axum"]),
    ("headwater-connect", &["datafusion", "arrow", "sled"]),
    ("headwater-streams", &["datafusion", "axum"]),
    ("headwater-differential", &["datafusion", "arrow", "sled"]),
];

/// Source text that may not appear in a folder, outside the files listed as exceptions.
struct Ban {
    folder: &'static str,
    text: &'static [&'static str],
    except: &'static [&'static str],
    why: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        folder: "log-core/wire/src",
        text: &[
            "std::fs",
            "std::net",
            "std::thread",
            "Instant::now",
            "SystemTime",
        ],
        except: &[],
        why: "wire does no input or output and knows no clock",
    },
    Ban {
        folder: "log-core/coordination/src",
        text: &[
            "std::fs",
            "std::net",
            "std::thread",
            "Instant",
            "SystemTime",
            "tokio",
            "rand::",
        ],
        except: &[],
        why: "coordination is state machines: no I/O, clock, thread or randomness",
    },
    Ban {
        folder: "log-core/storage/src",
        text: &[
            "std::fs",
            "std::net",
            "tokio::net",
            "tokio::fs",
            "Instant::now",
            "SystemTime",
        ],
        except: &[],
        why: "storage reaches disk and time through env, and knows no network",
    },
    Ban {
        folder: "log-core/broker/src",
        text: &[
            "std::fs",
            "tokio::fs",
            "std::time::Instant",
            "SystemTime::now",
            "put_i32",
            "get_i32",
        ],
        except: &[],
        why: "the broker reaches disk through storage, bytes through wire and time through env, or \
              through tokio's clock where it waits for sockets",
    },
    Ban {
        folder: "log-core/client/src",
        text: &["std::fs", "tokio::fs"],
        except: &[],
        why: "the client keeps nothing on disk",
    },
    Ban {
        folder: "streams/src/engine",
        text: &[
            "tokio",
            "std::fs",
            "Instant::now",
            "SystemTime",
            "headwater_client",
        ],
        except: &[],
        why: "the task loop is a state machine",
    },
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// The file's code without comment lines and without its in-file tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_test(path: &Path) -> bool {
    let shown = shown(path);
    shown.contains("/tests/")
        || shown.starts_with("tests/")
        || shown.ends_with("tests.rs")
        || shown.contains("/benches/")
}

#[test]
fn dependency_arrows_point_one_way() {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()
        .unwrap();
    let allowed: BTreeMap<_, BTreeSet<_>> = ARROWS
        .iter()
        .map(|(name, to)| (*name, to.iter().copied().collect()))
        .collect();
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let Some(may) = allowed.get(package.name.as_str()) else {
            wrong.push(format!("{} has no row in ARROWS", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            let internal =
                dependency.name == "headwater" || dependency.name.starts_with("headwater-");
            if internal
                && dependency.kind == DependencyKind::Normal
                && !may.contains(dependency.name.as_str())
            {
                wrong.push(format!(
                    "{} may not depend on {}",
                    package.name, dependency.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn heavy_crates_stay_out_of_rooms_that_do_not_need_them() {
    let metadata = MetadataCommand::new().current_dir(root()).exec().unwrap();
    let resolve = metadata.resolve.as_ref().unwrap();
    let names: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.as_str()))
        .collect();
    let edges: BTreeMap<_, Vec<_>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let normal = node.deps.iter().filter(|dependency| {
                dependency
                    .dep_kinds
                    .iter()
                    .any(|kind| kind.kind == DependencyKind::Normal)
            });
            (&node.id, normal.map(|dependency| &dependency.pkg).collect())
        })
        .collect();
    let mut wrong = Vec::new();
    for (from, banned) in UNREACHABLE {
        let start = metadata
            .packages
            .iter()
            .find(|package| package.name.as_str() == *from);
        let Some(start) = start else { continue };
        let mut seen = BTreeSet::new();
        let mut next = vec![&start.id];
        while let Some(id) = next.pop() {
            if seen.insert(id) {
                next.extend(edges.get(id).into_iter().flatten());
            }
        }
        for id in seen {
            if banned.contains(&names[id]) {
                wrong.push(format!("{from} reaches {}", names[id]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn knowledge_stays_in_its_room() {
    let mut wrong = Vec::new();
    for ban in BANS {
        let mut files = Vec::new();
        sources(&root().join(ban.folder), &mut files);
        for file in files.iter().filter(|file| !is_test(file)) {
            let name = shown(file);
            if ban.except.iter().any(|except| name.ends_with(except)) {
                continue;
            }
            let code = code(file);
            for text in ban.text {
                if code.contains(text) {
                    wrong.push(format!("{name} mentions `{text}`: {}", ban.why));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn queues_are_bounded_and_nothing_is_left_undone() {
    let words = [
        "unbounded_channel",
        "mpsc::channel()",
        "unbounded()",
        "todo!(",
        "unimplemented!(",
    ];
    let marks = ["TODO", "FIXME", "XXX"];
    let mut files = Vec::new();
    for folder in [
        "src", "log-core", "streams", "connect", "sql", "examples", "tests",
    ] {
        sources(&root().join(folder), &mut files);
    }
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| !file.ends_with("tests/tidy.rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        let lines = text.lines().count();
        if lines > 800 {
            wrong.push(format!(
                "{} has {lines} lines: is it one room?",
                shown(file)
            ));
        }
        let code = code(file);
        for word in words
            .iter()
            .filter(|word| !is_test(file) && code.contains(**word))
        {
            wrong.push(format!("{} has `{word}`", shown(file)));
        }
        for mark in marks.iter().filter(|mark| text.contains(**mark)) {
            wrong.push(format!("{} has `{mark}`", shown(file)));
        }
        if text.contains("#[ignore") {
            wrong.push(format!("{} ignores a test", shown(file)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_source_file_is_reached_by_a_module() {
    let mut files = Vec::new();
    for folder in ["src", "log-core", "streams", "connect", "sql"] {
        sources(&root().join(folder), &mut files);
    }
    let mut wrong = Vec::new();
    for file in &files {
        let stem = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let folder = file.parent().unwrap();
        let top = folder
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let entry = matches!(stem, "lib" | "main");
        if entry || is_test(file) || matches!(top, "tests" | "benches" | "examples" | "bin") {
            continue;
        }
        // A folder module is declared in the folder above it, any other in its own folder or in
        // the file that the folder is named after.
        let (name, home) = if stem == "mod" {
            (top, folder.parent().unwrap())
        } else {
            (stem, folder)
        };
        let homes = [
            home.join("mod.rs"),
            home.join("lib.rs"),
            home.join("main.rs"),
            home.with_extension("rs"),
        ];
        let declared = homes.iter().any(|home| {
            std::fs::read_to_string(home).is_ok_and(|text| {
                text.contains(&format!("mod {name};")) || text.contains(&format!("mod {name} {{"))
            })
        });
        if declared || is_named_by_path(file) {
            continue;
        }
        wrong.push(format!("no module declares {}", shown(file)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a file beside it has `#[path = "<its name>"]`.
fn is_named_by_path(file: &Path) -> bool {
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let path = format!("#[path = \"{name}\"]");
    let Ok(entries) = std::fs::read_dir(file.parent().unwrap()) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| std::fs::read_to_string(entry.path()).is_ok_and(|text| text.contains(&path)))
}

#[test]
fn documents_have_one_title() {
    for name in ["README.md", "ARCHITECTURE.md"] {
        let text = std::fs::read_to_string(root().join(name)).unwrap();
        let mut fenced = false;
        let titles = text
            .lines()
            .filter(|line| {
                if line.starts_with("```") {
                    fenced = !fenced;
                }
                !fenced && line.starts_with("# ")
            })
            .count();
        assert_eq!(titles, 1, "{name} has {titles} titles");
    }
}

/// The path of the module that a source file is, such as `headwater_sql::pg::server`.
fn module(path: &Path) -> String {
    let shown = shown(path);
    let (folder, file) = shown.split_once("src/").unwrap();
    let crate_name = match folder.trim_end_matches('/').rsplit('/').next() {
        Some("") | None => "headwater".to_owned(),
        Some(folder) => format!("headwater_{folder}"),
    };
    let mut parts: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    if parts
        .last()
        .is_some_and(|last| matches!(*last, "mod" | "lib" | "main"))
    {
        parts.pop();
    }
    parts.insert(0, &crate_name);
    parts.join("::")
}

#[test]
fn every_module_that_logs_is_a_known_logger() {
    let macros = [
        "error!",
        "warn!",
        "info!",
        "debug!",
        "trace!",
        "debug_span!",
    ];
    let mut files = Vec::new();
    for folder in ["src", "log-core", "streams", "connect", "sql"] {
        sources(&root().join(folder), &mut files);
    }
    let logs = |file: &&PathBuf| {
        let code = code(file);
        let is_named = |name: &&str| code.contains(&format!("tracing::{name}"));
        shown(file).contains("src/") && !is_test(file) && macros.iter().any(is_named)
    };
    let logging: BTreeSet<String> = files.iter().filter(logs).map(|file| module(file)).collect();
    let list = code(&root().join("src/node/loggers.rs"));
    let listed = list.split('"').skip(1).step_by(2).map(str::to_owned);
    let ours: BTreeSet<String> = listed
        .filter(|name| name.starts_with("headwater"))
        .collect();
    let missing = logging.difference(&ours).map(|name| format!("{name} logs"));
    let gone = ours.difference(&logging);
    let gone = gone.map(|name| format!("{name} does not log"));
    let wrong: Vec<_> = missing.chain(gone).collect();
    assert!(
        wrong.is_empty(),
        "src/node/loggers.rs is to list what logs:\n{}",
        wrong.join("\n")
    );
}
