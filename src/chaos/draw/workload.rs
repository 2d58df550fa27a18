//! What arrives: when, how long, from whom, for which models.

use super::{Dice, fleet};

/// A workload, and how long it goes on, about.
pub(super) struct Drawn {
    pub(super) text: String,
    pub(super) span_seconds: u32,
}

impl Drawn {
    pub(super) fn new(dice: &mut Dice, fleet: &fleet::Drawn, requests: u64) -> Self {
        // A request takes a slot for some seconds: from a fleet half asleep to one that cannot follow.
        let per_second = f64::from(fleet.slots) * f64::from(dice.within(20, 100)) / 100.0;
        let span_seconds = ((requests as f64 / per_second) as u32).clamp(3, 3_600);
        let turns = if dice.often(40) { dice.within(2, 6) } else { 1 };
        let mut text = format!("[workload]\nrequests = {requests}\n\n");
        text.push_str(&arrivals(dice, per_second, turns));
        if turns > 1 {
            text.push_str(&format!(
                "\n[workload.sessions]\nturns_mean = {turns}.0\nthink_time_mean_seconds = {}.0\nsystem_prompt_tokens = 200\n\
                 prompt_tokens_max = 3000\n",
                dice.within(1, 5),
            ));
        }
        text.push_str(&length("prompt", dice.within(20, 400), dice.one(&["0.5", "1.2"]), 2_000));
        text.push_str(&length("output", dice.within(10, 80), dice.one(&["0.4", "0.9"]), 400));
        let names: Vec<String> = fleet.models.iter().map(|name| format!("{name:?}")).collect();
        text.push_str(&format!(
            "\n[workload.models.zipf]\nexponent = {}\nnames = [{}]\n",
            dice.one(&["0.0", "0.7", "1.5"]),
            names.join(", "),
        ));
        text.push_str(&tenants(dice));
        Self { text, span_seconds }
    }
}

fn arrivals(dice: &mut Dice, per_second: f64, turns: u32) -> String {
    let starts = per_second / f64::from(turns);
    match dice.within(0, 4) {
        0 => format!("[workload.arrivals.poisson]\nrate_per_second = {starts:.3}\n"),
        1 => {
            let cv = dice.one(&["0.5", "2.0", "4.0"]);
            format!("[workload.arrivals.gamma]\nrate_per_second = {starts:.3}\ncv = {cv}\n")
        }
        2 => format!(
            "[workload.arrivals.on_off]\non_rate_per_second = {:.3}\noff_rate_per_second = {:.3}\non_mean_seconds = 10.0\n\
             off_mean_seconds = 10.0\n",
            starts * 1.8,
            starts * 0.2,
        ),
        3 => format!(
            "[workload.arrivals.daily]\nmean_rate_per_second = {starts:.3}\namplitude_percent = 80.0\nperiod_seconds = 60.0\n\
             peak_seconds = 20.0\n",
        ),
        _ => {
            let think = dice.within(1, 6);
            // An answer takes a second or two.
            let users = (per_second * f64::from(think + 1)).max(1.0) as u32;
            format!("[workload.arrivals.closed_loop]\nusers = {users}\nthink_time_mean_seconds = {think}.0\n")
        }
    }
}

fn length(key: &str, median: u32, sigma: &str, most: u32) -> String {
    format!(
        "\n[workload.{key}.lognormal]\nmedian_tokens = {median}.0\nsigma = {sigma}\nmax_tokens = {most}\n"
    )
}

fn tenants(dice: &mut Dice) -> String {
    let mut text = String::new();
    for name in ["calm", "hurried", "batch"].iter().take(dice.within(1, 3) as usize) {
        text.push_str(&format!(
            "\n[[workload.tenants]]\nname = \"{name}\"\nshare = {}.0\npriority = {}\n",
            dice.within(1, 4),
            dice.one(&[-1, 0, 0, 1, 5]),
        ));
        if dice.often(30) {
            // One tenant's is longer than the longest wait in the queue and most loads together: where all clients leave before, Ollama gives
            // each load up, and none ever ends.
            let patience = dice.within(2, 15) + if *name == "calm" { 20 } else { 0 };
            text.push_str(&format!("patience_seconds = {patience}.5\n"));
        }
        if dice.often(30) {
            text.push_str(&format!("deadline_seconds = {}.0\n", dice.within(2, 20)));
        }
    }
    text
}
