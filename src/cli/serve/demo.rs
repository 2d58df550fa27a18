//! `herder serve --demo`: what is there, what to try, and a line that tells what happens.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use control::facts::Counters;
use live::ServeSummary;
use live::demo::{CONTROL, Demo, DemoOptions, Tally};
use tokio::sync::watch;

use super::print;

/// Seed of the load: the same requests on every run.
const SEED: u64 = 1;
/// How often the line is written anew on a terminal.
const TERMINAL_PERIOD: Duration = Duration::from_secs(1);
/// How often a line is added elsewhere.
const PIPE_PERIOD: Duration = Duration::from_secs(5);

/// Starts everything, tells of it, and runs until it is asked to end.
pub(super) async fn run(listen: SocketAddr, requests_per_second: f64) -> Result<ServeSummary> {
    let stopped = live::stop::signal();
    let demo = Demo::bind(DemoOptions { listen, requests_per_second, seed: SEED }).await?;
    print(&opening(&demo, requests_per_second))?;
    let status = status(demo.counters(), demo.tally());
    let serving = demo.run(stopped);
    tokio::select! {
        summary = serving => {
            if io::stderr().is_terminal() {
                writeln!(io::stderr())?;
            }
            Ok(summary?)
        }
        failed = status => Err(failed.into()),
    }
}

/// Where to look. Whatever listens is named here, and nowhere else.
fn addresses(demo: &Demo) -> Vec<(&'static str, String)> {
    let gateway = ("gateway (Ollama's API)", format!("http://{}", demo.address()));
    let admin = demo.admin_address().map(|address| ("dashboard", format!("http://{address}/")));
    std::iter::once(gateway).chain(admin).collect()
}

fn opening(demo: &Demo, requests_per_second: f64) -> String {
    let mut text =
        format!("herder listens on http://{} in front of {} hosts\n\n", demo.address(), demo.hosts().len());
    for host in demo.hosts() {
        text.push_str(&format!(
            "  {:<10} {:<9} http://{:<22} {}\n",
            host.name,
            host.gpu,
            host.address.to_string(),
            host.models.join(", ")
        ));
    }
    text.push_str(
        "\nThe hosts are emulated: real times of loading and answering, made-up words. The gateway decides by\n",
    );
    for line in CONTROL.lines() {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str(&match requests_per_second {
        none if none <= 0.0 => "\nNobody asks anything. Open:\n".to_owned(),
        rate => format!("\nThey are asked {rate} times a second. Open:\n"),
    });
    for (what, address) in addresses(demo) {
        text.push_str(&format!("  {what:<24} {address}\n"));
    }
    let model = demo.hosts()[0].models[0];
    text.push_str(&format!(
        "\nTry:\n  curl http://{}/api/chat -d '{{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'\n",
        demo.address()
    ));
    if let Some(admin) = demo.admin_address() {
        text.push_str(&format!("  herder ctl --address {admin} decisions\n"));
    }
    text.push_str(&format!(
        "  curl -X PUT http://{}/emulated/faults -d '{{\"faults\": [{{\"fault\": \"error\", \"percent\": 50}}]}}'   # a host that fails\n\
         \nCtrl-C ends it.\n\n",
        demo.hosts()[0].address
    ));
    text
}

/// Tells what happens until its caller has heard enough; ends only where nobody reads it.
async fn status(counters: watch::Receiver<Counters>, tally: Arc<Tally>) -> io::Error {
    let terminal = io::stderr().is_terminal();
    let period = if terminal { TERMINAL_PERIOD } else { PIPE_PERIOD };
    let started = tokio::time::Instant::now();
    let mut ticks = tokio::time::interval_at(started + period, period);
    loop {
        ticks.tick().await;
        let line = line(started.elapsed(), &counters.borrow(), &tally);
        // On a terminal: back to the start of the line, and what stood there is erased.
        let written =
            if terminal { write!(io::stderr(), "\r{line}\x1b[K") } else { writeln!(io::stderr(), "{line}") };
        if let Err(error) = written.and_then(|()| io::stderr().flush()) {
            return error;
        }
    }
}

fn line(elapsed: Duration, counters: &Counters, tally: &Tally) -> String {
    let seconds = elapsed.as_secs();
    let ended = counters.finished + counters.rejected + counters.failed + counters.cancelled;
    let mut line = format!(
        "{:02}:{:02}  {} requests, {} under way: {} finished, {} rejected, {} failed, {} cancelled",
        seconds / 60,
        seconds % 60,
        counters.arrived,
        counters.arrived.saturating_sub(ended),
        counters.finished,
        counters.rejected,
        counters.failed,
        counters.cancelled
    );
    if let Some(median) = tally.first_token_median() {
        line.push_str(&format!("; median time to first token {} ms", median.as_millis()));
    }
    if tally.left_out() > 0 {
        line.push_str(&format!("; {} left out, the fleet is too slow for the load", tally.left_out()));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_what_became_of_the_requests() {
        let counters = Counters { arrived: 12, finished: 7, rejected: 1, failed: 1, ..Counters::default() };
        assert_eq!(
            line(Duration::from_secs(75), &counters, &Tally::default()),
            "01:15  12 requests, 3 under way: 7 finished, 1 rejected, 1 failed, 0 cancelled"
        );
    }
}
