//! The rules that the compiler does not know: dependency arrows, sizes of files, words, dead files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Which crates of the workspace a crate may use (ARCHITECTURE.md, "Arrows"). Anything else is an error.
const ARROWS: &[(&str, &[&str])] = &[
    ("control", &[]),
    ("sim-host", &["control"]),
    ("traces", &["control"]),
    ("workloads", &["control", "traces"]),
    ("sim", &["control", "sim-host", "traces", "workloads"]),
    ("live", &["control", "sim-host", "traces"]),
    ("reports", &["control", "traces"]),
    ("herder", &["control", "sim-host", "traces", "workloads", "sim", "live", "reports"]),
    ("benches", &["control", "sim-host", "traces", "workloads", "sim", "live", "reports", "herder"]),
];

/// Everything that `control` may be built with. All of it works without the standard library. `blake3` hashes what hosts
/// compare instead of their content, where a collision would be a change that is missed.
const CONTROL_MAY_USE: &[&str] = &["blake3", "postcard", "serde"];

/// Most lines of a file before its tests.
const LINES_MAX: usize = 500;

#[test]
fn crates_depend_on_each_other_only_along_the_arrows() {
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let mut seen = BTreeSet::new();
    for manifest in manifests() {
        let (name, dependencies) = dependencies(&manifest);
        let Some((_, allowed)) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name) else {
            panic!("{} is not in the table of arrows", manifest.display());
        };
        for dependency in dependencies.iter().filter(|dependency| ours.contains(dependency.as_str())) {
            assert!(allowed.contains(&dependency.as_str()), "{name} may not depend on {dependency}");
        }
        seen.insert(name);
    }
    assert_eq!(seen.len(), ARROWS.len(), "the table of arrows names a crate that is not there: {seen:?}");
}

#[test]
fn simulator_and_gateway_never_meet() {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for manifest in manifests() {
        let (name, dependencies) = dependencies(&manifest);
        uses.insert(name, dependencies);
    }
    for (from, to) in [("sim", "live"), ("live", "sim")] {
        let mut todo = vec![from.to_owned()];
        let mut reached = BTreeSet::new();
        while let Some(name) = todo.pop() {
            if reached.insert(name.clone()) {
                todo.extend(uses.get(&name).into_iter().flatten().cloned());
            }
        }
        assert!(!reached.contains(to), "{from} reaches {to}");
    }
}

#[test]
fn control_uses_only_what_is_on_its_list() {
    let text = read(&root().join("control/Cargo.toml"));
    let manifest: toml::Table = text.parse().expect("control/Cargo.toml is TOML");
    let used = manifest["dependencies"].as_table().expect("a table of dependencies");
    for name in used.keys() {
        assert!(CONTROL_MAY_USE.contains(&name.as_str()), "control may not use {name}");
    }
    let library = read(&root().join("control/src/lib.rs"));
    assert!(library.contains("#![no_std]"), "control is built without the standard library");
    for file in rust_files().iter().filter(|file| file.starts_with("control")) {
        let text = read(&root().join(file));
        for banned in ["extern crate std", "cfg(not(test)) extern", "unsafe "] {
            assert!(!text.contains(banned), "{}: {banned}", file.display());
        }
    }
}

