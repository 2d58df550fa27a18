//! `herder plan` and `herder tune` from outside, and against trying everything.

use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;

use herder::compare::cells::Replicates;
use herder::plan::candidates::{Choices, Kind};
use herder::plan::judge::{Judge, Which};
use herder::plan::load::{Load, Scale};
use herder::plan::search::cheapest;
use herder::scenario::{Overrides, load};

fn herder(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_herder")).args(args).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// At three numbers of users, over two kinds of hosts and two numbers of slots: the cheapest fleet is the cheapest of all that meet the objectives
/// when every fleet is tried, and so are the next ones.
#[test]
fn cheapest_fleet_is_the_one_that_trying_all_of_them_finds() {
    const HOSTS: u32 = 12;
    let overrides = Overrides { sets: vec!["workload.requests=500".into()], ..Overrides::default() };
    let scenario = load("chat", &overrides).unwrap();
    let scale = Scale::of(&scenario).unwrap();
    let kinds = ["rtx-4090=40", "a100-80gb=110"].map(|kind| Kind::parse(kind).unwrap()).to_vec();
    let choices = Choices { kinds, num_parallel: vec![2, 4], vary: Vec::new() };
    let candidates = choices.candidates(1);
    let (stop, watch) = (AtomicBool::new(false), |_| {});
    let slos = vec!["ttft_p95_all_ms<=1000".parse().unwrap(), "tpot_p95_all_ms<=100".parse().unwrap()];
    let judge = || {
        let replicates = (Replicates::Seeds(scenario.file.seed), 3);
        Judge::new(("chat".into(), overrides.clone()), replicates, slos.clone(), (0.9, 1), 2, (&stop, &watch))
    };
    for users in [30, 60, 100] {
        let (by_search, by_trying) = (judge(), judge());
        let answer =
            cheapest(&by_search, (&scale, Load::Users(users)), &candidates, (1, HOSTS)).unwrap().unwrap();
        // Everything, without a shortcut; the fewest hosts of each candidate.
        let mut found = Vec::new();
        for candidate in &candidates {
            let cents = if candidate.name.starts_with("rtx") { 40 } else { 110 };
            let meets = |hosts: &u32| {
                let sets = [
                    candidate.sets.clone(),
                    vec![format!("fleet.hosts={hosts}")],
                    scale.sets(Load::Users(users)).unwrap(),
                ];
                by_trying.judge(&sets.concat(), Which::Searched).unwrap().unwrap().meets
            };
            let tried: Vec<u32> = (1..=HOSTS).filter(meets).collect();
            found.extend(tried.first().map(|hosts| (hosts * cents, candidate.name.clone(), *hosts)));
        }
        found.sort();
        assert!(!found.is_empty(), "{users} users: some fleet meets the objectives");
        let told: Vec<(u32, String, u32)> = answer
            .fleets
            .iter()
            .map(|fleet| (fleet.cents_per_hour.unwrap() as u32, fleet.candidate.clone(), fleet.hosts))
            .collect();
        println!(
            "{users} users: {told:?}, corrected by {}, {} runs against {} of trying everything",
            answer.corrected,
            by_search.runs(),
            by_trying.runs()
        );
        // What fresh seeds did not confirm has more hosts than the search alone found.
        if answer.corrected == 0 {
            assert_eq!(told, found[..told.len()], "{users} users");
        } else {
            assert!(told[0].0 >= found[0].0, "{users} users");
        }
        assert!(answer.fresh.is_some_and(|fresh| fresh.meets));
        assert!(by_search.runs() < by_trying.runs());
    }
}

#[test]
fn plan_tells_fleets_curve_and_knee_and_writes_the_fleet() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let small = ["--set", "workload.requests=300", "--seeds", "3", "--hosts", "1..12"];
    let done = herder(
        &[&["plan", "chat", "--users", "40", "--slo", "ttft_p95_all_ms<=1500", "--out", out], &small[..]]
            .concat(),
    );
    let told = text(&done.stdout);
    assert!(done.status.success(), "{told}{}", text(&done.stderr));
    for part in [
        "chat: ttft_p95_all_ms<=1500; each with 95 % confidence over 3 seeds",
        "40 users",
        "cheapest: as it is",
        "on fresh seeds",
        "More or fewer hosts",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let fleet = folder.path().join("fleet-for-40-users.toml");
    let run = herder(&["run", fleet.to_str().unwrap()]);
    assert!(run.status.success(), "{}", text(&run.stderr));

    let never = herder(&[&["plan", "chat", "--slo", "ttft_p95_all_ms<=0.001"], &small[..]].concat());
    assert_eq!(never.status.code(), Some(5), "{}", text(&never.stdout));
    assert!(text(&never.stdout).contains("No fleet meets this."));

    let most =
        herder(&[&["plan", "chat", "--max-load", "--slo", "ttft_p95_all_ms<=1500"], &small[..4]].concat());
    let told = text(&most.stdout);
    assert!(
        most.status.success() && told.contains("takes ") && told.contains(" users is too much."),
        "{told}"
    );
}

#[test]
fn what_a_plan_cannot_take_is_told() {
    for (args, expected) in [
        (&["plan", "chat", "--rate", "3"][..], "expected --users"),
        (&["plan", "default", "--users", "3"], "expected --rate"),
        (&["plan", "chat", "--hosts", "3..2"], "LEAST..MOST"),
        (&["plan", "chat", "--gpu", "rtx-4090=40", "--gpu", "h100"], "expected all or none"),
        (&["plan", "chat", "--gpu", "rtx-9999"], "rtx-9999"),
        (&["plan", "autoscaling"], "found hosts that stand by"),
        (&["tune", "chat", "--objective", "speed"], "expected one of ttft_mean_ms"),
        (&["tune", "chat", "--vary", "fleet.hosts=1,2"], "expected keys of [control]"),
        (&["tune", "chat", "--only", "keys"], "expected --vary or --range"),
    ] {
        let done = herder(args);
        assert!(!done.status.success());
        assert!(text(&done.stderr).contains(expected), "{args:?}: {}", text(&done.stderr));
    }
}

#[test]
fn tuning_writes_a_section_that_a_scenario_and_a_gateway_take() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("control.toml");
    let args = [
        "tune",
        "default",
        "--set",
        "workload.requests=400",
        "--candidates",
        "12",
        "--only",
        "balancers",
        "--fresh",
        "6",
        "--objective",
        "model_loads",
        "--out",
    ];
    let tune = |threads: &str| {
        let done = herder(&[&args[..], &[out.to_str().unwrap(), "--threads", threads]].concat());
        assert!(done.status.success(), "{}", text(&done.stderr));
        text(&done.stdout)
    };
    let told = tune("1");
    assert_eq!(told, tune("2"), "threads change nothing");
    assert!(
        told.contains("12 candidates on 2 replicates each") && told.contains("On 6 fresh replicates"),
        "{told}"
    );
    assert!(told.contains("model-affinity") && told.contains("better, p < 0.001"), "{told}");
    let section = std::fs::read_to_string(&out).unwrap();
    assert!(section.starts_with("# Tuned by `herder tune default` for model_loads.\n"), "{section}");
    let gateway = folder.path().join("gateway.toml");
    let hosts = "[serve]\nlisten = \"127.0.0.1:0\"\n\n[[serve.hosts]]\nname = \"one\"\nurl = \"http://127.0.0.1:9\"\nslots = 4\n\n";
    std::fs::write(&gateway, format!("{hosts}{section}")).unwrap();
    live::ServeConfig::read(&gateway).expect("a gateway takes it");
}
