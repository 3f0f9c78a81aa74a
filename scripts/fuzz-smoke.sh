#!/usr/bin/env bash
# Runs each fuzz target for SECONDS_EACH (default 60) seconds, on a stable toolchain and without cargo-fuzz: see fuzz/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
for target in fuzz/fuzz_targets/*.rs; do
    fuzz/run "$(basename "$target" .rs)" "${SECONDS_EACH:-60}" -print_final_stats=1
done
