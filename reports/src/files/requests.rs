//! `requests.csv`: a row for each request, in the order in which they ended.

use std::path::{Path, PathBuf};

use control::ids::ArmId;
use control::request::{DoneReason, Outcome};
use traces::record::Record;

use super::{RowFile, WriteError};
use crate::metrics::{MetricsSpec, failure_name, reject_name, tpot};
use crate::tables::REQUESTS;

/// Writes `requests.csv`. The last three columns are defined for finished requests only; `done` and the columns that
/// hosts report are as in the record. Where arms are told apart, `arm` is the one that decided the last attempt.
#[derive(Debug)]
pub struct RequestsCsv {
    file: RowFile,
    models: Vec<String>,
    hosts: Vec<String>,
    by_arm: bool,
    /// By id, as far as they are known.
    arms: Vec<String>,
}

impl RequestsCsv {
    /// Begins `requests.csv` in the folder `dir`, which must exist. Names come from `spec`.
    ///
    /// # Errors
    /// Where no file can be created there.
    pub fn create(dir: &Path, spec: &MetricsSpec) -> Result<Self, WriteError> {
        let file = RowFile::create_with(dir, &REQUESTS, |column| spec.by_arm || column != "arm")?;
        Ok(Self {
            file,
            models: spec.models.clone(),
            hosts: spec.hosts.clone(),
            by_arm: spec.by_arm,
            arms: (0..).map(ArmId).take(spec.arms.len()).map(|arm| spec.arm_name(arm)).collect(),
        })
    }

    /// Appends a request.
    ///
    /// # Errors
    /// Where the disk takes no more; the file then ends after its last whole row.
    pub fn write(&mut self, record: &Record) -> Result<(), WriteError> {
        let Self { file, models, hosts, by_arm, arms } = self;
        file.row(|row| {
            row.integer(record.request.0);
            match models.get(record.model.index()) {
                Some(name) => row.text(name),
                None => row.text(&format!("model-{}", record.model.0)),
            };
            row.integer(record.tenant.0).optional(record.session.map(|session| session.0));
            row.signed(record.priority.into()).seconds(record.arrival.0).instant(record.dispatched);
            row.instant(record.first_token).seconds(record.ended.0);
            match record.host {
                None => row.word(""),
                Some(host) => match hosts.get(host.index()) {
                    Some(name) => row.text(name),
                    None => row.text(&format!("host-{}", host.0)),
                },
            };
            row.integer(record.attempts).integer(record.prompt_tokens).integer(record.cached_tokens);
            row.word(if record.truncated { "true" } else { "false" });
            let usage = &record.usage;
            row.integer(usage.prompt_tokens).integer(usage.output_tokens);
            row.seconds(usage.load.0).seconds(usage.prompt_eval.0).seconds(usage.eval.0);
            let finished = record.outcome == Outcome::Finished;
            row.word(if finished { done_name(usage.done) } else { "" });
            let (outcome, reason) = outcome_names(record.outcome);
            row.word(outcome).word(reason);
            row.span(record.first_token.filter(|_| finished).map(|first| first.since(record.arrival)));
            row.span(tpot(record).filter(|_| finished));
            row.span(finished.then(|| record.ended.since(record.arrival)));
            if *by_arm {
                match (record.host, arms.get(record.arm.index())) {
                    (None, _) => row.word(""),
                    (_, Some(name)) => row.text(name),
                    (_, None) => row.text(&format!("arm-{}", record.arm.0)),
                };
            }
        })
    }

    /// Writes what is buffered and gives the file its name, which is returned. Dropping does the same, without a word
    /// where it fails.
    ///
    /// # Errors
    /// Where the disk takes no more; whole rows are kept.
    pub fn finish(self) -> Result<PathBuf, WriteError> {
        self.file.finish()
    }
}

const fn done_name(done: DoneReason) -> &'static str {
    match done {
        DoneReason::Stop => "stop",
        DoneReason::Length => "length",
        DoneReason::Load => "load",
        DoneReason::Unload => "unload",
    }
}

pub(super) const fn outcome_names(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Finished => ("finished", ""),
        Outcome::Rejected(reject) => ("rejected", reject_name(reject)),
        Outcome::Failed(failure) => ("failed", failure_name(failure)),
        Outcome::Cancelled => ("cancelled", ""),
        Outcome::Unfinished => ("unfinished", ""),
    }
}
