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
    assert_ne!(output.status.code(), Some(0), "{args:?} is wrong");
    assert!(!stderr.contains("panicked"), "{stderr}");
    (output.status.code().unwrap_or(-1), stderr)
}

fn shown(code: i32, stderr: &str) -> String {
    format!("exit {code}\n{stderr}")
}

/// A fleet for scenarios whose mistake is elsewhere.
const FLEET: &str = "\n[[fleet.group]]\nname = \"tower\"\ngpu = \"rtx-4090\"\nmodels = [\"llama3.1:8b\"]\n";

/// A scenario file that is wrong.
#[track_caller]
fn scenario(name: &str, text: &str) {
    let text = if text.contains("fleet") { text.to_owned() } else { format!("{text}{FLEET}") };
    let text = text.as_str();
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
fn fleets_that_cannot_be_say_which_group() {
    let group = |rest: &str| format!("{FLEET}{rest}");
    scenario("fleet_without_groups", "[fleet]\nhosts = 4\ngroup = []\n");
    scenario("scenario_without_fleet", "seed = 3 # a fleet is missing\n");
    scenario("unknown_gpu", &FLEET.replace("rtx-4090", "rtx-4091"));
    scenario("unknown_model", &FLEET.replace("llama3.1:8b", "llama3.1:9b"));
    scenario("model_twice", &FLEET.replace("[\"llama3.1:8b\"]", "[\"llama3.1:8b\", \"llama3.1:8b\"]"));
    scenario("unknown_key_in_group", &group("num_paralel = 4\n"));
    scenario("no_slots", &group("num_parallel = 0\n"));
    scenario("unknown_version", &group("ollama_version = \"0.23\"\n"));
    scenario("group_without_gpu", "[[fleet.group]]\nname = \"tower\"\nmodels = [\"llama3.1:8b\"]\n");
    let task = "[[fleet.group]]\nname = \"node\"\ngpu = \"G2\"\ngpus = 8\ntask = { cpu_milli = 96_000, memory_mib = 393_216 }\n";
    scenario("tasks_with_models", &format!("{task}models = [\"llama3.1:8b\"]\n"));
    scenario("tasks_with_a_kind_of_no_gpu", &task.replace("gpus = 8", "gpus = 0"));
    scenario("tasks_without_cores", &task.replace("96_000", "0"));
    scenario("tasks_and_placement", &format!("[control.placement]\nstrategy = \"greedy\"\n{task}"));
    let fault = "[[faults.at]]\nkind = \"corrupt-blob\"\nat_millis = 5\nhost = \"node-1\"\n";
    scenario("tasks_with_damaged_weights", &format!("{task}{fault}"));
    scenario("hosts_out_of_range", &format!("[fleet]\nhosts = 0\n{FLEET}"));
}

#[test]
fn strategies_that_require_more_say_what_to_do() {
    scenario("metrics_of_no_source", "[control]\nbalancer = \"resource-aware\"\n");
    let gossip = "[control.sync]\nmode = \"gossip\"\n";
    scenario("gossip_without_peers", gossip);
    scenario("gossip_over_a_network_without_peers", &format!("{gossip}peers = true\n"));
    scenario("weight_of_no_tenant", "[control]\ntenant_weights = { acme = 200 }\n");
    scenario("weight_of_nothing", "[control]\ntenant_weights = { default = 0 }\n");
}

#[test]
fn workloads_that_cannot_be_say_which_key() {
    scenario("no_requests", "[workload]\nrequests = 0\n");
    scenario("unknown_arrivals", "[workload.arrivals.poison]\nrate_per_second = 3.0\n");
    scenario("two_arrival_processes", "[workload.arrivals.poisson]\n[workload.arrivals.gamma]\n");
    scenario("negative_rate", "[workload.arrivals.poisson]\nrate_per_second = -3\n");
    scenario("rate_without_unit", "[workload.arrivals.poisson]\nrate = 3\n");
    scenario("amplitude_over_100", "[workload.arrivals.daily]\namplitude_percent = 120\n");
    scenario("length_of_nothing", "[workload.prompt.fixed]\ntokens = 0\n");
    scenario(
        "quantiles_that_fall",
        "[workload.output.empirical]\nquantiles = [[0, 10], [50, 5], [100, 20]]\n",
    );
    scenario(
        "tenants_with_one_name",
        "[[workload.tenants]]\nname = \"a\"\n[[workload.tenants]]\nname = \"a\"\n",
    );
    scenario("lengths_file_missing", "[workload.prompt.empirical]\nfile = \"lengths.txt\"\n");
    scenario("trace_without_file", "[workload.arrivals.trace]\nskip_bad = true\n");
}

#[test]
fn a_gateway_that_cannot_serve_does_not_say_that_it_listens() {
    const CONFIG: &str = "[serve]\nlisten = \"127.0.0.1:0\"\nlog_dir = \"log\"\nstate_dir = \"state\"\n\
        [[serve.hosts]]\nname = \"a\"\nurl = \"http://127.0.0.1:9\"\n";
    let flat = CONFIG.replace("\"state\"", "\".\"");
    for (files, why) in [
        (&[("gateway.toml", CONFIG), ("log", "a file")][..], "serve.log_dir: log: File exists"),
        (&[("gateway.toml", CONFIG), ("state", "a file")], "serve.state_dir: state: File exists"),
        (&[("gateway.toml", &*flat), ("operator.json", "{")], "operator.json: EOF while parsing"),
        (&[("gateway.toml", &*flat), ("usage.json", "{")], "usage.json: EOF while parsing"),
    ] {
        let (code, stderr) = run(files, &["serve", "--config", "gateway.toml"]);
        assert!(code == 1 && stderr.contains(why), "{why}: {stderr}");
    }
}

#[test]
fn a_gateway_is_asked_for_with_its_hosts_or_as_a_demonstration() {
    for (args, why) in [
        (&["serve"][..], "<--config <FILE>|--demo>"),
        (&["serve", "--config", "x.toml", "--demo"], "'--config <FILE>' cannot be used with '--demo'"),
        (&["serve", "--config", "x.toml", "--demo-load", "5"], "cannot be used with"),
        (&["serve", "--config", "x.toml", "--demo-listen", "127.0.0.1:1"], "cannot be used with"),
        (&["serve", "--demo-load", "5"], "--demo"),
    ] {
        let (code, stderr) = run(&[], args);
        assert!(code == 2 && stderr.contains(why), "{args:?}: {stderr}");
    }
}

#[test]
fn deeds_of_the_operator_that_cannot_be_say_which() {
    let deed = |name: &str, keys: &str| scenario(name, &format!("{FLEET}\n[[operator]]\n{keys}\n"));
    deed("operator_does_nothing", "at_seconds = 5");
    deed("operator_does_two_things", "at_seconds = 5\ndrain = \"tower-1\"\nfreeze = true");
    deed("operator_without_time", "rollback = true");
    deed("operator_before_the_run", "at_seconds = -1\nrollback = true");
    deed("operator_after_a_year", "at_seconds = 1e9\nrollback = true");
    deed("operator_drains_unknown_host", "at_seconds = 5\ndrain = \"towr-1\"");
    deed("operator_undrains_unknown_host", "at_seconds = 5\nundrain = \"elsewhere\"");
    deed("operator_does_unknown_thing", "at_seconds = 5\nfreze = true");
    deed("operator_resolves_without_sync", "at_seconds = 5\nresolve = { model = \"m\", keep = \"tower-1\" }");
    let synced =
        |keys: &str| format!("{FLEET}\n[control.sync]\n[[operator]]\nat_seconds = 5\nresolve = {keys}\n");
    scenario("operator_resolves_unknown_model", &synced("{ model = \"lama3.1:8b\", keep = \"registry\" }"));
    scenario("operator_resolves_by_unknown_host", &synced("{ model = \"llama3.1:8b\", keep = \"tower-9\" }"));
    deed("operator_sets_unknown_key", "at_seconds = 5\nset = { balancerr = \"random\" }");
    deed("operator_sets_unknown_balancer", "at_seconds = 5\n[operator.set]\nbalancer = \"randm\"");
    deed(
        "operator_sets_what_no_network_carries",
        "at_seconds = 5\nset.sync = { mode = \"gossip\", peers = true }",
    );
    deed("operator_sets_what_no_host_measures", "at_seconds = 5\nset = { balancer = \"resource-aware\" }");
    deed("operator_sets_wrong_kind", "at_seconds = 5\nset = { queue_requests_max = \"many\" }");
    deed("operator_sets_deeper_than_there_is", "at_seconds = 5\nset = { \"attempts_max.more\" = 3 }");
}

#[test]
fn shadows_that_cannot_be_say_which() {
    scenario("shadow_twice", "[control]\nshadows = [\"random\", \"latency\", \"random\"]\n");
    scenario("unknown_shadow", "[control]\nshadows = [\"latancy\"]\n");
}

/// A trace that is wrong, or an option that is wrong for it.
#[track_caller]
fn trace(name: &str, text: &str, extra: &[&str]) {
    let args = [&["run", "azure-conv", "--trace", "trace.csv"], extra].concat();
    let (code, stderr) = run(&[("trace.csv", text)], &args);
    assert_eq!(code, 1, "{stderr}");
    // The path is absolute in messages; the folder is another one in each run.
    let stderr: Vec<String> = stderr
        .split_inclusive(' ')
        .map(|word| {
            if word.contains("trace.csv") {
                word[word.rfind("trace.csv").unwrap_or(0)..].to_owned()
            } else {
                word.to_owned()
            }
        })
        .collect();
    insta::assert_snapshot!(name, shown(code, &stderr.concat()));
}

#[test]
fn traces_that_are_wrong_say_the_line() {
    const HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
    const ROW: &str = "2023-11-16 18:17:03.9799600,4808,10\n";
    trace("trace_empty", "", &[]);
    trace("trace_of_no_known_format", "time,user,words\n1,2,3\n", &[]);
    trace("trace_row_too_short", &format!("{HEADER}{ROW}2023-11-16 18:17:04.0,12\n"), &[]);
    trace("trace_tokens_not_a_number", &format!("{HEADER}{ROW}2023-11-16 18:17:04.0,many,12\n"), &[]);
    trace("trace_stamp_not_a_time", &format!("{HEADER}{ROW}yesterday,12,12\n"), &[]);
    trace("trace_of_another_format", &format!("{HEADER}{ROW}"), &["--format", "mooncake"]);
    trace("trace_thinned_above_one", &format!("{HEADER}{ROW}"), &["--rate", "2", "--rate-method", "thin"]);
    trace("trace_rate_of_nothing", &format!("{HEADER}{ROW}"), &["--rate", "0"]);
    let (code, stderr) = run(&[], &["trace", "inspect", "nowhere.csv"]);
    insta::assert_snapshot!("trace_not_there", shown(code, &stderr));
}

#[test]
fn logs_that_are_wrong_say_the_byte() {
    let (code, stderr) = run(&[("a.log", "not a log at all")], &["replay", "a.log"]);
    insta::assert_snapshot!("log_that_is_none", shown(code, &stderr));
    let (code, stderr) = run(&[], &["replay", "nowhere"]);
    insta::assert_snapshot!("log_not_there", shown(code, &stderr));
    let (code, stderr) =
        run(&[("a.log", "herdrlog\u{3}\0\0\0\u{3}\0\0\0garbage and more of it")], &["replay", "a.log"]);
    insta::assert_snapshot!("log_with_garbage", shown(code, &stderr));
    let (code, stderr) = run(&[("a.log", "herdrlog\u{1}\0\0\0")], &["replay", "a.log"]);
    insta::assert_snapshot!("log_of_another_version", shown(code, &stderr));
}

#[test]
fn profiles_that_are_wrong_say_the_line() {
    let text = "[[gpu]]\nname = \"mine\"\nmemory_byte = 5\n";
    let (code, stderr) = run(&[("mine.toml", text)], &["profiles", "list", "--profiles", "mine.toml"]);
    insta::assert_snapshot!("profiles_with_unknown_key", shown(code, &stderr));
    let (code, stderr) = run(&[], &["profiles", "show", "rtx-409", "llama3.1:8b"]);
    insta::assert_snapshot!("profile_of_unknown_gpu", shown(code, &stderr));
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
