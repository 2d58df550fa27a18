//! The command line: one file a subcommand. Here are the list of them, the exit codes, and how errors are shown.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::available_parallelism;

use clap::{Parser, Subcommand};
use reports::frames;

use crate::scenario::{Overrides, TraceOverride};

mod bench;
mod chaos;
mod compare;
mod completions;
mod ctl;
mod doctor;
mod duration;
mod host;
mod interrupt;
mod key;
mod logging;
mod man;
mod models;
mod plan;
mod profiles;
mod progress;
mod replay;
mod report;
mod run;
mod scenario;
mod serve;
mod strategies;
mod sweep;
mod trace;
mod tune;

const ABOUT: &str = "Replay, compare and run fleets of Ollama hosts: one scheduler, simulated and live";

const EXAMPLES: &str = "\
Examples:
  herder run                                   a small mixed fleet, in seconds
  herder run chat --out results                keep tables, plots and the scenario as it ran
  herder run fleet-1000 --set control.balancer=least-tokens
  herder run --trace azure.csv --rate 2        a production trace, twice as dense
  herder compare --vary control.balancer=random,least-load
  herder plan chat --users 60,120              the cheapest fleet with a p95 first token within a second
  herder strategies                            what schedulers and balancers there are

Exit codes:
  0    done
  1    an input is wrong, or something failed; the message says where
  2    the command line is wrong
  3    replay: control decided otherwise than the log says
  4    chaos: something did not hold; the message says what, and how to repeat it
  5    plan: nothing meets the objectives
  130  stopped by Ctrl-C; what was whole has been written";

/// The program's command line.
#[derive(Parser, Debug)]
#[command(name = "herder", version, about = ABOUT, after_help = EXAMPLES, max_term_width = 100)]
#[command(arg_required_else_help = true, infer_long_args = false)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Run(run::Args),
    Compare(compare::Args),
    Sweep(sweep::Args),
    Plan(plan::Args),
    Tune(tune::Args),
    Report(report::Args),
    Trace(trace::Args),
    Profiles(profiles::Args),
    Scenario(scenario::Args),
    Strategies(strategies::Args),
    Serve(serve::Args),
    Ctl(ctl::Args),
    Models(models::Args),
    Key(key::Args),
    Doctor(doctor::Args),
    Host(host::Args),
    Replay(replay::Args),
    Bench(bench::Args),
    Chaos(chaos::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// What commands that run a scenario many times lay over it.
#[derive(clap::Args, Debug)]
struct Over {
    /// Lay a value over the scenario in every run; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,

    /// The first seed; the scenario's own where absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: Option<u64>,

    /// A file with GPUs, models and profiles of your own
    #[arg(long, value_name = "FILE")]
    profiles: Option<PathBuf>,
}

impl Over {
    fn overrides(&self, trace: Option<TraceOverride>) -> Overrides {
        Overrides { sets: self.sets.clone(), seed: self.seed, profiles: self.profiles.clone(), trace }
    }
}

/// How a subcommand ended, where it did not fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    /// Done.
    Done,
    /// A replay differed.
    Differs,
    /// Something that must hold did not.
    Violated,
    /// Nothing meets the objectives of a plan.
    Unmet,
    /// Stopped by Ctrl-C.
    Interrupted,
}

/// Runs the program on the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = match cli.command {
        Command::Run(args) => run::main(&args),
        Command::Compare(args) => compare::main(&args),
        Command::Sweep(args) => sweep::main(&args),
        Command::Plan(args) => plan::main(&args),
        Command::Tune(args) => tune::main(&args),
        Command::Report(args) => report::main(&args),
        Command::Trace(args) => trace::main(&args),
        Command::Profiles(args) => profiles::main(&args),
        Command::Scenario(args) => scenario::main(&args),
        Command::Strategies(args) => strategies::main(&args),
        Command::Serve(args) => serve::main(&args),
        Command::Ctl(args) => ctl::main(&args),
        Command::Models(args) => models::main(&args),
        Command::Key(args) => key::main(&args),
        Command::Doctor(args) => doctor::main(&args),
        Command::Host(args) => host::main(&args),
        Command::Replay(args) => replay::main(&args),
        Command::Bench(args) => bench::main(&args),
        Command::Chaos(args) => chaos::main(&args),
        Command::Completions(args) => completions::main(&args),
        Command::Man(args) => man::main(&args),
    };
    match ended {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Differs) => ExitCode::from(3),
        Ok(Ending::Violated) => ExitCode::from(4),
        Ok(Ending::Unmet) => ExitCode::from(5),
        Ok(Ending::Interrupted) => ExitCode::from(130),
        Err(error) if reader_left(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            for cause in error.chain().skip(1).map(ToString::to_string) {
                // Many errors repeat their cause in their own words.
                if !text.contains(&cause) {
                    text.push_str(&format!("\n  caused by: {cause}"));
                }
            }
            if !text.starts_with("error") {
                text.insert_str(0, "error: ");
            }
            // Where stderr is closed as well, nobody is left to tell.
            let _ = writeln!(io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}

/// Whoever read our output has seen enough (`herder strategies | head -1`): not an error.
fn reader_left(error: &anyhow::Error) -> bool {
    let broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(broken))
}

/// Prints text to standard output.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says where results are, and how there would be Parquet among them.
fn print_results(folder: &Path) -> io::Result<()> {
    print(&format!("results in {}\n", folder.display()))?;
    if frames::AVAILABLE { Ok(()) } else { writeln!(io::stderr(), "{}", frames::HINT) }
}

/// So many threads, or one for each core.
fn threads(asked: Option<u32>) -> usize {
    asked.map_or_else(|| available_parallelism().map_or(1, usize::from), |threads| threads as usize)
}

/// The command line as it was given, but for options that change nothing in what comes of it.
fn command() -> String {
    const WITHOUT: [&str; 3] = ["--out", "--threads", "--json"];
    let mut words = vec!["herder".to_owned()];
    let mut skip = false;
    for word in std::env::args().skip(1) {
        let option = word.split('=').next().unwrap_or_default();
        if std::mem::take(&mut skip) {
            continue;
        }
        if WITHOUT.contains(&option) {
            skip = option == word && word != "--json";
            continue;
        }
        words.push(shell_word(&word));
    }
    words.join(" ")
}

/// A word as a shell takes it.
fn shell_word(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=.,:/+@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Rows of cells under headings, columns aligned, the last one left as it is.
fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let headings: Vec<String> = headings.iter().map(|&heading| heading.to_owned()).collect();
    for row in [&headings].into_iter().chain(rows) {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_teaches_with_examples() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let nested = command.get_subcommands().next().is_some();
            assert!(nested || help.contains("Example"), "{} has no example", command.get_name());
            assert!(command.get_about().is_some(), "{} says nothing of itself", command.get_name());
        }
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        assert_eq!(shell_word("control.balancer=random,least-load"), "control.balancer=random,least-load");
        assert_eq!(shell_word("ttft_p95_all_ms<=1000"), "'ttft_p95_all_ms<=1000'");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![vec!["a".to_owned(), "long".to_owned()], vec!["bcd".to_owned(), "e".to_owned()]];
        assert_eq!(table(&["x", "y"], &rows), "x    y\na    long\nbcd  e\n");
    }
}
