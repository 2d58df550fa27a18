//! Production traces, where they are at hand (the folder that `HERDER_DATA` names, else `../shared/data`): both engines
//! give the same digest on each, on 8 and on 100 hosts.

#[path = "simulated/data.rs"]
mod data;

use std::process::Command;

use data::data;
use serde_json::Value;

/// (file, requests in it that have tokens).
const TRACES: &[(&str, u64)] = &[
    ("llm-traces/azure-2023/AzureLLMInferenceTrace_code.csv", 8_819),
    ("llm-traces/azure-2023/AzureLLMInferenceTrace_conv.csv", 19_366),
    ("llm-traces/mooncake/conversation_trace.jsonl.gz", 12_031),
    ("llm-traces/burstgpt/burstgpt_slice.csv", 383),
    ("llm-traces/burstgpt/burstgpt3_slice.csv", 399),
];

fn run(trace: &std::path::Path, hosts: u32, engine: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_herder"))
        .args(["run", "--json", "--engine", engine, "--set", &format!("fleet.hosts={hosts}"), "--trace"])
        .arg(trace)
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one object")
}

#[test]
fn both_engines_give_the_same_digest_on_every_trace() {
    for (file, requests) in TRACES {
        let Some(trace) = data(file) else { continue };
        for hosts in [8, 100] {
            let (jumping, stepping) = (run(&trace, hosts, "coalesced"), run(&trace, hosts, "stepwise"));
            println!("{file} on {hosts} hosts: {}", jumping["digest"]);
            assert_eq!(jumping["digest"], stepping["digest"], "{file} on {hosts} hosts");
            assert_eq!(jumping["requests"]["arrived"], *requests, "{file}");
            for key in
                ["requests", "ttft_ms", "tpot_ms", "e2e_ms", "model_loads", "evictions", "simulated_seconds"]
            {
                assert_eq!(jumping[key], stepping[key], "{key} of {file} on {hosts} hosts");
            }
        }
    }
}
