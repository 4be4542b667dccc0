#!/usr/bin/env bash
# Builds one native library: build.sh LIBRARY BUILD_FOLDER. Called by Native.targets. Quiet unless it fails; the log is
# BUILD_FOLDER/build.log.
set -euo pipefail
library=$1 build=$2
source=$(cd "$(dirname "$0")" && pwd)

for tool in cmake c++; do
    command -v $tool >/dev/null || { echo "error: $tool is missing, which builds lib$library.so; run scripts/setup.sh" >&2; exit 1; }
done

# Paths inside the checkout are hashed relatively, so that another checkout finds the objects in the cache.
CCACHE_BASEDIR=$(cd "$source/../.." && pwd)
export CCACHE_BASEDIR CCACHE_NOHASHDIR=1

mkdir -p "$build"
exec 9>"$build/.lock"
flock 9

configure() {
    [[ -f $build/build.ninja || -f $build/Makefile ]] && return
    local generator=()
    if command -v ninja >/dev/null; then generator=(-G Ninja); fi
    cmake -S "$source" -B "$build" "${generator[@]}" -DUNISCALE_LIBRARIES="$library"
}

if ! { configure && cmake --build "$build" --target "$library"; } >"$build/build.log" 2>&1; then
    cat "$build/build.log" >&2
    echo "error: lib$library.so does not build; if a header or library is missing, run scripts/setup.sh" >&2
    exit 1
fi
