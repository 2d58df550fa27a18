//! `herder plan` and `herder tune` from outside, and against trying everything.

use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;

use herder::compare::cells::Replicates;
use herder::plan::candidates::{Choices, Kind, Mix};
use herder::plan::judge::{Judge, Which};
use herder::plan::load::{Load, Scale};
use herder::plan::price::{Asked, Rank};
use herder::plan::search::cheapest;
use herder::scenario::{Overrides, load};

fn herder(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_herder")).args(args).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

const HOSTS: u32 = 12;

/// What a fleet of these candidates is ranked by: prices of its hosts, what its watts cost, or the watts themselves.
struct Ranked {
    choices: Choices,
    rank: Option<Rank>,
    cents_per_kwh: Option<u32>,
}

impl Ranked {
    /// Less is better; from hosts by name of their GPU, and watts.
    fn rank(&self, hosts: &[&str], watts: f64) -> f64 {
        let price = |gpu: &&str| if *gpu == "rtx-4090" { 40.0 } else { 110.0 };
        match self.rank {
            Some(Rank::Watts) => watts,
            _ => {
                hosts.iter().map(price).sum::<f64>()
                    + watts / 1_000.0 * f64::from(self.cents_per_kwh.unwrap_or(0))
            }
        }
    }
}

fn kinds() -> Vec<Kind> {
    ["rtx-4090=40", "a100-80gb=110"].map(|kind| Kind::parse(kind).unwrap()).to_vec()
}

/// At some numbers of users: the best fleets that the search finds are the best of all that meet the objectives when every fleet is tried, a
/// candidate each.
fn search_finds_what_trying_finds(ranked: &Ranked, loads: &[u32]) {
    let overrides = Overrides { sets: vec!["workload.requests=500".into()], ..Overrides::default() };
    let scenario = load("chat", &overrides).unwrap();
    let scale = Scale::of(&scenario).unwrap();
    let candidates = ranked.choices.candidates(&scenario.file.fleet.group).unwrap();
    let (stop, watch) = (AtomicBool::new(false), |_| {});
    let slos = vec!["ttft_p95_all_ms<=1000".parse().unwrap(), "tpot_p95_all_ms<=100".parse().unwrap()];
    let judge = || {
        let replicates = (Replicates::Seeds(scenario.file.seed), 3);
        Judge::new(("chat".into(), overrides.clone()), replicates, slos.clone(), (0.9, 1), 2, (&stop, &watch))
    };
    let asked = Asked { hosts: (1, HOSTS), rank: ranked.rank, cents_per_kwh: ranked.cents_per_kwh };
    for users in loads {
        let (by_search, by_trying) = (judge(), judge());
        let answer =
            cheapest(&by_search, (&scale, Load::Users(*users)), &candidates, &asked).unwrap().unwrap();
        // Everything, without a shortcut; the best fleet of each candidate.
        let mut found = Vec::new();
        for candidate in &candidates {
            let all = (1..=HOSTS).filter_map(|hosts| {
                let sets = [
                    candidate.sets.clone(),
                    vec![format!("fleet.hosts={hosts}")],
                    scale.sets(Load::Users(*users)).unwrap(),
                ]
                .concat();
                let judged = by_trying.judge(&sets, Which::Searched).unwrap().unwrap();
                let fleet = by_trying.scenario_of(&sets, 0).unwrap();
                let fleet = fleet.fleet(&[], sim_host::api::Engine::Coalesced).unwrap();
                let gpus: Vec<&str> = fleet.hosts.iter().map(|host| host.declaration.gpu.as_str()).collect();
                judged.meets.then(|| (ranked.rank(&gpus, judged.watts().unwrap()), hosts))
            });
            let best = all.min_by(|one, other| one.0.total_cmp(&other.0));
            found.extend(best.map(|(rank, hosts)| (rank, candidate.name.clone(), hosts)));
        }
        found.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(!found.is_empty(), "{users} users: some fleet meets the objectives");
        let told: Vec<(f64, String, u32)> = answer
            .fleets
            .iter()
            .map(|fleet| {
                let rank = if ranked.rank == Some(Rank::Watts) { fleet.watts } else { fleet.cents_per_hour };
                (rank.unwrap(), fleet.candidate.clone(), fleet.hosts)
            })
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
        let rows = answer.looked.iter().filter(|looked| !looked.fresh).count() as u64;
        assert!(by_search.runs() >= 2 * rows, "every fleet that was run is told");
    }
}

/// Over two kinds of hosts and two numbers of slots, by the prices of the hosts.
#[test]
fn cheapest_fleet_is_the_one_that_trying_all_of_them_finds() {
    let choices = Choices { kinds: kinds(), num_parallel: vec![2, 4], ..Choices::default() };
    search_finds_what_trying_finds(&Ranked { choices, rank: None, cents_per_kwh: None }, &[30, 60, 100]);
}

/// With fleets of both kinds, and electricity so dear that it counts.
#[test]
fn cheapest_fleet_with_electricity_is_the_one_that_trying_all_of_them_finds() {
    let mixes = vec![Mix::parse("rtx-4090:2+a100-80gb:1").unwrap()];
    let choices = Choices { kinds: kinds(), mixes, num_parallel: vec![4], ..Choices::default() };
    search_finds_what_trying_finds(&Ranked { choices, rank: None, cents_per_kwh: Some(150) }, &[30, 60, 100]);
}

#[test]
fn fleet_that_draws_least_is_the_one_that_trying_all_of_them_finds() {
    let choices = Choices { kinds: kinds(), num_parallel: vec![2, 4], ..Choices::default() };
    let ranked = Ranked { choices, rank: Some(Rank::Watts), cents_per_kwh: None };
    search_finds_what_trying_finds(&ranked, &[30, 60]);
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
        "fewest hosts: as it is",
        "power [W]",
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
        (&["plan", "chat", "--mix", "rtx-4090:2"], "two GPUs or more"),
        (
            &["plan", "chat", "--mix", "rtx-4090:2+l4:1", "--gpu", "l4"],
            "found rtx-4090, expected GPUs that --gpu names (l4)",
        ),
        (&["plan", "chat", "--rank", "cost"], "--rank cost: found no price"),
        (
            &["plan", "chat", "--slo", "ttft_mean_ms<=1", "--slo", "ttft_mean_ms<=2"],
            "expected one bound of each measure",
        ),
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
