//! `herder sweep` from outside: however it is cut, stopped and put together, the same comes of it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn herder(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_herder")).args(args).output().expect("the program runs")
}

fn done(args: &[&str]) -> String {
    let output = herder(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn failed(args: &[&str]) -> String {
    let output = herder(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    String::from_utf8(output.stderr).expect("text")
}

fn plan(folder: &Path, more: &[&str]) -> String {
    let folder = folder.to_str().expect("a path");
    done(&[&["sweep", "plan", "chat", "--set", "workload.requests=120", "--out", folder], more].concat())
}

const GRID: [&str; 6] =
    ["--vary", "control.balancer=random,least-load", "--vary", "fleet.hosts=3,4", "--seeds", "3"];

fn merged(folder: &Path) -> (String, Vec<u8>, Vec<u8>) {
    let told = done(&["sweep", "merge", folder.to_str().unwrap()]);
    let told = told.lines().filter(|line| !line.starts_with("results in")).collect::<Vec<_>>().join("\n");
    (told, fs::read(folder.join("sweep.csv")).unwrap(), fs::read(folder.join("points.csv")).unwrap())
}

#[test]
fn any_shares_on_any_number_of_threads_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [one, shared] = ["one", "shared"].map(|name| folder.path().join(name));
    let told = plan(&one, &GRID);
    assert!(told.starts_with("chat: 12 cells (4 points, 3 replicates each)\n"), "{told}");
    plan(&shared, &GRID);
    plan(&shared, &GRID); // The very same sweep may be planned again.
    done(&["sweep", "run", one.to_str().unwrap(), "--threads", "1"]);
    for shard in ["2/3", "3/3", "1/3"] {
        let missing = failed(&["sweep", "merge", shared.to_str().unwrap()]);
        assert!(missing.contains("herder sweep run"), "{missing}");
        done(&["sweep", "run", shared.to_str().unwrap(), "--shard", shard, "--threads", "2"]);
    }
    let again = done(&["sweep", "run", shared.to_str().unwrap(), "--shard", "2/3"]);
    assert_eq!(again, "shard 2/3: 4 cells done (4 before)\n");
    assert_eq!(merged(&one), merged(&shared));

    let (told, rows, points) = merged(&one);
    let rows = String::from_utf8(rows).unwrap();
    assert!(
        rows.starts_with("cell,point,replicate,control.balancer,fleet.hosts,error,ttft_mean_ms,"),
        "{rows}"
    );
    assert_eq!(rows.lines().count(), 13);
    assert!(rows.lines().nth(4).unwrap().starts_with("3,1,seed 1,random,4,,"), "{rows}");
    assert_eq!(String::from_utf8(points).unwrap().lines().count(), 5);
    assert!(
        told.contains("The best by goodput [%], more is better") && told.contains("  fleet.hosts\n"),
        "{told}"
    );

    // A cell by itself is what the sweep says of it.
    let command = done(&[
        "sweep",
        "plan",
        "chat",
        "--set",
        "workload.requests=120",
        GRID[0],
        GRID[1],
        GRID[2],
        GRID[3],
        GRID[4],
        GRID[5],
        "--out",
        one.to_str().unwrap(),
    ]);
    let line =
        command.lines().find_map(|line| line.strip_prefix("one cell:     herder ")).expect("a command");
    let args: Vec<String> = line.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect();
    let alone = done(&[&args.iter().map(String::as_str).collect::<Vec<_>>()[..], &["--json"]].concat());
    let alone: serde_json::Value = serde_json::from_str(&alone).unwrap();
    let first: Vec<&str> = rows.lines().nth(1).unwrap().split(',').collect();
    let mean: f64 = first[6].parse().unwrap();
    assert_eq!(alone["ttft_ms"]["mean"].as_f64(), Some(mean), "{line}");
}

/// Kills a sweep ten times at moments that come later and later, and once whenever a line has just been begun; then lets it end.
#[test]
fn killed_at_any_moment_it_goes_on_and_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, killed] = ["whole", "killed"].map(|name| folder.path().join(name));
    let many = ["--vary", "control.balancer=random,least-load", "--seeds", "200"];
    plan(&whole, &many);
    plan(&killed, &many);
    done(&["sweep", "run", whole.to_str().unwrap()]);
    let journal = killed.join("shards/1-of-1.journal");
    let lines = || fs::read(&journal).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count());
    let mut kills = 0;
    for more in [1, 3, 7, 2, 5, 4, 6, 1, 2, 3] {
        let wanted = lines() + more;
        let mut child = start(&killed);
        // Until it has got so far: bounded, since the sweep ends by itself.
        while lines() < wanted && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        kills += u32::from(!child.wait().unwrap().success());
        // What a power cut leaves of a line.
        let mut torn = fs::read(&journal).unwrap();
        torn.extend_from_slice(b"0123abcd 7,3,seed 1,ran");
        fs::write(&journal, torn).unwrap();
    }
    assert_eq!(kills, 10, "each time it was stopped before its end");
    let told = done(&["sweep", "run", killed.to_str().unwrap()]);
    let before: u32 =
        told.split('(').nth(1).and_then(|text| text.split(' ').next()).unwrap().parse().unwrap();
    // The sum of the steps, less the line at the head of the journal.
    assert!((33..400).contains(&before), "what was done before it was killed is kept: {told}");
    assert!(!journal.exists());
    assert_eq!(merged(&whole), merged(&killed));
}

