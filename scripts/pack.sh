#!/usr/bin/env bash
# Packs the libraries that stand alone, and the program as a .NET tool, into a folder of NuGet packages.
#
#   scripts/pack.sh [FOLDER]     default: .build/packages
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(realpath -m "${1:-$root/.build/packages}")
rm -rf "$folder"
# With what they stand on: Programs, Data and Checkpoints read Configuration, Checkpoints meets its ranks by Collectives.
for library in Mpi Configuration Collectives Programs Data Checkpoints Cli; do
    dotnet pack "$root/src/Uniscale.$library" --configuration Release --output "$folder" --nologo --verbosity quiet
done
for package in "$folder"/*.nupkg; do echo "$(basename "$package"): $(($(stat -c %s "$package") / 1024)) KiB"; done
