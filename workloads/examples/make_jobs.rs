//! Makes jobs and nothing else, to time it from outside: `time make_jobs [requests] [workload.toml]`.
//! Prints how many, their tokens, and when the last one arrived.

use std::path::Path;

use control::request::Outcome;
use workloads::config::WorkloadFile;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let requests = arguments.next().map_or(Ok(10_000_000), |text| text.parse())?;
    let text = arguments.next().map_or(Ok(String::new()), std::fs::read_to_string)?;
    let file = WorkloadFile { requests: Some(requests), ..toml::from_str(&text)? };
    let mut source = file.check(Path::new("."))?.source(1)?;
    let (mut jobs, mut tokens) = (0_u64, 0_u64);
    let mut last = control::units::Instant::ZERO;
    while let Some(at) = source.next_arrival()? {
        let taken = source.take();
        // By reference, so that what is timed is the making of jobs, not their moving.
        let job = match &taken {
            Ok(Some(job)) => job,
            Ok(None) => break,
            Err(error) => return Err(error.to_string().into()),
        };
        jobs += 1;
        tokens += u64::from(job.prompt_tokens) + u64::from(job.output_tokens);
        last = at;
        if source.wants_feedback() {
            source.ended(job.id, at, Outcome::Finished);
        }
    }
    println!("{jobs} jobs, {tokens} tokens, the last at {last}");
    Ok(())
}
