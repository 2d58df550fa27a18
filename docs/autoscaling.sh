#!/usr/bin/env bash
# The tables and the picture of docs/autoscaling.md: how much reserve costs, and what it is worth.
# Usage: cargo build --release && docs/autoscaling.sh
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 - "${HERDER:-target/release/herder}" <<'PYTHON'
import json, pathlib, shutil, subprocess, sys, tempfile

HERDER = sys.argv[1]

def run(sets, out=None):
    options = [option for set_ in sets for option in ("--set", set_)]
    options += ["--out", out] if out else []
    done = subprocess.run([HERDER, "run", "autoscaling", "--json", *options], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout)

def table(title, rows):
    print(f"\n**{title}**\n")
    print("| | TTFT p50 [ms] | p95 | p99 | goodput | host-hours | hosts on, mean | cost | started |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name, sets in rows:
        summary = run(sets)
        ttft, hours = summary["ttft_ms"], summary["host_hours"]
        starts = sum(action["done"] for action in summary.get("actions", []) if action["kind"] == "start")
        cells = [
            name, f'{ttft["p50"]:,.0f}', f'{ttft["p95"]:,.0f}', f'{ttft["p99"]:,.0f}', f'{100 * summary["goodput_share"]:.1f} %',
            f'{hours["hours"]:.1f}', f'{hours["on_mean"]:.1f}', f'{hours["cost"]:.2f}', f"{starts}",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)

TARGET = "control.scale.target_percent={}"
WINDOW = "control.scale.window_seconds={}"
COMES = "fleet.group[1].provision_seconds={}"

table("Reserve: the share of slots that is to be at work", [
    ("none rented, ever", ["control.scale.hosts_max=0"]),
    *((f"{target} %", [TARGET.format(target)]) for target in (100, 90, 70, 50, 35)),
    ("all rented, always", ["control.scale.hosts_min=30"]),
])
table("Patience: how long fewer hosts must have been enough", [
    (f"{window} s", [WINDOW.format(window)]) for window in (30, 60, 300, 900)
])
table("How soon a host comes", [(f"{comes} s", [COMES.format(comes)]) for comes in (0, 30, 90, 300, 900)])
with tempfile.TemporaryDirectory() as folder:
    out = str(pathlib.Path(folder) / "run")
    run([], out)
    shutil.copy(pathlib.Path(out) / "scale.png", "docs/autoscaling.png")
PYTHON
