//! Who decides: any scheduler, balancer, strategy of placement and mode of sync, any of the features around them, short time-outs.

use control::strategy::Line;
use control::sync::config::Mode;
use control::{balance, place, schedule};

use super::{Dice, fleet};

fn any<Kind>(dice: &mut Dice, of: &[Line<Kind>]) -> &'static str {
    of[dice.within(0, of.len() as u32 - 1) as usize].1.name
}

/// `[control]`.
pub(super) fn text(dice: &mut Dice, fleet: &fleet::Drawn, supplied: bool) -> String {
    let mut text = format!(
        "[control]\nscheduler = \"{}\"\nbalancer = \"{}\"\n",
        any(dice, schedule::ALL),
        any(dice, balance::ALL)
    );
    let mut key = |name: &str, value: String| text.push_str(&format!("{name} = {value}\n"));
    let own = format!("{{ requests = {} }}", dice.within(1, 6));
    key("dispatch", dice.one(&["\"slots\"", "\"slots\"", "\"unlimited\"", "\"learned\"", &own]).to_owned());
    key("attempts_max", dice.within(1, 4).to_string());
    key("retry_budget_percent", dice.one(&[0, 20, 100]).to_string());
    key("retry_budget_per_second", dice.one(&[0, 2, 10]).to_string());
    key("queue_requests_max", dice.one(&[5, 50, 500]).to_string());
    key("queue_timeout_millis", dice.within(2_000, 15_000).to_string());
    key("first_byte_timeout_warm_millis", dice.within(1_000, 8_000).to_string());
    key("first_byte_timeout_cold_millis", dice.within(4_000, 20_000).to_string());
    key("idle_timeout_millis", dice.within(1_000, 8_000).to_string());
    key("quarantine_seconds", dice.one(&[0, 20, 600]).to_string());
    key("slow_start", dice.often(70).to_string());
    key("cold_models_max", dice.within(0, 2).to_string());
    key("implementation", dice.one(&["\"baseline\"", "\"optimised\""]).to_owned());
    key("frozen", dice.often(8).to_string());
    if dice.often(30) {
        key("aging_millis", dice.within(500, 8_000).to_string());
    }
    if dice.often(30) {
        let shadow = any(dice, balance::ALL);
        key("shadows", format!("[\"{shadow}\"]"));
    }
    if dice.often(25) {
        key("tenant_weights", "{ calm = 300 }".to_owned());
    }
    for section in
        [breaker(dice), prefetch(dice), select(dice), rules(dice, fleet), placement(dice, supplied)]
    {
        text.push_str(&section);
    }
    text
}

fn breaker(dice: &mut Dice) -> String {
    if !dice.often(50) {
        return String::new();
    }
    let slow = if dice.often(50) { "slow_ttft_millis = 2000\nslow_percent = 50\n" } else { "" };
    format!(
        "\n[control.breaker]\nwindow_millis = 10000\nrequests_min = {}\nconsecutive_failures_max = {}\nopen_millis = {}\n\
         open_millis_max = {}\nprobes = {}\nejected_percent_max = {}\n{slow}",
        dice.within(3, 20),
        dice.within(2, 6),
        dice.within(500, 4_000),
        dice.within(4_000, 10_000),
        dice.within(1, 3),
        dice.one(&[20, 50, 100]),
    )
}

fn prefetch(dice: &mut Dice) -> String {
    if !dice.often(30) {
        return String::new();
    }
    format!("\n[control.prefetch]\nlikely_permille_min = {}\n", dice.one(&[50, 250, 600]))
}

fn select(dice: &mut Dice) -> String {
    if !dice.often(25) {
        return String::new();
    }
    let [low, high] = [dice.one(&["random", "round-robin"]), dice.one(&["least-load", "predictive"])];
    format!(
        "\n[control.select]\narms = [\"{low}\", \"{high}\"]\nrules = [{{ when = {{ load = \"high\" }}, arm = \"{high}\" }}]\n\
         hold_decisions = 3\nresidency_millis = 500\n"
    )
}

