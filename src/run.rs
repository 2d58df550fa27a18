//! A run, from a scenario to its results: jobs, fleet and control are put together, records go where they are kept.
//!
//! What is decided, modelled and measured is elsewhere; this file only connects it.

mod describe;
mod executor;
mod sink;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use control::units::Nanos;
use reports::frames;
use reports::html::{self, RunPage};
use reports::machine::{Execution, Machine, Stopwatch, pretty_json};
use reports::metrics::MetricsSpec;
use reports::plots::{self, Drawn, PlotTitle};
use reports::stages::{StageMeter, StageRow};
use reports::summary::Summary;
use reports::{files, machine, tables};
use sim::check::Checks;
use sim::simulation::{Progress, RunEnd, Setup, Simulation};
use sim_host::api::Engine;
use traces::jobs::Jobs;

use crate::scenario::Scenario;
use executor::Pool;
use sink::{Keep, Recorded, Recorder};

/// What a page of a run names as the way to have it again: the file has every key, the seed among them.
const REPEAT: &str = "herder run scenario.resolved.toml    # in the folder of this page";

/// How a scenario is to be run.
#[derive(Clone)]
pub struct Plan {
    /// The scenario.
    pub scenario: Scenario,
    /// How hosts' batch loops are computed.
    pub engine: Engine,
    /// How often what must hold is checked in full.
    pub checks: Checks,
    /// Threads for what can be done beside the run; at least 1.
    pub threads: u32,
    /// Where files go; none are written where absent.
    pub out: Option<PathBuf>,
    /// Whether the decision log is kept, in the folder `decisions` of `out`.
    pub log: bool,
    /// Where a trace for Perfetto goes; none is written where absent.
    pub perfetto: Option<PathBuf>,
    /// Whether control's stages are timed.
    pub profile: bool,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Done {
    /// What users and operators would have felt.
    pub summary: Summary,
    /// What it cost the machine.
    pub machine: Machine,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

impl Done {
    /// Both as one JSON object.
    #[must_use]
    pub fn json(&self) -> String {
        machine::joined_json(&self.summary, &self.machine)
    }
}

/// Runs it. `watch` is told how far it is, every few thousand events, and stops it by saying false.
///
/// # Errors
/// Where a trace or a file fails, or an invariant is broken.
pub fn run(plan: &Plan, watch: &mut dyn FnMut(&Progress) -> bool) -> Result<Done> {
    let stopwatch = Stopwatch::start();
    let scenario = &plan.scenario;
    let seed = scenario.file.seed;
    let trace = TraceFacts::read(plan)?;
    let mut source = scenario.workload.source(seed)?;
    let fleet = scenario.fleet(source.models(), plan.engine)?;
    let report = &scenario.file.report;
    let expected = trace.as_ref().map(|trace| trace.jobs).or(source.len_hint()).unwrap_or(0);
    let arms = describe::arms(scenario);
    let spec = MetricsSpec {
        slo_ttft: Nanos::from_millis(report.slo_ttft_millis),
        slo_tpot: Nanos::from_millis(report.slo_tpot_millis),
        warmup_requests: expected * u64::from(report.warmup_percent) / 100,
        models: fleet.models.clone(),
        hosts: fleet.hosts.iter().map(|host| host.declaration.name.clone()).collect(),
        by_arm: arms.len() > 1 || !scenario.changes.is_empty(),
        arms,
    };
    let draws: Vec<_> = fleet.hosts.iter().map(|host| host.draw).collect();
    let mut info = describe::info(scenario, &fleet, trace.as_ref());
    let placed = fleet.registry.is_some() || scenario.control.placement.is_some();
    let keep = Keep::begin(plan, placed, &spec)?;
    let operator = scenario.operator_events();
    let mut recorder = Recorder::new(spec, fleet.hosts.len(), expected, operator, keep, watch);
    let sample_every = Nanos::from_millis(report.sample_interval_millis);
    let setup = Setup {
        seed,
        control: scenario.control.clone(),
        fleet,
        changes: scenario.changes.clone(),
        sample_every: (plan.out.is_some() || plan.perfetto.is_some()).then_some(sample_every),
        checks: plan.checks,
    };
    recorder.meter = plan.profile.then(StageMeter::default);
    let mut simulation = Simulation::new(setup, &mut *source, &mut recorder);
    if plan.threads > 1 {
        simulation.evaluate_with(Box::new(Pool::new(plan.threads)?));
    }
    let ended = simulation.run();
    let Recorded { metrics, timeline, events, stages, kept } = recorder.finish();
    let end = ended.with_context(|| repeat(plan))?;
    kept?;

    info.digest.clone_from(&end.digest);
    info.simulated = end.ended_at;
    info.interrupted = end.stopped;
    info.predictions = end.predictions;
    info.arms.clone_from(&end.arms);
    info.events = events;
    info.prefetch = scenario.control.prefetch.as_ref().map(|_| end.prefetch);
    info.selection = end.selection;
    info.fleet = describe::fleet(&end);
    info.fleet.power = describe::power(&end, &draws, report.electricity_cents_per_kwh);
    let summary = metrics.summary(&info, &end.last_sample);
    if let Some(folder) = &plan.out {
        let title = PlotTitle {
            scenario: info
                .trace
                .clone()
                .map_or(info.scenario.clone(), |trace| format!("{}, {trace}", info.scenario)),
            balancer: info.balancer.clone(),
            scheduler: info.scheduler.clone(),
            placement: scenario
                .file
                .control
                .placement
                .as_ref()
                .map(|placement| placement.strategy.to_string()),
            seed,
        };
        let traffic = info.fleet.traffic.as_ref();
        let scaled = end.host_time.standby > 0;
        let drawn = Drawn { title: &title, metrics: &metrics, timeline: &timeline, placed, scaled, traffic };
        let draw = || plots::write(folder, &drawn).map(drop);
        let page = RunPage { summary: &summary, drawn, command: REPEAT };
        let tables = || -> Result<()> {
            if let Some(traffic) = traffic {
                files::write_traffic(folder, traffic, metrics.spec())?;
            }
            files::write_hosts(folder, &metrics.host_rows(&info, &end.last_sample))?;
            files::write_whole(&folder.join("summary.json"), pretty_json(&summary).as_bytes())?;
            files::write_whole(&folder.join("scenario.resolved.toml"), scenario.resolved()?.as_bytes())?;
            html::write(&folder.join("report.html"), &html::run_page(&page))?;
            frames::write_tables(folder, &tables::RUN)?;
            Ok(())
        };
        if plan.threads > 1 {
            std::thread::scope(|scope| {
                let drawing = scope.spawn(draw);
                let written = tables();
                let drawn = drawing.join().map_err(|_| anyhow::anyhow!("drawing the plots panicked"))?;
                written.and(drawn.map_err(Into::into))
            })?;
        } else {
            tables()?;
            draw()?;
        }
    }
    let machine = stopwatch.stop(execution(plan, &end, stages));
    if let Some(folder) = &plan.out {
        files::write_whole(&folder.join("machine.json"), pretty_json(&machine).as_bytes())?;
    }
    Ok(Done { summary, machine, stopped: end.stopped })
}

fn execution(plan: &Plan, end: &RunEnd, stages: Vec<StageRow>) -> Execution {
    Execution {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        engine: match plan.engine {
            Engine::Coalesced => "coalesced".to_owned(),
            Engine::Stepwise => "stepwise".to_owned(),
        },
        threads: plan.threads,
        events: end.events,
        steps: end.steps,
        boundaries: end.boundaries,
        stages,
    }
}

/// What a broken run prints, so that it can be had again.
fn repeat(plan: &Plan) -> String {
    let engine = if plan.engine == Engine::Stepwise { "stepwise" } else { "coalesced" };
    let file = &plan.scenario.file;
    format!(
        "the run broke off; to repeat it: scenario `{}`, --seed {} --engine {engine}",
        file.name, file.seed
    )
}

/// What a trace holds, from a pass over it before the run: a warm-up in percent needs the number of jobs.
#[derive(Clone, Debug)]
pub(crate) struct TraceFacts {
    /// Its path.
    file: PathBuf,
    /// Jobs that the run will see.
    jobs: u64,
    /// What becomes of its rows, in words.
    rows: String,
}

impl TraceFacts {
    fn read(plan: &Plan) -> Result<Option<Self>> {
        let Some((file, options)) = plan.scenario.workload.trace() else { return Ok(None) };
        let mut jobs = Jobs::open(
            file,
            &traces::options::TraceOptions { seed: plan.scenario.file.seed, ..options.clone() },
        )?;
        let most = plan.scenario.file.workload.requests.unwrap_or(u64::MAX);
        let mut seen = 0;
        while seen < most {
            if jobs.next().transpose()?.is_none() {
                break;
            }
            seen += 1;
        }
        Ok(Some(Self { file: file.to_owned(), jobs: seen, rows: describe::rows(&jobs) }))
    }
}

/// Makes a folder, and removes what an earlier run left in it under the names of ours.
fn clear(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let log = folder.join("decisions");
    if log.is_dir() {
        fs::remove_dir_all(&log).with_context(|| format!("cannot remove the old {}", log.display()))?;
    }
    Ok(())
}
