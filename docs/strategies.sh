#!/usr/bin/env bash
# The tables of docs/strategies.md: every balancer, then every scheduler, on built-in scenarios.
# Usage: cargo build --release && docs/strategies.sh
set -euo pipefail
cd "$(dirname "$0")/.."
herder=target/release/herder

names() {
    "$herder" strategies --json | python3 -c "import json, sys; print(*(s['name'] for s in json.load(sys.stdin)['$1']))"
}

row() { # name, then arguments of a run
    local name=$1
    shift
    "$herder" run "$@" --json | python3 -c "
import json, sys
run = json.load(sys.stdin)
ttft = run['ttft_ms']
print('| $name | {:,.0f} | {:,.0f} | {:.1f} % | {:,} | {:.1f} % |'.format(
    ttft['p50'], ttft['p99'], 100 * run['goodput_share'], run['model_loads'], 100 * run['prefix_cache_hit_share']))"
}

head() {
    printf '\n**%s**\n\n| %s | TTFT p50 [ms] | TTFT p99 [ms] | goodput | loads | prefix hits |\n|---|--:|--:|--:|--:|--:|\n' "$1" "$2"
}

# A scenario: options that declare a source of metrics for every group of hosts, which some balancers require.
metrics() {
    local groups
    groups=$("$herder" scenario show "$1" | grep -c '^\[\[fleet.group\]\]')
    for ((group = 0; group < groups; group++)); do
        printf -- '--set\nfleet.group[%d].metrics=true\n' "$group"
    done
}

for scenario in default chat more-models-than-vram; do
    head "$scenario" balancer
    mapfile -t measured < <(metrics "$scenario")
    for balancer in $(names balancers); do
        row "$balancer" "$scenario" --set control.balancer="$balancer" "${measured[@]}"
    done
done
head "default, 5 requests/s on average instead of 3, balancer model-affinity" scheduler
for scheduler in $(names schedulers); do
    row "$scheduler" default --set control.balancer=model-affinity --set control.scheduler="$scheduler" \
        --set workload.arrivals.daily.mean_rate_per_second=5
done