fn rules(dice: &mut Dice, fleet: &fleet::Drawn) -> String {
    if !dice.often(30) {
        return String::new();
    }
    let host = format!("exclude_hosts = [{:?}]", fleet.hosts[0]);
    let near = format!("prefer_hosts = [{:?}]", fleet.hosts[fleet.hosts.len() - 1]);
    let demand = dice.one(&[
        "exclude_zones = [\"east\"]",
        "prefer_zones = [\"west\"]",
        "start_after_millis = 300",
        "deadline_millis = 4000",
        "reliability_percent_min = 60",
        "ttft_millis_max = 8000",
        &host,
        &near,
    ]);
    format!("\n[[control.rules]]\nname = \"r\"\ntenants = [\"calm\"]\ndemands = {{ {demand} }}\n")
}

/// `[control.scale]`.
pub(super) fn scale(dice: &mut Dice) -> String {
    format!(
        "[control.scale]\nact = {}\ninterval_seconds = {}\ntarget_percent = {}\nwindow_seconds = {}\nhosts_min = {}\nhosts_max = {}\n",
        dice.often(95),
        dice.within(1, 5),
        dice.within(30, 100),
        dice.one(&[1, 5, 30]),
        dice.within(0, 1),
        dice.one(&[1, 3, 100]),
    )
}

fn placement(dice: &mut Dice, supplied: bool) -> String {
    if !dice.often(if supplied { 90 } else { 40 }) {
        return String::new();
    }
    let most = if dice.often(40) { format!("replicas_max = {}\n", dice.within(2, 3)) } else { String::new() };
    format!(
        "\n[control.placement]\nstrategy = \"{}\"\nact = {}\nmanage = [\"*\"]\ninterval_seconds = {}\nhalf_life_seconds = {}\n\
         horizon_seconds = {}\nresidency_min_seconds = {}\nallow_pull = {}\nallow_delete = {}\nchanges_per_hour_max = {}\n\
         loads_at_once_max = {}\nheadroom_percent = {}\nrouting = \"{}\"\nreplicas_min = {}\ncopies_min = {}\n{most}",
        any(dice, place::ALL),
        dice.often(92),
        dice.within(2, 10),
        dice.one(&[10, 60]),
        dice.one(&[30, 300]),
        dice.one(&[0, 5, 20]),
        supplied && dice.often(95),
        supplied && dice.often(70),
        dice.one(&[200, 2_000, 10_000]),
        dice.within(1, 4),
        dice.one(&[0, 5, 20]),
        dice.one(&["planned", "any"]),
        dice.within(0, 2),
        dice.within(1, 2),
    )
}

/// `[control.sync]`, where there is a registry; `peers` says whether hosts can fetch from one another.
pub(super) fn sync(dice: &mut Dice, peers: bool) -> String {
    if !dice.often(60) {
        return String::new();
    }
    let mode = dice.one(&Mode::NAMES);
    // Where hosts cannot, contents would stay as they are.
    let mode = if mode == "gossip" && !peers { "eager" } else { mode };
    let peers = mode == "gossip" || peers && dice.often(50);
    format!(
        "[control.sync]\nmode = \"{mode}\"\npeers = {peers}\nact = {}\nmanage = [\"*\"]\npolicy = \"{}\"\nallow_push = {}\nkeep_others = {}\n\
         copies_min = {}\nperiod_seconds = {}\ngossip_seconds = {}\npulls_at_once_max = {}\nchanges_per_hour_max = {}\n",
        dice.often(92),
        dice.one(&["registry", "registry", "last-writer", "first-writer", "version-vector", "majority"]),
        dice.often(70),
        dice.often(20),
        dice.within(1, 3),
        dice.within(2, 20),
        dice.within(1, 5),
        dice.within(1, 6),
        dice.one(&[200, 2_000, 10_000]),
    )
}
