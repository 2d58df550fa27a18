#!/usr/bin/env bash
# The tables of docs/placement.md: every placement on two built-in scenarios, and beside the best of all static placements on a small case.
# Usage: cargo build --release && docs/placement.sh
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 - "${HERDER:-target/release/herder}" <<'PYTHON'
import itertools, json, subprocess, sys

HERDER = sys.argv[1]
ACT = ["control.placement.act=true", 'control.placement.manage=["*"]']

def run(scenario, sets):
    options = [option for set_ in sets for option in ("--set", set_)]
    done = subprocess.run([HERDER, "run", scenario, "--json", *options], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)

def placements():
    listed = json.loads(subprocess.run([HERDER, "strategies", "--json"], capture_output=True, text=True, check=True).stdout)
    return [placement["name"] for placement in listed["placements"]]

def row(name, summary):
    ttft, moved = summary["ttft_ms"], summary.get("moved", {})
    actions = {action["kind"]: action["done"] for action in summary.get("actions", [])}
    cells = [
        name, f'{ttft["mean"]:,.0f}', f'{ttft["p50"]:,.0f}', f'{ttft["p99"]:,.0f}', f'{100 * summary["goodput_share"]:.1f} %',
        f'{summary["model_loads"]:,}', f'{actions.get("load", 0):,}', f'{summary["evictions"]:,}',
        f'{moved.get("registry_bytes", 0) / 1e9:,.0f}',
    ]
    print("| " + " | ".join(cells) + " |", flush=True)

def head(title):
    print(f"\n**{title}**\n")
    print("| placement | TTFT mean [ms] | p50 | p99 | goodput | loads | of these planned | evictions | GB pulled |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")

SMALL = ["qwen2.5:14b", "gemma3:12b", "llama3.1:8b", "gemma3:4b"]
SMALL_SETS = [
    "workload.requests=1500", "fleet.hosts=2",
    "workload.models.zipf.names=" + json.dumps(SMALL), "fleet.group[0].models=" + json.dumps(SMALL),
]

def oracle():
    """The best of all static placements: each set of models on each host, as pins, simulated."""
    subsets = [subset for size in range(len(SMALL) + 1) for subset in itertools.combinations(range(len(SMALL)), size)]
    best, tried = None, 0
    for first, second in itertools.combinations_with_replacement(subsets, 2):
        if not set(first) | set(second):
            continue
        pins = {name: [f"tower-{host}" for host, subset in ((1, first), (2, second)) if model in subset]
                for model, name in enumerate(SMALL)}
        tables = ", ".join(f'"{name}" = {{ pin = {json.dumps(hosts)} }}' for name, hosts in pins.items() if hosts)
        sets = ["control.placement.strategy=static", f"control.placement.models={{ {tables} }}"]
        summary = run("more-models-than-vram", SMALL_SETS + ACT + sets)
        tried += 1
        if best is None or summary["ttft_ms"]["mean"] < best[0]["ttft_ms"]["mean"]:
            best = (summary, first, second)
    return best, tried

AFFINITY = ["control.balancer=model-affinity"]
for title, scenario, sets in (
    ("more-models-than-vram", "more-models-than-vram", []),
    ("more-models-than-vram, balanced by model-affinity", "more-models-than-vram", AFFINITY),
    ("daily-cycle", "daily-cycle", []),
):
    head(title)
    for placement in placements():
        if placement == "exact" and scenario == "daily-cycle":
            continue
        row(placement, run(scenario, ACT + sets + [f"control.placement.strategy={placement}"]))

head("small: two hosts, four models")
for placement in placements():
    row(placement, run("more-models-than-vram", SMALL_SETS + ACT + [f"control.placement.strategy={placement}"]))
(summary, first, second), tried = oracle()
row("oracle", summary)
print(f"\noracle: the best of {tried} static placements, {[[SMALL[model] for model in host] for host in (first, second)]}")
PYTHON
