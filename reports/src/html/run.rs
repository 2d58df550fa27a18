//! The page of a run: the tables of the report as text, with what the plots show beside them.
//!
//! Left out: what depends on the machine, so that the same run gives the same page.

use super::{Card, Cell, Page, Section, Table, Tone, charts_of_run as charts};
use crate::events::EVENTS_MAX;
use crate::plots::Drawn;
use crate::summary::{ROWS_MAX, Summary};
use crate::text::format::{count, millis, percent, rate};
use crate::text::{self, Block, Limits};

/// Rows of a page; a summary has no more.
const LIMITS: Limits = Limits { rows: ROWS_MAX - 1, events: EVENTS_MAX };

/// What a page of a run shows.
#[derive(Clone, Copy, Debug)]
pub struct RunPage<'a> {
    /// What came of it.
    pub summary: &'a Summary,
    /// What its plots show.
    pub drawn: Drawn<'a>,
    /// The command that gives the same run again.
    pub command: &'a str,
}

/// The page of a run.
#[must_use]
pub fn run_page(run: &RunPage<'_>) -> Page {
    let RunPage { summary, drawn, command } = *run;
    let mut sections: Vec<Section> = text::sections(summary, LIMITS).into_iter().map(section).collect();
    for section in &mut sections {
        section.charts = match section.heading.as_str() {
            "Latencies" => charts::latencies(drawn.metrics),
            "Throughput" => charts::over_time(&drawn),
            "Models" => charts::models(&drawn),
            "Hosts, busiest first" => charts::hosts(&drawn),
            _ => Vec::new(),
        };
    }
    if let Some(traffic) = drawn.traffic.filter(|traffic| !traffic.bins.is_empty()) {
        sections.push(Section { charts: charts::transfers(traffic), ..Section::new("Transfers") });
    }
    // What came of it is read first, and what ran last.
    let (mut what_ran, mut rest): (Vec<Section>, Vec<Section>) =
        sections.into_iter().partition(|section| matches!(section.heading.as_str(), "Run" | "Assumptions"));
    for section in what_ran.iter_mut().filter(|section| section.heading == "Run") {
        section.heading = "What ran".to_owned();
        section.tables.iter_mut().for_each(|table| table.caption.clone_from(&section.heading));
        section.text.push(
            "One run is one sample: replicates = 1, so no figure here has an interval, and a difference from another \
             run may be chance. The command “herder compare” tells the two apart."
                .to_owned(),
        );
    }
    rest.append(&mut what_ran);
    Page {
        title: format!("Run of {}", drawn.title.scenario),
        under: drawn.title.line(drawn.timeline.hosts_len()),
        warning: if summary.interrupted {
            "Stopped before its end: everything here is of the part that ran.".to_owned()
        } else {
            String::new()
        },
        cards: cards(summary),
        sections: rest,
        command: command.to_owned(),
    }
}

fn section(of: text::Section) -> Section {
    let mut section = Section::new(&of.heading);
    for block in of.blocks {
        match block {
            Block::Line(line) => section.text.push(line),
            Block::Note(note) => section.notes.push(note),
            Block::Warning(_) => {} // It stands at the head of the page.
            Block::Table(table) => {
                let mut table = Table::of_text(&of.heading, &table);
                table.rows.iter_mut().filter(|row| ends_with_more(row)).for_each(|row| quiet(row));
                section.tables.push(table);
            }
        }
    }
    section
}

/// Whether a row counts those that have none: `12 more`.
fn ends_with_more(row: &[Cell]) -> bool {
    row.first()
        .and_then(|cell| cell.text.strip_suffix(" more"))
        .is_some_and(|number| number.parse::<u64>().is_ok())
}

fn quiet(row: &mut [Cell]) {
    row.iter_mut().for_each(|cell| cell.tone = Tone::Quiet);
}

fn cards(summary: &Summary) -> Vec<Card> {
    let requests = &summary.requests;
    let good = summary
        .goodput_share
        .map_or(String::new(), |share| format!("{:.1} % of the arrivals; ", share * 100.0));
    let objective = format!(
        "{good}TTFT within {}, TPOT within {}",
        millis(Some(summary.slo_ttft_ms)),
        millis(Some(summary.slo_tpot_ms))
    );
    let [ttft, tpot, e2e] = [&summary.ttft_ms, &summary.tpot_ms, &summary.e2e_ms];
    let of_all = |value: u64| match percent(value, requests.arrived) {
        share if share.is_empty() => share,
        share => format!("{share} of the arrivals"),
    };
    let busy =
        summary.gpu_busy_share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0));
    vec![
        Card::new(
            "Requests arrived",
            count(requests.arrived),
            format!("{} in a second", rate(summary.arrivals_per_second)),
        ),
        Card::new("Finished", count(requests.finished), of_all(requests.finished)),
        Card::new("Goodput", format!("{} requests/s", rate(summary.goodput_per_second)), objective),
        Card::new("First token (TTFT), p50", millis(ttft.p50), format!("mean {}", millis(ttft.mean))),
        Card::new("First token (TTFT), p95", millis(ttft.p95), ""),
        Card::new("First token (TTFT), p99", millis(ttft.p99), format!("{} at most", millis(ttft.max))),
        Card::new("Per token (TPOT), p50", millis(tpot.p50), format!("p99 {}", millis(tpot.p99))),
        Card::new("End to end, p50", millis(e2e.p50), format!("p99 {}", millis(e2e.p99))),
        Card::new(
            "Output",
            format!("{} tokens/s", rate(summary.output_tokens_per_second)),
            "of finished requests",
        ),
        Card::new("GPU busy", busy, "of the time, mean of all hosts"),
        Card::new(
            "Loads of models",
            count(summary.model_loads),
            format!("{} evictions", count(summary.evictions)),
        ),
        Card::new(
            "Queue wait, p99",
            millis(summary.queue_wait_ms.p99),
            format!("p50 {}", millis(summary.queue_wait_ms.p50)),
        ),
    ]
}
