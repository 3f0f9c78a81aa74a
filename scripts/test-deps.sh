#!/usr/bin/env bash
# Installs what the tests need where it is missing: readelf, ext4 and XFS tools (power cut), namespaces and keys (default endpoints), libclang (the test that
# keeps the checked-in bindings equal to the header), Python (clouds' counterparts, which are installed below the target
# directory), Ceph's gateway and OpenStack Swift (the S3 tests), Node.js and Azurite (the Azure tests). Without root or without a network it says what is missing;
# tests that need it say so.
set -euo pipefail
cd "$(dirname "$0")/.."
# mkfs.ext4 and ldconfig are there; on Debian a plain user's PATH is without them.
export PATH="$PATH:/usr/sbin:/sbin"

missing=()
need() { command -v "$1" > /dev/null 2>&1 || missing+=("$2"); }
need readelf binutils
need xfs_io xfsprogs
need mkfs.ext4 e2fsprogs
need mount util-linux
need unshare util-linux
need ip iproute2
need openssl openssl
need ceph-mon ceph-mon
need ceph-osd ceph-osd
need radosgw radosgw
need node nodejs
need npm npm
ldconfig -p 2> /dev/null | grep 'libclang' > /dev/null || compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' > /dev/null || missing+=(libclang-dev)
python3 -c 'import ensurepip, venv' > /dev/null 2>&1 || missing+=(python3-venv)

install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" > /dev/null
}
if [ "${#missing[@]}" -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null 2>&1; then
    apt-get update -qq || echo "apt-get update failed: installing from the lists that are there" >&2
    # apt-get installs nothing at all when one of the names has no candidate: then each by itself.
    if install "${missing[@]}"; then
        missing=()
    else
        wanted=("${missing[@]}")
        missing=()
        for package in "${wanted[@]}"; do
            install "$package" || missing+=("$package")
        done
    fi
fi
for package in "${missing[@]}"; do
    echo "missing: $package (install it with your package manager; the tests that need it fail or say that they are skipped)" >&2
done

# A virtual environment below the target directory with exactly what scripts/NAME-requirements.txt names.
python_environment() {
    local folder="${CARGO_TARGET_DIR:-target}/test-deps/$1"
    [ ! -e "$folder/complete" ] || return 0
    rm -rf "$folder"
    python3 -m venv "$folder" \
        && "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "scripts/$1-requirements.txt" \
        && touch "$folder/complete" \
        && return 0
    rm -rf "$folder"
    echo "missing: $2 (of pip, as scripts/$1-requirements.txt says; the tests that need it say that they are skipped)" >&2
}
python_environment swift "OpenStack Swift"
python_environment moto "moto, the counterpart of CloudWatch Logs, Kinesis and Firehose"
python_environment google "Google's client library, the judge of requests to Cloud Logging"

# A folder below the target directory with exactly what scripts/NAME/package-lock.json names.
node_environment() {
    local folder="${CARGO_TARGET_DIR:-target}/test-deps/$1"
    [ ! -e "$folder/complete" ] || return 0
    rm -rf "$folder"
    # With an older Node.js it would end in the middle of a test.
    node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' 2> /dev/null \
        && mkdir -p "$folder" \
        && cp "scripts/$1/package.json" "scripts/$1/package-lock.json" "$folder" \
        && (cd "$folder" && npm ci --ignore-scripts --omit=dev --no-audit --no-fund --silent) \
        && touch "$folder/complete" \
        && return 0
    rm -rf "$folder"
    echo "missing: $2 (of npm with Node.js 20 or later, as scripts/$1/package-lock.json says; the tests that need it say that they are skipped)" >&2
}
node_environment azurite "Azurite, Microsoft's emulator of Blob Storage"
node_environment oauth2 "oidc-provider, the OAuth 2.0 server"
