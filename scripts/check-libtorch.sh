#!/usr/bin/env bash
# Compiles the libtorch bridge, warnings as errors, against the libtorch of other Debian releases, each in a chroot of its own, and
# runs the tests of src/TorchSharp on it.
#
#   sudo scripts/check-libtorch.sh [SUITE ...]     default: trixie (libtorch 2.6) and sid (the newest)
#
# Needs root, debootstrap, the .NET SDK and about 4 GB a suite under .build/chroots; a chroot is made once and used again.
# MIRROR names the Debian mirror. Not part of CI.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# The mirror that this machine installs from.
mirror=${MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v -- -security | sed -n 1p)}
suites=("$@")
[[ ${#suites[@]} -gt 0 ]] || suites=(trixie sid)

[[ $EUID -eq 0 ]] || { echo "check-libtorch.sh makes chroots: run it as root" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 2; }

make_chroot() {
    local suite=$1 chroot=$2
    [[ -f $chroot/ready ]] && return
    echo "$suite: making a chroot from $mirror"
    rm -rf "$chroot"
    nice -n 19 debootstrap --variant=minbase "$suite" "$chroot" "$mirror" >"$root/.build/debootstrap-$suite.log"
    cp /etc/resolv.conf "$chroot/etc/resolv.conf"
    nice -n 19 chroot "$chroot" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        g++ cmake ninja-build libtorch-dev >>"$root/.build/debootstrap-$suite.log"
    touch "$chroot/ready"
}

compile() {
    rm -rf "$1/src"
    cp -r "$root/src/Uniscale.Native" "$1/src"
    nice -n 19 chroot "$1" sh -c \
        'cmake -S /src -B /build -G Ninja -DUNISCALE_LIBRARIES=uniscale_torch >/build.log && cmake --build /build >>/build.log' ||
        { cat "$1/build.log" >&2; return 1; }
}

# The managed code is the one built here; only the native library is the chroot's. .NET needs /proc.
run_tests() {
    local chroot=$1 sdk
    sdk=$(dirname "$(readlink -f "$(command -v dotnet)")")
    mkdir -p "$chroot/dotnet"
    rm -rf "$chroot/tests"
    cp -r "$sdk/dotnet" "$sdk/host" "$sdk/shared" "$chroot/dotnet/"
    cp -r "$root/tests/TorchSharp.Tests/bin/Release/net10.0" "$chroot/tests"
    cp "$chroot/build/libuniscale_torch.so" "$chroot/tests/"
    mount -t proc proc "$chroot/proc"
    local status=0
    nice -n 19 chroot "$chroot" env DOTNET_ROOT=/dotnet DOTNET_EnableWriteXorExecute=0 HOME=/tmp \
        /tests/TorchSharp.Tests --filter-not-class TorchSharp.Tests.Surface.PackageSwitchTests >"$chroot/tests.log" || status=1
    umount "$chroot/proc"
    grep -E '^ +(total|failed):' "$chroot/tests.log" || true
    [[ $status -eq 0 ]] || cat "$chroot/tests.log" >&2
    return $status
}

dotnet build "$root/tests/TorchSharp.Tests" -c Release -v quiet
failed=0
for suite in "${suites[@]}"; do
    chroot=$root/.build/chroots/$suite
    make_chroot "$suite" "$chroot"
    version=$(chroot "$chroot" dpkg-query -W -f '${Version}' libtorch-dev)
    if compile "$chroot" && run_tests "$chroot"; then
        echo "$suite: compiles and passes against libtorch $version"
    else
        echo "$suite: fails against libtorch $version" >&2
        failed=1
    fi
done
exit $failed
