//! The catalogue: specs by name, and a profile for each pair of GPU and model.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use toml::Spanned;

use crate::costs::Costs;
use crate::profile::error::{ProfileError, Source, nearest};
use crate::profile::file::{self, File, ProfileEntry};
use crate::profile::fitted::FITTED;
use crate::profile::roofline::{Efficiency, Roofline, TOKENS_MAX, Weights};
use crate::spec::{GpuSpec, ModelSpec, Profile, Version};

/// The built-in specs.
const SPECS: &[(&str, &str)] = &[
    ("gpus.toml", include_str!("../../profiles/gpus.toml")),
    ("models.toml", include_str!("../../profiles/models.toml")),
];

/// The CPU that the layers of a partial offload run on.
const HOST_CPU: &str = "cpu-server";

static ROOFLINES: LazyLock<Catalogue> = LazyLock::new(|| built_in(Catalogue::default(), SPECS));
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| built_in(ROOFLINES.clone(), FITTED));

fn built_in(mut catalogue: Catalogue, files: &[(&str, &str)]) -> Catalogue {
    for (file, text) in files {
        if let Err(error) = catalogue.add(Source { text, file }) {
            panic!("a built-in profile file is broken: {error}");
        }
    }
    catalogue
}

/// Models, GPUs, and a profile for each pair.
#[derive(Clone, Default)]
pub struct Catalogue {
    gpus: BTreeMap<String, Arc<GpuSpec>>,
    efficiencies: BTreeMap<String, Arc<Efficiency>>,
    models: BTreeMap<String, Arc<ModelSpec>>,
    weights: BTreeMap<String, Arc<Weights>>,
    profiles: BTreeMap<(String, String), Arc<Profile>>,
}

