//! Wrong scenarios, options and command lines: each must give a clear error with its place, the right exit code, and
//! nothing on standard output. The texts are in `snapshots/`.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

/// Runs the program in a folder of its own that holds `files`; returns all that a user sees.
fn run(files: &[(&str, &str)], args: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("the folder can be written");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_herder"))
        .args(args)
        .current_dir(folder.path())
        .env("COLUMNS", "100")
        .output()
        .expect("the program starts");
    let stderr = String::from_utf8(output.stderr).expect("messages are UTF-8");
    assert!(output.stdout.is_empty(), "a wrong input prints nothing on standard output");
    assert!(!stderr.contains("panicked"), "{stderr}");
    (output.status.code().unwrap_or(-1), stderr)
}

fn shown(code: i32, stderr: &str) -> String {
    format!("exit {code}\n{stderr}")
}

/// A scenario file that is wrong.
#[track_caller]
fn scenario(name: &str, text: &str) {
    let (code, stderr) = run(&[("scenario.toml", text)], &["run", "scenario.toml"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("scenario.toml:"), "the place is named: {stderr}");
    insta::assert_snapshot!(name, shown(code, &stderr));
}

/// Options that are wrong on a built-in scenario, all in one snapshot.
#[track_caller]
fn sets(name: &str, sets: &[&str]) {
    let mut text = String::new();
    for set in sets {
        let (code, stderr) = run(&[], &["run", "default", "--set", set]);
        assert_eq!(code, 1, "{set}: {stderr}");
        assert!(stderr.contains("from --set"), "the option is named: {stderr}");
        writeln!(text, "### --set {set}\n{stderr}").expect("writing to a string");
    }
    insta::assert_snapshot!(name, text);
}

#[test]
fn text_that_is_not_toml_is_shown_with_its_line() {
    scenario("not_toml", "seed = 1\n[control\nbalancer = \"random\"\n");
    scenario("key_given_twice", "seed = 1\nseed = 2\n");
    scenario("value_is_missing", "seed =\n");
    scenario("text_without_quotes", "[control]\nbalancer = random\n");
    scenario("number_is_too_large", "seed = 99999999999999999999\n");
}

#[test]
fn unknown_keys_get_a_suggestion() {
    scenario("unknown_section", "[contrl]\nbalancer = \"random\"\n");
    scenario("unknown_key_in_control", "[control]\nbalancer = \"random\"\nscheduller = \"fifo\"\n");
    scenario("unknown_key_without_unit", "[control]\nqueue_timeout = 3\n");
    scenario("unknown_key_like_no_other", "[report]\nfavourite_colour = \"green\"\n");
    scenario("unknown_key_in_workload", "[workload]\nrequest = 10\n");
    scenario("unknown_key_in_fleet", "[fleet]\nhost = 10\n");
    scenario("unknown_key_in_network", "[network]\nlatency = 10\n");
}

#[test]
fn values_of_the_wrong_kind_say_what_was_expected() {
    scenario("text_where_a_number_belongs", "seed = \"one\"\n");
    scenario("number_where_text_belongs", "[control]\nbalancer = 3\n");
    scenario("number_where_a_section_belongs", "control = 3\n");
    scenario("list_where_text_belongs", "name = [\"a\", \"b\"]\n");
    scenario("negative_time", "[control]\nqueue_timeout_millis = -1\n");
    scenario("fraction_where_a_whole_number_belongs", "[control]\nattempts_max = 1.5\n");
    scenario("date_where_a_number_belongs", "seed = 2024-05-10\n");
}

#[test]
fn values_out_of_range_say_the_range() {
    scenario("unknown_balancer", "[control]\nbalancer = \"power-of-too\"\n");
    scenario("unknown_scheduler", "[control]\nscheduler = \"lifo\"\n");
    scenario("too_many_attempts", "[control]\nattempts_max = 9\n");
    scenario("no_time_at_all", "[control]\nidle_timeout_millis = 0\n");
    scenario("unknown_dispatch_limit", "[control]\ndispatch = \"all\"\n");
    scenario("dispatch_limit_of_nothing", "[control]\ndispatch = { requests = 0 }\n");
    scenario("warm_up_longer_than_the_run", "[report]\nwarmup_percent = 100\n");
    scenario("slo_of_no_time", "[report]\nslo_ttft_millis = 0\n");
}

#[test]
fn options_laid_over_a_scenario_are_named() {
    sets(
        "set_options",
        &[
            "nothing",
            "control.balancerr=random",
            "contrl.balancer=random",
            "control.balancer=power-of-too",
            "control.balancer=7",
            "control.balancer=[1, 2",
            "control=3",
            "seed.deeper=3",
            ".balancer=random",
            "control..balancer=random",
            "control.dispatch={requests=many}",
            "workload.requests=few",
            "workload.requests=-5",
            "workload.reqests=5",
            "fleet.hosts=0",
            "fleet.hosts=1.5",
        ],
    );
}

#[test]
fn a_scenario_that_is_not_there_is_named() {
    let (code, stderr) = run(&[], &["run", "defalt"]);
    insta::assert_snapshot!("no_such_built_in", shown(code, &stderr));
    let (code, stderr) = run(&[], &["run", "missing.toml"]);
    insta::assert_snapshot!("no_such_file", shown(code, &stderr));
    let (code, stderr) = run(&[], &["scenario", "show", "chatt"]);
    insta::assert_snapshot!("no_such_built_in_to_show", shown(code, &stderr));
}

#[test]
fn command_lines_that_are_wrong_exit_with_2() {
    let lines: &[&[&str]] = &[
        &["rnu"],
        &["run", "--sed", "3"],
        &["run", "--seed", "many"],
        &["run", "--seed", "-1"],
        &["run", "--engine", "fast"],
        &["run", "--threads", "0"],
        &["run", "--trace"],
        &["run", "--format", "azure"],
        &["run", "--trace", "t.csv", "--format", "csv"],
        &["run", "a", "b"],
        &["run", "--log"],
        &["trace", "generate", "--format", "azure"],
        &["host", "--profile", "x"],
        &["completions", "tcsh"],
        &["replay"],
    ];
    let mut text = String::new();
    for args in lines {
        let (code, stderr) = run(&[], args);
        assert_eq!(code, 2, "{args:?}: {stderr}");
        writeln!(text, "### herder {}\n{stderr}", args.join(" ")).expect("writing to a string");
    }
    insta::assert_snapshot!("command_lines", text);
}
