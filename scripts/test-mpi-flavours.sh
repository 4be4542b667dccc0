#!/usr/bin/env bash
# Runs the tests of MPI, collectives and launching under the MPIs of other Debian releases, each in a chroot: Open MPI 5 and MPICH 4.2 of trixie, Open
# MPI 6 and MPICH 5 of sid, there by MPI's standard binary interface too. What is tested is the managed code that is built here.
#
#   sudo scripts/test-mpi-flavours.sh [SUITE ...]     default: trixie sid
#
# Needs root, debootstrap, the .NET SDK and about 1 GB a suite under .build/chroots; a chroot is made once and used again.
# MIRROR names the Debian mirror. Not part of CI.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# The mirror that this machine installs from.
mirror=${MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep debian | grep -v -- -security | sed -n 1p)}
suites=("$@")
[[ ${#suites[@]} -gt 0 ]] || suites=(trixie sid)

[[ $EUID -eq 0 ]] || { echo "test-mpi-flavours.sh makes chroots: run it as root" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 2; }

make_chroot() {
    local suite=$1 chroot=$2
    [[ -f $chroot/ready ]] && return
    echo "$suite: making a chroot from $mirror"
    rm -rf "$chroot"
    nice -n 19 debootstrap --variant=minbase "$suite" "$chroot" "$mirror" >"$root/.build/debootstrap-$suite.log"
    cp /etc/resolv.conf "$chroot/etc/resolv.conf"
    nice -n 19 chroot "$chroot" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        openmpi-bin mpich libstdc++6 >>"$root/.build/debootstrap-$suite.log"
    touch "$chroot/ready"
}

# Programs lie beside each other as here; without libtorch, which none of these tests loads.
copy_tests() {
    local chroot=$1 sdk program
    sdk=$(dirname "$(readlink -f "$(command -v dotnet)")")
    mkdir -p "$chroot/dotnet"
    cp -r "$sdk/dotnet" "$sdk/host" "$sdk/shared" "$chroot/dotnet/"
    rm -rf "$chroot/tests"
    for program in Uniscale.{Mpi,Collectives,Launching}.Tests Uniscale.{Collectives,Launching}.RankProgram; do
        mkdir -p "$chroot/tests/$program/bin/Release/net10.0"
        find "$root/tests/$program/bin/Release/net10.0" -maxdepth 1 -type f ! -name '*torch*.so*' ! -name 'libuniscale*' \
            -exec cp -t "$chroot/tests/$program/bin/Release/net10.0" {} +
    done
}

run_tests() {
    local chroot=$1 status=0
    enter() {
        nice -n 10 chroot "$chroot" env DOTNET_ROOT=/dotnet DOTNET_EnableWriteXorExecute=0 HOME=/tmp \
            "/tests/$1/bin/Release/net10.0/$1" --ansi off "${@:2}" >"$chroot/$1.log" || status=1
        echo "   $1: $(grep -E '^ +(total|failed):' "$chroot/$1.log" | tr -s ' \n' ' ')"
        grep -qE '^ +failed: 0' "$chroot/$1.log" || tail -n 60 "$chroot/$1.log" >&2
    }
    mount -t proc proc "$chroot/proc"
    mount --rbind --make-rslave /dev "$chroot/dev"
    enter Uniscale.Mpi.Tests
    # The emulated NCCL is built in the checkout, and needs no other MPI.
    enter Uniscale.Collectives.Tests --filter-not-namespace Uniscale.Collectives.Tests.Nccl
    enter Uniscale.Launching.Tests --filter-class '*MpiLauncherTests' --filter-class '*SupervisorTests'
    umount -R "$chroot/dev" "$chroot/proc"
    return $status
}

for name in Uniscale.{Mpi,Collectives,Launching}.Tests; do dotnet build "$root/tests/$name" -c Release -v quiet --nologo -clp:NoSummary; done
failed=0
for suite in "${suites[@]}"; do
    chroot=$root/.build/chroots/mpi-$suite
    make_chroot "$suite" "$chroot"
    copy_tests "$chroot"
    echo "$suite: $(chroot "$chroot" mpirun.openmpi --version 2>/dev/null | sed -n 1p), MPICH $(chroot "$chroot" dpkg-query -W -f '${Version}' mpich)"
    run_tests "$chroot" || failed=1
done
exit $failed
