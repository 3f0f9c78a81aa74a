#!/usr/bin/env bash
# Installs what the tests need where it is missing: readelf, ext4 and XFS tools (power cut), libclang (the test that
# keeps the checked-in bindings equal to the header), Python (clouds' counterparts, which the tests install below the target
# directory). Without root it says what is missing; tests that need it say so.
set -euo pipefail

missing=()
need() { command -v "$1" > /dev/null 2>&1 || missing+=("$2"); }
need readelf binutils
need xfs_io xfsprogs
need mkfs.ext4 e2fsprogs
need mount util-linux
ldconfig -p 2> /dev/null | grep -q 'libclang' || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' > /dev/null || missing+=(libclang-dev)
python3 -c 'import ensurepip, venv' > /dev/null 2>&1 || missing+=(python3-venv)

[ "${#missing[@]}" -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null 2>&1; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
else
    echo "missing: ${missing[*]} (install them with your package manager; the tests that need them fail or say that they are skipped)" >&2
fi
