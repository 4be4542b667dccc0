#!/usr/bin/env bash
# Gives every reader of foreign files damaged and hostile inputs; closes with executions and findings, and fails where there are any.
#
#   scripts/fuzz.sh [SECONDS] [TARGET ...]      default: an hour for all targets together
#
# Findings, and the input under way where a reader ends the process, lie in .build/fuzz/TARGET.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
seconds=${1:-3600}
shift || true
folder=$root/.build/fuzz
rm -rf "$folder"
mkdir -p "$folder"
dotnet build "$root/tests/Uniscale.Fuzz/Uniscale.Fuzz.csproj" --configuration Release --nologo --verbosity quiet >"$root/.build/fuzz-build.log" 2>&1 || { cat "$root/.build/fuzz-build.log"; exit 1; }
exec "$root/tests/Uniscale.Fuzz/bin/Release/net10.0/Uniscale.Fuzz" "$seconds" "$folder" "$@"
