//! The description as text, and its quirks in words.

use std::fmt;

use super::{Inspection, TokenFigures};

/// From this share of rows with the stamp of the row before, the stamps are called coarse ticks.
const COARSE_SHARE: f64 = 0.5;

pub(super) fn quirks(of: &Inspection) -> Vec<String> {
    let mut quirks = Vec::new();
    let arrivals = &of.arrivals;
    if arrivals.repeated_stamps as f64 > COARSE_SHARE * of.rows as f64 {
        let tick = arrivals.tick_seconds_min.unwrap_or_default();
        quirks.push(format!(
            "coarse ticks: {} rows have only {} distinct stamps, at least {tick} s apart; burstiness below that is \
             not told, and the rows can be spread over the tick",
            of.rows, arrivals.stamps
        ));
    } else if arrivals.repeated_stamps > 0 {
        quirks.push(format!(
            "repeated stamps: {} rows have the stamp of the row before",
            arrivals.repeated_stamps
        ));
    }
    if of.rows_without_tokens > 0 {
        quirks.push(format!("{} rows have no prompt or no answer; they are dropped", of.rows_without_tokens));
    }
    if let Some(tasks) = of.tasks.filter(|tasks| tasks.never_run > 0) {
        quirks.push(format!("{} tasks never ran; they are dropped", tasks.never_run));
    }
    if of.rows_without_session > 0 {
        quirks.push(format!("{} rows belong to no session", of.rows_without_session));
    }
    if of.noticed.rows_out_of_order > 0 {
        quirks.push(format!(
            "{} rows stood after a later one; they were put in order",
            of.noticed.rows_out_of_order
        ));
    }
    if of.noticed.answers_estimated > 0 {
        quirks.push(format!(
            "{} answers whose length the log does not tell (their clients left, or they were turned away): estimated",
            of.noticed.answers_estimated
        ));
    }
    if of.noticed.stamp_shapes.len() > 1 {
        quirks.push(format!("mixed stamps: {}", of.noticed.stamp_shapes.join("; ")));
    }
    match (of.endings.crlf, of.endings.lf) {
        (0, _) => {}
        (_, 0) => quirks.push("lines end in CRLF".to_owned()),
        (crlf, lf) => quirks.push(format!("mixed ends of lines: {crlf} CRLF, {lf} LF")),
    }
    if of.endings.unfinished {
        quirks.push("no newline after the last line".to_owned());
    }
    if of.endings.blank > 0 {
        quirks.push(format!("{} blank lines", of.endings.blank));
    }
    if of.endings.byte_order_mark {
        quirks.push("a byte-order mark at the start".to_owned());
    }
    quirks
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compression = self.compression.map_or(String::new(), |compression| format!(", {compression}"));
        writeln!(f, "{} ({}{compression})", self.file, self.format)?;
        writeln!(f, "  rows              {}", self.rows)?;
        let arrivals = &self.arrivals;
        write!(f, "  span              {:.1} s", arrivals.span_seconds)?;
        match arrivals.rate_per_second {
            Some(rate) => writeln!(f, ", {rate:.4} rows/s")?,
            None => writeln!(f)?,
        }
        let shown = |value: Option<f64>| value.map_or("undefined".to_owned(), |value| format!("{value:.2}"));
        let (cv, dispersion) = (shown(arrivals.interarrival_cv), shown(arrivals.dispersion_1s));
        writeln!(
            f,
            "  burstiness        CV of gaps {cv}, dispersion at 1 s {dispersion} (both 1 for Poisson)"
        )?;
        let (peak, gap) = (arrivals.peak_rows_1s, arrivals.gap_seconds_max);
        writeln!(f, "  extremes          {peak} rows in one second, longest gap {gap:.3} s")?;
        let run_seconds = self.tasks.and_then(|tasks| tasks.run_seconds);
        let figures = match self.tasks {
            Some(_) => [("run_s ", run_seconds), ("", None)],
            None => [("prompt", self.prompt_tokens), ("output", self.output_tokens)],
        };
        let heading = if self.tasks.is_some() { "tasks " } else { "tokens" };
        writeln!(f, "  {heading}                 p50       p90       p99       max        mean")?;
        for (name, figures) in figures {
            if let Some(TokenFigures { mean, p50, p90, p99, max, .. }) = figures {
                writeln!(f, "    {name}        {p50:>9} {p90:>9} {p99:>9} {max:>9} {mean:>11.1}")?;
            }
        }
        if !self.models.is_empty() {
            let models: Vec<String> = self
                .models
                .iter()
                .take(10)
                .map(|model| format!("{} ({})", model.model, model.rows))
                .collect();
            let more = self.models.len().saturating_sub(10);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            writeln!(f, "  models            {}{more}", models.join(", "))?;
        }
        if let Some(sessions) = self.sessions {
            writeln!(f, "  sessions          {sessions}")?;
        }
        if let Some(blocks) = self.blocks {
            write!(f, "  prefix blocks     {}", blocks.blocks)?;
            match (blocks.distinct, blocks.prefix_hit_share) {
                (Some(distinct), Some(share)) => {
                    writeln!(f, ", {distinct} distinct; {:.1} % hits in an endless cache", share * 100.0)?;
                }
                _ => writeln!(f, ", too many distinct ones to count")?,
            }
        }
        for quirk in &self.quirks {
            writeln!(f, "  quirk             {quirk}")?;
        }
        if self.bad.rows > 0 {
            writeln!(f, "  bad rows          {} left out, the first of them:", self.bad.rows)?;
            for bad in &self.bad.first {
                writeln!(f, "    {bad}")?;
            }
        }
        Ok(())
    }
}
