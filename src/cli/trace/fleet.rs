//! `herder trace fleet`: the `[fleet]` section that a list of nodes stands for, as Alibaba's GPU cluster traces (openb) have it:
//! `sn,cpu_milli,memory_mib,gpu,model`, a node a line.
//!
//! Nodes of one kind (model, number of GPUs, memory) are a group; nodes without a GPU are left out, as they are no hosts of models. With
//! `--tasks` all nodes become hosts of tasks, on which the pods of these traces can run; a kind then has its cores, too.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use sim_host::profile::Catalogue;
use traces::task::is_kind;

use crate::cli::{print, profiles};

/// What the traces call a GPU, and what a catalogue may call it. `G2` and `G3` are names that tell no
/// product.
const KNOWN: [(&str, &str); 5] =
    [("T4", "t4"), ("P100", "p100"), ("V100M16", "v100-16gb"), ("V100M32", "v100-32gb"), ("A10", "a10")];

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The list of nodes: sn,cpu_milli,memory_mib,gpu,model
    nodes: PathBuf,
    /// Which GPU of `herder profiles list` stands for a model of the list; may be given several times
    #[arg(long = "gpu", value_name = "MODEL=GPU", value_parser = pair)]
    gpus: Vec<(String, String)>,
    /// Models on the disk of each host
    #[arg(long, value_name = "MODEL,MODEL", value_delimiter = ',', default_value = "llama3.1:8b")]
    models: Vec<String>,
    /// Leave nodes out whose GPU nothing stands for, instead of stopping
    #[arg(long)]
    skip_unknown: bool,
    /// A file with more GPUs, models and profiles
    #[arg(long, value_name = "FILE")]
    profiles: Option<PathBuf>,
    /// Write hosts of tasks, for the pods of the same trace: all nodes, also those without a GPU
    #[arg(long, conflicts_with_all = ["gpus", "models", "skip_unknown", "profiles"])]
    tasks: bool,
    /// Keep every Nth node of each kind, but at least one, so that the same pods meet a smaller fleet
    #[arg(long, value_name = "N", requires = "tasks", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    one_in: u32,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((model, gpu)) if !model.is_empty() && !gpu.is_empty() => Ok((model.to_owned(), gpu.to_owned())),
        _ => Err(format!("found `{text}`, expected MODEL=GPU, for example T4=rtx-3090")),
    }
}

#[derive(Deserialize)]
struct Node {
    cpu_milli: u64,
    memory_mib: u64,
    gpu: u32,
    model: String,
}

/// What nodes of a group have in common: model, GPUs, memory.
type Kind = (String, u32, u64);

pub(super) fn main(args: &Args) -> Result<()> {
    if args.tasks {
        return print(&tasks(&args.nodes, args.one_in)?).map_err(Into::into);
    }
    let catalogue = profiles::catalogue(args.profiles.as_deref())?;
    for model in &args.models {
        catalogue.model(model)?;
    }
    let (kinds, without) = kinds(&args.nodes)?;
    let mut named = BTreeMap::new();
    for (model, gpu) in &args.gpus {
        catalogue.gpu(gpu)?;
        if !kinds.keys().any(|(known, ..)| known == model) {
            bail!("--gpu {model}={gpu}: {} has no node with this model", args.nodes.display());
        }
        named.insert(model.as_str(), gpu.as_str());
    }
    let (mut text, mut unknown) = (String::new(), BTreeMap::<&str, u32>::new());
    for (kind, nodes) in &kinds {
        match gpu(&kind.0, &named, &catalogue) {
            Some(gpu) => group(&mut text, kind, *nodes, gpu, &args.models)?,
            None => *unknown.entry(&kind.0).or_default() += nodes,
        }
    }
    let list: Vec<String> = unknown.iter().map(|(model, nodes)| format!("{model} ({nodes} nodes)")).collect();
    if !unknown.is_empty() && !args.skip_unknown {
        let expected = "--gpu MODEL=GPU with a name of `herder profiles list` for each, or --skip-unknown";
        bail!(
            "{}: found GPUs that are not in the catalogue: {}, expected {expected}",
            args.nodes.display(),
            list.join(", ")
        );
    }
    if text.is_empty() {
        bail!(
            "{}: found no node with a GPU that something stands for, expected at least one",
            args.nodes.display()
        );
    }
    let mut head = String::from(
        "# Hosts of a published list of nodes; paste it into a scenario in place of its [fleet].\n",
    );
    if without > 0 {
        writeln!(head, "# {without} nodes without a GPU are left out.")?;
    }
    if !list.is_empty() {
        writeln!(head, "# Left out, as nothing stands for their GPUs: {}.", list.join(", "))?;
    }
    print(&format!("{head}\n[fleet]\n{text}"))?;
    Ok(())
}

