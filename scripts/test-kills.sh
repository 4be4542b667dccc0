#!/usr/bin/env bash
# Kills ranks of a supervised run at random moments, half of them inside saves, and compares its last weights with those of a run that
# nobody touched: they must be the same bits. usage: scripts/test-kills.sh [KILLS, default 100] [options of uniscale faults]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
kills=${1:-100}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
scripts/uniscale faults configs/tests/faults.yaml --kills "$kills" --directory "$folder" "${@:2}"
