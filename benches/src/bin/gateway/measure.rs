//! The rounds: every target does the same in each, one after the other, so that a busy minute of the machine falls on
//! all of them.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::load::{self, PROMPT_BYTES, Target};
use crate::process::{self, Group};
use crate::report::{self, Figures, Machine};
use crate::streams::{self, Plan};

/// Connections that small requests follow each other on.
const CONNECTIONS: usize = 64;
const PRESS: Duration = Duration::from_millis(1_500);
const IN_TURN: Duration = Duration::from_secs(4);

/// Tokens as hosts give them: each reaches the proxy alone.
const PACED: Plan = Plan { streams: 256, tokens: 50, interval: Duration::from_millis(40) };
/// Tokens as fast as the stub writes them.
const RUSH: Plan = Plan { streams: 256, tokens: 600, interval: Duration::ZERO };
/// Many streams, for the memory that they take.
const MANY: Plan = Plan { streams: 1_000, tokens: 12, interval: Duration::from_millis(150) };

/// A stream is slower than direct from so much more time on, in hundredths.
const SLOWER_PERCENT: u32 = 5;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The hosts without anything between: direct=ADDRESS,ADDRESS
    #[arg(long, value_name = "TARGET")]
    direct: Target,
    /// A proxy in front of them: NAME=ADDRESS@PID
    #[arg(long = "proxy", value_name = "TARGET")]
    proxies: Vec<Target>,
    /// The process of the hosts
    #[arg(long, value_name = "PID")]
    stub_pid: u32,
    /// Rounds
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// No round is begun that would end later, as long as those before it took
    #[arg(long, default_value_t = 220)]
    seconds_max: u64,
    /// The folder for gateway.json and gateway.md
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// A kind of load.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Small requests on 64 connections
    Requests,
    /// 256 streams of tokens as hosts give them
    Paced,
    /// 256 streams at full speed
    Rush,
    /// 1,000 open streams
    Many,
}

#[derive(clap::Args, Debug)]
pub(crate) struct LoadArgs {
    /// Where to: NAME=ADDRESS, or NAME=ADDRESS@PID for its CPU time
    target: Target,
    /// What
    kind: Kind,
    /// Begin no further repetition after so long
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

/// Repeats one load, with a line for each repetition.
pub(crate) async fn load(args: &LoadArgs) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(args.seconds) {
        match args.kind {
            Kind::Requests => println!("{:?}", load::press(&args.target, CONNECTIONS, PRESS).await?),
            Kind::Paced => println!("{}", streams::stream(&args.target, PACED).await?),
            Kind::Rush => println!("{}", streams::stream(&args.target, RUSH).await?),
            Kind::Many => println!("{}", streams::stream(&args.target, MANY).await?),
        }
    }
    Ok(())
}

