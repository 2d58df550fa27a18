#!/usr/bin/env python3
"""Reads what `herder run --out results` and `herder compare --out study` leave, in polars and in pandas.

    cargo build --release --features frames
    target/release/herder run --out results
    target/release/herder compare --vary control.balancer=random,least-connections --seeds 5 --out study
    pip install polars pandas pyarrow
    python3 examples/parquet.py results study

`herder report --columns` says what the columns mean.
"""

import json
import pathlib
import sys

import pandas
import polars

if len(sys.argv) != 3:
    sys.exit(__doc__)
run, study = map(pathlib.Path, sys.argv[1:])

# Polars, lazily: only the columns that are asked for are read.
by_model = (
    polars.scan_parquet(run / "requests.parquet")
    .group_by("model")
    .agg(
        polars.len().alias("requests"),
        (polars.col("outcome") == "finished").sum().alias("finished"),
        polars.col("ttft_s").quantile(0.95, interpolation="linear").alias("ttft_p95_s"),
    )
    .sort("model")
    .collect()
)
print("polars: requests by model")
print(by_model)

# The same in pandas.
requests = pandas.read_parquet(run / "requests.parquet")
again = requests.groupby("model", as_index=False).agg(
    requests=("request", "size"),
    finished=("outcome", lambda outcome: int((outcome == "finished").sum())),
    ttft_p95_s=("ttft_s", lambda ttft: ttft.quantile(0.95)),
)
print("\npandas: requests by model")
print(again.to_string(index=False))

# A comparison: replicates are rows, keys that vary are columns.
values = pandas.read_parquet(study / "compare.parquet")
varied = list(values.columns[: values.columns.get_loc("replicate")])
print("\npandas: goodput by arm, mean over replicates [%]")
print(values.groupby(varied)["goodput_percent"].mean().to_string())

# Both libraries read the same, and it is what the summary and the CSV say.
summary = json.loads((run / "summary.json").read_text())
assert by_model["requests"].sum() == len(requests) == summary["requests"]["arrived"]
assert by_model["finished"].sum() == again["finished"].sum() == summary["requests"]["finished"]
for ours, theirs in zip(by_model["ttft_p95_s"], again["ttft_p95_s"], strict=True):
    assert abs(ours - theirs) < 1e-9, (ours, theirs)
for parquet in [*run.glob("*.parquet"), *study.glob("*.parquet")]:
    typed, text = polars.read_parquet(parquet), polars.read_csv(parquet.with_suffix(".csv"), infer_schema_length=None)
    assert typed.columns == text.columns and len(typed) == len(text), parquet
    for column in typed.columns:
        same = typed[column].cast(polars.String).is_null() == text[column].cast(polars.String).is_null()
        assert same.all(), (parquet, column)
print("\nall files agree with their CSV and the summary")
