#!/usr/bin/env bash
# Builds the emulator: build.sh FOLDER. One library is both libcudart and libnccl; three versions of NCCL, of which the first has no
# communicator split and only the last an all-to-all.
set -euo pipefail
source=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
exec 9>"$1/.lock"
flock 9
# Several test projects ask for it at once.
if [[ -e $1/built.stamp && -z $(find "$source" \( -name '*.[ch]' -o -name build.sh \) -newer "$1/built.stamp") ]]; then exit 0; fi
for version in 21701 21805 22807; do
    cc -std=gnu11 -O2 -g -Wall -Wextra -Werror -fPIC -fvisibility=hidden -shared -pthread -DNCCL_EMULATOR_VERSION=$version \
        "$source"/{settings,cuda,reduction,clique,nccl}.c -o "$1/libnccl_emulator_$version.so"
done
touch "$1/built.stamp"