pub(crate) async fn run(args: &Args) -> Result<()> {
    ensure!(args.rounds > 0, "--rounds: found 0, expected at least 1");
    let targets: Vec<Target> = std::iter::once(&args.direct).chain(&args.proxies).cloned().collect();
    let mut groups: Vec<Group> = targets.iter().filter_map(|target| target.group.clone()).collect();
    groups.push(Group::of(args.stub_pid)?);
    groups.push(Group::of(std::process::id())?);
    let ours = || groups.iter().map(Group::cpu).sum::<std::io::Result<Duration>>();

    let began = Instant::now();
    let (machine_before, ours_before, load_before) =
        (process::machine_busy()?, ours()?, process::load_average());
    let mut rounds = Vec::new();
    for round in 0..args.rounds {
        let each = began.elapsed().checked_div(round as u32).unwrap_or_default();
        if began.elapsed() + each > Duration::from_secs(args.seconds_max) {
            break;
        }
        rounds.push(one_round(&targets, round).await?);
        eprintln!("round {} of {} after {:.0} s", round + 1, args.rounds, began.elapsed().as_secs_f64());
    }
    let cores = std::thread::available_parallelism()?.get();
    let wall = began.elapsed().as_secs_f64() * cores as f64;
    let (busy, ours) = (process::machine_busy()? - machine_before, ours()? - ours_before);
    let machine = Machine {
        cores,
        seconds: began.elapsed().as_secs_f64(),
        ours_percent: 100.0 * ours.as_secs_f64() / wall,
        others_percent: 100.0 * busy.saturating_sub(ours).as_secs_f64() / wall,
        load_before,
        load_after: process::load_average(),
    };

    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let table = report::markdown(&names, &rounds, &machine);
    print!("{table}");
    let result = json!({
        "machine": machine,
        "load": {
            "prompt_bytes": PROMPT_BYTES, "connections": CONNECTIONS,
            "paced": plan(PACED), "rush": plan(RUSH), "many": plan(MANY),
        },
        "targets": names,
        "rounds": rounds,
    });
    fs::create_dir_all(&args.out)?;
    for (file, text) in
        [("gateway.json", serde_json::to_string_pretty(&result)? + "\n"), ("gateway.md", table)]
    {
        let path = args.out.join(file);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn plan(plan: Plan) -> serde_json::Value {
    json!({ "streams": plan.streams, "tokens": plan.tokens, "interval_micros": plan.interval.as_micros() as u64 })
}

/// What each target did in a round, in their order; the first is the direct way.
async fn one_round(targets: &[Target], round: usize) -> Result<Vec<Figures>> {
    let mut figures = vec![Figures::default(); targets.len()];
    // Another one begins each round.
    let turns: Vec<usize> = (0..targets.len()).map(|place| (round + place) % targets.len()).collect();

    let latencies = load::in_turn(targets, IN_TURN).await?;
    for (figures, of) in figures.iter_mut().zip(&latencies) {
        for (percent, key, added) in
            [(50, "p50_millis", "added_p50_millis"), (99, "p99_millis", "added_p99_millis")]
        {
            let [here, direct] = [of, &latencies[0]].map(|of| 1e3 * percentile(of, percent).as_secs_f64());
            figures.set(key, here);
            figures.set(added, here - direct);
        }
    }
    for &turn in &turns {
        let pressed = load::press(&targets[turn], CONNECTIONS, PRESS).await?;
        figures[turn].set("requests_per_second", pressed.requests as f64 / pressed.wall.as_secs_f64());
        figures[turn].set_cost("micros_per_request", pressed.cpu, pressed.requests);
        figures[turn].add_errors(pressed.errors);
    }
    let mut paced = vec![None; targets.len()];
    for &turn in &turns {
        let streamed = streams::stream(&targets[turn], PACED).await?;
        if let Some((tokens, cpu)) = streamed.window {
            figures[turn].set_cost("micros_per_paced_token", Some(cpu), tokens);
        }
        figures[turn].add_errors(streamed.errors);
        paced[turn] = Some(streamed.durations);
    }
    let paced: Vec<Vec<Duration>> = paced.into_iter().flatten().collect();
    for (figures, durations) in figures.iter_mut().zip(&paced) {
        figures.set("slower_clients", slower_clients(durations, &paced[0]) as f64);
        if let (Some(here), Some(direct)) = (durations.last(), paced[0].last()) {
            figures.set("slowest_client_percent", 100.0 * here.as_secs_f64() / direct.as_secs_f64());
        }
    }
    for &turn in &turns {
        let streamed = streams::stream(&targets[turn], RUSH).await?;
        figures[turn].set("tokens_per_second", streamed.tokens as f64 / streamed.wall.as_secs_f64());
        // Beginning and ending the streams is in it: at this speed some end before others begin.
        figures[turn].set_cost("micros_per_rushed_token", streamed.cpu, streamed.tokens);
        figures[turn].add_errors(streamed.errors);
    }
    for &turn in &turns {
        if targets[turn].group.is_some() {
            let streamed = streams::stream(&targets[turn], MANY).await?;
            if let Some(bytes) = streamed.resident_bytes {
                figures[turn].set("resident_mib", bytes as f64 / f64::from(1 << 20));
            }
            figures[turn].add_errors(streamed.errors);
        }
    }
    Ok(figures)
}

/// Of values in ascending order, the nearest rank.
fn percentile(ascending: &[Duration], percent: usize) -> Duration {
    let rank = (ascending.len() * percent).div_ceil(100).max(1);
    ascending.get(rank - 1).copied().unwrap_or_default()
}

/// How many clients took longer than the one of the same rank that had nothing between, by a margin. Both in ascending
/// order; a client without a whole answer counts.
fn slower_clients(here: &[Duration], direct: &[Duration]) -> usize {
    let limit = |direct: &Duration| *direct * (100 + SLOWER_PERCENT) / 100;
    let slower = here.iter().zip(direct).filter(|(here, direct)| **here > limit(direct)).count();
    slower + direct.len().saturating_sub(here.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(values: &[u64]) -> Vec<Duration> {
        values.iter().map(|&value| Duration::from_millis(value)).collect()
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let values = millis(&(1..=200).collect::<Vec<_>>());
        assert_eq!(percentile(&values, 50), Duration::from_millis(100));
        assert_eq!(percentile(&values, 99), Duration::from_millis(198));
        assert_eq!(percentile(&values[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }

    #[test]
    fn clients_are_compared_by_rank_and_lost_ones_count() {
        let direct = millis(&[100, 100, 200]);
        assert_eq!(slower_clients(&millis(&[100, 105, 210]), &direct), 0);
        assert_eq!(slower_clients(&millis(&[100, 106, 210]), &direct), 1);
        assert_eq!(slower_clients(&millis(&[100]), &direct), 2);
    }
}
