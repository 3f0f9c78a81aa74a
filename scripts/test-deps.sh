#!/usr/bin/env bash
# Installs what the tests need where it is missing: readelf, ext4 and XFS tools (power cut), libclang (the test that
# keeps the checked-in bindings equal to the header), Python (clouds' counterparts, which are installed below the target
# directory), Ceph's gateway and OpenStack Swift (the S3 tests). Without root or without a network it says what is missing;
# tests that need it say so.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
need() { command -v "$1" > /dev/null 2>&1 || missing+=("$2"); }
need readelf binutils
need xfs_io xfsprogs
need mkfs.ext4 e2fsprogs
need mount util-linux
need ceph-mon ceph-mon
need ceph-osd ceph-osd
need radosgw radosgw
ldconfig -p 2> /dev/null | grep -q 'libclang' || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' > /dev/null || missing+=(libclang-dev)
python3 -c 'import ensurepip, venv' > /dev/null 2>&1 || missing+=(python3-venv)

install() {
    [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null 2>&1 \
        && apt-get update -qq \
        && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" > /dev/null
}
if [ "${#missing[@]}" -gt 0 ] && ! install "${missing[@]}"; then
    echo "missing: ${missing[*]} (install them with your package manager; the tests that need them fail or say that they are skipped)" >&2
fi

swift="${CARGO_TARGET_DIR:-target}/test-deps/swift"
install_swift() {
    rm -rf "$swift"
    python3 -m venv "$swift" \
        && "$swift/bin/pip" install --quiet --disable-pip-version-check --no-deps -r scripts/swift-requirements.txt \
        && touch "$swift/complete"
}
if [ ! -e "$swift/complete" ] && ! install_swift; then
    rm -rf "$swift"
    echo "missing: OpenStack Swift (of pip, as scripts/swift-requirements.txt says; the S3 tests that need it say that they are skipped)" >&2
fi
