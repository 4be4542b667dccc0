#!/usr/bin/env bash
# The commands of the Dockerfile in chroots of Debian, where no registry of images is at hand: what RUN, COPY, WORKDIR and ENTRYPOINT say, in their order.
# One line is replaced: .NET's SDK is copied from this machine instead of downloaded.
#
#   sudo scripts/test-image.sh      needs root, debootstrap and 6 GB under .build/image; MIRROR names the Debian mirror
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mirror=${MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep debian | grep -v -- -security | sed -n 1p)}
[[ $EUID -eq 0 ]] || { echo "test-image.sh makes chroots: run it as root" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 2; }
images=$root/.build/image
work=/ stage='' name=''

leave() { local at; for at in proc dev root/.nuget/packages; do umount -R "$images/$1/$at" 2>/dev/null || true; done; }
trap 'for stage in "$images"/*/; do leave "$(basename "$stage")"; done' EXIT

# from BASE NAME: a fresh chroot of a Debian suite, or the stage of an earlier FROM, which goes on under the new name.
from() {
    leave "$2"
    rm -rf "${images:?}/$2"
    mkdir -p "$images"
    if [[ -d $images/$1 ]]; then
        leave "$1"
        mv "$images/$1" "$images/$2"
    else
        debootstrap --variant=minbase "$1" "$images/$2" "$mirror" >"$images.log"
    fi
    stage=$images/$2 name=$2 work=/
    cp /etc/resolv.conf "$stage/etc/resolv.conf"
    mkdir -p "$stage/root/.nuget/packages" "$stage/etc/ssl/certs"
    mount -t proc proc "$stage/proc"
    mount --rbind --make-rslave /dev "$stage/dev"
    mount --bind ~/.nuget/packages "$stage/root/.nuget/packages"
}

sdk() {
    cp -r "$(dirname "$(readlink -f "$(command -v dotnet)")")" "$stage/usr/share/dotnet"
    ln -s /usr/share/dotnet/dotnet "$stage/usr/bin/dotnet"
    cp --remove-destination -L /etc/ssl/certs/ca-certificates.crt "$stage/etc/ssl/certs/"
    [[ ! -d ~/.nuget/NuGet ]] || cp -r ~/.nuget/NuGet "$stage/root/.nuget/"
}

inside() { nice -n 10 chroot "$stage" env HOME=/root DEBIAN_FRONTEND=noninteractive bash -c "cd $work && $1" >>"$images.log" 2>&1 </dev/null; }

entry=''
while read -r word rest; do
    begin=$SECONDS
    case $word in
        FROM) read -r base _ label <<<"$rest"; from "$(sed 's/.*://; s/^12$/bookworm/; s/^13$/trixie/' <<<"$base")" "${label:-final}" ;;
        WORKDIR) work=$rest; mkdir -p "$stage$work" ;;
        COPY)
            if [[ $rest == --from=* ]]; then
                read -r other source target <<<"$rest"
                cp -r "$images/${other#--from=}$source" "$stage$target"
            elif [[ $rest == ". ." ]]; then
                git -C "$root" ls-files -z --cached --others --exclude-standard | tar -C "$root" --null --files-from=- -c --ignore-failed-read | tar -C "$stage$work" -x
            else
                read -r source target <<<"$rest"
                mkdir -p "$stage$work/$target"
                cp "$root/$source" "$stage$work/$target"
            fi ;;
        RUN) if [[ $rest == *dotnet-install* ]]; then sdk; else inside "$rest" || { tail -n 30 "$images.log"; echo "$name: failed: $rest" >&2; exit 1; }; fi ;;
        ENTRYPOINT) entry=$(tr -d '[]",' <<<"$rest"); continue ;;
        *) continue ;;
    esac
    echo "$name: $word $rest: $((SECONDS - begin)) s"
done <"$root/Dockerfile"

cp "$root/configs/tests/verify-tiny.yaml" "$stage$work/"
chroot "$stage" bash -c "cd $work && $entry doctor; $entry verify verify-tiny.yaml --layouts 'dp2, tp2 pp2' --steps 3" </dev/null
echo "the image holds $(du -smx --exclude="$stage/root/.nuget" "$stage" | cut -f1) MiB"
