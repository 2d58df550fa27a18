//! Hosts, what is on their disks, and what they can pull.

use sim_host::profile::Catalogue;

use super::{Dice, workload};

/// Models small enough that a few fit a host, and large enough that not all do.
const MODELS: [&str; 10] = [
    "llama3.2:1b",
    "gemma3:1b",
    "llama3.2:3b",
    "gemma3:4b",
    "qwen2.5-coder:7b",
    "llama3.1:8b",
    "qwen3:8b",
    "gemma3:12b",
    "gpt-oss:20b",
    "qwen3:30b-a3b",
];
const GPUS: [&str; 7] = ["rtx-4090", "rtx-3090", "rtx-4090", "l40s", "a100-80gb", "gb10", "m2-ultra"];
const ZONES: [&str; 3] = ["", "east", "west"];

/// A fleet, and what the other sections must know of it.
pub(super) struct Drawn {
    pub(super) text: String,
    pub(super) hosts: Vec<String>,
    pub(super) slots: u32,
    pub(super) models: Vec<&'static str>,
    /// Models that no host has from the start.
    absent: Vec<&'static str>,
}

impl Drawn {
    pub(super) fn new(dice: &mut Dice, supplied: bool, scaled: bool) -> Self {
        let models_len = dice.within(1, 6) as usize;
        let models = dice.some(&MODELS, models_len);
        let groups_len = dice.within(1, 3);
        let hosts_len = dice.within(2, 8);
        let mut text =
            format!("[fleet]\nhosts = {hosts_len}\npoll_period_millis = {}\n", dice.within(400, 2_000));
        let (mut slots, mut absent) = (0, models.clone());
        for group in 0..groups_len.min(hosts_len) {
            // The first group's hosts have all models where nothing can be pulled, and few where the rest can.
            let most = if supplied { models_len.div_ceil(3) } else { models_len };
            let least = if group == 0 && !supplied { models_len } else { 1 };
            let held = dice.within(least as u32, most as u32) as usize;
            let held = dice.some(&models, held);
            absent.retain(|model| !held.contains(model));
            let parallel = dice.within(1, 4);
            slots += parallel * (hosts_len - group).div_ceil(groups_len);
            text.push_str(&group_text(dice, group, &held, parallel, supplied));
            if scaled && group > 0 {
                text.push_str("standby = true\nprovision_seconds = 3\n");
            }
        }
        let name = |host: u32| format!("g{}-{}", host % groups_len, host / groups_len + 1);
        Self { text, hosts: (0..hosts_len).map(name).collect(), slots, models, absent }
    }
}

fn group_text(dice: &mut Dice, group: u32, held: &[&str], parallel: u32, supplied: bool) -> String {
    let mut text = format!(
        "\n[[fleet.group]]\nname = \"g{group}\"\ngpu = \"{}\"\nram_gib = {}\nmodels = {held:?}\nnum_parallel = {parallel}\n\
         max_queue = {}\nkeep_alive_seconds = {}\ncontext_length_tokens = 4096\nzone = \"{}\"\nmetrics = true\n",
        dice.one(&GPUS),
        dice.one(&[16, 64, 64]),
        dice.one(&[2, 8, 64, 512]),
        dice.one(&[2, 10, 60, 300, -1]),
        dice.one(&ZONES),
    );
    if dice.often(25) {
        text.push_str("ollama_version = \"0.10\"\n");
    }
    if dice.often(30) {
        text.push_str(&format!("max_loaded_models = {}\n", dice.within(1, 3)));
    }
    if supplied && dice.often(50) {
        // Room for what is there, and a little more.
        text.push_str(&format!("disk_gib = {}\n", gib(held) + u64::from(dice.within(1, 12))));
    }
    text
}

/// What models take on a disk, rounded up one by one.
fn gib(models: &[&str]) -> u64 {
    let size = |name: &&str| Catalogue::builtin().model(name).map_or(0, |model| model.weights_bytes);
    models.iter().map(|name| size(name).div_ceil(1 << 30)).sum()
}

/// `[network]` and `[registry]`, as drawn.
pub(super) struct Supply {
    pub(super) text: String,
    /// Whether hosts can fetch from one another; none where there is no registry.
    pub(super) peers: Option<bool>,
}

/// `[network]` and `[registry]`.
pub(super) fn supply(dice: &mut Dice, fleet: &Drawn, work: &workload::Drawn, supplied: bool) -> Supply {
    let mut text = format!("[network]\nlatency_micros = {}\n", dice.one(&[0, 200, 5_000, 80_000]));
    if !supplied {
        return Supply { text, peers: None };
    }
    let (mbit, pulls, peers) = (dice.one(&[500, 2_000, 10_000]), dice.within(1, 3), dice.often(50));
    text.push_str(&format!("host_mbit_per_second = {mbit}\npulls_at_once = {pulls}\npeers = {peers}\n"));
    if dice.often(40) {
        text.push_str(&format!("zone_mbit_per_second = {}\n", dice.one(&[1_000, 10_000])));
    }
    text.push_str(&format!(
        "\n[registry]\nmodels = {:?}\negress_mbit_per_second = {}\npoll_period_millis = {}\n",
        fleet.absent,
        dice.one(&[1_000, 5_000, 40_000]),
        dice.within(1_000, 20_000),
    ));
    for _ in 0..dice.within(0, 4) {
        let host = if dice.often(30) {
            format!("host = {:?}\n", fleet.hosts[dice.within(0, fleet.hosts.len() as u32 - 1) as usize])
        } else {
            String::new()
        };
        text.push_str(&format!(
            "\n[[registry.release]]\nat_seconds = {}\nmodel = {:?}\npart = {:?}\n{host}",
            dice.within(1, work.span_seconds),
            dice.one(&fleet.models),
            dice.one(&["weights", "template"]),
        ));
    }
    Supply { text, peers: Some(peers) }
}
