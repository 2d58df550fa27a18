//! What a sweep runs, written down before anything is: the scenario with every key, the points, the replicates.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use reports::files::write_whole;
use reports::machine::pretty_json;
use serde::{Deserialize, Serialize};

use super::space::{Points, Space};
use crate::compare::cells::Replicates;
use crate::scenario::{Overrides, Scenario, load};

/// How folders of sweeps are written.
const FORMAT: u32 = 1;

/// The name of the file.
pub const MANIFEST: &str = "manifest.json";
/// The name of the scenario beside it.
pub const SCENARIO: &str = "scenario.toml";

/// Most points that are tried out before a sweep begins.
const TRIED_MAX: u64 = 500;

/// What is run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// How the folder is written.
    pub format: u32,
    /// The version of herder that planned it; another may give other numbers.
    pub herder: String,
    /// The scenario's name.
    pub scenario: String,
    /// Keys that vary, and how points are chosen.
    pub space: Space,
    /// What tells replicates apart.
    pub replicates: Replicates,
    /// How many replicates each point has; at least 1.
    pub replicates_len: u32,
}

/// A sweep: its manifest, and what follows from it.
#[derive(Debug)]
pub struct Sweep {
    /// What is run.
    pub manifest: Manifest,
    /// Its points by number.
    pub points: Points,
    /// Tells this sweep from any other: 16 hexadecimal digits of both files' hash.
    pub id: String,
    /// How many cells there are.
    pub cells: u64,
    /// Path of its scenario.
    scenario: String,
}

/// Writes a sweep's files into a folder, which is made where it is not there.
///
/// # Errors
/// Where the scenario cannot run at some point, or the folder holds another sweep.
pub fn write(
    folder: &Path,
    scenario: &Scenario,
    space: Space,
    (replicates, len): (Replicates, u32),
) -> Result<Sweep> {
    let manifest = Manifest {
        format: FORMAT,
        herder: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario.file.name.clone(),
        space,
        replicates,
        replicates_len: len,
    };
    let texts = (pretty_json(&manifest), scenario.resolved()?);
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let found = fs::read_to_string(folder.join(MANIFEST)).ok();
    let same = found.as_ref() == Some(&texts.0)
        && fs::read_to_string(folder.join(SCENARIO)).is_ok_and(|text| text == texts.1);
    if found.is_some() && !same {
        bail!(
            "{}: found another sweep, expected an empty folder, or one with this very sweep",
            folder.display()
        );
    }
    if !same {
        // The scenario first: a folder without a manifest is no sweep.
        write_whole(&folder.join(SCENARIO), texts.1.as_bytes())?;
    }
    let sweep = Sweep::new(folder, manifest, (&texts.0, &texts.1))?;
    sweep.try_out()?;
    if !same {
        write_whole(&folder.join(MANIFEST), texts.0.as_bytes())?;
    }
    Ok(sweep)
}

/// Reads the sweep of a folder.
///
/// # Errors
/// Where there is none, or it is of another version.
pub fn open(folder: &Path) -> Result<Sweep> {
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).with_context(|| {
            format!("cannot read {}; expected a folder that `herder sweep plan` made", path.display())
        })
    };
    let texts = (read(MANIFEST)?, read(SCENARIO)?);
    let path = folder.join(MANIFEST);
    let manifest: Manifest = serde_json::from_str(&texts.0)
        .map_err(|error| anyhow!("{}:{}:{}: {error}", path.display(), error.line(), error.column()))?;
    if manifest.format != FORMAT {
        bail!("{}: found format {}, expected {FORMAT}", path.display(), manifest.format);
    }
    if manifest.herder != env!("CARGO_PKG_VERSION") {
        bail!(
            "{}: found a sweep of herder {}, expected {}: another version may give other numbers",
            path.display(),
            manifest.herder,
            env!("CARGO_PKG_VERSION")
        );
    }
    Sweep::new(folder, manifest, (&texts.0, &texts.1))
}

impl Sweep {
    fn new(folder: &Path, manifest: Manifest, texts: (&str, &str)) -> Result<Self> {
        let wrong = |reason| anyhow!("{}: {reason}", folder.join(MANIFEST).display());
        manifest.space.check().map_err(wrong)?;
        let points = manifest.space.points().unwrap_or(0);
        let cells = points.checked_mul(manifest.replicates_len.into()).filter(|cells| *cells > 0);
        let cells = cells.ok_or_else(|| wrong("found no cells, or more than can be counted".to_owned()))?;
        let mut hasher = blake3::Hasher::new();
        // The lengths keep one text apart from the other.
        for text in [texts.0, texts.1] {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        Ok(Self {
            points: Points::new(&manifest.space),
            id: hasher.finalize().to_hex()[..16].to_owned(),
            cells,
            scenario: folder.join(SCENARIO).to_string_lossy().into_owned(),
            manifest,
        })
    }

    /// The number of a cell's point, and of its replicate.
    #[must_use]
    pub fn place(&self, cell: u64) -> (u64, usize) {
        let len = u64::from(self.manifest.replicates_len);
        (cell / len, (cell % len) as usize)
    }

    /// What a cell lays over the scenario.
    fn overrides(&self, cell: u64) -> Overrides {
        let (point, replicate) = self.place(cell);
        let sets = self.points.at(point).into_iter().map(|(key, value)| format!("{key}={value}"));
        let mut overrides = Overrides { sets: sets.collect(), ..Overrides::default() };
        self.manifest.replicates.lay_over(replicate, &mut overrides);
        overrides
    }

    /// The scenario of a cell.
    ///
    /// # Errors
    /// Where its values cannot be taken.
    pub fn scenario(&self, cell: u64) -> Result<Scenario> {
        Ok(load(&self.scenario, &self.overrides(cell))?)
    }

    /// The command that runs a cell by itself.
    #[must_use]
    pub fn command(&self, cell: u64) -> String {
        let overrides = self.overrides(cell);
        let seed = overrides.seed.map(|seed| format!(" --seed {seed}")).unwrap_or_default();
        let sets: String = overrides.sets.iter().map(|set| format!(" --set '{set}'")).collect();
        format!("herder run {}{seed}{sets}", self.scenario)
    }

    /// Whatever a point has wrong is told before anything runs: all points, or some of them where there are very many.
    fn try_out(&self) -> Result<()> {
        let points = self.manifest.space.points().unwrap_or(0);
        let step = points.div_ceil(TRIED_MAX).max(1);
        for point in (0..points).step_by(step as usize).chain(points.checked_sub(1)) {
            let cell = point * u64::from(self.manifest.replicates_len);
            let tried = || -> Result<()> {
                let scenario = self.scenario(cell)?;
                let source = scenario.workload.source(scenario.file.seed)?;
                scenario.fleet(source.models(), sim_host::api::Engine::Coalesced)?;
                Ok(())
            };
            tried().with_context(|| format!("point {point} cannot run"))?;
        }
        Ok(())
    }
}
