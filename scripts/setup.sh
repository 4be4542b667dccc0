#!/usr/bin/env bash
# Installs the Debian packages that building, testing and running need. Quick when nothing is missing.
set -euo pipefail
packages=(
    g++ cmake ninja-build          # the native libraries
    libdnnl-dev                    # products with matrices
    mpich openmpi-bin              # ranks as processes: the default, and the other that users have
    sentencepiece libsentencepiece-dev
    fonts-dejavu-core              # the letters of a heat map's picture
    hamexam                        # the questions of a real exam, for the tests of evaluation
)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
    exit 0
fi
echo "setup: installing ${missing[*]}" >&2
as_root=()
if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || { echo "setup: needs root or sudo to install: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
