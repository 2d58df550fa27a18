//! `hosts.csv`: a row for each host, in order of id, as of the end of the run.

use std::path::{Path, PathBuf};

use super::{RowFile, WriteError};
use crate::summary::HostRow;
use crate::tables::HOSTS;

/// Writes `hosts.csv` in the folder `dir`, which must exist; the rows are those of
/// [`Metrics::host_rows`](crate::metrics::Metrics::host_rows).
///
/// # Errors
/// Where the file cannot be created or the disk takes no more.
pub fn write_hosts(dir: &Path, hosts: &[HostRow]) -> Result<PathBuf, WriteError> {
    let mut file = RowFile::create(dir, &HOSTS)?;
    let decimals = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
    for host in hosts {
        file.row(|row| {
            row.text(&host.host).integer(host.requests).integer(host.finished).integer(host.failed);
            row.word(&decimals(host.ttft_ms_mean)).word(&decimals(host.ttft_ms_max)).seconds(host.busy_nanos);
            row.word(&decimals(Some(host.gpu_busy_share)));
            row.integer(host.output_tokens).integer(host.prompt_tokens).integer(host.cached_tokens);
            row.integer(host.model_loads).integer(host.evictions);
            host.tier_hits.rows().into_iter().for_each(|(_, hits)| {
                row.integer(hits);
            });
            row.word(&host.energy_kwh.map(|kwh| format!("{kwh:.9}")).unwrap_or_default());
        })?;
    }
    file.finish()
}