impl Catalogue {
    /// What is built into the program.
    #[must_use]
    pub fn builtin() -> &'static Self {
        &CATALOGUE
    }

    /// The built-in GPUs and models with rooflines alone: what the fits start from, and are to be compared with.
    #[must_use]
    pub fn rooflines() -> &'static Self {
        &ROOFLINES
    }

    /// The built-in catalogue with the GPUs, models and profiles of a file of the user's; `file_name` is for errors.
    /// A profile replaces the one that was there for its pair; GPUs and models need new names.
    ///
    /// # Errors
    /// [`ProfileError::File`] with line and column of the first thing that is not as it must be.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, ProfileError> {
        let mut catalogue = Self::builtin().clone();
        catalogue.add(Source { text, file: file_name })?;
        Ok(catalogue)
    }

    /// All models, by name.
    pub fn models(&self) -> impl ExactSizeIterator<Item = &Arc<ModelSpec>> {
        self.models.values()
    }

    /// All GPUs, by name.
    pub fn gpus(&self) -> impl ExactSizeIterator<Item = &Arc<GpuSpec>> {
        self.gpus.values()
    }

    /// All profiles, by name of the GPU, then of the model.
    pub fn profiles(&self) -> impl ExactSizeIterator<Item = &Arc<Profile>> {
        self.profiles.values()
    }

    /// The profile of a model on a GPU. `NAME-v7` is a fine-tune of `NAME` where that is known: the same but for its weights.
    ///
    /// # Errors
    /// [`ProfileError::UnknownGpu`] or [`ProfileError::UnknownModel`], with the nearest known name.
    pub fn find(&self, gpu_name: &str, model_name: &str) -> Result<Arc<Profile>, ProfileError> {
        let gpu = self.gpu(gpu_name)?;
        let tuned = tuned_from(model_name).filter(|_| !self.models.contains_key(model_name));
        let model = self.model(tuned.unwrap_or(model_name))?;
        let profile = self.profiles.get(&(gpu.name.clone(), model.name.clone()));
        let profile = profile.expect("every pair of a known GPU and a known model has a profile");
        if tuned.is_none() {
            return Ok(Arc::clone(profile));
        }
        let blob = format!("{}:{model_name}", model.blob);
        let model = ModelSpec { name: model_name.to_owned(), blob, ..model.as_ref().clone() };
        Ok(Arc::new(Profile { model: Arc::new(model), ..profile.as_ref().clone() }))
    }

    /// The GPU of that name.
    ///
    /// # Errors
    /// [`ProfileError::UnknownGpu`] with the nearest known name.
    pub fn gpu(&self, name: &str) -> Result<&Arc<GpuSpec>, ProfileError> {
        self.gpus.get(name).ok_or_else(|| ProfileError::UnknownGpu {
            name: name.to_owned(),
            nearest: nearest(name, self.gpus.keys().map(String::as_str)).unwrap_or_default().to_owned(),
        })
    }

    /// The model of that name.
    ///
    /// # Errors
    /// [`ProfileError::UnknownModel`] with the nearest known name.
    pub fn model(&self, name: &str) -> Result<&Arc<ModelSpec>, ProfileError> {
        self.models.get(name).ok_or_else(|| ProfileError::UnknownModel {
            name: name.to_owned(),
            nearest: nearest(name, self.models.keys().map(String::as_str)).unwrap_or_default().to_owned(),
        })
    }

    /// Bytes of a model's weights that a step with `tokens` tokens in its batch reads, on average over the experts that
    /// tokens pick.
    ///
    /// # Errors
    /// [`ProfileError::UnknownModel`] with the nearest known name.
    pub fn step_bytes(&self, model_name: &str, tokens: u32) -> Result<u64, ProfileError> {
        let model = self.model(model_name)?;
        let bytes = self.split(model).step_bytes(model, tokens);
        Ok(bytes[tokens as usize])
    }

    /// How a model's file splits into what each step reads and experts.
    fn split(&self, model: &ModelSpec) -> Arc<Weights> {
        self.weights.get(&model.name).cloned().unwrap_or_else(|| Arc::new(Weights::uniform(model)))
    }

    /// Adds a file: its specs, a roofline for each new pair, then its measured profiles.
    fn add(&mut self, source: Source<'_>) -> Result<(), ProfileError> {
        let file = file::read(source)?;
        self.add_specs(source, &file)?;
        self.add_rooflines();
        for entry in &file.profile {
            self.add_measured(source, entry)?;
        }
        Ok(())
    }

    fn add_specs(&mut self, source: Source<'_>, file: &File) -> Result<(), ProfileError> {
        let twice = |at: usize, kind: &str, name: &str| {
            source.error(at, format!("a second {kind} `{name}`"), "a name that is not taken".to_owned())
        };
        let mut new = Vec::new();
        for gpu in &file.gpu {
            let name = &gpu.get_ref().name;
            if self.gpus.insert(name.clone(), Arc::new(gpu.get_ref().clone())).is_some() {
                return Err(twice(source.key(&gpu.span(), "name"), "GPU", name));
            }
            new.push(name.as_str());
        }
        for efficiency in &file.efficiency {
            let name = &efficiency.get_ref().gpu;
            let at = source.key(&efficiency.span(), "gpu");
            if !new.contains(&name.as_str()) {
                return Err(foreign(source, at, "GPU", name));
            }
            if self.efficiencies.insert(name.clone(), Arc::new(efficiency.get_ref().clone())).is_some() {
                return Err(twice(at, "efficiency for", name));
            }
        }
        let mut new = Vec::new();
        for model in &file.model {
            let name = &model.get_ref().name;
            if self.models.insert(name.clone(), Arc::new(model.get_ref().clone())).is_some() {
                return Err(twice(source.key(&model.span(), "name"), "model", name));
            }
            new.push(name.as_str());
        }
        for weights in &file.weights {
            let name = &weights.get_ref().model;
            let at = source.key(&weights.span(), "model");
            if !new.contains(&name.as_str()) {
                return Err(foreign(source, at, "model", name));
            }
            if self.weights.insert(name.clone(), Arc::new(weights.get_ref().clone())).is_some() {
                return Err(twice(at, "split of the weights of", name));
            }
        }
        Ok(())
    }

    /// A roofline for each pair that has no profile.
    fn add_rooflines(&mut self) {
        let mut new = Vec::new();
        for model in self.models.values() {
            let runner = model.runner(Version::default());
            let weights = self.split(model);
            let step_bytes = weights.step_bytes(model, TOKENS_MAX);
            let costs = |gpu: &GpuSpec| {
                let efficiency = self.efficiency(gpu);
                let step_bytes = &step_bytes;
                Arc::new(Roofline { gpu, model, step_bytes, efficiency: &efficiency }.costs(runner))
            };
            let mut cpu_costs: Option<Arc<Costs>> = None;
            for gpu in self.gpus.values() {
                let pair = (gpu.name.clone(), model.name.clone());
                if self.profiles.contains_key(&pair) {
                    continue;
                }
                let gpu_costs = costs(gpu);
                let cpu_costs = if gpu.cpu {
                    Arc::clone(&gpu_costs)
                } else {
                    let host =
                        || self.gpus.get(HOST_CPU).map_or_else(|| Arc::clone(&gpu_costs), |host| costs(host));
                    Arc::clone(cpu_costs.get_or_insert_with(host))
                };
                let efficiency = self.efficiency(gpu);
                let profile = Profile {
                    gpu: Arc::clone(gpu),
                    model: Arc::clone(model),
                    costs: gpu_costs,
                    cpu_costs,
                    request_overhead_nanos: efficiency.request_overhead_nanos,
                    load_fixed_nanos: efficiency.load_fixed_nanos,
                    disk_bytes_per_second: efficiency.disk_bytes_per_second,
                    page_cache_bytes_per_second: efficiency.page_cache_bytes_per_second,
                    graph_bytes: graph_bytes(model),
                    source: format!("roofline; efficiency {}; weights {}", efficiency.source, weights.source),
                    assumed: assumed(gpu, model, &efficiency, &weights),
                };
                new.push((pair, Arc::new(profile)));
            }
        }
        self.profiles.extend(new);
    }

    /// What is known of a GPU's efficiency, or that of the nearest class, all of it guessed.
    fn efficiency(&self, gpu: &GpuSpec) -> Arc<Efficiency> {
        if let Some(efficiency) = self.efficiencies.get(&gpu.name) {
            return Arc::clone(efficiency);
        }
        let class = match (gpu.cpu, gpu.metal, gpu.discrete) {
            (true, ..) => HOST_CPU,
            (false, true, _) => "m2-ultra",
            (false, false, false) => "gb10",
            (false, false, true) => "rtx-4090",
        };
        let like = Efficiency::clone(&self.efficiencies[class]);
        Arc::new(Efficiency {
            gpu: gpu.name.clone(),
            source: format!("none given: as {class}"),
            assumed: like.figures().iter().map(|(name, _)| (*name).to_owned()).collect(),
            ..like
        })
    }

    /// A measured profile takes the place of the roofline for its pair.
    fn add_measured(&mut self, source: Source<'_>, entry: &ProfileEntry) -> Result<(), ProfileError> {
        let (gpu, model) = (name(&entry.gpu), name(&entry.model));
        if !self.gpus.contains_key(gpu.0) {
            return Err(unknown(source, gpu.1, "GPU", gpu.0, self.gpus.keys().map(String::as_str)));
        }
        if !self.models.contains_key(model.0) {
            return Err(unknown(source, model.1, "model", model.0, self.models.keys().map(String::as_str)));
        }
        let slot = self.profiles.get_mut(&(gpu.0.to_owned(), model.0.to_owned()));
        let slot = slot.expect("every pair of a known GPU and a known model has a roofline");
        let costs = Arc::new(file::costs(source, entry.costs.get_ref())?);
        let before = &**slot;
        let guessed = |given: bool, name: &str| {
            let prefix = format!("assumed_{name} ");
            before.assumed.iter().find(|text| !given && text.starts_with(&prefix)).cloned()
        };
        let rate =
            |rate: &Option<Spanned<u64>>, default| rate.as_ref().map_or(default, |rate| *rate.get_ref());
        let specs = before.assumed.iter().filter(|text| !text.starts_with("assumed_")).cloned();
        let assumed = entry.assumed.iter().cloned().chain(specs);
        let assumed = assumed
            .chain(guessed(entry.request_overhead_nanos.is_some(), "request_overhead_nanos"))
            .chain(guessed(entry.load_fixed_nanos.is_some(), "load_fixed_nanos"))
            .chain(guessed(entry.disk_bytes_per_second.is_some(), "disk_bytes_per_second"))
            .chain(guessed(entry.page_cache_bytes_per_second.is_some(), "page_cache_bytes_per_second"))
            .chain(guessed(entry.graph_bytes.is_some(), "graph_bytes"))
            .chain((!before.gpu.cpu).then(|| format!("assumed_cpu_costs = roofline of {HOST_CPU}")));
        let profile = Profile {
            gpu: Arc::clone(&before.gpu),
            model: Arc::clone(&before.model),
            cpu_costs: if before.gpu.cpu { Arc::clone(&costs) } else { Arc::clone(&before.cpu_costs) },
            costs,
            request_overhead_nanos: entry.request_overhead_nanos.unwrap_or(before.request_overhead_nanos),
            load_fixed_nanos: entry.load_fixed_nanos.unwrap_or(before.load_fixed_nanos),
            disk_bytes_per_second: rate(&entry.disk_bytes_per_second, before.disk_bytes_per_second),
            page_cache_bytes_per_second: rate(
                &entry.page_cache_bytes_per_second,
                before.page_cache_bytes_per_second,
            ),
            graph_bytes: entry.graph_bytes.unwrap_or(before.graph_bytes),
            source: format!(
                "measured with {}: {}; fit error: {}; held out: {}",
                entry.engine, entry.source, entry.fit_error, entry.held_out
            ),
            assumed: assumed.collect(),
        };
        *slot = Arc::new(profile);
        Ok(())
    }
}

