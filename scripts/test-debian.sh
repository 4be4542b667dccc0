#!/usr/bin/env bash
# The README's commands as on a fresh machine: in a chroot of a Debian release that holds nothing but the base system, certificates, git and the .NET SDK of
# this machine, from a clone of what is committed. Tells the time of each and what apt installed.
#
#   sudo scripts/test-debian.sh [SUITE ...]           default: bookworm trixie
#   QUICKSTART=1 sudo scripts/test-debian.sh trixie   scripts/quickstart.sh besides scripts/test.sh
#
# Needs root, debootstrap and about 5 GB a suite under .build/chroots; the chroot is made anew each time. MIRROR names the Debian mirror. Packages of NuGet
# come from this machine's folder of them where they are there. Not part of CI.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mirror=${MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep debian | grep -v -- -security | sed -n 1p)}
suites=("$@")
[[ ${#suites[@]} -gt 0 ]] || suites=(bookworm trixie)
[[ $EUID -eq 0 ]] || { echo "test-debian.sh makes chroots: run it as root" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 2; }

mounts=(proc dev sys root/.nuget/packages)
leave() { local at; for at in "${mounts[@]}"; do umount -R "$1/$at" 2>/dev/null || true; done; }

make_chroot() {
    local suite=$1 chroot=$2 log=$3
    leave "$chroot"
    rm -rf "$chroot"
    debootstrap --variant=minbase --include=ca-certificates,git "$suite" "$chroot" "$mirror" >"$log"
    cp /etc/resolv.conf "$chroot/etc/resolv.conf"
    cp --remove-destination -L /etc/ssl/certs/ca-certificates.crt "$chroot/etc/ssl/certs/"
    # What the SDK's own package depends on; its name has a number that changes.
    chroot "$chroot" apt-get install -y -q '^libicu[0-9]+$' >>"$log" 2>&1
    cp -r "$(dirname "$(readlink -f "$(command -v dotnet)")")" "$chroot/dotnet"
    ln -s /dotnet/dotnet "$chroot/usr/bin/dotnet"
    mkdir -p "$chroot/root/.nuget/packages" ~/.nuget/packages
    [[ ! -d ~/.nuget/NuGet ]] || cp -r ~/.nuget/NuGet "$chroot/root/.nuget/"
    printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost\n' "$(hostname)" >"$chroot/etc/hosts"
    mount -t proc proc "$chroot/proc"
    mount --rbind --make-rslave /sys "$chroot/sys"
    mount --rbind --make-rslave /dev "$chroot/dev"
    mount --bind ~/.nuget/packages "$chroot/root/.nuget/packages"
    git clone -q "$root" "$chroot/uniscale"
}

# step NAME COMMAND: in the clone; its seconds and its last line.
step() {
    local name=$1 begin=$SECONDS status=0
    nice -n 10 chroot "$chroot" env HOME=/root DOTNET_ROOT=/dotnet bash -c "cd /uniscale && $2" >"$log.$name" 2>&1 </dev/null || status=$?
    echo "$suite: $name: exit code $status after $((SECONDS - begin)) s: $(grep -v '^$' "$log.$name" | tail -n 1)"
    ((status == 0)) || failed=1
}

failed=0
for suite in "${suites[@]}"; do
    chroot=$root/.build/chroots/fresh-$suite log=$root/.build/debian-$suite
    mkdir -p "$root/.build/chroots"
    make_chroot "$suite" "$chroot" "$log"
    trap 'leave "$chroot"' EXIT
    before=$(chroot "$chroot" dpkg-query -W -f '${Installed-Size}\n' | awk '{n++; s += $1} END {print n, s}')
    step setup scripts/setup.sh
    chroot "$chroot" dpkg-query -W -f '${Installed-Size}\n' | awk -v before="$before" -v suite="$suite" \
        '{n++; s += $1} END {split(before, b); printf "%s: apt installed %d packages, %d MB\n", suite, n - b[1], (s - b[2]) / 1024}'
    step test scripts/test.sh
    [[ -z ${QUICKSTART:-} ]] || step quickstart scripts/quickstart.sh
    leave "$chroot"
done
exit $failed