/// How many nodes there are of each kind, and how many without a GPU.
fn kinds(path: &Path) -> Result<(BTreeMap<Kind, u32>, u32)> {
    let (mut kinds, mut without) = (BTreeMap::new(), 0);
    for node in nodes(path)? {
        if node.gpu == 0 {
            without += 1;
            continue;
        }
        *kinds.entry((node.model, node.gpu, node.memory_mib / 1_024)).or_insert(0) += 1;
    }
    Ok((kinds, without))
}

/// The nodes of a list; those with GPUs have a kind that can be named.
fn nodes(path: &Path) -> Result<Vec<Node>> {
    let mut reader =
        csv::Reader::from_path(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut nodes = Vec::new();
    for (node, line) in reader.deserialize::<Node>().zip(2..) {
        let node = node.map_err(|error| anyhow!("{}:{line}: {error}", path.display()))?;
        if node.gpu > 0 && !is_kind(&node.model) {
            bail!(
                "{}:{line}: found the model {:?}, expected a name of letters, digits, - _ and .",
                path.display(),
                node.model
            );
        }
        nodes.push(node);
    }
    Ok(nodes)
}

/// The fleet of tasks that a list of nodes stands for: a group for each kind of node, in order of model, GPUs, cores and memory.
fn tasks(path: &Path, one_in: u32) -> Result<String> {
    let mut kinds = BTreeMap::new();
    for Node { cpu_milli, memory_mib, gpu, model } in nodes(path)? {
        let model = if gpu == 0 { String::new() } else { model };
        *kinds.entry((model, gpu, cpu_milli, memory_mib)).or_insert(0u32) += 1;
    }
    if kinds.is_empty() {
        bail!("{}: found no node, expected at least one", path.display());
    }
    let part = match one_in {
        1 => String::new(),
        n => format!("# Of each kind, one node in {n}, at least one.\n"),
    };
    let mut text = format!(
        "# Hosts of tasks of a published list of nodes; paste it into a scenario in place of its [fleet].\n{part}\n[fleet]\n"
    );
    for ((model, gpus, cpu_milli, memory_mib), nodes) in kinds {
        let kind =
            if gpus == 0 { "cpu".to_owned() } else { format!("{}-{gpus}x", model.to_ascii_lowercase()) };
        let share = nodes.div_ceil(one_in);
        writeln!(text, "\n[[fleet.group]]\nname = \"{kind}-{cpu_milli}m-{memory_mib}mi\"\nshare = {share}")?;
        writeln!(text, "gpu = {model:?}\ngpus = {gpus}")?;
        writeln!(text, "task = {{ cpu_milli = {cpu_milli}, memory_mib = {memory_mib} }}")?;
    }
    Ok(text)
}

/// The catalogue's name of a model, if anything stands for it.
fn gpu<'a>(model: &str, named: &BTreeMap<&str, &'a str>, catalogue: &Catalogue) -> Option<&'a str> {
    let known = || KNOWN.iter().find(|(name, _)| *name == model).map(|&(_, gpu)| gpu);
    named.get(model).copied().or_else(|| known().filter(|gpu| catalogue.gpu(gpu).is_ok()))
}