fn name(spanned: &Spanned<String>) -> (&str, usize) {
    (spanned.get_ref(), spanned.span().start)
}

fn unknown<'a>(
    source: Source<'_>,
    at: usize,
    kind: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> ProfileError {
    let expected = match nearest(name, known) {
        Some(nearest) => format!("`{nearest}` or another known {kind}"),
        None => format!("a {kind}"),
    };
    source.error(at, format!("the unknown {kind} `{name}`"), expected)
}

/// A table about a GPU or model that the same file does not define.
fn foreign(source: Source<'_>, at: usize, kind: &str, name: &str) -> ProfileError {
    source.error(at, format!("the {kind} `{name}`"), format!("a {kind} that this file defines"))
}

/// Compute graph of ollamarunner: 32-bit logits and eight hidden states for each of 512 tokens. A guess.
fn graph_bytes(model: &ModelSpec) -> u64 {
    4 * 512 * (u64::from(model.vocabulary) + 8 * u64::from(model.hidden))
}

/// Names and values of all that a roofline guesses, and of the specs that were guessed.
fn assumed(gpu: &GpuSpec, model: &ModelSpec, efficiency: &Efficiency, weights: &Weights) -> Vec<String> {
    let figures = efficiency.figures();
    let guessed = figures.iter().filter(|(name, _)| efficiency.assumed.iter().any(|assumed| assumed == name));
    let mut list: Vec<String> = guessed.map(|(name, value)| format!("assumed_{name} = {value}")).collect();
    list.push(format!("assumed_graph_bytes = {}", graph_bytes(model)));
    if !gpu.cpu {
        list.push(format!("assumed_cpu_costs = roofline of {HOST_CPU}"));
    }
    list.extend(gpu.assumed.iter().map(|field| format!("gpu.{field}")));
    list.extend(model.assumed.iter().map(|field| format!("model.{field}")));
    list.extend(weights.assumed.iter().map(|field| format!("weights.{field}")));
    list
}
/// What a fine-tune is made from, by its name: `llama3.1:8b` for `llama3.1:8b-v12`.
fn tuned_from(name: &str) -> Option<&str> {
    let (base, number) = name.rsplit_once("-v")?;
    let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    (is_number && base.contains(':')).then_some(base)
}
