//! The engine alone: M/M/100, 5 million jobs, beside a plain loop; ratios of CPU time, taken in turns in one run.
//!
//! `cargo bench -p benches --bench engine`

use benches::cpu;
use benches::queue::{Case, event_queue, plain, tournament};

/// A form and its name.
type Form = (&'static str, fn(Case) -> u64);

fn main() {
    let case = Case { servers: 100, load: 0.9, jobs: 5_000_000 };
    let forms: [Form; 3] =
        [("plain loop over BinaryHeap", plain), ("event queue", event_queue), ("tournament", tournament)];
    // Two events a job: its arrival and its departure.
    let events = (case.jobs * 2) as f64;
    let mut times = [const { Vec::new() }; 3];
    let mut totals = [0; 3];
    for round in 0..6 {
        for (index, (_, form)) in forms.iter().enumerate() {
            let before = cpu::process_nanos();
            totals[index] = form(case);
            if round > 0 {
                times[index].push((cpu::process_nanos() - before) as f64 / events);
            }
        }
    }
    assert!(totals.iter().all(|total| *total == totals[0]), "the forms differ: {totals:?}");
    println!(
        "M/M/{} at load {}, {} jobs, CPU time per event, 5 rounds in turns",
        case.servers, case.load, case.jobs
    );
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let base = median(&mut times[0]);
    for (index, (name, _)) in forms.iter().enumerate() {
        let median = median(&mut times[index]);
        let (least, most) = (times[index][0], times[index][times[index].len() - 1]);
        println!("{name:28} {median:6.1} ns ({least:.1} to {most:.1})  {:.2} x", median / base);
    }
}