fn group(
    text: &mut String,
    (model, gpus, ram): &Kind,
    nodes: u32,
    gpu: &str,
    models: &[String],
) -> std::fmt::Result {
    let name = format!("{}-{gpus}x-{ram}g", model.to_ascii_lowercase());
    writeln!(text, "\n[[fleet.group]]\nname = \"{name}\"\nshare = {nodes}\ngpu = {gpu:?}\ngpus = {gpus}")?;
    writeln!(text, "ram_gib = {ram}\nmodels = {models:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_one_kind_are_one_group() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("nodes.csv");
        let text = "sn,cpu_milli,memory_mib,gpu,model\na,32000,262144,0,\nb,96000,393216,8,G2\nc,96000,393216,8,G2\nd,8000,32768,1,T4\n";
        std::fs::write(&path, text).expect("it is written");
        let found = kinds(&path).expect("it is good");
        let expected = [(("G2".to_owned(), 8, 384), 2), (("T4".to_owned(), 1, 32), 1)];
        assert_eq!(found, (expected.into_iter().collect(), 1));
        std::fs::write(&path, format!("{text}e,8000,32768,1,\"a\nb\"\n")).expect("it is written");
        let error =
            kinds(&path).expect_err("a name of two lines would leave the scenario's quotes").to_string();
        assert!(
            error.ends_with("found the model \"a\\nb\", expected a name of letters, digits, - _ and ."),
            "{error}"
        );
        std::fs::write(&path, format!("{text}e,8000,many,1,T4\n")).expect("it is written");
        let error = kinds(&path).expect_err("many is no number").to_string();
        assert!(error.contains("nodes.csv:6: "), "{error}");
    }

    #[test]
    fn all_nodes_become_hosts_of_tasks() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("nodes.csv");
        let nodes = "a,32000,262144,0,\nb,96000,393216,8,G2\nc,96000,393216,8,G2\nd,8000,32768,1,T4\ne,96000,393216,8,G2\n";
        std::fs::write(&path, format!("sn,cpu_milli,memory_mib,gpu,model\n{nodes}")).expect("it is written");
        let groups = |one_in| {
            let text = tasks(&path, one_in).expect("it is good");
            let table: toml::Table = text.parse().expect("it is TOML");
            let file: sim::config::FleetFile = table["fleet"].clone().try_into().expect("it is a fleet");
            let row = |group: &sim::config::GroupFile| {
                let task = group.task.expect("a group of tasks");
                (
                    group.name.clone(),
                    group.share,
                    group.gpus,
                    group.gpu.clone(),
                    task.cpu_milli,
                    task.memory_mib,
                )
            };
            file.group.iter().map(row).collect::<Vec<_>>()
        };
        let row = |name: &str, share, gpus, gpu: &str, cpu, memory| {
            (name.to_owned(), share, gpus, gpu.to_owned(), cpu, memory)
        };
        let expected = [
            row("cpu-32000m-262144mi", 1, 0, "", 32_000, 262_144),
            row("g2-8x-96000m-393216mi", 3, 8, "G2", 96_000, 393_216),
            row("t4-1x-8000m-32768mi", 1, 1, "T4", 8_000, 32_768),
        ];
        assert_eq!(groups(1), expected);
        assert_eq!(groups(2).iter().map(|row| row.1).collect::<Vec<_>>(), [1, 2, 1]);
    }

    #[test]
    fn a_group_is_one_that_a_scenario_can_have() {
        let mut text = String::from("[fleet]\n");
        let kind = ("V100M16".to_owned(), 4, 128);
        group(&mut text, &kind, 28, "rtx-3090", &["llama3.1:8b".to_owned()]).expect("memory");
        let table: toml::Table = text.parse().expect("it is TOML");
        let file: sim::config::FleetFile = table["fleet"].clone().try_into().expect("it is a fleet");
        let group = &file.group[0];
        assert_eq!(
            (group.name.as_str(), group.share, group.gpus, group.ram_gib),
            ("v100m16-4x-128g", 28, 4, 128)
        );
    }

    #[test]
    fn what_is_given_stands_for_a_model_before_what_is_known() {
        let catalogue = Catalogue::builtin();
        let named = BTreeMap::from([("T4", "rtx-3090")]);
        assert_eq!(gpu("T4", &named, catalogue), Some("rtx-3090"));
        assert_eq!(gpu("G2", &named, catalogue), None);
        assert!(pair("T4=rtx-3090").is_ok() && pair("T4").is_err() && pair("=x").is_err());
    }
}
