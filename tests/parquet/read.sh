#!/usr/bin/env bash
# Parquet as others read it: a run and a comparison by the herder that is named, read by examples/parquet.py in polars and pandas.
# Usage: tests/parquet/read.sh target/debug/herder
# Exits with 75 where polars and pandas cannot be had.
set -euo pipefail
cd "$(dirname "$0")/../.."
herder=$1
if ! python3 -c 'import pandas, polars, pyarrow' 2>/dev/null; then
    # A folder of our own leaves the machine's Python as it was.
    packages=$PWD/target/python-frames
    pip=(python3 -m pip install --quiet --disable-pip-version-check --no-warn-conflicts --root-user-action ignore)
    if [ ! -d "$packages/polars" ]; then
        timeout 900 "${pip[@]}" --target "$packages" polars pandas pyarrow || exit 75
    fi
    export PYTHONPATH=$packages
fi
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$herder" run --set workload.requests=20000 --out "$out/results" >"$out/run.txt"
"$herder" compare --set workload.requests=2000 --vary control.balancer=random,least-connections --vary fleet.hosts=6,8 \
    --seeds 4 --out "$out/study" >"$out/compare.txt"
"$herder" report --columns >"$out/columns.md"
python3 examples/parquet.py "$out/results" "$out/study"
