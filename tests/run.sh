#!/usr/bin/env bash
# Installs what the tests need, and runs them all. On Debian 12 as root (or with sudo); elsewhere install the packages
# named below by hand.
set -euo pipefail
cd "$(dirname "$0")/.."

PACKAGES="build-essential make curl ca-certificates nginx-light postgresql-doc-15 chromium systemd python3"
missing=""
for package in $PACKAGES; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
if [ -n "$missing" ]; then
  as_root=""
  [ "$(id -u)" = 0 ] || as_root="sudo"
  $as_root apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing
fi
(cd tests/browser && npm ci --ignore-scripts --no-audit --no-fund --silent)

cargo fmt --all --check
# Both lock files say what is built: a dependency that is missing in one is seen now, not after the tests.
for manifest in Cargo.toml fuzz/Cargo.toml; do cargo metadata --locked --format-version 1 --manifest-path "$manifest" >/dev/null; done
cargo clippy --profile quick --all-targets --quiet -- -D warnings
if command -v cargo-nextest >/dev/null; then
  cargo nextest run --cargo-profile quick --no-fail-fast
else
  cargo test --profile quick --no-fail-fast
fi
# cargo-fuzz wants nightly to run; that the targets still compile is seen here, and tests/corpus.rs runs their corpora.
CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}" cargo check --profile quick --quiet --locked --manifest-path fuzz/Cargo.toml
bash deploy/verify
echo "all is well"
