#!/usr/bin/env bash
# Writes the tables of docs/profiles.md anew: GPUs, models and measured profiles, with their sources.
# Usage: cargo build --release && docs/profiles.sh
set -euo pipefail
cd "$(dirname "$0")/.."
page=docs/profiles.md

{
    sed '/^<!-- tables -->$/q' "$page"
    echo
    target/release/herder profiles specs
} >"$page.partial"
mv "$page.partial" "$page"
