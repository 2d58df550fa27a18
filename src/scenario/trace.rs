//! A trace laid over a scenario: its rows take the place of the scenario's arrivals, lengths and sessions; who asks, which
//! models there are, the fleet and the control plane stay.

use std::path::{Path, PathBuf};

use traces::options::Rate;
use workloads::config::{
    ArrivalsFile, EmpiricalFile, LengthFile, ModelsFile, PairsFile, TraceFile, WorkloadFile, ZipfFile,
};

use super::document::Document;
use super::error::Report;
use super::{ScenarioFile, quoted};

/// A trace in place of the scenario's arrivals, as options of the command line give it.
#[derive(Clone, PartialEq, Debug)]
pub struct TraceOverride {
    /// Path of the trace, from where the program runs.
    pub file: PathBuf,
    /// Keys of `workload.arrivals.trace` with their values as TOML writes them, and the option that gave each.
    pub keys: Vec<(&'static str, String)>,
}

impl TraceOverride {
    /// Replaces what makes requests in `[workload]`.
    pub(super) fn lay_over(&self, document: &mut Document) -> Result<(), Report> {
        for key in ["requests", "sessions", "prompt", "output", "pairs"] {
            document.remove("workload", key);
        }
        let file = quoted(&self.file.to_string_lossy());
        document.set("--trace", &format!("workload.arrivals={{ trace = {{ file = {file} }} }}"))?;
        for (option, assignment) in &self.keys {
            document.set(option, &format!("workload.arrivals.trace.{assignment}"))?;
        }
        Ok(())
    }
}

/// A trace maps its models by rank: weighted models become ranked ones, most popular first, under Zipf's law.
pub(super) fn rank_models(workload: &mut WorkloadFile) {
    if let ModelsFile::Weighted(models) = &mut workload.models
        && models.len() > 1
    {
        models.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let names = models.iter().map(|model| model.name.clone()).collect();
        workload.models = ModelsFile::Zipf(ZipfFile { names, exponent: 1.0, turn_seconds: None });
    }
}

/// Checks the change of a trace's rate, which the reader would refuse without a place: what was found and expected.
pub(super) fn check_rate(workload: &WorkloadFile) -> Result<(), (String, &'static str)> {
    let ArrivalsFile::Trace(trace) = &workload.arrivals else { return Ok(()) };
    match trace.rate {
        Rate::CompressTime(factor) if !(1e-6..=1e6).contains(&factor) => {
            Err((factor.to_string(), "a factor from 0.000001 to 1000000"))
        }
        Rate::Thin(share) if !(share > 0.0 && share <= 1.0) => {
            Err((share.to_string(), "a share of the rows above 0, at most 1, where they are thinned"))
        }
        _ => Ok(()),
    }
}

/// Makes the paths in a scenario absolute. Those of a file start from its folder; a resolved scenario may lie elsewhere.
pub(super) fn anchor_paths(file: &mut ScenarioFile, folder: &Path) {
    let anchor = |path: &mut PathBuf| {
        if !path.as_os_str().is_empty() {
            let joined = folder.join(&*path);
            *path = std::path::absolute(&joined).unwrap_or(joined);
        }
    };
    let workload = &mut file.workload;
    if let ArrivalsFile::Trace(TraceFile { file, .. }) = &mut workload.arrivals {
        anchor(file);
    }
    for length in [&mut workload.prompt, &mut workload.output] {
        if let Some(LengthFile::Empirical(EmpiricalFile::File(path))) = length {
            anchor(path);
        }
    }
    if let Some(PairsFile::File(path)) = &mut workload.pairs {
        anchor(path);
    }
    if let Some(path) = &mut file.profiles {
        anchor(path);
    }
}
