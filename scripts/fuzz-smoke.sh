#!/usr/bin/env bash
# Runs each fuzz target for SECONDS_EACH (default 30) seconds. libFuzzer needs an unstable compiler flag, which a stable
# compiler accepts with RUSTC_BOOTSTRAP=1.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo fuzz --version > /dev/null 2>&1 || cargo install cargo-fuzz --locked --quiet
export RUSTC_BOOTSTRAP=1
for target in $(cargo fuzz list); do
    cargo fuzz run "$target" -- -max_total_time="${SECONDS_EACH:-30}" -rss_limit_mb=1024 -timeout=10 -print_final_stats=1
done
