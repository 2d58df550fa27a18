#!/usr/bin/env bash
# The tables of docs/benchmarks.md, between its markers: measured here and now, some ten minutes on a quiet machine.
# Usage: cargo build --release && docs/benchmarks.sh [FOLDER]
# FOLDER keeps records and plots; where it holds records already, the tables are made of those and nothing is measured.
set -euo pipefail
cd "$(dirname "$0")/.."
herder=target/release/herder
if [ $# -gt 0 ]; then
    folder=$1
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi

if [ ! -e "$folder/bench.json" ]; then
    # Threads begin to pay beyond the scales of the others. They come first: what is there last is complete.
    "$herder" bench least-score --scales 10,100,1000,10000,100000 --out "$folder/threads"
    "$herder" bench --out "$folder/all"
    mv "$folder/all"/* "$folder"
    rmdir "$folder/all"
fi

python3 - "$folder" docs/benchmarks.md <<'EOF'
import json, re, sys
from pathlib import Path

folder, page = Path(sys.argv[1]), Path(sys.argv[2])


def pairs(path):
    """By component: (baseline, optimised) at each scale, in the order of the file."""
    of = {}
    records = json.loads(path.read_text())
    for baseline, optimised in zip(records[::2], records[1::2]):
        of.setdefault(optimised['component'], []).append((baseline, optimised))
    return of


def short(value):
    return f'{value:.2f}' if value < 9.995 else f'{value:.1f}' if value < 99.95 else f'{value:,.0f}'


def time(nanos):
    for unit, size in [('ns', 1), ('µs', 1e3), ('ms', 1e6)]:
        if nanos < 999.5 * size:
            return f'{short(nanos / size)} {unit}'
    return f'{short(nanos / 1e9)} s'



def factor(optimised):
    value = optimised['improvement_factor']
    text = f'{value:.2f}' if value < 9.995 else f'{value:,.0f}'
    return text if optimised['verdict'] == 'gain' else f'{text} (no gain)'


def growth(record):
    return f"{record['complexity_claimed']} / {record['complexity_measured'] or '–'}".replace('^2', '²').replace('^3', '³')


def wins(record):
    return f"{record['crossover']:,}" if isinstance(record['crossover'], int) else record['crossover']


def results(components):
    scales = sorted({optimised['scale'] for rows in components.values() for _, optimised in rows})
    last = f'{scales[-1]:,}'
    noise = {optimised['time_of']: optimised['noise_percent'] for rows in components.values() for _, optimised in rows}
    said = ', '.join(f'{percent:.1f} % of {clock}' for clock, percent in sorted(noise.items()))
    yield f'Noise, one form against itself (`same/same`): {said}.'
    yield ''
    yield f"| component | {' | '.join(f'{scale:,}' for scale in scales)} | baseline, {last} | optimised, {last} | baseline: claimed / measured | optimised: claimed / measured | wins from |"
    yield '|---' + '|--:' * (len(scales) + 2) + '|---|---|--:|'
    for name, rows in components.items():
        at = {optimised['scale']: factor(optimised) for _, optimised in rows}
        baseline, optimised = rows[-1]
        cells = [name, *(at.get(scale, '–') for scale in scales), time(baseline['time_nanos']),
                 time(optimised['time_nanos']), growth(baseline), growth(optimised), wins(optimised)]
        yield f"| {' | '.join(cells)} |"


def memory(components):
    yield '| component | queued requests | baseline, bytes each | optimised, bytes each |'
    yield '|---|--:|--:|--:|'
    for name, rows in components.items():
        baseline, optimised = rows[-1]
        if name.startswith('backlog/'):
            each = [f"{record['live_bytes_per_unit']:.0f}" for record in (baseline, optimised)]
            yield f"| {name} | {optimised['scale']:,} | {' | '.join(each)} |"


def exchange(components):
    yield '| keys | every digest, bytes | trees, bytes |'
    yield '|--:|--:|--:|'
    for baseline, optimised in components['change-detection/diff']:
        cells = [f"{32 * record['counted_per_operation']:,.0f}" for record in (baseline, optimised)]
        yield f"| {optimised['scale']:,} | {' | '.join(cells)} |"


def threads(components):
    yield '| hosts | one thread | two threads | factor | CPU time of two over one |'
    yield '|--:|--:|--:|--:|--:|'
    for baseline, optimised in components['least-score']:
        cpu = optimised['cpu_nanos'] / baseline['cpu_nanos']
        yield f"| {optimised['scale']:,} | {time(baseline['time_nanos'])} | {time(optimised['time_nanos'])} | {factor(optimised)} | {cpu:.2f} |"
    yield ''
    yield f"Two threads win from: {wins(optimised)}."


text = page.read_text()
everything = pairs(folder / 'bench.json')
for name, lines in [('results', results(everything)), ('memory', memory(everything)), ('exchange', exchange(everything)),
                    ('threads', threads(pairs(folder / 'threads' / 'bench.json')))]:
    begin, end = f'<!-- begin {name} -->', f'<!-- end {name} -->'
    if text.count(begin) != 1 or text.count(end) != 1:
        sys.exit(f'{page} has no one place for {name}: {begin} … {end}')
    body = '\n'.join(lines)
    text = re.sub(f'{re.escape(begin)}.*{re.escape(end)}', lambda _: f'{begin}\n{body}\n{end}', text, flags=re.DOTALL)
page.write_text(text)
EOF
