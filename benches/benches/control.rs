//! Control alone: arrive, dispatch, first byte, finished, without hosts; CPU time per request for each balancer, with the
//! optimised and with the baseline structures.
//!
//! `cargo bench -p benches --bench control`

use std::collections::VecDeque;

use benches::cpu;
use control::config::ControlFile;
use control::door::{Declaration, Env, Input, NoMeter, Observation, Output, Outputs, StoredModel};
use control::ids::{HostId, ModelId, RequestId, SessionId};
use control::index::Implementation;
use control::request::{Arrive, Usage};
use control::units::{Bytes, Instant};
use control::{Control, balance};

/// Requests under way on each host, on average.
const BUSY: usize = 4;

/// CPU nanoseconds per request, with `hosts` of 64 slots.
fn per_request(balancer: &str, hosts: u32, implementation: Implementation) -> f64 {
    let requests = u64::from(hosts) * 8 + 60_000;
    let file = ControlFile {
        balancer: balancer.into(),
        implementation: implementation.into(),
        ..ControlFile::default()
    };
    let mut control = Control::new(file.check().expect("a valid file"));
    let mut out = Outputs::new();
    let mut meter = NoMeter;
    let mut env = Env { seed: 1, meter: &mut meter };
    control.step(Instant(0), Input::ModelNamed { model: ModelId(0), name: "m".into() }, &mut out, &mut env);
    let stored = vec![StoredModel { model: ModelId(0), bytes: Bytes(1) }];
    for host in 0..hosts {
        let (host, declaration) = (HostId(host), Declaration { slots: 64, ..Declaration::default() });
        control.step(Instant(0), Input::HostDeclared { host, declaration }, &mut out, &mut env);
        let observation = Observation { stored: stored.clone(), ..Observation::default() };
        control.step(Instant(0), Input::Observed { host, observation }, &mut out, &mut env);
    }
    let usage = Usage { prompt_tokens: 800, output_tokens: 200, ..Usage::default() };
    let mut running: VecDeque<(RequestId, u8)> = VecDeque::new();
    let before = cpu::process_nanos();
    for id in 0..requests {
        let (now, request) = (Instant(id * 1_000), RequestId(id));
        let arrive = Arrive {
            request,
            prompt_bytes: Bytes(3_200),
            session: Some(SessionId(id % 5_000)),
            ..Arrive::default()
        };
        control.step(now, Input::Arrive(arrive), &mut out, &mut env);
        for output in out.drain() {
            if let Output::Dispatch(dispatch) = output {
                running.push_back((dispatch.request, dispatch.attempt));
            }
        }
        if running.len() > hosts as usize * BUSY {
            let (request, attempt) = running.pop_front().expect("not empty");
            control.step(now, Input::FirstByte { request, attempt }, &mut out, &mut env);
            control.step(now, Input::Finished { request, attempt, usage }, &mut out, &mut env);
        }
    }
    (cpu::process_nanos() - before) as f64 / requests as f64
}

fn main() {
    println!("{:22} {:>40}   {:>18}", "CPU ns per request", "optimised, hosts", "baseline");
    println!(
        "{:22} {:>8} {:>9} {:>10} {:>10}   {:>8} {:>9}",
        "", 8, 100, "1,000", "10,000", "1,000", "10,000"
    );
    for (_, strategy) in balance::ALL {
        let time = |hosts, implementation| per_request(strategy.name, hosts, implementation);
        let [a, b, c, d] = [8, 100, 1_000, 10_000].map(|hosts| time(hosts, Implementation::Optimised));
        let [e, f] = [1_000, 10_000].map(|hosts| time(hosts, Implementation::Baseline));
        println!("{:22} {a:8.0} {b:9.0} {c:10.0} {d:10.0}   {e:8.0} {f:9.0}", strategy.name);
    }
}
