//! What was looked at: a row for each fleet that was run, in `plan.json` and, for tables and plots of others, in `plan.csv`.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::judge::Judged;
use super::load::Load;
use super::slo::{Slo, Standing};
use crate::compare::measures::{number_text, rounded};

/// A fleet that was run for a load; measured numbers to a millionth.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Looked {
    /// The load.
    pub load: Load,
    /// What it is made of.
    pub candidate: String,
    /// How many hosts it has.
    pub hosts: u32,
    /// Whether it ran on replicates on which no choice rests.
    pub fresh: bool,
    /// Replicates that were run: fewer where the first were far off.
    pub replicates: usize,
    /// How it stands to each objective.
    pub standings: Vec<Standing>,
    /// Whether it meets all.
    pub meets: bool,
    /// What an hour of it costs, hosts and electricity, in hundredths of a currency; nothing where no price is known.
    pub cents_per_hour: Option<f64>,
    /// What all of it draws, mean over the time of a run, in watts; nothing where that is not known of a GPU.
    pub watts: Option<f64>,
}

impl Looked {
    /// A fleet by its candidate, hosts and cost, with what came of it.
    pub(super) fn at(
        load: Load,
        (candidate, hosts, cents_per_hour): (&str, u32, Option<f64>),
        judged: &Judged,
        fresh: bool,
    ) -> Self {
        Self {
            load,
            candidate: candidate.to_owned(),
            hosts,
            fresh,
            replicates: judged.replicates,
            standings: judged.standings.iter().map(standing).collect(),
            meets: judged.meets,
            cents_per_hour: cents_per_hour.map(rounded),
            watts: judged.watts().map(rounded),
        }
    }
}

fn standing(of: &Standing) -> Standing {
    Standing { mean: of.mean.map(rounded), worst: of.worst.map(rounded), ..of.clone() }
}

/// The rows as comma-separated values, with a header.
///
/// # Errors
/// Where a name cannot be written.
pub fn rows<'a>(slos: &[Slo], looked: impl Iterator<Item = &'a Looked>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let of_slo = slos.iter().flat_map(|slo| {
        let key = slo.measure().key;
        [format!("{key}_mean"), format!("{key}_at_worst"), format!("{key}_limit")]
    });
    let leading = ["load", "load_unit", "candidate", "hosts", "seeds", "replicates"].map(str::to_owned);
    let last = ["met", "cents_per_hour", "watts_mean"].map(str::to_owned);
    writer.write_record(leading.into_iter().chain(of_slo).chain(last))?;
    for looked in looked {
        let (load, unit) = match looked.load {
            Load::PerSecond(rate) => (format!("{rate:?}"), "per_second"),
            Load::Users(users) => (users.to_string(), "users"),
        };
        let seeds = if looked.fresh { "fresh" } else { "searched" };
        let leading = [
            load,
            unit.to_owned(),
            looked.candidate.clone(),
            looked.hosts.to_string(),
            seeds.to_owned(),
            looked.replicates.to_string(),
        ];
        let of_slo = looked
            .standings
            .iter()
            .flat_map(|standing| [standing.mean, standing.worst, Some(standing.limit)].map(number_text));
        let last = [looked.meets.to_string(), number_text(looked.cents_per_hour), number_text(looked.watts)];
        writer.write_record(leading.into_iter().chain(of_slo).chain(last))?;
    }
    Ok(writer.into_inner().map_err(|error| error.into_error())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::measures;

    #[test]
    fn a_row_has_the_load_the_fleet_and_how_it_stands_to_each_objective() {
        let slos: Vec<Slo> = vec!["ttft_p95_all_ms<=1000".parse().unwrap()];
        let values = [Some(800.0), Some(f64::INFINITY)];
        let mut judged = Judged {
            standings: vec![slos[0].stand(&values[..1], 0.95, 1)],
            meets: false,
            replicates: 2,
            means: vec![None; measures::ALL.len()],
        };
        judged.means[measures::find("watts_mean").unwrap()] = Some(1_234.567_890_12);
        let one = Looked::at(Load::Users(60), ("rtx-4090, 4 slots", 7, Some(280.123_456_78)), &judged, false);
        judged.standings = vec![slos[0].stand(&values, 0.95, 1)];
        let two = Looked::at(Load::PerSecond(2.5), ("as it is", 1, None), &judged, true);
        let rows = String::from_utf8(rows(&slos, [&one, &two].into_iter()).unwrap()).unwrap();
        assert_eq!(
            rows,
            "load,load_unit,candidate,hosts,seeds,replicates,ttft_p95_all_ms_mean,ttft_p95_all_ms_at_worst,ttft_p95_all_ms_limit,met,cents_per_hour,watts_mean\n\
             60,users,\"rtx-4090, 4 slots\",7,searched,2,800.0,,1000.0,false,280.123457,1234.56789\n\
             2.5,per_second,as it is,1,fresh,2,inf,,1000.0,false,,1234.56789\n"
        );
    }
}
