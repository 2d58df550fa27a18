//! `herder report`: what a folder holds is enough to make its report again, to the byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn herder(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_herder")).args(args).output().expect("the program runs")
}

fn done(args: &[&str]) -> String {
    let output = herder(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Every file of a folder but what tells of the machine.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else if name != "machine.json" {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn report_of_each_kind_of_folder_is_made_again_from_its_data() {
    let place = tempfile::tempdir().unwrap();
    let [run, compare, sweep, plan, tune] =
        ["run", "compare", "sweep", "plan", "tune"].map(|name| place.path().join(name));
    let path = |folder: &Path| folder.to_str().unwrap().to_owned();
    let small = ["--set", "workload.requests=150"];
    done(&[&["run", "chat", "--log", "--out", &path(&run)], &small[..]].concat());
    let vary = ["--vary", "control.balancer=random,least-load", "--seeds", "3", "--out"];
    done(&[&["compare", "chat"], &vary[..], &[&path(&compare)], &small[..]].concat());
    done(&[&["sweep", "plan", "chat"], &vary[..], &[&path(&sweep)], &small[..]].concat());
    done(&["sweep", "run", &path(&sweep)]);
    done(&["sweep", "merge", &path(&sweep)]);
    let slo =
        ["--slo", "ttft_p95_all_ms<=5000", "--seeds", "2", "--hosts", "1..8", "--electricity", "30", "--out"];
    done(&[&["plan", "chat"], &slo[..], &[&path(&plan)], &small[..]].concat());
    let few = ["--candidates", "4", "--fresh", "3", "--only", "balancers", "--report"];
    done(&[&["tune", "chat"], &few[..], &[&path(&tune)], &small[..]].concat());
    let kinds = [
        (&run, "run", &["latency.png"][..]),
        (&compare, "comparison", &["differences.svg", "differences.png"]),
        (&sweep, "sweep", &["points.csv", "plots/1-control.balancer.svg", "plots/1-control.balancer.png"]),
        (
            &plan,
            "plan",
            &[
                "plan.csv",
                "plots/60-users-ttft_p95_all_ms-by-hosts.svg",
                "plots/60-users-ttft_p95_all_ms-by-cost.png",
            ],
        ),
        (&tune, "tuning", &["tune.csv", "plots/gain.svg", "plots/gain.png"]),
    ];
    for (folder, kind, made) in kinds {
        let before = files(folder);
        for name in made {
            assert!(before.contains_key(*name), "{kind}: {name} is not among {:?}", before.keys());
            fs::remove_file(folder.join(name)).unwrap();
        }
        let page = String::from_utf8(before["report.html"].clone()).unwrap();
        assert!(page.len() < 1_000_000 && page.contains("herder ") && page.contains("</html>"), "{kind}");
        // The name of SVG's vocabulary, which nobody fetches.
        let page = page.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http://", "https://", "src=\"", "@import"] {
            assert!(!page.contains(outside), "the page of a {kind} needs nothing else: {outside}");
        }
        fs::remove_file(folder.join("report.html")).unwrap();
        let told = done(&["report", &path(folder)]);
        assert!(told.ends_with(&format!("report of the {kind}\n")), "{told}");
        let after = files(folder);
        let differ: Vec<&String> = before
            .iter()
            .filter(|(name, bytes)| after.get(*name) != Some(bytes))
            .map(|(name, _)| name)
            .collect();
        assert!(differ.is_empty() && before.len() == after.len(), "{kind}: {differ:?}");
    }
}

#[test]
fn what_is_no_report_or_of_another_version_is_told_and_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().to_str().unwrap();
    let nothing = herder(&["report", folder]);
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("expected a folder that --out named"));
    done(&["run", "chat", "--set", "workload.requests=60", "--out", folder]);
    let summary = place.path().join("summary.json");
    let text = fs::read_to_string(&summary).unwrap();
    let digest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let other = text.replace(digest["digest"].as_str().unwrap(), "0123");
    fs::write(&summary, &other).unwrap();
    let before = files(place.path());
    let refused = herder(&["report", folder]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("found the digest 0123, expected "));
    assert_eq!(files(place.path()), before);

    let compared = place.path().join("compared");
    let out = compared.to_str().unwrap();
    done(&[
        "compare",
        "chat",
        "--set",
        "workload.requests=60",
        "--vary",
        "fleet.hosts=3,4",
        "--seeds",
        "2",
        "--out",
        out,
    ]);
    let rows = compared.join("compare.csv");
    let damaged = fs::read_to_string(&rows).unwrap().replacen(",100.0,", ",all,", 1);
    fs::write(&rows, damaged).unwrap();
    let wrong = String::from_utf8(herder(&["report", out]).stderr).unwrap();
    assert!(
        wrong.contains("compare.csv:2: column ") && wrong.contains("found \"all\", expected a number"),
        "{wrong}"
    );
}