fn start(folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_herder"))
        .args(["sweep", "run", folder.to_str().unwrap(), "--threads", "2"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs")
}

#[test]
fn points_that_are_drawn_cover_ranges_and_a_cell_that_cannot_run_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let latin = folder.path().join("latin");
    let drawn = [
        "--latin",
        "6",
        "--range",
        "network.latency_micros=100..100000:log",
        "--vary",
        "fleet.hosts=2,3",
        "--seeds",
        "1",
    ];
    plan(&latin, &drawn);
    done(&["sweep", "run", latin.to_str().unwrap()]);
    let (told, rows, _) = merged(&latin);
    let rows = String::from_utf8(rows).unwrap();
    let hosts: Vec<&str> = rows.lines().skip(1).map(|row| row.split(',').nth(3).unwrap()).collect();
    assert_eq!(hosts.iter().filter(|hosts| **hosts == "2").count(), 3, "{rows}");
    assert!(told.contains("100 to 398.107171"), "parts of a range by the logarithm: {told}");

    // Whether a trace can be read shows when it is.
    let trace = folder.path().join("trace.csv");
    done(&["trace", "generate", "--format", "azure", "--requests", "50", "--out", trace.to_str().unwrap()]);
    let broken = folder.path().join("broken");
    plan(&broken, &["--trace", trace.to_str().unwrap(), "--vary", "fleet.hosts=2,3", "--seeds", "1"]);
    fs::write(&trace, "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,12,x\n").unwrap();
    let wrong = failed(&["sweep", "run", broken.to_str().unwrap()]);
    assert!(wrong.contains("2 cells could not run"), "{wrong}");
    let (told, rows, _) = merged(&broken);
    assert!(told.contains("2 cells could not run"), "{told}");
    assert!(String::from_utf8(rows).unwrap().contains("expected"), "the row says why");
}

#[test]
fn what_is_wrong_is_told_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("sweep");
    let out = out.to_str().unwrap();
    for (args, expected) in [
        (&["--vary", "fleet.hosts=2,none"][..], "point 1 cannot run"),
        (&["--range", "fleet.hosts=2..4"], "found a range for fleet.hosts in a grid"),
        (&[][..], "found no key that varies"),
        (&["--vary", "fleet.hosts=2", "--vary", "fleet.hosts=3"], "found the key fleet.hosts twice"),
        (&["--vary", "fleet.hosst=2"], "fleet.hosst"),
    ] {
        let wrong = failed(&[&["sweep", "plan", "chat", "--out", out], args].concat());
        assert!(wrong.contains(expected), "{args:?}: {wrong}");
        assert!(failed(&["sweep", "run", out]).contains("expected a folder that `herder sweep plan` made"));
    }
    plan(Path::new(out), &["--vary", "fleet.hosts=2"]);
    let other = failed(&["sweep", "plan", "chat", "--vary", "fleet.hosts=3", "--out", out]);
    assert!(other.contains("found another sweep, expected an empty folder"), "{other}");
    let nothing = failed(&["sweep", "merge", out]);
    assert!(nothing.contains("expected the sweep to be run first"), "{nothing}");
    let status = done(&["sweep", "status", out]);
    assert!(status.contains("nothing has been run yet"), "{status}");
    done(&["sweep", "run", out, "--shard", "1/5"]);
    let status = done(&["sweep", "status", out]);
    assert!(status.contains("1/5    1     1      complete"), "{status}");
}