#[test]
fn files_stay_below_500_lines_before_their_tests() {
    let mut long = Vec::new();
    for file in rust_files() {
        let is_test = file.components().any(|part| part.as_os_str() == "tests")
            || file.file_name().is_some_and(|name| name == "tests.rs");
        if is_test {
            continue;
        }
        let text = read(&root().join(&file));
        let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        if lines > LINES_MAX {
            long.push(format!("{}: {lines}", file.display()));
        }
    }
    assert!(long.is_empty(), "too long: {long:#?}");
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    // Written in two halves, so that this file does not contain them.
    let banned = [
        ["todo", "!("].concat(),
        ["unimplemented", "!("].concat(),
        ["#[ign", "ore"].concat(),
        ["#[all", "ow("].concat(),
        ["#![all", "ow("].concat(),
        ["(to ", "come)"].concat(),
        ["#[pa", "th ="].concat(),
    ];
    let mut found = Vec::new();
    for file in rust_files() {
        let text = read(&root().join(&file));
        for (number, line) in text.lines().enumerate() {
            for word in &banned {
                // Test targets and examples share files, which only a path can name.
                let shared =
                    word.starts_with("#[path") && !file.components().any(|part| part.as_os_str() == "src");
                // Long forms of tests that run in short: a command runs them (docs/reliability.md).
                let long_form = word.starts_with("#[ign")
                    && (file.starts_with("live/tests") || file.starts_with("tests"))
                    && line.contains("= \"long form: ");
                if line.contains(word.as_str()) && !shared && !long_form {
                    found.push(format!("{}:{}: {}", file.display(), number + 1, line.trim()));
                }
            }
        }
        if file.file_name().is_some_and(|name| name == "mod.rs") {
            found.push(format!("{}: a module is foo.rs beside foo/", file.display()));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn files_speak_of_the_program_only() {
    // How and where this text came to be is nobody's concern, and paths or hosts of one machine help no other.
    let anywhere = [
        ["sub", "agent"].concat(),
        ["sub-", "agent"].concat(),
        ["coding ", "agent"].concat(),
        ["cla", "ude"].concat(),
        ["in this ", "issue"].concat(),
        ["another ", "issue"].concat(),
        ["issues ", "show"].concat(),
        ["static.", "crates.io"].concat(),
        ["index.", "crates.io"].concat(),
        ["files.python", "hosted.org"].concat(),
        ["registry.", "npmjs.org"].concat(),
        ["proxy.", "golang.org"].concat(),
    ];
    let roots = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat(), ["/ho", "me/"].concat()];
    let mut found = Vec::new();
    for file in text_files() {
        let Ok(text) = fs::read_to_string(root().join(&file)) else { continue };
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            let word = anywhere.iter().find(|word| lower.contains(word.as_str()));
            let path = roots.iter().find(|path| {
                lower.match_indices(path.as_str()).any(|(at, _)| {
                    let before = lower[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}'))
                })
            });
            if let Some(word) = word.or(path) {
                found.push(format!("{}:{}: {word}", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_source_file_belongs_to_a_crate() {
    let mut reached: BTreeSet<PathBuf> = BTreeSet::new();
    for manifest in manifests() {
        let folder = manifest.parent().expect("a manifest lies in a folder");
        let mut roots = vec![folder.join("src/lib.rs"), folder.join("src/main.rs"), folder.join("build.rs")];
        for extra in ["tests", "benches", "examples", "src/bin"] {
            let Ok(entries) = fs::read_dir(folder.join(extra)) else { continue };
            for entry in entries {
                let path = entry.expect("the folder can be listed").path();
                if path.extension().is_some_and(|extension| extension == "rs") {
                    roots.push(path);
                } else if path.join("main.rs").is_file() {
                    roots.push(path.join("main.rs"));
                }
            }
        }
        for file in roots.into_iter().filter(|file| file.is_file()) {
            let beside = file.parent().expect("a file lies in a folder").to_owned();
            reach(&file, &beside, &mut reached);
        }
    }
    let dead: Vec<PathBuf> =
        rust_files().into_iter().filter(|file| !reached.contains(&root().join(file))).collect();
    assert!(dead.is_empty(), "no crate contains {dead:#?}");
}

#[test]
fn tests_never_sleep_to_wait() {
    // Threads of their own that let lines gather before they write them.
    let gathering = ["live/src/gateway/decision_log.rs", "live/src/gateway/request_log.rs"].map(Path::new);
    let mut found = Vec::new();
    let sleep = ["thread::", "sleep("].concat();
    for file in rust_files().into_iter().filter(|file| !gathering.contains(&file.as_path())) {
        let text = read(&root().join(&file));
        for (number, line) in text.lines().enumerate() {
            if line.contains(&sleep) {
                found.push(format!("{}:{}", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Follows `mod name;` from a file; `beside` is the folder in which its modules lie.
fn reach(file: &Path, beside: &Path, reached: &mut BTreeSet<PathBuf>) {
    if !reached.insert(file.to_owned()) {
        return;
    }
    let mut named: Option<String> = None;
    // Folders in which a module may lie: beside the file, or in that of a module written out in it.
    let mut folders = vec![beside.to_owned()];
    for line in read(file).lines() {
        let line = line.trim_start();
        if let Some(path) = line.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]")) {
            named = Some(path.to_owned());
            continue;
        }
        let line =
            line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub(super) ")).unwrap_or(line);
        let line = line.strip_prefix("pub ").unwrap_or(line);
        if let Some(inline) = line.strip_prefix("mod ").and_then(|rest| rest.trim_end().strip_suffix(" {")) {
            folders.push(beside.join(inline));
        }
        let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.trim_end().strip_suffix(';')) else {
            continue;
        };
        let folder = file.parent().expect("a file lies in a folder");
        let module = match named.take() {
            Some(path) => folder.join(path).components().fold(PathBuf::new(), |path, part| match part {
                std::path::Component::ParentDir => path.parent().expect("a folder has a parent").to_owned(),
                part => path.join(part),
            }),
            None => {
                let mut places = folders.iter().map(|folder| folder.join(format!("{name}.rs")));
                places.find(|place| place.is_file()).unwrap_or_else(|| beside.join(format!("{name}.rs")))
            }
        };
        assert!(module.is_file(), "{} names the module {name}, which has no file", file.display());
        reach(&module, &module.with_extension(""), reached);
    }
}

/// The manifests of all packages.
fn manifests() -> Vec<PathBuf> {
    let text = read(&root().join("Cargo.toml"));
    let manifest: toml::Table = text.parse().expect("Cargo.toml is TOML");
    let members = manifest["workspace"]["members"].as_array().expect("a list of members");
    let folders = members.iter().map(|member| member.as_str().expect("a path"));
    folders.chain(["."]).map(|folder| root().join(folder).join("Cargo.toml")).collect()
}

/// A package's name and all that it depends on, for building and for its tests.
fn dependencies(manifest: &Path) -> (String, BTreeSet<String>) {
    let parsed: toml::Table = read(manifest).parse().expect("a manifest is TOML");
    let name = parsed["package"]["name"].as_str().expect("a package has a name").to_owned();
    let mut all = BTreeSet::new();
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(table) = parsed.get(section).and_then(toml::Value::as_table) else { continue };
        for (key, value) in table {
            let package = value.get("package").and_then(toml::Value::as_str).unwrap_or(key);
            all.insert(package.to_owned());
        }
    }
    (name, all)
}

fn rust_files() -> Vec<PathBuf> {
    let files = text_files();
    files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// All files of the project, relative to its root: what a build, a run or git writes is left out (in a second working
/// tree `.git` is a file).
fn text_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be listed") {
            let path = entry.expect("the folder can be listed").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | "out" | ".git" | "shared") {
                    folders.push(path);
                }
            } else if !name.ends_with(".tmp") && !matches!(name.as_str(), "Cargo.lock" | ".git") {
                files.push(path.strip_prefix(root()).expect("below the root").to_owned());
            }
        }
    }
    files.sort();
    files
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
